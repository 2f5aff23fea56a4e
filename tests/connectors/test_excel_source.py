"""Workbooks: the stored value as text, whole numbers plain, and nothing calculated or guessed."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from migration_assets.connectors.opening import open_source
from migration_assets.domain.errors import SourceUnreadable

LEAP_DAY = dt.datetime.fromisoformat("2024-02-29")


def book(path: Path, table: list[list[Any]], *, formats: dict[str, str] | None = None, sheet: str = "Data") -> Path:
    workbook = Workbook()
    page = workbook.active
    page.title = sheet
    for row in table:
        page.append(row)
    for cell, number_format in (formats or {}).items():
        page[cell].number_format = number_format
    workbook.create_sheet("Second").append(["id"])
    workbook.save(path)
    return path


def rewritten(workbook: Path, to: Path, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(workbook) as before, zipfile.ZipFile(to, "w") as after:
        for member in before.infolist():
            after.writestr(member, change(before.read(member)))


def rows(folder: Path, read_from: str = "t.xlsx", **options: Any) -> list[dict[str, Any]]:
    with open_source("excel", str(folder), options).snapshot() as snapshot:
        names = [column.name for column in snapshot.columns(read_from)]
        snapshot.export(read_from, names, ["id"], folder / "o.parquet", table="crm.t")
    return pq.read_table(folder / "o.parquet").to_pylist()


@pytest.mark.parametrize(
    ("value", "number_format", "arrives"),
    [
        ("00123", "", "00123"), ("NA", "", "NA"), ("1e5", "", "1e5"), ("TRUE", "", "TRUE"), (123, "00000", "00123"),
        (1e5, "", "100000"), (0.1, "", "0.1"), (1e-7, "", "0.0000001"),
        (1234.5, "#,##0.00", "1234.5"), (True, "", "TRUE"), (-3, "00000", "-3"),
        (dt.date(2024, 2, 29), "", "2024-02-29"), (LEAP_DAY.replace(hour=13, minute=5), "", "2024-02-29 13:05:00"),
        (LEAP_DAY, "yyyy-mm-dd hh:mm", "2024-02-29 00:00:00"), (dt.time(7, 30), "", "07:30:00"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"), ("line\nbreak", "", "line\nbreak"),
        (" padded ", "", " padded "), (None, "", None),
    ],
)  # fmt: skip
def test_value_arrives_as_text(tmp_path: Path, value: Any, number_format: str, arrives: str | None) -> None:
    formats = {"B2": number_format} if number_format else {}
    book(tmp_path / "t.xlsx", [["id", "v"], ["1", value]], formats=formats)
    assert rows(tmp_path)[0]["v"] == arrives


def test_long_whole_number_stays_as_the_file_has_it(tmp_path: Path) -> None:
    plain = book(tmp_path / "plain.xlsx", [["id", "v"], [1, 77]])
    rewritten(plain, tmp_path / "t.xlsx", lambda xml: xml.replace(b"<v>77</v>", b"<v>12345678901234567</v>"))
    assert rows(tmp_path)[0]["v"] == "12345678901234567"


def test_number_that_excel_has_rounded_is_refused(tmp_path: Path) -> None:
    book(tmp_path / "t.xlsx", [["id", "v"], [1, 12345678901234567]])
    with pytest.raises(SourceUnreadable, match="cell B2: a number of more digits than Excel keeps"):
        rows(tmp_path)


def test_sheets_by_name_by_option_or_first(tmp_path: Path) -> None:
    book(tmp_path / "t.xlsx", [["id", "v"], [1, "x"]])
    assert rows(tmp_path, "t.xlsx#Data") == rows(tmp_path) == [{"_row": 1, "id": "1", "v": "x"}]
    assert rows(tmp_path, "t.xlsx#Second") == rows(tmp_path, sheet="Second") == []
    with pytest.raises(SourceUnreadable, match="it has 'Data', 'Second'"):
        rows(tmp_path, "t.xlsx#Third")


def test_empty_rows_end_a_sheet_and_stay_in_its_middle(tmp_path: Path) -> None:
    book(tmp_path / "t.xlsx", [["id", "v", None], [1, "x"], [None, None], [2, "y"], [None, None, None]])
    assert [(r["id"], r["v"]) for r in rows(tmp_path)] == [("1", "x"), ("2", "y"), (None, None)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([["id", "v"], [1, "=1+1"]], "t.xlsx, cell B2: a formula"),
        ([["id", "v"], [1, "#DIV/0!"]], "t.xlsx, cell B2: an error value"),
        ([["id", "Id"], [1, 2]], "same name"),
        ([["id", None, "v"], [1, 2, 3]], "column 2 has no name"),
        ([["id"], [1, "stray"]], "line 2: a value to the right"),
        ([[None]], "is empty"),
    ],
)
def test_what_is_not_plain_is_refused(tmp_path: Path, table: list[list[Any]], said: str) -> None:
    book(tmp_path / "t.xlsx", table)
    with pytest.raises(SourceUnreadable, match=said):
        rows(tmp_path)


def test_formula_without_a_saved_result_is_never_an_empty_value(tmp_path: Path) -> None:
    book(tmp_path / "t.xlsx", [["id", "v"], [1, "=1+1"]])
    with pytest.raises(SourceUnreadable, match="a formula without a saved result"):
        rows(tmp_path, formulas="cached")


def test_saved_result_of_a_formula_is_taken_when_asked_for(tmp_path: Path) -> None:
    plain = book(tmp_path / "plain.xlsx", [["id", "v"], [1, "=1+1"]])
    rewritten(plain, tmp_path / "t.xlsx", lambda xml: re.sub(rb"<v ?/>|<v></v>", b"<v>2</v>", xml))
    assert rows(tmp_path, formulas="cached")[0]["v"] == "2"


def test_damaged_encrypted_and_oversized_workbooks_are_refused(tmp_path: Path) -> None:
    whole = book(tmp_path / "t.xlsx", [["id"], [1]]).read_bytes()
    with pytest.raises(SourceUnreadable, match="unpacks to"):
        rows(tmp_path, max_bytes=100)
    for content in (whole[: len(whole) // 2], b"", b"\xd0\xcf\x11\xe0 old or encrypted", b"PK\x03\x04"):
        (tmp_path / "t.xlsx").write_bytes(content)
        with pytest.raises(SourceUnreadable, match="not a readable"):
            rows(tmp_path)


def test_xml_entities_are_refused(tmp_path: Path) -> None:
    plain = book(tmp_path / "plain.xlsx", [["id"], [1]])
    rewritten(plain, tmp_path / "t.xlsx", lambda xml: b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml)
    with pytest.raises(SourceUnreadable, match="XML entities"):
        rows(tmp_path)
