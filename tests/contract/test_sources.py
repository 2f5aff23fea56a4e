"""Every kind of source gives the same logical table as the same text, in the same order, under the same rules."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from migration_assets.connectors.opening import open_source
from migration_assets.connectors.source import Source
from migration_assets.domain.errors import SourceUnreadable

HEADER = ("id", "name", "amount", "code", "born")
ROWS: list[tuple[Any, ...]] = [
    ("b2", "NA", "19.90", "00123", "2024-02-29"),
    ("a10", 'O\'Brien, "Bo"\nJr', "-0.05", "1e5", "0001-01-01"),
    ("a9", "Zoë 🙂", "1234567890123.45", "TRUE", "9999-12-31"),
    ("B2", None, None, "=1", None),
    ("ä", " padded ", "0.00", "12345678901234567", "1999-12-31"),
]
EXPECTED = sorted(ROWS, key=lambda row: row[0].encode())
KINDS = ("postgres", "sqlite", "csv", "excel", "jsonl")


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Source, str]:
    """A source of each kind that holds ROWS, and the name to read from."""
    folder = tmp_path / "source"
    folder.mkdir()
    if request.param == "postgres":
        return _postgres(request.getfixturevalue("database"))
    makers: dict[str, Callable[[Path], tuple[Source, str]]] = {
        "sqlite": _sqlite, "csv": _csv, "excel": _excel, "jsonl": _jsonl
    }  # fmt: skip
    return makers[request.param](folder)


def _postgres(database: str) -> tuple[Source, str]:
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id text, name text, amount numeric(18,2), code text, born date)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO t VALUES (%s, %s, %s::text::numeric, %s, %s::text::date)", ROWS)
    return open_source("sql", database), "t"


def _sqlite(folder: Path) -> tuple[Source, str]:
    connection = sqlite3.connect(folder / "t.db")
    connection.execute("CREATE TABLE t (id TEXT, name TEXT, amount TEXT, code TEXT, born DATE)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    return open_source("sql", f"sqlite:///{folder}/t.db"), "t"


def _csv(folder: Path) -> tuple[Source, str]:
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([HEADER, *ROWS])
    return open_source("csv", str(folder)), "t.csv"


def _excel(folder: Path) -> tuple[Source, str]:
    book = Workbook()
    for number, row in enumerate([HEADER, *ROWS], start=1):
        for place, value in enumerate(row, start=1):
            cell = book.active.cell(number, place, value)
            cell.data_type = "n" if value is None else "s"
    book.save(folder / "t.xlsx")
    return open_source("excel", str(folder)), "t.xlsx"


def _jsonl(folder: Path) -> tuple[Source, str]:
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS]
    (folder / "t.jsonl").write_text("\n".join(lines))
    return open_source("jsonl", str(folder)), "t.jsonl"


def _exported(source: tuple[Source, str], out: Path, columns: tuple[str, ...] = HEADER) -> pa.Table:
    opened, read_from = source
    with opened.snapshot() as snapshot:
        assert snapshot.export(read_from, columns, ["id"], out, table="crm.t") == len(ROWS)
    return pq.read_table(out)


def test_columns_come_in_order_with_their_types(source: tuple[Source, str], tmp_path: Path) -> None:
    opened, read_from = source
    with opened.snapshot() as snapshot:
        columns = snapshot.columns(read_from)
    assert tuple(c.name for c in columns) == HEADER
    written = _exported(source, tmp_path / "o.parquet").schema
    assert [str(written.field(c.name).type) for c in columns] == [c.type for c in columns]


def test_same_table_arrives_as_the_same_text(source: tuple[Source, str], tmp_path: Path) -> None:
    found = _exported(source, tmp_path / "o.parquet")
    assert found.column_names == ["_row", *HEADER]
    assert found["_row"].type == pa.int64()
    texts = [tuple(None if v is None else str(v) for v in row.values()) for row in found.to_pylist()]
    assert texts == [(str(number), *row) for number, row in enumerate(EXPECTED, start=1)]


def test_only_the_columns_asked_for_are_written(source: tuple[Source, str], tmp_path: Path) -> None:
    assert _exported(source, tmp_path / "o.parquet", ("code", "id")).column_names == ["_row", "code", "id"]


def test_missing_table_is_refused_with_a_remedy(source: tuple[Source, str]) -> None:
    with source[0].snapshot() as snapshot, pytest.raises(SourceUnreadable) as caught:
        snapshot.columns("none.at_all")
    assert caught.value.remedy


def test_only_the_golden_copy_is_left(source: tuple[Source, str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    _exported(source, tmp_path / "out" / "o.parquet")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["o.parquet"]
