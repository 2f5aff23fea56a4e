"""SQL by hand: read-only means read-only, whatever the statement tries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from migration_assets.control import ControlDatabase, migrate
from migration_assets.domain.errors import BadInput
from migration_assets.wiring.sql import run_sql


@pytest.fixture
def workspace(database: str) -> Any:
    """A workspace whose control and target database are one and hold a table of one row."""
    migrate(database)
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    return SimpleNamespace(
        plan=SimpleNamespace(file=SimpleNamespace(sources={})),
        environment=SimpleNamespace(control_url=database),
        target_url=database,
        control=ControlDatabase(database),
    )


def rows(workspace: Any) -> list[list[Any]]:
    found: list[list[Any]] = run_sql(workspace, "target", "SELECT n FROM kept", write=False, actor="test")["rows"]
    return found


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM kept",
        "COMMIT; DELETE FROM kept",
        "ROLLBACK; BEGIN READ WRITE; DELETE FROM kept; COMMIT",
        "SET TRANSACTION READ WRITE; DELETE FROM kept",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "WITH gone AS (DELETE FROM kept RETURNING n) SELECT n FROM gone",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_a_reader_cannot_write_or_run_programs(workspace: Any, query: str) -> None:
    with pytest.raises(BadInput):
        run_sql(workspace, "target", query, write=False, actor="test")
    assert rows(workspace) == [[1]]


def test_a_writer_can_and_both_are_logged_without_the_text(workspace: Any) -> None:
    done = run_sql(workspace, "target", "UPDATE kept SET n = 2", write=True, actor="test")
    assert done["rows_changed"] == 1 and rows(workspace) == [[2]]
    logged = workspace.control.audit_entries()
    assert [entry.detail["write"] for entry in logged] == [True, False]
    assert "kept" not in str([entry.detail for entry in logged])


def test_an_unknown_database_is_refused_with_those_there_are(workspace: Any) -> None:
    with pytest.raises(BadInput, match="no such database"):
        run_sql(workspace, "legacy", "SELECT 1", write=False, actor="test")


def test_a_value_that_python_lacks_is_said_with_what_to_do(workspace: Any) -> None:
    with pytest.raises(BadInput) as refused:
        run_sql(workspace, "target", "SELECT 'infinity'::date", write=False, actor="test")
    assert "cast its column to text" in refused.value.remedy
