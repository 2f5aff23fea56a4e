"""A workbook (.xlsx) that goes out with questions and comes back with answers. What the columns mean is not known here.

Cells are text, whatever they look like. One that begins like a formula (`=`, `+`, `-`, `@`, tab, carriage return) is
stored as text and marked as such (Excel's quote prefix), so that it is neither worked out when the file is opened nor
when the cell is edited; the mark is no part of the value, which comes back as it went out. A formula that somebody
typed in comes back as one and is told apart from text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migration_assets.connectors.excel_source import check_archive
from migration_assets.connectors.file_source import File
from migration_assets.connectors.private_files import make_private
from migration_assets.domain.errors import BadInput, SourceUnreadable

_ROWS, _KEPT = "review", "export"
_FORMULA_LIKE = ("=", "+", "-", "@", "\t", "\r")
# What XML cannot hold; Excel would call the file damaged.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST, _MOST_BYTES = 32_767, 200_000_000
# In characters. What stays in sight has to leave room for the rest on a small screen.
_NARROWEST, _WIDEST = 10, 32
# Colours of cells that people are to fill in, and of those that stand out.
_TO_FILL_IN, _STANDS_OUT = "E2F0D9", "FFF2CC"


@dataclass(frozen=True)
class SheetRow:
    """One row as it came back. `number`: as Excel counts; `formulas`: columns that hold one instead of a value."""

    number: int
    cells: Mapping[str, str]
    formulas: Collection[str] = ()

    def place(self, name: str) -> str:
        """Where the value of a column stands, as whoever has the sheet open finds it: `row 2, column D (answer)`."""
        from openpyxl.utils import get_column_letter

        return f"row {self.number}, column {get_column_letter([*self.cells].index(name) + 1)} ({name})"


@dataclass(frozen=True)
class Sheet:
    """A sheet as it came back: its `rows`, and `kept`, what went out with it out of sight."""

    rows: Sequence[SheetRow]
    kept: Sequence[tuple[str, ...]] = field(default_factory=tuple)


def as_cell(value: str) -> str:
    """The text as a workbook can hold it: to XML a carriage return is a line feed, and it has no control characters."""
    return _NO_TEXT.sub("\ufffd", re.sub("\r\n?", "\n", value))[:_LONGEST]


def require_workbook(path: Path) -> None:
    """BadInput for the name of a file that is no workbook: whoever opens it would find something else than it says, and
    nothing else has room for what goes out beside the rows, out of sight."""
    if path.suffix.lower() != ".xlsx":
        raise BadInput(
            f"answers go out and come back in a workbook (.xlsx), and {path.name} is called otherwise",
            f"Call it {path.stem}.xlsx; saved as anything else it loses what tells whether answers fit what was asked.",
        )


def write_sheet(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, str]],
    *,
    choices: Mapping[str, Sequence[str]],
    free: Collection[str],
    hidden: Collection[str] = (),
    kept: Iterable[Sequence[str]] = (),
    staying: int = 1,
    marked: Iterable[Collection[str]] = (),
) -> None:
    """Write a new workbook that only its owner can read. `choices`: columns with a drop-down; only those and the `free`
    ones can be typed into. `staying`: how many of the first columns stay in sight when one scrolls to the right;
    `marked`: for each row the columns that stand out. BadInput when the file is there already, since it may hold
    answers, and for a name that is none of a workbook."""
    from openpyxl import Workbook

    require_workbook(path)
    book = Workbook()
    sheet: Any = book.active
    sheet.title = _ROWS
    _fill(sheet, [columns, *([row.get(c, "") for c in columns] for row in rows)])
    for place, name in enumerate(columns, start=1):
        _size(sheet, place, typed=name in free, hidden=name in hidden)
        if name in choices:
            _offer(sheet, place, choices[name])
        if name in choices or name in free:
            _unlock(sheet, place)
    _mark(sheet, columns, marked)
    sheet.freeze_panes = sheet.cell(2, staying + 1)
    sheet.protection.sheet = True
    memory: Any = book.create_sheet(_KEPT)
    memory.sheet_state = "veryHidden"
    _fill(memory, kept)
    _save(book, path)


def _size(sheet: Any, place: int, *, typed: bool, hidden: bool) -> None:
    """As wide as its longest line, up to a limit from which on lines are broken."""
    from openpyxl.styles import Alignment
    from openpyxl.utils import get_column_letter

    column = sheet.column_dimensions[get_column_letter(place)]
    column.hidden = hidden
    cells = [cell for (cell,) in sheet.iter_rows(min_col=place, max_col=place)]
    longest = max(len(line) for cell in cells for line in str(cell.value or "").split("\n"))
    column.width = _WIDEST if typed else min(max(longest + 2, _NARROWEST), _WIDEST)
    laid = Alignment(vertical="top", wrap_text=True)
    for cell in cells:
        cell.alignment = laid


def _mark(sheet: Any, columns: Sequence[str], marked: Iterable[Collection[str]]) -> None:
    """The row of names in bold, and what is to stand out in the rows below."""
    from openpyxl.styles import Font

    bold, filled = Font(bold=True), _filled(_STANDS_OUT)
    for cell in sheet[1]:
        cell.font = bold
    for number, names in enumerate(marked, start=2):
        for name in names:
            sheet.cell(number, columns.index(name) + 1).fill = filled


def _filled(colour: str) -> Any:
    from openpyxl.styles import PatternFill

    return PatternFill("solid", start_color=colour)


def _offer(sheet: Any, place: int, values: Sequence[str]) -> None:
    """A drop-down in every row of the column."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    letter = get_column_letter(place)
    listed = DataValidation(
        type="list", formula1=f'"{",".join(values)}"', allow_blank=True, showErrorMessage=True,
        errorTitle="Not an answer", error=f"Choose {' or '.join(values)}, or leave it empty.",
    )  # fmt: skip
    listed.add(f"{letter}2:{letter}{max(sheet.max_row, 2)}")
    sheet.add_data_validation(listed)


def _unlock(sheet: Any, place: int) -> None:
    from openpyxl.styles import Protection

    filled = _filled(_TO_FILL_IN)
    for (cell,) in sheet.iter_rows(min_row=2, min_col=place, max_col=place):
        cell.protection = Protection(locked=False)
        cell.fill = filled


def _save(book: Any, path: Path) -> None:
    content = io.BytesIO()
    book.save(content)
    try:
        make_private(path, content.getvalue())
    except FileExistsError:
        raise BadInput(
            "the file is there already, and may hold answers", "Give another name, or take it away first."
        ) from None
    except OSError as error:
        raise BadInput(f"the file cannot be written ({error.strerror})", "Name a file in a folder of yours.") from None


def _fill(sheet: Any, rows: Iterable[Sequence[str]]) -> None:
    for number, row in enumerate(rows, start=1):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(number, place)
            # `@`: Excel takes nothing in this cell for a number, a date or a formula.
            cell.number_format = "@"
            if value:
                cell.value = as_cell(value)
                cell.data_type = "s"
                cell.quotePrefix = value.startswith(_FORMULA_LIKE)


def read_sheet(path: Path, columns: Sequence[str]) -> Sheet:
    """Rows of a workbook that `write_sheet` made, empty ones left out. BadInput when it is no workbook, or not with
    these columns in this order."""
    book = _opened(path)
    if not {_ROWS, _KEPT} <= set(book.sheetnames):
        raise BadInput("the workbook is none that was exported here", "Use the file of `cutover review export`.")
    first, *rest = list(book[_ROWS].iter_rows()) or [()]
    if [_text(c) for c in first] != list(columns):
        raise BadInput(
            "row 1: the columns are not those that were exported", "Leave columns and their names as they are."
        )
    rows = [_row(number, columns, cells) for number, cells in enumerate(rest, start=2)]
    kept = [tuple(_text(c) for c in cells) for cells in book[_KEPT].iter_rows()]
    return Sheet([r for r in rows if r.formulas or any(r.cells.values())], kept)


def _opened(path: Path) -> Any:
    from openpyxl import load_workbook

    if not path.is_file():
        raise BadInput("there is no such file", "Name the file that was exported and filled in.")
    require_workbook(path)
    try:
        check_archive(File(path, path.name), _MOST_BYTES)
        with warnings.catch_warnings():
            # openpyxl warns about styling it does not know; values do not depend on it.
            warnings.simplefilter("ignore")
            return load_workbook(path)
    except SourceUnreadable as error:
        raise BadInput(error.message, error.remedy) from None
    except Exception as error:
        # openpyxl raises whatever its parsers do (KeyError, ValueError, ParseError); none of it is the caller's.
        raise BadInput(
            f"the file is no readable workbook ({type(error).__name__})", "Save it again from Excel as .xlsx."
        ) from None


def _row(number: int, columns: Sequence[str], cells: Sequence[Any]) -> SheetRow:
    by_name = dict(zip(columns, cells, strict=False))
    return SheetRow(
        number,
        {name: _text(cell) for name, cell in by_name.items()},
        tuple(name for name, cell in by_name.items() if cell.data_type == "f"),
    )


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    # Somebody may have had Excel turn a number kept as text into one.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
