"""Bills of many subscriptions as runs of equal cycles: the tables both sides answer in, and their cycles one by one.

Belongs here: the form that is compared. Not here: any rule about what is billed, when or how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class Bills:
    """What one side bills, kept in the engine. Instants are UTC, amounts whole minor units.

    `schedules`: schedule_id, cycle, starts_at, ends_at; key: the first two; cycles that somebody is billed for.
    `runs`: subscription_id, currency, schedule_id, from_cycle, until_cycle (exclusive); they tile the billed cycles.
    `lines`: subscription_id, from_cycle (of their run), kind, item_id, position (from 0), starts_at, ends_at (absent
    where a line covers its cycle), amount_minor, tax_minor.
    `unbillable`: subscription_id, reason; such a subscription has no run from where it cannot be billed.
    """

    schedules: ir.Table
    runs: ir.Table
    lines: ir.Table
    unbillable: ir.Table


def tables_of(bills: Bills) -> tuple[ir.Table, ...]:
    """The four tables, in the order of their names above."""
    return bills.schedules, bills.runs, bills.lines, bills.unbillable


def totals(bills: Bills) -> ir.Table:
    """subscription_id (key), currency, bills (how many), minor (what they come to with tax)."""
    key = ["subscription_id", "from_cycle"]
    lines = bills.lines.group_by(key).aggregate(one=(_.amount_minor + _.tax_minor).sum().cast("int64"))
    runs = bills.runs.left_join(lines, key)
    times = runs["until_cycle"] - runs["from_cycle"]
    told = runs.select("subscription_id", "currency", times=times, all=runs["one"].fill_null(0) * times)
    return told.group_by("subscription_id").aggregate(
        currency=_.currency.min(), bills=_.times.sum(), minor=_["all"].sum().cast("int64")
    )


def first_bills(bills: Bills) -> ir.Table:
    """subscription_id (key), starts_at and currency of the first cycle that each is billed for."""
    first = bills.runs.group_by("subscription_id").aggregate(
        cycle=_.from_cycle.min(), schedule_id=_.schedule_id.argmin(_.from_cycle), currency=_.currency.min()
    )
    return first.join(bills.schedules, ["schedule_id", "cycle"]).select("subscription_id", "starts_at", "currency")


def expanded(schedules: ir.Table, runs: ir.Table, lines: ir.Table) -> ir.Table:
    """One row for each subscription, cycle and line: with `cycle`, the cycle's `cycle_starts_at` and `cycle_ends_at`,
    and what the line covers always told."""
    cycles = runs.join(schedules.rename(cycle_starts_at="starts_at", cycle_ends_at="ends_at"), "schedule_id")
    billed = cycles.filter((cycles.from_cycle <= cycles.cycle) & (cycles.cycle < cycles.until_cycle))
    told = billed.join(lines, ["subscription_id", "from_cycle"])
    return told.select(
        "subscription_id",
        "currency",
        "cycle",
        "cycle_starts_at",
        "cycle_ends_at",
        "position",
        "kind",
        "item_id",
        starts_at=told.starts_at.fill_null(told.cycle_starts_at),
        ends_at=told.ends_at.fill_null(told.cycle_ends_at),
        amount_minor=told.amount_minor,
        tax_minor=told.tax_minor,
    )


def bill_by_bill(bills: Bills) -> ir.Table:
    """subscription_id, cycle (key: both), starts_at, currency and total_minor, what the bill comes to with tax."""
    own = ("subscription_id", "from_cycle")
    sums = bills.lines.group_by(own).aggregate(one=(bills.lines.amount_minor + bills.lines.tax_minor).sum())
    cycles = bills.runs.join(bills.schedules, "schedule_id")
    billed = cycles.filter((cycles.from_cycle <= cycles.cycle) & (cycles.cycle < cycles.until_cycle))
    told = billed.left_join(sums, own)
    total = told.one.fill_null(0).cast("int64")
    return told.select("subscription_id", "cycle", "starts_at", "currency", total_minor=total)
