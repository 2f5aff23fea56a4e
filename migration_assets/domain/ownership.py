"""Whose word counts for a column of the target that others have changed since it was loaded. Pure.

`source`: the next load writes it. `target`: it stays as it is there. `most_recent`: whoever changed the row last.
`person`: it stays until a person has decided. Money, currencies, quantities and the dates of contracts are always a
person's, whatever a plan says.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from migration_assets.domain.canonical.model import Entity, Field

Owner = Literal["source", "target", "most_recent", "person"]
# What a person says of one such column: `source` writes it, `target` leaves it.
Word = Literal["source", "target"]
# `ask`: it stays for now, and a person is asked.
Fate = Literal["write", "keep", "ask"]

# What contracts, bills and entitlements are made of.
_CONTRACTS = ("transformed_entitlements", "transformed_billing")


def is_financial(entity: Entity, field: Field) -> bool:
    """Whether somebody may pay more or less, sooner or later, if the field is wrong."""
    if field.type in ("money", "currency", "decimal"):
        return True
    return entity.stage in _CONTRACTS and field.type in ("date", "instant", "integer")


def fate_of(
    owner: Owner | None, *, financial: bool, newer: bool | None = None, word: Word | None = None, repair: bool = False
) -> Fate:
    """What becomes of a column that others have changed.

    `owner`: as the plan says, or None where it says nothing: then a load asks, and a repair, which a person has
    ordered, writes. `newer`: whether the target's row was changed after the source's, None where that cannot be told.
    `word`: what a person has decided about these two values.
    """
    if word is not None and (financial or owner in (None, "most_recent", "person")):
        return "write" if word == "source" else "keep"
    if financial or owner == "person":
        return "ask"
    if owner is None:
        return "write" if repair else "ask"
    if owner == "most_recent":
        return "ask" if newer is None else "keep" if newer else "write"
    return "write" if owner == "source" else "keep"


def is_newer(theirs: str | None, ours: str | None) -> bool | None:
    """Whether the target's row was changed after the source's, of the instants that both sides give, as PostgreSQL
    writes them; None where one of them does not tell."""
    told = _instant(theirs), _instant(ours)
    return None if told[0] is None or told[1] is None else told[0] > told[1]


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # PostgreSQL leaves out the minutes of a zone that has none.
        return datetime.fromisoformat(text if text.count(":") > 2 else f"{text}:00")
    except ValueError:
        return None  # infinity, or a year that no calendar of ours has
