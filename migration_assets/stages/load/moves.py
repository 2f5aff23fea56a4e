"""Crosswalk rows of a load that change cohort: collected in a table of the transaction, then applied at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import copy_in, names, write_csv
from migration_assets.stages.load.guarded import RECORD_TABLE, same_key
from migration_assets.stages.load.schema import CROSSWALK, CROSSWALK_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.load.changes import Changes

MOVES = sql.Identifier("pg_temp", "handover_moves")


class Moves:
    """Moves of one load. MOVES has CROSSWALK_KEY and the cohort each row goes to; `moved` counts rows of the record
    that changed cohort or key since the load began, `receivers` are the cohorts that were given any."""

    def __init__(self, engine: DuckDBEngine, connection: Connection, folder: Path, changes: Changes) -> None:
        self.engine, self.connection, self.folder, self.changes = engine, connection, folder, changes
        self.moved = 0
        self.receivers: set[str] = set()

    def run(self, statement: sql.SQL, *parts: sql.Composable, **named: sql.Composable) -> int:
        """Execute a statement; how many rows it touched."""
        return self.connection.execute(statement.format(*parts, **named)).rowcount

    def keep(self, which: sql.Composable) -> None:
        """Keep the rows of the record (`t`) that `which` picks, which are about to be changed or deleted."""
        self.changes.changing(CROSSWALK, RECORD_TABLE, CROSSWALK_KEY, which)

    def insert(self, table: sql.Identifier, rows: Sequence[Sequence[object]]) -> None:
        """Insert a few rows."""
        if rows:
            with self.connection.cursor() as cursor:
                marks = sql.SQL(", ").join(sql.Placeholder() * len(rows[0]))
                cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(table, marks), rows)

    def copied(self, table: sql.Identifier, columns: tuple[str, ...], rows: ir.Table) -> int:
        """Copy the engine's rows into a table of the transaction; how many there are."""
        path = self.folder / "copied.csv"
        write_csv(self.engine, rows, path)
        return copy_in(self.connection, table, columns, path)

    def begin(self) -> None:
        """MOVES, empty."""
        self.run(sql.SQL("DROP TABLE IF EXISTS {}"), MOVES)
        statement = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, cohort FROM {} WITH NO DATA")
        self.run(statement, MOVES, names(CROSSWALK_KEY), RECORD_TABLE)

    def apply(self) -> None:
        """Give each row of MOVES its cohort in the record."""
        # Just made, it has no statistics.
        self.run(sql.SQL("ANALYZE {}"), MOVES)
        self.keep(sql.SQL("JOIN {} m ON {}").format(MOVES, same_key("t", "m", CROSSWALK_KEY)))
        update = sql.SQL("UPDATE {} x SET cohort = m.cohort FROM {} m WHERE {}")
        self.moved += self.run(update, RECORD_TABLE, MOVES, same_key("x", "m", CROSSWALK_KEY))
        given = self.connection.execute(sql.SQL("SELECT DISTINCT cohort FROM {}").format(MOVES)).fetchall()
        self.receivers |= {cohort for (cohort,) in given}

    def move(self, placed: ir.Table) -> None:
        """Give these rows (CROSSWALK_KEY, cohort) their cohort in the record."""
        self.begin()
        self.copied(MOVES, (*CROSSWALK_KEY, "cohort"), placed)
        self.apply()
