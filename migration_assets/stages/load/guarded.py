"""Guarded writes to one table: what is staged is compared with what is there, and only what differs is written.

What a write replaces or removes is kept as a pre-image under the number of its load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import sql

from migration_assets.connectors.postgres_target import copy_in, names
from migration_assets.connectors.row_digests import server_digest
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.changes import Changes
from migration_assets.stages.load.refusal import STAGE_PREFIX
from migration_assets.stages.load.schema import CROSSWALK, HASH_FORM, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

# The crosswalk.
RECORD_TABLE = sql.Identifier(RECORD_SCHEMA, CROSSWALK)


@dataclass(frozen=True)
class GuardedWrites:
    """Writes of one load, inside its transaction."""

    connection: Connection
    load_id: int
    changes: Changes

    def stage(
        self, name: str, target: sql.Composable, columns: tuple[str, ...], path: Path
    ) -> tuple[sql.Identifier, int]:
        """Copy a CSV file into a stage table of the target's columns; its name, and how many rows it took."""
        stage = stage_name(name)
        self.connection.execute(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                stage, names(columns), target
            )
        )
        rows = copy_in(self.connection, stage, columns, path)
        # Just made it has no statistics: a few rows are looked up one by one, many are joined.
        self.connection.execute(sql.SQL("ANALYZE {}").format(stage))
        return stage, rows

    def write_changes(
        self,
        name: str,
        target: sql.Composable,
        stage: sql.Identifier,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        extra: Mapping[str, object] | None = None,
        settle: Callable[[sql.Identifier], None] | None = None,
    ) -> tuple[int, int, int]:
        """Insert what is new and update what differs, from the stage table; returns both counts, and that of the rows
        that are there as they should be.

        `extra` columns are written with what they are given but do not make a row different. `settle` is told the table
        of changes (the key, `is_new`) before they are made, and may take rows out of it.
        """
        changes = change_name(name)
        values = tuple(c for c in columns if c not in key)
        parts = {
            "target": target, "stage": stage, "changes": changes, "same": same_key("t", "s", key),
            "key": names(key, "s"), "first": sql.Identifier("t", key[0]), "differ": _differ("t", "s", values),
        }  # fmt: skip
        self.connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {changes} ON COMMIT DROP AS SELECT {key}, {first} IS NULL AS is_new "
                "FROM {stage} s LEFT JOIN {target} t ON {same} WHERE {first} IS NULL OR {differ}"
            ).format(**parts)
        )
        self.connection.execute(sql.SQL("ANALYZE {}").format(changes))
        # From here on nobody else can change these rows: what is settled is what is written over, pre-image and all.
        lock = "SELECT FROM {target} t JOIN {changes} s ON {same} WHERE NOT s.is_new FOR UPDATE OF t"
        self.connection.execute(sql.SQL(f"SELECT count(*) FROM ({lock}) locked").format(**parts))
        if settle is not None:
            settle(changes)
        count = sql.SQL(
            "SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new), "
            "(SELECT count(*) FROM {stage} s JOIN {target} t ON {same} WHERE NOT {differ}) FROM {changes}"
        )
        new, changed, same = one_row(self.connection, count.format(**parts))
        if changed:
            which = sql.SQL("JOIN {} s ON {} WHERE NOT s.is_new").format(changes, parts["same"])
            self.changes.changing(name, target, key, which)
        if new or changed:
            written = self._upsert(target, stage, changes, key, columns, dict(extra or {}))
            if written != new + changed:
                raise TargetRefused(
                    f"{name} was changed by somebody else while it was loaded; nothing was written",
                    "Stop what else writes to the target, then run this cohort again.",
                )
        return int(new), int(changed), int(same)

    def _upsert(
        self,
        target: sql.Composable,
        stage: sql.Composable,
        changes: sql.Composable,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        extra: dict[str, object],
    ) -> int:
        written = (*columns, *extra)
        values = tuple(c for c in columns if c not in key)
        kept = (sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in written if c not in key)
        new = sql.SQL(", ").join(kept)
        action: sql.Composable = sql.SQL("NOTHING")
        if values:
            action = sql.SQL("UPDATE SET {} WHERE {}").format(new, _differ("t", "excluded", values))
        selected = sql.SQL(", ").join([*(sql.Identifier("s", c) for c in columns), *map(sql.Literal, extra.values())])
        statement = sql.SQL(
            "INSERT INTO {target} AS t ({columns}) SELECT {selected} FROM {stage} s JOIN {changes} c ON {same} "
            "ON CONFLICT ({key}) DO {action}"
        ).format(
            target=target,
            columns=names(written),
            selected=selected,
            stage=stage,
            changes=changes,
            same=same_key("s", "c", key),
            key=names(key),
            action=action,
        )
        return self.connection.execute(statement).rowcount

    def lead(
        self,
        name: str,
        entity: str,
        target: sql.Composable,
        types: Mapping[str, str],
        column: str,
        pairs: sql.Composed,
        but: sql.Identifier,
    ) -> int:
        """Lead a reference of a table elsewhere: `pairs` is a query for `old` and `new`. Rows in `but` (target_id) are
        left alone; returns how many rows were changed, each kept as a pre-image. `types`: the table's columns, the key
        first."""
        key = next(iter(types))
        led = sql.SQL("JOIN ({}) p ON t.{} = p.old WHERE t.{} NOT IN (SELECT target_id FROM {})").format(
            pairs, sql.Identifier(column), sql.Identifier(key), but
        )
        self.changes.changing(name, target, (key,), led)
        self._follow(entity, target, types, column, led)
        statement = sql.SQL(
            "UPDATE {target} t SET {column} = p.new FROM ({pairs}) p "
            "WHERE t.{column} = p.old AND t.{key} NOT IN (SELECT target_id FROM {but})"
        ).format(target=target, column=sql.Identifier(column), pairs=pairs, key=sql.Identifier(key), but=but)
        return self.connection.execute(statement).rowcount

    def _follow(
        self, entity: str, target: sql.Composable, types: Mapping[str, str], column: str, led: sql.Composable
    ) -> None:
        """Let the record know what rows become that are led on, where they are as they were loaded: what we change
        ourselves must not look like somebody else's. It leaves no pre-image: whoever leads them back makes the record
        follow again (rollback/undo.py), and rows of which only a reference was led are told by that."""
        key, record = next(iter(types)), RECORD_TABLE
        new = server_digest("t", types, {column: sql.SQL("p.new")})
        rows = sql.SQL("SELECT t.{} AS id, {} AS was, {} AS now FROM {} t {}").format(
            sql.Identifier(key), server_digest("t", types), new, target, led
        )
        mine = sql.SQL(
            "t.entity = {} AND t.status = 'loaded' AND t.target_id = l.id AND t.row_hash = {} || l.was"
        ).format(sql.Literal(entity), sql.Literal(HASH_FORM))
        followed = sql.SQL("UPDATE {} t SET row_hash = {} || l.now FROM ({}) l WHERE {}")
        self.connection.execute(followed.format(record, sql.Literal(HASH_FORM), rows, mine))


@contextmanager
def planned_with(connection: Connection, **settings: str) -> Iterator[None]:
    """Statements of the block are planned with these settings: tables that were just made have no statistics, and we
    know what the planner cannot. What was set before is set again."""
    names = sql.SQL(", ").join(sql.SQL("current_setting({})").format(sql.Literal(name)) for name in settings)
    before = one_row(connection, sql.SQL("SELECT {}").format(names))
    _set(connection, settings)
    yield
    _set(connection, dict(zip(settings, before, strict=True)))


def _set(connection: Connection, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        connection.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)))


def one_row(connection: Connection, query: sql.Composed) -> tuple[Any, ...]:
    """The first row of a query, or nothing."""
    row = connection.execute(query).fetchone()
    return row if row is not None else ()


def of_cohort(key: str, entity: str, cohort: str, load_id: int | None = None) -> sql.Composed:
    """The condition that a row of `t` is the cohort's by the record; with `load_id`, recorded by that load."""
    condition = sql.SQL(
        "WHERE t.{key} IN (SELECT x.target_id FROM {record} x "
        "WHERE x.cohort = {cohort} AND x.entity = {entity} AND x.status = 'loaded'{by})"
    )
    return condition.format(
        key=sql.Identifier(key),
        record=RECORD_TABLE,
        cohort=sql.Literal(cohort),
        entity=sql.Literal(entity),
        by=sql.Composed([]) if load_id is None else sql.SQL(" AND x.load_id = {}").format(sql.Literal(load_id)),
    )


def stage_name(table: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"{STAGE_PREFIX}{table}"[:63])


def change_name(table: str) -> sql.Identifier:
    """What `write_changes` found to be new or different. Columns: the key, is_new."""
    return sql.Identifier("pg_temp", f"change_{table}"[:63])


def same_key(left: str, right: str, key: tuple[str, ...]) -> sql.Composed:
    pairs = (sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in key)
    return sql.SQL(" AND ").join(pairs)


def _differ(left: str, right: str, columns: tuple[str, ...]) -> sql.Composable:
    """Whether two rows differ in any of the columns; missing equals missing."""
    if not columns:
        return sql.SQL("false")
    return sql.SQL("({}) IS DISTINCT FROM ({})").format(names(columns, left), names(columns, right))
