"""Random customers of the old system, close to where the rules of access part: as the readable rules take them, and as
records. For tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

from legacy_records import Rows

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.legacy.access import Grant, Held, Override

SINCE = datetime(2026, 6, 30, 10, 17, tzinfo=UTC)
UNTIL = datetime(2027, 7, 31, 10, 17, tzinfo=UTC)
T = SINCE.date()
DAY = timedelta(days=1)
# In Cairo clocks jump at midnight, and in Lord Howe by half an hour.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
TURNS = (date(2026, 10, 25), date(2026, 10, 30), date(2026, 11, 1), date(2027, 3, 28), date(2027, 4, 30))
COUNTRIES = ("DE", "DE", "FR", None)
POLICIES = ("block", "bill", "grace", "none")
BASES, EXTRAS = ("basic", "pro", "big", "bare"), ("seat", "pack", "sign-on", "lock", "calls")
FEATURES = ("seats", "storage", "sso")
LIMITS = (None, Fraction(0), Fraction(1), Fraction(3), Fraction("12.5"), Fraction(10**15))
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Agreement:
    """A contract. What is over stands in the records with its items, and gives nothing."""

    contract: old.Contract
    status: str = "active"
    grace_last_day: date | None = None

    def held(self) -> Held:
        shown = replace(self.contract, items=()) if self.status == "over" else self.contract
        return Held(shown, self.grace_last_day if self.status == "past_due" else None)


@dataclass(frozen=True)
class Holder:
    """A customer with contracts, in the order of their ids, and overrides."""

    customer: str
    agreements: tuple[Agreement, ...] = ()
    overrides: tuple[Override, ...] = ()


def random_grants(rng: Random) -> tuple[Grant, ...]:
    """What products grant, in the order that counts where policies differ. Some grant a feature twice."""
    made = [
        Grant(product, feature, rng.choice(LIMITS), rng.random() < 0.4, rng.choice(POLICIES))  # type: ignore[arg-type]
        for product in (*BASES, *EXTRAS)
        for feature in FEATURES
        for _ in range(rng.choice((0, 0, 1, 1, 1, 1, 2)))
    ]
    return tuple(sorted(made, key=lambda g: g.overage))


def random_holder(rng: Random, number: int) -> Holder:
    name = f"k{number:06}"
    count = rng.choice((0, 1, 1, 1, 1, 2, 2, 3))
    agreements = tuple(_agreement(rng, f"{name}-{n}") for n in range(count))
    overrides = tuple(_override(rng, f"{name}-{n}") for n in range(rng.choice((0, 0, 0, 1, 2, 4))))
    return Holder(name, agreements, overrides)


def _agreement(rng: Random, own: str) -> Agreement:
    anchor = _day(rng, 700, 100)
    first = anchor - rng.choice((0, 0, 14)) * DAY
    pause = _maybe(rng, 3, lambda: _day(rng, 90, 300))
    contract = old.Contract(
        contract_id=own,
        currency="EUR",
        exponent=2,
        zone=rng.choice(ZONES),
        months=1,
        anchor=anchor,
        first_day=first,
        last_day=_maybe(rng, 3, lambda: max(first, _day(rng, 60, 420))),
        service_country=rng.choice(COUNTRIES),
        paused_on=pause,
        resumes_on=None if pause is None else _maybe(rng, 7, lambda: pause + rng.randint(-5, 120) * DAY),
        items=tuple(_items(rng, own, anchor)),
        changes=tuple(_change(rng) for _ in range(rng.choice((0, 0, 0, 1, 2, 4)))),
    )
    status = rng.choice(("active", "active", "active", "trial", "past_due", "past_due", "paused", "over"))
    return Agreement(contract, status, _maybe(rng, 7, lambda: _day(rng, 20, 60)))


def _items(rng: Random, own: str, anchor: date) -> Iterable[old.Item]:
    """Base items, sometimes one after another or two at once, and what is on top of them."""
    for n in range(rng.choice((1, 1, 1, 1, 2))):
        yield _item(rng, f"{own}/{n}", rng.choice(BASES), "base", anchor)
    for n in range(rng.choice((0, 0, 1, 2, 3))):
        kind = rng.choice(("add_on", "add_on", "usage"))
        yield _item(rng, f"{own}/{5 + n}", rng.choice(EXTRAS), kind, anchor)


def _item(rng: Random, item_id: str, product: str, kind: str, anchor: date) -> old.Item:
    first = _maybe(rng, 2, lambda: _day(rng, 300, 300))
    last = _maybe(rng, 3, lambda: max(first or anchor, _day(rng, 60, 400)))
    price = old.Price("flat", Fraction(1))
    return old.Item(item_id, product, kind, rng.choice((0, 1, 1, 5, 40)), price, first, last)  # type: ignore[arg-type]


def _change(rng: Random) -> old.Change:
    kind = rng.choice(("upgrade", "downgrade", "ramp", "ramp", "uplift", "cancel"))
    day = rng.choice((T + 31 * DAY, _day(rng, 60, 420)))
    if kind in ("upgrade", "downgrade"):
        return old.Change(kind, day, rng.choice(BASES), old.Price("flat", Fraction(2)), new_quantity=7)  # type: ignore[arg-type]
    quantity = _maybe(rng, 8, lambda: rng.choice((0, 3, 60)))
    return old.Change(kind, day, new_quantity=quantity, percent=Fraction(5))  # type: ignore[arg-type]


def _override(rng: Random, override_id: str) -> Override:
    first = rng.choice((T + 20 * DAY, _day(rng, 200, 300)))
    last = _maybe(rng, 5, lambda: first + rng.randint(0, 200) * DAY)
    feature = rng.choice((*FEATURES, *FEATURES, "analytics"))
    return Override(override_id, feature, rng.choice(COUNTRIES), rng.choice(LIMITS), rng.choice(ZONES), first, last)


def _maybe(rng: Random, tenths: int, made: Callable[[], _Made]) -> _Made | None:
    return made() if rng.randrange(10) < tenths else None


def _day(rng: Random, before: int, after: int) -> date:
    """A day near T, or one on which clocks somewhere are turned."""
    return rng.choice(TURNS) if rng.randrange(8) == 0 else T + rng.randint(-before, after) * DAY


def records_of_holders(holders: Sequence[Holder], grants: Sequence[Grant]) -> dict[str, Rows]:
    """The same as records of the old system."""
    found: defaultdict[str, Rows] = defaultdict(list)
    for holder in holders:
        for agreement in holder.agreements:
            found["contracts"].append(_contract(holder.customer, agreement))
            found["items"] += [_item_row(agreement.contract, item) for item in agreement.contract.items]
            found["changes"] += [
                _change_row(agreement.contract, n, c) for n, c in enumerate(agreement.contract.changes)
            ]
        found["overrides"] += [_override_row(holder.customer, o) for o in holder.overrides]
    found["grants"] = [_grant_row(g) for g in grants]
    # A plan is sold by the month and by the year.
    found["plans"] = [{"plan": f"{p}-plan", "product": p, "months": m} for p in BASES for m in (1, 12)]
    return found


def _contract(customer: str, agreement: Agreement) -> dict[str, Any]:
    contract = agreement.contract
    told = {
        name: getattr(contract, name)
        for name in ("contract_id", "currency", "zone", "months", "anchor", "first_day", "last_day", "paused_on")
    }
    return {
        **told,
        "customer": customer,
        "status": agreement.status,
        "country": contract.service_country,
        "resumes_on": contract.resumes_on,
        "grace_last_day": agreement.grace_last_day,
    }


def _item_row(contract: old.Contract, item: old.Item) -> dict[str, Any]:
    told = {name: getattr(item, name) for name in ("item_id", "product", "kind", "quantity", "first_day", "last_day")}
    return {**told, "contract_id": contract.contract_id, "model": "flat", "unit_price": Decimal(1)}


def _change_row(contract: old.Contract, number: int, change: old.Change) -> dict[str, Any]:
    return {
        "change_id": f"{number}",
        "contract_id": contract.contract_id,
        "kind": change.kind,
        "first_day": change.first_day,
        "new_plan": None if change.new_product is None else f"{change.new_product}-plan",
        "new_quantity": change.new_quantity,
    }


def _grant_row(grant: Grant) -> dict[str, Any]:
    told = {name: getattr(grant, name) for name in ("product", "feature", "for_each_unit", "overage")}
    return {**told, "limit": exact(grant.limit)}


def _override_row(customer: str, override: Override) -> dict[str, Any]:
    told = {name: getattr(override, name) for name in ("override_id", "feature", "country", "zone")}
    days = {"first_day": override.first_day, "last_day": override.last_day}
    return {**told, **days, "customer": customer, "limit": exact(override.limit)}


def exact(limit: Fraction | None, places: int = 10) -> Decimal | None:
    """A limit as a decimal of so many places; AssertionError where it is none."""
    if limit is None:
        return None
    units = limit * 10**places
    assert units.denominator == 1
    return Decimal(f"{units.numerator}e-{places}")
