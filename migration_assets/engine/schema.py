"""Canonical types as engine types: the one place that says how a field is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    from migration_assets.domain.canonical.model import Field

DECIMAL = "decimal(28, 8)"
INSTANT = "timestamp('UTC', 6)"

_STORED = {"integer": "int64", "money": "int64", "decimal": DECIMAL, "boolean": "boolean", "date": "date"}
_STORED["instant"] = INSTANT


def stored_type(field: Field) -> str:
    """Ibis type of one canonical field; everything that is not listed is text."""
    return _STORED.get(field.type, "string")


def schema_of(fields: Iterable[Field]) -> ibis.Schema:
    """Ibis schema of canonical fields, in order."""
    return ibis.schema({f.name: stored_type(f) for f in fields})
