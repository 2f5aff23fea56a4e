"""The target's next invoices of all subscriptions at once: what `domain.target.invoices` says of one, at scale.

Belongs here: the order of the steps. What each step does is in the modules beside it. Nothing here knows the old
system, its rules or its bills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.stages.shadow.reasons import NO_TAX_RATE
from migration_assets.stages.shadow.runs import Bills
from migration_assets.stages.shadow.target.cycles import Billed, billed_cycles
from migration_assets.stages.shadow.target.facts import Facts, charge_marks, extra_marks, priced_facts
from migration_assets.stages.shadow.target.lines import invoice_lines
from migration_assets.stages.shadow.target.rounding import taxed
from migration_assets.stages.shadow.target.rows import MONTHS, TargetRows, incomplete
from migration_assets.stages.shadow.target.runs import MOST_CYCLES, run_id, runs
from migration_assets.stages.shadow.target.scales import Scale, common_step, distinct_values, narrow_or_wide, places

if TYPE_CHECKING:
    from datetime import datetime

    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

Exponents = Callable[[str], int]


def target_bills(
    engine: DuckDBEngine, held: TargetRows, rules: Rules, as_of: datetime, exponents: Exponents, cycles: int = 12
) -> Bills:
    """Invoices of the first `cycles` billing cycles that start at or after T, as runs of equal ones.

    `exponents`: decimal places of a currency. MoneyError for one that it does not know; an amount whose exact fraction
    does not fit 38 digits is an error of the engine. `unbillable` says `no_tax_rate`, or what `incomplete` says.
    """
    if not 1 <= cycles <= MOST_CYCLES:
        raise ValueError(f"between 1 and {MOST_CYCLES} cycles can be told ahead")
    with engine.passing() as lasting:
        lost = engine.cached(incomplete(held, as_of))
        scale, subs, billed = _billed(engine, held, lost, rules, as_of, exponents, cycles)
        bills = narrow_or_wide(scale, lambda numbers: _bills(engine, held, subs, billed, numbers, rules))
        bills = replace(bills, unbillable=engine.cached(lost.union(bills.unbillable)))
        lasting += [bills.schedules, bills.runs, bills.lines, bills.unbillable]
    return bills


def _billed(
    engine: DuckDBEngine,
    held: TargetRows,
    lost: ir.Table,
    rules: Rules,
    as_of: datetime,
    exponents: Exponents,
    cycles: int,
) -> tuple[Scale, ir.Table, Billed]:
    """Subscriptions that are billed, with what is asked of them later, and their cycles."""
    with engine.passing() as lasting:
        scale, subs = _scaled(engine, held, rules, _subscriptions(engine, held, lost), exponents)
        billed = billed_cycles(engine, subs, rules, as_of, cycles)
        known = subs.drop("stop_at", "paused_at", "resumes_at", "anchor_at").join(billed.subscriptions, "n")
        subs, stretches = engine.cached(known), engine.cached(billed.stretches)
        lasting += [scale.prices, subs, stretches, billed.cycles]
    return scale, subs, Billed(subs, stretches, billed.cycles)


def _bills(engine: DuckDBEngine, held: TargetRows, subs: ir.Table, billed: Billed, scale: Scale, rules: Rules) -> Bills:
    with engine.passing() as lasting:
        facts = priced_facts(engine, held, subs, billed, scale, rules)
        run = _runs(engine, facts, subs, billed, held.tax_rate)
        charged = _charged(engine, run, subs, held.tax_rate, scale)
        untaxed = engine.cached(charged.filter(_.tax_total.isnull()).select("n").distinct())
        run = run.anti_join(untaxed, "n")
        ids = subs.select("n", "subscription_id", "currency")
        bills = Bills(
            schedules=engine.cached(_schedules(run, billed)),
            runs=engine.cached(
                ids.join(run, "n").select("subscription_id", "currency", "schedule_id", "from_cycle", "until_cycle")
            ),
            lines=invoice_lines(engine, facts, run, charged, ids, scale, rules),
            unbillable=engine.cached(
                subs.join(untaxed, "n").select("subscription_id", reason=ibis.literal(NO_TAX_RATE))
            ),
        )
        lasting += [bills.schedules, bills.runs, bills.lines, bills.unbillable]
    return bills


def _subscriptions(engine: DuckDBEngine, held: TargetRows, lost: ir.Table) -> ir.Table:
    """Subscriptions that can be billed, with a number `n` to join by and `stop_at`, from when on no cycle starts."""
    sub = held.subscription.anti_join(lost, "subscription_id")
    cancels = held.scheduled_change.filter(_.kind == "cancel").group_by("subscription_id")
    sub = sub.left_join(cancels.aggregate(canceled_at=_.effective_at.min()), "subscription_id")
    period_end = sub.cancel_at_period_end.fill_null(False).ifelse(sub.current_period_ends_at, None)
    return sub.select(
        "subscription_id",
        "currency",
        "time_zone",
        "anchor_at",
        "paused_at",
        "resumes_at",
        n=ibis.row_number().over(),
        months=sub.interval.cases(*MONTHS.items()).cast("int64"),
        stop_at=ibis.least(sub.ends_at, sub.canceled_at, period_end),
        country=sub.service_country,
        tax_inclusive=sub.tax_inclusive.fill_null(False),
        tax_exempt=sub.tax_exempt.fill_null(False),
    )


def _scaled(
    engine: DuckDBEngine, held: TargetRows, rules: Rules, subs: ir.Table, exponents: Exponents
) -> tuple[Scale, ir.Table]:
    """The scale of everything that is priced, and subscriptions with `minor`: price units in one minor unit."""
    codes = engine.arrow(held.subscription.select("currency").distinct())["currency"].to_pylist()
    known = {code: exponents(code) for code in sorted(codes)}
    item, plan, change, step = held.subscription_item, held.plan_price, held.scheduled_change, held.price_step
    written = (item.unit_price, plan.unit_price, change.new_unit_price, step.unit_price, step.fee)
    prices = distinct_values(engine, *written)
    off = distinct_values(engine, held.discount.percent)
    percent = max(places(engine, 0, off), places(engine, 0, distinct_values(engine, change.percent)))
    scale = Scale(
        price=places(engine, max(rules.price_decimals, *known.values(), 0), prices),
        percent=percent,
        tax=places(engine, 0, distinct_values(engine, held.tax_rate.percent)),
        units=places(engine, 0, distinct_values(engine, held.metered.used, held.metered.included)),
        discounts=common_step(engine, percent, off),
        prices=prices,
    )
    minor = [10 ** (scale.price - exponent) for exponent in known.values()]
    table = pa.table({"currency": pa.array(known, pa.string()), "minor": pa.array(minor, pa.int64())})
    return scale, engine.cached(subs.join(engine.table(table), "currency"))


def _runs(engine: DuckDBEngine, facts: Facts, subs: ir.Table, billed: Billed, rates: ir.Table) -> ir.Table:
    """Runs with their place in the calendar: run_id (key), n, from_ordinal, charged_id (the run in which its recurring
    charges began), schedule_id, from_cycle, until_cycle, day (on which the first cycle starts)."""
    charges = charge_marks(engine, facts, subs, billed, rates)
    cut = runs(engine, subs.select("n", "size"), charges, extra_marks(facts))
    stretch = billed.stretches.rename(_until="until")
    held = cut.join(
        stretch, [cut.n == stretch.n, stretch.ordinal <= cut.from_ordinal, cut.from_ordinal < stretch["_until"]]
    )
    held = held.mutate(position=held.from_ordinal - held.ordinal)
    found = held.join(billed.cycles, ["schedule_id", "position"])
    return engine.cached(
        found.select(
            "n",
            "from_ordinal",
            "schedule_id",
            "day",
            run_id=run_id(found.n, found.from_ordinal),
            charged_id=run_id(found.n, found.charged_from),
            from_cycle="cycle",
            until_cycle=found.cycle + found.until_ordinal - found.from_ordinal,
        )
    )


def _charged(engine: DuckDBEngine, run: ir.Table, subs: ir.Table, rates: ir.Table, scale: Scale) -> ir.Table:
    """Runs in which recurring charges or their tax begin to be what they are, with that tax."""
    first = run.filter(run.run_id == run.charged_id).select("run_id", "n", "from_ordinal", "day")
    known = first.join(subs.select("n", "country", "tax_exempt", "tax_inclusive", "minor"), "n")
    return engine.cached(taxed(known, rates, scale).drop("country", "day", "tax_exempt", "country_right", "day_right"))


def _schedules(run: ir.Table, billed: Billed) -> ir.Table:
    used = run.group_by("schedule_id").aggregate(first=_.from_cycle.min(), end=_.until_cycle.max())
    found = billed.cycles.join(used, "schedule_id").filter((_.first <= _.cycle) & (_.cycle < _.end))
    return found.select("schedule_id", "cycle", "starts_at", "ends_at")
