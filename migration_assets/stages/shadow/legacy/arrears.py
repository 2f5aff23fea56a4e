"""What stands on one invoice only, of whole cohorts: parts of the period before, and its usage.

Belongs here: proration and usage, not yet rounded. Not here: what recurs, discounts, tax.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.calendar import days_30e_360, midnights
from migration_assets.stages.shadow.legacy import cycles as cycles
from migration_assets.stages.shadow.legacy.scales import NARROW, WIDE, integer, most, scale_of

if TYPE_CHECKING:
    from datetime import date

    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.legacy.prices import Priced

# Charges: amount = total / (10**places of prices * factor * share), in minor units.
CHARGE = ("rank", "sorted_by", "starts_at", "ends_at", "total", "factor", "share")
PRORATION, USAGE = 1, 2
_COST = ("contract_id", "item_id", "day", "from_day", "until_day", "amount")
# No month has more days.
_MONTH = 31


def prorated(engine: DuckDBEngine, prices: Priced, segments: ir.Table, rules: Rules) -> ir.Table:
    """Parts owed for items that came within a billed period, on the invoice of the next one."""
    states = prices.states
    came = states.filter((states["kind"] != "usage") & states["first_day"].notnull())
    since = _watched_since(engine, segments)
    came = came.limit(0) if since is None else came.filter(came["first_day"] > since)
    met = _before(engine, came.drop("kind").join(segments, "contract_id"), "first_day")
    within = met.filter((met["begins"] < met["first_day"]) & _holds(met))
    gone = (within["last_day"] + ibis.interval(days=1)).cast("date")
    owed = within.mutate(until_on=ibis.least(gone, within["ends"]), starts_on=within["first_day"])
    share, whole = _share(owed, rules)
    largest = prices.largest * most(engine, segments, "unit") * most(engine, segments, "months") * _MONTH
    total = owed["price"].cast(integer(largest)) * owed["quantity"] * owed["unit"] * share
    return _charged(owed, PRORATION, total, 1, whole)


def used(
    engine: DuckDBEngine, metered: ir.Table | None, prices: Priced, segments: ir.Table
) -> tuple[list[ir.Table], int]:
    """Usage of a billed period, on the invoice of the next one, at the item's price; and the places of its units."""
    if metered is None:
        return [], 0
    counted = metered.mutate(units=_billable(metered)).filter(lambda t: t["units"] != 0)
    scale = scale_of(engine, [counted["units"]])
    states = prices.states
    priced = states.filter(states["kind"] == "usage").select("contract_id", "item_id", "price", "from_day", "until_day")
    counted = counted.select("contract_id", "item_id", "units", day="period_first_day")
    met = counted.join(priced, ["contract_id", "item_id"])
    largest = scale.largest_whole * prices.largest_price * most(engine, segments, "unit")
    amount = scale.whole(met["units"]).cast(integer(largest)) * met["price"]
    costs = [met.mutate(amount=amount).select(*_COST)]
    if prices.stepped_usage is not None:
        by_steps = engine.cached(prices.stepped_usage.costs(counted, scale))
        largest = max(largest, most(engine, by_steps, "amount") * most(engine, segments, "unit"))
        costs.append(by_steps)
    cost = engine.union([part.mutate(amount=part["amount"].cast(integer(largest))).select(*_COST) for part in costs])
    met = _before(engine, cost.join(segments, "contract_id"), "day")
    within = met.filter((met["begins"] == met["day"]) & _holds(met))
    within = within.mutate(starts_on=within["begins"], until_on=within["ends"])
    total = within["amount"] * within["unit"]
    return [_charged(within, USAGE, total, 10**scale.places, ibis.literal(1))], scale.places


def _charged(rows: ir.Table, rank: int, total: ir.Value, factor: int, share: ir.Value) -> ir.Table:
    return rows.select(
        *("contract_id", "cycle", "zone", "starts_on", "until_on"),
        rank=ibis.literal(rank, "int64"),
        sorted_by=rows["item_id"],
        total=total,
        factor=ibis.literal(factor, "int64"),
        share=share.cast("int64"),
    )


def _billable(metered: ir.Table) -> ir.Value:
    """Units past what is included (`bill`), or all of them once it is passed (`grace`); unlimited has no end."""
    beyond = metered["used"] > metered["included"]
    charged = ibis.cases(
        (metered["overage"] == "bill", metered["used"] - metered["included"]),
        (metered["overage"] == "grace", metered["used"]),
    )
    return beyond.ifelse(charged, ibis.null("decimal(38, 10)")).coalesce(ibis.literal(0)).cast("decimal(38, 10)")


def _watched_since(engine: DuckDBEngine, segments: ir.Table) -> date | None:
    """No item that came up to this day is still owed a part of its first period."""
    watched = segments.filter((segments["from_cycle"] < segments["until_cycle"]) | segments["next_lo"].notnull())
    begins = cycles.day_of(watched, ibis.least(watched["from_cycle"], watched["hi"]) - 1)
    since: date | None = engine.arrow(watched.aggregate(since=begins.min())).column(0)[0].as_py()
    return since


def _before(engine: DuckDBEngine, met: ir.Table, day: str) -> ir.Table:
    """With the billed period that a day is in (index, begins, ends) and the cycle whose invoice bills what was left of
    it, which there has to be."""
    # Kept at each step, or the engine works out the calendar again for every use of it.
    told = met.mutate(index=cycles.containing(met, met[day]).cast("int64"))
    told = engine.cached(told.drop("currency", "country", "tax_inclusive", "tax_exempt"))
    billed = told.mutate(cycle=cycles.following(told, told["index"]))
    billed = billed.filter((told["lo"] <= told["index"]) & (told["index"] < told["hi"]) & billed["cycle"].notnull())
    begins, ends = (cycles.day_of(billed, billed["index"] + n) for n in (0, 1))
    return engine.cached(
        billed.mutate(begins=begins, ends=ends).drop("anchor", "offset", "lo", "hi", "next_lo", "index")
    )


def _holds(met: ir.Table) -> ir.BooleanValue:
    """The price is that of the period."""
    return (met["from_day"] <= met["begins"]) & (met["begins"] < met["until_day"])


def _share(owed: ir.Table, rules: Rules) -> tuple[ir.Value, ir.Value]:
    if rules.proration == "30e_360":
        return days_30e_360(owed["starts_on"], owed["until_on"]), owed["months"] * 30
    days = owed["until_on"].delta(owed["starts_on"], unit="day")
    return days.cast("int64"), owed["ends"].delta(owed["begins"], unit="day").cast("int64")


def spanned(engine: DuckDBEngine, extras: Sequence[ir.Table]) -> ir.Table:
    """Charges with the instants that their days begin at; contract_id, cycle and the columns of a charge."""
    wide = any(part["total"].type().is_decimal() for part in extras)
    charges = [part.mutate(total=part["total"].cast(WIDE if wide else NARROW)) for part in extras]
    every = engine.cached(engine.union(charges))
    both = [every.select("zone", day="starts_on"), every.select("zone", day="until_on")]
    instants = midnights(engine, engine.union(both))
    told = every.join(instants.select("zone", starts_on="day", starts_at="instant"), ["zone", "starts_on"])
    told = told.join(instants.select("zone", until_on="day", ends_at="instant"), ["zone", "until_on"])
    return engine.cached(told.select("contract_id", "cycle", *CHARGE))


def most_charged(engine: DuckDBEngine, charges: ir.Table, factor: int) -> int:
    """The largest size of a total with a factor, once it is divided by it."""
    return most(engine, charges.filter(charges["factor"] == factor), "total") // factor + 1
