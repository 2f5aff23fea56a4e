"""Every source row has exactly one disposition, and the four of them add up to the rows read (I30)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan

DISPOSITIONS = ("loaded", "merged", "rejected", "excluded")
# Key: table, source_row. `problem`: `none`, `several` or `not_in_target`.
UNEXPLAINED = ibis.schema({"table": "string", "source_row": "int64", "problem": "string"})


@dataclass(frozen=True)
class SourceBalance:
    """What became of the rows of one source table in one cohort. `unexplained` rows have no disposition or several, or
    claim to be in the target and are not in its crosswalk."""

    table: str
    read: int
    loaded: int
    merged: int
    rejected: int
    excluded: int
    unexplained: int


@dataclass(frozen=True)
class Balance:
    """The balance of a cohort, table by table, and the list of unexplained rows (UNEXPLAINED)."""

    sources: tuple[SourceBalance, ...]
    rows: ir.Table

    @property
    def unexplained(self) -> int:
        return sum(s.unexplained for s in self.sources)


def balance(
    engine: DuckDBEngine, plan: Plan, raw: Mapping[str, ir.Table], dispositions: ir.Table, crosswalk: ir.Table
) -> Balance:
    """Account for the cohort's raw rows (`system.table` -> rows with `_row`).

    `dispositions`: source_system, source_table, source_row, source_id, disposition; `crosswalk`: entity, source_system,
    source_table, source_id of the cohort, as the target has it now.
    """
    claims = dispositions.mutate(table=dispositions.source_system + ibis.literal(".") + dispositions.source_table)
    claims = engine.cached(claims.select("table", "source_row", "source_id", "disposition"))
    known = engine.cached(_known(crosswalk))
    sources, listed = [], []
    for table, rows in raw.items():
        off = engine.cached(_unexplained(plan, table, rows, claims.filter(claims.table == table), known))
        sources.append(_counted(engine, table, rows, claims, off))
        listed.append(off)
    whole = engine.union(listed) if listed else engine.table(UNEXPLAINED.to_pyarrow().empty_table())
    return Balance(tuple(sources), engine.cached(whole))


def _known(crosswalk: ir.Table) -> ir.Table:
    """Source ids in the target; an unpivoted row's id is its source row's with `/<name>` behind it."""
    place = crosswalk.source_system + ibis.literal(".") + crosswalk.source_table
    whole = crosswalk.select(entity="entity", table=place, source_id="source_id")
    parents = whole.filter(whole.source_id.contains("/"))
    cut = parents.mutate(source_id=parents.source_id.re_replace("/[^/]*$", ""))
    return whole.union(cut).distinct()


def _unexplained(plan: Plan, table: str, rows: ir.Table, claims: ir.Table, known: ir.Table) -> ir.Table:
    each = claims.group_by("source_row").aggregate(claims=claims.count())
    joined = rows.select("_row").left_join(each, ibis._["_row"] == each.source_row)
    several = (joined.claims > 1).fill_null(False)
    wrong = joined.filter(joined.claims.isnull() | several)
    counted = wrong.select(
        table=ibis.literal(table),
        source_row=wrong["_row"],
        problem=wrong.claims.isnull().ifelse(ibis.literal("none"), ibis.literal("several")),
    )
    strangers = claims.anti_join(rows.select("_row"), claims.source_row == rows["_row"])
    foreign = strangers.select(table="table", source_row="source_row", problem=ibis.literal("several")).distinct()
    lost = _not_in_target(plan.source_table(table).home, claims, known).anti_join(wrong, [("source_row", "_row")])
    return ibis.union(counted.cast(UNEXPLAINED), foreign.cast(UNEXPLAINED), lost.cast(UNEXPLAINED))


def _not_in_target(home: str | None, claims: ir.Table, known: ir.Table) -> ir.Table:
    landed = claims.filter(claims.disposition.isin(["loaded", "merged"]))
    there = known.filter(known.entity == (home or ""))
    gone = landed.anti_join(there, ["table", "source_id"])
    return gone.select(table="table", source_row="source_row", problem=ibis.literal("not_in_target"))


def _counted(engine: DuckDBEngine, table: str, rows: ir.Table, claims: ir.Table, off: ir.Table) -> SourceBalance:
    own = claims.filter(claims.table == table)
    by_kind = engine.arrow(own.group_by("disposition").aggregate(n=own.count())).to_pylist()
    counts = {row["disposition"]: int(row["n"]) for row in by_kind}
    return SourceBalance(
        table=table,
        read=engine.count(rows),
        **{d: counts.get(d, 0) for d in DISPOSITIONS},
        unexplained=engine.count(off.select("source_row").distinct()),
    )
