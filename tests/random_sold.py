"""Facts of random contracts, from a random generator: a plain one, or hypothesis's own, which shrinks.

They hold what a forecast of whole cohorts has to cope with: items that come and go, several discounts and changes,
pauses before, at and after T, ends, usage, tax that changes. Prices follow from quantity and unit price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile
from random import Random
from typing import Any, TypeVar

from told_twice import Agreed, Coupon, Part, Sold, Used, contract

from migration_assets.domain.calendar import add_months
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.legacy.periods import periods

T = date(2026, 6, 30)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Africa/Cairo", "America/Sao_Paulo")
TAX = (
    ("DE", date(2000, 1, 1), "19"),
    ("DE", date(2026, 9, 15), "7.7"),
    ("DE", date(2031, 1, 1), "20.125"),
    ("FR", date(2000, 1, 1), "5.5"),
    # A day on which many periods begin.
    ("FR", date(2026, 11, 30), "6"),
)
_Made = TypeVar("_Made")


def random_sold(rng: Random) -> Sold:
    """One contract, with usage in the last periods that began by T and the one after."""
    anchor = _near(rng, 1000, 120)
    months = rng.choice((1, 1, 3, 12))
    pause = _maybe(rng, 3, lambda: anchor + timedelta(days=rng.randint(-40, 1200)))
    resume = None if pause is None else _maybe(rng, 7, lambda: pause + timedelta(days=rng.randint(-20, 500)))
    facts = Sold(
        anchor=anchor,
        months=months,
        currency=rng.choice(("EUR", "EUR", "JPY", "KWD")),
        zone=rng.choice(ZONES),
        # Who never comes back from a pause before the start would be looked for until the calendar ends.
        last_day=_maybe(rng, 10 if pause and pause < anchor else 3, lambda: _near(rng, 30, 900)),
        parts=_parts(rng, anchor),
        coupons=tuple(_coupon(rng, anchor, months) for _ in range(rng.choice((0, 0, 1, 2)))),
        changes=tuple(_change(rng, anchor, months) for _ in range(rng.choice((0, 0, 1, 3)))),
        country=rng.choice(("DE", "FR")),
        tax=TAX,
        tax_inclusive=rng.randint(0, 1) == 1,
        tax_exempt=rng.randint(0, 9) == 9,
        paused_on=pause,
        resumes_on=resume,
    )
    return replace(facts, usage=_usage(rng, facts))


def _maybe(rng: Random, tenths: int, made: Callable[[], _Made]) -> _Made | None:
    return made() if rng.randint(0, 9) >= 10 - tenths else None


def _near(rng: Random, before: int, after: int) -> date:
    """A day near T; ends of months, where calendars part, more often than others."""
    day = T + timedelta(days=rng.randint(-before, after))
    return day.replace(day=1) - timedelta(days=1) if rng.randint(0, 3) == 3 else day


def _price(rng: Random) -> str:
    decimals = rng.choice(("", ".5", ".25", ".3333", ".0001"))
    return f"{rng.randint(0, 900)}{decimals}"


def with_steps(rng: Random, facts: Sold) -> Sold:
    """The same contract, some of whose prices have tiers, go by volume or by packages; new plans' prices too."""
    parts = tuple(replace(p, **_steps(rng)) if rng.randint(0, 1) else p for p in facts.parts)
    swaps = ("upgrade", "downgrade")
    changes = tuple(replace(c, **_steps(rng)) if c.kind in swaps and rng.randint(0, 1) else c for c in facts.changes)
    return replace(facts, parts=parts, changes=changes)


def _steps(rng: Random) -> dict[str, Any]:
    """Boundaries that quantities and usage often meet exactly; tiers with and without a fee, cheap ones and dear."""
    model = rng.choice(("tiered", "volume", "package"))
    if model == "package":
        return {"model": model, "package": rng.choice((1, 7, 100))}
    bounds = sorted(rng.sample((1, 2, 5, 9, 20, 60, 250), rng.randint(0, 3)))
    tiers = [(up_to, _price(rng), rng.choice(("0", _price(rng)))) for up_to in (*bounds, None)]
    return {"model": model, "tiers": tuple(tiers)}


def _parts(rng: Random, anchor: date) -> tuple[Part, ...]:
    extras = tuple(_extra(rng, anchor, number) for number in range(rng.randint(0, 3)))
    last = _maybe(rng, 1, lambda: _near(rng, 100, 300))
    base = Part("base", _price(rng), rng.randint(0, 40), model=rng.choice(("flat", "per_seat")), last_day=last)
    return (base, *extras, Part("calls", _price(rng), kind="usage"), Part("data", _price(rng), kind="usage"))


def _extra(rng: Random, anchor: date, number: int) -> Part:
    """An add-on; most that come do so within two years around T."""
    first = _maybe(rng, 6, lambda: rng.choice((anchor + timedelta(days=rng.randint(0, 900)), _near(rng, 300, 400))))
    last = _maybe(rng, 4, lambda: (first or anchor) + timedelta(days=rng.choice((rng.randint(0, 20), 300, 600))))
    return Part(f"extra{number}", _price(rng), rng.randint(0, 9), "add_on", first_day=first, last_day=last)


def _coupon(rng: Random, anchor: date, months: int) -> Coupon:
    first = rng.choice((_near(rng, 500, 400), add_months(anchor, rng.randint(0, 40) * months)))
    percent = rng.choice((None, "10", "12.5", "33.3333"))
    return Coupon(first, _maybe(rng, 6, lambda: rng.randint(0, 30)), 0, percent, rng.choice((0, 4_321, 999_999)))


def _change(rng: Random, anchor: date, months: int) -> Agreed:
    kind = rng.choice(("upgrade", "downgrade", "ramp", "uplift", "uplift", "cancel"))
    day = rng.choice((_near(rng, 60, 400), add_months(anchor, rng.randint(0, 45) * months)))
    if kind in ("upgrade", "downgrade"):
        return Agreed(kind, day, _price(rng))
    if kind == "ramp":
        return Agreed(kind, day, _maybe(rng, 5, lambda: _price(rng)), _maybe(rng, 8, lambda: rng.randint(0, 60)))
    return Agreed(kind, day, percent=rng.choice(("3.75", "5", "-2", "0.0125")) if kind == "uplift" else None)


def _usage(rng: Random, facts: Sold) -> tuple[Used, ...]:
    soon = T + timedelta(days=40)
    begun = [p.first_day for p in takewhile(lambda p: p.first_day <= soon, periods(contract(facts), old.Rules()))]
    days = {day: None for day in begun[-3:] if rng.randint(0, 1)}
    return tuple(_used(rng, item, day) for day in days for item in ("calls", "data"))


def _used(rng: Random, item: str, day: date) -> Used:
    included = rng.choice(("0", "100", "250.5"))
    # Exactly what is included, too: there a threshold is not yet passed.
    used = rng.choice((_price(rng), _price(rng), included))
    return Used(item, day, used, included, rng.choice(("bill", "grace", "block", "none")))
