"""What goes out in a workbook comes back as it was, runs nothing on the way, and can be read by its owner only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from migration_assets.connectors.answer_sheet import Sheet, read_sheet, write_sheet
from migration_assets.domain.errors import BadInput

COLUMNS = ("case", "value", "answer")
# Each a value that spreadsheets work out, take for a number or date, or lose.
NASTY = [
    '=HYPERLINK("http://x.example","y")', "+49 30 1", "-5", "@SUM(1)", "\t=1", "'=1", "00123", "1e5", "TRUE",
    "2024-01-01", "12345678901234567890", "#N/A", " lead", "_x000D_", "a\nb", "<b>&amp;", "Ünï \u202e\u200b", "日本",
]  # fmt: skip


def written(path: Path, *values: str, **more: Any) -> Path:
    rows = [{"case": str(n), "value": v} for n, v in enumerate(values)]
    write_sheet(path, COLUMNS, rows, choices={"answer": ("same", "apart")}, free=(), kept=[("k", "=1")], **more)
    return path


def read(path: Path) -> Sheet:
    return read_sheet(path, COLUMNS)


def test_values_come_back_as_they_went_out(tmp_path: Path) -> None:
    sheet = read(written(tmp_path / "x.xlsx", *NASTY))
    assert [(r.number, r.cells["value"]) for r in sheet.rows] == list(enumerate(NASTY, start=2))
    assert not [r for r in sheet.rows if r.formulas] and list(sheet.kept) == [("k", "=1")]


def test_a_sheet_that_was_saved_as_something_else_is_told_why_it_cannot_come_back(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("case,value,answer\n1,a,same\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"x\.csv is called otherwise") as refused:
        read(file)
    assert "Call it x.xlsx" in refused.value.remedy
    assert len(read(written(tmp_path / "X.XLSX", "a")).rows) == 1


def test_what_begins_like_a_formula_is_text_and_stays_text_when_edited(tmp_path: Path) -> None:
    sheet = load_workbook(written(tmp_path / "x.xlsx", *NASTY))["review"]
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert {c.data_type for c in cells} == {"s"} and {c.number_format for c in cells} == {"@"}
    assert [c.value for c in cells if c.quotePrefix] == NASTY[:5]


def test_what_a_workbook_cannot_hold_is_replaced_or_cut(tmp_path: Path) -> None:
    sheet = read(written(tmp_path / "x.xlsx", "a\x00b\x1f", "\ud800x", "a\rb", "y" * 40_000))
    assert [r.cells["value"][:4] for r in sheet.rows] == ["a\ufffdb\ufffd", "\ufffdx", "a\nb", "yyyy"]
    assert len(sheet.rows[3].cells["value"]) == 32_767


def test_only_the_owner_can_read_it_and_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "x.xlsx", "a")
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(BadInput, match="there already"):
        written(path, "b")
    assert path.read_bytes() == before
    with pytest.raises(BadInput, match="cannot be written"):
        written(tmp_path / "no" / "x.xlsx", "b")


def test_only_answers_can_be_typed_into_and_there_is_a_list_to_choose_from(tmp_path: Path) -> None:
    sheet = load_workbook(written(tmp_path / "x.xlsx", "a", "b", hidden=("value",)))["review"]
    assert sheet.protection.sheet and sheet["B2"].protection.locked and not sheet["C2"].protection.locked
    (listed,) = sheet.data_validations.dataValidation
    assert (listed.formula1, str(listed.sqref)) == ('"same,apart"', "C2:C3")
    assert sheet.column_dimensions["B"].hidden and not sheet.column_dimensions["A"].hidden


def test_a_formula_that_somebody_typed_in_is_told_apart_and_a_number_is_read_as_one(tmp_path: Path) -> None:
    path = written(tmp_path / "x.xlsx", "a", "b")
    book = load_workbook(path)
    book["review"]["C2"], book["review"]["A3"] = "=1+1", 1.0
    book.save(path)
    first, second = read(path).rows
    assert first.formulas == ("answer",) and second.cells["case"] == "1"


def _no_workbook(path: Path) -> None:
    path.write_text("case,answer\n1,same\n", encoding="utf-8")


def _another_workbook(path: Path) -> None:
    Workbook().save(path)


def _other_columns(path: Path) -> None:
    book = load_workbook(written(path, "a"))
    book["review"].delete_cols(2)
    book.save(path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (_no_workbook, "not a readable .xlsx"),
        (_another_workbook, "none that was exported"),
        (_other_columns, "columns are not those"),
        (lambda _: None, "no such file"),
    ],
)
def test_what_is_no_such_workbook_is_refused(tmp_path: Path, made: Any, said: str) -> None:
    made(tmp_path / "x.xlsx")
    with pytest.raises(BadInput, match=said):
        read(tmp_path / "x.xlsx")
