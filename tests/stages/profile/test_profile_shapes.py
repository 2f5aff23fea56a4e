"""Forms and patterns of single values."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.profile.names import date_pairs, is_amount, refers_to, words
from migration_assets.stages.profile.shapes import content_type, form_of, moment_of, number_of, patterns, runs_collapsed


def reference_pattern(value: str) -> str:
    def shown(c: str) -> str:
        category = unicodedata.category(c)
        if category in ("Lu", "Lt"):
            return "A"
        return {"L": "a", "M": "a", "N": "9"}.get(category[0], c)

    return "".join(shown(c) for c in value[:64])


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(st.lists(st.one_of(st.none(), ANY_TEXT), max_size=30))
@settings(max_examples=200, deadline=None)
def test_patterns_are_those_of_a_plain_loop(values: list[str | None]) -> None:
    column = pa.chunked_array([pa.array(values, pa.string())])
    made = patterns(column)
    expected = [None if v is None else reference_pattern(v) for v in values]
    assert made.to_pylist() == expected
    runs = [None if e is None else re.sub(r"([Aa9])\1+", r"\1", e) for e in expected]
    assert runs_collapsed(made).to_pylist() == runs


def test_patterns_of_a_slice_and_of_several_chunks() -> None:
    column = pa.chunked_array([pa.array(["skip", "Ab1"]).slice(1), pa.array([None, "", "Zoë-9"])])
    assert patterns(column).to_pylist() == ["Aa9", None, "", "Aaa-9"]


FORMS = {
    "": "blank",
    " \t\u00a0\u2028": "blank",
    "NULL": "placeholder",
    " n/a ": "placeholder",
    "NA": "text",
    "0": "integer",
    "-12": "integer",
    " 7 ": "integer",
    "00123": "digits",
    "12.50": "decimal",
    "-.5": "decimal",
    "1e5": "text",
    "1,234,567.89": "decimal_grouped",
    "1.234,56": "decimal_comma",
    "12,5": "decimal_comma",
    "2024-02-29": "date_ymd",
    "2024-02-30": "date_ymd",
    "2024-02-29T10:00:00Z": "timestamp",
    "2024-02-29 10:00:00.000": "timestamp",
    "31/12/2024": "date_dmy",
    "12/31/2024": "date_mdy",
    "03/04/2024": "date_ambiguous",
    "31/31/2024": "date_impossible",
    "Yes": "boolean",
    "jo@example.org": "email",
    "jo@example": "text",
    "+44 20 7946 0000": "text",
    "268AF621-76D7-4C78-9441-144FD139821A": "uuid",
    "TRUE": "boolean",
    "Müller": "text",
}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine()


def test_form_of_each_value(engine: DuckDBEngine) -> None:
    table = engine.table(pa.table({"v": list(FORMS)}))
    rows = engine.arrow(table.select("v", form=form_of(table.v))).to_pylist()
    assert {r["v"]: r["form"] for r in rows} == FORMS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.50", "12.5"),
        ("123456789012345678", "123456789012345678"),
        ("1234567890123.4567", "1234567890123.4567"),
        ("1,234,567.89", "1234567.89"),
        ("1.234,56", "1234.56"),
        ("00123", None),
        ("abc", None),
    ],
)
def test_numbers_are_exact(engine: DuckDBEngine, text: str, number: str | None) -> None:
    table = engine.table(pa.table({"v": [text]}))
    value = engine.arrow(table.select(n=number_of(table.v, form_of(table.v)).cast("decimal(38, 10)")))["n"][0].as_py()
    assert (None if value is None else f"{value.normalize():f}") == number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-02-29", "2024-02-29"),
        ("2024/2/9", "2024-02-09"),
        ("31.12.2024", "2024-12-31"),
        ("12/31/2024 23:59", "2024-12-31"),
        ("2024-02-30", None),
        ("03/04/2024", None),
    ],
)
def test_moment_only_where_the_order_is_plain(engine: DuckDBEngine, text: str, day: str | None) -> None:
    table = engine.table(pa.table({"v": [text]}))
    moment = engine.arrow(table.select(m=moment_of(table.v, form_of(table.v))))["m"][0].as_py()
    assert (moment and moment.date().isoformat()) == day


@pytest.mark.parametrize(
    ("forms", "content"),
    [
        ({"blank": 5}, "empty"),
        ({"integer": 10}, "integer"),
        ({"integer": 6, "decimal": 4}, "decimal"),
        ({"integer": 9, "digits": 1}, "digits"),
        ({"decimal": 95, "text": 5}, "decimal"),
        ({"decimal": 80, "text": 20}, "text"),
        ({"date_dmy": 3, "date_ambiguous": 4}, "date_dmy"),
        ({"date_ambiguous": 4}, "date_ambiguous"),
        ({"date_ymd": 3, "date_dmy": 4}, "date_mixed"),
        ({"boolean": 95, "text": 5}, "text"),
        ({"date_impossible": 2}, "date_mixed"),
    ],
)
def test_content_of_a_column(forms: dict[str, int], content: str) -> None:
    assert content_type(forms) == content


def test_zero_and_one_are_yes_and_no() -> None:
    assert content_type({"integer": 10}, zero_one=True) == "boolean"


def test_words_of_names() -> None:
    assert words("BillToAddressID") == ("bill", "to", "address", "id")
    assert is_amount("UnitPrice") and not is_amount("credit_amount") and not is_amount("priceless")
    assert date_pairs(("starts_at", "ends_at", "created_at")) == [("created_at", "ends_at"), ("starts_at", "ends_at")]


def test_a_name_may_say_what_it_refers_to() -> None:
    assert refers_to("customer_id", "crm.customers", "id")
    assert refers_to("BillToAddressID", "erp.address", "AddressID")
    assert refers_to("company_id", "crm.companies", "id")
    assert not refers_to("id", "crm.customers", "id")
    assert not refers_to("customer_name", "crm.customers", "id")
