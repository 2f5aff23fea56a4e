"""Excel workbooks (.xlsx) as rows of text: the stored value in plain form, never a calculation of ours.

Whole numbers are written plainly, others without loss; dates as ISO; TRUE and FALSE as Excel shows them. A format of
zeros alone (`00000`) is part of an identifier and is kept as leading zeros. Error cells are refused.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Any, Literal

import pyarrow as pa

from migration_assets.connectors.file_source import File, FileOptions
from migration_assets.connectors.text_batches import text_table
from migration_assets.domain.errors import SourceUnreadable

BATCH_ROWS = 2_000
_ZEROS = re.compile(r"0{2,}")
_CLOCK = re.compile(r"[hs]", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
# Excel keeps 15 digits; a larger number written with an exponent was an identifier that lost its end.
_EXACT_BELOW = 1e15
_XML_HEAD = 64 * 1024


class ExcelOptions(FileOptions):
    """What the plan says about workbooks. `sheet` is the default for tables that name none; else the first sheet.

    `formulas: cached` takes the results Excel saved; by default a formula is refused, for its result may be old.
    """

    sheet: str | None = None
    formulas: Literal["refuse", "cached"] = "refuse"


class ExcelFormat:
    """Reads one sheet of a workbook; its first row is the header."""

    def __init__(self, options: ExcelOptions) -> None:
        self._options = options

    def header(self, file: File) -> tuple[str, ...]:
        """First row, without the empty columns to its right."""
        with self._rows(file) as rows:
            first = next(rows, [])
        names = [value or "" for value in first]
        while names and not names[-1]:
            names.pop()
        if not names:
            raise SourceUnreadable(f"{file.label} is empty: its first row has no header", "export it again")
        return tuple(names)

    def batches(self, file: File, header: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Rows below the header. Empty rows at the end are no rows; others are rows without values."""
        places = [header.index(name) for name in columns]
        with self._rows(file) as rows:
            next(rows)
            records = _filled(rows, len(header), file)
            while batch := list(islice(records, BATCH_ROWS)):
                yield text_table(batch, places, columns, self._options.max_cell_bytes, file.label)

    @contextmanager
    def _rows(self, file: File) -> Iterator[Iterator[list[str | None]]]:
        check_archive(file, self._options.max_bytes)
        with warnings.catch_warnings():
            # openpyxl warns about styling it does not know; values do not depend on it.
            warnings.simplefilter("ignore")
            formulas = _workbook(file, data_only=False)
            cached = _workbook(file, data_only=True) if self._options.formulas == "cached" else None
            try:
                stored = self._sheet(file, formulas).iter_rows()
                results = self._sheet(file, cached).iter_rows() if cached else None
                yield self._texts(file, stored, results)
            finally:
                formulas.close()
                if cached is not None:
                    cached.close()

    def _sheet(self, file: File, book: Any) -> Any:
        names = [sheet.title for sheet in book.worksheets]
        name = file.part or self._options.sheet or (names[0] if names else "")
        if name not in names:
            raise SourceUnreadable(
                f"{file.name} has no sheet {name!r}; it has {', '.join(map(repr, names))}",
                "write `read_from: file.xlsx#Sheet`",
            )
        sheet = book[name]
        # The extent a sheet states for itself is wrong in files of some programs, and would cut off rows.
        sheet.reset_dimensions()
        return sheet

    def _texts(self, file: File, stored: Iterator[Any], results: Iterator[Any] | None) -> Iterator[list[str | None]]:
        for number, row in enumerate(stored, start=1):
            cached = next(results) if results is not None else ()
            cells = zip_longest(row, cached)
            yield [self._text(file, number, place, cell, result) for place, (cell, result) in enumerate(cells, start=1)]

    def _text(self, file: File, row: int, place: int, cell: Any, result: Any) -> str | None:
        if cell.data_type == "f":
            if result is None:
                raise _refused(file, row, place, "a formula", "paste values only, or set the option formulas: cached")
            if result.value is None:
                raise _refused(file, row, place, "a formula without a saved result", "open and save it in Excel")
            cell = result
        if cell.data_type == "e":
            raise _refused(file, row, place, "an error value", "mend the cell")
        if isinstance(cell.value, float) and abs(cell.value) >= _EXACT_BELOW:
            what = "a number of more digits than Excel keeps, so its end is gone"
            raise _refused(file, row, place, what, "have the column exported as text from where it came")
        text = _plain(cell.value, cell.number_format if cell.value is not None else "")
        if text is not None and ("\0" in text or (not text.isascii() and _has_surrogate(text))):
            raise _refused(file, row, place, "text that is not valid", "mend the cell")
        return text


def _refused(file: File, row: int, place: int, what: str, remedy: str) -> SourceUnreadable:
    from openpyxl.utils import get_column_letter

    return SourceUnreadable(f"{file.label}, cell {get_column_letter(place)}{row}: {what}", remedy)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _filled(rows: Iterator[list[str | None]], width: int, file: File) -> Iterator[tuple[int, list[str | None]]]:
    """Rows of the header's width; empty rows wait until a row with values follows."""
    waiting: list[int] = []
    for number, row in enumerate(rows, start=2):
        if any(value is not None for value in row[width:]):
            raise SourceUnreadable(
                f"{file.label}, line {number}: a value to the right of the header's last column", "name every column"
            )
        values = (row + [None] * width)[:width]
        if all(value is None for value in values):
            waiting.append(number)
            continue
        for empty in waiting:
            yield empty, [None] * width
        waiting = []
        yield number, values


def _plain(value: Any, number_format: str) -> str | None:
    """The stored value as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        text = format(Decimal(repr(value)), "f")
        text = text.removesuffix(".0")
        return text.zfill(len(number_format)) if _ZEROS.fullmatch(number_format) and text.isdigit() else text
    if isinstance(value, dt.datetime):
        shows_clock = _CLOCK.search(_QUOTED.sub("", number_format)) is not None
        return value.isoformat(sep=" ") if shows_clock or value.time() != dt.time() else value.date().isoformat()
    if isinstance(value, dt.timedelta):
        return _hours(value)
    return str(value.isoformat()) if isinstance(value, dt.date | dt.time) else str(value)


def _hours(span: dt.timedelta) -> str:
    """A duration as hours, minutes and seconds, hours beyond 24 kept."""
    sign, span = ("-", -span) if span < dt.timedelta() else ("", span)
    seconds = span.days * 86_400 + span.seconds
    fraction = f".{span.microseconds:06d}" if span.microseconds else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"


def check_archive(file: File, max_bytes: int) -> None:
    """Refuse what is no workbook, unpacks to too much, or declares XML entities (a bomb in a few lines)."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max_bytes:
                raise SourceUnreadable(
                    f"{file.name} unpacks to {unpacked} bytes, over {max_bytes}",
                    "if that is right, raise the source's option max_bytes",
                )
            for member in archive.infolist():
                if member.filename.endswith((".xml", ".rels")) and _declares_entities(archive, member):
                    raise SourceUnreadable(f"{file.name} declares XML entities", "save it again from Excel")
    except (zipfile.BadZipFile, EOFError, OSError):
        raise SourceUnreadable(
            f"{file.name} is not a readable .xlsx workbook (damaged, truncated, password-protected or .xls)",
            "open it in Excel and save it as .xlsx without a password",
        ) from None


def _declares_entities(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as stream:
        return b"<!DOCTYPE" in stream.read(_XML_HEAD).replace(b"\0", b"").upper()


def _workbook(file: File, *, data_only: bool) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(file.path, read_only=True, data_only=data_only)
    except Exception as error:
        # openpyxl raises whatever its parsers do (KeyError, ValueError, ParseError); none of it is the caller's.
        raise SourceUnreadable(
            f"{file.name} is not a readable workbook ({type(error).__name__})", "save it again from Excel as .xlsx"
        ) from None
