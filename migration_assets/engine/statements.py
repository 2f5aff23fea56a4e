"""Ibis expressions to DuckDB's SQL, each once per process: cohorts ask the same questions of other rows.

Building SQL costs far more than running it on few rows. Two expressions that are equal (same operations on relations
of the same names and columns) have the same SQL, whichever engine they belong to.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import ibis.expr.operations as ops
from ibis.backends.sql.datatypes import DuckDBType

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    import ibis.expr.schema as sch
    import ibis.expr.types as ir

# A whole migration of Acme has about 3,000; more than this means that nothing is asked twice.
_MOST = 4_000
_KNOWN: dict[Any, str] = {}


def statement_of(backend: Any, table: ir.Table) -> str:
    """The SQL of an expression; TypeError for rows that only this process's memory holds."""
    root = table.op()
    known = _KNOWN.get(root)
    if known is not None:
        return known
    made: str = backend.compile(table)
    if root.find(ops.InMemoryTable):
        raise TypeError("rows in memory become a table through engine.table")
    if len(_KNOWN) >= _MOST:
        _KNOWN.clear()
    _KNOWN[root] = made
    return made


def declared(schema: sch.Schema) -> str:
    """Column definitions for CREATE TABLE."""
    return ", ".join(f"{_name(n)} {_declared(t)}" for n, t in schema.items())


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


@lru_cache(maxsize=1_000)
def _declared(kind: dt.DataType) -> str:
    return DuckDBType.to_string(kind) + ("" if kind.nullable else " NOT NULL")


@lru_cache(maxsize=1_000)
def ibis_type(declared_type: str) -> dt.DataType:
    """The type of a column as DuckDB writes it."""
    return DuckDBType.from_string(declared_type, nullable=True)


@lru_cache(maxsize=1_000)
def kept_type(kind: dt.DataType) -> dt.DataType:
    """The type that values of `kind` have once DuckDB has kept them: it has only one precision of instants."""
    return DuckDBType.from_string(DuckDBType.to_string(kind), nullable=kind.nullable)
