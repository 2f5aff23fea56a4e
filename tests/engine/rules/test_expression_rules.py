"""Rules that are engine expressions, held against a few lines of Python each."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import AS_OF, frame, outcomes

from migration_assets.engine.duckdb import DuckDBEngine

BLANKS = " \t\xa0\u2003\u3000\x1f\x85\u2028"
TEXTS = st.lists(st.none() | st.text("ab;é\u0130" + BLANKS, max_size=8) | st.text(max_size=8), min_size=1, max_size=40)
FEW = settings(deadline=None, max_examples=10)
SCALE = Decimal("1e-8")


def values(engine: DuckDBEngine, rule: str, kind: str, source: pa.Table, columns: list[str], **arguments: Any) -> Any:
    return [v for v, _ in outcomes(engine, rule, kind, source, columns, **arguments)]


def storable(texts: list[str | None]) -> list[str | None]:
    return [None if t is None or "\x00" in t else t for t in texts]


@FEW
@given(TEXTS)
def test_trim_is_python_strip(engine: DuckDBEngine, texts: list[str | None]) -> None:
    texts = storable(texts)
    assert values(engine, "trim", "text", frame(c=texts), ["c"]) == [(t or "").strip() or None for t in texts]


@FEW
@given(TEXTS)
def test_copy_keeps_text_as_it_is(engine: DuckDBEngine, texts: list[str | None]) -> None:
    texts = storable(texts)
    wanted = [t if t and t.strip() else None for t in texts]
    assert values(engine, "copy", "text", frame(c=texts), ["c"]) == wanted


@FEW
@given(TEXTS, st.integers(-3, 3).filter(bool))
def test_split_gives_one_trimmed_part(engine: DuckDBEngine, texts: list[str | None], part: int) -> None:
    texts = storable(texts)

    def one(text: str | None) -> str | None:
        parts = text.split(";") if text and text.strip() else []
        index = part - 1 if part > 0 else len(parts) + part
        return (parts[index].strip() or None) if 0 <= index < len(parts) else None

    assert values(engine, "split", "text", frame(c=texts), ["c"], separator=";", part=part) == [one(t) for t in texts]


@FEW
@given(st.lists(st.tuples(*[st.none() | st.text("a " + BLANKS, max_size=3)] * 3), min_size=1, max_size=30))
def test_join_and_coalesce_take_the_present(engine: DuckDBEngine, rows: list[tuple[str | None, ...]]) -> None:
    a, b, c = (list(x) for x in zip(*rows, strict=True))
    source = frame(a=a, b=b, c=c)
    present = [[t for t in row if t and t.strip()] for row in rows]
    joined = [", ".join(t.strip() for t in row) or None for row in present]
    assert values(engine, "join", "text", source, ["a", "b", "c"], separator=", ") == joined
    assert values(engine, "coalesce", "text", source, ["a", "b", "c"]) == [r[0] if r else None for r in present]


NUMBERS = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(min_value=-(10**21), max_value=10**21, places=9).map("{:f}".format),
    st.integers(-(2**65), 2**65).map(str),
    st.text("0123456789.+-e ", max_size=12),
    st.sampled_from(["1e5", "-0.00", "NaN", "Infinity", "1_000", "٣", "00123", "12.00", ".5", "5.", ".", "+", ""]),
)


def exact(text: str) -> Decimal | None:
    plain = text.strip()
    if not plain or set(plain) - set("0123456789.+-"):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


@FEW
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_integer_never_rounds_and_never_raises(engine: DuckDBEngine, texts: list[str]) -> None:
    found = outcomes(engine, "integer", "integer", frame(c=texts), ["c"])
    for text, (value, error) in zip(texts, found, strict=True):
        number = exact(text)
        if number is not None and number == number.to_integral_value() and -(2**63) <= number < 2**63:
            assert (value, error) == (int(number), None)
        else:
            assert value is None
            assert (error is None) == (not text.strip())


@FEW
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_decimal_is_exact_or_an_error(engine: DuckDBEngine, texts: list[str]) -> None:
    found = outcomes(engine, "decimal", "decimal", frame(c=texts), ["c"])
    for text, (value, error) in zip(texts, found, strict=True):
        number = exact(text)
        assert (value is None) or (value == number and error is None)
        if number is not None and abs(number) < 10**20 and number == round(number, 8):
            assert error is None
        else:
            assert (error is None) == (not text.strip())


@FEW
@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_plain_and_spelled_out_decimals_agree(engine: DuckDBEngine, texts: list[str]) -> None:
    """The same numbers with `,` go through Python, with `.` through the engine."""
    plain = outcomes(engine, "decimal", "decimal", frame(c=texts), ["c"])
    commas = [t.replace(".", ",") for t in texts]
    spelled = outcomes(engine, "decimal", "decimal", frame(c=commas), ["c"], decimal_separator=",")
    assert [v for v, _ in plain] == [v for v, _ in spelled]


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([1, None, 2**62], pa.int64()), ["1", None, str(2**62)]),
        (pa.array([Decimal("1.50"), None, Decimal("0.00")], pa.decimal128(12, 2)), ["1.50", None, "0.00"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None]), ["0001-01-01", "9999-12-31", None]),
        (pa.array([Decimal(10) ** 25, None, Decimal(1)], pa.decimal128(38, 0)), ["1" + "0" * 25, None, "1"]),
    ],
)
def test_typed_columns_copied_to_text_are_written_plainly(
    engine: DuckDBEngine, column: pa.Array, wanted: list[str | None]
) -> None:
    assert values(engine, "copy", "text", frame(c=column), ["c"]) == wanted


D38 = pa.array([Decimal("1.0000000000"), Decimal("1.0000000001"), Decimal(10) ** 21, None], pa.decimal128(38, 10))


@pytest.mark.parametrize(
    ("kind", "column", "wanted"),
    [
        ("decimal", D38, [(Decimal(1), None), (None, "out_of_range"), (None, "out_of_range"), (None, None)]),
        ("integer", D38, [(1, None), (None, "not_a_whole_number"), (None, "out_of_range"), (None, None)]),
        ("integer", pa.array(["abc", "1.0", "1.5"]), [(None, "not_a_number"), (1, None), (None, "not_a_whole_number")]),
        ("integer", pa.array([True]), [(None, "not_a_number")]),
        ("boolean", pa.array(["TRUE", "no", " false "]), [(True, None), (None, "not_a_boolean"), (False, None)]),
        ("date", pa.array(["2024-02-29", "2024-02-30", "epoch", "1.1.2024"]),
         [(dt.date(2024, 2, 29), None)] + [(None, "not_an_iso_date")] * 3),
        ("date", pa.array([dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 1)]),  # noqa: DTZ001
         [(dt.date(2024, 1, 1), None), (None, "has_a_time_of_day")]),
        ("instant", pa.array([dt.datetime(2024, 1, 1)]), [(None, "no_time_zone")]),  # noqa: DTZ001
        ("instant", pa.array([AS_OF]), [(AS_OF, None)]),
        ("instant", pa.array(["2024-03-31T12:00:00Z", "2024-03-31 12:00:00+00", "2024-03-31 12:00", "infinity"]),
         [(AS_OF, None), (AS_OF, None), (None, "not_an_iso_instant"), (None, "not_an_iso_instant")]),
        ("country", pa.array(["DE", "Germany"]), [("DE", None), (None, "not_a_country_code")]),
        ("currency", pa.array(["EUR", "€"]), [("EUR", None), (None, "not_a_currency_code")]),
        ("phone", pa.array(["+4930123456", "030"]), [("+4930123456", None), (None, "not_e164")]),
        ("email", pa.array(["a@b.c", "a"]), [("a@b.c", None), (None, "not_an_email")]),
    ],
)  # fmt: skip
def test_copy_fits_exactly_or_says_why_not(engine: DuckDBEngine, kind: str, column: pa.Array, wanted: Any) -> None:
    assert outcomes(engine, "copy", kind, frame(c=column), ["c"]) == wanted


def test_amounts_and_factors_by_column(engine: DuckDBEngine) -> None:
    source = frame(amount=["1", "1", "1", "x", None, "0.1"], unit=["GiB", "GB", "TiB", "GB", "GB", None])
    found = outcomes(engine, "quantity", "decimal", source, ["amount", "unit"], to="GB", factors={"GiB": "1.073741824"})
    assert found == [
        (None, "not_exact"),
        (Decimal("1.00000000"), None),
        (None, "unknown_unit"),
        (None, "not_a_number"),
        (None, None),
        (None, "unit_missing"),
    ]


def test_money_by_currency_column(engine: DuckDBEngine) -> None:
    amounts = pa.array([Decimal(x) if x else None for x in ("1.50", "2.00", "2.50", "1.00", None, "3.00")])
    source = frame(amount=amounts, currency=["eur ", "JPY", "JPY", "ZZZ", "EUR", None])
    assert outcomes(engine, "money", "money", source, ["amount", "currency"], unit="major") == [
        (150, None),
        (2, None),
        (None, "not_whole_minor_units"),
        (None, "unknown_currency"),
        (None, None),
        (None, "currency_missing"),
    ]
    overridden = outcomes(
        engine, "money", "money", source, ["amount", "currency"], unit="major", exponents={"JPY": 2, "ZZZ": 0}
    )
    assert [v for v, _ in overridden] == [150, 200, 250, 1, None, None]


def test_money_that_is_minor_already(engine: DuckDBEngine) -> None:
    whole = frame(c=pa.array([150, None, -(2**63)], pa.int64()))
    assert values(engine, "money", "money", whole, ["c"], unit="minor") == [150, None, -(2**63)]
    text = frame(c=["150", "150.0", "150.5", str(2**63)])
    assert outcomes(engine, "money", "money", text, ["c"], unit="minor") == [
        (150, None),
        (150, None),
        (None, "not_whole_minor_units"),
        (None, "out_of_range"),
    ]


def test_local_times_and_instants(engine: DuckDBEngine) -> None:
    walls = [dt.datetime(2024, 3, 31, 14), dt.datetime(2024, 3, 31, 2, 30), dt.datetime(2024, 10, 27, 2, 30), None]  # noqa: DTZ001
    local = outcomes(engine, "timestamp", "instant", frame(c=pa.array(walls)), ["c"], zone="Europe/Berlin")
    assert local == [(AS_OF, None), (None, "local_time_in_gap"), (None, "local_time_ambiguous"), (None, None)]
    aware = frame(c=pa.array([AS_OF.replace(hour=21, minute=59, second=59)]))
    last = dt.datetime(2024, 3, 31, 22, tzinfo=dt.UTC)
    for end in ("inclusive_day", "inclusive_second"):
        assert values(engine, "timestamp", "instant", aware, ["c"], zone="Europe/Berlin", end=end) == [last]
    assert values(engine, "timestamp", "instant", aware, ["c"]) == [last - dt.timedelta(seconds=1)]


def test_bare_dates_as_inclusive_ends(engine: DuckDBEngine) -> None:
    days = frame(c=pa.array([dt.date(2024, 3, 31), None]))
    ends = values(engine, "timestamp", "instant", days, ["c"], zone="Europe/Berlin", end="inclusive_day")
    assert ends == [dt.datetime(2024, 3, 31, 22, tzinfo=dt.UTC), None]


def test_months_before_as_of_clamps(engine: DuckDBEngine) -> None:
    source = frame(c=pa.array([0, 1, 13, -1, 10**6], pa.int64()))
    found = outcomes(engine, "months_before_as_of", "instant", source, ["c"])
    assert found[:3] == [
        (AS_OF, None),
        (dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC), None),
        (dt.datetime(2023, 2, 28, 12, tzinfo=dt.UTC), None),
    ]
    assert [e for _, e in found[3:]] == ["not_a_number_of_months", "not_a_number_of_months"]


def test_real_booleans_pass_and_spellings_are_read(engine: DuckDBEngine) -> None:
    assert values(engine, "boolean", "boolean", frame(c=pa.array([True, None])), ["c"]) == [True, None]
    found = outcomes(engine, "boolean", "boolean", frame(c=["Ja", "nein", "x", ""]), ["c"], true=["ja"], false=["nein"])
    assert found == [(True, None), (False, None), (None, "not_a_boolean"), (None, None)]


def test_references_are_whole_or_not_there(engine: DuckDBEngine) -> None:
    source = frame(a=["1", None, "1", " "], b=["x y", None, None, ""])
    assert outcomes(engine, "reference", "reference", source, ["a", "b"], table="crm.things") == [
        ("crm.things:1/x y", None),
        (None, None),
        (None, "incomplete_key"),
        (None, None),
    ]
    number = frame(a=pa.array([7], pa.int64()))
    assert values(engine, "reference", "reference", number, ["a"], table="crm.things") == ["crm.things:7"]


def test_when_leaves_other_rows_missing_without_a_word(engine: DuckDBEngine) -> None:
    source = frame(c=["x", "1", "x"], kind=["a", "b", "b"])
    when = [{"field": "kind", "op": "eq", "value": "b"}]
    assert outcomes(engine, "integer", "integer", source, ["c"], when=when) == [
        (None, None),
        (1, None),
        (None, "not_a_number"),
    ]
    assert outcomes(engine, "phone", "phone", source, ["c"], when=when, default_country="DE")[0] == (None, None)
    assert outcomes(engine, "as_of", "instant", source, [], when=when) == [(None, None), (AS_OF, None), (AS_OF, None)]


def test_a_pattern_takes_what_it_finds_and_a_bomb_is_none(engine: DuckDBEngine) -> None:
    texts = ["Order 4711, paid 2024-03-04", "ORDER  12; order 13", "none", None, " order 7 "]
    found = outcomes(engine, "extract", "text", frame(c=texts), ["c"], pattern=r"(?i)order\s+([0-9]+)")
    assert found == [("4711", None), ("12", None), (None, None), (None, None), ("7", None)]
    bomb = frame(c=["a" * 50_000 + "!"])
    assert outcomes(engine, "extract", "text", bomb, ["c"], pattern="^((a+)+)$") == [(None, None)]
