"""JSON lines (one object a line) as rows of text: numbers as written, nested values as JSON text.

A missing member and `null` are both missing. What JSON readers usually mend without a word is refused: a member given
twice, NaN, a lone surrogate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn

import pyarrow as pa

from migration_assets.connectors.file_source import File, FileOptions
from migration_assets.connectors.text_batches import Record, text_table
from migration_assets.connectors.text_files import encoding_of, lines
from migration_assets.domain.errors import SourceUnreadable

BATCH_ROWS = 2_000
_LINE_CELLS = 16


class JsonlOptions(FileOptions):
    """What the plan says about JSON lines; the encoding is UTF-8 unless it is declared or marked."""

    encoding: str | None = None


class _Number(str):
    """A number as it was written."""


class _LineError(ValueError):
    """Why a line is refused, in words without its values."""


class JsonlFormat:
    """Reads JSON lines, plain or gzip."""

    def __init__(self, options: JsonlOptions) -> None:
        self._options = options
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_members, parse_int=_Number, parse_float=_Number, parse_constant=_constant
        )

    def header(self, file: File) -> tuple[str, ...]:
        """Every member name there is, in the order of first appearance: this reads the whole file once."""
        names: dict[str, None] = {}
        for _, row in self._objects(file):
            names.update(dict.fromkeys(row))
        if not names:
            raise SourceUnreadable(f"{file.name} is empty: there is no object in it", "export it again")
        return tuple(names)

    def batches(self, file: File, header: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """All objects of the file."""
        places = range(len(columns))
        records: Iterator[Record] = ((n, [_text(row.get(c)) for c in columns]) for n, row in self._objects(file))
        while batch := list(islice(records, BATCH_ROWS)):
            yield text_table(batch, places, columns, self._options.max_cell_bytes, file.name)

    def _objects(self, file: File) -> Iterator[tuple[int, dict[str, Any]]]:
        options = self._options
        encoding = encoding_of(file, options.encoding or self._unmarked(file), True, options.max_bytes)
        longest = max(_LINE_CELLS * options.max_cell_bytes, 1024 * 1024)
        for number, line in enumerate(lines(file, encoding, options.max_bytes, longest), start=1):
            if line.strip():
                yield number, self._object(file, number, line)

    def _unmarked(self, file: File) -> str | None:
        """UTF-8, as JSON is; None where the file carries a mark of its own."""
        with file.path.open("rb") as raw:
            start = raw.read(4)
        return None if start.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\0\0\xfe\xff")) else "utf-8"

    def _object(self, file: File, number: int, line: str) -> dict[str, Any]:
        try:
            found = self._decoder.decode(line.strip())
            if not isinstance(found, dict):
                raise _LineError("not an object: every line has to be one JSON object")
            if "\\u" in line:
                _check_texts(found)
        except _LineError as refused:
            problem = str(refused)
        except json.JSONDecodeError as broken:
            problem = f"not valid JSON at column {broken.colno} ({broken.msg})"
        except RecursionError:
            problem = "nested too deeply"
        else:
            return found
        raise SourceUnreadable(f"{file.name}, line {number}: {problem}", "mend the export; one JSON object a line")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _LineError("a member is given twice")
    return members


def _constant(name: str) -> NoReturn:
    raise _LineError(f"{name} is not a JSON number")


def _check_texts(value: Any) -> None:
    """Refuse texts that no file or database can hold; only an escape can bring them."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            _check_texts(part)
    elif isinstance(value, str):
        if "\0" in value:
            raise _LineError("a text holds a NUL character")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise _LineError("a text holds a lone surrogate")


def _text(value: Any) -> str | None:
    """A value as text; texts as they are, everything else as JSON."""
    return value if value is None or isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """Compact JSON in which numbers stay as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(str(k))}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)
