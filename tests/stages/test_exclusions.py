"""Stale rows and copies: left out by a written rule, and never a row that has no equal left."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from plan_in_code import plan_of, raw_rows

from migration_assets.domain.predicates import Predicate
from migration_assets.plan.source_models import Exclusion, Redundant, SourceTable, Stale
from migration_assets.stages.exclusions import excluded_rows

T = datetime(2026, 6, 30, 12, tzinfo=UTC)
NOTES_TABLE = SourceTable(
    read_from="t", key=("id",), home="contact", owner="account", references={"account": "crm.accounts"},
    updated_at="changed", secret=("pin",),
)  # fmt: skip


def rule(name: str = "by_rule", **parts: Any) -> Exclusion:
    return Exclusion(rule=name, table="crm.notes", reason="As agreed.", **parts)


def left_out(engine: Any, *rules: Exclusion, rows: Any) -> dict[str, str]:
    """Source id -> rule, of every row of `crm.notes` that is left out."""
    plan = plan_of({"crm.notes": NOTES_TABLE}, exclusions=rules)
    found = excluded_rows(engine, plan, "crm.notes", rows, T)
    listed = engine.arrow(found).to_pylist()
    assert len({r["source_row"] for r in listed}) == len(listed), "each row once"
    return {r["source_id"]: r["rule"] for r in listed}


def copies(engine: Any, *rows: dict[str, Any]) -> Any:
    same = {"account": "1", "text": "Hello", "changed": "2026-01-01", "pin": None}
    return raw_rows(engine, *({**same, **r} for r in rows))


@pytest.mark.parametrize("kind", ["date", "timestamp", "instant", "text"])
def test_stale_is_before_t_less_its_months_whatever_the_column_is(engine: Any, kind: str) -> None:
    before, at = datetime.fromisoformat("2024-06-29T23:59"), datetime.fromisoformat("2024-06-30T12:00")
    as_kind: dict[str, tuple[pa.DataType, Any]] = {
        "date": (pa.date32(), datetime.date),
        "timestamp": (pa.timestamp("us"), lambda m: m),
        "instant": (pa.timestamp("us", tz="UTC"), lambda m: m.replace(tzinfo=UTC)),
        "text": (pa.string(), datetime.isoformat),
    }
    of_type, made = as_kind[kind]
    rows = raw_rows(engine, {"id": "1", "seen": made(before)}, {"id": "2", "seen": made(at)}, {"id": "3", "seen": None},
                    seen=of_type)  # fmt: skip
    stale = rule(stale=Stale(column="seen", months=24))
    assert left_out(engine, stale, rows=rows) == {"1": "by_rule"}


def test_a_day_is_stale_or_not_as_a_whole(engine: Any) -> None:
    rows = raw_rows(engine, {"id": "1", "seen": date(2024, 6, 29)}, {"id": "2", "seen": date(2024, 6, 30)},
                    seen=pa.date32())  # fmt: skip
    assert left_out(engine, rule(stale=Stale(column="seen", months=24)), rows=rows) == {"1": "by_rule"}


def test_text_that_is_no_date_is_not_taken_for_an_old_one(engine: Any) -> None:
    rows = raw_rows(
        engine, {"id": "1", "seen": "31.12.1999"}, {"id": "2", "seen": ""}, {"id": "3", "seen": "1999-12-31"}
    )
    assert left_out(engine, rule(stale=Stale(column="seen", months=24)), rows=rows) == {"3": "by_rule"}


def test_a_stale_row_is_left_out_only_where_the_condition_holds_too(engine: Any) -> None:
    old = {"seen": "2001-01-01"}
    rows = raw_rows(engine, {"id": "1", "kind": "LEAD", **old}, {"id": "2", "kind": "CUST", **old})
    lead = (Predicate(field="kind", op="eq", value="LEAD"),)
    assert left_out(engine, rule(where=lead, stale=Stale(column="seen", months=24)), rows=rows) == {"1": "by_rule"}


def test_of_copies_the_lowest_key_stays_and_missing_equals_missing(engine: Any) -> None:
    rows = copies(engine, {"id": "3", "text": None}, {"id": "2", "text": None}, {"id": "1"}, {"id": "4", "text": "Bye"})
    assert left_out(engine, rule(redundant=Redundant()), rows=rows) == {"3": "by_rule"}


def test_the_latest_stays_where_the_rule_says_so(engine: Any) -> None:
    rows = copies(engine, {"id": "1", "changed": "2026-01-02"}, {"id": "2", "changed": "2026-03-01"},
                  {"id": "3", "changed": None})  # fmt: skip
    assert left_out(engine, rule(redundant=Redundant(keep="latest")), rows=rows) == {"1": "by_rule", "3": "by_rule"}


def test_neither_key_nor_time_stamp_nor_secret_makes_a_difference(engine: Any) -> None:
    rows = copies(engine, {"id": "1", "pin": "a"}, {"id": "2", "changed": "2020-01-01", "pin": "b"})
    assert left_out(engine, rule(redundant=Redundant()), rows=rows) == {"2": "by_rule"}


def test_rows_of_two_customers_are_no_copies_whatever_the_rule_compares(engine: Any) -> None:
    rows = copies(engine, {"id": "1", "account": "1"}, {"id": "2", "account": "2"}, {"id": "3", "account": "2"})
    assert left_out(engine, rule(redundant=Redundant(by=("text",))), rows=rows) == {"3": "by_rule"}


def test_what_another_rule_leaves_out_is_not_the_one_that_stays(engine: Any) -> None:
    rows = copies(engine, {"id": "1", "gone": "x"}, {"id": "2", "gone": None}, {"id": "3", "gone": None})
    same = rule("copy", redundant=Redundant(by=("text",)))
    gone = rule("gone", where=(Predicate(field="gone", op="not_null"),))
    assert left_out(engine, same, gone, rows=rows) == {"1": "gone", "3": "copy"}
    assert left_out(engine, gone, same, rows=rows) == {"1": "gone", "3": "copy"}


def test_copies_are_looked_for_only_among_rows_the_condition_is_about(engine: Any) -> None:
    rows = copies(engine, {"id": "1", "kind": "A"}, {"id": "2", "kind": "B"}, {"id": "3", "kind": "B"})
    only_b = rule(where=(Predicate(field="kind", op="eq", value="B"),), redundant=Redundant(by=("text",)))
    assert left_out(engine, only_b, rows=rows) == {"3": "by_rule"}


def test_the_order_of_rows_makes_no_difference(engine: Any) -> None:
    given = [{"id": str(n), "text": "ab"[n % 2]} for n in range(1, 9)]
    forward, back = (
        left_out(engine, rule(redundant=Redundant()), rows=copies(engine, *r)) for r in (given, given[::-1])
    )
    assert forward == back and set(forward) == {"3", "4", "5", "6", "7", "8"}
