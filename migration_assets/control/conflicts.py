"""What others have changed in the target since it was loaded, and what persons have decided about it.

A conflict is one column of one row, and both values it could have; these are stored as keyed digests, so that an answer
holds for them and no others, and nobody learns them here. Answers, second persons and reasons are as in the review of
customers (`answers`, `signature`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from migration_assets.control.answers import Effect, Settled, outcome_of
from migration_assets.control.lock_numbers import Lock
from migration_assets.control.signature import reason_given
from migration_assets.control.tables import CONFLICT_DECISION, TARGET_CONFLICT
from migration_assets.domain.errors import BadInput
from migration_assets.domain.stakes import FourEyes, needs_two

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase

_LAST = 2**63 - 1
# Table, target id, column, and both values, sealed.
About = tuple[str, str, str, str, str]
_FOUND = ("cohort", "snapshot", "currency", "amount_minor", "last_seen", "asked", "open")


class Found(Protocol):
    """A conflict as a load tells it."""

    @property
    def about(self) -> About:
        """Table, target id, column, and both values, sealed."""

    @property
    def asked(self) -> bool:
        """Whether a person has to decide; else the plan has."""

    @property
    def currency(self) -> str | None:
        """Currency of the amount, where the column is money."""

    @property
    def amount_minor(self) -> int | None:
        """By how much both values differ, where they are money."""


@dataclass(frozen=True)
class TargetConflict:
    """A conflict in the queue. `answer` is what is decided, None while nothing is; `proposed` waits for a second
    person. `open`: the last load of its cohort still found it."""

    conflict_id: int
    table_name: str
    target_id: str
    column_name: str
    expected: str
    found: str
    cohort: str
    snapshot: str
    currency: str | None
    amount_minor: int | None
    asked: bool
    open: bool
    answer: Settled | None = None
    decided_by: str | None = None
    seconded_by: str | None = None
    proposed: Settled | None = None
    proposed_by: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a person has to look: nobody has answered, or a second one must."""
        return self.open and (self.proposed is not None or (self.asked and self.answer in (None, "open")))

    @property
    def about(self) -> About:
        return self.table_name, self.target_id, self.column_name, self.expected, self.found


class ConflictQueue:
    """One plan's conflicts in its control database. `four_eyes`: when one person's answer waits for a second person."""

    def __init__(self, control: ControlDatabase, plan: str, four_eyes: FourEyes = False) -> None:
        self._control, self._plan, self._four_eyes = control, plan, four_eyes

    def put(self, found: Iterable[Found], cohort: str, tables: Collection[str], snapshot: str, now: datetime) -> None:
        """What a load of these tables of a cohort has left: new ones join the queue, those it found no more are closed
        and stay as history."""
        rows = [self._row(f, cohort, snapshot, now) for f in found]
        c = TARGET_CONFLICT.c
        with self._control.begun(Lock.CONFLICTS) as connection:
            connection.execute(
                sa.update(TARGET_CONFLICT)
                .where(c.plan == self._plan, c.cohort == cohort, c.open, c.table_name.in_(sorted(tables)))
                .values(open=False)
            )
            if rows:
                new = insert(TARGET_CONFLICT)
                changed = {name: new.excluded[name] for name in _FOUND}
                put = new.on_conflict_do_update(constraint="target_conflict_of_values", set_=changed)
                connection.execute(put, rows)

    def conflicts(self, *, everything: bool = False) -> tuple[TargetConflict, ...]:
        """Those that wait for a person, the most money first, currencies apart; or all there ever were."""
        with self._control.begun() as connection:
            found = self._found(connection)
        return tuple(c for c in found if everything or c.waits)

    def decide(self, conflict_id: int, answer: Settled, *, by: str, reason: str, now: datetime) -> Effect:
        """Answer a conflict, with an entry in the audit log; what was answered before stays as history.

        BadInput without a proper reason, when the queue never had it, or when a second person has to agree.
        """
        reason = reason_given(reason)
        with self._control.begun(Lock.CONFLICTS) as connection:
            case = self._one(connection, conflict_id)
            done = outcome_of(
                answer, by, decided=case.answer, proposed=case.proposed, proposed_by=case.proposed_by,
                two=self._takes_two(case),
            )  # fmt: skip
            d, stands = CONFLICT_DECISION.c, done.effect == "decided"
            mine = sa.and_(d.conflict_id == conflict_id, d.current)
            gone = mine if stands else sa.and_(mine, ~d.effective)
            connection.execute(sa.update(CONFLICT_DECISION).where(gone).values(current=False))
            connection.execute(
                sa.insert(CONFLICT_DECISION).values(
                    conflict_id=conflict_id, answer=answer, reason=reason, decided_at=now, decided_by=done.by,
                    seconded_by=done.seconded_by, effective=stands, current=done.effect in ("decided", "proposed"),
                )
            )  # fmt: skip
            detail = {"answer": answer, "before": case.answer or "", "reason": reason}
            action, subject = f"conflict_{done.effect}", f"conflict {conflict_id}"
            self._control.audit_within(connection, by, action, subject, detail, now=now)
        return done.effect

    def words(self) -> Mapping[About, Literal["source", "target"]]:
        """What is decided, by what it is about. What waits for a second person is not."""
        with self._control.begun() as connection:
            return {c.about: c.answer for c in self._found(connection) if c.answer in ("source", "target")}

    def _takes_two(self, case: TargetConflict) -> bool:
        """By the money at stake; where that is unknown, only a plan that always asks for two does."""
        stakes = {} if case.currency is None or case.amount_minor is None else {case.currency: case.amount_minor}
        return needs_two(stakes, self._four_eyes) or (self._four_eyes is not False and case.seconded_by is not None)

    def _row(self, found: Found, cohort: str, snapshot: str, now: datetime) -> dict[str, Any]:
        names = ("table_name", "target_id", "column_name", "expected", "found")
        return {
            "plan": self._plan, **dict(zip(names, found.about, strict=True)), "cohort": cohort, "snapshot": snapshot,
            "currency": found.currency, "amount_minor": found.amount_minor, "first_seen": now, "last_seen": now,
            "asked": found.asked, "open": True,
        }  # fmt: skip

    def _one(self, connection: sa.Connection, conflict_id: int) -> TargetConflict:
        found = self._found(connection, conflict_id) if 0 < conflict_id <= _LAST else []
        if not found:
            raise BadInput(
                f"there is no conflict {conflict_id}", "`cutover review conflicts --all` shows those there are."
            )
        return found[0]

    def _found(self, connection: sa.Connection, conflict_id: int | None = None) -> list[TargetConflict]:
        c, decided, waiting = TARGET_CONFLICT.c, CONFLICT_DECISION.alias("decided"), CONFLICT_DECISION.alias("waiting")
        names = [n for n in TargetConflict.__dataclass_fields__ if n in c]
        joined = TARGET_CONFLICT.outerjoin(decided, _current(decided.c, effective=True)).outerjoin(
            waiting, _current(waiting.c, effective=False)
        )
        query = (
            sa.select(
                *(c[n] for n in names), decided.c.answer, decided.c.decided_by, decided.c.seconded_by,
                waiting.c.answer.label("proposed"), waiting.c.decided_by.label("proposed_by"),
            )
            .select_from(joined)
            .where(c.plan == self._plan, sa.true() if conflict_id is None else c.conflict_id == conflict_id)
            .order_by(c.amount_minor.desc().nulls_last(), c.conflict_id)
        )  # fmt: skip
        return [TargetConflict(**row) for row in connection.execute(query).mappings()]


def _current(d: Any, *, effective: bool) -> sa.ColumnElement[bool]:
    kind = d.effective if effective else ~d.effective
    return sa.and_(d.conflict_id == TARGET_CONFLICT.c.conflict_id, d.current, kind)
