"""Proves a rollback by measuring: every table is read as a whole before and after, and sums of row hashes compared.

What is proved, table by table: rows that the rollback did not have to write are the very same; those that it restored
or brought back have the hashes that were taken of them before the loads changed them; those that were not there before
are gone. Hashes are of whole rows as text, and sums do not depend on their order; they are no seal against somebody who
forges rows on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.changes import row_hash
from migration_assets.stages.load.rollback_tables import ROW_CHANGE
from migration_assets.stages.load.schema import CROSSWALK, table_of
from migration_assets.stages.rollback.rows import ROWS, WRITTEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.place import Place


@dataclass(frozen=True)
class Content:
    """Rows of one table and the sum of their hashes: `rest` those the rollback does not write, `own` those it does."""

    rest_rows: int
    rest: int
    own_rows: int
    own: int

    @property
    def rows(self) -> int:
        return self.rest_rows + self.own_rows

    @property
    def total(self) -> int:
        return self.rest + self.own


@dataclass(frozen=True)
class Proven:
    """One table, before and after. `recorded`: rows and sum that the ledger's entries add up to; None where a load has
    not noted its changes. `expected`: rows and sum that were to come back."""

    table: str
    before: Content
    after: Content
    expected: tuple[int, int]
    recorded: tuple[int, int]

    @property
    def holds(self) -> bool:
        """Whether rows of others are untouched, and those of the cohort gone or as they were."""
        same = (self.before.rest_rows, self.before.rest) == (self.after.rest_rows, self.after.rest)
        return same and (self.after.own_rows, self.after.own) == self.expected

    @property
    def as_recorded(self) -> bool:
        """Whether the whole table is what the loads that stand have left: nobody else has written to it."""
        return (self.after.rows, self.after.total) == self.recorded


def measured(connection: Connection, place: Place) -> Mapping[str, Content]:
    """Every table of the target, read now."""
    return {table: _measure(connection, place, table) for table in place.tables}


def _measure(connection: Connection, place: Place, table: str) -> Content:
    query = sql.SQL(
        "SELECT count(*) FILTER (WHERE r.key IS NULL), "
        "coalesce(sum({hash}::numeric) FILTER (WHERE r.key IS NULL), 0), "
        "count(r.key), coalesce(sum({hash}::numeric) FILTER (WHERE r.key IS NOT NULL), 0) "
        "FROM {target} t LEFT JOIN {rows} r "
        "ON r.table_name = {name} AND r.key = t.{key}::text AND r.fate = ANY({written})"
    ).format(
        hash=row_hash("t", place.as_text(connection, table)),
        target=place.table(table),
        rows=ROWS,
        name=sql.Literal(table),
        key=place.key(table),
        written=sql.Literal(list(WRITTEN)),
    )
    row = connection.execute(query).fetchone() or (0, 0, 0, 0)
    return Content(*(int(value) for value in row))


def proven(connection: Connection, place: Place, before: Mapping[str, Content]) -> tuple[Proven, ...]:
    """What was measured before against what is there now. TargetRefused when it is not as it has to be."""
    after, expected, recorded = measured(connection, place), _expected(connection), _recorded(connection, place)
    found = tuple(
        Proven(t, before[t], after[t], expected.get(t, (0, 0)), recorded.get(t, (0, 0))) for t in place.tables
    )
    wrong = [p.table for p in found if not p.holds]
    if wrong:
        raise TargetRefused(
            f"after the rollback {', '.join(wrong)} would not be as before; nothing was written",
            "This is a fault of Cutover, or triggers of the target write rows of their own: look at the table's "
            "triggers, and report it with the output of `cutover rollback --dry-run --json`.",
        )
    return found


def _expected(connection: Connection) -> dict[str, tuple[int, int]]:
    """Table -> rows that were to come back, and the sum of the hashes they had."""
    query = sql.SQL(
        "SELECT table_name, count(*), coalesce(sum(before::numeric), 0) FROM {} "
        "WHERE fate IN ('restored', 'returns') GROUP BY 1"
    ).format(ROWS)
    return {table: (int(rows), int(total)) for table, rows, total in connection.execute(query).fetchall()}


def _recorded(connection: Connection, place: Place) -> dict[str, tuple[int, int]]:
    """Table -> rows and sum of hashes that all entries of the ledger together have left."""
    query = sql.SQL(
        "SELECT r.table_name, count(u.after) - count(u.before), "
        "coalesce(sum(u.after::numeric), 0) - coalesce(sum(u.before::numeric), 0) FROM {} r CROSS JOIN LATERAL "
        "unnest(coalesce(r.ids::text[], r.codes), r.before, r.after) AS u(key, before, after) GROUP BY 1"
    ).format(place.own(ROW_CHANGE))
    return {table: (int(rows), int(total)) for table, rows, total in connection.execute(query).fetchall()}


def refuse_torn_record(connection: Connection, place: Place, torn_before: Mapping[str, int]) -> None:
    """TargetRefused when the crosswalk names rows that are not there, more than it did before."""
    wrong = [entity for entity, n in torn(connection, place).items() if n > torn_before.get(entity, 0)]
    if wrong:
        raise TargetRefused(
            f"after the rollback the crosswalk would name rows of {', '.join(wrong)} that are not there; "
            "nothing was written",
            "Another cohort shares what this one brought: take both back at once (`--cohort` given twice).",
        )


def torn(connection: Connection, place: Place) -> dict[str, int]:
    """Entity -> rows of the crosswalk that name no row of the target, and rows of these loads that stay without one."""
    found = {}
    for entity in dict.fromkeys(place.entity(t) for t in place.tables if not place.coded(t)):
        table = table_of(place.schema, entity)
        if table is None:
            continue
        query = sql.SQL(
            "SELECT count(*) FILTER (WHERE t.{key} IS NULL) + count(*) FILTER (WHERE x.target_id IS NULL "
            "AND t.{key}::text IN (SELECT key FROM {rows} WHERE table_name = {name} AND fate <> 'kept')) "
            "FROM (SELECT target_id FROM {record} WHERE entity = {entity} AND status = 'loaded') x "
            "FULL JOIN {target} t ON t.{key} = x.target_id"
        ).format(
            key=place.key(table),
            rows=ROWS,
            name=sql.Literal(table),
            record=place.own(CROSSWALK),
            entity=sql.Literal(entity),
            target=place.table(table),
        )
        row = connection.execute(query).fetchone()
        found[entity] = int(row[0]) if row else 0
    return found
