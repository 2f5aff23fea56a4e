"""What one load of one cohort consists of: target rows by table, parents first, and the crosswalk rows beside them.

The rows are computed here, once, and kept in the engine; nothing is written: that is `apply`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    `shaped` (shape.Shaper.shaped): the rows, computed once. `planned`: how many canonical rows they come from, counted
    before they were shaped. `recorded`: they stand in the crosswalk (all but those of the catalog).
    """

    table: str
    entity: str
    types: Mapping[str, str]
    shaped: ir.Table
    planned: int
    recorded: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def key(self) -> str:
        return self.columns[0]

    @property
    def rows(self) -> ir.Table:
        """The rows as the target has them."""
        return self.shaped.select(*self.columns)

    @property
    def surrogates(self) -> ir.Table:
        """What a person may be told of each row. Columns: key, surrogate (`system.table#row`)."""
        return self.shaped.select(key=self.key, surrogate="_surrogate")


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

    `redirects` (shape.REDIRECTS): source rows merged into others; `stored_aliases` (shape.ALIASES): keys that bear
    another row's id.
    """
    shaper = shaper_of(engine, plan, canonical, redirects, stored_aliases)
    tables = tuple(
        _table_rows(shaper, plan, name, canonical[table.entity])
        for name, table in parents_first(plan.target)
        if table.entity in canonical
    )
    return LoadPlan(tables, _crosswalk(shaper, plan, tables, redirects))


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
    recorded = ENTITIES[table.entity].origin != "catalog"
    return TableRows(
        table=name,
        entity=table.entity,
        types=column_types(table),
        shaped=shaper.engine.cached(shaper.shaped(table, canonical, recorded=recorded)),
        planned=shaper.engine.count(canonical),
        recorded=recorded,
    )


def _crosswalk(shaper: Shaper, plan: Plan, tables: Sequence[TableRows], redirects: ir.Table | None) -> ir.Table | None:
    """Crosswalk rows of every entity loaded, from the first table that holds it, and of the rows merged."""
    held = [t for t in tables if t.recorded and table_of(plan.target, t.entity) == t.table]
    parts = [shaper.crosswalk(t.entity, t.shaped) for t in held]
    if redirects is not None and held:
        parts.append(shaper.merged(redirects.filter(redirects.entity.isin([t.entity for t in held]))))
    return shaper.engine.union(parts) if parts else None
