"""Customers that parents, payers, contracts or identities tie together move together, and each moves exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_in_code import REST, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import CohortRule, Feed, MappingRow
from migration_assets.stages.cohorts.assign import bucket
from migration_assets.stages.cohorts.families import members
from migration_assets.stages.owners import Owners

Row = dict[str, Any]
Placed = dict[str, Row]
Place = Callable[..., Placed]

TABLES = {
    "crm.accounts": table_of("customer", "self"),
    "crm.users": table_of("user"),
    "erp.debtors": table_of("customer", "self"),
    "erp.contracts": table_of("subscription", "buyer", seller="crm.users", buyer="crm.accounts", payer="erp.debtors"),
    "erp.bills": table_of("invoice", "debtor", debtor="erp.debtors", contract="erp.contracts"),
    "erp.money": table_of("payment", "debtor", debtor="erp.debtors"),
    "erp.settled": table_of("payment_application", "money", money="erp.money", bill="erp.bills"),
}


@pytest.fixture
def place(engine: DuckDBEngine, canonical: Callable[..., Any]) -> Place:
    """`place(customers, contracts)`: `members` by customer_id, of customers as `{key: fields}`, where the field
    `identity` names the founder when it is another row."""

    def placed(
        customers: Mapping[str, Row],
        contracts: Sequence[Row] = (),
        rules: Sequence[CohortRule] = (REST,),
        **others: Sequence[Row],
    ) -> Placed:
        rows = [{"customer_id": key, **{f: v for f, v in c.items() if f != "identity"}} for key, c in customers.items()]
        known = [{"customer_id": key, "identity_id": c.get("identity", key)} for key, c in customers.items()]
        plan = plan_of(TABLES, cohorts=rules)

        def raw(table: str) -> Any:
            held = contracts if table == "erp.contracts" else others.get(table.partition(".")[2], ())
            return raw_rows(engine, *held, columns=("id", *TABLES[table].references))

        identities = raw_rows(engine, *known).drop("_row")
        found = members(engine, plan, canonical("customer", *rows), identities, Owners(engine, plan, raw))
        listed = engine.arrow(found).to_pylist()
        assert len(listed) == len(customers), "every customer is placed exactly once"
        return {r["customer_id"]: r for r in listed}

    return placed


def families(placed: Placed) -> set[frozenset[str]]:
    """Numbers of the customers of each family (keys without their table's name where it is crm.accounts)."""
    found: dict[str, set[str]] = {}
    for key, row in placed.items():
        found.setdefault(row["family_id"], set()).add(key.removeprefix("crm.accounts:"))
    return {frozenset(f) for f in found.values()}


def sets(*groups: str) -> set[frozenset[str]]:
    return {frozenset(g.split()) for g in groups}


def account(number: int | str) -> str:
    return f"crm.accounts:{number}"


def accounts(count: int, **given: Row) -> dict[str, Row]:
    """Accounts 1 to `count`; `_3={...}` gives fields of the third."""
    return {account(n): given.get(f"_{n}", {}) for n in range(1, count + 1)}


def test_a_group_moves_with_all_its_generations_and_a_stranger_does_not(place: Place) -> None:
    tree = accounts(5, _2={"parent_id": account(1)}, _3={"parent_id": account(2)}, _4={"parent_id": account(2)})
    assert families(place(tree)) == sets("1 2 3 4", "5")


def test_a_payer_moves_with_everybody_it_pays_for(place: Place) -> None:
    paid = accounts(4, _2={"payer_id": account(4)}, _3={"payer_id": account(4)})
    assert families(place(paid)) == sets("2 3 4", "1")


def test_rows_of_one_identity_move_together_with_the_families_of_each(place: Place) -> None:
    customers = accounts(3, _2={"parent_id": account(1)}) | {
        "erp.debtors:7": {"identity": account(2)},
        "erp.debtors:8": {"payer_id": "erp.debtors:7"},
    }
    placed = place(customers)
    assert families(placed) == sets("1 2 erp.debtors:7 erp.debtors:8", "3")
    assert placed["erp.debtors:7"]["identity_id"] == account(2)


def test_owner_and_payer_that_a_contract_names_move_together(place: Place) -> None:
    customers = accounts(3) | {"erp.debtors:1": {}, "erp.debtors:2": {}}
    contracts = [{"id": "c1", "buyer": "1", "payer": "2"}, {"id": "c2", "buyer": "3", "payer": "2"}]
    assert families(place(customers, contracts)) == sets("1 3 erp.debtors:2", "2", "erp.debtors:1")


def test_the_same_number_in_two_systems_is_not_one_customer(place: Place) -> None:
    customers = accounts(2) | {"erp.debtors:1": {}, "erp.debtors:2": {}}
    assert families(place(customers, [{"id": "c1", "buyer": "1", "payer": "1"}])) == sets(
        "1 erp.debtors:1", "2", "erp.debtors:2"
    )


def test_a_contract_without_a_payer_or_with_one_that_nobody_knows_ties_nobody(place: Place) -> None:
    contracts = [
        {"id": "c1", "buyer": "1", "payer": None}, {"id": "c2", "buyer": "2", "payer": "404"},
        {"id": "c3", "buyer": None, "payer": "1"}, {"id": "c4", "buyer": "404", "payer": "1"},
    ]  # fmt: skip
    assert families(place(accounts(2) | {"erp.debtors:1": {}}, contracts)) == sets("1", "2", "erp.debtors:1")


DEBTORS = {f"erp.debtors:{n}": {} for n in range(1, 5)}


def test_a_payment_moves_with_the_debtor_whose_invoice_it_settles(place: Place) -> None:
    placed = place(
        DEBTORS,
        money=[{"id": "m1", "debtor": "1"}, {"id": "m2", "debtor": "2"}],
        bills=[{"id": "b3", "debtor": "3"}, {"id": "b2", "debtor": "2"}],
        settled=[{"id": "s1", "money": "m1", "bill": "b3"}, {"id": "s2", "money": "m2", "bill": "b2"}],
    )
    assert families(placed) == sets("erp.debtors:1 erp.debtors:3", "erp.debtors:2", "erp.debtors:4")


def test_old_invoices_move_with_the_contract_that_somebody_else_has_taken_over(place: Place) -> None:
    placed = place(
        accounts(2) | DEBTORS,
        contracts=[{"id": "c1", "buyer": "2"}],
        bills=[{"id": "b1", "debtor": "1", "contract": "c1"}, {"id": "b4", "debtor": "4", "contract": "c404"}],
    )
    assert families(placed) == sets("2 erp.debtors:1", "1", "erp.debtors:2", "erp.debtors:3", "erp.debtors:4")


def test_who_is_missing_or_unknown_leaves_the_others_that_a_row_names_tied(place: Place) -> None:
    contracts = [{"id": "c1", "buyer": "0", "payer": "2"}]
    bills = [{"id": "b3", "debtor": "3", "contract": "c1"}, {"id": "b1", "debtor": None, "contract": "c1"}]
    # The way to a contract is its buyer's, whom nobody knows; its payer is another way, which bills do not go.
    assert families(place(DEBTORS, contracts, bills=bills)) == sets(*DEBTORS)
    settled = [{"id": "s", "money": "m", "bill": "b3"}]
    placed = place(DEBTORS, contracts, bills=bills, money=[{"id": "m", "debtor": "4"}], settled=settled)
    assert families(placed) == sets("erp.debtors:3 erp.debtors:4", "erp.debtors:1", "erp.debtors:2")


@pytest.fixture
def led(engine: DuckDBEngine) -> Callable[..., set[tuple[str, ...]]]:
    """`led(mapping, feed, row)`: customers that a row of erp.bills leads to by its owner `debtor` and by that mapping,
    where service 2 of place north is customer 2's."""

    def found(mapping: Sequence[MappingRow], feed: Feed, row: Row) -> set[tuple[str, ...]]:
        tables = {
            "erp.debtors": table_of("customer", "self"),
            "crm.accounts": table_of("customer", "self"),
            "erp.services": table_of("subscription", "debtor", key="place number", debtor="erp.debtors"),
            "erp.bills": table_of("invoice", "debtor", debtor="erp.debtors"),
        }
        raw = {
            "erp.services": raw_rows(
                engine,
                {"place": "north", "number": "2", "debtor": "2"},
                {"place": "south", "number": "2", "debtor": "9"},
            ),
            "erp.bills": raw_rows(engine, row),
        }
        named = Owners(engine, plan_of(tables, feeds=[feed], mapping=mapping), raw.__getitem__).named_together(
            "erp.bills"
        )
        return set() if named is None else {tuple(r.values()) for r in engine.arrow(named).to_pylist()}

    return found


BILL = feed_of("bill", "invoice", "erp.bills")
OWN, OTHER = "erp.debtors:1", "erp.debtors:2"
Led = Callable[..., set[tuple[str, ...]]]


def test_columns_that_only_the_mapping_calls_a_reference_tie_too(led: Led) -> None:
    mapping = [field_of(BILL, "subscription_id", "place number", "reference", table="erp.services")]
    assert led(mapping, BILL, {"id": "b", "debtor": "1", "place": "north", "number": "2"}) == {(OWN, OTHER)}
    assert led(mapping, BILL, {"id": "b", "debtor": "1", "place": "north", "number": None}) == {(OWN, None)}


def test_a_row_ties_to_whose_an_unpivoted_row_is_by_the_key_before_its_name(led: Led) -> None:
    mapping = [field_of(BILL, "subscription_id", "holder kind", "reference", table="erp.debtors")]
    assert led(mapping, BILL, {"id": "b", "debtor": "1", "holder": "2", "kind": "phone"}) == {(OWN, OTHER)}


def test_each_column_of_an_unpivoting_feed_ties_by_its_value(led: Led) -> None:
    feed = feed_of("bill", "invoice", "erp.bills", "first", "second")
    mapping = [
        field_of(feed, "payer_id", "_value", "reference", table="erp.debtors"),
        field_of(feed, "subscription_id", "_name", "reference", table="erp.debtors"),
    ]
    assert led(mapping, feed, {"id": "b", "debtor": "1", "first": "2", "second": None}) == {(OWN, OTHER, None)}


def test_one_column_may_lead_to_two_tables(led: Led) -> None:
    mapping = [field_of(BILL, "payer_id", "debtor", "reference", table="crm.accounts")]
    assert led(mapping, BILL, {"id": "b", "debtor": "1"}) == {(OWN, "crm.accounts:1")}


def test_two_children_of_a_parent_that_nobody_knows_are_not_a_family(place: Place) -> None:
    children = accounts(2, _1={"parent_id": account(404)}, _2={"parent_id": account(404)})
    assert families(place(children)) == sets("1", "2")


def test_a_seller_both_contracts_share_is_no_customer_and_ties_nobody(place: Place) -> None:
    contracts = [{"id": "c1", "buyer": "1", "seller": "9"}, {"id": "c2", "buyer": "2", "seller": "9"}]
    assert families(place(accounts(2), contracts)) == sets("1", "2")


def test_circles_and_a_customer_that_is_its_own_parent_and_payer_are_families_like_others(place: Place) -> None:
    circle = accounts(
        6,
        _1={"parent_id": account(3)}, _2={"parent_id": account(1)}, _3={"parent_id": account(2)},
        _4={"parent_id": account(4), "payer_id": account(4)},
        _5={"payer_id": account(6)}, _6={"payer_id": account(5)},
    )  # fmt: skip
    assert families(place(circle)) == sets("1 2 3", "4", "5 6")


def test_a_family_is_named_for_the_lowest_key_in_it_however_it_hangs_together(place: Place) -> None:
    placed = place(accounts(4, _1={"parent_id": account(3)}, _4={"payer_id": account(3)}))
    assert {key: row["family_id"] for key, row in placed.items()} == {
        account(1): account(1), account(2): account(2), account(3): account(1), account(4): account(1),
    }  # fmt: skip


def cohorts(placed: Placed) -> dict[str, str | None]:
    return {key.removeprefix("crm.accounts:"): row["cohort"] for key, row in placed.items()}


def test_the_first_rule_that_takes_any_member_takes_the_whole_family(place: Place) -> None:
    large = CohortRule(name="large", wave=2, where=(Predicate(field="segment", op="eq", value="large"),))
    named = CohortRule(name="named", wave=1, customers=("2",))
    customers = accounts(5, _1={"segment": "large"}, _2={"parent_id": account(1)}, _3={"segment": "large"},
                         _4={"payer_id": account(3)}, _5={"segment": "small"})  # fmt: skip
    assert cohorts(place(customers, rules=(named, large))) == {
        "1": "named", "2": "named", "3": "large", "4": "large", "5": None,
    }  # fmt: skip
    assert cohorts(place(customers, rules=(large, named)))["2"] == "large"


def test_a_limit_counts_families_not_customers_and_the_lowest_keys_come_first(place: Place) -> None:
    pilot = CohortRule(name="pilot", wave=0, where=(Predicate(field="country", op="eq", value="DE"),), limit=2)
    german = {"country": "DE"}
    customers = accounts(5, _2=german, _3={"parent_id": account(2), **german}, _4=german, _5=german)
    assert cohorts(place(customers, rules=(pilot,))) == {
        "1": None, "2": "pilot", "3": "pilot", "4": "pilot", "5": None,
    }  # fmt: skip


def test_what_no_rule_takes_goes_whole_into_the_bucket_of_the_familys_key(place: Place) -> None:
    rest = CohortRule(name="base", wave=1, buckets=7)
    customers = accounts(8, _8={"parent_id": account(1)}, _5={"payer_id": account(8)})
    found = cohorts(place(customers, rules=(rest,)))
    own = {str(n): rest.cohort_names[bucket(account(n), 7)] for n in range(1, 9)}
    assert found == own | {"8": own["1"], "5": own["1"]}
    assert len(set(found.values())) > 2, "one bucket for all would prove nothing"


NUMBERS = st.none() | st.integers(1, 8)
TIES = st.fixed_dictionaries(
    {
        "parents": st.lists(NUMBERS, min_size=8, max_size=8),
        "payers": st.lists(NUMBERS, min_size=8, max_size=8),
        "identities": st.lists(st.integers(1, 8), min_size=2, max_size=2),
        "contracts": st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), max_size=4),
    }
)


@given(TIES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_families_are_what_hangs_together_over_any_number_of_ties(place: Place, ties: dict[str, Any]) -> None:
    debtors = {f"erp.debtors:{n}": {"identity": account(i)} for n, i in enumerate(ties["identities"], start=1)}
    customers = debtors | {
        account(n): {"parent_id": parent and account(parent), "payer_id": payer and account(payer)}
        for n, (parent, payer) in enumerate(zip(ties["parents"], ties["payers"], strict=True), start=1)
    }
    contracts = [{"id": f"c{n}", "buyer": str(o), "payer": str(p)} for n, (o, p) in enumerate(ties["contracts"])]
    tied = [(key, c.get(f)) for key, c in customers.items() for f in ("parent_id", "payer_id", "identity")]
    tied += [(account(o), f"erp.debtors:{p}") for o, p in ties["contracts"]]
    placed = place(customers, contracts)
    assert {key: placed[key]["family_id"] for key in customers} == lowest_reachable(customers, tied)
    for row in placed.values():
        assert row["cohort"] == placed[row["family_id"]]["cohort"]


def lowest_reachable(keys: Mapping[str, Any], ties: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """The lowest key that each one reaches, by handing it along the ties until nothing changes any more."""
    lowest = {key: key for key in keys}
    both_ways = [(a, b) for a, b in ties if a in keys and b in keys]
    for _ in keys:
        for a, b in both_ways:
            lowest[a] = lowest[b] = min(lowest[a], lowest[b])
    return lowest
