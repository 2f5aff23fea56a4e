"""What has left the source stays in the target while others there point at it, and not a load longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from target_world import TARGET, World, membership, order, products, rows, sourced, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import TargetTable
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.customers import Membership
from migration_assets.stages.load.order import LoadResult
from migration_assets.stages.load.schema import desired_schema
from migration_assets.wiring.loading import loaded_table

_CUSTOMERS = TARGET.tables["customers"]
WITH_USERS = TARGET.model_copy(
    update={
        "tables": {
            **TARGET.tables,
            "users": TargetTable(
                entity="user", columns={"user_id": "user_id", "name": "name", "email": "email"}, unique=(("email",),)
            ),
            "customers": _CUSTOMERS.model_copy(update={"columns": _CUSTOMERS.columns | {"seller": "owner_user_id"}}),
        }
    }
)
PLAN = tiny_plan(target=WITH_USERS)


def ask(target: PostgresTarget, query: str) -> list[Any]:
    with target.transaction() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def load(engine: DuckDBEngine, empty_target: PostgresTarget) -> Callable[..., LoadResult]:
    """`load("pilot", {"customer": [...]})`, into a target with users, of entities without rows where none are given."""
    apply_schema(empty_target, desired_schema(PLAN))
    load_cohort(engine, empty_target, PLAN, order("unassigned"), products(engine))

    def loaded(cohort: str, records: Mapping[str, Any], **given: Any) -> LoadResult:
        canonical = {entity: rows(engine, entity, held) for entity, held in records.items()}
        return load_cohort(engine, empty_target, PLAN, order(cohort), canonical, **given)

    return loaded


def user(number: int) -> dict[str, Any]:
    return sourced("crm.users", number, "user_id", name=f"Seller {number}", email=f"{number}@x.test", status="active")


def customer(number: int, **fields: Any) -> dict[str, Any]:
    return {**world(range(number, number + 1)).one("customer", number), **fields}


def users(target: PostgresTarget) -> list[str]:
    return [name for (name,) in ask(target, "SELECT name FROM billing.users ORDER BY 1")]


def test_a_seller_who_left_goes_when_no_customer_has_him_any_more(
    load: Callable[..., LoadResult], empty_target: PostgresTarget
) -> None:
    load("unassigned", {"user": [user(1), user(2)]})
    load("pilot", {"customer": [customer(1, owner_user_id="crm.users:1")]})
    for _ in range(2):
        left = load("unassigned", {"user": [user(2)]})
        (counts,) = (t for t in left.tables if t.table == "users")
        assert (counts.spared, counts.deleted, counts.planned, counts.found) == (1, 0, 1, 2)
        assert loaded_table(left).column("rejected").to_pylist() == [0], "it is left there, and not a row too many"
        assert users(empty_target) == ["Seller 1", "Seller 2"]
    record = "SELECT cohort FROM cutover.crosswalk WHERE entity = 'user' AND source_id = '1'"
    assert ask(empty_target, record) == [("unassigned",)]
    load("pilot", {"customer": [customer(1, owner_user_id="crm.users:2")]})
    assert load("unassigned", {"user": [user(2)]}).rows_removed == 1
    assert users(empty_target) == ["Seller 2"]
    assert ask(empty_target, record) == []


def test_a_seller_whom_nobody_has_goes_at_once(load: Callable[..., LoadResult], empty_target: PostgresTarget) -> None:
    load("unassigned", {"user": [user(1), user(2)]})
    assert load("unassigned", {"user": [user(2)]}).rows_removed == 1
    assert users(empty_target) == ["Seller 2"]


def test_a_seller_with_a_new_number_and_the_same_address_takes_the_place_of_the_old_one(
    load: Callable[..., LoadResult], empty_target: PostgresTarget
) -> None:
    load("unassigned", {"user": [user(1), user(2)]})
    load("pilot", {"customer": [customer(1, owner_user_id="crm.users:1"), customer(2, owner_user_id="crm.users:2")]})
    left = load("unassigned", {"user": [user(2), user(3) | {"email": "1@x.test"}]})
    (counts,) = (t for t in left.tables if t.table == "users")
    assert (counts.inserted, counts.deleted, counts.spared) == (1, 1, 0)
    assert left.rows_written == 3, "the two users, and the customer that was led from one to the other"
    sellers = "SELECT u.name FROM billing.customers c JOIN billing.users u ON u.user_id = c.seller ORDER BY 1"
    assert ask(empty_target, sellers) == [("Seller 2",), ("Seller 3",)]


def test_a_chain_of_parents_that_all_left_stays_for_the_child_of_the_last(
    engine: DuckDBEngine, load: Callable[..., LoadResult], empty_target: PostgresTarget
) -> None:
    tree = [customer(1), customer(2, parent_id="crm.accounts:1"), customer(3, parent_id="crm.accounts:2"), customer(4)]
    load("pilot", {"customer": tree})
    load("base", {"customer": [customer(5, parent_id="crm.accounts:3")]})
    now = membership(engine, {"pilot": (4,), "base": (5,)})
    first = load("pilot", {"customer": [customer(4)]}, membership=now)
    assert first.rows_removed == 0
    held = "SELECT source_id FROM cutover.crosswalk WHERE cohort = 'base' ORDER BY 1"
    assert ask(empty_target, held) == [("1",), ("2",), ("3",), ("5",)]
    assert first.receivers == ("base",), "base has to be loaded after this"
    then = load("base", {"customer": [customer(5)]}, membership=now)
    assert then.receivers == ()
    assert then.rows_removed == 3
    assert ask(empty_target, "SELECT count(*) FROM billing.customers") == [(2,)]


def test_rows_led_to_a_survivor_count_as_written(engine: DuckDBEngine, load: Callable[..., LoadResult]) -> None:
    load("pilot", {"customer": [customer(1), customer(2)]})
    load("base", {"customer": [customer(3, payer_id="crm.accounts:1")]})
    now = membership(engine, {"pilot": (1, 2), "base": (3,)}, into={1: 2})
    merged = {"entity": ["customer"], "key": ["crm.accounts:1"], "into_key": ["crm.accounts:2"]}
    redirects = rows_of(engine, merged)
    done = load("pilot", {"customer": [customer(2)]}, redirects=redirects, membership=now)
    (counts,) = done.tables
    assert (counts.led, counts.deleted, counts.updated, done.rows_written) == (1, 1, 0, 2)


def rows_of(engine: DuckDBEngine, columns: Mapping[str, list[str]]) -> Any:
    import pyarrow as pa

    return engine.table(pa.table(dict(columns)))


def test_what_was_derived_from_a_contract_goes_with_it_whichever_cohort_is_loaded_first(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    """Contract 1 goes to customer 2; there it grants nothing any more, and customer 1 has bought the same elsewhere."""
    plan, before = tiny_plan(), world(range(1, 3))
    before.records["customer"][1]["parent_id"] = None
    load_cohort(engine, target, plan, order("pilot"), of(before, 1).canonical(engine))
    load_cohort(engine, target, plan, order("base"), of(before, 2).canonical(engine))
    now = membership(engine, {"pilot": (1,), "base": (2,)}, contracts={1: "base", 2: "base", 3: "pilot"})
    base, pilot = of(before, 2), of(before, 1)
    base.records["subscription"].append(before.one("subscription", 1) | {"customer_id": "crm.accounts:2"})
    base.records["subscription_item"] += of(before, 1).records["subscription_item"]
    third = {"source_id": "3", "source_row": 3, "subscription_id": "erp.contracts:3"}
    pilot.records["subscription"] = [before.one("subscription", 1) | third]
    pilot.records["subscription_item"] = []
    pilot.records["entitlement"] = [before.one("entitlement", 1) | {"entitlement_id": "erp.contracts:3/seats/0"}]
    came = load_cohort(engine, target, plan, order("base"), base.canonical(engine), membership=now)
    assert (came.rows_removed, came.handed_over) == (1, 1), "the entitlement of the contract that came"
    left = load_cohort(engine, target, plan, order("pilot"), pilot.canonical(engine), membership=now)
    assert (left.rows_removed, left.handed_over) == (0, 0)
    found = ask(target, "SELECT count(*), count(DISTINCT customer_id) FROM billing.entitlements")
    assert found == [(2, 2)]


@pytest.fixture
def without_contract(engine: DuckDBEngine) -> Callable[..., Membership]:
    """Contract 1 of customer 1, who is the pilot's, with its positions lies in this cohort, and is rejected there."""

    def placed(cohort: str, rejected: bool = True) -> Membership:
        now = membership(engine, {"pilot": (1,), "base": (2,)}, contracts={1: cohort, 2: "base"})
        keys = {
            "source_system": ["erp"] * 3, "source_table": ["contracts", "positions", "positions"],
            "source_id": ["1", "11", "12"],
        }  # fmt: skip
        return replace(now, left_out=rows_of(engine, keys)) if rejected else now

    return placed


@pytest.mark.parametrize("loaded_before", [True, False], ids=["again", "first_load"])
def test_what_is_rejected_in_its_new_cohort_goes_there_too(
    engine: DuckDBEngine, target: PostgresTarget, without_contract: Callable[..., Membership], loaded_before: bool
) -> None:
    plan, before = tiny_plan(), world(range(1, 3))
    before.records["customer"][1]["parent_id"] = None
    load_cohort(engine, target, plan, order("pilot"), of(before, 1).canonical(engine))
    if loaded_before:
        load_cohort(engine, target, plan, order("base"), of(before, 2).canonical(engine))
    now = without_contract("base")
    came = load_cohort(engine, target, plan, order("base"), of(before, 2).canonical(engine), membership=now)
    assert (came.rows_removed, came.handed_over) == (4, 4), "contract, two positions and what they entitled to"


def test_a_contract_whose_customer_is_missing_stays_until_the_customers_cohort_gives_it_away(
    engine: DuckDBEngine, target: PostgresTarget, without_contract: Callable[..., Membership]
) -> None:
    """Its cohort may be stopped just because customers are missing by mistake."""
    plan, before = tiny_plan(), world(range(1, 3))
    before.records["customer"][1]["parent_id"] = None
    load_cohort(engine, target, plan, order("pilot"), of(before, 1).canonical(engine))
    none = {e: rows(engine, e, []) for e in before.records}
    orphans = without_contract("unassigned")
    assert load_cohort(engine, target, plan, order("unassigned"), none, membership=orphans).rows_removed == 0
    alone = of(before, 1)
    alone.records = {e: rs if e == "customer" else [] for e, rs in alone.records.items()}
    given = load_cohort(engine, target, plan, order("pilot"), alone.canonical(engine), membership=orphans)
    assert (given.rows_removed, given.handed_over) == (0, 4)
    assert load_cohort(engine, target, plan, order("unassigned"), none, membership=orphans).rows_removed == 4


def test_a_seller_whom_only_a_leftover_names_does_not_stop_the_reference_data(
    engine: DuckDBEngine, load: Callable[..., LoadResult], empty_target: PostgresTarget
) -> None:
    load("unassigned", {"user": [user(1), user(2)]})
    load("pilot", {"customer": [customer(1, owner_user_id="crm.users:1")]})
    now = membership(engine, {"base": (5,)})
    assert load("base", {"customer": [customer(5)]}, membership=now).handed_over == 1, "no cohort has customer 1 now"
    assert load("unassigned", {"user": [user(2)]}).rows_removed == 0
    whole = {"user": [user(2)], "customer": []}
    assert load("unassigned", whole, membership=now).rows_removed == 2
    assert users(empty_target) == ["Seller 2"]


def test_a_rejected_contract_that_was_kept_for_others_goes_when_its_cohort_is_loaded_again(
    engine: DuckDBEngine, target: PostgresTarget, without_contract: Callable[..., Membership]
) -> None:
    """The positions still lie with the old cohort, so the contract stays until that one has let go of them."""
    plan, before = tiny_plan(), world(range(1, 3))
    before.records["customer"][1]["parent_id"] = None
    load_cohort(engine, target, plan, order("pilot"), of(before, 1).canonical(engine))
    load_cohort(engine, target, plan, order("base"), of(before, 2).canonical(engine))
    now = without_contract("base")
    assert now.left_out is not None
    now = replace(now, left_out=now.left_out.filter(now.left_out["source_table"] == "contracts"))
    base = of(before, 2).canonical(engine)
    first = load_cohort(engine, target, plan, order("base"), base, membership=now)
    assert first.receivers == ("pilot",), "the contract is kept for its positions"
    alone = of(before, 1)
    alone.records = {e: rs if e == "customer" else [] for e, rs in alone.records.items()}
    then = load_cohort(engine, target, plan, order("pilot"), alone.canonical(engine), membership=now)
    assert then.receivers == ("base",)
    load_cohort(engine, target, plan, order("base"), base, membership=now)
    assert ask(target, "SELECT count(*) FROM billing.subscriptions") == [(1,)]


def of(whole: World, number: int) -> World:
    """What is of one customer."""
    return World({e: [r for r in rs if str(r["source_row"])[0] == str(number)] for e, rs in whole.records.items()})
