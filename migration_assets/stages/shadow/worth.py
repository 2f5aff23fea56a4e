"""What customers are worth: what the old system would bill them in a year, by which losses are ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


def yearly(engine: DuckDBEngine, forecast: ir.Table, contracts: ir.Table) -> ir.Table:
    """customer_id (key), currency, yearly_minor: of a customer with contracts in several currencies that in which the
    most minor units are billed.

    `forecast`: contract_id (key), currency and legacy_minor, the bills of twelve periods. `contracts`: contract_id,
    customer and months (length of a period).
    """
    known = forecast.join(contracts.select("contract_id", "customer", "months"), "contract_id")
    told = known.filter(known["currency"].notnull() & (known["months"] > 0)).mutate(year=_.legacy_minor // _.months)
    each = told.group_by("customer", "currency").aggregate(minor=told["year"].sum().cast("int64"))
    most = each.group_by("customer").aggregate(
        currency=each["currency"].argmax(each["minor"]), minor=each["minor"].max()
    )
    return engine.cached(most.select(customer_id="customer", currency="currency", yearly_minor="minor"))
