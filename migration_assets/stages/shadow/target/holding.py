"""The rows that bills are made from, out of the canonical rows that the target holds or would hold.

Belongs here: which columns, and what the catalog and the tax engine add. Not here: where the rows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.schema import schema_of
from migration_assets.stages.shadow.target.metered import metered
from migration_assets.stages.shadow.target.rows import TargetRows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.catalog_models import Catalog
    from migration_assets.plan.models import Plan

Rows = Callable[[str], "ir.Table | None"]
_NUMBER = "decimal(38, 10)"
# Columns that a bill is made from; those that are exact numbers are decimals of ten places.
_READ = {
    "subscription": (
        "subscription_id", "currency", "interval", "anchor_at", "ends_at", "current_period_ends_at",
        "cancel_at_period_end", "paused_at", "resumes_at", "time_zone", "service_country", "tax_inclusive",
        "tax_exempt",
    ),
    "subscription_item": (
        "item_id", "subscription_id", "kind", "quantity", "unit_price", "price_model", "price_code", "starts_at",
        "ends_at",
    ),
    "discount": (
        "discount_id", "subscription_id", "kind", "percent", "amount_minor", "cycles_remaining", "starts_at",
    ),
    "scheduled_change": (
        "scheduled_change_id", "subscription_id", "kind", "effective_at", "new_plan_code", "new_quantity",
        "new_unit_price", "percent",
    ),
}  # fmt: skip
_BESIDE = ("usage_balance", "entitlement", "plan", "price", "price_tier")
_EXACT = frozenset({"unit_price", "percent", "new_unit_price"})


def held_rows(engine: DuckDBEngine, plan: Plan, rows: Rows) -> TargetRows:
    """`rows`: canonical rows by entity, or None where there is none of it. What is metered is catalog.yaml's, and tax
    rates are tax.csv's: no row of the target says them."""
    found = {e: canonical(engine, e, rows(e)) for e in (*_READ, *_BESIDE)}
    used = metered(
        engine,
        found["subscription"],
        found["subscription_item"],
        found["usage_balance"],
        found["entitlement"],
        _meters(engine, plan.catalog),
    )
    told = {e: _exactly(found[e], columns) for e, columns in _READ.items()}
    return TargetRows(
        **{**told, "subscription_item": packed(told["subscription_item"], found["price"])},
        plan_price=_plan_prices(found["plan"], found["price"]),
        price_step=steps_of(found["price_tier"]),
        metered=used,
        tax_rate=_tax_rates(engine, plan),
    )


def canonical(engine: DuckDBEngine, entity: str, rows: ir.Table | None) -> ir.Table:
    """Rows of an entity; none where the plan makes none."""
    return engine.table(schema_of(ENTITIES[entity].fields).to_pyarrow().empty_table()) if rows is None else rows


def _exactly(rows: ir.Table, columns: Iterable[str]) -> ir.Table:
    return rows.select(**{c: rows[c].cast(_NUMBER) if c in _EXACT else rows[c] for c in columns})


def _plan_prices(plans: ir.Table, prices: ir.Table) -> ir.Table:
    """What a plan's base product costs for one interval of the plan, by currency: at the list price, which has no code
    of its own."""
    named = prices["product_code"] + "/" + prices["interval"] + "/" + prices["currency"]
    listed = prices.filter(prices["price_code"] == named)
    priced = plans.select("plan_code", "product_code", "interval").join(listed, ["product_code", "interval"])
    return priced.select(
        "plan_code",
        "currency",
        unit_price=priced["unit_price"].cast(_NUMBER),
        price_model=priced["model"],
        price_code=priced["price_code"],
        package_size=priced["package_size"],
    )


def packed(items: ir.Table, prices: ir.Table) -> ir.Table:
    """Items with the size of the packages that their price goes by."""
    packages = prices.filter(prices["package_size"].notnull()).select("package_size", _code="price_code")
    return items.left_join(packages, items["price_code"] == packages["_code"]).drop("_code")


def steps_of(tiers: ir.Table) -> ir.Table:
    """Tiers as `TargetRows.price_step` has them."""
    nothing = ibis.literal(0).cast(_NUMBER)
    return tiers.select(
        "price_code",
        over="over_units",
        unit_price=tiers["unit_price"].cast(_NUMBER),
        fee=tiers["fee"].cast(_NUMBER).fill_null(nothing),
    )


def _meters(engine: DuckDBEngine, catalog: Catalog) -> ir.Table:
    known = [(p.code, p.meters) for p in catalog.products if p.meters]
    columns = [pa.array([k[i] for k in known], pa.string()) for i in (0, 1)]
    return engine.table(pa.table(columns, names=["product_code", "feature_code"]))


def _tax_rates(engine: DuckDBEngine, plan: Plan) -> ir.Table:
    columns = {
        "country": pa.array([r.country for r in plan.tax], pa.string()),
        "valid_from": pa.array([r.valid_from for r in plan.tax], pa.date32()),
        "percent": _numbers(r.percent for r in plan.tax),
    }
    return engine.table(pa.table(columns))


def _numbers(written: Iterable[str]) -> pa.Array:
    return pa.array([Decimal(w) for w in written], pa.decimal128(38, 10))
