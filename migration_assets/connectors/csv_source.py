"""CSV as rows of text, exactly as written, by Python's strict reader; structure faults are refused with their line.

An unquoted empty value is missing (None), a quoted one is an empty text. The same holds for the spellings of the option
`missing`: whoever exports a text that reads like one writes it in quotes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field, model_validator

from migration_assets.connectors.file_source import File, FileOptions
from migration_assets.connectors.text_batches import text_table
from migration_assets.connectors.text_files import Encoding, encoding_of, lines
from migration_assets.domain.errors import SourceUnreadable

BATCH_ROWS = 2_000
_DELIMITERS = (",", ";", "\t", "|")
_SNIFFED_LINES = 200
_MAX_LINE = 64 * 1024 * 1024


class CsvOptions(FileOptions):
    """What the plan says about CSV files; what it leaves out is detected and reported.

    `quote` empty means that no character quotes. `escape` is the character that makes the next one literal; without
    it a quote is written twice. `missing`: spellings, such as NULL, that stand for no value where they are written
    without quotes, exactly so and alone in their cell; in a header they are names.
    """

    encoding: str | None = None
    encoding_certain: bool = False
    delimiter: str | None = None
    quote: str = '"'
    escape: str | None = None
    # Lax, because YAML has lists and no tuples.
    missing: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _spellings_need_no_quotes(self) -> CsvOptions:
        # What can only be written with quotes or an escape is text, and would never be met.
        marks = {"\r", "\n", *self.quote, *(self.escape or "")}
        if any(marks & set(spelling) for spelling in self.missing):
            raise ValueError("a spelling of missing holds a quote, an escape character or a line end")
        return self


@dataclass
class CsvFormat:
    """Reads CSV, plain or gzip."""

    options: CsvOptions
    report: Callable[[str], None]
    _known: dict[File, tuple[Encoding, str]] = field(default_factory=dict)

    def header(self, file: File) -> tuple[str, ...]:
        """First record of the file."""
        first = next(self._records(file, width=None), None)
        if first is None or not first[1]:
            raise SourceUnreadable(f"{file.name} is empty, or begins with a blank line: no header", "export it again")
        return tuple(value or "" for value in first[1])

    def batches(self, file: File, header: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Rows below the header."""
        places = [header.index(name) for name in columns]
        records = self._records(file, width=len(header))
        next(records)
        while batch := list(islice(records, BATCH_ROWS)):
            yield text_table(batch, places, columns, self.options.max_cell_bytes, file.name)

    def _records(self, file: File, width: int | None) -> Iterator[tuple[int, Sequence[str | None]]]:
        encoding, delimiter = self._known_of(file)
        absent = frozenset(("", *self.options.missing) if width is not None else ("",))
        source = _Lines(self._lines(file, encoding))
        reader = self._reader(source, delimiter)
        _allow_cells(self.options.max_cell_bytes)
        while True:
            begins = source.count + 1
            source.taken.clear()
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise self._fault(file, begins, source.count, error) from None
            if row is None:
                return
            if width is not None and len(row) != width:
                if not row and width == 1:
                    row = [""]
                elif not row and _only_blank_left(source):
                    return
                else:
                    raise SourceUnreadable(
                        f"{file.name}, line {begins}: {len(row)} values, and the header has {width}",
                        "mend the line: a value with the delimiter or a line end in it has to stand in quotes",
                    )
            yield begins, row if absent.isdisjoint(row) else self._told_apart(row, source.taken, delimiter, absent)

    def _reader(self, source: Iterator[str], delimiter: str) -> Any:
        quote = self.options.quote
        return csv.reader(
            source,
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            doublequote=self.options.escape is None,
            escapechar=self.options.escape,
            strict=True,
        )

    def _told_apart(
        self, row: list[str], taken: Sequence[str], delimiter: str, absent: frozenset[str]
    ) -> list[str | None]:
        """Values that stand for none as None, unless they were written in quotes."""
        quote = self.options.quote
        text = "".join(taken)
        # Cheap to ask, and nearly always answered with no: walking through every such record is slow.
        if not quote or not _in_quotes(delimiter, quote, absent).search(text):
            return [None if value in absent else value for value in row]
        written = _written_in_quotes(text, delimiter, quote, self.options.escape)
        return [value if quoted or value not in absent else None for value, quoted in zip(row, written, strict=True)]

    def _fault(self, file: File, begins: int, ends: int, error: csv.Error) -> SourceUnreadable:
        said = str(error)
        if "field larger" in said:
            problem = f"a value over {self.options.max_cell_bytes} bytes, or a quote that is never closed"
            remedy = "mend the quote; if the value is right, raise the option max_cell_bytes"
        elif "unexpected end" in said:
            problem, remedy = "a quote that is never closed", "close it in the export, or transfer the file again"
        else:
            problem = f"not valid CSV at line {ends}: a quoted value is followed by something else"
            remedy = "quotes inside a quoted value are written twice; else declare the options quote and escape"
        return SourceUnreadable(f"{file.name}, line {begins}: {problem}", remedy)

    def _lines(self, file: File, encoding: Encoding) -> Iterator[str]:
        cell = self.options.max_cell_bytes
        longest = max(2 * cell, min(_MAX_LINE, 16 * cell), 1024 * 1024)
        return lines(file, encoding, self.options.max_bytes, longest)

    def _known_of(self, file: File) -> tuple[Encoding, str]:
        if file not in self._known:
            self._known[file] = self._detected(file)
        return self._known[file]

    def _detected(self, file: File) -> tuple[Encoding, str]:
        options = self.options
        encoding = encoding_of(file, options.encoding, options.encoding_certain, options.max_bytes)
        delimiter = options.delimiter or self._sniffed(file, encoding)
        if len(delimiter) != 1 or delimiter in "\r\n" or delimiter == options.quote:
            raise SourceUnreadable(f"the delimiter {delimiter!r} cannot delimit", "declare one character")
        if options.encoding is None or options.delimiter is None:
            self.report(f"{file.name}: encoding {encoding.name} ({encoding.known_by}), delimiter {delimiter!r}")
        return encoding, delimiter

    def _sniffed(self, file: File, encoding: Encoding) -> str:
        """The delimiter that cuts the first lines into equally many parts, most parts first; a comma when none does."""
        head = list(islice(self._lines(file, encoding), _SNIFFED_LINES))
        widths = {d: _even_width(list(head), self._reader, d) for d in _DELIMITERS}
        best = max(widths.values())
        found = [d for d, width in widths.items() if width == best]
        if best > 1 and len(found) > 1:
            raise SourceUnreadable(f"{file.name}: the delimiter is not certain", "declare it: option delimiter")
        return found[0] if best > 1 else ","


@dataclass
class _Lines:
    """Lines with a count, and those of the current record."""

    source: Iterator[str]
    count: int = 0
    taken: list[str] = field(default_factory=list)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self.source)
        self.count += 1
        self.taken.append(line)
        return line


def _allow_cells(size: int) -> None:
    """The module's own limit is one for the whole process and may only grow here; cells are measured again later."""
    if csv.field_size_limit() < size:
        csv.field_size_limit(size)


def _only_blank_left(source: Iterator[str]) -> bool:
    return not any(line.strip("\r\n") for line in source)


def _even_width(head: Sequence[str], reader: Callable[[Iterator[str], str], Any], delimiter: str) -> int:
    """Width of all records, or 0 when it varies. The last record may be cut off by the end of the sample."""
    widths: list[int] = []
    try:
        widths.extend(len(row) for row in reader(iter(head), delimiter) if row)
    except csv.Error:
        widths = widths[:-1] if len(head) == _SNIFFED_LINES else []
    return widths[0] if widths and len(set(widths)) == 1 else 0


@cache
def _in_quotes(delimiter: str, quote: str, values: frozenset[str]) -> re.Pattern[str]:
    """What may be a whole value in quotes that is one of these."""
    mark, inside = re.escape(quote), "|".join(map(re.escape, sorted(values)))
    return re.compile(rf"(?:^|{re.escape(delimiter)}){mark}(?:{inside}){mark}(?:$|[\r\n]|{re.escape(delimiter)})")


def _written_in_quotes(text: str, delimiter: str, quote: str, escape: str | None) -> list[bool]:
    """For each value of one record: whether it begins with a quote. The record is known to be well formed."""
    begins: list[bool] = []
    at_start, inside, index = True, False, 0
    while index < len(text):
        letter = text[index]
        if at_start:
            begins.append(letter == quote)
            inside, at_start = letter == quote, letter == delimiter
            index += letter == escape
        elif letter == escape:
            index += 1
        elif inside:
            inside = letter != quote
        elif letter == quote and begins[-1] and text[index - 1] == quote:
            inside = True
        elif letter == delimiter:
            at_start = True
        index += 1
    return [*begins, False] if at_start else begins
