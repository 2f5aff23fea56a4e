"""Random single differences, planted in the target by hand: each is named, exactly, and nothing else is."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from target_world import copy_of, order, products, template, tiny_plan, world

from migration_assets.connectors.postgres_target import Connection, PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.schema import desired_schema
from migration_assets.stages.reconcile.rows import compare_rows
from migration_assets.stages.reconcile.sides import both_sides

PLAN = tiny_plan()
# Three buckets' worth of items in each of sixteen.
CUSTOMERS = range(1, 1201)
KEYS = {
    "customers": "customer_id",
    "subscriptions": "subscription_id",
    "subscription_items": "item_id",
    "entitlements": "entitlement_id",
}
# table, key, column, kind
Line = tuple[str, str, str, str]
# Plants one difference in rows of its own; the lines that have to be listed for it.
Mutant = Callable[[Connection, "Rows"], list[Line]]


class Rows:
    """Hands out each row of the target once, at random."""

    def __init__(self, connection: Connection, rng: random.Random) -> None:
        self.rng, self._left = rng, dict[str, list[str]]()
        for table, key in KEYS.items():
            ids = [str(i) for (i,) in connection.execute(f"SELECT {key} FROM billing.{table} ORDER BY 1").fetchall()]
            rng.shuffle(ids)
            self._left[table] = ids

    def one(self, connection: Connection, table: str, where: str = "true") -> str:
        while True:
            key = self._left[table].pop()
            if connection.execute(
                f"SELECT 1 FROM billing.{table} WHERE {KEYS[table]} = %s AND {where}", [key]
            ).fetchone():
                return key


def text(column: str, change: Callable[[str], str]) -> Mutant:
    def plant(c: Connection, rows: Rows) -> list[Line]:
        key = rows.one(c, "customers", f"{column} IS NOT NULL")
        (value,) = c.execute(f"SELECT {column} FROM billing.customers WHERE customer_id = %s", [key]).fetchone() or (
            "",
        )
        assert change(value) != value
        c.execute(f"UPDATE billing.customers SET {column} = %s WHERE customer_id = %s", [change(value), key])
        return [("customers", key, column, "changed")]

    return plant


def value(table: str, column: str, to: str, where: str = "true") -> Mutant:
    def plant(c: Connection, rows: Rows) -> list[Line]:
        key = rows.one(c, table, where)
        c.execute(f"UPDATE billing.{table} SET {column} = {to} WHERE {KEYS[table]} = %s", [key])
        return [(table, key, column, "changed")]

    return plant


def swapped(c: Connection, rows: Rows) -> list[Line]:
    key = rows.one(c, "customers")
    c.execute(
        "UPDATE billing.customers SET name = customer_number, customer_number = name WHERE customer_id = %s", [key]
    )
    return [("customers", key, column, "changed") for column in ("name", "customer_number")]


def equal_sums(c: Connection, rows: Rows) -> list[Line]:
    """Two rows with each other's amount."""
    keys = [rows.one(c, "subscriptions") for _ in range(2)]
    read = "SELECT billed_to_date_minor FROM billing.subscriptions WHERE subscription_id = %s"
    amounts = [(c.execute(read, [k]).fetchone() or (0,))[0] for k in keys]
    for key, amount in zip(keys, reversed(amounts), strict=True):
        c.execute(
            "UPDATE billing.subscriptions SET billed_to_date_minor = %s WHERE subscription_id = %s", [amount, key]
        )
    return [("subscriptions", k, "billed_to_date_minor", "changed") for k in keys]


def traded_keys(c: Connection, rows: Rows) -> list[Line]:
    """Two entitlements with each other's key: the same rows but for whose they are."""
    keys = [rows.one(c, "entitlements") for _ in range(2)]
    for old, new in ((keys[0], PARKED), (keys[1], keys[0]), (PARKED, keys[1])):
        c.execute("UPDATE billing.entitlements SET entitlement_id = %s WHERE entitlement_id = %s", [new, old])
    return [("entitlements", k, "customer_id", "changed") for k in keys]


PARKED = "00000000-0000-4000-8000-000000000000"


def missing(table: str) -> Mutant:
    def plant(c: Connection, rows: Rows) -> list[Line]:
        key = rows.one(c, table)
        c.execute(f"DELETE FROM billing.{table} WHERE {KEYS[table]} = %s", [key])
        return [(table, key, "", "missing")]

    return plant


def duplicate(c: Connection, rows: Rows) -> list[Line]:
    """The same row once more under a key of its own."""
    key = rows.one(c, "subscription_items")
    (new,) = c.execute(
        "INSERT INTO billing.subscription_items SELECT gen_random_uuid(), subscription_id, product_code, quantity, "
        "currency, unit_price, recurring_minor FROM billing.subscription_items WHERE item_id = %s RETURNING item_id",
        [key],
    ).fetchone() or ("",)
    return [("subscription_items", str(new), "", "extra")]


MUTANTS: dict[str, Mutant] = {
    "trailing space": text("name", lambda v: f"{v} "),
    "leading non-breaking space": text("name", lambda v: f"\u00a0{v}"),
    "other Unicode form": text("name", lambda v: unicodedata.normalize("NFD", v)),
    "zero width": text("customer_number", lambda v: f"{v[:2]}\u200b{v[2:]}"),
    "case": text("customer_number", str.lower),
    "line end": text("name", lambda v: v.replace("\n", "\r\n")),
    "unit separator": text("name", lambda v: f"{v}\x1f"),
    "one microsecond": value("customers", "created_at", "created_at + interval '1 microsecond'"),
    "one microsecond earlier": value("subscriptions", "starts_at", "starts_at - interval '1 microsecond'"),
    "another zone": value("entitlements", "starts_at", "starts_at - interval '1 hour'"),
    "0.0001": value("subscription_items", "unit_price", "unit_price + 0.0001"),
    "last decimal": value("subscription_items", "unit_price", "unit_price - 0.00000001"),
    "sign": value("subscriptions", "billed_to_date_minor", "-billed_to_date_minor"),
    "one cent": value("subscription_items", "recurring_minor", "recurring_minor + 1"),
    "'' for NULL": value("customers", "email", "''", "email IS NULL"),
    "NULL for ''": value("customers", "email", "NULL", "email = ''"),
    "the word for NULL": value("customers", "payer_id", "customer_id", "payer_id IS NULL"),
    "false for NULL": value("subscriptions", "tax_exempt", "false", "tax_exempt IS NULL"),
    "true for false": value("subscriptions", "tax_exempt", "true", "NOT tax_exempt"),
    "an end for none": value("subscriptions", "ends_at", "'infinity'", "ends_at IS NULL"),
    "swapped columns": swapped,
    "equal sums, wrong rows": equal_sums,
    "traded keys": traded_keys,
    "duplicate": duplicate,
    "missing customer's item": missing("subscription_items"),
    "missing entitlement": missing("entitlements"),
}


@pytest.fixture(scope="module")
def many(server: str) -> Iterator[str]:
    """A database with 1,200 customers in `pilot`, to be copied."""
    with template(server) as (name, target), DuckDBEngine(memory_limit="1GB") as engine:
        apply_schema(target, desired_schema(PLAN))
        load_cohort(engine, target, PLAN, order("unassigned"), products(engine))
        load_cohort(engine, target, PLAN, order("pilot"), world(CUSTOMERS).canonical(engine))
        yield name


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.faults) for n in range(2, 21))])
def test_fifty_random_mutants_are_all_named_and_nothing_else(
    engine: DuckDBEngine, server: str, many: str, seed: int
) -> None:
    rng = random.Random(seed)
    with copy_of(server, many) as target:
        planted = _planted(target, rng, 50)
        with both_sides(engine, target, PLAN, "pilot", world(CUSTOMERS).canonical(engine)) as sides:
            found = engine.arrow(compare_rows(engine, PLAN, sides).differences).to_pylist()
    named = sorted((line["table"], line["key"], line["column"], line["kind"]) for line in found)
    assert named == sorted(line for _, lines in planted for line in lines), f"seed {seed}: {[n for n, _ in planted]}"


def _planted(target: PostgresTarget, rng: random.Random, count: int) -> list[tuple[str, list[Line]]]:
    """Mutants of random kinds, each kind once before any comes twice."""
    names = [*MUTANTS, *rng.choices(list(MUTANTS), k=count)][:count]
    rng.shuffle(names)
    with target.transaction() as c:
        c.execute("SET LOCAL session_replication_role = replica")
        rows = Rows(c, rng)
        return [(name, MUTANTS[name](c, rows)) for name in names]


def test_rows_that_are_equal_stay_in_the_target(engine: DuckDBEngine, server: str, many: str) -> None:
    """Of 2,400 items one was changed: it is the only one that is read."""
    with copy_of(server, many) as target:
        with target.transaction() as c:
            key = Rows(c, random.Random(5)).one(c, "subscription_items")
            c.execute("UPDATE billing.subscription_items SET quantity = 77 WHERE item_id = %s", [key])
        with both_sides(engine, target, PLAN, "pilot", world(CUSTOMERS).canonical(engine)) as sides:
            read: dict[str, Any] = {s.expected.table: engine.arrow(s.found).to_pylist() for s in sides.tables}
            assert {s.expected.table: s.count for s in sides.tables if s.count} == {
                "customers": 1200, "subscriptions": 1200, "subscription_items": 2400, "entitlements": 1200,
            }  # fmt: skip
    assert [(table, row["quantity"]) for table, rows in read.items() for row in rows] == [("subscription_items", 77)]
