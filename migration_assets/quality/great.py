"""Great Expectations pushed down to DuckDB. Import it through `quiet_import` only: it is slow and it talks.

Stock GX fails on DuckDB, because it closes the connection before it fetches, and knows no regex for the dialect. The
classes have to live in an importable module: GX finds them by name.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from uuid import uuid4

import great_expectations as gx
import great_expectations.expectations as gxe
import sqlalchemy as sa
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)


class CutoverDuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Keeps one connection open: a DuckDB result dies with its connection."""

    @contextlib.contextmanager
    def get_connection(self) -> Iterator[Any]:
        if not self._connection:
            self._connection = self.engine.connect()
        try:
            yield self._connection
        except Exception:
            self._connection.rollback()  # or one bad rule aborts every rule after it
            raise


class CutoverDuckDBDatasource(SQLDatasource):
    """The datasource GX registers as `add_cutover_duckdb`."""

    type: Literal["cutover_duckdb"] = "cutover_duckdb"  # type: ignore[assignment] # how GX's own subclasses do it

    @property
    def execution_engine_type(self) -> builtins.type[SqlAlchemyExecutionEngine]:
        return CutoverDuckDBExecutionEngine


class MatchRegexOnDuckDB(ColumnMapMetricProvider):
    """The regex GX does not know for DuckDB."""

    condition_metric_name = "column_values.match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=CutoverDuckDBExecutionEngine)
    def _duckdb(cls, column: Any, regex: str, **_: Any) -> Any:  # noqa: N805 - GX makes a class method of it
        return sa.func.regexp_matches(sa.cast(column, sa.Text), sa.literal(regex))


class NotMatchRegexOnDuckDB(ColumnMapMetricProvider):
    """Its opposite."""

    condition_metric_name = "column_values.not_match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=CutoverDuckDBExecutionEngine)
    def _duckdb(cls, column: Any, regex: str, **_: Any) -> Any:  # noqa: N805 - GX makes a class method of it
        return sa.not_(sa.func.regexp_matches(sa.cast(column, sa.Text), sa.literal(regex)))


class ExpectNoRows(UnexpectedRowsExpectation):
    """GX's own custom-SQL expectation, counting only: the base class would also fetch rows nobody may see, and run
    the query twice."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict, runtime_configuration: dict | None = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        found = metrics["unexpected_rows_query.row_count"]
        return {"success": found == 0, "result": {"observed_value": found}}


class Connection:
    """One private in-memory DuckDB with a fresh ephemeral context on top: shared ones give wrong counts in threads."""

    def __init__(self) -> None:
        self._context = gx.get_context(mode="ephemeral")
        self._context.enable_analytics(False)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        name = f"checks_{uuid4().hex}"
        self._source = self._context.data_sources.add_cutover_duckdb(
            name, connection_string=f"duckdb:///:memory:{name}"
        )
        self._engine = self._source.get_execution_engine()
        with self._engine.get_connection() as connection:
            # One connection for GX and for our own counting, so both see the same views.
            self._cursor = connection.connection.driver_connection.cursor()

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of ours and fetch what it gives."""
        self._cursor.execute(sql)
        return list(self._cursor.fetchall())

    def batch(self, view: str) -> Batch:
        """All rows of a view, as GX wants them."""
        asset = self._source.add_table_asset(view, table_name=view)
        batch: Batch = asset.add_batch_definition_whole_table("all").get_batch()
        return batch

    def close(self) -> None:
        """Give back memory."""
        self._cursor.close()
        self._engine.close()
        self._engine.engine.dispose()


def expectation(kind: str, arguments: Mapping[str, Any], check: str, severity: str) -> Any:
    """An expectation of GX (or `ExpectNoRows`), marked with its check: results come back in another order."""
    of_kind = ExpectNoRows if kind == "ExpectNoRows" else getattr(gxe, kind)
    return of_kind(**arguments, meta={"check": check}, severity=FailureSeverity(severity))


def validate(
    batch: Batch, expectations: Sequence[Any], result_format: Literal["BOOLEAN_ONLY", "SUMMARY"]
) -> dict[str, Any]:
    """GX's results by check."""
    suite = gx.ExpectationSuite("checks", expectations=list(expectations))
    results = batch.validate(suite, result_format=result_format).results
    return {r.expectation_config.meta["check"]: r for r in results if r.expectation_config is not None}
