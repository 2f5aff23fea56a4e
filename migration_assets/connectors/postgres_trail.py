"""Which rows of a PostgreSQL table may be new since an earlier snapshot, told by transactions and not by any clock.

A row version carries the transaction that wrote it. What an earlier snapshot could not see yet was written by one that
was not over then, and its number is not below the snapshot's lowest running one (the horizon). So the rows at or after
the horizon are all that can be new or changed, whatever their time stamps say and however late they were committed.
Deleted rows leave no version behind: they show in the number of rows.

Belongs here: the horizon, and what is asked with it. What is made of the answers is `stages.golden_copy.delta`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

# A number of a transaction has 32 bits in a row; beyond half of that, before and after cannot be told apart.
_TELLABLE = 2**31 - 2**24
# Where the server says which cluster it is and which history of it; a restored copy starts another one.
_CLUSTER = """
SELECT s.system_identifier::text || '/' || c.timeline_id::text || '/' || d.oid::text
FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
"""
_MAY_ASK = """
SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
   AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
"""
# Views compute their rows, foreign tables and other ways of storing have transactions of their own, and a table with
# parts is as many tables.
_ORDINARY = """
SELECT c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relhassubclass AND a.amname = 'heap'
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am a ON a.oid = c.relam WHERE c.oid = %s
"""
# By number, so that a column that was dropped and made again under its name is another one. With what a value may be
# computed from or is called: another expression or another name changes what is read and touches no row.
_SHAPE = """
SELECT md5(string_agg(
  concat_ws(' ', a.attnum, quote_ident(a.attname), a.atttypid, a.atttypmod, pg_get_expr(d.adbin, d.adrelid), labels),
  ',' ORDER BY a.attnum))
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN LATERAL (
  SELECT string_agg(quote_ident(e.enumlabel), ',' ORDER BY e.enumsortorder) AS labels
  FROM pg_catalog.pg_enum e WHERE e.enumtypid IN (t.oid, t.typelem, t.typbasetype)
) named ON true
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
_HORIZON = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""
_SINCE = "pg_catalog.age(xmin) <= pg_catalog.age({}::pg_catalog.xid)"
EVERY_ROW = sql.SQL("true")

# Reads these columns of the rows that a condition takes.
Read = Callable[[Sequence[str], sql.Composable], Iterator[pa.Table]]


@dataclass(frozen=True)
class PostgresMark:
    """What a later look at a table needs: which cluster and history of it, which table and columns, and the horizon."""

    cluster: str
    table: int
    shape: str
    horizon: int

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class PostgresTrail:
    """Rows of one table since a mark. `rows`: how many there are now; `candidates`: how many may be new or changed;
    `by_key`: whether the server vouches for the key, and orders by it as engines do."""

    rows: int
    candidates: int
    by_key: bool
    horizon: int
    read: Read

    def changed(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The candidates, whole, in no order. Some may be as they were."""
        return self.read(columns, sql.SQL(_SINCE).format(_xid(self.horizon)))

    def keys(self, key: Sequence[str]) -> Iterator[pa.Table]:
        """The key of every row there is, in no order."""
        return self.read(key, EVERY_ROW)


def mark_of(connection: psycopg.Connection[Any], table: int) -> PostgresMark | None:
    """The mark of a table (by oid) in the transaction's snapshot; None where it could not be relied upon."""
    if not _answer(connection, _ORDINARY, table) or not _answer(connection, _MAY_ASK):
        return None
    lowest, _ = _numbers(connection)
    return PostgresMark(_answer(connection, _CLUSTER), table, _answer(connection, _SHAPE, table), lowest)


def since(
    connection: psycopg.Connection[Any], given: str, relation: sql.Composable, present: PostgresMark | None
) -> tuple[int, int, int] | None:
    """Rows there are, candidates among them, and the horizon of the mark `given`; None where it no longer tells."""
    before = PostgresMark(**json.loads(given))
    if present is None or (before.cluster, before.table, before.shape) != (
        present.cluster,
        present.table,
        present.shape,
    ):
        return None
    _, following = _numbers(connection)
    if not 0 <= following - before.horizon < _TELLABLE:
        return None
    counted = sql.SQL("SELECT count(*), count(*) FILTER (WHERE " + _SINCE + ") FROM {}").format(
        _xid(before.horizon), relation
    )
    found = connection.execute(counted).fetchone()
    return None if found is None else (int(found[0]), int(found[1]), before.horizon)


def _xid(number: int) -> sql.Literal:
    return sql.Literal(str(number % 2**32))


def _numbers(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """The lowest transaction that was running at the snapshot, and the first that had not begun."""
    found = connection.execute(_HORIZON).fetchone()
    if found is None:
        raise AssertionError("a query without FROM has one row")
    return int(found[0]), int(found[1])


def _answer(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    found = connection.execute(query, values).fetchone()
    return None if found is None else found[0]
