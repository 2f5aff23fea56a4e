"""The plan's catalog and geo rules as canonical rows. Pure: a plan in, Arrow tables out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.engine.rules.arguments import exact_factor
from migration_assets.engine.rules.numbers import as_decimal
from migration_assets.engine.schema import schema_of

if TYPE_CHECKING:
    from migration_assets.plan.catalog_models import Catalog, Grant
    from migration_assets.plan.models import Plan

CATALOG_ENTITIES = tuple(n for n, e in ENTITIES.items() if e.origin == "catalog")


def catalog_tables(plan: Plan) -> dict[str, pa.Table]:
    """Canonical rows of all that the catalog and the geo table say, by entity; key: the entity's code."""
    rows = {
        "product": list(_products(plan.catalog)),
        "plan": list(_plans(plan.catalog)),
        "price": list(_prices(plan.catalog)),
        "price_tier": list(_tiers(plan.catalog)),
        "feature": list(_features(plan.catalog)),
        "product_feature": list(_grants(plan.catalog)),
        "geo_rule": list(_geo_rules(plan)),
    }
    return {entity: _table(entity, made) for entity, made in rows.items()}


def _products(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for p in catalog.products:
        yield {"product_code": p.code, "name": p.name, "kind": p.kind, "description": p.description or None}


def _plans(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for p in catalog.plans:
        yield {
            "plan_code": p.code,
            "product_code": p.product,
            "name": p.name,
            "interval": p.interval,
            "retired": p.retired,
        }


def _prices(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for p in catalog.prices:
        yield {
            "price_code": p.price_code,
            "product_code": p.product,
            "interval": p.interval,
            "currency": p.currency,
            "unit_price": Decimal(p.tiers[0].unit_price if p.unit_price is None else p.unit_price),
            "model": p.model,
            "package_size": p.package_size,
        }


def _tiers(catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Tiers by the units that are below them; catalog.yaml says where each ends."""
    for p in catalog.prices:
        below = [0, *(t.up_to for t in p.tiers if t.up_to is not None)]
        for over, tier in zip(below, p.tiers, strict=False):
            yield {
                "price_tier_code": f"{p.price_code}/{over}",
                "price_code": p.price_code,
                "over_units": over,
                "unit_price": Decimal(tier.unit_price),
                "fee": None if tier.fee is None else Decimal(tier.fee),
            }


def _features(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for f in catalog.features:
        yield {"feature_code": f.code, "name": f.name, "kind": f.kind, "unit": f.unit}


def _grants(catalog: Catalog) -> Iterator[dict[str, Any]]:
    for p in catalog.products:
        for g in p.grants:
            yield {
                "product_feature_code": f"{p.code}/{g.feature}",
                "product_code": p.code,
                "feature_code": g.feature,
                "limit_kind": g.limit_kind,
                "limit_units": _in_canonical_unit(catalog, g),
                "per": g.per,
                "overage": g.overage,
            }


def _in_canonical_unit(catalog: Catalog, grant: Grant) -> Decimal | None:
    """The grant's limit in the feature's own unit: GB is not GiB, and the factor is exact."""
    if grant.limit is None:
        return None
    feature = next(f for f in catalog.features if f.code == grant.feature)
    factor = feature.units.get(grant.unit or "", "1") if grant.unit != feature.unit else "1"
    # A product that no decimal can hold is a fault of the plan (`plan.checks.catalog`), so there is a value here.
    return as_decimal(Fraction(Decimal(grant.limit)) * exact_factor(factor)).value


def _geo_rules(plan: Plan) -> Iterator[dict[str, Any]]:
    for g in plan.geo:
        yield {
            "geo_rule_code": f"{g.product}/{g.region}",
            "product_code": g.product,
            "region": g.region,
            "allowed": g.allowed,
            "reason": g.reason or None,
        }


def _table(entity: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows in the entity's shape; the plan itself is their source system, and a row's place its number."""
    fields = (*ENTITIES[entity].fields, *PROVENANCE)
    key = ENTITIES[entity].key.name
    placed = [
        {
            **row,
            "source_system": "plan",
            "source_table": "catalog",
            "source_id": f"{entity}/{row[key]}",
            "source_row": i,
        }
        for i, row in enumerate(rows, start=1)
    ]
    schema = schema_of(fields).to_pyarrow()
    return pa.table({f.name: [row.get(f.name) for row in placed] for f in fields}, schema=schema)
