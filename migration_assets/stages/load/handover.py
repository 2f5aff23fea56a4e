"""Rows of the target that another cohort has to answer for now: they stay there, and their record changes hands.

Without this a cohort would delete what it no longer has although another one has it now, and would do so even where
that other one is blocked: somebody would lose access to all they pay for. What is handed over is compared, changed and
removed by the cohort that has it now, when that one is loaded. Who bears which id is decided in `bearers`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from psycopg import sql

from migration_assets.connectors.postgres_target import copy_in, copy_out, names, read_csv, write_csv
from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.ownership import UNASSIGNED, owner_column
from migration_assets.stages.load.bearers import Change, Recorded, bearers, changes
from migration_assets.stages.load.guarded import same_key
from migration_assets.stages.load.schema import (
    CROSSWALK,
    CROSSWALK_KEY,
    RECORD_SCHEMA,
    parents_first,
    table_of,
)
from migration_assets.stages.load.shape import ALIASES, Shaper, source_of
from migration_assets.stages.load.whereabouts import SOURCE, Whereabouts, origins

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan, TargetSchema

_RECORD = sql.Identifier(RECORD_SCHEMA, CROSSWALK)
_MEMBERS, _HANDED = sql.Identifier("pg_temp", "handover_members"), sql.Identifier("pg_temp", "handover_handed")
_MOVES = sql.Identifier("pg_temp", "handover_moves")
_LEFT_OUT, _ARRIVED = sql.Identifier("pg_temp", "handover_left_out"), sql.Identifier("pg_temp", "handover_arrived")
_TEXT = dict.fromkeys((*CROSSWALK_KEY, "cohort", "owner_cohort"), "text")


@dataclass(frozen=True)
class Membership:
    """Who is in which cohort now. `members`: customer_id (canonical key), identity_id, cohort; `cohorts`: all that the
    plan knows; `whereabouts`: in which cohort each source row lies; `left_out`: CROSSWALK_KEY of source rows of the
    cohort that is loaded which were rejected or excluded, under the entity they are accounted for by."""

    members: ir.Table
    cohorts: frozenset[str]
    whereabouts: Whereabouts
    left_out: ir.Table | None = None


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
    ) -> None:
        self._engine, self._connection, self._plan = engine, connection, plan
        self._cohort, self._membership, self._folder = cohort, membership, folder
        self.moved = 0

    def settle(self) -> ir.Table:
        """Give the record of every customer that came to this cohort, left it, or was in one that is no longer planned,
        and of all that is theirs, to the cohort that has them now. What is left of cohorts that are no longer planned
        becomes that of `unassigned`, so that somebody looks at it.

        Returns which customers bear an id that was minted from another key (shape.ALIASES).
        """
        self._place_members()
        recorded, returned = self._open_questions()
        borne = bearers(recorded, self._minted, returned)
        self._hand_over_customers(recorded, borne)
        self._hand_over_belongings()
        left = sql.SQL("UPDATE {} SET cohort = {} WHERE cohort <> ALL({})")
        planned = sorted({*self._membership.cohorts, UNASSIGNED})
        self.moved += self._run(left, _RECORD, sql.Literal(UNASSIGNED), sql.Literal(planned))
        others = [(i, t) for i, t in sorted(borne.items()) if t != self._minted(i)]
        return self._engine.table(
            pa.table(
                {
                    "entity": pa.array(["customer"] * len(others), pa.string()),
                    "key": pa.array([identity for identity, _ in others], pa.string()),
                    "target_id": pa.array([target_id for _, target_id in others], pa.string()),
                },
                schema=ALIASES.to_pyarrow(),
            )
        )

    def arrive(self, staged: sql.Identifier) -> None:
        """Take over the record of what was made from source rows that lie in this cohort now and that it does not make
        any more: `staged` (CROSSWALK_KEY) is all it makes. It is removed with what else the cohort no longer has, and
        does not stay with a customer whose cohort is loaded later, or is refused because of it."""
        left_out, path = self._membership.left_out, self._folder / "left_out.csv"
        self._run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"),
            _LEFT_OUT,
            names(CROSSWALK_KEY),
            _RECORD,
        )
        if left_out is not None:
            write_csv(self._engine, left_out.select(*CROSSWALK_KEY), path)
            copy_in(self._connection, _LEFT_OUT, CROSSWALK_KEY, path)
        # The first part of a source id is that of the row itself, and of all that is derived from it.
        arrived = self._run(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT DISTINCT x.source_system, x.source_table, "
                "split_part(x.source_id, '/', 1) AS first FROM {} x "
                "JOIN (SELECT {key} FROM {} UNION ALL SELECT {key} FROM {}) s ON {} "
                "WHERE x.cohort <> {} AND x.entity <> 'customer'"
            ),
            _ARRIVED,
            _RECORD,
            staged,
            _LEFT_OUT,
            same_key("x", "s", CROSSWALK_KEY),
            sql.Literal(self._cohort),
            key=names(CROSSWALK_KEY),
        )
        if arrived:
            query = sql.SQL(
                "SELECT {}, x.cohort, NULL::text FROM {} x JOIN {} a ON x.source_system = a.source_system "
                "AND x.source_table = a.source_table AND split_part(x.source_id, '/', 1) = a.first "
                "WHERE x.cohort <> {} AND x.entity <> 'customer' AND NOT EXISTS (SELECT FROM {} s WHERE {})"
            ).format(
                names(CROSSWALK_KEY, "x"),
                _RECORD,
                _ARRIVED,
                sql.Literal(self._cohort),
                staged,
                same_key("s", "x", CROSSWALK_KEY),
            )
            self._move(self._placed(query))

    def leave(self, gone: sql.Identifier) -> None:
        """Take out of `gone` (entity, source_system, source_table, source_id, target_id: rows of this cohort's record
        that it no longer has) what another cohort has now, and give it the record."""
        query = sql.SQL("SELECT {}, {}, NULL::text FROM {}").format(
            names(CROSSWALK_KEY), sql.Literal(self._cohort), gone
        )
        self._move(self._placed(query))
        self._run(sql.SQL("DELETE FROM {} g USING {} m WHERE {}"), gone, _MOVES, same_key("g", "m", CROSSWALK_KEY))

    def _run(self, statement: sql.SQL, *parts: sql.Composable, **named: sql.Composable) -> int:
        return self._connection.execute(statement.format(*parts, **named)).rowcount

    def _minted(self, key: str) -> str:
        return str(uuid.uuid5(self._plan.file.uuid, f"customer|{key}"))

    # --- customers ---

    def _place_members(self) -> None:
        """Every customer row of the source: its key in parts, the identity where that is another row, its cohort."""
        members, path = self._membership.members, self._folder / "members.csv"
        parts = {c: v for c, v in source_of("customer", members["customer_id"]).items() if c in SOURCE}
        identity = members["identity_id"].nullif(members["customer_id"])
        placed = members.select(
            **parts, identity=identity, cohort=ibis.coalesce(members["cohort"], ibis.literal(UNASSIGNED))
        )
        write_csv(self._engine, placed, path)
        self._run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, ''::text AS identity, cohort FROM {} LIMIT 0"),
            _MEMBERS,
            names(SOURCE),
            _RECORD,
        )
        copy_in(self._connection, _MEMBERS, (*SOURCE, "identity", "cohort"), path)
        # Just made, it has no statistics.
        self._run(sql.SQL("ANALYZE {}"), _MEMBERS)

    def _open_questions(self) -> tuple[list[Recorded], Mapping[str, str]]:
        """Recorded rows of every id for which it has to be decided who bears it, with the own rows of all who could;
        and which of these ids were minted from rows that are back (`_returned`)."""
        asked: set[str] = set()
        while True:
            recorded = self._recorded(asked)
            returned = self._returned(recorded)
            missing = set(returned.values()) - {row.key for row in recorded} - asked
            if not missing:
                return recorded, returned
            asked |= missing

    def _recorded(self, asked: Collection[str]) -> list[Recorded]:
        """Recorded rows of every id that stood for several rows, or whose own row is merged now or no longer in the
        source, or is that of one of the customers asked for. And the own rows of the customers that could bear one."""
        query = sql.SQL(
            "WITH led AS MATERIALIZED (SELECT x.source_system || '.' || x.source_table || ':' || x.source_id AS key, "
            "x.target_id, x.status, x.founder, x.cohort, m.identity, m.cohort AS cohort_now "
            "FROM {record} x LEFT JOIN {members} m USING (source_system, source_table, source_id) "
            "WHERE x.entity = 'customer'), "
            "several AS MATERIALIZED (SELECT target_id FROM led WHERE NOT founder OR identity IS NOT NULL "
            "OR cohort_now IS NULL OR key = ANY({asked})), "
            # Two sets and not one condition with OR, which would be tried row by row.
            "wanted AS (SELECT key FROM led WHERE target_id IN (SELECT target_id FROM several) UNION "
            "SELECT identity FROM led WHERE identity IS NOT NULL AND target_id IN (SELECT target_id FROM several)) "
            "SELECT key, target_id, status = 'loaded', cohort, coalesce(identity, key), cohort_now FROM led "
            "WHERE key IN (SELECT key FROM wanted) ORDER BY key"
        )
        rows = self._connection.execute(
            query.format(record=_RECORD, members=_MEMBERS, asked=sql.Literal(sorted(asked)))
        ).fetchall()
        return [
            Recorded(key, str(target_id), loaded, cohort, None if now is None else identity, now)
            for key, target_id, loaded, cohort, identity, now in rows
        ]

    def _returned(self, recorded: list[Recorded]) -> Mapping[str, str]:
        """Target id -> identity of the source row it was minted from, where no recorded row says so."""
        founded = {r.target_id for r in recorded if r.identity is not None and r.target_id == self._minted(r.key)}
        orphaned = sorted({r.target_id for r in recorded} - founded)
        if not orphaned:
            return {}
        members = self._membership.members.select("customer_id", "identity_id")
        keys = members.select(entity=ibis.literal("customer"), key="customer_id")
        minted = Shaper(self._engine, self._plan.file.uuid).ids_of(keys)
        wanted = self._engine.table(pa.table({"wanted": pa.array(orphaned, pa.string())}))
        found = minted.inner_join(wanted, [("target_id", "wanted")]).inner_join(members, [("key", "customer_id")])
        return {r["target_id"]: r["identity_id"] for r in self._engine.arrow(found).to_pylist()}

    def _hand_over_customers(self, recorded: list[Recorded], borne: Mapping[str, str]) -> None:
        """Move the record of customers. _HANDED then has the ids that were moved, and the cohort of their bearers."""
        changed = changes(
            recorded, borne, self._cohorts_of(borne), self._cohort, {*self._membership.cohorts, UNASSIGNED}
        )
        self._run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT target_id, entity, cohort FROM {} LIMIT 0"),
            _HANDED,
            _RECORD,
        )
        self._stand_under([c for c in changed if c.key != c.row.key])
        self._fresh_moves()
        self._insert(_MOVES, [("customer", *_parts(c.key), c.cohort) for c in changed if c.key == c.row.key])
        self._connection.execute(
            sql.SQL(
                "INSERT INTO {moves} SELECT x.entity, x.source_system, x.source_table, x.source_id, m.cohort "
                "FROM {record} x JOIN {members} m USING (source_system, source_table, source_id) "
                "WHERE x.entity = 'customer' AND x.cohort <> m.cohort AND x.target_id <> ALL({decided}::uuid[]) "
                "AND ({cohort} IN (x.cohort, m.cohort) OR x.cohort <> ALL({planned}))"
            ).format(
                moves=_MOVES,
                record=_RECORD,
                members=_MEMBERS,
                decided=sql.Literal(sorted({r.target_id for r in recorded})),
                cohort=sql.Literal(self._cohort),
                planned=sql.Literal(sorted(self._membership.cohorts)),
            )
        )
        self._run(
            sql.SQL(
                "INSERT INTO {} SELECT DISTINCT x.target_id, x.entity, CASE x.status WHEN 'loaded' THEN m.cohort END "
                "FROM {} x JOIN {} m ON {}"
            ),
            _HANDED,
            _RECORD,
            _MOVES,
            same_key("x", "m", CROSSWALK_KEY),
        )
        self._apply_moves()

    def _stand_under(self, changed: list[Change]) -> None:
        """Let recorded rows stand under the key of who bears their id now, in place of whatever stood there."""
        if not changed:
            return
        stand = sql.Identifier("pg_temp", "handover_stand")
        self._run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT target_id, {}, founder, cohort FROM {} LIMIT 0"),
            stand,
            names(SOURCE),
            _RECORD,
        )
        rows = [(c.row.target_id, *_parts(c.key), self._minted(c.key) == c.row.target_id, c.cohort) for c in changed]
        self._insert(stand, rows)
        whole = sql.Identifier("pg_temp", "handover_whole")
        self._run(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT x.entity, {}, x.target_id, x.status, s.founder, "
                "x.row_hash, s.cohort, x.snapshot, x.load_id, x.loaded_at FROM {} x JOIN {} s USING (target_id) "
                "WHERE x.entity = 'customer' AND x.status = 'loaded'"
            ),
            whole,
            names(SOURCE, "s"),
            _RECORD,
            stand,
        )
        cleared = sql.SQL(
            "DELETE FROM {} x USING {} s WHERE x.entity = 'customer' AND ({} OR x.status = 'loaded' "
            "AND x.target_id = s.target_id)"
        )
        self._run(cleared, _RECORD, stand, same_key("x", "s", SOURCE))
        self.moved += self._run(sql.SQL("INSERT INTO {} SELECT * FROM {}"), _RECORD, whole)
        self._run(sql.SQL("INSERT INTO {} SELECT target_id, entity, cohort FROM {}"), _HANDED, whole)

    def _insert(self, table: sql.Identifier, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            with self._connection.cursor() as cursor:
                marks = sql.SQL(", ").join(sql.Placeholder() * len(rows[0]))
                cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(table, marks), rows)

    def _cohorts_of(self, borne: Mapping[str, str]) -> Mapping[str, str]:
        """Identity -> the cohort it is in."""
        if not borne:
            return {}
        wanted = self._engine.table(pa.table({"wanted": pa.array(sorted(borne), pa.string())}))
        members = self._membership.members
        found = members.inner_join(wanted, [("customer_id", "wanted")]).select("customer_id", "cohort")
        return {r["customer_id"]: r["cohort"] or UNASSIGNED for r in self._engine.arrow(found).to_pylist()}

    # --- what is theirs ---

    def _hand_over_belongings(self) -> None:
        """Move the record of what leads, in the target, to the customers that were moved: to where its own source row
        is now, or else along with its owner."""
        moved = self._connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(_HANDED)).fetchone()
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
        ).format(names(CROSSWALK_KEY, "x"), _RECORD, _HANDED, names(CROSSWALK_KEY, "x"))
        self._move(self._placed(query))

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

    # --- moves ---

    def _move(self, placed: ir.Table) -> None:
        path = self._folder / "moves.csv"
        write_csv(self._engine, placed, path)
        self._fresh_moves()
        copy_in(self._connection, _MOVES, (*CROSSWALK_KEY, "cohort"), path)
        self._apply_moves()

    def _fresh_moves(self) -> None:
        self._run(sql.SQL("DROP TABLE IF EXISTS {}"), _MOVES)
        self._run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, cohort FROM {} LIMIT 0"),
            _MOVES,
            names(CROSSWALK_KEY),
            _RECORD,
        )

    def _apply_moves(self) -> None:
        self._run(sql.SQL("ANALYZE {}"), _MOVES)
        update = sql.SQL("UPDATE {} x SET cohort = m.cohort FROM {} m WHERE {}")
        self.moved += self._run(update, _RECORD, _MOVES, same_key("x", "m", CROSSWALK_KEY))


def _parts(key: str) -> tuple[str, str, str]:
    """A canonical key `<system>.<table>:<id>` in its parts."""
    place, _, source_id = key.partition(":")
    system, _, table = place.partition(".")
    return system, table, source_id


def _belongings(schema: TargetSchema, name: str, owner: tuple[str, str]) -> sql.Composed:
    """Rows of a table that belong to what is handed over already; parents come first."""
    table = schema.tables[name]
    return sql.SQL(
        "INSERT INTO {handed} SELECT t.{key}, {entity}, h.cohort FROM {target} t JOIN {handed} h "
        "ON h.target_id = t.{owner} AND h.entity = {parent}"
    ).format(
        handed=_HANDED,
        key=sql.Identifier(next(iter(table.columns))),
        entity=sql.Literal(table.entity),
        target=sql.Identifier(schema.schema_name, name),
        owner=sql.Identifier(owner[0]),
        parent=sql.Literal(owner[1]),
    )
