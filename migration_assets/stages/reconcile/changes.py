"""Values that arrive otherwise than the source has them because a rule said so: counted by rule, never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What becomes of a value without a right form. Cleaning is not among them: it keeps what the value says.
CHANGED = ("defaulted", "set_aside")


def changed_values(engine: DuckDBEngine, notes: ir.Table) -> list[dict[str, Any]]:
    """Source rows by `table` (system.table), `field` (entity.field), `action`, `rule` and `reason`, in that order.

    `notes`: columns of engine.notes.NOTE_COLUMNS. A row counts once under each rule that touched it.
    """
    by = ["source_system", "source_table", "entity", "field", "action", "rule", "reason"]
    kept = notes.filter(notes["action"].isin(CHANGED)).select(*by, "source_id").distinct()
    counted = kept.group_by(by).aggregate(rows=kept.count()).order_by(by)
    return [
        {
            "table": f"{r['source_system']}.{r['source_table']}",
            "field": f"{r['entity']}.{r['field']}",
            "action": r["action"],
            "rule": r["rule"],
            "reason": r["reason"] or "",
            "rows": r["rows"],
        }
        for r in engine.arrow(counted).to_pylist()
    ]
