"""What every source offers.

A source gives snapshots; a snapshot tells the columns of a table and writes a table to Parquet in golden-copy shape.
How one kind of source does it is in `postgres_source`, `sql_source` and `file_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["sql", "csv", "excel", "jsonl"]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Column:
    """One column as it arrives. `type` is the Arrow type in the golden copy, `declared` what the source calls it."""

    name: str
    type: str
    declared: str = ""


class Trail(Protocol):
    """What a source knows of the rows of a table since a mark, when it knows more than nothing.

    `rows`: how many there are now; `candidates`: how many of them may be new or changed (some may be as they were);
    `by_key`: the key is unique, none is missing, and rows in its order are in the order of an export.
    """

    @property
    def rows(self) -> int: ...

    @property
    def candidates(self) -> int: ...

    @property
    def by_key(self) -> bool: ...

    def changed(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The candidates, whole, in no order."""

    def keys(self, key: Sequence[str]) -> Iterator[pa.Table]:
        """The key of every row there is, in no order."""


@dataclass(frozen=True)
class Look:
    """What a first look at a table tells against an earlier mark: surely the `same`, a `trail`, or nothing at all."""

    same: bool = False
    trail: Trail | None = None


UNKNOWN = Look()


class Snapshot(Protocol):
    """One consistent state of a source: whatever is read from it belongs together."""

    def columns(self, read_from: str) -> tuple[Column, ...]:
        """The columns of a table, in the source's order; SourceUnreadable when there is no such table."""

    def export(
        self, read_from: str, columns: Sequence[str], key: Sequence[str], destination: Path, *, table: str = ""
    ) -> int:
        """Write these columns to one Parquet file and return the number of rows.

        `_row` (1..n) comes first; rows are ordered by `key` (text bytewise, missing last). Duplicate and missing keys
        are kept: finding them is a check's work, over all rows. A value that Parquet cannot hold exactly is refused
        with SourceUnreadable, naming `table`, column and row, never the value.
        """

    def mark(self, read_from: str) -> str | None:
        """What a later snapshot of the source needs to tell whether this table has changed; None: it will not tell."""

    def look(self, read_from: str, key: Sequence[str], mark: str) -> Look:
        """What is different from when the mark was made, without reading the rows."""


class Source(Protocol):
    """A legacy system that can be read."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """One consistent snapshot, held until the context ends."""


def no_report(_: str) -> None:
    """Say nothing."""
