"""Discounts of the old system by cycle, of whole cohorts. Not here: lines other than discounts, tax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy import cycles as cycles
from migration_assets.stages.shadow.legacy.contracts import Records, readable, record
from migration_assets.stages.shadow.legacy.scales import WIDE, Scale, exactly, integer, most, scale_of
from migration_assets.stages.shadow.reasons import UNREADABLE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

DISCOUNT = 3
_NEVER = 1_000_000


def granted(engine: DuckDBEngine, records: Records, segments: ir.Table) -> tuple[ir.Table, Scale]:
    """From which cycle to which each discount is granted, and the scale of its percentage. Kept in the engine.

    discount_id, contract_id, part, from_grant, until_grant (exclusive), off (percent, whole, of 10**-places; null for
    an amount), amount (minor units, exact).
    """
    discounts = readable(record(engine, records, "discounts"))
    scale = scale_of(engine, [discounts["percent"]])
    met = discounts.rename(since="first_day").join(segments, "contract_id")
    met = met.mutate(from_grant=cycles.first_reached(met, met["since"]).cast("int64"))
    met = engine.cached(
        met.select(
            *("discount_id", "contract_id", "part", "cycles", "hi", "from_grant"),
            off=scale.whole(met["percent"]),
            amount=(met["amount"].fill_null(0) * met["unit"]).cast("decimal(38, 10)"),
        )
    )
    told = met.left_join(_had(met), ["contract_id", "discount_id", "part"])
    until = told["from_grant"] + told["cycles"] - told["had"].fill_null(0)
    told = told.mutate(until_grant=until.coalesce(_NEVER).cast("int64"))
    return engine.cached(told.select(*_GRANT).filter(told["from_grant"] < told["until_grant"])), scale


_GRANT = ("discount_id", "contract_id", "part", "from_grant", "until_grant", "off", "amount")


def _had(met: ir.Table) -> ir.Table:
    """Cycles that had the discount before a pause, told to the segment after it."""
    before = met.filter(met["part"] == 0)
    had = ibis.greatest(before["hi"] - before["from_grant"], 0)
    return before.select("contract_id", "discount_id", part=before["part"] + 1, had=had)


def uneven(granted: ir.Table) -> ir.Table:
    """Contracts with a discount that is no whole number of minor units: contract_id, reason."""
    odd = granted.filter(granted["amount"].cast(WIDE) != granted["amount"])
    return odd.select("contract_id", reason=ibis.literal(UNREADABLE))


def taken_off(engine: DuckDBEngine, granted: ir.Table, bases: ir.Table, places: int, percents: Scale) -> ir.Table:
    """Discounts as charges of their runs. `bases`, kept in the engine: run_id, contract_id, part, from_cycle and base,
    what recurs in the run, in 10**-places minor units."""
    largest = (
        max(most(engine, bases, "base"), (most(engine, granted, "amount") + 1) * 10**places) * percents.largest_whole
    )
    kind = integer(largest)
    met = bases.join(granted, ["contract_id", "part"])
    met = met.filter((met["from_grant"] <= met["from_cycle"]) & (met["from_cycle"] < met["until_grant"]))
    base, is_percent = met["base"].cast(kind), met["off"].notnull()
    amount = (met["amount"] * exactly(10**places)).cast(kind)
    total = is_percent.ifelse(base * met["off"], ibis.least(amount, base))
    told = met.mutate(total=-total, factor=is_percent.ifelse(100 * 10**percents.places, 1).cast("int64"))
    return told.filter(told["total"] != 0)
