"""The ledger as the target's rows say it: those that it would hold, or holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.domain.target.terms import Rules
from migration_assets.stages.shadow.balances.ledger import Ledger, ledger_of
from migration_assets.stages.shadow.target.holding import canonical, packed, steps_of
from migration_assets.stages.shadow.target.rows import MONTHS, PLAIN_MODELS, STEPPED_MODELS
from migration_assets.stages.shadow.target.scales import of_prices
from migration_assets.stages.shadow.target.steps import SteppedPrices

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What a ledger is made from.
READ = (
    "invoice", "invoice_line", "payment", "payment_application", "refund", "dispute", "write_off", "credit_memo",
    "credit_balance", "revenue_schedule", "subscription", "subscription_item", "price", "price_tier",
    "discount",
)  # fmt: skip
_NO_INVOICE = ("draft", "void")
_CAME_IN = ("settled", "refunded", "charged_back")
_RECURRING = ("active", "past_due", "paused")
_A_YEAR = (("month", 12), ("quarter", 4), ("year", 1))
_SCALE = 10**10
_MOST_UNITS, _MOST_PRICE = 10**7, 10**9


def new_ledger(
    engine: DuckDBEngine, rows: Mapping[str, ir.Table], units: Callable[[ir.Table], ir.Table], as_of: datetime
) -> Ledger:
    """`rows`: canonical rows by entity; legal entities by canonical key. `units`: minor units in a major one, by
    currency, of rows that have one."""
    own = {e: canonical(engine, e, rows.get(e)) for e in READ}
    memos = own["credit_memo"].filter(_.status != "void")
    left = memos.mutate(amount_minor=_.amount_minor - _.applied_minor.fill_null(0))
    payments = own["payment"]
    lines = own["invoice_line"].select("invoice_line_id", "invoice_id")
    deferred = own["revenue_schedule"].filter(~_.recognized.fill_null(False)).join(lines, "invoice_line_id")
    key = ("payment_id", "currency", "amount_minor")
    refunds, disputes = own["refund"].filter(_.status == "settled"), own["dispute"].filter(_.status == "lost")
    invoices = own["invoice"].filter(_.status.isnull() | _.status.notin(_NO_INVOICE))
    return ledger_of(
        engine,
        {
            "invoices": invoices.mutate(legal_entity=_source_id(invoices["legal_entity_id"])),
            "payments": payments.filter(_.status.isin(_CAME_IN)),
            "applications": own["payment_application"].anti_join(
                payments.filter(_.status.notin(_CAME_IN)), "payment_id"
            ),
            "given_back": refunds.select(key).union(disputes.select(key)),
            "credited": memos.filter(_.invoice_id.notnull()).mutate(amount_minor=_.applied_minor.fill_null(0)),
            "written_off": own["write_off"],
            "memos": left,
            "credits": own["credit_balance"].mutate(amount_minor=_.balance_minor),
            "deferred": deferred,
            "recurring": _recurring(engine, own, units, as_of),
            "discounts": _standing(own["discount"], as_of),
        },
    )


def _source_id(key: ir.StringValue) -> ir.StringValue:
    """The key that a row has in the old system, out of its canonical one."""
    return key.re_replace(r"^[^:]*:", "")


def _recurring(
    engine: DuckDBEngine, rows: Mapping[str, ir.Table], units: Callable[[ir.Table], ir.Table], as_of: datetime
) -> ir.Table:
    """What subscriptions that run at T bill in a year for what recurs, before discounts."""
    at = ibis.literal(as_of).cast("timestamp('UTC', 6)")
    running = rows["subscription"].filter(_.status.isin(_RECURRING) & _runs(_, at))
    own = running.select("subscription_id", "customer_id", "legal_entity_id", "interval", "currency")
    own = own.join(units(own), "currency")
    items = rows["subscription_item"].filter((_.kind != "usage") & _runs(_, at))
    met = _full_prices(engine, items, rows).join(own, "subscription_id")
    period = engine.whole(met["total"] * met["unit"], ibis.literal(_SCALE), "half_up")
    return met.mutate(
        amount_minor=period * met["interval"].cases(*_A_YEAR),
        legal_entity=_source_id(met["legal_entity_id"]),
        contract_id=met["subscription_id"],
        months=met["interval"].cases(*MONTHS.items()),
    )


def _standing(discounts: ir.Table, as_of: datetime) -> ir.Table:
    """Discounts that have begun by T and have a cycle left: contract_id, percent (none of an amount), amount_minor."""
    at = ibis.literal(as_of).cast("timestamp('UTC', 6)")
    left = discounts["cycles_remaining"].isnull() | (discounts["cycles_remaining"] > 0)
    held = discounts.filter(left & (discounts["starts_at"] <= at))
    by_percent = (held["kind"] == "percent").ifelse(held["percent"].cast("decimal(38, 10)"), None)
    return held.select(
        contract_id="subscription_id", percent=by_percent, amount_minor=held["amount_minor"].fill_null(0)
    )


def _full_prices(engine: DuckDBEngine, items: ir.Table, rows: Mapping[str, ir.Table]) -> ir.Table:
    """Items with what all of it costs for a period: subscription_id, total (of 10**-10 major units)."""
    plain = items.filter(_.price_model.isin(PLAIN_MODELS))
    price = (_within(plain["unit_price"], _MOST_PRICE) * _SCALE).cast("decimal(38, 0)")
    total = (price * _within(plain["quantity"], _MOST_UNITS)).cast("decimal(38, 0)")
    by_unit = plain.select("subscription_id", total=total)
    stepped = items.filter(_.price_model.isin(STEPPED_MODELS))
    if not engine.count(stepped.limit(1)):
        return by_unit
    steps = steps_of(rows["price_tier"])
    few = stepped.filter(_within(_.quantity, _MOST_UNITS).notnull()).select(n="subscription_id")
    prices = SteppedPrices(engine, packed(stepped, rows["price"]), steps, few, of_prices(steps), Rules())
    known = prices.full_prices(prices.items)
    return by_unit.union(stepped.join(known, "item_id").select("subscription_id", total="price"))


def _runs(rows: ir.Table, at: ir.Value) -> ir.BooleanValue:
    return (rows.starts_at.isnull() | (rows.starts_at <= at)) & (rows.ends_at.isnull() | (rows.ends_at > at))


def _within(value: ir.Value, most: int) -> ir.Value:
    return value.between(-most, most).ifelse(value, ibis.null(value.type()))
