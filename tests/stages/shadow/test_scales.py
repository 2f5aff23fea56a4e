"""Decimals become whole numbers without losing a digit, of 64 bits where those hold them."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.legacy.scales import NARROW, NARROW_MOST, WIDE, exactly, integer, scale_of


@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        (["1", "-20", None], 0),
        (["0.01", "3"], 2),
        (["0.001"], 4),
        (["1.2345", "99999999.9999"], 4),
        (["100000000", "-0.0001"], 4),
        (["0.0000001"], 7),
        (["0.0000000001", "1"], 10),
        (["12345678901234567.1234567891"], 10),
        ([None], 0),
        ([], 0),
    ],
)
def test_as_many_places_as_are_used_and_no_digit_is_lost(numbers: list[str | None], places: int) -> None:
    given = [None if n is None else Decimal(n) for n in numbers]
    with DuckDBEngine() as engine:
        table = engine.table(
            pa.table({"i": pa.array(range(len(given)), pa.int64()), "n": pa.array(given, pa.decimal128(38, 10))})
        )
        scale = scale_of(engine, [table["n"]])
        whole = table.select("i", whole=scale.whole(table["n"]))
        found = engine.arrow(whole.order_by("i"))["whole"].to_pylist()
    assert scale.places == places
    assert found == [None if n is None else int(n.scaleb(places)) for n in given]
    assert all(abs(n) <= scale.largest_whole for n in found if n is not None)
    assert str(whole["whole"].type()) == str(table["n"].cast(integer(scale.largest_whole)).type())


def test_a_scale_keeps_the_places_it_is_asked_for() -> None:
    with DuckDBEngine() as engine:
        table = engine.table(pa.table({"n": pa.array([Decimal("1.5")], pa.decimal128(38, 10))}))
        assert scale_of(engine, [table["n"]], at_least=6).places == 6


def test_whole_numbers_are_of_64_bits_as_long_as_those_hold_them() -> None:
    assert (integer(NARROW_MOST - 1), integer(NARROW_MOST)) == (NARROW, WIDE)
    with DuckDBEngine() as engine:
        row = engine.table(pa.table({"i": [1]}))
        numbers = row.select(small=exactly(10**18), large=exactly(10**30))
        assert engine.arrow(numbers).to_pylist() == [{"small": 10**18, "large": Decimal(10**30)}]
