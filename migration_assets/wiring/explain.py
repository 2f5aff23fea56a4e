"""One customer, before and after: who they are made of, what is billed and may be done on both sides, why it differs,
what the target holds. Plain data for `cutover explain`; how it is shown: `explain_views`, `explain_page`.

It goes to whoever asks and nowhere else; that somebody asked is in the audit log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration_assets.domain.errors import StageRefused
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.accounts import exponents_of, heading_of, open_accounts, standing_of
from migration_assets.wiring.in_target import in_target
from migration_assets.wiring.merges import ties_of
from migration_assets.wiring.review import Stored
from migration_assets.wiring.row_names import members_named, surrogates
from migration_assets.wiring.stage_names import COHORT_STAGES

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace


def explained(workspace: Workspace, name: str, actor: str, *, loaded: bool = False) -> dict[str, Any]:
    """All there is to tell of a customer, whom `name` names as in `cutover review`.

    `customer`: key, row, name and status as they would be loaded; members and what ties them. `account`: bills, access
    and credits with their causes (stages.certificate.content), or None with `why_no_account`. `stages`: where the
    cohort stands. `target`: what the target holds. `loaded`: bills and access of the target from that, too.
    BadInput when the last run knows no such customer.
    """
    with workspace.engine() as engine:
        stored = Stored(workspace, engine)
        members = members_named(stored, name)
        places = surrogates(stored, members)
        cohort = _cohort(stored, members[0])
        customer = {
            "key": members[0],
            "row": places.get(members[0]),
            "members": [{"key": key, "row": places.get(key)} for key in members],
            **_as_loaded(stored, cohort, members[0]),
        }
        ties = ties_of(stored, members)
        account, why = _account(workspace, stored, cohort, customer, loaded)
    subject = places.get(members[0]) or "customer"
    workspace.control.audit(actor, "customer_explained", subject, {"cohort": cohort or ""}, now=datetime.now(UTC))
    return {
        "customer": customer,
        "ties": ties,
        "cohort": cohort,
        "stages": _stages(workspace, cohort),
        "account": account,
        "why_no_account": why,
        "target": in_target(workspace, members, cohort),
    }


def _cohort(stored: Stored, founder: str) -> str | None:
    found = stored.rows("cohort_plan", "members", "customer_id", [founder])
    return next((r["cohort"] for r in found), None)


def _as_loaded(stored: Stored, cohort: str | None, founder: str) -> dict[str, Any]:
    """Name and status as cleansing left them: of who was erased nothing shows."""
    file = stored.workspace.store.file("cleansed_customers", cohort or GLOBAL, "customer")
    if not file.exists():
        return {"name": None, "status": None}
    rows = stored.engine.read(file)
    found = stored.engine.arrow(rows.filter(rows["customer_id"] == founder).select("name", "status")).to_pylist()
    return found[0] if found else {"name": None, "status": None}


def _account(
    workspace: Workspace, stored: Stored, cohort: str | None, customer: dict[str, Any], loaded: bool
) -> tuple[dict[str, Any] | None, str | None]:
    """The account, or why there is none."""
    if workspace.plan.billing is None:
        return None, "the plan has no billing.yaml: nothing is known of bills (docs/billing.md)"
    if cohort is None:
        return None, "the customer is in no cohort"
    try:
        accounts = open_accounts(workspace, stored.engine, cohort, customer["key"], loaded=loaded)
        ((_, told),) = accounts.told([customer["key"]])
    except StageRefused as e:
        return None, f"{e.message}. {e.remedy}"
    exponents = {"exponents": exponents_of(workspace, told)}
    return {**heading_of(workspace, cohort, loaded=loaded), "customer": customer, **told, **exponents}, None


def _stages(workspace: Workspace, cohort: str | None) -> list[dict[str, Any]]:
    """Where the customer's cohort stands; nothing while the plan is another than the last run's."""
    record = workspace.control.current_record(workspace.plan.name)
    if cohort is None or record is None or record.plan_digest != workspace.plan.digest:
        return []
    return [
        {"stage": s.asset, "state": s.state, "at": s.at and s.at.isoformat(), "changed": s.changed}
        for s in standing_of(workspace, cohort, COHORT_STAGES)
    ]
