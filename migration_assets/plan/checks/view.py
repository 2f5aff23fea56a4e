"""The plan as the checks look at it: what is fed, what is known of raw columns, and where an entry stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.lookups import ARROW
from migration_assets.plan.mapped import table_of
from migration_assets.plan.models import Feed, Plan
from migration_assets.plan.place import line_of
from migration_assets.plan.source_models import SourceTable
from migration_assets.plan.wording import nearest, shown

PLAN, CATALOG, COHORTS, TARGET = "plan.yaml", "catalog.yaml", "cohorts.yaml", "target.yaml"
FEEDS, GEO, CONTROLS, BILLING = "mapping/feeds.csv", "geo.csv", "controls.csv", "billing.yaml"


@dataclass(frozen=True)
class PlanView:
    """A plan, and the raw columns of its tables (`system.table` -> column -> type) when they are known."""

    plan: Plan
    columns: Mapping[str, Mapping[str, str]] | None = None

    def at(self, file: str, *path: str | int) -> int:
        """The line of an entry of a YAML file."""
        return line_of(self.plan.lines.get(file, {}), path)

    def fault(self, file: str, path: Iterable[str | int], problem: str, remedy: str) -> Fault:
        """A fault at an entry of a YAML file."""
        steps = tuple(path)
        return Fault(file, self.at(file, *steps), ".".join(map(str, steps)), problem, remedy)

    @cached_property
    def tables(self) -> dict[str, SourceTable]:
        """Every declared source table by `system.table`."""
        return self.plan.source_tables

    @cached_property
    def feeds(self) -> dict[str, Feed]:
        """Feeds by name; of two with one name the first."""
        return {f.feed: f for f in reversed(self.plan.feeds)}

    @cached_property
    def feeds_of_table(self) -> dict[str, tuple[Feed, ...]]:
        """Feeds by the `system.table` they read."""
        read: dict[str, tuple[Feed, ...]] = {}
        for feed in self.plan.feeds:
            read[table_of(feed)] = (*read.get(table_of(feed), ()), feed)
        return read

    @cached_property
    def made(self) -> frozenset[str]:
        """Entities that get rows: fed ones, those of the catalog, and those the program derives."""
        fed = {f.entity for f in self.plan.feeds}
        return frozenset(fed | {e.name for e in ENTITIES.values() if e.origin != "source"})

    @cached_property
    def catalog_lists(self) -> dict[str, frozenset[str] | None]:
        """Codes by list name as canonical fields refer to them: `catalog.plan` and so on; None for products that a feed
        brings, which only the source knows."""
        catalog = self.plan.catalog
        return {
            "catalog.product": None if self.plan.feeds_of("product") else frozenset(p.code for p in catalog.products),
            "catalog.plan": frozenset(p.code for p in catalog.plans),
            "catalog.price": frozenset(p.price_code for p in catalog.prices),
            "catalog.feature": frozenset(f.code for f in catalog.features),
        }

    def column_problem(self, table: str, column: str) -> tuple[str, str] | None:
        """Why a raw column cannot be used: it is secret, or the table has none of that name."""
        declared = self.tables.get(table)
        if declared and column in declared.secret:
            return f"{shown(column)} is secret: it is never read", "use another column, or take it off `secret`"
        known = (self.columns or {}).get(table)
        if known is None or column in known:
            return None
        return f"{table} has no column {shown(column)}", nearest(column, known, "name a column of the table")

    def mapped_column_problem(self, table: str, column: str) -> tuple[str, str] | None:
        """The same for a column that a mapping row names: it may be that of the row a reference leads to."""
        via, arrow, name = column.partition(ARROW)
        declared = self.tables.get(table)
        if not arrow or declared is None or column in (self.columns or {}).get(table, ()):
            return self.column_problem(table, column)
        if via not in declared.references:
            remedy = nearest(via, declared.references, "declare it in plan.yaml under the table's references")
            return f"{shown(via)} is no column of the references of {table}", remedy
        return self.column_problem(table, via) or self.mapped_column_problem(declared.references[via], name)

    def predicate_faults(self, table: str, where: Iterable[Predicate], here: Fault) -> Iterator[Fault]:
        """Predicates over raw columns that cannot hold because their column is not there."""
        for predicate in where:
            if wrong := self.column_problem(table, predicate.field):
                yield Fault(here.file, here.row, here.field, *wrong)
