"""One fault to be planted: which invariant of the domain it breaks, where, and how. Of checks nothing is said here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from migration_assets.drill.changes import Change

Place = Literal["source", "catalog", "transformed", "loaded"]


@dataclass(frozen=True)
class Trap:
    """`id` begins with the invariant, such as `I4-...`. `asset`: whose rows are changed, where the place is
    `transformed`. `what`: the mistake in a sentence. All `changes` together are one fault."""

    id: str
    place: Place
    what: str
    changes: Sequence[Change]
    asset: str = ""

    @property
    def invariant(self) -> str:
        return self.id.partition("-")[0]


@dataclass(frozen=True)
class Waits:
    """What only time can bring, and which work has to be there before it can be planted."""

    id: str
    what: str
    waits_for: str
