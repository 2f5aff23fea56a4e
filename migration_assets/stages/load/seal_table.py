"""The table beside the record of loads that has the seals of cohorts (`seal`), and how all of them are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import has_table
from migration_assets.stages.load.ddl import Column, Constraint, Table

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

SEAL = "load_seal"


def seal_table(schema: str) -> Table:
    """One row for each cohort that the next load need not compare whole. Key: cohort."""
    return Table(
        schema=schema,
        name=SEAL,
        columns=(
            Column("cohort", "text", True, "Cohort."),
            Column("basis", "text", True, "Digest of all that its load went by, but for the rows."),
            Column("inputs", "text", True, "Digest of the rows it was loaded from."),
            Column("row_hashes", "jsonb", True, "Of each table its rows, and the exclusive or of their hashes."),
        ),
        constraints=(Constraint("load_seal_pkey", "PRIMARY KEY (cohort)"),),
        comment="What each cohort was loaded from and hashed to: where both are the same a load has nothing to do.",
        grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("reader", ("SELECT",))),
    )


def break_seals(connection: Connection, record: str) -> None:
    """The next load of each cohort compares everything."""
    if has_table(connection, record, SEAL):
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(record, SEAL)))
