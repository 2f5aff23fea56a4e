"""A plan's CSV as rows of text with line numbers, under one strict header; and JSON in its cells.

Strict: exactly the columns that belong there, in any order, each once; every row as wide as the header. Cells are
trimmed, except columns that hold foreign codes, which are kept exactly.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from migration_assets.domain.errors import Fault
from migration_assets.plan.plan_text import PlanFileError, refuse
from migration_assets.plan.wording import nearest, shown

MAX_CELL = 32_767  # what a spreadsheet can hold
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class CsvRow:
    """One row: the line of the file it begins on, and its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class CsvRows:
    """The rows that could be read and the faults of those that could not."""

    rows: tuple[CsvRow, ...]
    faults: tuple[Fault, ...]


def read_csv(
    name: str, text: str, columns: Sequence[str], *, exact: Collection[str] = (), optional: Collection[str] = ()
) -> CsvRows:
    """Rows under exactly these columns, of which the `optional` may be left out and are blank then; blank rows are
    passed over. Raises PlanFileError when all of it is bad."""
    records = tuple(records_of(name, text))
    if not records:
        raise refuse(name, 1, "", "is empty", f"begin with the header {','.join(columns)}")
    header = [cell.strip() for cell in records[0][1]]
    absent = {column: "" for column in optional if column not in header}
    if faults := tuple(_header_faults(name, header, [c for c in columns if c not in absent])):
        return CsvRows((), faults)
    rows, faults_of_rows = [], []
    for line, cells in records[1:]:
        if fault := _row_fault(name, line, header, cells):
            faults_of_rows.append(fault)
        elif any(cell.strip() for cell in cells):
            named = zip(header, cells, strict=True)
            rows.append(CsvRow(line, absent | {c: cell if c in exact else cell.strip() for c, cell in named}))
    return CsvRows(tuple(rows), tuple(faults_of_rows))


def records_of(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not an empty line, with the line it begins on. Raises PlanFileError where quoting breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as e:
        raise refuse(name, line, "", _quoting(str(e)), "close the quote, and double quotes inside a cell") from None


def _quoting(error: str) -> str:
    if "end of data" in error:
        return "has a quote that is never closed"
    return "has a cell that is too long" if "limit" in error else "has a quote in the wrong place"


def _header_faults(name: str, header: Sequence[str], columns: Sequence[str]) -> Iterator[Fault]:
    for column, times in Counter(header).items():
        if column not in columns:
            remedy = nearest(column, columns, "remove the column")
            yield Fault(name, 1, shown(column)[1:-1], "is not a column of this file", remedy)
        elif times > 1:
            yield Fault(name, 1, column, f"stands in the header {times} times", "keep one column of that name")
    for column in columns:
        if column not in header:
            yield Fault(name, 1, column, "is missing in the header", f"the header is {','.join(columns)}")


def _row_fault(name: str, line: int, header: Sequence[str], cells: Sequence[str]) -> Fault | None:
    if len(cells) != len(header):
        problem = f"has {len(cells)} cells where the header has {len(header)}"
        return Fault(name, line, "", problem, "put a cell that holds a comma or line end in quotes")
    for column, cell in zip(header, cells, strict=True):
        if len(cell) > MAX_CELL:
            return Fault(name, line, column, f"is longer than {MAX_CELL:,} characters", "shorten it")
    return None


def json_cell(file: str, row: int, field: str, cell: str, blank: Any) -> Any:
    """The JSON of a cell, `blank` when there is none. Numbers with a point stay the text they are written as, exact.

    Raises PlanFileError.
    """
    if not cell:
        return blank
    try:
        value = json.loads(cell, object_pairs_hook=_once, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        problem = e.args[0] if isinstance(e, _JsonRuleError) else f"is not JSON: {shown(cell)}"
        raise refuse(file, row, field, problem, 'write JSON with double quotes, such as {"to": "upper"}') from None
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise refuse(file, row, field, "holds half a character (a lone surrogate)", "write the character itself")
    if type(value) is not type(blank):
        wanted = "an object {...}" if isinstance(blank, dict) else "a list [...]"
        raise refuse(file, row, field, f"must be {wanted}", f"write {wanted}")
    return value


class _JsonRuleError(ValueError):
    """A rule of ours that JSON itself does not have."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise _JsonRuleError("names one key twice")
    return entries


def _no_constant(text: str) -> NoReturn:
    raise _JsonRuleError(f"{text} is not a number")


__all__ = ["MAX_CELL", "CsvRow", "CsvRows", "PlanFileError", "json_cell", "read_csv", "records_of"]
