"""From a plan's feeds to canonical rows: builds what the engine maps, and leaves out what a written rule excludes.

Row grain of every result is one source row (or one source row and column, where a feed unpivots).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from migration_assets.engine.mapping import FeedSpec, FieldRule, MappedFeed, map_feed
from migration_assets.engine.rules.outcome import rendered
from migration_assets.plan.lookups import ARROW, lookups_of
from migration_assets.stages.exclusions import excluded_rows, taken

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Feed, Plan

# Gives the raw rows of `system.table`, with `_row`.
RawTables = Callable[[str], "ir.Table"]
_KEY = "_looked_up_key"


@dataclass(frozen=True)
class Mapping:
    """What every feed of a plan needs to run: the engine, the plan, where raw rows are, and the instant T.

    `whole`: where all rows of a table are, when `raw` gives only a cohort's; see decision 15.
    """

    engine: DuckDBEngine
    plan: Plan
    raw: RawTables
    as_of: datetime
    whole: RawTables | None = None

    def entity(self, name: str) -> MappedFeed:
        """Canonical rows and notes of every feed of one entity, computed once."""
        mapped = [self._feed(feed) for feed in self.plan.feeds_of(name)]
        return MappedFeed(
            rows=self.engine.cached(self.engine.union(m.rows for m in mapped)),
            notes=self.engine.cached(self.engine.union(m.notes for m in mapped)),
        )

    def _feed(self, feed: Feed) -> MappedFeed:
        table = f"{feed.system}.{feed.table}"
        source = self.raw(table)
        left_out = self.excluded(table)
        if left_out is not None:
            source = source.anti_join(left_out, source["_row"] == left_out.source_row)
        source = self._with_lookups(table, source, lookups_of(self.plan, feed))
        everything = self.whole or self.raw
        return map_feed(self.engine, feed_spec(self.plan, feed), source, self.as_of, lambda: everything(table))

    def _with_lookups(self, table: str, rows: ir.Table, names: Iterable[str]) -> ir.Table:
        """The rows with columns of rows that they point at, named `via->column`; missing where a reference leads
        nowhere, or to two rows with one key."""
        wanted: dict[str, set[str]] = {}
        for name in names:
            via, _, column = name.partition(ARROW)
            wanted.setdefault(via, set()).add(column)
        for via, columns in sorted(wanted.items()):
            to = self.plan.source_table(table).references[via]
            led = self._once_by_key(to, via, sorted(columns))
            alike = rows[via].type() == led[_KEY].type()
            same = rows[via] == led[_KEY] if alike else rendered(rows[via]) == rendered(led[_KEY])
            # Ibis 12 cannot join the computed columns of a join to anything: kept once, they are plain columns.
            rows = self.engine.cached(rows.left_join(led, same).drop(_KEY))
        return rows

    def _once_by_key(self, table: str, via: str, columns: list[str]) -> ir.Table:
        """`_key` and, as `via->column`, these columns of each row of `system.table` whose key is its own."""
        declared = self.plan.source_table(table)
        raw = (self.whole or self.raw)(table)
        for rule in (e for e in self.plan.file.exclusions if e.table == table and (e.where or e.stale)):
            # What is left out for what it holds (deleted, say) does not come back this way.
            raw = raw.filter(~taken(raw, rule, declared, self.as_of))
        raw = self._with_lookups(table, raw, [c for c in columns if ARROW in c])
        (key,) = declared.key
        each = raw.group_by(**{_KEY: raw[key]})
        once = each.aggregate(_n=raw.count(), **{f"{via}{ARROW}{c}": raw[c].arbitrary() for c in columns})
        return self.engine.cached(once.filter(once["_n"] == 1).drop("_n"))

    def excluded(self, table: str) -> ir.Table | None:
        """Rows of `system.table` that a rule leaves out, each once, under the first rule of the plan that takes it."""
        return excluded_rows(self.engine, self.plan, table, self.raw(table), self.as_of)


def feed_spec(plan: Plan, feed: Feed) -> FeedSpec:
    """The feed as plain data for the engine, which knows no plans."""
    table = plan.source_table(f"{feed.system}.{feed.table}")
    return FeedSpec(
        feed=feed.feed,
        entity=feed.entity,
        system=feed.system,
        table=feed.table,
        key=table.key,
        updated_at=table.updated_at,
        where=feed.where,
        unpivot=feed.unpivot,
        entries=table.split is not None and table.split.pattern is not None,
        fields=tuple(
            FieldRule(field=r.field, rule=r.rule, columns=r.columns, arguments=r.arguments, on_error=r.on_error)
            for r in plan.rows_of(feed.feed)
        ),
        codes={name: {c.code: c.target for c in rows} for name, rows in plan.codes.items()},
        exponents=plan.file.currency_exponents,
    )
