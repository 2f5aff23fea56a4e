"""Pairs of customers that look alike: people among people and companies among companies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migration_assets.stages.identities.kits import COMPANY, PERSON
from migration_assets.stages.identities.likeness import PAIRS, scored
from migration_assets.stages.identities.records import of_speakers, records, speakers
from migration_assets.stages.identities.standing import Standing

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What the model samples its chance agreements with: the same rows give the same pairs.
_SEED = 1


@dataclass(frozen=True)
class Alike:
    """`pairs` (likeness.PAIRS), the models that found them as plain JSON, and how many records had values that too many
    share to be compared (likeness.Scored), both by kit."""

    pairs: pa.Table
    models: dict[str, dict[str, Any]]
    crowded: dict[str, dict[str, int]]


def likely_pairs(
    engine: DuckDBEngine,
    customers: ir.Table,
    addresses: ir.Table | None,
    rows: Standing,
    *,
    floor: float,
    spill_to: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Alike:
    """Pairs of standardized customers at or above the probability `floor`. What links tie together is one record, under
    the founder's key."""
    known = engine.cached(rows.spoken_for(engine))
    whole = engine.cached(speakers(customers, known))
    places = None if addresses is None else engine.cached(of_speakers(addresses, known))
    found, models, crowded = [], {}, {}
    for kit in (PERSON, COMPANY):
        say(f"looking for {kit.name} records that are alike")
        compared = records(engine, kit.name, whole, places)
        made = scored(compared, kit, floor=floor, seed=_SEED, spill_to=spill_to)
        found.append(made.pairs.select(list(PAIRS)))
        models[kit.name], crowded[kit.name] = made.model, made.crowded
    return Alike(pa.concat_tables(found), models, crowded)
