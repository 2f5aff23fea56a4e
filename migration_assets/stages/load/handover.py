"""Rows of the target that another cohort has to answer for now: they stay there, and their record changes hands.

Without this a cohort would delete what it no longer has although another one has it now, and would do so even where
that other one is blocked: somebody would lose access to all they pay for. What is handed over is compared, changed and
removed by the cohort that has it now, when that one is loaded; one that is loaded first takes it. Customers come first
(`customers`), then what is theirs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ibis
from psycopg import sql

from migration_assets.connectors.postgres_target import copy_out, names, read_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.ownership import UNASSIGNED, owner_column
from migration_assets.stages.load.customers import HANDED, Customers, Membership
from migration_assets.stages.load.guarded import RECORD_TABLE, same_key
from migration_assets.stages.load.moves import MOVES, Moves
from migration_assets.stages.load.schema import CROSSWALK_KEY, parents_first, table_of
from migration_assets.stages.load.whereabouts import SOURCE, origins

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan, TargetSchema
    from migration_assets.stages.load.changes import Changes

_LEFT_OUT, _ARRIVED = sql.Identifier("pg_temp", "handover_left_out"), sql.Identifier("pg_temp", "handover_arrived")
_TEXT = dict.fromkeys((*CROSSWALK_KEY, "cohort", "owner_cohort"), "text")


class Handover:
    """What one load of one cohort hands over and takes over, inside its transaction."""

    def __init__(
        self,
        engine: DuckDBEngine,
        connection: Connection,
        plan: Plan,
        cohort: str,
        membership: Membership,
        folder: Path,
        changes: Changes,
    ) -> None:
        self._engine, self._connection, self._plan = engine, connection, plan
        self._cohort, self._membership, self._folder = cohort, membership, folder
        self._moves = Moves(engine, connection, folder, changes)

    @property
    def moved(self) -> int:
        """Rows of the record that changed cohort or key."""
        return self._moves.moved

    @property
    def receivers(self) -> set[str]:
        """Cohorts that were given rows of the record."""
        return self._moves.receivers

    def settle(self) -> ir.Table:
        """Give the record of every customer that came to this cohort, left it, or was in one that is no longer planned,
        and of all that is theirs, to the cohort that has them now. What is left of cohorts that are no longer planned
        becomes that of `unassigned`, so that somebody looks at it.

        Returns which customers bear an id that was minted from another key (shape.ALIASES).
        """
        aliases = Customers(self._moves, self._plan.file.uuid, self._cohort, self._membership).settle()
        self._hand_over_belongings()
        left = sql.SQL("UPDATE {} SET cohort = {} WHERE cohort <> ALL({})")
        planned = sorted({*self._membership.cohorts, UNASSIGNED})
        self._moves.keep(sql.SQL("WHERE t.cohort <> ALL({})").format(sql.Literal(planned)))
        stray = self._moves.run(left, RECORD_TABLE, sql.Literal(UNASSIGNED), sql.Literal(planned))
        if stray:
            self._moves.moved += stray
            self._moves.receivers.add(UNASSIGNED)
        if self._membership.left_out is not None and self._cohort != UNASSIGNED:
            # What belongs to nobody takes nothing: where a customer is missing by mistake, its cohort is to stop.
            self._take_over_left_out(self._membership.left_out)
        return aliases

    def arrive(self, staged: sql.Identifier) -> None:
        """Take over the record of what was made from source rows that lie in this cohort now and that it does not make
        any more: `staged` (CROSSWALK_KEY) is all it makes. It is removed with what else the cohort no longer has, and
        does not stay with a customer whose cohort is loaded later, or is refused because of it."""
        self._moves.run(sql.SQL("ANALYZE {}"), staged)
        arrived = self._moves.run(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT DISTINCT x.source_system, x.source_table, "
                "split_part(x.source_id, '/', 1) AS first FROM {} x JOIN {} s ON {} "
                "WHERE x.cohort <> {} AND x.entity <> 'customer'"
            ),
            _ARRIVED,
            RECORD_TABLE,
            staged,
            same_key("x", "s", CROSSWALK_KEY),
            sql.Literal(self._cohort),
        )
        if arrived:
            made = sql.SQL("AND NOT EXISTS (SELECT FROM {} s WHERE {})")
            self._take_over(_ARRIVED, made.format(staged, same_key("s", "x", CROSSWALK_KEY)))

    def _take_over_left_out(self, left_out: ir.Table) -> None:
        """The same for source rows that lie here and were rejected or excluded: none of what the cohort makes is of
        them. Before anything is staged: it may be all that the record has of this cohort."""
        first = left_out["source_id"].split("/")[0]
        rows = left_out.select("source_system", "source_table", first=first).distinct()
        self._moves.run(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT source_system, source_table, source_id AS first "
                "FROM {} WITH NO DATA"
            ),
            _LEFT_OUT,
            RECORD_TABLE,
        )
        if self._moves.copied(_LEFT_OUT, ("source_system", "source_table", "first"), rows):
            self._take_over(_LEFT_OUT, sql.SQL(""))

    def _take_over(self, origins_here: sql.Identifier, but: sql.Composable) -> None:
        """Take over recorded rows of other cohorts that were made from these source rows, where they lie here now.

        `origins_here`: source_system, source_table, and the first part of the source id, which is that of the row
        itself and of all that is derived from it.
        """
        self._moves.run(sql.SQL("ANALYZE {}"), origins_here)
        query = sql.SQL(
            "SELECT {}, x.cohort, NULL::text FROM {} x JOIN {} a ON x.source_system = a.source_system "
            "AND x.source_table = a.source_table AND split_part(x.source_id, '/', 1) = a.first "
            "WHERE x.cohort <> {} AND x.entity <> 'customer' {}"
        )
        key = names(CROSSWALK_KEY, "x")
        self._moves.move(self._placed(query.format(key, RECORD_TABLE, origins_here, sql.Literal(self._cohort), but)))

    def leave(self, gone: sql.Identifier) -> None:
        """Take out of `gone` (entity, source_system, source_table, source_id, target_id: rows of this cohort's record
        that it no longer has) what another cohort has now, and give it the record."""
        query = sql.SQL("SELECT {}, {}, NULL::text FROM {}").format(
            names(CROSSWALK_KEY), sql.Literal(self._cohort), gone
        )
        self._moves.move(self._placed(query))
        self._moves.run(sql.SQL("DELETE FROM {} g USING {} m WHERE {}"), gone, MOVES, same_key("g", "m", CROSSWALK_KEY))

    def _hand_over_belongings(self) -> None:
        """Move the record of what leads, in the target, to the customers that were moved: to where its own source row
        is now, or else along with its owner."""
        moved = self._connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(HANDED)).fetchone()
        if moved is None or not moved[0]:
            return
        schema = self._plan.target
        for name, table in parents_first(schema):
            owner = owner_column(schema, name)
            recorded = ENTITIES[table.entity].origin != "catalog" and table_of(schema, table.entity) == name
            if table.entity != "customer" and recorded and owner is not None:
                self._connection.execute(_belongings(schema, name, owner))
        query = sql.SQL(
            "SELECT {}, x.cohort, max(h.cohort) FROM {} x JOIN {} h USING (target_id, entity) "
            "WHERE x.entity <> 'customer' AND x.status = 'loaded' GROUP BY {}, x.cohort"
        ).format(names(CROSSWALK_KEY, "x"), RECORD_TABLE, HANDED, names(CROSSWALK_KEY, "x"))
        self._moves.move(self._placed(query))

    def _placed(self, query: sql.Composable) -> ir.Table:
        """Where recorded rows belong now, for those that belong elsewhere: CROSSWALK_KEY and `cohort`.

        `query` gives CROSSWALK_KEY, the cohort they are recorded for, and that of their owner: it decides where the
        source has no such row any more.
        """
        copied = copy_out(self._connection, query, self._folder / "placed.csv")
        rows = read_csv(self._engine, copied, {c: _TEXT[c] for c in (*CROSSWALK_KEY, "cohort", "owner_cohort")})
        led = rows.left_join(origins(self._engine, rows, self._membership.whereabouts), list(SOURCE))
        now = ibis.coalesce(led["found"], led["owner_cohort"], led["cohort"])
        kept = led.select(*CROSSWALK_KEY, "cohort", now=now)
        between = (kept["now"] == self._cohort) | (kept["cohort"] == self._cohort)
        stray = kept["cohort"].notin(sorted({*self._membership.cohorts, UNASSIGNED}))
        return kept.filter((kept["now"] != kept["cohort"]) & (between | stray)).select(*CROSSWALK_KEY, cohort="now")


def _belongings(schema: TargetSchema, name: str, owner: tuple[str, str]) -> sql.Composed:
    """Rows of a table that belong to what is handed over already; parents come first."""
    table = schema.tables[name]
    return sql.SQL(
        "INSERT INTO {handed} SELECT t.{key}, {entity}, h.cohort FROM {target} t JOIN {handed} h "
        "ON h.target_id = t.{owner} AND h.entity = {parent}"
    ).format(
        handed=HANDED,
        key=sql.Identifier(next(iter(table.columns))),
        entity=sql.Literal(table.entity),
        target=sql.Identifier(schema.schema_name, name),
        owner=sql.Identifier(owner[0]),
        parent=sql.Literal(owner[1]),
    )
