"""Dates whose order nobody wrote down: the whole column proves it, or the doubtful ones are refused."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import AS_OF, frame, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FeedSpec, FieldRule, map_feed

DOUBT = (None, "ambiguous_order")


def inferred(engine: DuckDBEngine, *texts: str | None) -> list[tuple[Any, str | None]]:
    return outcomes(engine, "date", "date", frame(c=list(texts)), ["c"], order="infer")


def test_one_date_that_only_one_order_can_read_proves_it_for_the_column(engine: DuckDBEngine) -> None:
    assert inferred(engine, "03/04/2024", "13/04/2024") == [
        (dt.date(2024, 4, 3), None),
        (dt.date(2024, 4, 13), None),
    ]
    assert inferred(engine, "03/04/2024", "04/13/2024") == [
        (dt.date(2024, 3, 4), None),
        (dt.date(2024, 4, 13), None),
    ]


def test_without_proof_the_doubtful_are_refused_and_the_clear_pass(engine: DuckDBEngine) -> None:
    found = inferred(engine, "03/04/2024", "05.05.2024", "2024-02-03", None, "x")
    assert found == [
        DOUBT,
        (dt.date(2024, 5, 5), None),
        (dt.date(2024, 2, 3), None),
        (None, None),
        (None, "not_a_date"),
    ]


def test_proof_of_both_orders_is_none(engine: DuckDBEngine) -> None:
    assert inferred(engine, "13/04/2024", "04/13/2024", "03/04/2024") == [
        (dt.date(2024, 4, 13), None),
        (dt.date(2024, 4, 13), None),
        DOUBT,
    ]


@pytest.mark.parametrize("text", ["31/04/2024", "13/13/2024", "13-04/2024", "13/01/0000", "13/04/2024x", "20240413"])
def test_what_is_no_date_proves_nothing(engine: DuckDBEngine, text: str) -> None:
    assert inferred(engine, text, "03/04/2024")[1] == DOUBT


def test_the_same_for_instants(engine: DuckDBEngine) -> None:
    source = frame(c=["03.04.2024 10:00", "13.04.2024 23:30:00"])
    found = outcomes(engine, "timestamp", "instant", source, ["c"], order="infer", zone="Europe/Berlin")
    assert [v.isoformat() for v, _ in found] == ["2024-04-03T08:00:00+00:00", "2024-04-13T21:30:00+00:00"]
    assert outcomes(engine, "timestamp", "instant", source.slice(0, 1), ["c"], order="infer") == [DOUBT]
    written = outcomes(engine, "timestamp", "instant", source, ["c"], order="dmy", zone="Europe/Berlin")
    assert written == found


def test_a_typed_column_has_its_order_already(engine: DuckDBEngine) -> None:
    source = frame(c=pa.array([dt.date(2024, 4, 3)]))
    assert outcomes(engine, "date", "date", source, ["c"], order="infer") == [(dt.date(2024, 4, 3), None)]


def born(engine: DuckDBEngine, source: pa.Table, whole: pa.Table) -> dict[int, dt.date | None]:
    rules = [
        FieldRule("birth_date", "date", ("c",), {"order": "infer"}),
        *(FieldRule(f, "constant", (), {"value": v}) for f, v in (("kind", "person"), ("name", "x"))),
        FieldRule("status", "constant", (), {"value": "active"}),
    ]
    spec = FeedSpec("feed", "customer", "crm", "accounts", ("id",), tuple(rules))
    made = map_feed(engine, spec, engine.table(source), AS_OF, lambda: engine.table(whole))
    return {r["source_row"]: r["birth_date"] for r in engine.arrow(made.rows).to_pylist()}


def test_a_slice_is_read_as_the_whole_table_says(engine: DuckDBEngine) -> None:
    whole = frame(c=["03/04/2024", "04/13/2024"])
    assert born(engine, whole.slice(0, 1), whole) == {1: dt.date(2024, 3, 4)}


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32))
def test_cohorts_together_read_what_the_whole_reads(engine: DuckDBEngine, seed: int) -> None:
    chance = random.Random(seed)
    days = [dt.date(2024, 1, 1) + dt.timedelta(chance.randrange(365)) for _ in range(30)]
    forms = chance.choice([["%d/%m/%Y"], ["%m/%d/%Y"], ["%d/%m/%Y", "%m/%d/%Y"]])
    whole = frame(c=[d.strftime(chance.choice(forms)) for d in days])
    cut = chance.randrange(1, 29)
    apart = born(engine, whole.slice(0, cut), whole) | born(engine, whole.slice(cut), whole)
    assert apart == born(engine, whole, whole), f"seed {seed}"
    if len(forms) == 1:
        assert all(day in (None, days[n - 1]) for n, day in apart.items()), f"seed {seed}"
