"""Pairs of customers that look alike: people among people and companies among companies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.engine.parts import parted
from migration_assets.stages.identities.kits import COMPANY, PERSON, Kit
from migration_assets.stages.identities.likeness import PAIRS, Scored, scored
from migration_assets.stages.identities.records import of_speakers, records, speakers
from migration_assets.stages.identities.standing import Standing

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# What the model samples its chance agreements with: the same rows give the same pairs.
_SEED = 1
# Rows whose first values are found at once: while they are sought, none of them can leave the memory.
_AT_ONCE = 250_000


@dataclass(frozen=True)
class Alike:
    """What each kit's model made of its records, by the kit's name."""

    scored: Mapping[str, Scored]

    @property
    def pairs(self) -> pa.Table:
        """Likely pairs of all kits (likeness.PAIRS)."""
        return pa.concat_tables(made.pairs.select(list(PAIRS)) for made in self.scored.values())


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
    parts = -(-engine.count(known) // _AT_ONCE)
    whole = engine.cached(*(speakers(customers, part) for part in parted(known, "speaker", parts)))
    places = None if addresses is None else engine.cached(of_speakers(addresses, known))

    def found(kit: Kit) -> Scored:
        say(f"looking for {kit.name} records that are alike")
        compared = records(engine, kit.name, whole, places)
        with engine.resting():
            return scored(compared, kit, floor=floor, seed=_SEED, spill_to=spill_to)

    return Alike({kit.name: found(kit) for kit in (PERSON, COMPANY)})
