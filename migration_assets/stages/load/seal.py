"""The seal of a cohort: what it was loaded from, and what its rows hashed to when it had been.

A load of the same inputs whose rows still hash to the same has nothing to do, and one of which few inputs are others
has only these to write. The hash of a cohort's rows is followed and never read anew after writing: what it was when the
load began, and by exclusive or what the load noted of every row before and after (`changes`). So a row that somebody
else changes while a load looks does not fit the seal, and everything is compared again. Whoever changes rows or record
of another cohort breaks every seal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.stages.load.changes import row_hash
from migration_assets.stages.load.guarded import of_cohort, one_row, planned_with
from migration_assets.stages.load.rollback_tables import ROW_CHANGE
from migration_assets.stages.load.schema import RECORD_SCHEMA, key_column
from migration_assets.stages.load.seal_table import SEAL

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.plan.models import Plan
    from migration_assets.stages.load.inputs import Inputs

_TABLE = sql.Identifier(RECORD_SCHEMA, SEAL)


@dataclass(frozen=True)
class Rows:
    """How many rows of a table a cohort has, and the exclusive or of their hashes."""

    count: int
    hash: int


@dataclass(frozen=True)
class Seal:
    """What was loaded last. `basis` and `digest`: as of its inputs (inputs.Inputs); `rows`: by table of the target."""

    basis: str
    digest: str
    rows: Mapping[str, Rows]


@dataclass(frozen=True)
class Seals:
    """The seal of one cohort, within the transaction of its load. `as_text`: tables whose rows are hashed as text."""

    connection: Connection
    plan: Plan
    cohort: str
    as_text: frozenset[str]

    def found(self) -> Seal | None:
        """The cohort's seal, where there is one."""
        query = sql.SQL("SELECT basis, inputs, row_hashes FROM {} WHERE cohort = %s").format(_TABLE)
        row = self.connection.execute(query, [self.cohort]).fetchone()
        if row is None:
            return None
        basis, digest, hashes = row
        return Seal(basis, digest, {table: Rows(int(count), int(total)) for table, (count, total) in hashes.items()})

    def rows(self, tables: tuple[str, ...], seal: Seal | None) -> dict[str, Rows]:
        """The cohort's rows of each table, asked of the target."""
        sealed = seal.rows if seal is not None else {}
        with planned_with(self.connection, enable_nestloop="off"):
            return {t: self._rows(t, sealed.get(t)) for t in tables}

    def _rows(self, table: str, sealed: Rows | None) -> Rows:
        """Where the table has as many rows as were sealed, these should be all the cohort's: nobody has to look up
        whose they are."""
        target = sql.Identifier(self.plan.target.schema_name, table)
        count = sql.SQL("SELECT count(*) FROM {}").format(target)
        if sealed is not None and one_row(self.connection, count)[0] == sealed.count:
            whole = self._hashed(table, target, sql.Composed([]))
            if whole == sealed:
                return whole
        declared = self.plan.target.tables[table]
        return self._hashed(table, target, of_cohort(key_column(declared), declared.entity, self.cohort))

    def _hashed(self, table: str, target: sql.Identifier, which: sql.Composed) -> Rows:
        query = sql.SQL("SELECT count(*), coalesce(bit_xor({}), 0) FROM {} t {}").format(
            row_hash("t", table in self.as_text), target, which
        )
        count, total = one_row(self.connection, query)
        return Rows(int(count), int(total))

    def put(self, load_id: int, inputs: Inputs, before: Mapping[str, Rows]) -> dict[str, Rows]:
        """Seal the cohort, of which these were the rows before this load; its rows now."""
        noted = sql.SQL(
            "SELECT r.table_name, count(u.after) - count(u.before), "
            "bit_xor(coalesce(u.before, 0) # coalesce(u.after, 0)) "
            "FROM {} r, unnest(r.before, r.after) u (before, after) WHERE r.load_id = {} GROUP BY r.table_name"
        ).format(sql.Identifier(RECORD_SCHEMA, ROW_CHANGE), sql.Literal(load_id))
        changed = {table: (int(more), int(total)) for table, more, total in self.connection.execute(noted)}
        none = (0, 0)
        rows = {t: Rows(r.count + changed.get(t, none)[0], r.hash ^ changed.get(t, none)[1]) for t, r in before.items()}
        statement = sql.SQL(
            "INSERT INTO {} AS t VALUES (%s, %s, %s, %s) ON CONFLICT (cohort) DO UPDATE SET basis = EXCLUDED.basis, "
            "inputs = EXCLUDED.inputs, row_hashes = EXCLUDED.row_hashes WHERE (t.basis, t.inputs, t.row_hashes) "
            "IS DISTINCT FROM (EXCLUDED.basis, EXCLUDED.inputs, EXCLUDED.row_hashes)"
        ).format(_TABLE)
        # As text: a number of 64 bits is more than every reader of JSON takes.
        hashes = json.dumps({table: [r.count, str(r.hash)] for table, r in sorted(rows.items())})
        self.connection.execute(statement, (self.cohort, inputs.basis, inputs.digest, hashes))
        return rows

    def break_own(self) -> None:
        """The next load of the cohort compares everything."""
        self.connection.execute(sql.SQL("DELETE FROM {} WHERE cohort = %s").format(_TABLE), [self.cohort])
