"""What stands in the way of a rollback: rows of other cohorts that point at what would go, and what others changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.schema import CROSSWALK, LEDGER, PRE_IMAGE, references_to, table_of
from migration_assets.stages.rollback.rows import ROWS, WRITTEN, later_cohorts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.stages.rollback.loads import Chosen
    from migration_assets.stages.rollback.place import Place


@dataclass(frozen=True)
class Foreign:
    """A row that somebody else changed or removed since, or that rows point at which no load brought.

    `source`: `system.table:id` of the row it was made from, empty for the catalog; personal data is in neither, but the
    list goes to a private file all the same.
    """

    table: str
    key: str
    source: str
    what: str


class ChangedSince(TargetRefused):
    """Somebody else changed rows since they were loaded, and the plan says that this stops a rollback."""

    def __init__(self, rows: tuple[Foreign, ...]) -> None:
        self.rows = rows
        counts = Counter((r.table, r.what) for r in rows)
        told = ", ".join(f"{n} of {table} {what}" for (table, what), n in sorted(counts.items()))
        super().__init__(
            f"rows are not what the loads left: {told}; nothing was written",
            "Look at the list of them; bring them back to what was loaded, or say "
            "`rollback: {changed_since: preserve}` in plan.yaml, which leaves them in the target.",
        )


def refuse_what_others_need(connection: Connection, place: Place, chosen: Chosen, record: sql.Identifier) -> None:
    """TargetRefused when rows of other cohorts point at rows that would go, or were written over what would come back:
    names the cohorts, in the order in which they have to be taken back."""
    found = Counter(later_cohorts(connection, place))
    for parent, child, column in _references(place):
        query = _standing_on(place, chosen, parent, child, column)
        if not place.coded(child):
            found.update({cohort: int(n) for cohort, n in connection.execute(query).fetchall()})
            query = _led_astray(place, chosen, parent, child, column, record)
            found.update({cohort: int(n) for cohort, n in connection.execute(query).fetchall()})
    found = Counter({cohort: n for cohort, n in found.items() if cohort in chosen.standing})
    if not found:
        return
    order = sorted(found, key=lambda c: (-chosen.standing.get(c, 0), c))
    told = ", ".join(f"{cohort} ({found[cohort]} rows)" for cohort in order)
    steps = " then ".join(f"`cutover rollback --cohort {c}`" for c in (*order, *chosen.cohorts[:1]))
    together = " ".join(f"--cohort {c}" for c in (*order, *chosen.cohorts))
    raise TargetRefused(
        f"other cohorts stand on what {', '.join(chosen.cohorts)} brought: {told}; nothing was written",
        f"Take them back first, in this order: {steps}; or all at once: `cutover rollback {together}`.",
    )


def mark_needed(connection: Connection, place: Place) -> None:
    """Give the fate `needed` to rows that would go although rows that no load brought point at them."""
    for parent, child, column in _references(place):
        pointing = _pointing(place, parent, child, column) + sql.SQL(" AND x.cohort IS NULL AND o.key IS NULL")
        connection.execute(_let_be(parent, "needed", pointing))


def preserve(connection: Connection, place: Place) -> None:
    """Leave what others changed as it is, and with it whatever that points at."""
    connection.execute(sql.SQL("UPDATE {} SET fate = 'kept' WHERE fate IN ('changed', 'needed')").format(ROWS))
    kept = sql.SQL(" AND o.fate = 'kept'")
    steps = [_let_be(parent, "kept", _pointing(place, parent, *child) + kept) for parent, *child in _references(place)]
    while sum(connection.execute(step).rowcount for step in steps):
        pass


def foreign_rows(connection: Connection, place: Place) -> tuple[Foreign, ...]:
    """Rows that are `changed` or `needed`, by table and key."""
    query = sql.SQL(
        "SELECT r.table_name, r.key, coalesce(x.source_system || '.' || x.source_table || ':' || x.source_id, ''), "
        "CASE WHEN r.fate = 'needed' THEN 'needed by rows that no load brought' "
        "WHEN r.now IS NULL THEN 'removed by somebody else' ELSE 'changed by somebody else' END "
        "FROM {} r LEFT JOIN {} x ON x.entity = r.entity AND x.status = 'loaded' AND x.target_id::text = r.key "
        "WHERE r.fate IN ('changed', 'needed') ORDER BY 1, 2"
    ).format(ROWS, place.own(CROSSWALK))
    return tuple(Foreign(*row) for row in connection.execute(query).fetchall())


def by_fate(connection: Connection) -> Mapping[str, Counter[str]]:
    """Table -> fate -> rows."""
    found: dict[str, Counter[str]] = {}
    query = sql.SQL("SELECT table_name, fate, count(*) FROM {} GROUP BY 1, 2").format(ROWS)
    for table, fate, count in connection.execute(query).fetchall():
        found.setdefault(table, Counter())[fate] = int(count)
    return found


def _references(place: Place) -> Iterator[tuple[str, str, str]]:
    """(table, table that points at it, the column): parents first, and only what leads to the table itself."""
    for parent in place.tables:
        if table_of(place.schema, place.entity(parent)) == parent:
            yield from ((parent, child, column) for child, column in references_to(place.schema, place.entity(parent)))


def _pointing(place: Place, parent: str, child: str, column: str) -> sql.Composed:
    """FROM and WHERE of rows `c` that stay and point at rows `g` that would go; `x` is their place in the record."""
    whose = sql.SQL("LEFT JOIN {} x ON x.entity = {} AND x.status = 'loaded' AND x.target_id = c.{}").format(
        place.own(CROSSWALK), sql.Literal(place.entity(child)), place.key(child)
    )
    nobody = sql.SQL("LEFT JOIN (SELECT NULL::text AS cohort, NULL::bigint AS load_id) x ON false")
    return sql.SQL(
        "FROM {rows} g JOIN {child} c ON c.{column} = g.key::{kind} {whose} "
        "LEFT JOIN {rows} o ON o.table_name = {name} AND o.key = c.{key}::text "
        "WHERE g.table_name = {parent} AND g.fate = 'goes' AND (o.fate IS NULL OR o.fate <> ALL({written}))"
    ).format(
        rows=ROWS,
        child=place.table(child),
        column=sql.Identifier(column),
        kind=place.kind(parent),
        whose=nobody if place.coded(child) else whose,
        name=sql.Literal(child),
        key=place.key(child),
        parent=sql.Literal(parent),
        written=sql.Literal(list(WRITTEN)),
    )


def _standing_on(place: Place, chosen: Chosen, parent: str, child: str, column: str) -> sql.Composed:
    """Rows that stay and point at rows that would go, by the cohort that has them, or else by the one that brought them
    before these cohorts got them."""
    return sql.SQL(
        "SELECT a.cohort, count(*) FROM (SELECT CASE WHEN x.cohort = ANY({standing}) THEN x.cohort WHEN o.key IS NULL "
        "THEN (SELECT min(l.cohort) FROM {ledger} l WHERE l.load_id = x.load_id) END AS cohort {pointing}) a "
        "WHERE a.cohort = ANY({standing}) GROUP BY 1"
    ).format(
        standing=sql.Literal(sorted(chosen.standing)),
        ledger=place.own(LEDGER),
        pointing=_pointing(place, parent, child, column),
    )


def _let_be(parent: str, fate: str, pointing: sql.Composed) -> sql.Composed:
    return sql.SQL("UPDATE {} r SET fate = {} WHERE r.table_name = {} AND r.key IN (SELECT g.key {})").format(
        ROWS, sql.Literal(fate), sql.Literal(parent), pointing
    )


def _led_astray(
    place: Place, chosen: Chosen, parent: str, child: str, column: str, record: sql.Identifier
) -> sql.Composed:
    """Rows that would come back and name one that is not there then, by the cohort that has them or would have them."""
    return sql.SQL(
        "SELECT CASE WHEN r.owner = ANY({standing}) THEN r.owner ELSE b.image ->> 'cohort' END, count(*) "
        "FROM {rows} r JOIN {images} p ON p.load_id = r.first "
        "AND p.table_name = r.table_name AND p.target_id = r.key "
        "LEFT JOIN {record} b ON b.image ->> 'entity' = r.entity AND b.image ->> 'target_id' = r.key "
        "LEFT JOIN {rows} g ON g.table_name = {parent} AND g.key = p.row ->> {column} "
        "LEFT JOIN {target} t ON t.{key} = (p.row ->> {column})::{kind} "
        "WHERE r.table_name = {child} AND r.fate IN ('restored', 'returns') AND p.row ->> {column} IS NOT NULL "
        "AND CASE WHEN t.{key} IS NULL THEN g.fate IS DISTINCT FROM 'returns' ELSE coalesce(g.fate, '') = 'goes' END "
        "GROUP BY 1"
    ).format(
        standing=sql.Literal(sorted(chosen.standing)),
        rows=ROWS,
        images=place.own(PRE_IMAGE),
        record=record,
        parent=sql.Literal(parent),
        column=sql.Literal(column),
        target=place.table(parent),
        key=place.key(parent),
        kind=place.kind(parent),
        child=sql.Literal(child),
    )
