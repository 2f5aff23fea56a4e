"""Values an expression answers are answered as the function would, and what it leaves is still asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import cleaner, frame, mapped, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FieldRule

FEW = settings(deadline=None, max_examples=8)
ENDS = ["exclusive", "inclusive_second", "inclusive_millisecond"]
# Around both switches of the clock, ordinary days, and what people write for "never".
WALLS = st.one_of(
    st.datetimes(dt.datetime(2024, 3, 31), dt.datetime(2024, 3, 31, 5)),  # noqa: DTZ001 - local times have no zone
    st.datetimes(dt.datetime(2024, 10, 27), dt.datetime(2024, 10, 27, 5)),  # noqa: DTZ001
    st.datetimes(dt.datetime(1969, 12, 30), dt.datetime(2070, 1, 3)),  # noqa: DTZ001
    st.sampled_from([dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)]),  # noqa: DTZ001
)


@FEW
@given(
    st.lists(WALLS, min_size=1, max_size=40),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.sampled_from(ENDS),
    st.sampled_from([None, "earlier", "later"]),
)
def test_local_times_typed_or_written(
    engine: DuckDBEngine, walls: list[dt.datetime], zone: str, end: str, overlap: str | None
) -> None:
    arguments = {"zone": zone, "end": end, "overlap": overlap}
    texts = [w.isoformat(" ") for w in walls]
    wanted = [tuple(cleaner("timestamp", arguments).clean((t,))) for t in texts]
    typed = pa.array(walls, pa.timestamp("us"))
    assert outcomes(engine, "timestamp", "instant", frame(c=typed), ["c"], **arguments) == wanted
    assert outcomes(engine, "timestamp", "instant", frame(c=texts), ["c"], **arguments) == wanted


AMOUNTS = st.one_of(
    st.decimals(-(10**6), 10**6, places=2).map(str),
    st.decimals(-(10**6), 10**6, places=4).map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.sampled_from(["-0.00", "NaN", "1e5", "5.", ".5", "1.234,56", " 7 ", "92233720368547758.08", "0.000000001"]),
)
CURRENCIES = st.none() | st.sampled_from(["EUR", "JPY", "KWD", "CLF", "eur", " USD", "XXX", "", "NEW"])


@FEW
@given(
    st.lists(st.tuples(AMOUNTS, CURRENCIES), min_size=1, max_size=40),
    st.sampled_from(["major", "minor"]),
    st.sampled_from(["refuse", "half_up", "half_even"]),
)
def test_amounts(engine: DuckDBEngine, rows: list[tuple[str, str | None]], unit: str, rounding: str) -> None:
    arguments = {"unit": unit, "rounding": rounding}
    exponents = {"NEW": 1}
    clean = cleaner("money", arguments, exponents=exponents).clean
    source = frame(amount=[r[0] for r in rows], currency=[r[1] for r in rows])
    found = outcomes(
        engine, "money", "money", source, ["amount", "currency"], unit=unit, rounding=rounding, exponents=exponents
    )
    assert found == [tuple(clean(r)) for r in rows]


@pytest.mark.parametrize("separators", [{}, {"decimal_separator": ",", "grouping_separator": "."}])
def test_separators_are_about_text_and_never_about_numbers(engine: DuckDBEngine, separators: dict[str, str]) -> None:
    """1.500 in a numeric column is one and a half, whatever the mapping says about text."""
    source = frame(c=pa.array([Decimal("1.500"), Decimal("2.000")], pa.decimal128(12, 3)))
    assert outcomes(engine, "money", "money", source, ["c"], unit="major", currency="EUR", **separators) == [
        (150, None),
        (200, None),
    ]
    assert outcomes(engine, "decimal", "decimal", source, ["c"], **separators) == [
        (Decimal("1.5"), None),
        (Decimal("2"), None),
    ]


def test_clean_values_are_never_asked_one_by_one(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    from migration_assets.engine import distinct

    asked: list[Any] = []
    whole = distinct._answers

    def spy(engine: Any, inputs: Any, *rest: Any) -> pa.Table:
        asked.extend(engine.arrow(inputs).to_pylist())
        return whole(engine, inputs, *rest)

    monkeypatch.setattr(distinct, "_answers", spy)
    source = frame(
        at=["2024-01-01 00:00:00", "2024-03-31 02:30:00"],
        amount=["1.50", "1.505"],
        mail=["jane.doe@mail.com", "<Jane@Mail.com>"],
        name=["Jane Morris", "JANE MORRIS"],
    )
    rules = [
        FieldRule("created_at", "timestamp", ("at",), {"zone": "Europe/Berlin"}),
        FieldRule("credit_limit_minor", "money", ("amount",), {"unit": "major", "currency": "EUR"}),
        FieldRule("email", "email", ("mail",)),
        FieldRule("name", "person_name", ("name",)),
    ]
    mapped(engine, source, rules)
    assert asked == [{"k0": v} for v in ("2024-03-31 02:30:00", "1.505", "<Jane@Mail.com>", "JANE MORRIS")]
