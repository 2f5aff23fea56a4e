"""Looks at the sources after the load: when, what each found, what was done about it, and how long changes waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa

from migration_assets.control.tables import DELTA_TABLE, DELTA_TICK

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase

# `quiet`: nothing had changed; `failed`: something stopped it, and `reason` says what.
TickState = Literal["running", "quiet", "done", "failed"]
_COUNTS = ("rows_before", "rows_after", "inserted", "updated", "deleted", "late_inserted", "late_updated")


class Changes(Protocol):
    """What a look found of one table; `stages.golden_copy.changes.TableChanges` has this shape."""

    @property
    def table(self) -> str: ...

    @property
    def rows_before(self) -> int: ...

    @property
    def rows_after(self) -> int: ...

    @property
    def inserted(self) -> int: ...

    @property
    def updated(self) -> int: ...

    @property
    def deleted(self) -> int: ...

    @property
    def late_inserted(self) -> int: ...

    @property
    def late_updated(self) -> int: ...


@dataclass(frozen=True)
class Tick:
    """One look. `seen_at`: the state of the sources that was looked at. `lag_seconds`: from the state that the tick
    before had seen to the end of this one; None where it is the first, or has not ended."""

    tick_id: int
    state: TickState
    thorough: bool
    snapshot_before: str
    snapshot_after: str | None
    seen_at: datetime
    ended_at: datetime | None
    lag_seconds: int | None
    reason: str
    detail: Mapping[str, Any] = field(default_factory=dict)


class TickLog:
    """The ticks of one plan."""

    def __init__(self, control: ControlDatabase, plan: str) -> None:
        self._control, self._plan = control, plan

    def begin(self, snapshot: str, *, thorough: bool, now: datetime) -> int:
        """Note that a look begins; returns its number. One that never ended was broken off."""
        t = DELTA_TICK.c
        broken_off = {"state": "failed", "ended_at": now, "reason": "broken off"}
        with self._control.begun() as connection:
            running = (t.plan == self._plan) & (t.state == "running")
            connection.execute(sa.update(DELTA_TICK).where(running).values(**broken_off))
            made = sa.insert(DELTA_TICK).values(
                plan=self._plan, state="running", thorough=thorough, snapshot_before=snapshot, seen_at=now
            )
            return int(connection.execute(made.returning(t.tick_id)).scalar_one())

    def end(
        self,
        tick_id: int,
        state: TickState,
        *,
        now: datetime,
        snapshot: str | None = None,
        changes: Sequence[Changes] = (),
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> Tick:
        """Note how a look ended. The database refuses changes that do not add up."""
        t = DELTA_TICK.c
        before = self.last_seen(before=tick_id)
        ended = {
            "state": state,
            "ended_at": now,
            "snapshot_after": snapshot,
            "lag_seconds": None if before is None else int((now - before).total_seconds()),
            "reason": reason,
            "detail": dict(detail or {}),
        }
        rows = [{"tick_id": tick_id, "table": c.table, **{n: getattr(c, n) for n in _COUNTS}} for c in changes]
        with self._control.begun() as connection:
            connection.execute(sa.update(DELTA_TICK).where(t.tick_id == tick_id).values(**ended))
            if rows:
                connection.execute(sa.insert(DELTA_TABLE), rows)
            found = connection.execute(sa.select(*_OF_TICK).where(t.tick_id == tick_id)).mappings().one()
        return Tick(**found)

    def last(self, limit: int = 1) -> tuple[Tick, ...]:
        """The latest ticks, newest first."""
        t = DELTA_TICK.c
        query = sa.select(*_OF_TICK).where(t.plan == self._plan).order_by(t.tick_id.desc()).limit(limit)
        with self._control.begun() as connection:
            return tuple(Tick(**row) for row in connection.execute(query).mappings())

    def last_seen(self, before: int | None = None) -> datetime | None:
        """The latest state of the sources that has been brought over, or was found to be no other; None before the
        first."""
        t = DELTA_TICK.c
        earlier = sa.true() if before is None else t.tick_id < before
        query = sa.select(sa.func.max(t.seen_at)).where(t.plan == self._plan, t.state.in_(["quiet", "done"]), earlier)
        with self._control.begun() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def tables(self, tick_id: int) -> tuple[Mapping[str, Any], ...]:
        """What a tick found of each table that had changed, by name."""
        t = DELTA_TABLE.c
        query = sa.select(DELTA_TABLE).where(t.tick_id == tick_id).order_by(t.table)
        with self._control.begun() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())


_OF_TICK = [c for c in DELTA_TICK.columns if c.name != "plan"]
