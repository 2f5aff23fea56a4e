"""What the program relies on in an engine. A second engine is one more entry in ENGINES."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.domain.money import InvoiceRounding, whole
from migration_assets.engine.api import Engine
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.parts import parted

ENGINES: dict[str, Callable[[], Any]] = {"duckdb": DuckDBEngine}

NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
EDGES = pa.table(
    {
        "n": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
        "t": ["a'b\n\"", "e\u0301\U0001f600", None],
        "d": pa.array([Decimal("12345678901234567890.12345678"), Decimal("-0.00000001"), None], pa.decimal128(28, 8)),
        "b": [True, False, None],
        "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None], pa.date32()),
        "at": pa.array(
            [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC), None],
            pa.timestamp("us", tz="UTC"),
        ),
    }
)


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with ENGINES[request.param]() as made:
        yield made


def by_n(engine: Engine, table: Any) -> pa.Table:
    return engine.arrow(table.order_by(table.n.asc(nulls_first=False)))


def test_values_come_back_exactly_with_their_types(engine: Engine) -> None:
    wanted = EDGES.take([1, 0, 2])
    assert by_n(engine, engine.table(EDGES)).equals(wanted)


def test_a_file_holds_what_was_written_in_the_order_asked_for(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "it's a folder" / "rows.parquet"
    assert engine.write(engine.table(EDGES), path, order_by=["day"]) == 3
    assert pq.read_table(path).equals(EDGES)
    assert by_n(engine, engine.read(path)).equals(EDGES.take([1, 0, 2]))
    assert [p.name for p in path.parent.iterdir()] == ["rows.parquet"]


def test_writing_replaces_the_whole_file(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    engine.write(engine.table(EDGES), path)
    table = engine.table(EDGES)
    assert engine.write(table.filter(table.b), path) == 1
    assert engine.count(engine.read(path)) == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    engine.write(engine.table(EDGES), path)
    before = path.read_bytes()
    table = engine.table(pa.table({"t": ["1", "x"]}))
    with pytest.raises(Exception, match="x"):
        engine.write(table.select(n=table.t.cast("int64")), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["rows.parquet"]


def test_no_rows_are_a_file_too(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    assert engine.write(engine.table(EDGES.slice(0, 0)), path) == 0
    assert pq.read_table(path).schema.equals(EDGES.schema)
    assert engine.count(engine.read(path)) == 0


def test_several_files_are_read_as_one_table(engine: Engine, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.parquet" for i in range(3)]
    for path in paths:
        engine.write(engine.table(EDGES), path)
    assert engine.count(engine.read(*paths)) == 9


def test_a_union_keeps_every_row(engine: Engine) -> None:
    table = engine.table(EDGES)
    assert engine.count(engine.union([table, table, table])) == 9
    assert engine.count(engine.union([table])) == 3


def test_cached_rows_do_not_change_when_the_file_does(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    engine.write(engine.table(EDGES), path)
    kept = engine.cached(engine.read(path))
    engine.write(engine.table(EDGES.slice(0, 1)), path)
    assert engine.count(kept) == 3


def test_rows_of_several_queries_are_kept_together(engine: Engine) -> None:
    rows = engine.cached(engine.table(EDGES).select("n"))
    parts = parted(rows.mutate(key=rows.n.cast("string")), "key", 3)
    kept = engine.cached(*(part.select("key", "n") for part in parts))
    assert engine.count(kept) == engine.count(rows)
    assert engine.count(kept.filter(kept.n > 0)) == engine.count(rows.filter(rows.n > 0))


def test_what_is_kept_is_there_after_a_rest(engine: Engine) -> None:
    kept = engine.cached(engine.table(EDGES))
    with engine.resting():
        pass
    assert engine.arrow(kept).num_rows == EDGES.num_rows


def test_uuid5_is_the_standards(engine: Engine) -> None:
    texts = ["customer|crm.accounts:1", "", "é\U0001f600'", "x" * 500, None]
    table = engine.table(pa.table({"t": pa.array(texts)}))
    found = engine.arrow(table.select("t", id=engine.uuid5(NAMESPACE, table.t))).to_pylist()
    assert {r["t"]: r["id"] for r in found} == {t: t if t is None else str(uuid5(NAMESPACE, t)) for t in texts}


@pytest.mark.parametrize("how", ["half_up", "half_down", "half_even", "up", "down"])
def test_whole_numbers_are_divided_exactly_and_rounded_as_the_domain_does(engine: Engine, how: InvoiceRounding) -> None:
    largest = 2**63 - 1
    given = [(5, 2), (7, 2), (-5, 2), (-7, 2), (1, 3), (2, 3), (-2, 3), (0, 4), (largest * 1000, 1000), (-1, 2), (1, 2)]
    given += [(largest * 3 - 3, 3), (9_007_199_254_740_993 * 2 + 1, 2), (10**33 + 1, 10**20), (None, 2)]
    totals = pa.array([None if n is None else Decimal(n) for n, _ in given], pa.decimal128(38, 0))
    parts = pa.array([Decimal(d) for _, d in given], pa.decimal128(38, 0))
    table = engine.table(pa.table({"i": list(range(len(given))), "n": totals, "d": parts}))
    found = engine.arrow(table.select("i", q=engine.whole(table.n, table.d, how)).order_by("i"))["q"].to_pylist()
    assert found == [None if n is None else whole(Fraction(n, d), how) for n, d in given]


@pytest.mark.parametrize("how", ["half_up", "half_down", "half_even", "up", "down"])
def test_numbers_of_64_bits_are_divided_the_same_to_their_very_ends(engine: Engine, how: InvoiceRounding) -> None:
    ends = (2**63 - 1, -(2**63) + 1, 2**60, 2**60 + 1, -(2**60), 0, 5, -5, 7)
    given = [(n, d) for n in ends for d in (1, 2, 3, 10, 2**60, 2**60 + 1, 2**63 - 1)]
    table = engine.table(
        pa.table({"i": range(len(given)), "n": [n for n, _ in given], "d": pa.array([d for _, d in given], pa.int64())})
    )
    found = engine.arrow(table.select("i", q=engine.whole(table.n, table.d, how)).order_by("i"))["q"].to_pylist()
    assert found == [whole(Fraction(n, d), how) for n, d in given]


def test_rows_kept_in_passing_are_given_back_but_for_what_lasts(engine: Engine) -> None:
    outer = engine.cached(engine.table(EDGES).select("n"))
    with engine.passing() as lasting:
        gone = engine.cached(outer.filter(outer.n > 0))
        stays = engine.cached(gone.mutate(twice=gone.n))
        lasting.append(stays)
    assert engine.count(stays) == 1
    assert engine.count(outer) == 3
    with pytest.raises(Exception, match="does not exist"):
        engine.count(gone)


def test_rows_kept_in_passing_are_given_back_when_a_step_fails(engine: Engine) -> None:
    made = engine.table(EDGES).select("n")
    with pytest.raises(ZeroDivisionError), engine.passing():
        gone = engine.cached(made)
        raise ZeroDivisionError
    with pytest.raises(Exception, match="does not exist"):
        engine.count(gone)


@pytest.mark.parametrize("how", ["half_up", "half_down", "half_even", "up", "down"])
def test_whole_numbers_of_64_bits_are_divided_as_exactly(engine: Engine, how: InvoiceRounding) -> None:
    largest = 2**63 - 1
    given = [(n, d) for n in range(-12, 13) for d in (1, 2, 3, 4)]
    given += [(largest, 1), (-largest, 1), (largest, 2), (largest, largest), (largest - 1, largest), (None, 2)]
    # Halves of the largest divisors there are: twice a remainder would not fit.
    given += [(2**61 + n, 2**62) for n in (-1, 0, 1)] + [(-(2**61), 2**62), (2**62 + 2**61, 2**62)]
    totals, parts = pa.array([n for n, _ in given], pa.int64()), pa.array([d for _, d in given], pa.int64())
    table = engine.table(pa.table({"i": list(range(len(given))), "n": totals, "d": parts}))
    found = engine.arrow(table.select("i", q=engine.whole(table.n, table.d, how)).order_by("i"))["q"].to_pylist()
    assert found == [None if n is None else whole(Fraction(n, d), how) for n, d in given]


def test_text_is_ordered_and_compared_by_its_bytes(engine: Engine) -> None:
    table = engine.table(pa.table({"t": ["b", "B", "a", "é", "Z", "10", "9"]}))
    assert engine.arrow(table.order_by("t"))["t"].to_pylist() == ["10", "9", "B", "Z", "a", "b", "é"]
    assert engine.count(table.filter(table.t == "B")) == 1


def test_what_cannot_be_cast_is_missing_and_no_error(engine: Engine) -> None:
    table = engine.table(pa.table({"t": ["1", "x", None]}))
    found = engine.arrow(table.select(n=table.t.try_cast("int64")))["n"].to_pylist()
    assert sorted(found, key=str) == [1, None, None]


def test_missing_is_identical_to_missing_in_a_join(engine: Engine) -> None:
    left = engine.table(pa.table({"a": ["x", None], "b": ["1", "2"]}))
    right = engine.table(pa.table({"c": ["x", None], "d": ["3", "4"]}))
    joined = left.left_join(right, [left.a.identical_to(right.c)])
    found = engine.arrow(joined.select("b", "d")).to_pylist()
    assert sorted((r["b"], r["d"]) for r in found) == [("1", "3"), ("2", "4")]


def test_lists_of_records_become_rows(engine: Engine) -> None:
    table = engine.table(pa.table({"a": ["x", "y"], "b": [True, False]}))
    kind = "struct<v: string>"
    one = ibis.struct({"v": table.a}, type=kind)
    both = ibis.array([one, ibis.cases((table.b, one), else_=ibis.null(kind))]).filter(lambda v: v.notnull())
    found = engine.arrow(table.select(e=both.unnest()))["e"].to_pylist()
    assert sorted(r["v"] for r in found) == ["x", "x", "y"]


def test_two_engines_do_not_see_each_other(engine: Engine) -> None:
    with ENGINES[engine.name]() as other:
        engine.table(EDGES)
        assert other.count(other.table(EDGES.slice(0, 1))) == 1
