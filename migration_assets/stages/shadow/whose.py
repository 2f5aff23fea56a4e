"""Whose records of the old system are: the customer that who-is-who makes of them, by which both sides are compared.

The way leads along the plan's `owner` columns and the identities, never over what the mapping made of a row: a contract
that was mapped to somebody else shows as a loss of one customer and a gain of another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
    whose = customers_of(engine, plan, legacy, raw, [r for r in OWNED if r in records], identities)
    return {**records, **{r: engine.cached(_named(records[r], rows)) for r, rows in whose.items()}}


def customers_of(
    engine: DuckDBEngine,
    plan: Plan,
    legacy: LegacyBilling,
    raw: Callable[[str], ir.Table],
    kinds: Collection[RecordName],
    identities: ir.Table,
) -> dict[RecordName, ir.Table]:
    """Whose each raw row is that records of these kinds are read from: row (key), customer. Arguments as above."""
    owners = Owners(engine, plan, raw)
    tables = {r: legacy.reads[r].table for r in kinds}
    found = {t: engine.cached(_led(owners.of_rows(t), identities)) for t in sorted(set(tables.values()))}
    return {r: found[t] for r, t in tables.items()}


def _led(owned: ir.Table, identities: ir.Table) -> ir.Table:
    led = identities.select(_member="customer_id", _identity="identity_id")
    known = owned.left_join(led, owned["_customer"] == led["_member"])
    return known.select(row="_row", customer=known["_identity"].coalesce(known["_customer"]))


def _named(rows: ir.Table, whose: ir.Table) -> ir.Table:
    named = whose.select(_raw_row="row", _whose="customer")
    told = rows.left_join(named, rows["row"] == named["_raw_row"])
    return told.mutate(customer=told["_whose"]).select(*rows.columns)
