"""Records of the old system without rows that were rejected or left out on the way to the target."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName

# Records of bills and access that become rows of the target, so that their rows may be rejected; the rest is set-up of
# the old system.
_MOVED: tuple[RecordName, ...] = ("contracts", "items", "discounts", "changes", "usage", "overrides")


def rejected_rows(
    engine: DuckDBEngine,
    legacy: LegacyBilling,
    records: Mapping[RecordName, ir.Table],
    rejected: ir.Table,
    moved: Collection[RecordName] = _MOVED,
) -> dict[RecordName, ir.Table]:
    """Records that were rejected or left out, by kind; only kinds of which any was.

    `rejected`: table (system.table) and row of raw rows. `moved`: kinds that are looked at.
    """
    found: dict[RecordName, ir.Table] = {}
    for record in (r for r in moved if r in records):
        gone = rejected.filter(rejected["table"] == legacy.reads[record].table).select("row")
        rows = engine.cached(records[record].semi_join(gone, "row"))
        if engine.count(rows):
            found[record] = rows
    return found


def without(records: Mapping[RecordName, ir.Table], gone: Mapping[RecordName, ir.Table]) -> dict[RecordName, ir.Table]:
    """The other records."""
    return {r: rows.anti_join(gone[r], "row") if r in gone else rows for r, rows in records.items()}
