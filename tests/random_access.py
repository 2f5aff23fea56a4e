"""Random customers with contracts, agreed changes and overrides, told in the old system's terms and as canonical rows.

The translation is done here by hand, apart from the mapping of a plan and from the stage that derives entitlements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from told_twice import Agreed, Part, Sold, contract

from migration_assets.domain.access import Overage
from migration_assets.domain.calendar import midnight
from migration_assets.domain.legacy import access as old
from migration_assets.domain.legacy import terms

T = date(2026, 6, 30)
DAY = timedelta(days=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo")
COUNTRIES = ("DE", "FR", None)
BASES, ADD_ONS = ("basic", "pro", "big", "bare"), ("seat", "pack", "sign-on", "lock")
# product, feature, limit (None: unlimited, 0: forbidden), for each unit, overage
_GRANTED: tuple[tuple[str, str, str | None, bool, Overage], ...] = (
    ("basic", "seats", "3", False, "block"),
    ("basic", "storage", "10", False, "block"),
    ("basic", "sso", "0", False, "none"),
    ("pro", "seats", "1", True, "block"),
    ("pro", "storage", "50.5", False, "grace"),
    ("pro", "sso", "0", False, "none"),
    ("big", "seats", None, False, "bill"),
    ("big", "storage", "50.5", False, "bill"),
    ("big", "sso", None, False, "none"),
    ("seat", "seats", "1", True, "bill"),
    ("pack", "storage", "100", True, "bill"),
    ("sign-on", "sso", None, False, "block"),
    ("lock", "sso", "0", False, "block"),
)
GRANTS = tuple(old.Grant(p, f, None if x is None else Fraction(x), each, o) for p, f, x, each, o in _GRANTED)
Row = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """Contracts, each with the last day of grace of one that is past due, and overrides."""

    customer_id: str
    contracts: tuple[tuple[Sold, date | None], ...]
    overrides: tuple[old.Override, ...] = ()

    def held(self) -> list[old.Held]:
        """As the old system has them."""
        return [
            old.Held(replace(contract(sold), contract_id=f"{self.customer_id}-{n}"), grace)
            for n, (sold, grace) in enumerate(self.contracts)
        ]


def customer(rng: Random, number: int, overrides: bool) -> Customer:
    """One to three contracts; overrides where they are wanted, and then for half."""
    made = tuple((_sold(rng), _maybe(rng, 2, lambda: _near(rng, 30, 60))) for _ in range(rng.choice((1, 1, 2, 3))))
    own = [_override(rng, n) for n in range(rng.choice((0, 1, 1, 2)) if overrides else 0)]
    return Customer(f"e.c:{number:06}", made, tuple(own))


def _sold(rng: Random) -> Sold:
    anchor = _near(rng, 900, 90)
    pause = _maybe(rng, 2, lambda: _near(rng, 100, 200))
    at_period_end = _maybe(rng, 1, lambda: _near(rng, 10, 90))
    return Sold(
        anchor=anchor,
        zone=rng.choice(ZONES),
        country=rng.choice(COUNTRIES),
        last_day=None if at_period_end else _maybe(rng, 2, lambda: max(anchor, _near(rng, 30, 300))),
        parts=tuple(_parts(rng, anchor)),
        changes=tuple(_change(rng, anchor) for _ in range(rng.choice((0, 1, 1, 2, 3, 5)))),
        paused_on=pause,
        resumes_on=None if pause is None else _maybe(rng, 6, lambda: pause + rng.randint(0, 90) * DAY),
        cancel_at_period_end=None if at_period_end is None else max(anchor, at_period_end),
    )


def _parts(rng: Random, anchor: date) -> Iterator[Part]:
    """One base item, or one after another, and add-ons."""
    quantity = rng.choice((0, 1, 7, 40))
    handed_over = _maybe(rng, 1, lambda: anchor + rng.randint(0, 700) * DAY)
    yield Part(rng.choice(BASES), "1", quantity, last_day=handed_over)
    if handed_over:
        yield Part(rng.choice(BASES), "1", quantity + 1, first_day=handed_over + DAY)
    for _ in range(rng.choice((0, 1, 2))):
        first = _maybe(rng, 4, lambda: _near(rng, 400, 200))
        last = _maybe(rng, 3, lambda: max(first or anchor, _near(rng, 100, 300)))  # noqa: B023
        yield Part(rng.choice(ADD_ONS), "1", rng.choice((0, 1, 5)), "add_on", first_day=first, last_day=last)


def _change(rng: Random, anchor: date) -> Agreed:
    kind = rng.choice(("upgrade", "downgrade", "ramp", "ramp", "uplift", "cancel"))
    # Some on one day, some before the contract, some long past.
    day = rng.choice((T + 30 * DAY, T + rng.randint(-60, 400) * DAY, anchor + rng.randint(-20, 40) * DAY))
    quantity = _maybe(rng, 8, lambda: rng.choice((0, 3, 7, 60)))
    return Agreed(kind, day, "1", quantity, "5", _maybe(rng, 9, lambda: rng.choice(BASES)))


def _override(rng: Random, number: int) -> old.Override:
    first = _near(rng, 200, 200)
    return old.Override(
        override_id=str(number),
        feature=rng.choice(("seats", "storage", "sso")),
        country=rng.choice(("DE", None)),
        limit=rng.choice((None, Fraction(0), Fraction("12.5"))),
        zone=rng.choice(ZONES),
        first_day=first,
        last_day=_maybe(rng, 5, lambda: first + rng.randint(0, 300) * DAY),
    )


def _maybe(rng: Random, tenths: int, made: Any) -> Any:
    return made() if rng.randrange(10) < tenths else None


def _near(rng: Random, before: int, after: int) -> date:
    return T + rng.randint(-before, after) * DAY


# --- canonical rows -------------------------------------------------------------------------------------------------


def canonical_rows(customers: Sequence[Customer], grants: Sequence[old.Grant]) -> dict[str, list[Row]]:
    """Rows by entity, of the customers and of the catalog that grants the same."""
    told: dict[str, list[Row]] = {
        "plan": [{"plan_code": f"{p}-month", "product_code": p, "interval": "month"} for p in BASES],
        "product_feature": [_product_feature(g) for g in grants],
        "feature": [{"feature_code": f, "unit": "call"} for f in sorted({g.feature for g in grants})],
        "geo_rule": [],
        "subscription": [],
        "subscription_item": [],
        "scheduled_change": [],
        "entitlement_override": [],
    }
    for each in customers:
        for n, (sold, grace) in enumerate(each.contracts):
            name = f"{each.customer_id}-{n}"
            told["subscription"].append(_subscription(each.customer_id, name, sold, grace))
            told["subscription_item"] += [_item(name, sold, part, k) for k, part in enumerate(sold.parts)]
            told["scheduled_change"] += [_scheduled(name, sold, c, k) for k, c in enumerate(sold.changes)]
        told["entitlement_override"] += [_exception(each.customer_id, o) for o in each.overrides]
    return told


def _product_feature(grant: old.Grant) -> Row:
    return {
        "product_feature_code": f"{grant.product}/{grant.feature}",
        "product_code": grant.product,
        "feature_code": grant.feature,
        **limit(grant.limit),
        "per": "unit" if grant.for_each_unit else "item",
        "overage": grant.overage,
    }


def limit(units: Fraction | None) -> Row:
    """limit_kind and limit_units."""
    if units is None or units == 0:
        return {"limit_kind": "zero" if units == 0 else "unlimited", "limit_units": None}
    return {"limit_kind": "limited", "limit_units": Decimal(units.numerator) / Decimal(units.denominator)}


def _subscription(customer_id: str, name: str, sold: Sold, grace: date | None) -> Row:
    return {
        "subscription_id": name,
        "customer_id": customer_id,
        "service_country": sold.country,
        "starts_at": midnight(sold.anchor, sold.zone),
        "ends_at": _after(sold.last_day, sold.zone),
        "cancel_at_period_end": sold.cancel_at_period_end is not None,
        "current_period_ends_at": _after(sold.cancel_at_period_end, sold.zone),
        "paused_at": _at(sold.paused_on, sold.zone),
        "resumes_at": _at(sold.resumes_on, sold.zone),
        "grace_ends_at": _after(grace, sold.zone),
    }


def _item(name: str, sold: Sold, part: Part, place: int) -> Row:
    return {
        "item_id": f"{name}-{place}",
        "subscription_id": name,
        "product_code": part.item_id,
        "kind": part.kind,
        "quantity": part.quantity,
        "starts_at": _at(part.first_day, sold.zone),
        "ends_at": _after(part.last_day, sold.zone),
    }


def _scheduled(name: str, sold: Sold, agreed: Agreed, place: int) -> Row:
    return {
        "scheduled_change_id": f"{name}-{place}",
        "subscription_id": name,
        "kind": agreed.kind,
        "effective_at": midnight(agreed.first_day, sold.zone),
        "new_plan_code": None if agreed.product is None else f"{agreed.product}-month",
        "new_quantity": agreed.quantity,
        "percent": Decimal(5),
    }


def _exception(customer_id: str, override: old.Override) -> Row:
    return {
        "override_id": f"{customer_id}-o{override.override_id}",
        "customer_id": customer_id,
        "feature_code": override.feature,
        "region": override.country,
        **limit(override.limit),
        "starts_at": midnight(override.first_day, override.zone),
        "ends_at": _after(override.last_day, override.zone),
    }


def _at(day: date | None, zone: str) -> datetime | None:
    return None if day is None else midnight(day, zone)


def _after(day: date | None, zone: str) -> datetime | None:
    return None if day is None else midnight(day + DAY, zone)


def before(each: Customer, grants: Sequence[old.Grant], since: datetime, until: datetime) -> tuple[Any, ...]:
    """What the old system lets the customer do."""
    return old.access(each.held(), each.overrides, grants, terms.Rules(), since, until)
