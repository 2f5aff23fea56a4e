"""What the target holds of a cohort now, read back as canonical rows, so that bills and access are told from it.

Nothing that shaped or loaded the rows is asked: a row that another hand put there counts, and one that is gone does
not. Keys are the target's ids. Only customers get the key that who-is-who gives them, by which both sides are compared;
legal entities, entitlements and credit balances that of their source row: the first are told by it, of two entitlements
that differ past a limit the lower key counts, and of two credits that expire together it is drawn first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
from psycopg import sql

from migration_assets.connectors.postgres_target import copy_out, read_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.held_folder import HeldFolder
from migration_assets.engine.schema import schema_of
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.schema import column_types, role_names
from migration_assets.stages.reconcile.membership import member_rows
from migration_assets.stages.shadow.forecast import Origins

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection, PostgresTarget
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.models import Plan

# What bills and access are made from; prices and plans are everybody's.
READ = (
    "plan", "price", "price_tier", "subscription", "subscription_item", "discount", "scheduled_change", "usage_balance",
    "entitlement", "credit_balance",
)  # fmt: skip
_CROSSWALK = {"entity": "text", "source_system": "text", "source_table": "text", "source_id": "text", "id": "uuid"}
_LED = ("customer", "subscription", "subscription_item", "entitlement", "credit_balance", "legal_entity")
# Those that only rows of their own cohort name, and those whose source rows are told (`ReadBack.keys`).
_OF_COHORT = ("invoice", "seat_assignment", "contact")
_KEYED = ("subscription", "subscription_item", *_OF_COHORT)
_CUSTOMERS = ("customer_id", "payer_id")
# Columns that hold the key of a source row, by the entity whose it is.
_NAMED = {
    "entitlement": "entitlement_id",
    "credit_balance": "credit_balance_id",
    "legal_entity": "legal_entity_id",
}


@dataclass(frozen=True)
class ReadBack:
    """`rows`: canonical rows by entity, of those that the target has a table for. `origins`: which contracts and items
    of the old system they came from. `keys`: id and key (`system.table:id`) of the source row, by entity, of contracts,
    items, and of invoices, seats and contacts of the cohort."""

    rows: Mapping[str, ir.Table]
    origins: Origins
    keys: Mapping[str, ir.Table]


def read_back(
    engine: DuckDBEngine,
    target: PostgresTarget,
    plan: Plan,
    legacy: LegacyBilling,
    cohort: str,
    identities: ir.Table,
    work_folder: Path | None = None,
    also: Collection[str] = (),
) -> ReadBack:
    """All in one snapshot of the target. `identities`: customer_id (key), identity_id, of every customer row. `also`:
    entities beside those of bills and access."""
    with (
        HeldFolder(work_folder) as folder,
        # Readers do not see hidden cohorts, the writer does; it cannot write here either.
        target.transaction(role=role_names(plan)["writer"], read_only=True) as connection,
    ):
        crosswalk = _crosswalk(engine, connection, cohort, folder)
        wanted = dict.fromkeys((*READ, *also))
        rows = {e: found for e in wanted if (found := _rows(engine, connection, plan, e, cohort, folder)) is not None}
    named = _customers(engine, crosswalk, identities)
    known = [(column, named) for column in _CUSTOMERS]
    known += [(column, _keys(crosswalk, entity)) for entity, column in _NAMED.items()]
    told = rows
    for column, keys in known:
        told = {
            e: engine.cached(_told(found, keys, column)) if column in found.columns else found
            for e, found in told.items()
        }
    return ReadBack(
        told,
        Origins(
            _origin(crosswalk, "subscription", legacy.reads["contracts"].table),
            _origin(crosswalk, "subscription_item", legacy.reads["items"].table),
        ),
        {e: engine.cached(_keys(crosswalk, e).rename(id="_id", key="_key")) for e in _KEYED},
    )


def _rows(
    engine: DuckDBEngine, connection: Connection, plan: Plan, entity: str, cohort: str, folder: Path
) -> ir.Table | None:
    """Rows of all tables of an entity, with every canonical column; None where the target has no table for it."""
    tables = [(name, declared) for name, declared in plan.target.tables.items() if declared.entity == entity]
    found: list[ir.Table] = []
    for name, declared in tables:
        path, types = folder / f"{name}.csv", column_types(declared)
        whose = UNASSIGNED if ENTITIES[entity].origin == "catalog" else cohort
        copied = copy_out(connection, member_rows(plan.target, name, whose, tuple(types)), path)
        fields = {field: column for column, field in declared.columns.items()}
        held = read_csv(engine, copied, types)
        path.unlink()
        found.append(
            held.select(**{n: _as(held, fields.get(n), t) for n, t in schema_of(ENTITIES[entity].fields).items()})
        )
    return engine.cached(engine.union(found)) if found else None


def _as(held: ir.Table, column: str | None, kind: object) -> ir.Value:
    """A column of the target as the canonical type; nothing where the target does not keep it."""
    return ibis.null(kind) if column is None else held[column].cast(kind)


def _crosswalk(engine: DuckDBEngine, connection: Connection, cohort: str, folder: Path) -> ir.Table:
    """Which row of the target each row of the source became, of what bills, access and terms are named by: entity, key
    (`system.table:id`), table, source_id, id."""
    query = sql.SQL(
        "SELECT entity, source_system, source_table, source_id, target_id FROM cutover.crosswalk "
        "WHERE entity IN ({}) OR (cohort = {} AND entity IN ({}))"
    ).format(
        sql.SQL(", ").join(map(sql.Literal, _LED)),
        sql.Literal(cohort),
        sql.SQL(", ").join(map(sql.Literal, _OF_COHORT)),
    )
    rows = read_csv(engine, copy_out(connection, query, folder / "crosswalk.csv"), _CROSSWALK)
    table = rows["source_system"] + "." + rows["source_table"]
    key = table + ":" + rows["source_id"]
    return engine.cached(rows.select("entity", "source_id", key=key, table=table, id=rows["id"].cast("string")))


def _customers(engine: DuckDBEngine, crosswalk: ir.Table, identities: ir.Table) -> ir.Table:
    """_id (key) of each customer of the target, and _key: the one that who-is-who gives it."""
    customers = crosswalk.filter(crosswalk["entity"] == "customer")
    known = customers.join(identities, customers["key"] == identities["customer_id"])
    return engine.cached(known.group_by(_id="id").aggregate(_key=known["identity_id"].min()))


def _keys(crosswalk: ir.Table, entity: str) -> ir.Table:
    """_id (key) of each row of an entity, and _key: that of the source row it came from."""
    own = crosswalk.filter(crosswalk["entity"] == entity)
    return own.group_by(_id="id").aggregate(_key=own["key"].min())


def _told(rows: ir.Table, named: ir.Table, column: str) -> ir.Table:
    """Rows with a key instead of an id of the target; what nobody knows keeps its id."""
    met = rows.left_join(named, rows[column] == named["_id"])
    return met.mutate(**{column: met["_key"].coalesce(met[column])}).select(*rows.columns)


def _origin(crosswalk: ir.Table, entity: str, table: str) -> ir.Table:
    own = crosswalk.filter((crosswalk["entity"] == entity) & (crosswalk["table"] == table))
    return own.select("id", "source_id")
