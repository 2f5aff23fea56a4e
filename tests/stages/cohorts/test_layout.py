"""Every row of every source table belongs to exactly one cohort: its customer's, or `unassigned` when it has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_in_code import plan_of, raw_rows, table_of

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.plan.source_models import SourceTable
from migration_assets.stages.cohorts.layout import Layout
from migration_assets.stages.owners import Owners

Row = dict[str, Any]
LayOut = Callable[..., Layout]

# A usage row finds its customer over a position, its contract and the account.
TABLES = {
    "crm.accounts": table_of("customer", "self"),
    "crm.users": table_of("user"),
    "erp.contracts": table_of("subscription", "account", account="crm.accounts", seller="crm.users"),
    "erp.positions": table_of("subscription_item", "contract", contract="erp.contracts"),
    "erp.usage": table_of("usage_event", "position", position="erp.positions"),
}


@pytest.fixture
def lay_out(engine: DuckDBEngine) -> LayOut:
    """`lay_out({"1": "pilot"}, accounts=[...])`: accounts by cohort (None: no rule took them), and rows by table."""

    def laid(
        cohorts: Mapping[str, str | None], tables: Mapping[str, SourceTable] = TABLES, **rows: Sequence[Row]
    ) -> Layout:
        placed = [{"customer_id": f"crm.accounts:{n}", "cohort": cohort} for n, cohort in cohorts.items()]
        members = raw_rows(engine, *placed, columns=("customer_id", "cohort")).drop("_row")
        raw = {
            t: raw_rows(engine, *rows.get(t.partition(".")[2], ()), columns=(*declared.key, *declared.references))
            for t, declared in tables.items()
        }
        return Layout(engine, raw.__getitem__, Owners(engine, plan_of(tables), raw.__getitem__), members)

    return laid


def cohorts_of(engine: DuckDBEngine, layout: Layout, table: str, key: str = "id") -> list[tuple[str, str]]:
    """(id, cohort) of each row, in the order of the rows."""
    found = engine.arrow(layout.rows_with_cohort(table).order_by("_row")).to_pylist()
    return [(r[key], r["_cohort"]) for r in found]


def test_a_customer_row_is_in_the_cohort_of_its_own(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot", "2": "base_01"}, accounts=[{"id": "2"}, {"id": "1"}])
    assert cohorts_of(engine, layout, "crm.accounts") == [("2", "base_01"), ("1", "pilot")]


def test_a_row_follows_its_owner_over_as_many_tables_as_it_takes(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out(
        {"1": "pilot", "2": "base_01"},
        accounts=[{"id": "1"}, {"id": "2"}],
        contracts=[{"id": "c1", "account": "2"}, {"id": "c2", "account": "1"}],
        positions=[{"id": "p1", "contract": "c2"}, {"id": "p2", "contract": "c1"}, {"id": "p3", "contract": "c1"}],
        usage=[{"id": "u1", "position": "p3"}, {"id": "u2", "position": "p1"}],
    )
    assert cohorts_of(engine, layout, "erp.contracts") == [("c1", "base_01"), ("c2", "pilot")]
    assert cohorts_of(engine, layout, "erp.positions") == [("p1", "pilot"), ("p2", "base_01"), ("p3", "base_01")]
    assert cohorts_of(engine, layout, "erp.usage") == [("u1", "base_01"), ("u2", "pilot")]


def test_reference_data_belongs_to_nobody(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot"}, users=[{"id": "1"}])
    assert cohorts_of(engine, layout, "crm.users") == [("1", UNASSIGNED)]


def test_a_row_without_an_owner_or_with_one_that_nobody_knows_is_unassigned(
    engine: DuckDBEngine, lay_out: LayOut
) -> None:
    contracts = [{"id": "c1", "account": None}, {"id": "c2", "account": "404"}, {"id": "c3", "account": "1"}]
    layout = lay_out({"1": "pilot"}, contracts=contracts)
    assert cohorts_of(engine, layout, "erp.contracts") == [("c1", UNASSIGNED), ("c2", UNASSIGNED), ("c3", "pilot")]


def test_a_chain_that_breaks_in_the_middle_leaves_all_below_it_unassigned(
    engine: DuckDBEngine, lay_out: LayOut
) -> None:
    layout = lay_out(
        {"1": "pilot"},
        contracts=[{"id": "c1", "account": "404"}],
        positions=[{"id": "p1", "contract": "c1"}, {"id": "p2", "contract": "404"}, {"id": "p3", "contract": None}],
        usage=[{"id": f"u{n}", "position": f"p{n}"} for n in range(1, 4)],
    )
    assert {c for _, c in cohorts_of(engine, layout, "erp.positions")} == {UNASSIGNED}
    assert cohorts_of(engine, layout, "erp.usage") == [("u1", UNASSIGNED), ("u2", UNASSIGNED), ("u3", UNASSIGNED)]


def test_a_customer_that_no_rule_took_takes_its_rows_to_unassigned(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": None}, accounts=[{"id": "1"}], contracts=[{"id": "c1", "account": "1"}])
    assert cohorts_of(engine, layout, "crm.accounts") == [("1", UNASSIGNED)]
    assert cohorts_of(engine, layout, "erp.contracts") == [("c1", UNASSIGNED)]


def test_a_customer_row_that_became_no_customer_is_unassigned(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot"}, accounts=[{"id": "1"}, {"id": "2"}])
    assert cohorts_of(engine, layout, "crm.accounts") == [("1", "pilot"), ("2", UNASSIGNED)]


def test_a_row_is_never_owned_through_another_of_its_references(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot"}, users=[{"id": "1"}], contracts=[{"id": "c1", "account": None, "seller": "1"}])
    assert cohorts_of(engine, layout, "erp.contracts") == [("c1", UNASSIGNED)]


def test_a_key_that_comes_twice_on_the_way_doubles_nothing(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out(
        {"1": "pilot", "2": "base_01"},
        contracts=[{"id": "c1", "account": "2"}, {"id": "c1", "account": "1"}, {"id": "c1", "account": None}],
        positions=[{"id": "p1", "contract": "c1"}],
    )
    assert cohorts_of(engine, layout, "erp.contracts") == [("c1", "base_01"), ("c1", "pilot"), ("c1", UNASSIGNED)]
    assert cohorts_of(engine, layout, "erp.positions") == [("p1", "pilot")]


def test_a_customer_key_that_comes_twice_leaves_both_rows_in_its_cohort(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot"}, accounts=[{"id": "1"}, {"id": "1"}])
    assert cohorts_of(engine, layout, "crm.accounts") == [("1", "pilot"), ("1", "pilot")]


def test_a_customer_with_a_key_of_two_columns_is_found_by_both(engine: DuckDBEngine, lay_out: LayOut) -> None:
    tables = {"crm.accounts": table_of("customer", "self", key="region id")}
    accounts = [{"region": "EU", "id": "1"}, {"region": "US", "id": "1"}]
    layout = lay_out({"EU/1": "pilot", "US/1": "base_01"}, tables, accounts=accounts)
    assert cohorts_of(engine, layout, "crm.accounts", "region") == [("EU", "pilot"), ("US", "base_01")]


def test_numbers_in_one_table_match_the_same_numbers_as_text_in_another(engine: DuckDBEngine) -> None:
    raw = {
        "crm.accounts": raw_rows(engine, {"id": 1}, {"id": 2}, id=pa.int64()),
        "erp.contracts": raw_rows(engine, {"id": 10, "account": "2"}, id=pa.int64()),
        "erp.positions": raw_rows(engine, {"id": "p1", "contract": "10"}),
    }
    members = raw_rows(engine, {"customer_id": "crm.accounts:2", "cohort": "pilot"})
    layout = Layout(engine, raw.__getitem__, Owners(engine, plan_of(TABLES), raw.__getitem__), members)
    assert cohorts_of(engine, layout, "crm.accounts") == [(1, UNASSIGNED), (2, "pilot")]
    assert cohorts_of(engine, layout, "erp.positions") == [("p1", "pilot")]


def test_rows_keep_all_their_columns_beside_the_cohort(engine: DuckDBEngine, lay_out: LayOut) -> None:
    layout = lay_out({"1": "pilot"}, contracts=[{"id": "c1", "account": "1", "seller": "9", "fee": "9.90"}])
    assert engine.arrow(layout.rows_with_cohort("erp.contracts")).to_pylist() == [
        {"_row": 1, "id": "c1", "account": "1", "seller": "9", "fee": "9.90", "_cohort": "pilot"}
    ]


def test_a_table_that_others_are_owned_through_is_scanned_for_it_once(engine: DuckDBEngine) -> None:
    raw = {t: raw_rows(engine, columns=("id", *declared.references)) for t, declared in TABLES.items()}
    asked: list[str] = []

    def reading(table: str) -> Any:
        asked.append(table)
        return raw[table]

    members = raw_rows(engine, columns=("customer_id", "cohort"))
    layout = Layout(engine, reading, Owners(engine, plan_of(TABLES), reading), members)
    layout.cohort_of_row("erp.usage")
    asked.clear()
    layout.cohort_of_row("erp.usage")
    assert asked == [], "what is known of a table's rows is kept"
    layout.cohort_of_row("erp.positions")
    assert "erp.contracts" not in asked, "contracts were followed for usage already"


NOBODY_TO_SIX = st.none() | st.integers(1, 6)
HELD = st.lists(NOBODY_TO_SIX, max_size=6)


@given(st.lists(st.none() | st.sampled_from(["pilot", "base_01"]), max_size=4), HELD, HELD, HELD)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_row_is_laid_out_once_and_where_following_it_by_hand_leads(
    engine: DuckDBEngine,
    lay_out: LayOut,
    cohorts: list[str | None],
    contracts: list[int | None],
    positions: list[int | None],
    usage: list[int | None],
) -> None:
    def rows(owner: str, owners: list[int | None]) -> list[Row]:
        return [{"id": str(n), owner: None if o is None else str(o)} for n, o in enumerate(owners, start=1)]

    of_account = dict(enumerate(cohorts, start=1))
    layout = lay_out(
        {str(n): c for n, c in of_account.items()},
        contracts=rows("account", contracts),
        positions=rows("contract", positions),
        usage=rows("position", usage),
    )
    above: dict[int, str | None] = of_account
    for table, owners in (("contracts", contracts), ("positions", positions), ("usage", usage)):
        above = {n: above.get(o) if o else None for n, o in enumerate(owners, start=1)}
        expected = [(str(n), cohort or UNASSIGNED) for n, cohort in above.items()]
        assert cohorts_of(engine, layout, f"erp.{table}") == expected
