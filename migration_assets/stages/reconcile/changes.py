"""Values that arrive otherwise than the source has them because a rule said so: counted by rule, never shown.

What rounding took or added is a sum over many rows, and stated: it is why two totals differ.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.stages.reconcile.report import whole

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What becomes of a value without a right form. Cleaning is not among them: it keeps what the value says.
CHANGED = ("defaulted", "set_aside", "rounded")
_EXACT = "decimal(38, 10)"


def changed_values(engine: DuckDBEngine, notes: ir.Table) -> list[dict[str, Any]]:
    """Source rows by `table` (system.table), `field` (entity.field), `action`, `rule` and `reason`, in that order.

    `notes`: columns of engine.notes.NOTE_COLUMNS. A row counts once under each rule that touched it. `rounded_minor`:
    what rounding added to the sum of the amounts, in minor units of the currency that `reason` names.
    """
    by = ["source_system", "source_table", "entity", "field", "action", "rule", "reason"]
    kept = notes.filter(notes["action"].isin(CHANGED)).select(*by, "source_id", "old_value", "new_value").distinct()
    added = kept["new_value"].try_cast(_EXACT) - kept["old_value"].try_cast(_EXACT)
    rounded = (kept["action"] == "rounded").ifelse(added, ibis.literal(0).cast(_EXACT))
    counted = kept.group_by(by).aggregate(rows=kept["source_id"].nunique(), rounded=rounded.sum()).order_by(by)
    return [
        {
            "table": f"{r['source_system']}.{r['source_table']}",
            "field": f"{r['entity']}.{r['field']}",
            "action": r["action"],
            "rule": r["rule"],
            "reason": r["reason"] or "",
            "rows": r["rows"],
            "rounded_minor": whole(r["rounded"] or Decimal(0)),
        }
        for r in engine.arrow(counted).to_pylist()
    ]
