"""Certificates of a cohort's bills: written to a folder with their digests, and verified there without a database."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migration_assets.connectors.private_files import make_folder, write_private
from migration_assets.domain.errors import BadInput, StageRefused
from migration_assets.stages.certificate.page import page
from migration_assets.stages.certificate.sealed import (
    FORMAT,
    LIST,
    as_text,
    faults,
    file_name,
    sealed,
    summary,
    summary_rows,
    text_digest,
)
from migration_assets.wiring.accounts import exponents_of, heading_of, open_accounts, require_cohort
from migration_assets.wiring.merges import members_of
from migration_assets.wiring.review import Stored
from migration_assets.wiring.row_names import surrogates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.certificate.accounts import Accounts
    from migration_assets.wiring.workspace import Workspace

_AT_ONCE = 500


def build(workspace: Workspace, cohort: str, folder: Path, actor: str, *, loaded: bool = False) -> dict[str, Any]:
    """A certificate for each customer of a cohort, and one for contracts that are nobody's; a list of them all.
    `loaded`: the target's side from the rows that it holds now.

    Returns how many there are by outcome, and the digest of the list, which is in the audit log too. BadInput for a
    cohort that there is not, or a folder that is not empty; StageRefused when its bills have not been compared
    under this plan.
    """
    record = workspace.record()
    require_cohort(workspace, record, cohort)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput("the folder is not empty: certificates are not mixed with others", "Name a new one with --to.")
    outcomes: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    with workspace.engine() as engine:
        accounts = open_accounts(workspace, engine, cohort, loaded=loaded)
        heading = {"format": FORMAT, **heading_of(workspace, cohort, loaded=loaded)}
        make_folder(folder)
        for content in _contents(workspace, engine, accounts, heading):
            shown, name = page(content), content["certificate"]
            write_private(folder / f"{name}.json", as_text(content))
            write_private(folder / f"{name}.html", shown)
            rows += summary_rows(content, shown)
            outcomes[content["outcome"]] += 1
    told = summary(rows)
    write_private(folder / LIST, told)
    made = {"cohort": cohort, "certificates": sum(outcomes.values()), "outcomes": dict(sorted(outcomes.items()))}
    made |= {
        "snapshot": record.snapshot,
        "plan_digest": record.plan_digest,
        "list_digest": text_digest(told),
        "loaded": loaded,
    }
    workspace.control.audit(actor, "certificates_built", cohort, made, now=datetime.now(UTC))
    return {**made, "folder": str(folder)}


def _contents(
    workspace: Workspace, engine: DuckDBEngine, accounts: Accounts, heading: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Sealed contents, in the order of customers' keys. StageRefused where a contract would be on none."""
    _refuse_gaps(accounts)
    stored, strangers = Stored(workspace, engine), count(1)
    everybody = accounts.customers()
    for first in range(0, len(everybody), _AT_ONCE):
        some = everybody[first : first + _AT_ONCE]
        groups = members_of(stored, [key for key in some if key is not None])
        places = surrogates(stored, [key for members in groups.values() for key in members])
        for key, told in accounts.told(some):
            row = places.get(key) if key else None
            members = [{"key": k, "row": places.get(k)} for k in groups.get(key, []) if k in places] if key else []
            name = file_name(row, next(strangers) if key and row is None else None)
            customer = {"key": key, "row": row, "members": members}
            own = {"certificate": name, "customer": customer, **told, "exponents": exponents_of(workspace, told)}
            yield sealed({**heading, **own})


def _refuse_gaps(accounts: Accounts) -> None:
    """Whether every contract that was forecast is on somebody's certificate."""
    forecast = accounts.rows.found.forecast
    if lost := accounts.engine.count(forecast.anti_join(accounts.rows.contracts, "contract_id")):
        raise StageRefused(f"{lost} contracts would be on no certificate", "Run `cutover run` for the cohort again.")


def verify(folder: Path) -> dict[str, Any]:
    """Whether a folder of certificates is as it was built: `ok`, `certificates`, `faults`, and the digest of its list,
    to be held against the one in the audit log. BadInput where there is no such folder."""
    if not folder.is_dir():
        raise BadInput("there is no such folder", "Name the folder that `cutover certificate build --to` made.")
    names = {p.name for p in folder.iterdir()}
    found = faults(names, lambda name: _text(folder / name), page)
    digest = text_digest(_text(folder / LIST)) if LIST in names else None
    count = sum(name.endswith(".json") for name in names)
    return {"ok": not found, "folder": str(folder), "certificates": count, "faults": found, "list_digest": digest}


def _text(path: Path) -> str:
    """The text of a file as it is, line ends too; what is no UTF-8 is no text of ours."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
