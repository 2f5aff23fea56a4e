"""Writes rows of the target back: what was removed comes first, what was never there goes last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.connectors.postgres_target import names
from migration_assets.connectors.row_digests import server_digest
from migration_assets.stages.load.schema import CROSSWALK, HASH_FORM, PRE_IMAGE, column_types
from migration_assets.stages.rollback.rows import ROWS

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.place import Place


def write_rows(connection: Connection, place: Place) -> None:
    """Parents first what returns and what is restored, children first what goes."""
    for table in place.tables:
        connection.execute(_insert(place, table))
        if not place.coded(table):
            connection.execute(_follow(place, table))
        connection.execute(_update(place, table, _columns(connection, place, table)))
    for table in reversed(place.tables):
        connection.execute(
            sql.SQL(
                "DELETE FROM {} t USING {} r WHERE r.table_name = {} AND r.fate = 'goes' AND t.{} = r.key::{}"
            ).format(place.table(table), ROWS, sql.Literal(table), place.key(table), place.kind(table))
        )


def _images(place: Place, table: str, fate: str) -> sql.Composed:
    """FROM and WHERE of the rows `b` of that fate, as they were before the first of the loads touched them."""
    return sql.SQL(
        "FROM {rows} r JOIN {images} p ON p.load_id = r.first AND p.table_name = r.table_name AND p.target_id = r.key "
        "CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, p.row) b "
        "WHERE r.table_name = {name} AND r.fate = {fate}"
    ).format(
        rows=ROWS,
        images=place.own(PRE_IMAGE),
        table=place.table(table),
        name=sql.Literal(table),
        fate=sql.Literal(fate),
    )


def _insert(place: Place, table: str) -> sql.Composed:
    return sql.SQL("INSERT INTO {} SELECT b.* {}").format(place.table(table), _images(place, table, "returns"))


def _update(place: Place, table: str, columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("UPDATE {} t SET ({}) = ROW({}) {} AND t.{} = b.{}").format(
        place.table(table),
        names(columns),
        names(columns, "b"),
        _images(place, table, "restored"),
        place.key(table),
        place.key(table),
    )


def _follow(place: Place, table: str) -> sql.Composed:
    """Let the record know what rows of others become whose references are led back, where it knew them as they are."""
    types = column_types(place.schema.tables[table])
    return sql.SQL(
        "UPDATE {record} x SET row_hash = {form} || f.new FROM (SELECT b.{key} AS id, b.digest AS new, {now} AS now "
        "FROM (SELECT b.*, {new} AS digest {images} AND r.led) b JOIN {table} t ON t.{key} = b.{key}) f "
        "WHERE x.entity = {entity} AND x.status = 'loaded' AND x.target_id = f.id AND x.row_hash = {form} || f.now"
    ).format(
        record=place.own(CROSSWALK),
        form=sql.Literal(HASH_FORM),
        key=place.key(table),
        now=server_digest("t", types),
        new=server_digest("b", types),
        images=_images(place, table, "restored"),
        table=place.table(table),
        entity=sql.Literal(place.entity(table)),
    )


def _columns(connection: Connection, place: Place, table: str) -> tuple[str, ...]:
    """All columns of the table that can be written, those among them that the plan does not name."""
    found = connection.execute(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = format('%%I.%%I', %s::text, %s::text)::regclass "
        "AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [place.target, table],
    )
    return tuple(name for (name,) in found.fetchall())
