"""What a mapping row means by itself: the field it fills, its arguments as the rule's own, the columns it reads.

Belongs here: what checks and documents alike ask of a row. Whether it is right is `plan.checks`; which rows a
reference leads to is `lookups`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from migration_assets.domain.canonical import ENTITIES, Entity
from migration_assets.domain.canonical.model import PROVENANCE, Field
from migration_assets.domain.predicates import Predicate
from migration_assets.engine.rules import REGISTRY
from migration_assets.plan.models import Feed, MappingRow

UPDATED_AT = next(f for f in PROVENANCE if f.name == "source_updated_at")
# What a feed offers beside raw columns; the last two only when it unpivots.
SOURCE_ID, NAME, VALUE = "_source_id", "_name", "_value"


def table_of(feed: Feed) -> str:
    """`system.table` of a feed."""
    return f"{feed.system}.{feed.table}"


def field_of(entity: Entity, name: str) -> Field | None:
    """The field of that name, if the entity has one."""
    return next((f for f in entity.fields if f.name == name), None)


def kept_field(entity: Entity, name: str) -> Field | None:
    """What a column of the target may keep: a field of the entity, or when the source last changed the row."""
    return field_of(entity, name) or (UPDATED_AT if name == UPDATED_AT.name else None)


def mapped_field(row: MappingRow) -> Field | None:
    """The canonical field a row fills, if it is one."""
    entity = ENTITIES.get(row.entity)
    return field_of(entity, row.field) if entity else None


def parsed_arguments(row: MappingRow) -> Any | None:
    """The arguments as the rule's own model; None where rule or arguments are wrong, which `plan.check` tells."""
    rule = REGISTRY.get(row.rule)
    try:
        return rule.arguments.model_validate(row.arguments) if rule else None
    except ValidationError:
        return None


def predicates_of(row: MappingRow) -> Iterator[Predicate]:
    """Every predicate among the arguments, whatever the argument is called."""
    arguments = parsed_arguments(row)
    for name in type(arguments).model_fields if arguments is not None else ():
        value = getattr(arguments, name)
        yield from (p for p in value if isinstance(p, Predicate)) if isinstance(value, tuple) else ()
