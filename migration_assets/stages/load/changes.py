"""What a load changes, noted for a rollback: rows as they were, and a hash of each before and after.

Whatever is changed or removed leaves its pre-image, whole. Whatever is inserted leaves its key and the hash of what was
written, in arrays of up to 10,000 rows: a first load of a million rows must not write a million records besides. Why:
decision 37.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.stages.load.rollback_tables import ROW_CHANGE
from migration_assets.stages.load.schema import CROSSWALK, PRE_IMAGE, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection

# Rows that the load has changed or removed so far, as they were. Key: table_name, key; the first one stays.
_BEFORE = sql.Identifier("pg_temp", "rows_before")
_PART = 10_000


def row_hash(alias: str, as_text: bool = False) -> sql.Composed:
    """The hash of a whole row; it is no seal against forgers, only a way to see that a row is another now. Stirred once
    more: the server adds up the hashes of columns, and so the exclusive or of two rows that swap a value might not
    change. `as_text`: of a table that has columns which the server does not hash."""
    how = "hashtextextended({}::text, 0)" if as_text else "hashint8extended(hash_record_extended({}, 0), 0)"
    return sql.SQL(how).format(sql.Identifier(alias))


def hashed_as_text(connection: Connection, schema: str, tables: Iterable[str]) -> frozenset[str]:
    """Tables with a column of a type that the server does not hash, such as one of `json` that others have added. The
    server is asked for the hash of a row of nothing."""
    found = set()
    for table in tables:
        row = sql.SQL("jsonb_populate_record(NULL::{}, '{{}}')").format(sql.Identifier(schema, table))
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SELECT hash_record_extended(t, 0) FROM (SELECT ({}).*) t").format(row))
        except psycopg.errors.UndefinedFunction:
            found.add(table)
    return frozenset(found)


def key_text(alias: str, key: tuple[str, ...]) -> sql.Composed:
    """The key of a row as the record has it."""
    parts = (sql.SQL("{}::text").format(sql.Identifier(alias, c)) for c in key)
    return sql.SQL(" || '|' || ").join(parts)


@dataclass(frozen=True)
class Changes:
    """What one load has changed, inside its transaction. `coded`: tables whose keys are codes and no UUIDs; `as_text`:
    tables whose rows are hashed as text."""

    connection: Connection
    load_id: int
    coded: frozenset[str] = frozenset()
    as_text: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Once in each transaction."""
        self.connection.execute(
            sql.SQL(
                "CREATE TEMP TABLE {} (table_name text, key text, hash bigint, PRIMARY KEY (table_name, key)) "
                "ON COMMIT DROP"
            ).format(_BEFORE)
        )

    def changing(self, name: str, target: sql.Composable, key: tuple[str, ...], which: sql.Composable) -> None:
        """Keep the rows of `target t` that `which` picks, before they are changed; of one that this load has changed
        already the first image stays."""
        self.connection.execute(sql.SQL("WITH {images} {hashes}").format(**self.parts(name, target, key, which)))

    def parts(
        self, name: str, target: sql.Composable, key: tuple[str, ...], which: sql.Composable
    ) -> dict[str, sql.Composed]:
        """The same as parts of a statement: `images` are members of a WITH, `hashes` inserts the rest of it."""
        rows = sql.SQL("SELECT {} AS key, to_jsonb(t) AS row, {} AS hash FROM {} t {}").format(
            key_text("t", key), row_hash("t", name in self.as_text), target, which
        )
        return {"images": self._images(name, "update", rows), "hashes": self._hashes(name)}

    def removing(self, name: str, gone: sql.Composed, key: tuple[str, ...]) -> int:
        """Run a DELETE that returns whole rows, and keep them; how many there were."""
        rows = sql.SQL("SELECT {} AS key, to_jsonb(t) AS row, {} AS hash FROM gone t").format(
            key_text("t", key), row_hash("t", name in self.as_text)
        )
        statement = sql.SQL("WITH gone AS ({}), {}, noted AS ({}) SELECT count(*) FROM gone").format(
            gone, self._images(name, "delete", rows), self._hashes(name)
        )
        found = self.connection.execute(statement).fetchone()
        return int(found[0]) if found else 0

    def recorded_anew(self, which: sql.Composable) -> None:
        """Note keys of the crosswalk that are inserted with the stamp of an earlier load; `which` is a query
        for them, as `key`."""
        self.connection.execute(
            sql.SQL("INSERT INTO {} SELECT {}, {}, key, 'insert', 'null' FROM ({}) t ON CONFLICT DO NOTHING").format(
                sql.Identifier(RECORD_SCHEMA, PRE_IMAGE), sql.Literal(self.load_id), sql.Literal(CROSSWALK), which
            )
        )

    def _images(self, name: str, operation: str, rows: sql.Composable) -> sql.Composed:
        return sql.SQL(
            "old AS MATERIALIZED ({rows}), "
            "imaged AS (INSERT INTO {images} SELECT {load}, {name}, key, {operation}, row "
            "FROM old ON CONFLICT DO NOTHING)"
        ).format(
            rows=rows,
            images=sql.Identifier(RECORD_SCHEMA, PRE_IMAGE),
            load=sql.Literal(self.load_id),
            name=sql.Literal(name),
            operation=sql.Literal(operation),
        )

    def _hashes(self, name: str) -> sql.Composed:
        return sql.SQL("INSERT INTO {} SELECT {}, key, hash FROM old ON CONFLICT DO NOTHING").format(
            _BEFORE, sql.Literal(name)
        )

    # --- when all is written ---

    def note_inserted(self, name: str, target: sql.Composable, key: str, which: sql.Composable) -> int:
        """Note the rows of `target t` that `which` picks as inserted by this load; how many there are."""
        rows = sql.SQL("SELECT t.{} AS key, NULL::bigint AS before, {} AS after FROM {} t {}").format(
            sql.Identifier(key), row_hash("t", name in self.as_text), target, which
        )
        return self._note(name, rows)

    def note_changed(self, name: str, target: sql.Composable, key: str) -> int:
        """Note the rows of the table that were changed or removed, as they are now; how many there are."""
        kind = sql.SQL("text" if name in self.coded else "uuid")
        rows = sql.SQL(
            "SELECT b.key::{} AS key, b.hash AS before, {} AS after FROM {} b LEFT JOIN {} t ON t.{} = b.key::{} "
            "WHERE b.table_name = {}"
        ).format(
            kind, row_hash("t", name in self.as_text), _BEFORE, target, sql.Identifier(key), kind, sql.Literal(name)
        )
        return self._note(name, rows)

    def changed_tables(self) -> tuple[str, ...]:
        """Tables of the target of which rows were changed or removed."""
        query = sql.SQL("SELECT DISTINCT table_name FROM {} WHERE table_name <> {} ORDER BY 1")
        found = self.connection.execute(query.format(_BEFORE, sql.Literal(CROSSWALK)))
        return tuple(name for (name,) in found)

    def touched_record(self) -> int:
        """Rows of the crosswalk that were changed, removed, or inserted under another key."""
        query = sql.SQL("SELECT count(*) FROM {} WHERE load_id = {} AND table_name = {}").format(
            sql.Identifier(RECORD_SCHEMA, PRE_IMAGE), sql.Literal(self.load_id), sql.Literal(CROSSWALK)
        )
        found = self.connection.execute(query).fetchone()
        return int(found[0]) if found else 0

    def _note(self, name: str, rows: sql.Composable) -> int:
        """Rows of `key`, `before` and `after`, packed."""
        coded = name in self.coded
        statement = sql.SQL(
            "WITH part AS (SELECT *, (row_number() OVER () - 1) / {size} AS number FROM ({rows}) r), "
            "first AS (SELECT coalesce(max(part) + 1, 0) AS number FROM {changes} "
            "WHERE load_id = {load} AND table_name = {name}), "
            "noted AS (INSERT INTO {changes} (load_id, table_name, part, {keys}, before, after) "
            "SELECT {load}, {name}, first.number + part.number, array_agg(key), "
            "CASE WHEN count(before) > 0 THEN array_agg(before) END, array_agg(after) FROM part, first "
            "GROUP BY first.number, part.number RETURNING cardinality({keys}) AS rows) "
            "SELECT coalesce(sum(rows), 0) FROM noted"
        ).format(
            size=sql.Literal(_PART),
            rows=rows,
            changes=sql.Identifier(RECORD_SCHEMA, ROW_CHANGE),
            load=sql.Literal(self.load_id),
            name=sql.Literal(name),
            keys=sql.Identifier("codes" if coded else "ids"),
        )
        found = self.connection.execute(statement).fetchone()
        return int(found[0]) if found else 0
