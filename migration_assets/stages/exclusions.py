"""Which source rows a written rule of the plan leaves out: by a condition, as stale, as copies of others.

Rows of one customer lie in one cohort, and copies belong to one customer, so that a cohort's rows and the whole table
give the same answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.calendar import add_months
from migration_assets.engine.mapping import source_id
from migration_assets.engine.predicates import holds

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.plan.source_models import Exclusion, Redundant, SourceTable, Stale


def excluded_rows(engine: DuckDBEngine, plan: Plan, table: str, raw: ir.Table, as_of: datetime) -> ir.Table | None:
    """Rows of `system.table` that a rule leaves out, each once, under the first rule of the plan that takes it; None
    where no rule is about the table.

    Rules about copies come last: the copy that stays has to be one that no other rule takes.
    Columns: source_system, source_table, source_row, source_id, rule, reason.
    """
    rules = [r for r in plan.file.exclusions if r.table == table]
    declared, rest, parts = plan.source_table(table), raw, []
    for rule in sorted(rules, key=lambda r: r.redundant is not None):
        hit = taken(rest, rule, declared, as_of)
        parts.append(_claimed(table, declared, rest.filter(hit), rule))
        rest = rest.filter(~hit)
    return engine.union(parts) if parts else None


def taken(rows: ir.Table, rule: Exclusion, declared: SourceTable, as_of: datetime) -> ir.BooleanValue:
    """Whether a rule takes a row; never null."""
    hit = holds(rows, rule.where)
    if rule.stale is not None:
        hit = hit & _stale(rows, rule.stale, as_of)
    return hit if rule.redundant is None else hit & _is_copy(rows, rule.redundant, declared, hit)


def _claimed(table: str, declared: SourceTable, rows: ir.Table, rule: Exclusion) -> ir.Table:
    system, _, name = table.partition(".")
    return rows.select(
        source_system=ibis.literal(system),
        source_table=ibis.literal(name),
        source_row=rows["_row"],
        source_id=source_id(rows, declared.key),
        rule=ibis.literal(rule.rule),
        reason=ibis.literal(rule.reason),
    )


def _stale(rows: ir.Table, stale: Stale, as_of: datetime) -> ir.BooleanValue:
    cutoff = add_months(as_of.astimezone(UTC), -stale.months)
    column = rows[stale.column]
    if column.type().is_date():
        return (column < ibis.literal(cutoff.date())).fill_null(False)
    return (_instant(column) < ibis.literal(cutoff, type="timestamp('UTC', 6)")).fill_null(False)


def _instant(column: ir.Value) -> ir.Value:
    """A time of any kind as an instant; null where text is none."""
    if column.type().is_timestamp() and column.type().timezone is None:
        # Written with its offset, so that no engine reads it in a zone of its own.
        column = column.cast("string") + ibis.literal("+00:00")
    return column.try_cast("timestamp('UTC', 6)")


def _is_copy(rows: ir.Table, redundant: Redundant, declared: SourceTable, among: ir.BooleanValue) -> ir.BooleanValue:
    """Whether another row says the same and stays. Only rows of `among` are compared with each other."""
    same = [rows[c] for c in _compared(rows, redundant, declared)]
    order = [rows[c] for c in (*declared.key, "_row")]
    if redundant.keep == "latest" and declared.updated_at is not None:
        order = [ibis.desc(_instant(rows[declared.updated_at]), nulls_first=False), *order]
    place = ibis.row_number().over(ibis.window(group_by=[among, *same], order_by=order))
    return place > 0


def _compared(rows: ir.Table, redundant: Redundant, declared: SourceTable) -> list[str]:
    """The columns in which copies agree; that of their owner always."""
    apart = {*declared.key, *declared.secret, declared.updated_at}
    said = redundant.by or [c for c in rows.columns if not c.startswith("_") and c not in apart]
    owner = [declared.owner] if declared.owner not in ("self", "none") else []
    return list(dict.fromkeys([*owner, *said]))
