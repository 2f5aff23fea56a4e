"""Customers of one load: who bears which id and whose cohort the record is, asked of the record and written to it.

The rule is `bearers`; here is what it needs to know, and what follows from it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from psycopg import sql

from migration_assets.connectors.postgres_target import names
from migration_assets.domain.canonical.model import key_parts
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.bearers import Change, Recorded, bearers, changes
from migration_assets.stages.load.changes import key_text
from migration_assets.stages.load.guarded import RECORD_TABLE, same_key
from migration_assets.stages.load.moves import MOVES, Moves
from migration_assets.stages.load.rollback_tables import RESERVED_ID
from migration_assets.stages.load.schema import CROSSWALK_KEY, RECORD_SCHEMA
from migration_assets.stages.load.shape import ALIASES, Shaper, source_of
from migration_assets.stages.load.whereabouts import SOURCE, Whereabouts

if TYPE_CHECKING:
    from uuid import UUID

    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.engine.duckdb import DuckDBEngine

_MEMBERS = sql.Identifier("pg_temp", "handover_members")
# The ids that were handed over, and whose cohort has them now. Columns: target_id, entity, cohort.
HANDED = sql.Identifier("pg_temp", "handover_handed")


@dataclass(frozen=True)
class Membership:
    """Who is in which cohort now. `members`: customer_id (canonical key), identity_id, cohort; `cohorts`: all that the
    plan knows; `whereabouts`: in which cohort each source row lies; `left_out`: SOURCE of the source rows of
    the cohort that is loaded which were rejected or excluded."""

    members: ir.Table
    cohorts: frozenset[str]
    whereabouts: Whereabouts
    left_out: ir.Table | None = None


class Customers:
    """The customers' part of a handover. `namespace` is the plan's UUID, from which ids are minted."""

    def __init__(self, moves: Moves, namespace: UUID, cohort: str, membership: Membership) -> None:
        self._moves, self._namespace = moves, namespace
        self._cohort, self._membership = cohort, membership

    def settle(self) -> ir.Table:
        """Give the record of every customer that came to this cohort, left it, or was in one that is no longer planned,
        to the cohort that has it now; HANDED has their ids then.

        Returns which customers bear an id that was minted from another key (shape.ALIASES).
        """
        self._place_members()
        recorded, returned = self._open_questions()
        borne = bearers(recorded, self._minted, returned)
        self._hand_over([row for row in recorded if not row.reserved], borne)
        others = [(i, t) for i, t in sorted(borne.items()) if t != self._minted(i)]
        return _aliases(self._moves.engine, others)

    def _minted(self, key: str) -> str:
        return str(uuid.uuid5(self._namespace, f"customer|{key}"))

    def _place_members(self) -> None:
        """Every customer row of the source: its key in parts, the identity where that is another row, its cohort."""
        members = self._membership.members
        parts = {c: v for c, v in source_of("customer", members["customer_id"]).items() if c in SOURCE}
        identity = members["identity_id"].nullif(members["customer_id"])
        placed = members.select(
            **parts, identity=identity, cohort=ibis.coalesce(members["cohort"], ibis.literal(UNASSIGNED))
        )
        self._moves.run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {}, ''::text AS identity, cohort FROM {} LIMIT 0"),
            _MEMBERS,
            names(SOURCE),
            RECORD_TABLE,
        )
        self._moves.copied(_MEMBERS, (*SOURCE, "identity", "cohort"), placed)
        self._moves.run(sql.SQL("ANALYZE {}"), _MEMBERS)

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
        """Recorded rows, and those whose ids a rollback reserved, of every id that stood for several rows, or whose own
        row is merged now or no longer in the source, or is that of one of the customers asked for. And the own rows of
        the customers that could bear one."""
        query = sql.SQL(
            "WITH led AS MATERIALIZED (SELECT x.source_system || '.' || x.source_table || ':' || x.source_id AS key, "
            "x.target_id, x.status, x.founder, x.cohort, m.identity, m.cohort AS cohort_now, x.reserved "
            "FROM {all} x LEFT JOIN {members} m USING (source_system, source_table, source_id) "
            "), several AS MATERIALIZED (SELECT target_id FROM led WHERE NOT founder OR identity IS NOT NULL "
            "OR cohort_now IS NULL OR key = ANY({asked})), "
            # Two sets and not one condition with OR, which would be tried row by row.
            "wanted AS (SELECT key FROM led WHERE target_id IN (SELECT target_id FROM several) UNION "
            "SELECT identity FROM led WHERE identity IS NOT NULL AND target_id IN (SELECT target_id FROM several)) "
            "SELECT key, target_id, status = 'loaded', cohort, coalesce(identity, key), cohort_now, reserved FROM led "
            "WHERE key IN (SELECT key FROM wanted) ORDER BY key"
        )
        rows = self._moves.connection.execute(
            query.format(all=_with_reserved(), members=_MEMBERS, asked=sql.Literal(sorted(asked)))
        ).fetchall()
        return [
            Recorded(key, str(target_id), loaded, cohort, None if now is None else identity, now, reserved)
            for key, target_id, loaded, cohort, identity, now, reserved in rows
        ]

    def _returned(self, recorded: list[Recorded]) -> Mapping[str, str]:
        """Target id -> identity of the source row it was minted from, where no recorded row says so."""
        founded = {r.target_id for r in recorded if r.identity is not None and r.target_id == self._minted(r.key)}
        orphaned = sorted({r.target_id for r in recorded} - founded)
        if not orphaned:
            return {}
        members = self._membership.members.select("customer_id", "identity_id")
        keys = members.select(entity=ibis.literal("customer"), key="customer_id")
        minted = Shaper(self._moves.engine, self._namespace).ids_of(keys)
        wanted = self._moves.engine.table(pa.table({"wanted": pa.array(orphaned, pa.string())}))
        found = minted.inner_join(wanted, [("target_id", "wanted")]).inner_join(members, [("key", "customer_id")])
        return {r["target_id"]: r["identity_id"] for r in self._moves.engine.arrow(found).to_pylist()}

    def _hand_over(self, recorded: list[Recorded], borne: Mapping[str, str]) -> None:
        """Move the record of customers. HANDED then has the ids that were moved, and the cohort of their bearers."""
        changed = changes(
            recorded, borne, self._cohorts_of(borne), self._cohort, {*self._membership.cohorts, UNASSIGNED}
        )
        self._moves.run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT target_id, entity, cohort FROM {} LIMIT 0"),
            HANDED,
            RECORD_TABLE,
        )
        self._stand_under([c for c in changed if c.key != c.row.key])
        self._moves.begin()
        self._moves.insert(MOVES, [("customer", *key_parts(c.key), c.cohort) for c in changed if c.key == c.row.key])
        self._moves.connection.execute(
            sql.SQL(
                "INSERT INTO {moves} SELECT x.entity, x.source_system, x.source_table, x.source_id, m.cohort "
                "FROM {record} x JOIN {members} m USING (source_system, source_table, source_id) "
                "WHERE x.entity = 'customer' AND x.cohort <> m.cohort AND x.target_id <> ALL({decided}::uuid[]) "
                "AND ({cohort} IN (x.cohort, m.cohort) OR x.cohort <> ALL({planned}))"
            ).format(
                moves=MOVES,
                record=RECORD_TABLE,
                members=_MEMBERS,
                decided=sql.Literal(sorted({r.target_id for r in recorded})),
                cohort=sql.Literal(self._cohort),
                planned=sql.Literal(sorted(self._membership.cohorts)),
            )
        )
        self._moves.run(
            sql.SQL(
                "INSERT INTO {} SELECT DISTINCT x.target_id, x.entity, CASE x.status WHEN 'loaded' THEN m.cohort END "
                "FROM {} x JOIN {} m ON {}"
            ),
            HANDED,
            RECORD_TABLE,
            MOVES,
            same_key("x", "m", CROSSWALK_KEY),
        )
        self._moves.apply()

    def _stand_under(self, changed: list[Change]) -> None:
        """Let recorded rows stand under the key of who bears their id now, in place of whatever stood there."""
        if not changed:
            return
        stand = sql.Identifier("pg_temp", "handover_stand")
        self._moves.run(
            sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT target_id, {}, founder, cohort FROM {} LIMIT 0"),
            stand,
            names(SOURCE),
            RECORD_TABLE,
        )
        rows = [(c.row.target_id, *key_parts(c.key), self._minted(c.key) == c.row.target_id, c.cohort) for c in changed]
        self._moves.insert(stand, rows)
        whole = sql.Identifier("pg_temp", "handover_whole")
        self._moves.run(
            sql.SQL(
                "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT x.entity, {}, x.target_id, x.status, s.founder, "
                "x.row_hash, s.cohort, x.snapshot, x.load_id, x.loaded_at FROM {} x JOIN {} s USING (target_id) "
                "WHERE x.entity = 'customer' AND x.status = 'loaded'"
            ),
            whole,
            names(SOURCE, "s"),
            RECORD_TABLE,
            stand,
        )
        in_place = sql.SQL(
            "{t}.entity = 'customer' AND ({same} OR {t}.status = 'loaded' AND {t}.target_id = s.target_id)"
        )
        told = in_place.format(t=sql.SQL("t"), same=same_key("t", "s", SOURCE))
        self._moves.keep(sql.SQL("WHERE EXISTS (SELECT FROM {} s WHERE {})").format(stand, told))
        self._moves.changes.recorded_anew(
            sql.SQL("SELECT {} AS key FROM {} w").format(key_text("w", CROSSWALK_KEY), whole)
        )
        cleared = in_place.format(t=sql.SQL("x"), same=same_key("x", "s", SOURCE))
        self._moves.run(sql.SQL("DELETE FROM {} x USING {} s WHERE {}"), RECORD_TABLE, stand, cleared)
        self._moves.moved += self._moves.run(sql.SQL("INSERT INTO {} SELECT * FROM {}"), RECORD_TABLE, whole)
        self._moves.receivers |= {c.cohort for c in changed if c.cohort != c.row.cohort}
        self._moves.run(sql.SQL("INSERT INTO {} SELECT target_id, entity, cohort FROM {}"), HANDED, whole)

    def _cohorts_of(self, borne: Mapping[str, str]) -> Mapping[str, str]:
        """Identity -> the cohort it is in."""
        if not borne:
            return {}
        wanted = self._moves.engine.table(pa.table({"wanted": pa.array(sorted(borne), pa.string())}))
        members = self._membership.members
        found = members.inner_join(wanted, [("customer_id", "wanted")]).select("customer_id", "cohort")
        return {r["customer_id"]: r["cohort"] or UNASSIGNED for r in self._moves.engine.arrow(found).to_pylist()}


def bears_others(connection: Connection) -> bool:
    """Whether any customer of the record bears an id that was minted from another key, or a rollback has left one that
    stays given: then `settle` has to say who bears which."""
    query = sql.SQL(
        "SELECT EXISTS (SELECT FROM {} WHERE entity = 'customer' AND NOT founder AND status = 'loaded') "
        "OR EXISTS (SELECT FROM {})"
    )
    found = connection.execute(query.format(RECORD_TABLE, sql.Identifier(RECORD_SCHEMA, RESERVED_ID))).fetchone()
    return found is not None and bool(found[0])


def _aliases(engine: DuckDBEngine, borne: Sequence[tuple[str, str]]) -> ir.Table:
    """Key and id of customers as ALIASES."""
    columns = {
        "entity": ["customer"] * len(borne),
        "key": [key for key, _ in borne],
        "target_id": [target_id for _, target_id in borne],
    }
    return engine.table(
        pa.table({c: pa.array(v, pa.string()) for c, v in columns.items()}, schema=ALIASES.to_pyarrow())
    )


def _with_reserved() -> sql.Composed:
    """Customer rows of the record, and those that a rollback took out of it and whose ids stay given."""
    columns = sql.SQL("source_system, source_table, source_id, target_id, status, founder, cohort")
    return sql.SQL(
        "(SELECT {columns}, false AS reserved FROM {record} WHERE entity = 'customer' UNION ALL "
        "SELECT {columns}, true FROM {reserved} r WHERE NOT EXISTS (SELECT FROM {record} k "
        "WHERE k.entity = 'customer' AND {same}))"
    ).format(
        columns=columns,
        record=RECORD_TABLE,
        reserved=sql.Identifier(RECORD_SCHEMA, RESERVED_ID),
        same=same_key("k", "r", SOURCE),
    )
