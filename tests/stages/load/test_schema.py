"""The target's schema from the plan: real constraints, made once, and differences told before anything changes."""

from __future__ import annotations

import psycopg
import pytest
from target_world import TARGET, tiny_plan

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.ddl import object_name
from migration_assets.stages.load.schema import desired_schema, parents_first

DESIRED = desired_schema(tiny_plan())


def definitions(target: PostgresTarget, table: str) -> dict[str, str]:
    with target.transaction() as c:
        found = c.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass", [table]
        )
        return dict(found.fetchall())


def test_running_twice_changes_nothing(empty_target: PostgresTarget) -> None:
    assert not apply_schema(empty_target, DESIRED).unchanged
    assert apply_schema(empty_target, DESIRED).unchanged


def test_constraints_follow_from_the_canonical_model(empty_target: PostgresTarget) -> None:
    apply_schema(empty_target, DESIRED)
    found = definitions(empty_target, "billing.subscriptions")
    assert "past_due" in found["subscriptions_status_code"]
    assert "[A-Z]{3}" in found["subscriptions_currency_currency"]
    assert found["subscriptions_customer_id_fkey"].startswith("FOREIGN KEY (customer_id) REFERENCES billing.customers")
    assert found["subscriptions_starts_at_lt_ends_at"] == "CHECK ((starts_at < ends_at))"
    customers = definitions(empty_target, "billing.customers")
    assert customers["customers_parent_id_fkey"].endswith("DEFERRABLE INITIALLY DEFERRED")
    items = definitions(empty_target, "billing.subscription_items")
    assert "REFERENCES billing.products(product_code)" in items["subscription_items_product_code_fkey"]


def test_periods_that_touch_are_allowed_and_those_that_overlap_are_not(empty_target: PostgresTarget) -> None:
    apply_schema(empty_target, DESIRED)
    insert = (
        "INSERT INTO billing.entitlements SELECT gen_random_uuid(), c, 'seats', %s, %s FROM "
        "(SELECT customer_id c FROM billing.customers) x"
    )
    with empty_target.transaction() as c:
        c.execute("INSERT INTO billing.customers (customer_id, name, kind) VALUES (gen_random_uuid(), 'x', 'person')")
        c.execute(insert, ["2025-01-01", "2025-02-01"])
        c.execute(insert, ["2025-02-01", None])
        c.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(psycopg.errors.ExclusionViolation), empty_target.transaction() as c:
        c.execute(insert, ["2025-01-31 23:59:59.999999", "2025-02-01"])
        c.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE billing.customers DROP COLUMN email", "billing.customers.email is missing (wanted: text)"),
        ("ALTER TABLE billing.subscriptions ALTER billed_to_date_minor TYPE numeric(12,2)", "is numeric(12,2)"),
        ("ALTER TABLE billing.customers ALTER email SET NOT NULL", "email demands a value"),
        ("ALTER TABLE billing.customers ADD COLUMN shoe int NOT NULL", "shoe demands a value"),
    ],
)
def test_a_target_that_cannot_fit_is_refused_and_left_alone(
    empty_target: PostgresTarget, change: str, told: str
) -> None:
    apply_schema(empty_target, DESIRED)
    with empty_target.transaction() as c:
        c.execute(change)
        c.execute("ALTER TABLE billing.customers DROP CONSTRAINT customers_kind_code")
    with pytest.raises(TargetRefused) as refused:
        apply_schema(empty_target, DESIRED)
    assert told in str(refused.value)
    assert "customers_kind_code" not in definitions(empty_target, "billing.customers")


def test_what_was_dropped_by_hand_or_changed_in_the_plan_is_made_again(empty_target: PostgresTarget) -> None:
    apply_schema(empty_target, DESIRED)
    with empty_target.transaction() as c:
        c.execute("ALTER TABLE billing.customers DROP CONSTRAINT customers_kind_code")
        c.execute("DROP INDEX billing.subscriptions_customer_id_idx")
        c.execute("REVOKE SELECT ON billing.customers FROM tiny_reader")
    assert len(apply_schema(empty_target, DESIRED).statements) == 7  # role twice, two objects, two comments, one grant
    changed = TARGET.tables["customers"].model_copy(update={"unique": (("customer_number", "kind"),)})
    plan = tiny_plan(target=TARGET.model_copy(update={"tables": {**TARGET.tables, "customers": changed}}))
    assert any("ADD CONSTRAINT" in s for s in apply_schema(empty_target, desired_schema(plan)).statements)


def test_tables_come_parents_first_whatever_the_file_says() -> None:
    names = [name for name, _ in parents_first(TARGET)]
    assert names == ["products", "customers", "subscriptions", "subscription_items", "entitlements"]


def test_long_names_stay_apart() -> None:
    first, second = object_name("a" * 48, "b" * 48), object_name("a" * 48, "b" * 47 + "c")
    assert first != second and max(len(first), len(second)) <= 63
