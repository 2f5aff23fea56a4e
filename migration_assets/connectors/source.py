"""What every source offers.

A source gives snapshots; a snapshot tells the columns of a table and writes a table to Parquet in golden-copy shape.
How one kind of source does it is in `postgres_source`, `sql_source` and `file_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    pass

Kind = Literal["sql", "csv", "excel", "jsonl"]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Column:
    """One column as it arrives. `type` is the Arrow type in the golden copy, `declared` what the source calls it."""

    name: str
    type: str
    declared: str = ""


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


class Source(Protocol):
    """A legacy system that can be read."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """One consistent snapshot, held until the context ends."""


def no_report(_: str) -> None:
    """Say nothing."""
