"""The period of each contract that contains T, by the old rules: the fast twin of `domain.legacy.periods.running`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.calendar import add_months, cycles_begun

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

_OVER, _TRIAL = "over", "trial"


def running(engine: DuckDBEngine, contracts: ir.Table, rules: Rules) -> ir.Table:
    """Contracts with `period_first` and `period_until`, local days, both null where no period is told.

    `contracts`: status, months, anchor, first_day, last_day, paused_on, resumes_on and `today`, the local day of T.
    """
    told = _calendar(contracts)
    if rules.pause == "extends":
        told = _held_up(engine.cached(told))
    first, until = told["period_first"], told["period_until"]
    runs = (told["first_day"] <= told["today"]) & (told["status"] != _OVER) & (until > told["today"])
    # A trial that is over without a contract that is paid for, and a contract that ends within the period.
    in_doubt = (told["status"] == _TRIAL) & (told["anchor"] <= told["today"])
    cut_off = told["last_day"].notnull() & ((told["last_day"] + ibis.interval(days=1)).cast("date") < until)
    known = (runs & ~in_doubt & ~cut_off).fill_null(False)
    none = ibis.null("date")
    return told.mutate(period_first=known.ifelse(first, none), period_until=known.ifelse(until, none))


def _calendar(contracts: ir.Table) -> ir.Table:
    """Periods as the anchor has them; before it, from the contract's first day."""
    first, until = _containing(contracts["anchor"], contracts["months"], contracts["today"])
    early = contracts["today"] < contracts["anchor"]
    return contracts.mutate(
        period_first=early.ifelse(contracts["first_day"], first), period_until=early.ifelse(contracts["anchor"], until)
    )


def _held_up(told: ir.Table) -> ir.Table:
    """After a pause has begun: the period that it holds up, as it was printed while the pause lasts, then until its
    days are used up; after that, periods are counted from there. A pause that ends before it begins holds up what
    nobody can tell."""
    first, until = _containing(told["anchor"], told["months"], told["paused_on"])
    held = (told["paused_on"] >= told["anchor"]) & (told["paused_on"] <= told["today"])
    left = until.delta(told["paused_on"], unit="day").cast("int64")
    moved = (told["resumes_on"] + left.as_interval("D")).cast("date")
    known = told.mutate(held_first=first, held_until=until, held=held.fill_null(False), moved=moved)
    first, until = _containing(known["moved"], known["months"], known["today"])
    back = (known["resumes_on"] <= known["today"]).fill_null(False)
    inverted = (known["resumes_on"] < known["paused_on"]).fill_null(False)
    after = back & (known["moved"] <= known["today"])
    now_first = after.ifelse(first, known["held_first"])
    now_until = ibis.cases(
        (inverted, ibis.null("date")), (after, until), (back, known["moved"]), else_=known["held_until"]
    )
    return known.mutate(
        period_first=known["held"].ifelse(now_first, known["period_first"]),
        period_until=known["held"].ifelse(now_until, known["period_until"]),
    ).drop("held_first", "held_until", "held", "moved")


def _containing(anchor: ir.Value, months: ir.IntegerValue, day: ir.Value) -> tuple[ir.DateValue, ir.DateValue]:
    """First day of the period that a day is in, and the first one after it; counted from the anchor."""
    begun = cycles_begun(anchor, months, day)
    return add_months(anchor, (begun - 1) * months), add_months(anchor, begun * months)
