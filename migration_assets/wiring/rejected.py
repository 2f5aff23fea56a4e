"""Which source rows the last run did not load, why, and what helps. Plain data for `cutover rejected`.

Rows are named by their source key; no value of them but that. What became of every row stands in the tables
`dispositions` that the stages write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.errors import BadInput
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.plan.wording import listing, nearest, shown
from migration_assets.stages.remedies import RULES, remedy_of
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.stage_names import TRANSFORMED

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir

    from migration_assets.control import MigrationRecord
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.workspace import Workspace

LEFT_OUT = ("rejected", "excluded")
_BY = ("table", "disposition", "rule", "reason")


@dataclass(frozen=True)
class _Written:
    """Files of dispositions by cohort, and the stages whose rows are of no use, as (cohort, stage)."""

    files: tuple[tuple[str, Path], ...]
    not_of_this: tuple[tuple[str, str], ...]


def rejected_of(
    workspace: Workspace, *, cohort: str | None = None, reason: str | None = None, rows: bool = False, limit: int = 50
) -> dict[str, Any]:
    """Rows that were rejected or excluded in the current snapshot, counted by table and reason, with what helps.

    `cohort`, `reason` (a rule, such as `orphan`): of these alone. `rows`: also each row, at most `limit` of `total`.
    `missing`: stages of cohorts that have not looked at this snapshot yet. BadInput for a cohort or a reason that there
    is not, and before the first run.
    """
    record = workspace.control.current_record(workspace.plan.name)
    if record is None:
        raise BadInput("there is no run to tell of yet", "Run `cutover run` first.")
    written = _written(workspace, record, cohort)
    with workspace.engine() as engine:
        left = _left_out(engine, written.files)
        if reason is not None:
            found = engine.arrow(left.select("rule").distinct())["rule"].to_pylist()
            given = {e.rule for e in workspace.plan.file.exclusions}
            _refuse_unknown(reason, "no row is left out for the reason", {*found, *given, *RULES})
            left = engine.cached(left.filter(left["rule"] == reason))
        counted = left.group_by(list(_BY)).aggregate(rows=left.count()).order_by(list(_BY))
        # What was rejected may be mended, and comes first.
        reasons = sorted(engine.arrow(counted).to_pylist(), key=lambda r: r["disposition"] != "rejected")
        listed = left.order_by(["table", "source_row", "cohort"]).limit(limit if rows else 0)
        each = engine.arrow(listed).to_pylist()
    return {
        "plan": workspace.plan.name,
        "snapshot": record.snapshot,
        "total": sum(r["rows"] for r in reasons),
        "reasons": [{**r, "remedy": remedy_of(r["disposition"], r["rule"], r["reason"])} for r in reasons],
        **({"rows": [_row(r) for r in each]} if rows else {}),
        "missing": [{"cohort": c, "stage": stage} for c, stage in written.not_of_this],
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    place = {"table": row["table"], "key": row["source_id"], "row": f"{row['table']}#{row['source_row']}"}
    return {**place, **{name: row[name] for name in ("cohort", "disposition", "rule", "reason")}}


def _refuse_unknown(name: str, problem: str, known: Iterable[str]) -> None:
    there = set(known)
    if name not in there:
        raise BadInput(f"{problem} {shown(name)}", nearest(name, there, f"there are: {listing(there) or 'none'}"))


def _written(workspace: Workspace, record: MigrationRecord, cohort: str | None) -> _Written:
    """What stages wrote about the current snapshot, be it under an older plan or judged by older rules."""
    control, store = workspace.control, workspace.store
    cohorts = [c.name for c in control.cohorts(record)]
    if cohort is not None:
        _refuse_unknown(cohort, "there is no cohort", cohorts)
        cohorts = [cohort]
    stages = control.status(workspace.basis(record.snapshot, record.as_of), cohorts, TRANSFORMED, datetime.now(UTC))
    places = [(s.cohort, s.asset, store.file(s.asset, s.cohort, "dispositions"), s.snapshot) for s in stages]
    there = [(c, file) for c, _, file, snapshot in places if snapshot == record.snapshot and file.exists()]
    once = store.file("reference_data", GLOBAL, "dispositions")
    if UNASSIGNED in cohorts and once.exists():
        # What belongs to no customer and to the catalog is accounted for with the rows of nobody.
        there.append((UNASSIGNED, once))
    known = {file for _, file in there}
    return _Written(tuple(there), tuple((c, stage) for c, stage, file, _ in places if file not in known))


def _left_out(engine: DuckDBEngine, files: Iterable[tuple[str, Path]]) -> ir.Table:
    """cohort, table, source_row (key), source_id, disposition, rule, reason."""
    parts = list(_parts(engine, files))
    return engine.cached(engine.union(parts)) if parts else engine.table(_NOTHING.to_pyarrow().empty_table())


def _parts(engine: DuckDBEngine, files: Iterable[tuple[str, Path]]) -> Iterator[ir.Table]:
    for cohort, file in files:
        fates = engine.read(file)
        left = fates.filter(fates["disposition"].isin(LEFT_OUT))
        table = left["source_system"] + "." + left["source_table"]
        named = left.mutate(cohort=ibis.literal(cohort), table=table, reason=left["reason"].fill_null(""))
        yield named.select(*_NOTHING.names).cast(_NOTHING)


_NOTHING = ibis.schema(
    {"cohort": "string", "table": "string", "source_row": "int64"}
    | dict.fromkeys(("source_id", "disposition", "rule", "reason"), "string")
)
