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
    told = _a_year(forecast, contracts.select("contract_id", "customer", "months"))
    each = told.group_by("customer", "currency").aggregate(minor=told["year"].sum().cast("int64"))
    most = each.group_by("customer").aggregate(
        currency=each["currency"].argmax(each["minor"]), minor=each["minor"].max()
    )
    return engine.cached(most.select(customer_id="customer", currency="currency", yearly_minor="minor"))


def yearly_of_contracts(engine: DuckDBEngine, forecast: ir.Table, contracts: ir.Table) -> ir.Table:
    """contract_id (key), currency, yearly_minor of each contract. Arguments as above."""
    told = _a_year(forecast, contracts.select("contract_id", "months"))
    return engine.cached(
        told.group_by("contract_id").aggregate(currency=_.currency.min(), yearly_minor=_.year.sum().cast("int64"))
    )


def _a_year(forecast: ir.Table, contracts: ir.Table) -> ir.Table:
    known = forecast.join(contracts, "contract_id")
    return known.filter(known["currency"].notnull() & (known["months"] > 0)).mutate(year=_.legacy_minor // _.months)
