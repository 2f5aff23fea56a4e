"""Balance, spot check and reports: what people and scripts see of a reconciliation."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import get_args

import pyarrow as pa
import pytest
from target_world import Legacy, World, legacy, tiny_plan

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Control
from migration_assets.stages.reconcile.balance import Balance, balance
from migration_assets.stages.reconcile.controls import run_controls
from migration_assets.stages.reconcile.money import Kind, Tie
from migration_assets.stages.reconcile.report import (
    IF_OPEN,
    IN_WORDS,
    CohortReport,
    cohort_json,
    discrepancy_csv,
    discrepancy_html,
    ranked,
    spot_check_html,
)
from migration_assets.stages.reconcile.rows import DIFFERENCES, RowsResult, compare_rows
from migration_assets.stages.reconcile.sides import both_sides
from migration_assets.stages.reconcile.spot_check import spot_check

PLAN = tiny_plan()
BILLED = Control(
    measure="billed", kind="sum", source="erp.contracts", source_column="billed", source_unit="major",
    source_currency="=EUR", target="subscriptions", target_column="billed_to_date_minor", target_unit="minor",
    target_currency="=EUR", owner="finance",
)  # fmt: skip


def balanced(engine: DuckDBEngine, target: PostgresTarget, raw: Legacy) -> Balance:
    with both_sides(engine, target, PLAN, "pilot", {}) as sides:
        return balance(engine, PLAN, raw.tables, raw.dispositions, sides.crosswalk)


def report(engine: DuckDBEngine, target: PostgresTarget, pilot: World, raw: Legacy) -> CohortReport:
    with target.transaction(read_only=True) as c:
        ties = run_controls(engine, c, [BILLED], PLAN.target, "pilot", raw.tables, raw.dispositions, exponent_of)
    with both_sides(engine, target, PLAN, "pilot", pilot.canonical(engine)) as sides:
        rows = compare_rows(engine, PLAN, sides)
        spot = spot_check(engine, PLAN, sides, rows.differences, raw.tables, "snap|pilot", 3)
    return CohortReport("pilot", rows, balanced(engine, target, raw), ties, spot)


def test_every_source_row_is_accounted_for(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    found = balanced(engine, loaded[0], raw)
    assert found.unexplained == 0
    assert [(s.table, s.read, s.loaded) for s in found.sources] == [
        ("crm.accounts", 6, 6), ("erp.contracts", 6, 6), ("erp.positions", 12, 12),
    ]  # fmt: skip


@pytest.mark.parametrize("problem", ["none", "several", "not_in_target"])
def test_a_row_with_no_or_two_dispositions_or_a_false_one_is_unexplained(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], problem: str
) -> None:
    raw = legacy(engine, rejected=frozenset({99}))
    claims = engine.arrow(raw.dispositions).to_pylist()
    other = next(c for c in claims if c["source_row"] == 99)
    claims.remove(other)
    if problem == "several":
        claims += [other, {**other, "disposition": "excluded"}]
    if problem == "not_in_target":
        claims += [{**other, "disposition": "loaded"}]
    found = balanced(engine, loaded[0], Legacy(raw.tables, engine.table(pa.Table.from_pylist(claims))))
    assert engine.arrow(found.rows).to_pylist() == [{"table": "erp.contracts", "source_row": 99, "problem": problem}]
    assert found.unexplained == 1


def test_json_has_the_promised_shape(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy) -> None:
    cohort = json.loads(json.dumps(cohort_json(report(engine, *loaded, raw))))
    assert set(cohort) == {"cohort", "sources", "targets", "money", "controls", "controls_off", "unexplained"}
    assert cohort["sources"][0] == {
        "table": "crm.accounts", "read": 6, "loaded": 6, "merged": 0, "rejected": 0, "excluded": 0,
    }  # fmt: skip
    assert cohort["targets"][0] == {
        "table": "customers", "expected": 6, "found": 6, "missing": 0, "extra": 0, "changed": 0,
    }  # fmt: skip
    assert cohort["money"] == [
        {"measure": "billed", "currency": "EUR", "source_minor": 21000, "rejected_minor": 0, "excluded_minor": 0,
         "waived_minor": 0, "target_minor": 21000, "difference_minor": 0}
    ]  # fmt: skip
    assert cohort["controls"] == [
        {"measure": "billed", "kind": "sum", "currency": "EUR", "source_rows": 6, "target_rows": 6, "unreadable": 0}
    ]  # fmt: skip


def test_text_that_nobody_can_read_is_a_finding_in_json_and_page_though_both_sides_are_nothing(
    engine: DuckDBEngine,
) -> None:
    tie = Tie("billed", "sum", "EUR", *[Decimal(0)] * 5, source_rows=1, target_rows=1, unreadable=1)
    nothing = engine.table(pa.table({"x": pa.array([], pa.int64())}))
    whole = CohortReport("pilot", RowsResult((), nothing), Balance((), nothing), (tie,))
    assert (whole.ok, whole.unexplained) == (False, 1)
    assert cohort_json(whole)["controls_off"] == [
        {"measure": "billed", "kind": "sum", "currency": "EUR", "difference": "0", "unreadable": 1}
    ]  # fmt: skip
    assert "<tr class=bad><td>billed</td>" in discrepancy_html({"snapshot": "snap"}, whole, [])


def test_the_list_is_ranked_by_money_and_holds_no_values(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    target, pilot = loaded
    with target.transaction() as c:
        c.execute("UPDATE billing.subscriptions SET billed_to_date_minor = billed_to_date_minor * 2")
        c.execute("UPDATE billing.customers SET name = 'Wanda <script>'")
    found = report(engine, target, pilot, raw)
    lines = ranked(engine, found)
    table = list(csv.DictReader(io.StringIO(discrepancy_csv(lines))))
    assert [r["amount_minor"] for r in table] == ["6000", "5000", "4000", "3000", "2000", "1000", *[""] * 6]
    assert (table[0]["rank"], table[0]["surrogate"], table[0]["amount"]) == ("1", "erp.contracts#6", "60.00 EUR")
    assert [(r["column"], r["expected"], r["found"]) for r in (table[0], table[-1])] == [
        ("billed_to_date_minor", "6000", "12000"), ("name", "differs", "differs"),
    ]  # fmt: skip
    page = discrepancy_html({"snapshot": "snap"}, found, lines, if_open=IF_OPEN["hide"])
    assert "readers of the target do not see this cohort" in page
    assert "Wanda" not in page and "Ärger" not in page and "erp.contracts#6" in page
    # Twelve changed fields in twelve rows, and the control that sees the money double.
    assert (found.ok, found.unexplained) == (False, 13)


def test_the_spot_check_is_reproducible_and_shows_both_sides(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    target, pilot = loaded
    first, again = (report(engine, target, pilot, raw).spot for _ in range(2))
    assert first is not None and first == again
    assert (first.customers, first.rows, first.differing) == (3, 3 * 5, 0)
    with target.transaction() as c:
        c.execute("UPDATE billing.customers SET name = '<script>x</script> '")
    spot = report(engine, target, pilot, raw).spot
    assert spot is not None and spot.differing == spot.customers + spot.suspects > 3
    page = spot_check_html("pilot", spot)
    assert "<script>" not in page and "&lt;script&gt;" in page and "list_price" in page
    assert "Ärger" in page and "Ärger" not in repr(spot)


def test_the_spot_check_shows_whoever_a_differing_row_leads_to_first(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    """An item is a contract's, and a contract a customer's."""
    target, pilot = loaded
    drawn = report(engine, target, pilot, raw).spot
    assert drawn is not None and drawn.suspects == 0
    names = {card.customer for card in drawn.cards}
    number = next(n for n in range(1, 7) if f"crm.accounts#{n}" not in names)
    with target.transaction() as c:
        item = "SELECT target_id FROM cutover.crosswalk WHERE entity = 'subscription_item' AND source_id = %s"
        c.execute(f"UPDATE billing.subscription_items SET quantity = 99 WHERE item_id = ({item})", [f"{number}1"])
    found = report(engine, target, pilot, raw).spot
    assert found is not None and (found.customers, found.suspects, found.differing) == (3, 1, 1)
    assert found.cards[0].customer == f"crm.accounts#{number}"
    assert {card.customer for card in found.cards[1:]} == names


def test_money_at_stake_is_ranked_and_written_by_the_major_units_of_each_currency(engine: DuckDBEngine) -> None:
    stakes = {
        "k1": ("JPY", 90_000),
        "k2": ("KWD", 900_000),
        "k3": ("EUR", 500_000),
        "k4": (None, None),
        "k5": ("ZZ", 7),
    }
    rows = [
        {"table": "invoices", "key": key, "column": "", "kind": "missing", "surrogate": f"erp.invoices#{key}",
         "currency": currency, "amount_minor": minor}
        for key, (currency, minor) in stakes.items()
    ]  # fmt: skip
    nothing = engine.table(pa.table({"x": pa.array([], pa.int64())}))
    ties = tuple(
        Tie("billed", "sum", c, Decimal(n), *[Decimal(0)] * 4, source_rows=1, target_rows=0, unreadable=0)
        for c, n in (("EUR", 123_456), ("KWD", 1_234))
    )
    counted = Tie("contracts", "count", "", *[Decimal(0)] * 5, source_rows=0, target_rows=0, unreadable=0)
    differing = engine.table(pa.Table.from_pylist(rows, DIFFERENCES.to_pyarrow()))
    whole = CohortReport("pilot", RowsResult((), differing), Balance((), nothing), (*ties, counted))
    lines = ranked(engine, whole)
    assert [line["key"] for line in lines] == ["k1", "k3", "k2", "k5", "k4"]
    page = discrepancy_html({}, whole, lines)
    for said in ("90,000 JPY", "5,000.00 EUR", "900.000 KWD", "7 minor units ZZ"):
        assert f'<td class="n">{said}</td>' in page
    assert '<td>EUR</td><td class="n">1,234.56</td>' in page and '<td>KWD</td><td class="n">1.234</td>' in page
    assert "<tr class=bad><td>billed</td><td>money</td><td>EUR</td>" in page
    assert "<tr><td>contracts</td><td>rows</td>" in page
    amounts = [row["amount"] for row in csv.DictReader(io.StringIO(discrepancy_csv(lines)))]
    assert amounts == ["90,000 JPY", "5,000.00 EUR", "900.000 KWD", "7 minor units ZZ", ""]


def test_each_kind_of_control_has_a_word_for_people() -> None:
    assert set(IN_WORDS) == set(get_args(Kind))
