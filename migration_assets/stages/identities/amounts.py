"""What customer rows pay: their contracts' year and their invoices, by currency. For the rows that are asked about."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.calendar import add_months
from migration_assets.domain.stakes import NO_INVOICE, PER_YEAR, RUNNING, Amounts
from migration_assets.stages.identities.theirs import rows_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.stages.feeds import Mapping as Feeds

# Customer row -> currency -> minor units.
ByCustomer = Mapping[str, Amounts]


def recurring_year(feeds: Feeds, asked: ir.Table) -> dict[str, dict[str, int]]:
    """What the contracts that bill (domain.stakes) come to in a year, by customer row and currency; usage and items
    without a recurring amount count nothing, and items that are over or have not begun neither."""
    subscriptions, items = rows_of(feeds, "subscription", asked), rows_of(feeds, "subscription_item", asked)
    if subscriptions is None or items is None:
        return {}
    billing = subscriptions.filter(subscriptions["status"].isin(RUNNING)).select("subscription_id", "interval")
    at = ibis.literal(feeds.as_of)
    running = items.filter(
        (items["starts_at"].isnull() | (items["starts_at"] <= at))
        & (items["ends_at"].isnull() | (items["ends_at"] > at))
    )
    sold = running.inner_join(billing, "subscription_id")
    times = ibis.cases(*((sold["interval"] == i, n) for i, n in PER_YEAR.items()), else_=0)
    return _summed(feeds, sold.select("owned_by", "currency", minor=sold["recurring_minor"] * times))


def invoiced_year(feeds: Feeds, asked: ir.Table) -> dict[str, dict[str, int]]:
    """Totals of the invoices of the twelve months up to T, by customer row and currency."""
    invoices = rows_of(feeds, "invoice", asked)
    if invoices is None:
        return {}
    until = feeds.as_of.date()
    recent = invoices.filter(
        ~invoices["status"].isin(NO_INVOICE)
        & (invoices["issued_on"] > ibis.literal(add_months(until, -12)))
        & (invoices["issued_on"] <= ibis.literal(until))
    )
    return _summed(feeds, recent.select("owned_by", "currency", minor=recent["total_minor"]))


def rates_to(feeds: Feeds, currency: str) -> dict[str, Decimal]:
    """Currency -> units of `currency` that one of it is, by the latest rate up to T; the other way round where there is
    none in this direction."""
    rows = feeds.entity("exchange_rate").rows
    known = rows.filter((rows["rate_date"] <= ibis.literal(feeds.as_of.date())) & (rows["rate"] > 0))
    there: dict[str, Decimal] = {}
    back: dict[str, Decimal] = {}
    # The last one counts.
    for r in feeds.engine.arrow(known.order_by(["rate_date", "exchange_rate_id"])).to_pylist():
        if r["quote_currency"] == currency:
            there[r["base_currency"]] = r["rate"]
        elif r["base_currency"] == currency:
            back[r["quote_currency"]] = 1 / r["rate"]
    return {**back, **there, currency: Decimal(1)}


def _summed(feeds: Feeds, rows: ir.Table) -> dict[str, dict[str, int]]:
    by = rows.group_by(["owned_by", "currency"]).aggregate(minor=rows["minor"].sum())
    whole = by.filter(by["minor"].notnull() & by["currency"].notnull()).mutate(minor=by["minor"].cast("string"))
    found: dict[str, dict[str, int]] = {}
    for customer, currency, minor in _columns(feeds.engine.arrow(whole)):
        found.setdefault(customer, {})[currency] = int(minor)
    return found


def _columns(table: pa.Table) -> list[tuple[str, str, str]]:
    return list(zip(*(table[c].to_pylist() for c in ("owned_by", "currency", "minor")), strict=True))
