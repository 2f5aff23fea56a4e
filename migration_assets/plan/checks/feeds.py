"""Feeds: which entity each makes, from which table, and that mapping rows and feeds belong together."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import FEEDS, PlanView
from migration_assets.plan.mapped import table_of
from migration_assets.plan.models import Feed, MappingRow
from migration_assets.plan.wording import nearest, shown


def feed_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about feeds, and rows that belong to none."""
    for feed in view.plan.feeds:
        yield from _entity_faults(feed)
        yield from _table_faults(view, feed)
        yield from _required_faults(view, feed)
        if view.feeds[feed.feed] is not feed:
            yield _fault(feed, "feed", f"{feed.feed} stands here twice", "give each feed its own name")
    for row in view.plan.mapping:
        yield from _home_faults(view, row)


def _fault(feed: Feed, field: str, problem: str, remedy: str) -> Fault:
    return Fault(FEEDS, feed.row, field, problem, remedy)


def _entity_faults(feed: Feed) -> Iterator[Fault]:
    entity = ENTITIES.get(feed.entity)
    if entity is None:
        remedy = nearest(feed.entity, ENTITIES, "name an entity of the canonical model")
        yield _fault(feed, "entity", f"{shown(feed.entity)} is not an entity", remedy)
    elif entity.origin == "catalog" and not entity.may_be_fed:
        remedy = "write its rows in catalog.yaml or geo.csv"
        yield _fault(feed, "entity", f"{feed.entity} comes from the catalog, not from a source", remedy)
    elif entity.origin == "derived":
        yield _fault(feed, "entity", f"{feed.entity} is made by the program, not from a source", "remove the feed")


def _table_faults(view: PlanView, feed: Feed) -> Iterator[Fault]:
    table = table_of(feed)
    if feed.system not in view.plan.file.sources:
        remedy = nearest(feed.system, view.plan.file.sources, "declare it in plan.yaml under sources")
        yield _fault(feed, "system", f"{shown(feed.system)} is not a source of this plan", remedy)
        return
    if table not in view.tables:
        known = view.plan.file.sources[feed.system].tables
        remedy = nearest(feed.table, known, "declare it in plan.yaml under its system")
        yield _fault(feed, "table", f"{feed.system} has no table {shown(feed.table)}", remedy)
        return
    yield from view.predicate_faults(table, feed.where, Fault(FEEDS, feed.row, "where", "", ""))
    if len(set(feed.unpivot)) < len(feed.unpivot):
        yield _fault(feed, "unpivot", "names a column twice", "name each column once")
    for column in feed.unpivot:
        if wrong := view.column_problem(table, column):
            yield _fault(feed, "unpivot", *wrong)


def _required_faults(view: PlanView, feed: Feed) -> Iterator[Fault]:
    mapped = {r.field for r in view.plan.rows_of(feed.feed)}
    if not mapped:
        remedy = f"add rows for it to mapping/{feed.entity}.csv, or remove the feed"
        yield _fault(feed, "feed", f"no mapping row belongs to {feed.feed}", remedy)
        return
    entity = ENTITIES.get(feed.entity)
    for field in entity.fields if entity else ():
        keyed = field.type == "key" and entity.origin != "catalog"  # type: ignore[union-attr] # there are fields
        if field.required and not keyed and field.name not in mapped:
            remedy = f"add a row for {field.name} to mapping/{feed.entity}.csv"
            yield _fault(feed, "feed", f"the required field {feed.entity}.{field.name} is not mapped", remedy)


def _home_faults(view: PlanView, row: MappingRow) -> Iterator[Fault]:
    feed = view.feeds.get(row.feed)
    if feed is None:
        remedy = nearest(row.feed, view.feeds, f"add it to {FEEDS}")
        yield Fault(row.file, row.row, "feed", f"{shown(row.feed)} is not a feed", remedy)
        return
    for part in ("entity", "system", "table"):
        if getattr(row, part) != getattr(feed, part):
            problem = f"differs from its feed, which has {shown(getattr(feed, part))}"
            yield Fault(row.file, row.row, part, problem, "make the two agree")
