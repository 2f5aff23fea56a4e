"""Raw columns that something of a plan uses, and what becomes of the others: none may stay behind in silence.

Belongs here: what follows from the plan alone. Whether that is a fault is `plan.checks.left_behind`. What proves and
moves nothing (controls.csv, billing.yaml) uses no column in this sense.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.engine.entries import ENTRY, FITS, POSITION
from migration_assets.plan.entries import taken_along, whose_text
from migration_assets.plan.lookups import place_of
from migration_assets.plan.mapped import NAME, SOURCE_ID, VALUE, predicates_of, table_of
from migration_assets.plan.models import Plan

# A use: `system.table`, column, and what uses it, in words.
Use = tuple[str, str, str]


def uses(plan: Plan) -> dict[str, dict[str, str]]:
    """What uses each raw column that anything uses, in words: `system.table` -> column -> its first use."""
    found: dict[str, dict[str, str]] = {}
    for ways in (_declared, _by_entries, _by_feeds, _by_mapping):
        for table, column, what in ways(plan):
            found.setdefault(table, {}).setdefault(column, what)
    return found


def choices(plan: Plan) -> dict[str, dict[str, str]]:
    """Columns whose value decides about rows and does not move, and what decides by it: an exclusion, or an identity
    link. `system.table` -> column -> words."""
    found: dict[str, dict[str, str]] = {}
    for table, column, what in (*_by_exclusions(plan), *_by_links(plan)):
        found.setdefault(table, {}).setdefault(column, what)
    return found


def table_left_out(plan: Plan, table: str) -> str | None:
    """The rule that leaves out every row of a table, if one does."""
    return next((e.rule for e in plan.file.exclusions if e.table == table and e.takes_every_row), None)


def _declared(plan: Plan) -> Iterator[Use]:
    for name, table in plan.source_tables.items():
        yield from ((name, column, "the table's key") for column in table.key)
        yield from ((name, column, f"the reference to {other}") for column, other in table.references.items())
        if table.updated_at is not None:
            yield name, table.updated_at, "updated_at"


def _by_entries(plan: Plan) -> Iterator[Use]:
    """A text that is cut, and of its entries what was taken along or no source has."""
    for name, table in plan.source_tables.items():
        if table.split is not None:
            holder = whose_text(name, table)
            yield from ((holder, c, f"the split of {name}") for c in (table.split.column, *table.split.carry))
            yield from ((name, c, f"the split of {holder}") for c in (*taken_along(plan, name), POSITION, ENTRY, FITS))


def _by_feeds(plan: Plan) -> Iterator[Use]:
    for feed in plan.feeds:
        for column in (*feed.unpivot, *(p.field for p in feed.where)):
            yield table_of(feed), column, f"the feed {feed.feed}"


def _by_mapping(plan: Plan) -> Iterator[Use]:
    for row in plan.mapping:
        for named in {*row.columns, *(p.field for p in predicates_of(row))} - {SOURCE_ID, NAME, VALUE}:
            table, column = place_of(plan, f"{row.system}.{row.table}", named)
            yield table, column, f"{row.entity}.{row.field}"


def _by_exclusions(plan: Plan) -> Iterator[Use]:
    for rule in plan.file.exclusions:
        stale = () if rule.stale is None else (rule.stale.column,)
        yield from ((rule.table, c, f"the exclusion {rule.rule}") for c in (*(p.field for p in rule.where), *stale))


def _by_links(plan: Plan) -> Iterator[Use]:
    for link in plan.file.identity.links:
        yield link.table, link.column, f"the identity link {link.name}"
