"""Prices of the catalog: each named once, and told in the way that its model needs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from migration_assets.domain.errors import Fault
from migration_assets.engine.rules.numbers import as_decimal
from migration_assets.plan.catalog_models import Price
from migration_assets.plan.checks.catalog import CODE, TOO_LONG, repeats, unknown_product
from migration_assets.plan.checks.standards import is_currency
from migration_assets.plan.checks.view import CATALOG, PlanView
from migration_assets.plan.wording import shown

_BY_TIERS = ("tiered", "volume")
# Where within the price, problem, remedy.
Wrong = tuple[tuple[str | int, ...], str, str]


def price_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `prices`."""
    prices = view.plan.catalog.prices
    # Without the model: it says how the one list price becomes an amount, and is no part of what is priced.
    listed = [f"{p.product} {p.interval} {p.currency}" if p.code is None else p.price_code for p in prices]
    yield from repeats(view, "prices", listed)
    for i, price in enumerate(prices):
        if price.code is not None and not CODE.fullmatch(price.code):
            remedy = "use letters, digits and _ . + -, at most 64"
            yield view.fault(CATALOG, ("prices", i, "code"), f"{shown(price.code)} is not a code", remedy)
        if wrong := unknown_product(view, price.product):
            yield view.fault(CATALOG, ("prices", i, "product"), *wrong)
        if not is_currency(price.currency, view.plan.file.currency_exponents):
            remedy = "write an ISO 4217 code, or add it to currency_exponents in plan.yaml"
            yield view.fault(CATALOG, ("prices", i, "currency"), f"{shown(price.currency)} is not a currency", remedy)
        for place, problem, remedy in (*_model_problems(price), *_tier_problems(price), *_long_numbers(price)):
            yield view.fault(CATALOG, ("prices", i, *place), problem, remedy)


def _model_problems(price: Price) -> Iterator[Wrong]:
    """What the model of a price needs, and what it leaves no room for."""
    by_tiers = price.model in _BY_TIERS
    if by_tiers and not price.tiers:
        yield (), f"is {price.model}, and nothing says its tiers", "write `tiers`, the last of them without `up_to`"
    if price.tiers and not by_tiers:
        yield ("tiers",), f"are never asked of a price that is {price.model}", "say tiered or volume, or remove them"
    if by_tiers and price.unit_price is not None:
        yield ("unit_price",), "is said by tiers already", "remove it"
    if not by_tiers and price.unit_price is None:
        yield (), "nothing says what a unit costs", "write `unit_price`"
    if price.model == "package" and price.package_size is None:
        yield (), "nothing says how many units a package has", "write `package_size`"
    if price.model != "package" and price.package_size is not None:
        yield ("package_size",), f"is never asked of a price that is {price.model}", "say package, or remove it"


def _tier_problems(price: Price) -> Iterator[Wrong]:
    """Tiers that end before they begin, or at no end where another follows."""
    below = 0
    for j, tier in enumerate(price.tiers):
        last = j == len(price.tiers) - 1
        if last and tier.up_to is not None:
            yield ("tiers", j), f"nothing says what unit {tier.up_to + 1} costs", "leave `up_to` out of the last tier"
        elif not last and tier.up_to is None:
            yield ("tiers", j), "has no end, and another tier follows", "write `up_to`, the last unit of it"
        elif tier.up_to is not None and tier.up_to <= below:
            yield ("tiers", j, "up_to"), f"unit {tier.up_to} is in a tier before", "write tiers from the lowest up"
        below = max(below, tier.up_to or 0)


def _long_numbers(price: Price) -> Iterator[Wrong]:
    written: list[tuple[tuple[str | int, ...], str | None]] = [(("unit_price",), price.unit_price)]
    for j, tier in enumerate(price.tiers):
        written += [(("tiers", j, "unit_price"), tier.unit_price), (("tiers", j, "fee"), tier.fee)]
    for place, number in written:
        if number is not None and as_decimal(Fraction(Decimal(number))).error:
            yield place, *TOO_LONG
