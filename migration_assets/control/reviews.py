"""The review queue: pairs of customers that wait for a person, and what was answered. Decisions outlive re-runs.

Only keys are stored; who is behind them is looked up where the rows lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from migration_assets.control.tables import REVIEW_CASE, REVIEW_DECISION
from migration_assets.domain.errors import BadInput

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase

# `same` and `apart` tie or part two customers from the next run on; `open` takes an answer back.
Answer = Literal["same", "apart", "open"]
Pair = tuple[str, str]
_LOCK = 7_301_007


@dataclass(frozen=True)
class Doubted:
    """A pair as a run found it: canonical customer keys, the evidence (a key of the plan or `likeness`), how probable
    that makes it that they are one, and why a machine may not decide."""

    a: str
    b: str
    rule: str
    probability: float
    reason: str


@dataclass(frozen=True)
class Case:
    """A pair in the queue. `answer` is what was decided last, None while nobody has."""

    case_id: int
    a: str
    b: str
    rule: str
    probability: float
    reason: str
    open: bool
    answer: Answer | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class ReviewQueue:
    """One plan's queue in its control database."""

    def __init__(self, control: ControlDatabase, plan: str) -> None:
        self._control, self._plan = control, plan

    def put(self, doubts: Iterable[Doubted], snapshot: str, now: datetime) -> None:
        """The pairs in doubt as the run of this snapshot found them: new ones join the queue, those it found no more
        are closed and stay as history."""
        c = REVIEW_CASE
        rows = [
            {
                "plan": self._plan, "a": min(d.a, d.b), "b": max(d.a, d.b), "rule": d.rule,
                "probability": d.probability, "reason": d.reason, "snapshot": snapshot, "first_seen": now,
                "last_seen": now, "open": True,
            }
            for d in doubts
        ]  # fmt: skip
        with self._control.begun(_LOCK) as connection:
            connection.execute(sa.update(c).where(c.c.plan == self._plan, c.c.open).values(open=False))
            if rows:
                new = insert(c)
                kept = ("rule", "probability", "reason", "snapshot", "last_seen", "open")
                changed = {name: new.excluded[name] for name in kept}
                connection.execute(new.on_conflict_do_update(constraint="review_case_of_pair", set_=changed), rows)

    def cases(self, *, everything: bool = False) -> tuple[Case, ...]:
        """Open pairs without an answer, the likeliest first; or all there ever were."""
        c, d = REVIEW_CASE.c, REVIEW_DECISION.c
        answered = sa.and_(d.plan == c.plan, d.a == c.a, d.b == c.b, d.current)
        query = (
            sa.select(
                c.case_id, c.a, c.b, c.rule, c.probability, c.reason, c.open, d.answer, d.decided_by, d.decided_at
            )
            .select_from(REVIEW_CASE.outerjoin(REVIEW_DECISION, answered))
            .where(c.plan == self._plan)
            .order_by(c.probability.desc(), c.case_id)
        )
        if not everything:
            query = query.where(c.open, sa.or_(d.answer.is_(None), d.answer == "open"))
        with self._control.begun() as connection:
            return tuple(Case(**row) for row in connection.execute(query).mappings())

    def case(self, case_id: int) -> Case:
        """One pair; BadInput when the queue never had it."""
        found = next((c for c in self.cases(everything=True) if c.case_id == case_id), None)
        if found is None:
            raise BadInput(f"the queue has no case {case_id}", "`cutover review list --all` shows those there are.")
        return found

    def decide(self, case_id: int, answer: Answer, *, by: str, reason: str, now: datetime) -> Case:
        """Answer a case, with an entry in the audit log. What was answered before stays as history.

        BadInput without a reason, or when the queue never had the case.
        """
        if not reason.strip():
            raise BadInput("a decision needs a reason", "Say with --reason why they are, or are not, one customer.")
        case, d = self.case(case_id), REVIEW_DECISION.c
        pair = {"plan": self._plan, "a": case.a, "b": case.b}
        detail = {"answer": answer, "before": case.answer or "", "reason": reason}
        with self._control.begun(_LOCK) as connection:
            mine = sa.and_(d.plan == self._plan, d.a == case.a, d.b == case.b, d.current)
            connection.execute(sa.update(REVIEW_DECISION).where(mine).values(current=False))
            connection.execute(
                sa.insert(REVIEW_DECISION).values(
                    **pair, answer=answer, reason=reason, decided_by=by, decided_at=now, current=True
                )
            )
            self._control.audit_within(connection, by, "review_decided", f"case {case_id}", detail, now=now)
        return self.case(case_id)

    def decisions(self) -> Mapping[Pair, bool]:
        """What persons have decided: pair (a < b) -> whether it is one customer."""
        d = REVIEW_DECISION.c
        query = sa.select(d.a, d.b, d.answer).where(d.plan == self._plan, d.current, d.answer != "open")
        with self._control.begun() as connection:
            return {(a, b): answer == "same" for a, b, answer in connection.execute(query)}
