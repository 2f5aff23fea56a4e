"""What became of each contract's next bills: the same, signed for, due to rejected rows, or explained by nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from held_rows import apart, held_rows
from legacy_records import name_of, records_of, tables
from random_sold import T, random_sold
from told_twice import Part, Sold, subscription

from migration_assets.domain.calendar import Period, midnight
from migration_assets.domain.money import exponent_of
from migration_assets.domain.renewal_hold import held_period
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_models import AcceptedDifference, Billing
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.comparison import Comparison, Sides
from migration_assets.stages.shadow.forecast import Origins
from migration_assets.stages.shadow.in_parts import MOST, compared_in_parts
from migration_assets.stages.shadow.listing import differences_csv
from migration_assets.stages.shadow.renewals import in_the_way

AS_OF = midnight(T, "UTC")
# Three lines of a third of a cent each: rounded one by one they come to nothing, together to a cent.
THIRDS = Sold(date(2026, 1, 1), parts=tuple(Part(f"part{n}", "10.0033") for n in range(3)))
STEADY = Sold(date(2026, 1, 31), parts=(Part("base", "10.00"), Part("seats", "10.00", quantity=3)))
Row = dict[str, Any]


def billing(*accepted: AcceptedDifference) -> Billing:
    found = load_plan(Path(__file__).parents[3] / "plans" / "acme").billing
    assert found is not None
    return found.model_copy(update={"accepted": accepted})


def signed(cause: str, at_most: int, **more: Any) -> AcceptedDifference:
    told = {
        "cause": cause,
        "at_most_minor": at_most,
        "reason": "agreed",
        "signed_by": "Finance",
        "signed_on": "2026-06-01",
    }
    return AcceptedDifference.model_validate({**told, **more})


def judge(
    facts: Sequence[Sold],
    told: Billing,
    held: Sequence[Sold] | None = None,
    rejected: Sequence[tuple[str, int]] = (),
    proved: Mapping[str, bool] | None = None,
    most: int = MOST,
) -> tuple[dict[str, Row], list[Row]]:
    """Forecast by contract, and differences."""
    with DuckDBEngine() as engine:
        found = compare(engine, facts, told, held, rejected, proved, most)
        rows = engine.arrow(found.forecast).to_pylist()
        forecast = {r["contract_id"]: r for r in rows}
        assert len(rows) == len(forecast)
        return forecast, engine.arrow(found.differences.order_by(["contract_id", "cycle", "cause"])).to_pylist()


def compare(
    engine: DuckDBEngine,
    facts: Sequence[Sold],
    told: Billing,
    held: Sequence[Sold] | None = None,
    rejected: Sequence[tuple[str, int]] = (),
    proved: Mapping[str, bool] | None = None,
    most: int = MOST,
) -> Comparison:
    """Both sides of these contracts."""
    subscriptions = apart(subscription(s) for s in (facts if held is None else held))
    contracts = {s.subscription_id: f"c{s.subscription_id[1:]}" for s in subscriptions}
    items = {i.item_id: i.item_id.partition("-")[2] for s in subscriptions for i in s.items}
    origins = Origins(
        *(engine.table(pa.table({"id": list(m), "source_id": list(m.values())})) for m in (contracts, items))
    )
    left = pa.table(
        {
            "table": pa.array([t for t, _ in rejected], pa.string()),
            "row": pa.array([r for _, r in rejected], pa.int64()),
        }
    )
    sides = Sides(tables(engine, records_of(facts)), held_rows(engine, subscriptions), origins, engine.table(left))
    assert told.target is not None
    return compared_in_parts(engine, told, told.target, sides, AS_OF, exponent_of, proved or {}, most=most)


def test_bills_that_are_the_same_are_told_with_their_money_and_what_proves_them() -> None:
    forecast, differences = judge([STEADY, STEADY], billing(), proved={name_of(0): True, name_of(1): False})
    assert differences == []
    first = forecast[name_of(0)]
    assert (first["legacy_bills"], first["target_bills"]) == (12, 12)
    assert first["legacy_minor"] == first["target_minor"] == 12 * 4760
    assert [forecast[name_of(n)]["proved"] for n in (0, 1)] == [True, False]
    assert not any(first[f"{s}_{n}"] for s in ("signed", "unsigned", "rejected") for n in ("bills", "minor"))


def test_a_contract_renews_when_its_next_bill_begins_and_is_in_the_way_while_the_hold_lasts() -> None:
    """T is the last of June, UTC: by its own clock the contract billed on each month's last day has been."""
    found, told = renewing([STEADY, THIRDS]), {}
    for days in (1, 30, 31):
        held = held_period(AS_OF, days)
        assert held is not None
        told[days] = renewing([STEADY, THIRDS], held)
    last, first = datetime(2026, 7, 30, 22, tzinfo=UTC), datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert found == {name_of(0): last, name_of(1): first}
    assert told == {1: {name_of(1): first}, 30: {name_of(1): first}, 31: found}


def renewing(facts: Sequence[Sold], held: Period | None = None) -> dict[str, datetime]:
    """When each contract renews; with a hold, of those that it keeps."""
    with DuckDBEngine() as engine:
        found = compare(engine, facts, billing()).renewals
        rows = engine.arrow(found if held is None else in_the_way(found, held)).to_pylist()
    return {r["contract_id"]: r["renews_at"] for r in rows}


def test_a_difference_is_signed_for_up_to_what_was_signed_and_no_further() -> None:
    for accepted, status in (
        ((), "unsigned"),
        ((signed("round_at", 1),), "signed"),
        ((signed("round_at", 0),), "unsigned"),
        ((signed("tax_at", 100),), "unsigned"),
        ((signed("round_at", 1, contracts=[name_of(0)]),), "signed"),
        ((signed("round_at", 1, contracts=["another"]),), "unsigned"),
        ((signed("round_at", 1, expires_on="2026-07-01"),), "signed"),
        # The day on which it expires is the first on which it counts no more, and it is the day of T.
        ((signed("round_at", 1, expires_on="2026-06-30"),), "unsigned"),
    ):
        forecast, differences = judge([THIRDS], billing(*accepted))
        of_cause = [d for d in differences if d["cause"] == "round_at"]
        assert len(of_cause) == 12 and {d["status"] for d in of_cause} == {status}
        assert {d["signed_by"] for d in of_cause} == ({"Finance"} if status == "signed" else {None})
        assert {d["difference_minor"] for d in of_cause} == {1}
        assert forecast[name_of(0)][f"{status}_bills"] == 12


def test_what_nothing_explains_can_be_signed_for_contract_by_contract_only() -> None:
    dearer = replace(STEADY, parts=(Part("base", "11.00"), STEADY.parts[1]))
    _, differences = judge(
        [STEADY, STEADY], billing(signed("unexplained", 119, contracts=[name_of(1)])), [dearer, dearer]
    )
    assert {(d["contract_id"], d["status"], d["difference_minor"]) for d in differences} == {
        (name_of(0), "unsigned", 119),
        (name_of(1), "signed", 119),
    }


def test_what_a_rejected_row_comes_to_is_told_apart_from_what_nothing_explains() -> None:
    told = billing()
    table = told.legacy.reads["items"].table
    lacks = replace(STEADY, parts=STEADY.parts[1:])
    # Its base item is the first of all rows of items.
    _, differences = judge([STEADY], told, [lacks], rejected=[(table, 0)])
    assert {(d["cause"], d["status"], d["difference_minor"]) for d in differences} == {("rejected", "rejected", -1190)}
    dearer = replace(lacks, parts=(replace(STEADY.parts[1], price="10.01"),))
    _, differences = judge([STEADY], told, [dearer], rejected=[(table, 0)])
    assert {(d["cause"], d["status"], d["at_stake_minor"]) for d in differences} == {
        ("rejected", "rejected", 1190),
        ("unexplained", "unsigned", 4),
    }


def test_a_contract_that_was_rejected_is_billed_by_nobody_and_no_other_is() -> None:
    told = billing()
    forecast, differences = judge(
        [STEADY, STEADY], told, [STEADY], rejected=[(told.legacy.reads["contracts"].table, 1)]
    )
    assert {(d["contract_id"], d["billed_by"], d["status"]) for d in differences} == {
        (name_of(1), "legacy", "rejected")
    }
    assert forecast[name_of(1)]["target_bills"] == 0 and forecast[name_of(1)]["rejected_minor"] == 12 * 4760


def test_the_sheet_for_finance_begins_with_what_nobody_signed_for() -> None:
    columns = ("contract_id", "cycle", "cause", "currency", "line_kinds", "billed_by", "status", "signed_by")
    told = [
        ("1", 3, "round_at", "EUR", "recurring", "both", "signed", "Finance", 900),
        ("2", 4, "unexplained", "JPY", "", "both", "unsigned", None, 0),
        ("3", 5, "unexplained", "EUR", "usage discount", "target", "unsigned", None, -1234),
    ]
    rows = [{**dict(zip(columns, t[:8], strict=True)), "starts_at": AS_OF, "difference_minor": t[8]} for t in told]
    with DuckDBEngine() as engine:
        sheet = list(csv.DictReader(io.StringIO(differences_csv(engine, engine.table(pa.Table.from_pylist(rows)), {}))))
    assert [(r["contract_id"], r["difference"]) for r in sheet] == [
        ("3", "-12.34 EUR"),
        ("2", "0 JPY"),
        ("1", "9.00 EUR"),
    ]
    assert sheet[0]["starts_at"] == "2026-06-30T00:00:00+00:00" and sheet[2]["signed_by"] == "Finance"


@pytest.mark.parametrize("side", ["legacy", "target"])
def test_a_contract_that_one_side_cannot_bill_says_why(side: str) -> None:
    lost = replace(STEADY, country="FR")
    facts, held = ([lost], [STEADY]) if side == "legacy" else ([STEADY], [lost])
    forecast, _ = judge(facts, billing(), held)
    other = "target" if side == "legacy" else "legacy"
    assert forecast[name_of(0)][f"{side}_reason"] == "no_tax_rate"
    assert forecast[name_of(0)][f"{other}_reason"] is None and forecast[name_of(0)][f"{other}_bills"] == 12


@pytest.mark.parametrize("seed", [1, 2])
def test_parts_of_a_cohort_say_what_the_whole_of_it_says(seed: int) -> None:
    rng = Random(seed)
    facts = [replace(random_sold(rng), usage=()) for _ in range(24)]
    held = [replace(s, country="FR") if rng.random() < 0.1 else s for s in facts]
    held = [replace(s, parts=s.parts[1:]) if len(s.parts) > 1 and rng.random() < 0.3 else s for s in held]
    told = billing(signed("round_at", 5))
    gone = [(told.legacy.reads["items"].table, row) for row in (0, 3)]
    whole = judge(facts, told, held, gone, {name_of(0): True})
    assert whole[1] and judge(facts, told, held, gone, {name_of(0): True}, most=10) == whole, f"seed {seed}"
