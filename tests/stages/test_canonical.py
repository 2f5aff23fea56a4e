"""Every source row has exactly one claim: loaded, excluded, or rejected under the first thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_in_code import constants_of, feed_of, field_of, plan_of, raw_rows, table_of

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.source_models import Exclusion
from migration_assets.stages.canonical import (
    DISPOSITIONS,
    StageRows,
    Upstream,
    redirected,
    rejections,
    stage_rows,
    without_invalid,
    without_twins,
    write_stage,
)
from migration_assets.stages.feeds import Mapping as Feeds
from migration_assets.stages.references import FATES, NOTES, empty

Row = dict[str, Any]
Canonical = Callable[..., Any]
AS_OF = datetime(2026, 1, 31, tzinfo=UTC)
ENTITIES_HERE = ("subscription", "subscription_item")

CONTRACTS = feed_of("contracts", "subscription", "erp.contracts")
POSITIONS = feed_of("positions", "subscription_item", "erp.positions")
# What a contract says of its first product makes an item too, but the row is accounted for as a subscription.
FIRST = feed_of("first_products", "subscription_item", "erp.contracts")
PLAN = plan_of(
    {
        "crm.accounts": table_of("customer", "self"),
        "erp.contracts": table_of("subscription", "account", account="crm.accounts", payer="crm.accounts"),
        "erp.positions": table_of("subscription_item", "contract", contract="erp.contracts"),
    },
    feeds=(CONTRACTS, POSITIONS, FIRST),
    mapping=[
        field_of(CONTRACTS, "customer_id", "account", "reference", table="crm.accounts"),
        field_of(CONTRACTS, "payer_id", "payer", "reference", table="crm.accounts"),
        field_of(CONTRACTS, "starts_at", "starts", "timestamp"),
        field_of(CONTRACTS, "ends_at", "ends", "timestamp"),
        *constants_of(CONTRACTS, plan_code="base", status="active", currency="EUR", interval="month"),
        field_of(POSITIONS, "subscription_id", "contract", "reference", table="erp.contracts"),
        field_of(POSITIONS, "quantity", "units", "integer"),
        *constants_of(POSITIONS, product_code="base", kind="base", currency="EUR"),
        field_of(FIRST, "subscription_id", "id", "reference", table="erp.contracts"),
        field_of(FIRST, "quantity", "units", "integer"),
        *constants_of(FIRST, product_code="base", kind="base", currency="EUR"),
    ],
    exclusions=[
        Exclusion(rule="test_contract", table="erp.contracts", reason="Made by sales.",
                  where=(Predicate(field="note", op="eq", value="TEST"),)),
        Exclusion(rule="unsigned", table="erp.contracts", reason="Nobody signed it.",
                  where=(Predicate(field="note", op="in", value=("TEST", "DRAFT")),)),
    ],
)  # fmt: skip


def contract(key: str, **given: str | None) -> Row:
    good = {"account": "1", "payer": None, "starts": "2025-01-01", "ends": "2026-01-01", "units": "1", "note": None}
    return {"id": key, **good, **given}


def position(key: str, of: str | None, units: str | None = "1") -> Row:
    return {"id": key, "contract": of, "units": units}


@pytest.fixture
def staged(engine: DuckDBEngine) -> Callable[..., StageRows]:
    """`staged(contracts, positions)`: what the stage makes of them when the accounts 1 to 3 went on, 8 was excluded and
    9 was rejected."""

    def made(contracts: Sequence[Row], positions: Sequence[Row] = (), redirects: Any = None) -> StageRows:
        held = {
            "erp.contracts": raw_rows(engine, *contracts, columns=contract("")),
            "erp.positions": raw_rows(engine, *positions, columns=position("", "")),
        }
        customers = raw_rows(engine, *({"key": f"crm.accounts:{n}"} for n in range(1, 4)))
        fates = raw_rows(
            engine,
            {"entity": "customer", "key": "crm.accounts:8", "disposition": "excluded", "rule": "test_account"},
            {"entity": "customer", "key": "crm.accounts:9", "disposition": "rejected", "rule": "name: missing"},
        ).drop("_row")
        feeds = Feeds(engine, PLAN, held.__getitem__, AS_OF)
        upstream = Upstream({"customer": customers.drop("_row")}, fates, redirects)
        return stage_rows(feeds, ENTITIES_HERE, upstream, feeds.entity)

    return made


def claims(engine: DuckDBEngine, made: StageRows, table: str) -> list[tuple[int, str, str]]:
    """(row, disposition, rule) of every claim on a table of the ERP, in the order of the rows."""
    found = [r for part in made.dispositions for r in engine.arrow(part).to_pylist()]
    assert all(r["source_system"] == "erp" and r["reason"] is not None for r in found)
    return sorted((r["source_row"], r["disposition"], r["rule"]) for r in found if r["source_table"] == table)


def listed(engine: DuckDBEngine, rows: Any, *columns: str) -> list[Any]:
    """Sorted values of these columns: of one as they are, of several as tuples."""
    found = [tuple(r[c] for c in columns) for r in engine.arrow(rows).to_pylist()]
    return sorted(values[0] for values in found) if len(columns) == 1 else sorted(found)


WRONG = {
    "good": (contract("c"), ("loaded", "")),
    "until further notice": (contract("c", ends=None), ("loaded", "")),
    "excluded under the first of two rules": (contract("c", note="TEST"), ("excluded", "test_contract")),
    "excluded under the other": (contract("c", note="DRAFT"), ("excluded", "unsigned")),
    "excluded whatever else is wrong": (contract("c", note="DRAFT", starts=None), ("excluded", "unsigned")),
    "no start": (contract("c", starts=None), ("rejected", "required_missing")),
    "a start that is none": (contract("c", starts="soon"), ("rejected", "not_a_date")),
    "ends before it starts": (contract("c", ends="2024-01-01"), ("rejected", "inverted_period")),
    "no start and no customer": (contract("c", starts=None, account="404"), ("rejected", "required_missing")),
    "ends early for no customer": (contract("c", ends="2024-01-01", account="404"), ("rejected", "inverted_period")),
    "no customer that exists": (contract("c", account="404"), ("rejected", "orphan")),
    "a customer that was excluded": (contract("c", account="8"), ("excluded", "test_account")),
    "a customer that was rejected": (contract("c", account="9"), ("rejected", "parent_rejected")),
    "a payer that does not exist": (contract("c", payer="404"), ("loaded", "")),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_row_is_claimed_once_under_the_first_thing_that_is_wrong_with_it(
    engine: DuckDBEngine, staged: Callable[..., StageRows], case: str
) -> None:
    row, expected = WRONG[case]
    made = staged([contract("other"), row])
    assert claims(engine, made, "contracts") == [(1, "loaded", ""), (2, *expected)]
    kept = ["erp.contracts:other"] if expected[0] != "loaded" else ["erp.contracts:c", "erp.contracts:other"]
    assert listed(engine, made.rows["subscription"], "subscription_id") == kept


@given(st.lists(st.tuples(st.sampled_from(sorted(WRONG)), st.integers(1, 6)), max_size=8))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_rows_together_are_claimed_exactly_once_each(
    engine: DuckDBEngine, staged: Callable[..., StageRows], drawn: list[tuple[str, int]]
) -> None:
    made = staged([{**WRONG[case][0], "id": f"c{key}"} for case, key in drawn])
    found = claims(engine, made, "contracts")
    assert [row for row, _, _ in found] == list(range(1, len(drawn) + 1))
    # A row whose key is not its own among those that are sound by themselves is rejected whatever else it is.
    sound = [(n, key) for n, (case, key) in enumerate(drawn, start=1) if _is_sound(WRONG[case][1])]
    twins = {n for n, key in sound if [k for _, k in sound].count(key) > 1}
    expected = [
        ("rejected", "duplicate_key") if n in twins else WRONG[case][1] for n, (case, _) in enumerate(drawn, start=1)
    ]
    assert [(disposition, rule) for _, disposition, rule in found] == expected
    kept = [n for n, disposition, _ in found if disposition == "loaded"]
    assert listed(engine, made.rows["subscription"], "source_row") == kept


def _is_sound(claim: tuple[str, str]) -> bool:
    return claim[1] not in ("test_contract", "unsigned", "required_missing", "not_a_date", "inverted_period")


def test_a_child_shares_the_fate_of_the_row_it_belongs_to(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    contracts = [
        contract("good"), contract("early", ends="2024-01-01"), contract("test", note="TEST"),
        contract("stranger", account="404"), contract("twin"), contract("twin"), contract("of_excluded", account="8"),
    ]  # fmt: skip
    keys = ["good", "early", "test", "stranger", "twin", "of_excluded", "nowhere", None]
    made = staged(contracts, [position(f"p{n}", key) for n, key in enumerate(keys)])
    assert claims(engine, made, "positions") == [
        (1, "loaded", ""),
        (2, "rejected", "parent_rejected"),
        (3, "excluded", "test_contract"),
        (4, "rejected", "parent_rejected"),
        (5, "rejected", "parent_rejected"),
        (6, "excluded", "test_account"),
        (7, "rejected", "orphan"),
        (8, "rejected", "required_missing"),
    ]


def test_a_row_that_feeds_two_entities_is_claimed_as_the_one_that_accounts_for_it(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    made = staged([contract("c1", units="-1"), contract("c2")])
    assert claims(engine, made, "contracts") == [(1, "loaded", ""), (2, "loaded", "")]
    assert listed(engine, made.rows["subscription_item"], "item_id") == ["erp.contracts:c2"]
    fates = engine.union(made.fates)
    assert listed(engine, fates, "entity", "key", "disposition", "rule") == [
        ("subscription_item", "erp.contracts:c1", "rejected", "negative_quantity")
    ], "but those who look for the item are told"


def test_a_value_that_was_set_aside_leaves_its_row_loaded_and_is_noted(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    made = staged([contract("c1", payer="404"), contract("c2", ends="never")])
    assert listed(engine, made.rows["subscription"], "subscription_id", "payer_id", "ends_at") == [
        ("erp.contracts:c1", None, datetime(2026, 1, 1, tzinfo=UTC)), ("erp.contracts:c2", None, None),
    ]  # fmt: skip
    notes = engine.union(n.select("source_id", "field", "action", "reason") for n in made.notes)
    assert listed(engine, notes.filter(notes["action"] == "set_aside"), "source_id", "field", "reason") == [
        ("c1", "payer_id", "reference_missing"), ("c2", "ends_at", "not_a_date"),
    ]  # fmt: skip


# --- keys that are not a row's own -----------------------------------------------------------------------------------


def test_rows_that_share_a_key_are_all_rejected_and_the_rest_is_kept(
    engine: DuckDBEngine, canonical: Canonical
) -> None:
    rows = canonical("subscription", *({"subscription_id": f"e.s:{n}"} for n in (1, 2, 1, 3, 1)))
    kept, [twins] = without_twins(engine, ENTITIES["subscription"], rows)
    assert listed(engine, kept, "subscription_id") == ["e.s:2", "e.s:3"]
    assert listed(engine, twins, "source_row", "source_id", "disposition", "rule") == [
        (row, "1", "rejected", "duplicate_key") for row in (1, 3, 5)
    ]


def test_keys_of_two_tables_with_the_same_number_are_no_twins(engine: DuckDBEngine, canonical: Canonical) -> None:
    rows = canonical("subscription", {"subscription_id": "e.s:1"}, {"subscription_id": "e.t:1"})
    kept, twins = without_twins(engine, ENTITIES["subscription"], rows)
    assert engine.count(kept) == 2 and twins == []


def test_a_row_that_is_rejected_already_makes_no_twin_of_a_sound_one(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    made = staged([contract("c", ends="2024-01-01"), contract("c")])
    assert claims(engine, made, "contracts") == [(1, "rejected", "inverted_period"), (2, "loaded", "")]


def test_rows_that_break_a_rule_are_taken_out_with_its_name_and_reason(
    engine: DuckDBEngine, canonical: Canonical
) -> None:
    rows = canonical("subscription_item", *({"item_id": f"e.i:{n}", "quantity": n} for n in (-1, 0, 1)))
    kept, [bad] = without_invalid(engine, "subscription_item", rows)
    assert kept.columns == rows.columns and listed(engine, kept, "quantity") == [0, 1]
    assert listed(engine, bad, "source_row", "disposition", "rule", "reason") == [
        (1, "rejected", "negative_quantity", "quantity is below zero")
    ]


# --- what the mapping rejected ---------------------------------------------------------------------------------------


def note(field: str, reason: str, source_row: int = 1, **given: str) -> Row:
    where = {"entity": "subscription", "source_system": "erp", "source_table": "contracts", "action": "rejected"}
    return {**where, "source_id": f"c{source_row}", "source_row": source_row, "field": field, "reason": reason, **given}


def rejected(engine: DuckDBEngine, *notes: Row) -> list[tuple[Any, ...]]:
    frame = empty(engine, NOTES)
    if notes:
        frame = engine.table(NOTES.to_pyarrow().empty_table().from_pylist(list(notes), schema=NOTES.to_pyarrow()))
    found = rejections(ENTITIES["subscription"], frame)
    assert found.schema() == DISPOSITIONS
    return listed(engine, found, "source_row", "source_id", "disposition", "rule", "reason", "into_key")


def test_several_reasons_for_one_row_are_one_claim_under_the_first(engine: DuckDBEngine) -> None:
    found = rejected(engine, note("starts_at", "not_a_date"), note("customer_id", "missing"), note("status", "unknown"))
    assert [(row, why) for row, _, _, _, why, _ in found] == [(1, "customer_id: missing")]


def test_each_row_that_a_rule_rejected_is_claimed_with_field_and_reason(engine: DuckDBEngine) -> None:
    assert rejected(engine, note("starts_at", "not_a_date", 2), note("currency", "unknown_currency", 1)) == [
        (1, "c1", "rejected", "unknown_currency", "currency: unknown_currency", None),
        (2, "c2", "rejected", "not_a_date", "starts_at: not_a_date", None),
    ]


def test_what_was_only_cleaned_or_belongs_to_another_entity_rejects_nothing(engine: DuckDBEngine) -> None:
    harmless = [note("currency", "", action=action) for action in ("cleaned", "defaulted", "set_aside")]
    assert rejected(engine, *harmless, note("quantity", "missing", entity="subscription_item")) == []
    assert rejected(engine) == []


# --- references to rows that were merged -----------------------------------------------------------------------------


def redirects(engine: DuckDBEngine, pairs: Mapping[str, str]) -> Any:
    return raw_rows(engine, *({"customer_id": a, "identity_id": b} for a, b in pairs.items())).drop("_row")


def test_every_reference_to_a_customer_is_led_to_its_identity_and_no_other(
    engine: DuckDBEngine, canonical: Canonical
) -> None:
    merged = redirects(engine, {"crm.a:1": "crm.a:1", "erp.c:7": "crm.a:1", "erp.l:1": "crm.a:1"})
    given = [
        {"customer_id": "erp.c:7", "payer_id": "crm.a:1"}, {"customer_id": "crm.a:1", "payer_id": "erp.c:7"},
        {"customer_id": "crm.a:404"}, {"customer_id": "erp.c:7", "legal_entity_id": "erp.l:1"},
    ]  # fmt: skip
    rows = canonical("subscription", *({"subscription_id": f"e.s:{n}", **row} for n, row in enumerate(given)))
    led = redirected(ENTITIES["subscription"], rows, merged)
    assert led.columns == rows.columns
    found = engine.arrow(led.order_by("source_row")).to_pylist()
    assert [(r["customer_id"], r["payer_id"], r["legal_entity_id"]) for r in found] == [
        ("crm.a:1", "crm.a:1", None), ("crm.a:1", "crm.a:1", None),
        ("crm.a:404", None, None), ("crm.a:1", None, "erp.l:1"),
    ]  # fmt: skip


def test_the_entitys_own_key_stays_even_where_its_row_was_merged(engine: DuckDBEngine, canonical: Canonical) -> None:
    merged = redirects(engine, {"erp.c:7": "crm.a:1", "erp.c:8": "crm.a:2"})
    rows = canonical("customer", {"customer_id": "erp.c:7", "parent_id": "erp.c:8", "owner_user_id": "erp.c:8"})
    [row] = engine.arrow(redirected(ENTITIES["customer"], rows, merged)).to_pylist()
    assert (row["customer_id"], row["parent_id"], row["owner_user_id"]) == ("erp.c:7", "crm.a:2", "erp.c:8")


def test_a_contract_of_a_merged_customer_is_loaded_with_the_one_that_is_left(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    merged = redirects(engine, {"crm.accounts:1": "crm.accounts:1", "crm.accounts:5": "crm.accounts:1"})
    made = staged([contract("c1", account="5")], redirects=merged)
    assert claims(engine, made, "contracts") == [(1, "loaded", "")]
    assert listed(engine, made.rows["subscription"], "customer_id") == ["crm.accounts:1"]


# --- what is written -------------------------------------------------------------------------------------------------


def test_a_stage_is_written_in_key_order_with_its_account(
    engine: DuckDBEngine, staged: Callable[..., StageRows], tmp_path: Path
) -> None:
    made = staged([contract("c3"), contract("c1"), contract("c2", ends="never", starts=None), contract("c4")])
    written = write_stage(engine, made, lambda table: tmp_path / f"{table}.parquet")
    files = {path.stem: pq.read_table(path) for path in tmp_path.iterdir()}
    assert written == {name: frame.num_rows for name, frame in files.items()}
    assert files["subscription"]["source_id"].to_pylist() == ["c1", "c3", "c4"]
    assert files["dispositions"]["source_row"].to_pylist() == [1, 2, 3, 4]
    assert files["dispositions"]["disposition"].to_pylist() == ["loaded", "loaded", "rejected", "loaded"]
    assert [(n["source_id"], n["field"]) for n in files["notes"].to_pylist()] == [
        ("c2", "ends_at"),
        ("c2", "starts_at"),
    ]
    assert [(f["entity"], f["key"], f["rule"]) for f in files["fates"].to_pylist()] == [
        ("subscription", "erp.contracts:c2", "required_missing"),
        ("subscription_item", "erp.contracts:c2", "parent_rejected"),
    ]


def test_a_stage_that_makes_nothing_still_leaves_an_account_without_rows(engine: DuckDBEngine, tmp_path: Path) -> None:
    written = write_stage(engine, StageRows(), lambda table: tmp_path / f"{table}.parquet")
    assert written == {"notes": 0, "dispositions": 0, "fates": 0}
    for name, schema in {"notes": NOTES, "dispositions": DISPOSITIONS, "fates": FATES}.items():
        assert pq.read_table(tmp_path / f"{name}.parquet").column_names == list(schema.names)


def test_a_child_of_a_key_with_two_fates_is_claimed_once(
    engine: DuckDBEngine, staged: Callable[..., StageRows]
) -> None:
    made = staged([contract("c", ends="2024-01-01"), contract("c", starts=None)], [position("p1", "c")])
    (claim,) = claims(engine, made, "positions")
    assert claim[1] == "rejected"
