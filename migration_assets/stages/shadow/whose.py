"""Whose records of the old system are: the customer that who-is-who makes of them, by which both sides are compared.

The way leads along the plan's `owner` columns and the identities, never over what the mapping made of a row: a contract
that was mapped to somebody else shows as a loss of one customer and a gain of another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from migration_assets.stages.owners import Owners

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.plan.models import Plan

# Kinds of records that name a customer whose access follows from them.
OWNED: tuple[RecordName, ...] = ("contracts", "overrides")


def by_customer(
    engine: DuckDBEngine,
    plan: Plan,
    legacy: LegacyBilling,
    raw: Callable[[str], ir.Table],
    records: Mapping[RecordName, ir.Table],
    identities: ir.Table,
) -> dict[RecordName, ir.Table]:
    """The same records; in contracts and overrides `customer` is the canonical key of the customer in the target.

    `raw`: raw rows by `system.table`. `identities`: customer_id (key), identity_id, of every customer row. A customer
    that is no row of the source keeps the key it would have; a row that names none keeps none.
    """
    owners = Owners(engine, plan, raw)
    found = {
        r: engine.cached(_named(records[r], owners.of_rows(legacy.reads[r].table), identities))
        for r in OWNED
        if r in records
    }
    return {**records, **found}


def _named(rows: ir.Table, owned: ir.Table, identities: ir.Table) -> ir.Table:
    led = identities.select(_member="customer_id", _identity="identity_id")
    known = owned.left_join(led, owned["_customer"] == led["_member"])
    whose = known.select(_raw_row="_row", _whose=known["_identity"].coalesce(known["_customer"]))
    told = rows.left_join(whose, rows["row"] == whose["_raw_row"])
    return told.mutate(customer=told["_whose"]).select(*rows.columns)
