"""The catalog: codes once each, grants of known features with limits that mean something. Prices: `prices`; the geo
table: `geo`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.engine.rules.arguments import exact_factor
from migration_assets.engine.rules.numbers import as_decimal
from migration_assets.plan.catalog_models import Feature, Grant
from migration_assets.plan.checks.view import CATALOG, PLAN, PlanView
from migration_assets.plan.wording import listing, nearest, shown

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_POSITIVE = re.compile(r"[0-9]+(\.[0-9]+)?(/[1-9][0-9]*)?")
_LIMIT = re.compile(r"[0-9]+(\.[0-9]+)?")
TOO_LONG = (
    "is no number that fits: at most 20 digits before the point and 8 after it, in the unit it is kept in",
    "write a shorter number, or state it in another unit",
)


def catalog_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about catalog.yaml, and the currencies of plan.yaml."""
    yield from _product_faults(view)
    yield from _code_faults(view)
    yield from _plan_faults(view)
    yield from _feature_faults(view)
    yield from _grant_faults(view)
    yield from _meter_faults(view)
    yield from _standard_faults(view)


def _product_faults(view: PlanView) -> Iterator[Fault]:
    if view.plan.catalog.products and view.plan.feeds_of("product"):
        problem = "stand here, and a feed brings products as well"
        yield view.fault(CATALOG, ("products",), problem, "keep the list, or the feed of mapping/feeds.csv")


def _code_faults(view: PlanView) -> Iterator[Fault]:
    catalog = view.plan.catalog
    for part, entries in (("products", catalog.products), ("plans", catalog.plans), ("features", catalog.features)):
        codes = [e.code for e in entries]
        yield from repeats(view, part, codes)
        for i, code in enumerate(codes):
            if not CODE.fullmatch(code):
                remedy = "use letters, digits and _ . + -, at most 64"
                yield view.fault(CATALOG, (part, i, "code"), f"{shown(code)} is not a code", remedy)


def repeats(view: PlanView, part: str, keys: Iterable[str]) -> Iterator[Fault]:
    """Entries of a part that are named as one before them."""
    seen: dict[str, int] = {}
    for i, key in enumerate(keys):
        if seen.setdefault(key, i) != i:
            problem = f"{shown(key)} stands in line {view.at(CATALOG, part, seen[key])} already"
            yield view.fault(CATALOG, (part, i), problem, "keep one of them")


def unknown_product(view: PlanView, code: str) -> tuple[str, str] | None:
    """Problem and remedy of a code that no product has; None too where only the source knows the products."""
    known = view.catalog_lists["catalog.product"]
    if known is None or code in known:
        return None
    return f"{shown(code)} is not a product", nearest(code, known, "add it to products")


def _plan_faults(view: PlanView) -> Iterator[Fault]:
    kinds = {p.code: p.kind for p in view.plan.catalog.products}
    for i, offer in enumerate(view.plan.catalog.plans):
        path = ("plans", i, "product")
        if wrong := unknown_product(view, offer.product):
            yield view.fault(CATALOG, path, *wrong)
        elif kinds.get(offer.product, "base") != "base":
            problem = f"{shown(offer.product)} is sold as {kinds[offer.product]}, not as a base product"
            yield view.fault(CATALOG, path, problem, "name a product of kind base")


def _feature_faults(view: PlanView) -> Iterator[Fault]:
    units = ENTITIES["feature"].field("unit").codes
    for i, feature in enumerate(view.plan.catalog.features):
        path = ("features", i, "unit")
        if feature.unit is not None and feature.unit not in units:
            yield view.fault(CATALOG, path, f"{shown(feature.unit)} is not a unit", f"use {listing(units)}")
        if feature.kind == "quota" and feature.unit is None:
            yield view.fault(CATALOG, path, "is missing for a quota", "say in which unit its limits count")
        if feature.kind == "switch" and (feature.unit or feature.units):
            yield view.fault(CATALOG, path, "a switch has no unit", "remove it, or make the feature a quota")
        for unit, factor in feature.units.items():
            if not _POSITIVE.fullmatch(factor) or exact_factor(factor) == 0:
                here = ("features", i, "units", unit)
                yield view.fault(CATALOG, here, "is not a factor", "write an exact positive number, such as 1000/1024")


def _grant_faults(view: PlanView) -> Iterator[Fault]:
    features = {f.code: f for f in view.plan.catalog.features}
    for i, product in enumerate(view.plan.catalog.products):
        granted: set[str] = set()
        for j, grant in enumerate(product.grants):
            path = ("products", i, "grants", j)
            if grant.feature in granted:
                yield view.fault(CATALOG, path, f"{shown(grant.feature)} is granted twice", "keep one of the grants")
            granted.add(grant.feature)
            feature = features.get(grant.feature)
            if feature is None:
                remedy = nearest(grant.feature, features, "add it to features")
                yield view.fault(CATALOG, (*path, "feature"), f"{shown(grant.feature)} is not a feature", remedy)
            else:
                for part, problem, remedy in _limit_problems(grant, feature):
                    yield view.fault(CATALOG, (*path, part), problem, remedy)


def _meter_faults(view: PlanView) -> Iterator[Fault]:
    features = {f.code: f for f in view.plan.catalog.features}
    for i, product in enumerate(view.plan.catalog.products):
        path = ("products", i, "meters")
        if product.meters is None:
            continue
        if product.kind != "usage":
            problem = f"{product.code} is sold as {product.kind}: no use of it is counted"
            yield view.fault(CATALOG, path, problem, "remove it, or make the product one of kind usage")
        if product.meters not in features:
            remedy = nearest(product.meters, features, "add it to features")
            yield view.fault(CATALOG, path, f"{shown(product.meters)} is not a feature", remedy)
        elif features[product.meters].kind != "quota":
            problem = f"{product.meters} is a switch: there is no use to count"
            yield view.fault(CATALOG, path, problem, "name a feature of kind quota")


def _limit_problems(grant: Grant, feature: Feature) -> Iterator[tuple[str, str, str]]:
    if feature.kind == "quota" and grant.limit_kind == "none":
        yield "limit_kind", f"{feature.code} is a quota, and nothing says how much", "say unlimited, limited or zero"
    if feature.kind == "switch" and grant.limit_kind == "limited":
        yield "limit_kind", f"{feature.code} is a switch: it has no limit", "say none or zero, or make it a quota"
    if grant.limit_kind == "limited":
        if grant.limit is None or not _LIMIT.fullmatch(grant.limit):
            yield "limit", "is missing or no plain number", 'write the limit as text, such as "100"'
        elif not _limit_fits(grant, feature):
            yield "limit", *TOO_LONG
        if feature.kind == "quota" and grant.unit is None:
            yield "unit", "is missing", f"say the unit of the limit, such as {feature.unit}"
    elif grant.limit is not None:
        yield "limit", f"is given although the limit is {grant.limit_kind}", "remove it, or say limited"
    if grant.unit is not None and grant.unit != feature.unit and grant.unit not in feature.units:
        known = [u for u in (feature.unit, *feature.units) if u]
        problem = f"{shown(grant.unit)} is no unit of {feature.code}"
        yield "unit", problem, f"use {listing(known)}, or add a factor to units" if known else "remove it"


def _limit_fits(grant: Grant, feature: Feature) -> bool:
    """Whether the limit in the feature's own unit is a number the target holds; unknown units are told elsewhere."""
    factor = feature.units.get(grant.unit or "", "1") if grant.unit != feature.unit else "1"
    if grant.limit is None or not _POSITIVE.fullmatch(factor):
        return True
    return as_decimal(Fraction(Decimal(grant.limit)) * exact_factor(factor)).error is None


def _standard_faults(view: PlanView) -> Iterator[Fault]:
    plan = view.plan.file
    for code, exponent in plan.currency_exponents.items():
        path = ("currency_exponents", code)
        if not re.fullmatch("[A-Z]{3}", code):
            yield view.fault(PLAN, path, f"{shown(code)} is not a currency", "write three capitals")
        if not 0 <= exponent <= 8:
            yield view.fault(PLAN, path, "the exponent is out of range", "write 0 to 8 decimal places")
