"""Random contracts that both rule sets can be told of, for property tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice, takewhile

from hypothesis import strategies as st
from told_twice import Agreed, Coupon, Part, Sold, Used, contract

from migration_assets.domain.calendar import add_months, midnight
from migration_assets.domain.legacy import invoices as legacy_invoices
from migration_assets.domain.legacy import terms as old

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
CURRENCIES = ("EUR", "JPY", "KWD")
T = date(2026, 6, 30)
ROUNDINGS = ("half_up", "half_down", "half_even", "up", "down")
MODELS = ("flat", "per_seat", "tiered", "volume", "package")
TIERS = ((10, "5"), (20, "4.5", "7.25"), (None, "3.3333"))

DAYS = st.integers(0, 900).map(lambda back: T - timedelta(days=back))
LATER = st.integers(0, 400).map(lambda on: T + timedelta(days=on))
PRICES = st.decimals("0", "999", places=4).map(str)


@st.composite
def parts(draw: st.DrawFn, anchor: date) -> tuple[Part, ...]:
    """A base item, and add-ons that may come and go."""
    made = [_part(draw, "base", "base")]
    for number in range(draw(st.integers(0, 3))):
        part = _part(draw, f"extra{number}", "add_on")
        first = draw(st.none() | st.integers(0, 900).map(lambda on: anchor + timedelta(days=on)))
        lasts = draw(st.none() | st.integers(0, 500))
        last = None if lasts is None else (first or anchor) + timedelta(days=lasts)
        made.append(Part(part.item_id, part.price, part.quantity, part.kind, part.model, part.tiers, 7, first, last))
    return (*made, Part("calls", draw(PRICES), kind="usage"))


def _part(draw: st.DrawFn, item_id: str, kind: str) -> Part:
    model = draw(st.sampled_from(MODELS))
    tiers = TIERS if model in ("tiered", "volume") else ()
    return Part(item_id, draw(PRICES), draw(st.integers(0, 40)), kind, model, tiers, package=7)


@st.composite
def contracts(draw: st.DrawFn) -> Sold:
    """Contracts of every kind that both rule sets can be told of, seen at T. Their coupons know what they have used
    only after `counted`."""
    anchor, months = draw(DAYS), draw(st.sampled_from((1, 3, 12)))
    boundaries = [add_months(anchor, k * months) for k in range(40)]
    renewals = [b for b in boundaries if b > T]
    begun = [b for b in boundaries if b <= T]
    pause = draw(st.none() | st.integers(0, 20).map(lambda back: T - timedelta(days=back)))
    pause = pause if pause is not None and pause >= anchor else None
    sold = _without_coupon(draw, anchor, months, pause, renewals, begun)
    first_days = [draw(st.sampled_from(boundaries[:20])) for _ in range(draw(st.integers(0, 2)))]
    return replace(sold, coupons=tuple(_coupon(draw, day) for day in first_days))


def _coupon(draw: st.DrawFn, first_day: date) -> Coupon:
    percent = draw(st.sampled_from((None, "12.5")))
    return Coupon(first_day, draw(st.none() | st.integers(1, 30)), percent=percent, amount_minor=4_321)


def counted(sold: Sold, rules: old.Rules) -> Sold:
    """The contract whose coupons know how many of their cycles the old system has billed by T."""
    bills = legacy_invoices.invoices(contract(sold), rules)
    begun = [b.issued_at for b in takewhile(lambda b: b.issued_at < seen_at(sold), islice(bills, 99))]

    def used(coupon: Coupon) -> int:
        had = sum(start >= midnight(coupon.first_day, sold.zone) for start in begun)
        return had if coupon.cycles is None else min(had, coupon.cycles)

    return replace(sold, coupons=tuple(replace(c, used=used(c)) for c in sold.coupons))


def _without_coupon(
    draw: st.DrawFn, anchor: date, months: int, pause: date | None, renewals: list[date], begun: list[date]
) -> Sold:
    return Sold(
        anchor=anchor,
        months=months,
        currency=draw(st.sampled_from(CURRENCIES)),
        zone=draw(st.sampled_from(ZONES)),
        last_day=draw(st.none() | LATER),
        parts=draw(parts(anchor)),
        changes=tuple(_change(draw, renewals) for _ in range(draw(st.integers(0, 2)))),
        usage=(Used("calls", begun[-1], draw(PRICES), "100", draw(st.sampled_from(("bill", "grace", "block")))),)
        if begun
        else (),
        tax=(("DE", date(2000, 1, 1), "19"), ("DE", date(2026, 9, 15), "7.7")),
        tax_inclusive=draw(st.booleans()),
        tax_exempt=draw(st.booleans()),
        paused_on=pause,
        resumes_on=draw(st.none() | LATER) if pause else None,
    )


def _change(draw: st.DrawFn, renewals: list[date]) -> Agreed:
    kind = draw(st.sampled_from(("upgrade", "downgrade", "ramp", "uplift", "cancel")))
    day = draw(st.sampled_from(renewals[:4]))
    price, quantity = draw(PRICES), draw(st.integers(0, 60))
    return Agreed(kind, day, price, quantity if kind == "ramp" else None, "3.75" if kind == "uplift" else None)


def seen_at(sold: Sold) -> datetime:
    """The instant T, noon where the contract is."""
    return midnight(T, sold.zone) + timedelta(hours=12)
