"""Mechanical mutants: every row of the mapping and of the code lists, every value of the catalog, every column of the
target, each made wrong in every way there is a machine for. Nothing here knows how they could be found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from migration_assets.drill.mutants.catalog import catalog_mutants
from migration_assets.drill.mutants.codes import code_mutants
from migration_assets.drill.mutants.mapping import mapping_mutants
from migration_assets.drill.mutants.mutant import Mutant
from migration_assets.drill.mutants.target import target_mutants
from migration_assets.plan.models import Plan

__all__ = ["Mutant", "drawn", "mutants_of"]


def mutants_of(plan: Plan) -> tuple[Mutant, ...]:
    """Every mutant of a plan."""
    return (*mapping_mutants(plan), *code_mutants(plan), *catalog_mutants(plan), *target_mutants(plan))


def drawn(mutants: Sequence[Mutant], seed: int, count: int | None) -> list[Mutant]:
    """So many of them, or all (None), by lot: the same seed draws the same."""
    if count is None or count >= len(mutants):
        return list(mutants)
    lots = sorted(mutants, key=lambda m: hashlib.md5(f"{seed}/{m.id}".encode(), usedforsecurity=False).digest())
    return lots[:count]
