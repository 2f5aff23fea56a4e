"""What one load of one cohort consists of: target rows by table, parents first, and the crosswalk rows beside them.

Nothing is computed here and nothing is written: these are expressions, and `apply` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.schema import column_types, parents_first, table_of
from migration_assets.stages.load.shape import ALIASES, Shaper, settled_aliases

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan


@dataclass(frozen=True)
class TableRows:
    """Rows for one target table. `types`: column -> PostgreSQL type, in order, the key first.

    `surrogates`: key and surrogate (`system.table#row`) of each row. `recorded`: rows stand in the crosswalk
    (all but those of the catalog).
    """

    table: str
    entity: str
    types: Mapping[str, str]
    rows: ir.Table
    surrogates: ir.Table
    recorded: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def key(self) -> str:
        return self.columns[0]


@dataclass(frozen=True)
class LoadPlan:
    """All rows of one load, tables parents first. `crosswalk` (shape.CROSSWALK) is None when no table is recorded."""

    tables: tuple[TableRows, ...]
    crosswalk: ir.Table | None

    @property
    def entities(self) -> tuple[str, ...]:
        """Entities whose crosswalk rows this load accounts for."""
        return tuple(dict.fromkeys(t.entity for t in self.tables if t.recorded))


def plan_load(
    engine: DuckDBEngine,
    plan: Plan,
    canonical: Mapping[str, ir.Table],
    redirects: ir.Table | None = None,
    stored_aliases: ir.Table | None = None,
) -> LoadPlan:
    """The load of these canonical rows (entity -> rows); entities without a table in the target are left out.

    `redirects` (shape.REDIRECTS): source rows merged into others; `stored_aliases` (shape.ALIASES): what the crosswalk
    has on keys that bear another row's id.
    """
    shaper = shaper_of(engine, plan, canonical, redirects, stored_aliases)
    tables = tuple(
        _table_rows(shaper, plan, name, canonical[table.entity])
        for name, table in parents_first(plan.target)
        if table.entity in canonical
    )
    return LoadPlan(tables, _crosswalk(shaper, plan, canonical, redirects))


def shaper_of(
    engine: DuckDBEngine,
    plan: Plan,
    canonical: Mapping[str, ir.Table],
    redirects: ir.Table | None,
    stored_aliases: ir.Table | None,
) -> Shaper:
    """What gives the rows of this cohort their ids."""
    plain = Shaper(engine, plan.file.uuid)
    stored = engine.table(ALIASES.to_pyarrow().empty_table()) if stored_aliases is None else stored_aliases
    return Shaper(engine, plan.file.uuid, settled_aliases(plain, stored, canonical, redirects))


def _table_rows(shaper: Shaper, plan: Plan, name: str, canonical: ir.Table) -> TableRows:
    table = plan.target.tables[name]
    entity = ENTITIES[table.entity]
    return TableRows(
        table=name,
        entity=table.entity,
        types=column_types(table),
        rows=shaper.rows(table, canonical),
        surrogates=shaper.surrogates(entity, canonical),
        recorded=entity.origin != "catalog",
    )


def _crosswalk(
    shaper: Shaper, plan: Plan, canonical: Mapping[str, ir.Table], redirects: ir.Table | None
) -> ir.Table | None:
    """Crosswalk rows of every entity loaded, from the first table that holds it, and of the rows merged."""
    firsts = {e: table_of(plan.target, e) for e in canonical if ENTITIES[e].origin != "catalog"}
    held = {e: name for e, name in firsts.items() if name is not None}
    parts = [shaper.crosswalk(plan.target.tables[name], canonical[e]) for e, name in held.items()]
    if redirects is not None and held:
        parts.append(shaper.merged(redirects.filter(redirects.entity.isin(list(held)))))
    return shaper.engine.union(parts) if parts else None
