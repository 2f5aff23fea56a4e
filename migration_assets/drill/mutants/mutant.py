"""One mechanical mutant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migration_assets.drill.changes import PlanChange, Statement


@dataclass(frozen=True)
class Mutant:
    """`id` says what was done where, such as `mapping/invoice.csv:invoice.due_on:drop`. `entities`: whose rows may be
    others now; empty where that is not known beforehand."""

    id: str
    place: Literal["mapping", "codes", "catalog", "target"]
    change: PlanChange | Statement
    entities: frozenset[str] = frozenset()
