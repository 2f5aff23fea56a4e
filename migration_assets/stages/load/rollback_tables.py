"""Tables beside the record of loads that a rollback goes by: what each load changed, what was taken back, which ids
stay given. They are tables of their own, so that a target made before them only lacks them."""

from __future__ import annotations

from migration_assets.stages.load.ddl import Column, Constraint, Table

ROW_CHANGE, TAKEN_BACK, RESERVED_ID = "row_change", "taken_back", "reserved_id"


def rollback_tables(schema: str) -> tuple[Table, ...]:
    """The three of them, in the schema of the record."""
    return _row_change(schema), _taken_back(schema), _reserved_id(schema)


def _row_change(schema: str) -> Table:
    return Table(
        schema=schema,
        name=ROW_CHANGE,
        columns=(
            Column("load_id", "bigint", True, "Load that changed the rows."),
            Column("table_name", "text", True, "Table of the rows."),
            Column(
                "part", "bigint", True, "Number of the part: a row of this table has up to 10,000 rows of that one."
            ),
            Column("ids", "uuid[]", False, "Their keys."),
            Column("codes", "text[]", False, "Their keys, where the table's key is a code."),
            Column("before", "bigint[]", False, "Hash of each before the load; none where it was not there."),
            Column("after", "bigint[]", False, "Hash of each when the load had ended; none where it was gone."),
        ),
        constraints=(
            Constraint("row_change_pkey", "PRIMARY KEY (load_id, table_name, part)"),
            Constraint("row_change_keys", "CHECK ((ids IS NULL) <> (codes IS NULL))"),
        ),
        comment="Which rows each load inserted, changed or removed, and a hash of each before and after.",
        grants=(("writer", ("SELECT", "INSERT")), ("reader", ("SELECT",))),
    )


def _taken_back(schema: str) -> Table:
    return Table(
        schema=schema,
        name=TAKEN_BACK,
        columns=(
            Column("load_id", "bigint", True, "Load that was taken back."),
            Column("rollback_id", "bigint", True, "Entry of the ledger that took it back."),
            Column("cohort", "text", True, "Whose load it was."),
            Column("actor", "text", True, "Account that asked for it."),
            Column("taken_back_at", "timestamp with time zone", True, "When."),
        ),
        constraints=(Constraint("taken_back_pkey", "PRIMARY KEY (load_id)"),),
        comment="Loads that were taken back; what they had written is not in the target any more.",
        grants=(("writer", ("SELECT", "INSERT")), ("reader", ("SELECT",))),
    )


def _reserved_id(schema: str) -> Table:
    return Table(
        schema=schema,
        name=RESERVED_ID,
        columns=(
            Column("source_system", "text", True, "System of the customer row."),
            Column("source_table", "text", True, "Table of that system."),
            Column("source_id", "text", True, "Key in that table."),
            Column("target_id", "uuid", True, "Id that it bore, or was merged into."),
            Column("status", "text", True, "loaded, or merged."),
            Column("founder", "boolean", True, "The id was minted from this very row."),
            Column("cohort", "text", True, "Cohort it had moved with."),
            Column("rollback_id", "bigint", True, "Rollback that took it out of the crosswalk."),
        ),
        constraints=(Constraint("reserved_id_pkey", "PRIMARY KEY (source_system, source_table, source_id)"),),
        comment="Ids of customers that were taken back and that are not simply minted from their own key.",
        grants=(("writer", ("SELECT", "INSERT", "UPDATE")), ("reader", ("SELECT",))),
    )
