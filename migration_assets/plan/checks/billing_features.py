"""Features of billing.yaml: in the catalog, in units that are numbers, and billed by products that items name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_models import LegacyBilling, LegacyFeature
from migration_assets.plan.checks.view import BILLING, PlanView
from migration_assets.plan.mapped import parsed_arguments
from migration_assets.plan.wording import nearest, shown

_FACTOR = re.compile(r"[0-9]{1,18}(\.[0-9]{1,10})?")
Path = tuple[str | int, ...]


def feature_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    """Everything about `features`."""
    kinds = {f.code: f.kind for f in view.plan.catalog.features}
    products = _products(view, legacy)
    metered: dict[str, str] = {}
    for code, told in legacy.features.items():
        place: Path = ("legacy", "features", code)
        if not code or code != code.strip():
            problem, remedy = (
                f"{shown(code)} is never met: raw values have no blanks around them",
                "write the raw value",
            )
            yield view.fault(BILLING, place, problem, remedy)
        if told.feature not in kinds:
            problem = f"the catalog has no feature {shown(told.feature)}"
            yield view.fault(BILLING, (*place, "feature"), problem, nearest(told.feature, kinds, "name one of it"))
        yield from _unit_faults(view, place, told, switch=kinds.get(told.feature) == "switch")
        for product in told.metered_by:
            path = (*place, "metered_by")
            if metered.setdefault(product, code) != code or told.metered_by.count(product) > 1:
                problem = f"{shown(product)} bills what is used of {metered[product]} already"
                yield view.fault(BILLING, path, problem, "name a product once: it bills one feature")
            if products is not None and product not in products[1]:
                remedy = nearest(product, products[1], "name a product as items name it")
                yield view.fault(BILLING, path, f"{products[0]} has no product {shown(product)}", remedy)


def _unit_faults(view: PlanView, place: Path, told: LegacyFeature, *, switch: bool) -> Iterator[Fault]:
    for unit, factor in told.units.items():
        if not _FACTOR.fullmatch(factor) or not Decimal(factor):
            problem = f"{shown(factor)} is no number of units"
            yield view.fault(BILLING, (*place, "units", unit), problem, 'write digits, as "1000" or "0.001"')
    for part in ("units", "metered_by"):
        if switch and getattr(told, part):
            problem = f"{told.feature} is a switch: there is nothing to count"
            yield view.fault(BILLING, (*place, part), problem, "leave it out, or name a feature of kind quota")


def _products(view: PlanView, legacy: LegacyBilling) -> tuple[str, set[str]] | None:
    """Products as items name them, and where that is said; None where nothing but the raw column does.

    The mapping is asked for nothing else: a raw code that its list does not have becomes no item of the target.
    """
    read = legacy.reads["items"]
    told = read.fields.get("product")
    if told is None:
        return None
    if told.column is None or told.codes is not None:
        meant = [told.value] if told.codes is None else told.codes.values()
        return "`items`", {m for m in meant if m is not None}
    for row in view.plan.mapping:
        if row.rule == "lookup" and (f"{row.system}.{row.table}", row.columns) == (read.table, (told.column,)):
            name = getattr(parsed_arguments(row), "list", "")
            if name in view.plan.codes:
                return f"codes/{name}.csv", {code.code for code in view.plan.codes[name]}
    return None
