"""Both sides of a comparison: what the target holds now, and what the canonical rows say it should hold.

The target is asked for digests of its rows first, and only for those rows that are not as they should be (`buckets`):
what is equal crosses no wire. The record of the cohort's loads is read whole.

The writing side gives ids; this side asks the target's crosswalk for them and imports nothing that shapes or loads
rows: a row under a wrong id, or one whose record was bent, shows as a difference. A key the crosswalk does not list has
the id that the rule gives it (UUIDv5 of the plan's UUID, entity and key): a row nobody loaded is reported by that name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from psycopg import sql

from migration_assets.connectors.engine_digests import EngineRows
from migration_assets.connectors.postgres_target import copy_out, engine_type, read_csv
from migration_assets.connectors.row_digests import ServerRows
from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.stages.load.schema import canonical_field, column_types, parents_first, role_names
from migration_assets.stages.reconcile.buckets import differing
from migration_assets.stages.reconcile.membership import member_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection, PostgresTarget
    from migration_assets.domain.canonical.model import Field
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan, TargetTable

_SOURCE = ("entity", "source_system", "source_table", "source_id")
_CROSSWALK_TYPES = dict.fromkeys(("cohort", "entity", "source_system", "source_table", "source_id"), "text")


@dataclass(frozen=True)
class Expected:
    """What one target table should hold of a cohort.

    `whole`: its columns, the key first, `_surrogate` (`system.table#row`), and `_bent`: the crosswalk says that
    the rule gave the row its id, and has another one.
    """

    table: str
    entity: str
    columns: tuple[str, ...]
    whole: ir.Table

    @property
    def key(self) -> str:
        return self.columns[0]

    @property
    def rows(self) -> ir.Table:
        """The rows as the target should have them."""
        return self.whole.select(*self.columns)

    @property
    def surrogates(self) -> ir.Table:
        """What a person may be told of each row. Columns: key, surrogate."""
        return self.whole.select(key=self.key, surrogate="_surrogate")


# Rows of one table that the target holds now: those whose column has one of these values.
Read = Callable[[str, Collection[str]], "ir.Table"]


@dataclass(frozen=True)
class Compared:
    """Both sides of one table: what should be there, and what the target held when it was asked.

    `count`: the cohort's rows that it held; `off`: the column `key`, of rows that are on one side only or not the same
    on both, and `differs` whether there are any; `found`: those of them that the target has. As long as the sides are
    open, `read` gives others of its rows, and `loaded_as` what the crosswalk says that rows of these keys were loaded
    as (load/schema.py, `HASH_FORM`).
    """

    expected: Expected
    count: int
    differs: bool
    off: ir.Table
    found: ir.Table
    read: Read = field(repr=False)
    loaded_as: Callable[[Collection[str]], Mapping[str, str]] = field(repr=False)


@dataclass(frozen=True)
class BothSides:
    """All tables of the target, parents first, and the cohort's crosswalk, asked in one snapshot of the target.

    `crosswalk`: entity, source_system, source_table, source_id. Rows of the catalog have none; they are in it when the
    target holds their code.
    """

    tables: tuple[Compared, ...]
    crosswalk: ir.Table


@contextmanager
def both_sides(
    engine: DuckDBEngine,
    target: PostgresTarget,
    plan: Plan,
    cohort: str,
    canonical: Mapping[str, ir.Table],
    work_folder: Path | None = None,
) -> Iterator[BothSides]:
    """Both sides of every target table, in one snapshot of the target that lasts as long as the block. `canonical`: the
    cohort's rows by entity; an entity that is not given should have none."""
    with (
        HeldFolder(work_folder) as folder,
        # Readers do not see hidden cohorts, the writer does; it cannot write here either.
        target.transaction(role=role_names(plan)["writer"], read_only=True) as connection,
    ):
        crosswalk = _crosswalk(engine, connection, cohort, folder)
        ids = _Ids(engine, plan, crosswalk)
        tables = []
        for table, declared in parents_first(plan.target):
            whole = ids.expected(declared, canonical.get(declared.entity))
            expected = Expected(table, declared.entity, tuple(declared.columns), whole)
            rows = _Rows(engine, connection, plan, cohort, table, folder)
            tables.append(_compared(engine, expected, rows))
        own = crosswalk.filter(crosswalk.cohort == cohort).select(*_SOURCE)
        listed = [_codes_held(side, canonical) for side in tables if _is_listed(side.expected.entity, canonical)]
        yield BothSides(tuple(tables), engine.cached(engine.union([own, *listed])) if listed else own)


def _compared(engine: DuckDBEngine, expected: Expected, rows: _Rows) -> Compared:
    """Ask both for digests, and the target for the rows whose digests are not those they should be."""
    ours = EngineRows(engine, expected.rows, expected.key, rows.types)
    found = differing(ours, rows.digested, engine.count(expected.rows))
    off = engine.table(pa.table({"key": pa.array(found.keys, pa.string())}))
    held = rows.of(expected.key, found.keys)
    return Compared(expected, found.right, bool(found.keys), off, held, rows.of, rows.loaded_as)


def _is_listed(entity: str, canonical: Mapping[str, ir.Table]) -> bool:
    return ENTITIES[entity].origin == "catalog" and entity in canonical


def _codes_held(side: Compared, canonical: Mapping[str, ir.Table]) -> ir.Table:
    """Canonical rows of a catalog entity whose code the target holds, as the crosswalk would have them."""
    entity, held = side.expected.entity, side.found.select(_held=side.expected.key)
    missing = side.off.anti_join(held, [("key", "_held")])
    rows = canonical[entity].anti_join(missing, [(ENTITIES[entity].key.name, "key")])
    return rows.mutate(entity=ibis.literal(entity)).select(*_SOURCE)


def _crosswalk(engine: DuckDBEngine, connection: Connection, cohort: str, folder: Path) -> ir.Table:
    """Crosswalk rows of the cohort, and all whose id was minted from another row: no rule could tell theirs."""
    columns = sql.SQL(", ").join(map(sql.Identifier, (*_CROSSWALK_TYPES, "target_id", "founder")))
    query = sql.SQL("SELECT {} FROM cutover.crosswalk WHERE cohort = {} OR NOT founder")
    copied = copy_out(connection, query.format(columns, sql.Literal(cohort)), folder / "crosswalk.csv")
    return read_csv(engine, copied, {**_CROSSWALK_TYPES, "target_id": "uuid", "founder": "boolean"})


class _Rows:
    """The cohort's rows of one table of the target."""

    def __init__(
        self, engine: DuckDBEngine, connection: Connection, plan: Plan, cohort: str, table: str, folder: Path
    ) -> None:
        self._engine, self._connection = engine, connection
        self.types = column_types(plan.target.tables[table])
        self._query = member_rows(plan.target, table, cohort, tuple(self.types))
        self._entity, self._cohort = plan.target.tables[table].entity, cohort
        self._path = folder / f"{table}.csv"

    @property
    def digested(self) -> ServerRows:
        return ServerRows(self._connection, self._query, next(iter(self.types)), self.types)

    def of(self, column: str, values: Collection[str]) -> ir.Table:
        """Rows whose column (a key or a reference) has one of these values."""
        if not values:
            schema = ibis.schema({c: engine_type(kind) for c, kind in self.types.items()})
            return self._engine.table(schema.to_pyarrow().empty_table())
        listed = sql.SQL("{}::{}[]").format(sql.Literal(sorted(values)), sql.SQL(self.types[column]))
        query = sql.SQL("SELECT * FROM ({}) t WHERE {} = ANY({})").format(
            self._query, sql.Identifier("t", column), listed
        )
        copied = copy_out(self._connection, query, self._path)
        rows = read_csv(self._engine, copied, self.types)
        self._path.unlink()
        return rows

    def loaded_as(self, keys: Collection[str]) -> Mapping[str, str]:
        """What the crosswalk says these rows were loaded as; nothing of rows it does not have."""
        query = (
            "SELECT target_id::text, row_hash FROM cutover.crosswalk WHERE cohort = %s AND entity = %s "
            "AND status = 'loaded' AND target_id = ANY(%s::uuid[])"
        )
        found = self._connection.execute(query, [self._cohort, self._entity, sorted(keys)])
        return {key: loaded or "" for key, loaded in found}


class _Ids:
    """Target ids as the crosswalk has them."""

    def __init__(self, engine: DuckDBEngine, plan: Plan, crosswalk: ir.Table) -> None:
        self._engine, self._namespace = engine, plan.file.uuid
        key = crosswalk.source_system + "." + crosswalk.source_table + ":" + crosswalk.source_id
        self._known = engine.cached(crosswalk.select("founder", entity="entity", key=key, id="target_id"))

    def expected(self, table: TargetTable, canonical: ir.Table | None) -> ir.Table:
        """The canonical rows with the target's columns, each of the type that it is read back with."""
        entity, types = ENTITIES[table.entity], column_types(table)
        if canonical is None:
            nothing = {column: engine_type(kind) for column, kind in types.items()}
            schema = ibis.schema({**nothing, "_surrogate": "string", "_bent": "boolean"})
            return self._engine.table(schema.to_pyarrow().empty_table())
        fields = {column: canonical_field(entity, name) for column, name in table.columns.items()}
        # Rows of the catalog have codes for keys; every other key and reference has become an id.
        leads = {
            column: entity.name if field.type == "key" else str(field.references)
            for column, field in fields.items()
            if types[column] == "uuid"
        }
        led = canonical
        for column, target in leads.items():
            known = self._known.filter(self._known.entity == target)
            names = {f"_key_{column}": known.key, f"_id_{column}": known.id, f"_founder_{column}": known.founder}
            led = led.left_join(known.select(**names), [(fields[column].name, f"_key_{column}")])
        values = {
            column: self._id(leads[column], led, field, column)
            if column in leads
            else led[field.name].cast(engine_type(types[column]))
            for column, field in fields.items()
        }
        place = led["source_system"] + ibis.literal(".") + led["source_table"] + ibis.literal("#")
        row = ibis.coalesce(led["source_row"].cast("string"), ibis.literal("?"))
        first = next(iter(fields))
        bent = ibis.literal(False)
        if first in leads:
            bent = (led[f"_founder_{first}"] & (led[f"_id_{first}"] != values[first])).fill_null(False)
        return self._engine.cached(led.select(**values, _surrogate=place + row, _bent=bent))

    def _id(self, entity: str, led: ir.Table, field: Field, column: str) -> ir.Value:
        """The id in the crosswalk; by the rule where there is none, and for the row's own key wherever the writing side
        has noted that it followed the rule."""
        known, ruled = led[f"_id_{column}"], led[f"_id_{column}"].isnull()
        if field.type == "key":
            ruled = ruled | led[f"_founder_{column}"]
        text = ibis.literal(f"{entity}|") + led[field.name].cast("string")
        return ruled.ifelse(self._engine.uuid5(self._namespace, text), known)
