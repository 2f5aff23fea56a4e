"""Opens a source by kind. What a source offers is `source`; how one kind does it is in the module of its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migration_assets.connectors.source import Kind, Report, Source, no_report
from migration_assets.domain.errors import SourceUnreadable

if TYPE_CHECKING:
    from migration_assets.connectors.file_source import Format


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
