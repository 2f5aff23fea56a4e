"""Which customer rows stood together when the source still had both, so that one can stand for the other when it left.

The crosswalk forgets a row with the load after it left; what a person said of it, and that it was erased, must not be
forgotten with it. Only keys are stored, and for as long as one of the two is gone (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from migration_assets.control.lock_numbers import Lock
from migration_assets.control.tables import CUSTOMER_KIN

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase

# What the one row is to the other. `link`: the source declared them to be one customer, and a person has answered about
# the first; `group`: they were one customer for another reason. The others are of rows that were erased. `erased`:
# surely one customer with it; `asked`: one customer of the target with it, and a person is asked; `held`: like it, and
# not loaded until a person has answered.
Kind = Literal["link", "group", "erased", "asked", "held"]


@dataclass(frozen=True, order=True)
class Kin:
    """Two rows that stood together, whether or not they were one person's: `kin_id` speaks for `customer_id` (both
    canonical keys) when the source has lost it."""

    customer_id: str
    kin_id: str
    kind: Kind


class KinMemory:
    """What one plan's runs remember."""

    def __init__(self, control: ControlDatabase, plan: str) -> None:
        self._control, self._plan = control, plan

    def known(self) -> tuple[Kin, ...]:
        """All that is remembered, in order."""
        c = CUSTOMER_KIN.c
        query = sa.select(c.customer_id, c.kin_id, c.kind).where(c.plan == self._plan)
        with self._control.begun() as connection:
            return tuple(sorted(Kin(*row) for row in connection.execute(query)))

    def keep(self, found: Collection[Kin], *, kept: Collection[Kin], snapshot: str, now: datetime) -> None:
        """Remember what a run found in place of what was known, but for what is `kept`."""
        c = CUSTOMER_KIN.c
        rows = [
            {"plan": self._plan, **vars(k), "snapshot": snapshot, "noted_at": now} for k in sorted({*found} - {*kept})
        ]
        held = sa.select(*(sa.func.unnest(sa.cast(part, sa.ARRAY(sa.Text))) for part in _columns(sorted(kept))))
        with self._control.begun(Lock.KIN) as connection:
            connection.execute(
                sa.delete(CUSTOMER_KIN).where(
                    c.plan == self._plan, sa.tuple_(c.customer_id, c.kin_id, c.kind).not_in(held)
                )
            )
            if rows:
                connection.execute(sa.insert(CUSTOMER_KIN), rows)


def _columns(kin: Collection[Kin]) -> tuple[list[str], list[str], list[str]]:
    return [k.customer_id for k in kin], [k.kin_id for k in kin], [k.kind for k in kin]
