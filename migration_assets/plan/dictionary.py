"""The data dictionary as markdown: every entity and field of the canonical model, and which source columns feed it.

Meaning, type and sensitivity are the model's; what feeds a field is the plan's. Like every document, it shows no data.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.domain.canonical import ENTITIES, Entity, Field
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.plan.comparison import Columns, old_type
from migration_assets.plan.markdown import cell, table
from migration_assets.plan.models import Feed, MappingRow, Plan

_FIELDS = ("field", "type", "required", "meaning", "sensitivity", "fed by")
_OPENNESS = ("public", "internal", "personal", "secret")


def data_dictionary(plan: Plan, columns: Columns | None = None) -> str:
    """Every canonical entity with its fields. `columns` (column -> type by `system.table`) adds old types."""
    return "\n".join(_parts(plan, columns or {}))


def _parts(plan: Plan, columns: Columns) -> Iterator[str]:
    yield f"# Data dictionary: {cell(plan.file.title)}\n"
    yield "The canonical model, to which every source is mapped and from which every target table is filled.\n"
    for entity in ENTITIES.values():
        yield f"## {entity.name}\n"
        yield f"{cell(entity.description)} Made in `{entity.stage}`, {_origin(plan, entity)}.\n"
        yield table(_FIELDS, (_field_row(plan, entity, field, columns) for field in entity.fields))
    yield "## Where a row came from\n\nEvery row of every entity has these fields as well.\n"
    yield table(_FIELDS[:5], (_described(f, f.sensitivity) for f in PROVENANCE))


def _origin(plan: Plan, entity: Entity) -> str:
    if entity.origin == "catalog" and not plan.feeds_of(entity.name):
        return "from `geo.csv`" if entity.name == "geo_rule" else "from `catalog.yaml`"
    if entity.origin == "derived":
        return "derived by the program"
    tables = dict.fromkeys(f"`{f.system}.{f.table}`" for f in plan.feeds_of(entity.name))
    return f"from {', '.join(tables)}" if tables else "which this plan does not feed"


def _field_row(plan: Plan, entity: Entity, field: Field, columns: Columns) -> tuple[str, ...]:
    rows = [r for r in plan.mapping if (r.entity, r.field) == (entity.name, field.name)]
    # A plan may be stricter than the model, never more open (`plan.checks.rows`).
    sensitivity = max((field.sensitivity, *(r.sensitivity for r in rows)), key=_OPENNESS.index)
    # Two feeds of one table (persons and companies, say) often map a field alike: told once.
    fed_by = dict.fromkeys(_fed_by(plan, entity, field, rows, columns))
    return (*_described(field, sensitivity), "; ".join(fed_by))


def _described(field: Field, sensitivity: str) -> tuple[str, ...]:
    required = "yes" if field.required else ""
    return field.name, _type(field), required, field.description, sensitivity


def _type(field: Field) -> str:
    if field.codes:
        return f"code: {', '.join(field.codes)}"
    return f"{field.type} to {field.references}" if field.references else field.type


def _fed_by(plan: Plan, entity: Entity, field: Field, rows: list[MappingRow], columns: Columns) -> Iterator[str]:
    feeds = {f.feed: f for f in plan.feeds_of(entity.name)}
    if field.type == "key" and entity.origin == "source":
        yield from (_key_of(plan, feed) for feed in feeds.values())
    yield from (_row_feeds(plan, row, feeds.get(row.feed), columns) for row in rows)
    for rule in (r for r in plan.enrichment if (r.entity, r.field) == (entity.name, field.name)):
        read = ", ".join(f"{rule.reads_of or rule.entity}.{name}" for name in rule.reads)
        yield f"where missing: {read} by enricher {rule.enricher} ({rule.source})"


def _key_of(plan: Plan, feed: Feed) -> str:
    name = f"{feed.system}.{feed.table}"
    declared = plan.source_tables.get(name)
    key = ", ".join(declared.key) if declared else ""
    return f"{name} key {key}{' and the name of the column' if feed.unpivot else ''}"


def _row_feeds(plan: Plan, row: MappingRow, feed: Feed | None, columns: Columns) -> str:
    """`crm.accounts: name (text) by trim`; a constant has no column."""
    kinds = {c: old_type(plan, row, c, feed, columns) for c in row.columns}
    named = [f"{c} ({kind})" if kind else c for c, kind in kinds.items()]
    return f"{row.system}.{row.table}: {', '.join(named) or 'no column'} by {row.rule}"
