"""Tables that say which cohorts are hidden from readers of the target, and the policies that go by them (`hidden`)."""

from __future__ import annotations

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.cohort_states import RECORD
from migration_assets.stages.load.ddl import Column, Constraint, Policy, Table, ident, literal

HIDDEN_COHORT, HIDDEN_ROW = "hidden_cohort", "hidden_row"
# Entities whose rows belong to a cohort.
HIDEABLE = frozenset(n for n, e in ENTITIES.items() if e.origin != "catalog" and e.stage != "reference_data")


def hidden_tables() -> tuple[Table, ...]:
    """Both tables of it; usually empty."""
    return (
        Table(
            schema=RECORD,
            name=HIDDEN_COHORT,
            columns=(
                Column("cohort", "text", True, "Cohort whose rows readers do not see."),
                Column(
                    "reason", "text", True, "differs: its reconciliation failed; incomplete: more of it is to come."
                ),
                Column("hidden_at", "timestamp with time zone", True, "Since when."),
            ),
            constraints=(
                Constraint("hidden_cohort_pkey", "PRIMARY KEY (cohort, reason)"),
                Constraint("hidden_cohort_reason", "CHECK (reason IN ('differs', 'incomplete'))"),
            ),
            comment="Why a cohort is hidden: it is shown again when no reason is left.",
            grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("reader", ("SELECT",))),
        ),
        Table(
            schema=RECORD,
            name=HIDDEN_ROW,
            columns=(
                Column("target_id", "uuid", True, "Key of the row in the target."),
                Column("entity", "text", True, "Its canonical entity."),
            ),
            constraints=(Constraint("hidden_row_pkey", "PRIMARY KEY (target_id, entity)"),),
            comment="Rows of hidden cohorts.",
            # A policy asks as whoever reads, so whoever may read a table has to be able to ask. Ids, and nothing else.
            grants=(("writer", ("SELECT", "INSERT", "UPDATE", "DELETE")), ("everyone", ("SELECT",))),
        ),
    )


def policies(schema: str, table: str, key: str, entity: str, writer: str) -> tuple[Policy, ...]:
    """What lets the writer see and write every row of a table, and everyone else those that are not hidden."""
    # Qualified in full: a column of that name in the other table would be taken otherwise.
    hidden = (
        f"EXISTS (SELECT FROM {ident(RECORD, HIDDEN_ROW)} h WHERE h.entity = {literal(entity)} "
        f"AND h.target_id = {ident(schema, table, key)})"
    )
    as_writer = f"(SELECT pg_has_role({literal(writer)}, 'USAGE'))"
    return (
        # Beside policies of others it only ever takes away. Whoever may write at all goes on writing: only what they
        # see is less.
        Policy("cutover_shown", f"AS RESTRICTIVE USING ({as_writer} OR NOT {hidden}) WITH CHECK (true)"),
        Policy("cutover_writer", f"TO {ident(writer)} USING (true) WITH CHECK (true)"),
        # Row security lets nobody see anything that no policy allows.
        Policy("cutover_everyone", "USING (true) WITH CHECK (true)", only_alone=True),
    )
