"""What every source offers, and the factory that opens one by kind.

A source gives snapshots; a snapshot tells the columns of a table and writes a table to Parquet in golden-copy shape.
How one kind of source does it is in `postgres_source`, `sql_source` and `file_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from migration_assets.domain.errors import SourceUnreadable

if TYPE_CHECKING:
    from migration_assets.connectors.file_source import Format

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


def open_source(
    kind: Kind, location: str, options: Mapping[str, Any] | None = None, *, report: Report = no_report
) -> Source:
    """A source by kind; `location` is a SQLAlchemy URL (kind `sql`) or a folder or file. Nothing is read yet.

    `report` hears what was detected rather than declared (encoding, delimiter). Unknown options are refused.
    """
    settings = dict(options or {})
    if kind == "sql":
        return _open_sql(location, settings)
    from migration_assets.connectors.file_source import FileSource

    return FileSource(Path(location), _format(kind, settings, report))


def _open_sql(url: str, options: dict[str, Any]) -> Source:
    from migration_assets.connectors.postgres_source import PostgresSource, is_postgres
    from migration_assets.connectors.sql_source import SqlOptions, SqlSource

    settings = SqlOptions.from_mapping(options)
    if not is_postgres(url):
        return SqlSource(url, settings)
    if settings.isolation_level:
        raise SourceUnreadable(
            "PostgreSQL is always read REPEATABLE READ, READ ONLY", "leave the option isolation_level out"
        )
    return PostgresSource(url)


def _format(kind: Kind, options: dict[str, Any], report: Report) -> Format:
    if kind == "csv":
        from migration_assets.connectors.csv_source import CsvFormat, CsvOptions

        return CsvFormat(CsvOptions.model_validate_options(options), report)
    if kind == "excel":
        from migration_assets.connectors.excel_source import ExcelFormat, ExcelOptions

        return ExcelFormat(ExcelOptions.model_validate_options(options))
    from migration_assets.connectors.jsonl_source import JsonlFormat, JsonlOptions

    return JsonlFormat(JsonlOptions.model_validate_options(options))
