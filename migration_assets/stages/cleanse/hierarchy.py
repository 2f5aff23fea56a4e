"""Parents and payers without circles (I21): a link that closes a circle is set aside and listed, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.stages.identities.components import members_of_cycles
from migration_assets.stages.references import set_aside_note

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

LINKS = ("parent_id", "payer_id")


@dataclass(frozen=True)
class Hierarchy:
    """Customers whose links lead to customers of theirs and in no circle, and notes on the links set aside."""

    rows: ir.Table
    notes: list[ir.Table]


def without_circles(engine: DuckDBEngine, customers: ir.Table) -> Hierarchy:
    """Set aside links that lead nowhere and parent links on a circle; who pays for itself needs no payer link."""
    rows, notes = customers, []
    for field in LINKS:
        self_payer = (rows[field] == rows["customer_id"]) if field == "payer_id" else ibis.literal(False)
        rows = rows.mutate(**{field: self_payer.fill_null(False).ifelse(ibis.null("string"), rows[field])})
        bad = {"reference_missing": _dangling(rows, field)}
        if field == "parent_id":
            bad["circle"] = _on_circle(engine, rows, field)
        for reason, keys in bad.items():
            hit = rows.semi_join(keys, "customer_id")
            notes.append(engine.cached(set_aside_note("customer", hit, field, reason)))
            marked = keys.select(_bad="customer_id")
            joined = rows.left_join(marked, rows["customer_id"] == marked["_bad"])
            kept = joined["_bad"].isnull().ifelse(joined[field], ibis.null("string"))
            rows = engine.cached(joined.mutate(**{field: kept}).drop("_bad").select(*customers.columns))
    return Hierarchy(rows, notes)


def _dangling(rows: ir.Table, field: str) -> ir.Table:
    known = rows.select(_known="customer_id")
    joined = rows.left_join(known, rows[field] == known["_known"])
    return joined.filter(joined[field].notnull() & joined["_known"].isnull()).select("customer_id")


def _on_circle(engine: DuckDBEngine, rows: ir.Table, field: str) -> ir.Table:
    linked = engine.arrow(rows.filter(rows[field].notnull()).select("customer_id", field))
    child, parent = linked["customer_id"].to_pylist(), linked[field].to_pylist()
    number = {key: i for i, key in enumerate(child)}
    circle = members_of_cycles([number.get(p) for p in parent])
    return engine.table(pa.table({"customer_id": pa.array([child[i] for i in sorted(circle)], pa.string())}))
