"""The next bills of whole cohorts by the old system's rules, made in the engine: the fast twin of `domain.legacy`.

It shares no code with the readable rules and is tested against them row for row. Most cycles of a contract are billed
alike, so that lines are made once for a run of equal cycles and not for each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.legacy.terms import Rules
from migration_assets.stages.shadow.legacy import cycles as cycling
from migration_assets.stages.shadow.legacy.arrears import CHARGE, most_charged, prorated, spanned, used
from migration_assets.stages.shadow.legacy.contracts import Records, contracts_to_bill
from migration_assets.stages.shadow.legacy.discounts import DISCOUNT, granted, taken_off, uneven
from migration_assets.stages.shadow.legacy.lines import NO_INSTANT, RUN, Rounded, of_runs
from migration_assets.stages.shadow.legacy.prices import Priced, priced
from migration_assets.stages.shadow.legacy.scales import Scale, most
from migration_assets.stages.shadow.legacy.tax import tax_rates, taxed
from migration_assets.stages.shadow.reasons import INVERTED_DAYS, NO_TAX_RATE
from migration_assets.stages.shadow.runs import Bills

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


def legacy_bills(
    engine: DuckDBEngine,
    records: Records,
    rules: Rules,
    as_of: datetime,
    exponents: Callable[[str], int],
    cycles: int = 12,
    metered: ir.Table | None = None,
) -> Bills:
    """The first `cycles` bills from `as_of` on of every contract that is not over.

    `records` as `read_records` gives them. `metered`: what was used of items in periods that are not billed yet;
    contract_id, item_id, period_first_day (together its key), used, included (null: unlimited), overage.
    Contracts with something that is not known are in `unbillable`, once each: `unreadable`, `unknown_zone`,
    `unknown_currency`; and where they would have a cycle: `no_price`, `price_model`, `no_tax_rate`, `inverted_days`.
    """
    contracts, unknown = contracts_to_bill(engine, records, as_of, exponents)
    segments = cycling.segments(engine, contracts, rules, cycles)
    prices = priced(engine, records, contracts, rules)
    rates, tax_places = tax_rates(engine, records)
    grants, percents = granted(engine, records, segments)
    usage, usage_places = used(engine, metered, prices, segments)
    extras = spanned(engine, [prorated(engine, prices, segments, rules), *usage])
    windows, blocked = _billable(engine, segments, prices.unpriced, rates, extras, uneven(grants))
    events = _events(engine, prices, rates, grants, extras, windows, as_of)
    runs = _numbered(engine, taxed_runs(cycling.runs(engine, windows, events), rates))
    factors = (10**usage_places, 100 * 10**percents.places)
    largest = prices.largest * most(engine, segments, "unit")
    largest_line = max(largest, *(most_charged(engine, extras, factor) for factor in (1, 10**usage_places)))
    rounded = Rounded(engine, rules, prices.places, tax_places, factors, largest, largest_line)
    return Bills(
        schedules=cycling.calendared(engine, windows),
        runs=runs.select("subscription_id", "currency", "schedule_id", "from_cycle", "until_cycle"),
        lines=engine.cached(_lines(rounded, runs, prices.states, extras, grants, percents)),
        unbillable=engine.cached(engine.union([unknown, blocked]).rename(subscription_id="contract_id")),
    )


def _billable(
    engine: DuckDBEngine, segments: ir.Table, unpriced: ir.Table, rates: ir.Table, extras: ir.Table, uneven: ir.Table
) -> tuple[ir.Table, ir.Table]:
    """Windows of contracts of which all is known, with schedule_id, and contracts with a cycle of which it is not:
    contract_id, reason. Both kept in the engine.

    Rates hold from a day on, so that where the first cycle has one all have.
    """
    windows = cycling.windows(segments)
    dated = taxed(windows, rates, cycling.day_of(windows, windows["from_cycle"]))
    untaxed = dated.filter(dated["percent"].isnull()).select("contract_id", reason=ibis.literal(NO_TAX_RATE))
    inverted = extras.filter(extras["ends_at"] < extras["starts_at"]).join(windows, "contract_id")
    inverted = inverted.filter(inverted["cycle"].between(inverted["from_cycle"], inverted["until_cycle"] - 1))
    inverted = inverted.select("contract_id", reason=ibis.literal(INVERTED_DAYS))
    unsaid = engine.union([unpriced, uneven]).semi_join(windows, "contract_id")
    found = engine.union([unsaid, untaxed, inverted])
    blocked = engine.cached(found.group_by("contract_id").aggregate(reason=found["reason"].min()))
    free = windows.anti_join(blocked, "contract_id")
    return engine.cached(cycling.scheduled(engine, free)), blocked


def _events(
    engine: DuckDBEngine,
    prices: Priced,
    rates: ir.Table,
    grants: ir.Table,
    extras: ir.Table,
    windows: ir.Table,
    as_of: datetime,
) -> ir.Table:
    """Cycles that are, or may be, billed unlike the one before: contract_id, part, cycle."""
    # A day's change acts in a later cycle than the first one only after T, wherever the contract is.
    since = ibis.literal((as_of - timedelta(days=2)).date())
    dated = prices.dated
    comes = dated.filter(dated["first_day"] > since).select("contract_id", day="first_day")
    leaves = dated.filter(dated["last_day"] > since).select("contract_id", day="last_day")
    leaves = leaves.mutate(day=(leaves["day"] + ibis.interval(days=1)).cast("date"))
    raised = rates.filter(rates["valid_from"] > since).select("country", day="valid_from")
    taxes = windows.filter(~windows["tax_exempt"]).select("contract_id", "country").distinct().join(raised, "country")
    days = engine.union([comes, leaves, prices.changes, taxes.select("contract_id", "day")])
    alone = extras.select("contract_id", "cycle")
    after = alone.mutate(cycle=alone["cycle"] + 1)
    ends = [grants.select("contract_id", cycle="from_grant"), grants.select("contract_id", cycle="until_grant")]
    return engine.union(
        [cycling.on_days(days, windows), cycling.at_cycles(engine.union([alone, after, *ends]), windows)]
    )


def taxed_runs(runs: ir.Table, rates: ir.Table) -> ir.Table:
    """Runs with their first day and the percentage of tax on it."""
    dated = runs.mutate(first_day=cycling.day_of(runs, runs["from_cycle"]))
    return taxed(dated, rates, dated["first_day"])


def _numbered(engine: DuckDBEngine, runs: ir.Table) -> ir.Table:
    told = runs.select(
        "part",
        "currency",
        "unit",
        "schedule_id",
        "from_cycle",
        "until_cycle",
        "first_day",
        "percent",
        "tax_inclusive",
        subscription_id="contract_id",
        run_id=ibis.row_number(),
    )
    return engine.cached(told)


def _lines(
    rounded: Rounded, runs: ir.Table, states: ir.Table, extras: ir.Table, grants: ir.Table, percents: Scale
) -> ir.Table:
    recurring = rounded.recurring(runs, states)
    engine = rounded.engine
    off = taken_off(engine, grants, _bases(rounded, runs, states, grants), rounded.places, percents)
    discounts = off.mutate(
        rank=ibis.literal(DISCOUNT, "int64"),
        sorted_by=off["discount_id"],
        starts_at=NO_INSTANT,
        ends_at=NO_INSTANT,
        share=ibis.literal(1, "int64"),
    )
    return rounded.lines([recurring, of_runs(runs, extras), discounts.select(*RUN, *CHARGE)])


def _bases(rounded: Rounded, runs: ir.Table, states: ir.Table, grants: ir.Table) -> ir.Table:
    """What recurs in runs of contracts with a discount; kept in the engine."""
    engine = rounded.engine
    discounted = engine.cached(runs.semi_join(grants, [runs["subscription_id"] == grants["contract_id"]]))
    theirs = engine.cached(states.semi_join(grants, "contract_id"))
    bases = discounted.join(rounded.bases(rounded.recurring(discounted, theirs)), "run_id")
    return engine.cached(bases.select(*RUN, "part", "base", contract_id="subscription_id"))
