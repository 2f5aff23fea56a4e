"""What the new system did for customers of some cohorts since they were loaded: rows that no load brought, read from
the tables that the plan has, as the statement (`domain.after_rollback`) takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.domain.after_rollback import Document, Kind, Statement, Usage, statement
from migration_assets.plan.ownership import owner_column
from migration_assets.stages.load.schema import CROSSWALK, key_column, table_of

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.place import Place

# Entities of which documents are made, and the field of the amount.
_DOCUMENTS: dict[Kind, str] = {
    "invoice": "total_minor",
    "credit_memo": "amount_minor",
    "payment": "amount_minor",
    "refund": "amount_minor",
    "write_off": "amount_minor",
}


def done_since(connection: Connection, place: Place, cohorts: tuple[str, ...]) -> Statement:
    """The statement for these cohorts, as the target is now. Customers and contracts go by their source rows."""
    documents = [d for kind, amount in _DOCUMENTS.items() for d in _documents(connection, place, cohorts, kind, amount)]
    usage = _usage(connection, place, cohorts)
    told = {*_DOCUMENTS, "usage_event"}
    others = {}
    for table in place.tables:
        chain = None if place.coded(table) or place.entity(table) in told else _new_rows(place, table, cohorts)
        if chain is not None:
            row = connection.execute(sql.SQL("SELECT count(*) {}").format(chain)).fetchone()
            others[table] = int(row[0]) if row else 0
    return statement(documents, usage, others)


def _documents(
    connection: Connection, place: Place, cohorts: tuple[str, ...], kind: Kind, amount: str
) -> list[Document]:
    table = table_of(place.schema, kind)
    columns = _columns(place, table, ("currency", amount))
    chain = None if table is None or columns is None else _new_rows(place, table, cohorts)
    if table is None or columns is None or chain is None:
        return []
    status = _columns(place, table, ("status",))
    state = sql.SQL("''") if status is None else sql.SQL("t.{}").format(*status)
    query = sql.SQL("SELECT {}, {}, t.{}, t.{} {} ORDER BY 1").format(_SOURCE, state, *columns, chain)
    return [Document(c, kind, s, currency, int(n)) for c, s, currency, n in connection.execute(query).fetchall()]


def _usage(connection: Connection, place: Place, cohorts: tuple[str, ...]) -> list[Usage]:
    table = table_of(place.schema, "usage_event")
    columns = _columns(place, table, ("subscription_id", "feature_code", "units", "occurred_at"))
    chain = None if table is None or columns is None else _new_rows(place, table, cohorts)
    if columns is None or chain is None:
        return []
    contract = sql.SQL(
        "coalesce((SELECT source_system || '.' || source_table || ':' || source_id FROM {} s "
        "WHERE s.entity = 'subscription' AND s.status = 'loaded' AND s.target_id = t.{}), t.{}::text)"
    ).format(place.own(CROSSWALK), columns[0], columns[0])
    query = sql.SQL("SELECT {}, {}, t.{}, t.{}, t.{} {} ORDER BY 1, 2").format(_SOURCE, contract, *columns[1:], chain)
    return [Usage(*row) for row in connection.execute(query).fetchall()]


_SOURCE = sql.SQL("x.source_system || '.' || x.source_table || ':' || x.source_id")


def _columns(place: Place, table: str | None, fields: tuple[str, ...]) -> tuple[sql.Identifier, ...] | None:
    """The table's columns that hold these fields; None where it lacks one."""
    if table is None:
        return None
    names = {field: column for column, field in place.schema.tables[table].columns.items()}
    return tuple(sql.Identifier(names[f]) for f in fields) if all(f in names for f in fields) else None


def _new_rows(place: Place, table: str, cohorts: tuple[str, ...]) -> sql.Composed | None:
    """FROM and WHERE of the rows `t` of the table that no load brought and whose customer (`x`, in the record) is of
    these cohorts, over parents if need be; None for a table whose rows are nobody's."""
    joins: list[sql.Composed] = []
    here, alias = table, "t"
    while place.entity(here) != "customer":
        owner = owner_column(place.schema, here)
        parent = table_of(place.schema, owner[1]) if owner else None
        if owner is None or parent is None or place.coded(parent):
            return None
        above = f"p{len(joins)}"
        joins.append(
            sql.SQL("JOIN {} {} ON {} = {}").format(
                place.table(parent),
                sql.Identifier(above),
                sql.Identifier(above, key_column(place.schema.tables[parent])),
                sql.Identifier(alias, owner[0]),
            )
        )
        here, alias = parent, above
    if not joins:
        return None
    return sql.SQL(
        "FROM {table} t {joins} JOIN {record} x ON x.entity = 'customer' AND x.status = 'loaded' "
        "AND x.target_id = {customer} WHERE x.cohort = ANY({cohorts}) AND NOT EXISTS (SELECT FROM {record} k "
        "WHERE k.entity = {entity} AND k.status = 'loaded' AND k.target_id = t.{key})"
    ).format(
        table=place.table(table),
        joins=sql.SQL(" ").join(joins),
        record=place.own(CROSSWALK),
        customer=sql.Identifier(alias, key_column(place.schema.tables[here])),
        cohorts=sql.Literal(list(cohorts)),
        entity=sql.Literal(place.entity(table)),
        key=place.key(table),
    )
