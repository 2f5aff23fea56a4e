"""The reviewed checks about told values, each shown a case it has to catch and one it has to let pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import load_suite
from migration_assets.stages.cleanse.enrich import ENRICHMENTS
from migration_assets.stages.cleanse.services import rules_table

EXPECTATIONS = Path(__file__).parents[3] / "expectations"


@pytest.fixture
def verdict(engine: DuckDBEngine, tmp_path: Path) -> Callable[..., bool]:
    """Whether a check of an asset passes on these tables."""

    def judge(asset: str, check: str, **tables: Any) -> bool:
        whole = load_suite(EXPECTATIONS / f"{asset}.yaml")
        suite = whole.model_copy(update={"rules": tuple(r for r in whole.rules if r.check == check)})
        files = {name: tmp_path / f"{name}.parquet" for name in tables}
        for name, table in tables.items():
            engine.write(table, files[name])
        (result,) = run_suite(suite, files, may_be_empty={"enrichments", "enrichment_rules"})
        return result.passed

    return judge


@pytest.fixture
def told(engine: DuckDBEngine) -> Callable[..., Any]:
    """Table `enrichments` of these (entity, row_key, field)."""

    def table(*values: tuple[str, str, str], **changes: Any) -> Any:
        import pyarrow as pa

        said = {"rule": "r", "source": "s", "confidence": 0.5, "lawful_basis": "contract", "as_of": 0, **changes}
        rows = [{"entity": e, "row_key": k, "field": f, **said} for e, k, f in values]
        return engine.table(pa.Table.from_pylist(rows, schema=ENRICHMENTS.to_pyarrow()))

    return table


@pytest.mark.parametrize(
    ("service_country", "status", "values", "passes"),
    [
        (None, "active", [("customer", "crm.a:1", "country")], False),
        # The contract says it, nothing hangs on it any more, or what was told is something else or somebody else's.
        ("DE", "active", [("customer", "crm.a:1", "country")], True),
        (None, "cancelled", [("customer", "crm.a:1", "country")], True),
        (None, "active", [("customer", "crm.a:1", "time_zone"), ("customer", "crm.a:2", "country")], True),
        (None, "active", [], True),
    ],
)
def test_tax_never_goes_by_a_told_country_unseen(
    verdict, told, canonical, service_country, status, values, passes
) -> None:
    contract = {
        "subscription_id": "erp.s:1",
        "customer_id": "crm.a:1",
        "status": status,
        "service_country": service_country,
    }
    tables = {"subscription": canonical("subscription", contract), "enrichments": told(*values)}
    assert verdict("transformed_entitlements", "subscription_tax_country_not_told", **tables) is passes


@pytest.mark.parametrize(("status", "passes"), [("active", False), ("prospect", True)])
def test_a_told_country_of_an_active_customer_is_listed(verdict, told, canonical, status, passes) -> None:
    tables = {
        "customer": canonical("customer", {"customer_id": "crm.a:1", "status": status}),
        "enrichments": told(("customer", "crm.a:1", "country")),
    }
    assert verdict("cleansed_customers", "customer_active_country_not_told", **tables) is passes


@pytest.mark.parametrize(("status", "passes"), [("erased", False), ("active", True)])
def test_nothing_is_told_of_the_erased(verdict, told, canonical, status, passes) -> None:
    tables = {
        "customer": canonical("customer", {"customer_id": "crm.a:1", "status": status}),
        "enrichments": told(("customer", "crm.a:1", "language")),
    }
    assert verdict("cleansed_customers", "enrichments_not_of_the_erased", **tables) is passes


def test_a_told_value_says_all_about_itself_and_once(verdict, told) -> None:
    one = ("customer", "crm.a:1", "language")
    assert verdict("cleansed_customers", "enrichments_complete", enrichments=told(one))
    assert not verdict("cleansed_customers", "enrichments_complete", enrichments=told(one, lawful_basis=None))
    assert verdict("cleansed_customers", "enrichments_once", enrichments=told(one, ("contact", *one[1:])))
    assert not verdict("cleansed_customers", "enrichments_once", enrichments=told(one, one))


@pytest.mark.parametrize(
    ("unanswered", "required", "refused", "failing"),
    [
        (0, True, 0, set()),
        (2, False, 0, {"enrichment_services_answered"}),
        (2, True, 0, {"enrichment_services_answered", "enrichment_required_services_answered"}),
        (0, False, 1, {"enrichment_answers_usable"}),
    ],
)
def test_a_failing_service_is_a_finding_and_stops_the_cohort_only_where_it_is_required(
    verdict, engine, unanswered, required, refused, failing
) -> None:
    import pyarrow as pa

    row = {"rule": "r", "unanswered": unanswered, "required": required, "refused": refused}
    rules = engine.table(pa.Table.from_pylist([row], schema=rules_table([], {}).schema))
    checks = ("enrichment_services_answered", "enrichment_required_services_answered", "enrichment_answers_usable")
    assert {c for c in checks if not verdict("cleansed_customers", c, enrichment_rules=rules)} == failing
    severity = {r.check: r.severity for r in load_suite(EXPECTATIONS / "cleansed_customers.yaml").rules}
    assert [severity[c] for c in checks] == ["warning", "critical", "warning"]
