"""A feed as plain data: which table makes rows of which entity, and by which rule each field gets its value.

The engine knows no plans; whoever has one fills this in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from migration_assets.domain.predicates import Predicate


@dataclass(frozen=True)
class FieldRule:
    """How one field gets its value. `on_error` empty means reject for a required field, else set_aside."""

    field: str
    rule: str
    columns: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    on_error: Literal["reject", "set_aside", ""] = ""


@dataclass(frozen=True)
class FeedSpec:
    """One feed as plain data. `exponents` are currency exponents that override ISO 4217. `entries`: the rows
    are entries of a text (`engine.entries`), of which those that could not be read are rejected."""

    feed: str
    entity: str
    system: str
    table: str
    key: tuple[str, ...]
    fields: tuple[FieldRule, ...]
    updated_at: str | None = None
    where: tuple[Predicate, ...] = ()
    unpivot: tuple[str, ...] = ()
    entries: bool = False
    codes: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    exponents: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def source(self) -> str:
        """`system.table`."""
        return f"{self.system}.{self.table}"
