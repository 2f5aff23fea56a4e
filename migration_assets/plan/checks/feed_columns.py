"""Feeds that share the rows of a table: what one of them reads and another does not is left behind on purpose, or lost.

Belongs here: columns that some feed reads and another one of the same entity forgets. Columns that nothing reads are
another matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.view import FEEDS, PlanView
from migration_assets.plan.lookups import ARROW
from migration_assets.plan.mapped import predicates_of
from migration_assets.plan.models import Feed, Plan
from migration_assets.plan.wording import shown


def feed_column_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about `leaves` of feeds, and columns that a feed forgets without saying so."""
    read = {feed.feed: _read(view.plan, feed) for feed in view.plan.feeds}
    for feed in view.plan.feeds:
        theirs = {column: other.feed for other in _beside(view.plan, feed) for column in read[other.feed]}
        own = read[feed.feed]
        for column in feed.leaves:
            if column in own:
                problem = f"{shown(column)} is read by {feed.feed}"
                yield Fault(FEEDS, feed.row, "leaves", problem, "take it off the list")
            elif column not in theirs:
                problem = _nobody_reads(feed, column)
                yield Fault(FEEDS, feed.row, "leaves", problem, "take it off the list")
        for column in sorted(theirs.keys() - own - set(feed.leaves)):
            problem = f"{feed.feed} does not read {shown(column)}, which {theirs[column]} reads of the same table"
            remedy = f"map it in mapping/{feed.entity}.csv, or name it in `leaves` if rows of {feed.feed} may lose it"
            yield Fault(FEEDS, feed.row, "leaves", problem, remedy)


def _nobody_reads(feed: Feed, column: str) -> str:
    """Why there is nothing to leave behind."""
    if not feed.where:
        return f"{feed.feed} reads every row of {feed.table}: it has no `where`, and shares them with no other feed"
    return f"no other feed of {feed.entity} from {feed.table} that has a `where` reads {shown(column)}"


def _beside(plan: Plan, feed: Feed) -> Iterator[Feed]:
    """Feeds that make the same entity of other rows of the same table. Without a condition a feed reads every row, and
    what it does not read of them may be another feed's."""
    place = (feed.entity, feed.system, feed.table)
    if feed.where:
        yield from (f for f in plan.feeds if f.where and f.feed != feed.feed and (f.entity, f.system, f.table) == place)


def _read(plan: Plan, feed: Feed) -> set[str]:
    """Columns of its own table that a feed reads, to choose rows or to fill a field."""
    rows = plan.rows_of(feed.feed)
    named = [c for row in rows for c in (*row.columns, *(p.field for p in predicates_of(row)))]
    return {c.partition(ARROW)[0] for c in (*named, *feed.unpivot, *(p.field for p in feed.where))}
