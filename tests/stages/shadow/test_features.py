"""Features of the old system under the target's names and in its units; what nothing says is not guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_models import LegacyFeature, Read, ReadColumn
from migration_assets.stages.shadow.legacy.features import translated
from migration_assets.stages.shadow.legacy.reading import _read

FEATURES = {
    "STORAGE": LegacyFeature(feature="storage", units={"GB": "1000000000", "GiB": "1073741824"}),
    "SSO": LegacyFeature(feature="single-sign-on"),
}
GRANTS = Read(
    table="erp.item_limits",
    fields={
        "product": ReadColumn(column="item_no"),
        "feature": ReadColumn(column="feature_code"),
        "limit": ReadColumn(column="limit_value", none=("-1",)),
        "unit": ReadColumn(column="limit_unit"),
        "overage": ReadColumn(value="block"),
    },
)


def grants(*rows: tuple[str, Decimal | None, str | None]) -> list[dict[str, Any]]:
    columns = {
        "_row": pa.array(range(len(rows)), pa.int64()),
        "item_no": pa.array(["PRO"] * len(rows), pa.string()),
        "feature_code": pa.array([r[0] for r in rows], pa.string()),
        "limit_value": pa.array([r[1] for r in rows], pa.decimal128(18, 4)),
        "limit_unit": pa.array([r[2] for r in rows], pa.string()),
    }
    with DuckDBEngine() as engine:
        read = _read("grants", GRANTS, engine.table(pa.table(columns)))
        made = translated(engine, {"grants": read}, FEATURES)["grants"]
        told = engine.arrow(made.order_by("row").select("feature", "limit", "unreadable"))
        return list(told.to_pylist())


def test_a_gigabyte_is_no_gibibyte_and_a_limit_keeps_its_last_byte() -> None:
    found = grants(("STORAGE", Decimal("0.5"), "GB"), ("STORAGE", Decimal("1000.0001"), "GiB"))
    assert [r["limit"] for r in found] == [Decimal(500_000_000), Decimal("1073741931374.1824")]
    assert {r["feature"] for r in found} == {"storage"} and not any(r["unreadable"] for r in found)


def test_minus_one_is_without_limit_and_zero_is_zero_in_any_unit() -> None:
    found = grants(("SSO", Decimal(-1), None), ("SSO", Decimal(0), None), ("STORAGE", Decimal(0), None))
    assert [(r["limit"], r["unreadable"]) for r in found] == [(None, ""), (Decimal(0), ""), (Decimal(0), "")]


def test_an_unknown_feature_or_unit_cannot_be_read() -> None:
    found = grants(("FAX", Decimal(1), None), ("STORAGE", Decimal(1), "TB"), ("STORAGE", Decimal(1), None))
    assert [r["unreadable"] for r in found] == ["feature ", "unit ", "unit "]
    assert found[0]["feature"] is None and all(r["limit"] is None for r in found[1:])
