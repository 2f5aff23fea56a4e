"""Whatever is broken in the target by hand is named, exactly, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from target_world import World, rows, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.reconcile.rows import RowsResult, compare_rows
from migration_assets.stages.reconcile.sides import both_sides

PLAN = tiny_plan()


def reconcile(engine: DuckDBEngine, target: PostgresTarget, expected: World, cohort: str = "pilot") -> RowsResult:
    with both_sides(engine, target, PLAN, cohort, expected.canonical(engine)) as sides:
        return compare_rows(engine, PLAN, sides)


def named(engine: DuckDBEngine, result: RowsResult) -> set[tuple]:
    lines = engine.arrow(result.differences).to_pylist()
    assert len(lines) == len({(r["table"], r["key"], r["column"]) for r in lines})
    return {(r["table"], r["surrogate"], r["column"], r["kind"], r["amount_minor"]) for r in lines}


def run(target: PostgresTarget, *statements: str) -> None:
    with target.transaction() as c:
        c.execute("SET LOCAL session_replication_role = replica")  # a hand that breaks things stops at no foreign key
        for statement in statements:
            c.execute(statement)


def of(entity: str, source_id: str) -> str:
    return f"(SELECT target_id FROM cutover.crosswalk WHERE entity = '{entity}' AND source_id = '{source_id}')"


def test_what_was_loaded_is_found(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]) -> None:
    target, pilot = loaded
    result = reconcile(engine, target, pilot)
    assert result.ok and named(engine, result) == set()
    assert [(t.table, t.expected, t.found) for t in result.tables] == [
        ("customers", 6, 6), ("subscriptions", 6, 6), ("subscription_items", 12, 12), ("entitlements", 6, 6),
    ]  # fmt: skip


def test_a_row_of_the_catalog_is_in_the_target_when_its_code_is(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, _ = loaded
    fed = {"product": rows(engine, "product", [
        {"product_code": code, "name": code, "kind": "base", "source_system": "erp", "source_table": "items",
         "source_id": code} for code in ("base", "gone")
    ])}  # fmt: skip
    with both_sides(engine, target, PLAN, "unassigned", fed) as sides:
        result = compare_rows(engine, PLAN, sides)
    held = engine.arrow(sides.crosswalk.filter(sides.crosswalk.entity == "product")).to_pylist()
    assert held == [{"entity": "product", "source_system": "erp", "source_table": "items", "source_id": "base"}]
    assert [(t.expected, t.found, t.missing) for t in result.tables if t.table == "products"] == [(2, 1, 1)]


SUBSCRIPTION, CUSTOMER = of("subscription", "3"), of("customer", "2")
BREAKS = {
    "deleted row": (
        f"DELETE FROM billing.subscriptions WHERE subscription_id = {SUBSCRIPTION}",
        ("subscriptions", "erp.contracts#3", "", "missing", 3000),
    ),
    "one cent": (
        f"UPDATE billing.subscriptions SET billed_to_date_minor = 3001 WHERE subscription_id = {SUBSCRIPTION}",
        ("subscriptions", "erp.contracts#3", "billed_to_date_minor", "changed", 1),
    ),
    "last decimal": (
        f"UPDATE billing.subscription_items SET unit_price = unit_price + 0.00000001 WHERE item_id = "
        f"{of('subscription_item', '31')}",
        ("subscription_items", "erp.positions#31", "unit_price", "changed", None),
    ),
    "trailing space": (
        f"UPDATE billing.customers SET name = name || ' ' WHERE customer_id = {CUSTOMER}",
        ("customers", "crm.accounts#2", "name", "changed", None),
    ),
    "NULL to empty": (
        f"UPDATE billing.customers SET email = '' WHERE customer_id = {of('customer', '3')}",
        ("customers", "crm.accounts#3", "email", "changed", None),
    ),
    "empty to NULL": (
        f"UPDATE billing.customers SET email = NULL WHERE customer_id = {CUSTOMER}",
        ("customers", "crm.accounts#2", "email", "changed", None),
    ),
    "one microsecond": (
        "UPDATE billing.customers SET created_at = created_at + interval '1 microsecond' "
        f"WHERE customer_id = {CUSTOMER}",
        ("customers", "crm.accounts#2", "created_at", "changed", None),
    ),
    "another owner": (
        f"UPDATE billing.subscriptions SET customer_id = {CUSTOMER} WHERE subscription_id = {SUBSCRIPTION}",
        ("subscriptions", "erp.contracts#3", "customer_id", "changed", None),
    ),
    "extra row of a customer": (
        "INSERT INTO billing.subscriptions SELECT gen_random_uuid(), customer_id, status, currency, starts_at, ends_at,"
        f" tax_exempt, 5 FROM billing.subscriptions WHERE subscription_id = {SUBSCRIPTION}",
        ("subscriptions", None, "", "extra", 5),
    ),
    "extra row of a parent": (
        "INSERT INTO billing.subscription_items "
        "SELECT gen_random_uuid(), subscription_id, product_code, 1, currency, 1, 7"
        f" FROM billing.subscription_items WHERE item_id = {of('subscription_item', '31')}",
        ("subscription_items", None, "", "extra", 7),
    ),
    "derived row": (
        f"DELETE FROM billing.entitlements WHERE customer_id = {CUSTOMER}",
        ("entitlements", "erp.contracts#2", "", "missing", None),
    ),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_exactly_the_broken_row_is_named(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], broken: str
) -> None:
    target, pilot = loaded
    statement, expected = BREAKS[broken]
    run(target, statement)
    result = reconcile(engine, target, pilot)
    assert named(engine, result) == {expected} and not result.ok
    assert reconcile(engine, target, world(range(11, 17)), "wave_1").ok


def test_ids_that_were_swapped_in_the_crosswalk_are_named(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, pilot = loaded
    run(
        target,
        "UPDATE cutover.crosswalk x SET target_id = o.target_id FROM cutover.crosswalk o WHERE x.entity = 'customer' "
        "AND o.entity = 'customer' AND (x.source_id, o.source_id) IN (('1', '2'), ('2', '1'))",
    )
    result = reconcile(engine, target, pilot)
    found = {(table, surrogate, column) for table, surrogate, column, _, _ in named(engine, result)}
    own = {("customers", f"crm.accounts#{n}", "customer_id") for n in (1, 2)}
    theirs = {("subscriptions", f"erp.contracts#{n}", "customer_id") for n in (1, 2)}
    assert own | theirs <= found
    assert {surrogate.partition("#")[2][0] for _, surrogate, _ in found} == {"1", "2"}


def test_an_id_that_the_writing_side_made_wrong_everywhere_is_named(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    """Target and crosswalk agree with each other, and neither with the rule."""
    target, pilot = loaded
    item = of("subscription_item", "31")
    run(
        target,
        f"UPDATE billing.subscription_items SET item_id = gen_random_uuid() WHERE item_id = {item}",
        "UPDATE cutover.crosswalk SET target_id = (SELECT item_id FROM billing.subscription_items i WHERE NOT EXISTS "
        "(SELECT FROM cutover.crosswalk x WHERE x.target_id = i.item_id)) "
        "WHERE entity = 'subscription_item' AND source_id = '31'",
    )
    kinds = sorted(
        (table, column, kind) for table, _, column, kind, _ in named(engine, reconcile(engine, target, pilot))
    )
    assert kinds == [("subscription_items", "", "extra"), ("subscription_items", "", "missing")]


def test_swapped_columns_name_both(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]) -> None:
    target, pilot = loaded
    swap = "UPDATE billing.customers SET name = customer_number, customer_number = name"
    run(target, f"{swap} WHERE customer_id = {CUSTOMER}")
    assert {(c, k) for _, _, c, k, _ in named(engine, reconcile(engine, target, pilot))} == {
        ("name", "changed"), ("customer_number", "changed"),
    }  # fmt: skip


def test_a_stranger_who_points_at_nobody_is_unassigned(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, pilot = loaded
    run(target, "INSERT INTO billing.customers (customer_id, name, kind) VALUES (gen_random_uuid(), 'x', 'person')")
    assert reconcile(engine, target, pilot).ok
    catalog = World({"product": [{"product_code": "base", "name": "Base", "kind": "base"}]})
    assert named(engine, reconcile(engine, target, catalog, "unassigned")) == {("customers", None, "", "extra", None)}


def test_a_row_that_should_be_there_and_never_was_is_missing(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, _ = loaded
    assert [(t.table, t.missing) for t in reconcile(engine, target, world(range(1, 8))).tables if t.missing] == [
        ("customers", 1), ("subscriptions", 1), ("subscription_items", 2), ("entitlements", 1),
    ]  # fmt: skip


def test_nothing_where_there_should_be_nothing_is_no_table(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    target, _ = loaded
    assert reconcile(engine, target, World({}), "empty").tables == ()


TEXTS = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(TEXTS, min_size=6, max_size=6),
    money=st.lists(st.none() | st.integers(-9, 9), min_size=6, max_size=6),
)
def test_the_difference_is_what_python_says_it_is(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], values: list[str | None], money: list[int | None]
) -> None:
    """Any texts and amounts in the target: the list names exactly the fields that are not equal."""
    target, pilot = loaded
    with target.transaction() as c:
        for n, (value, amount) in enumerate(zip(values, money, strict=True), start=1):
            c.execute(f"UPDATE billing.customers SET email = %s WHERE customer_id = {of('customer', str(n))}", [value])
            c.execute(
                "UPDATE billing.subscriptions SET billed_to_date_minor = %s "
                f"WHERE subscription_id = {of('subscription', str(n))}", [amount],
            )  # fmt: skip
    expected = set()
    for n, (value, amount) in enumerate(zip(values, money, strict=True), start=1):
        billed = pilot.one("subscription", n)["billed_to_date_minor"]
        if pilot.one("customer", n)["email"] != value:
            expected.add(("customers", f"crm.accounts#{n}", "email", "changed", None))
        if billed != amount:
            gap = abs(billed - (amount or 0))
            expected.add(("subscriptions", f"erp.contracts#{n}", "billed_to_date_minor", "changed", gap))
    assert named(engine, reconcile(engine, target, pilot)) == expected
