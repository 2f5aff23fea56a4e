"""The review queue: pairs of customers that wait for a person, and what was answered. Decisions outlive re-runs.

Only keys and amounts are stored; who is behind them is looked up where the rows lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from migration_assets.control.answers import Answer, Effect, Outcome, outcome_of
from migration_assets.control.lock_numbers import Lock
from migration_assets.control.signature import reason_given
from migration_assets.control.tables import REVIEW_CASE, REVIEW_DECISION
from migration_assets.domain.errors import BadInput
from migration_assets.domain.stakes import Amounts, FourEyes, needs_two

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase

Pair = tuple[str, str]
# Reason of a case that no run has found in doubt: a person took apart what had been merged.
UNMERGED = "unmerged"
# What a run finds of a case anew each time.
_FOUND = ("rule", "probability", "reason", "snapshot", "last_seen", "open", "stakes", "rank")
# The largest number that the database can give a case.
_LAST_CASE = 2**63 - 1


@dataclass(frozen=True)
class Doubted:
    """A pair as a run found it: canonical customer keys, the evidence (a key of the plan or `likeness`), how probable
    that makes it that they are one, why a machine may not decide, and what money is at stake (domain.stakes)."""

    a: str
    b: str
    rule: str
    probability: float
    reason: str
    stakes: Amounts = field(default_factory=dict)
    rank: Decimal = Decimal(0)

    @property
    def pair(self) -> Pair:
        """Both keys in the order in which the queue has them."""
        return min(self.a, self.b), max(self.a, self.b)


@dataclass(frozen=True)
class Case:
    """A pair in the queue. `answer` is what is decided, None while nothing is; `proposed` waits for a second person.

    `open`: the last run, on `snapshot`, still found the pair in doubt.
    """

    case_id: int
    a: str
    b: str
    rule: str
    probability: float
    reason: str
    snapshot: str
    open: bool
    stakes: Amounts = field(default_factory=dict)
    rank: Decimal = Decimal(0)
    answer: Answer | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    seconded_by: str | None = None
    proposed: Answer | None = None
    proposed_by: str | None = None
    proposed_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether somebody has to look: nobody has answered, a second person must, or the answer contradicts others."""
        unanswered = self.answer in (None, "open") or self.reason == "contradicted"
        return self.proposed is not None or (self.open and unanswered)

    def takes_two(self, four_eyes: FourEyes) -> bool:
        """Whether an answer needs a second person: by what is at stake, or because it is about what two have decided,
        be there less at stake by now. Nothing does where the plan asks for no four eyes."""
        return needs_two(self.stakes, four_eyes) or (four_eyes is not False and self.seconded_by is not None)


@dataclass(frozen=True)
class Reply:
    """An answer to a case, and why. `seen`: the case as whoever answers saw it, where that was some time ago."""

    case_id: int
    answer: Answer
    reason: str
    seen: Case | None = None


class ReviewQueue:
    """One plan's queue in its control database. `four_eyes`: when one person's answer waits for a second person."""

    def __init__(self, control: ControlDatabase, plan: str, four_eyes: FourEyes = False) -> None:
        self._control, self._plan, self._four_eyes = control, plan, four_eyes

    def put(self, doubts: Iterable[Doubted], snapshot: str, now: datetime) -> None:
        """The pairs in doubt as the run of this snapshot found them: new ones join the queue, those it found no more
        are closed and stay as history."""
        c, rows = REVIEW_CASE, [self._row(d, snapshot, now) | {"open": True} for d in doubts]
        with self._control.begun(Lock.REVIEWS) as connection:
            connection.execute(sa.update(c).where(c.c.plan == self._plan, c.c.open).values(open=False))
            if rows:
                self._put(connection, rows, _FOUND)

    def cases(self, *, everything: bool = False) -> tuple[Case, ...]:
        """Pairs that wait for a person, or for a second one, most at stake first, then the likeliest; or all there ever
        were."""
        with self._control.begun() as connection:
            found = self._found(connection)
        return tuple(c for c in found if everything or c.waits)

    def case(self, case_id: int) -> Case:
        """One pair; BadInput when the queue never had it."""
        with self._control.begun() as connection:
            return self._one(connection, case_id)

    def decide(self, case_id: int, answer: Answer, *, by: str, reason: str, now: datetime) -> Case:
        """Answer a case, with an entry in the audit log. What was answered before stays as history.

        BadInput without a proper reason (signature), when the queue never had the case, or when a second person has to
        agree (answers).
        """
        self.decide_all([Reply(case_id, answer, reason)], by=by, now=now)
        return self.case(case_id)

    def decide_all(self, replies: Sequence[Reply], *, by: str, now: datetime) -> list[Effect]:
        """Answer cases, all or none, and say what each answer did. BadInput as in `decide`, and when a case is not any
        more as it was seen."""
        with self._control.begun(Lock.REVIEWS) as connection:
            done = []
            for reply in replies:
                case = self._one(connection, reply.case_id)
                if reply.seen is not None and reply.seen != case:
                    raise BadInput(f"case {case.case_id} has changed meanwhile", "Look at it again, then answer.")
                two = case.takes_two(self._four_eyes)
                done.append(self._answered(connection, case, reply, by, now, two=two))
        return done

    def part(self, pairs: Sequence[Doubted], *, by: str, reason: str, now: datetime, snapshot: str) -> list[Effect]:
        """Say of each pair that it is not one customer, all or none; a pair that was never in doubt gets a case, so
        that the answer can be taken back. Pairs that are parted already are passed over.

        A case that is there already has from now on what is at stake now. Where four eyes are asked for one of the
        pairs, they are for all. BadInput as in `decide`.
        """
        reason = reason_given(reason)
        with self._control.begun(Lock.REVIEWS) as connection:
            rows = [self._row(d, snapshot, now) | {"open": False} for d in pairs]
            if rows:
                self._put(connection, rows, ("stakes", "rank"))
            known = {(c.a, c.b): c for c in self._found(connection)}
            two = any(known[d.pair].takes_two(self._four_eyes) for d in pairs)
            cases = [known[d.pair] for d in pairs if known[d.pair].answer != "apart"]
            return [
                self._answered(connection, case, Reply(case.case_id, "apart", reason), by, now, two=two)
                for case in cases
            ]

    def decisions(self) -> Mapping[Pair, bool]:
        """What is decided: pair (a < b) -> whether it is one customer. What waits for a second person is not."""
        return {pair: answer == "same" for pair, answer in self._in_force().items() if answer != "open"}

    def reopened(self) -> frozenset[Pair]:
        """Pairs (a < b) whose answer was taken back: they are looked at as if they had never been one."""
        return frozenset(pair for pair, answer in self._in_force().items() if answer == "open")

    def _in_force(self) -> dict[Pair, Answer]:
        d = REVIEW_DECISION.c
        query = sa.select(d.a, d.b, d.answer).where(d.plan == self._plan, d.current, d.effective).order_by(d.a, d.b)
        with self._control.begun() as connection:
            return {(a, b): answer for a, b, answer in connection.execute(query)}

    def _put(self, connection: sa.Connection, rows: list[dict[str, Any]], renewed: Sequence[str]) -> None:
        """Cases of these rows; of those that are there already, what is to be `renewed`."""
        new = insert(REVIEW_CASE)
        changed = {name: new.excluded[name] for name in renewed}
        connection.execute(new.on_conflict_do_update(constraint="review_case_of_pair", set_=changed), rows)

    def _row(self, doubted: Doubted, snapshot: str, now: datetime) -> dict[str, Any]:
        a, b = doubted.pair
        # Text keeps amounts exact: JSON readers turn large numbers into floats.
        stakes = {currency: str(minor) for currency, minor in doubted.stakes.items()}
        return {
            "plan": self._plan, "a": a, "b": b, "rule": doubted.rule, "probability": doubted.probability,
            "reason": doubted.reason, "snapshot": snapshot, "first_seen": now, "last_seen": now, "stakes": stakes,
            "rank": doubted.rank,
        }  # fmt: skip

    def _found(self, connection: sa.Connection, case_id: int | None = None) -> list[Case]:
        c, current, waiting = REVIEW_CASE.c, REVIEW_DECISION.alias("decided"), REVIEW_DECISION.alias("waiting")
        d, w = current.c, waiting.c
        names = ("case_id", "a", "b", "rule", "probability", "reason", "snapshot", "open", "stakes", "rank")
        query = (
            sa.select(
                *(c[n] for n in names),
                d.answer, d.decided_by, d.decided_at, d.seconded_by,
                w.answer.label("proposed"), w.decided_by.label("proposed_by"), w.decided_at.label("proposed_at"),
            )
            .select_from(
                REVIEW_CASE.outerjoin(current, _current(d, effective=True)).outerjoin(
                    waiting, _current(w, effective=False)
                )
            )
            .where(c.plan == self._plan, sa.true() if case_id is None else c.case_id == case_id)
            .order_by(c.rank.desc(), c.probability.desc(), c.case_id)
        )  # fmt: skip
        return [_as_case(row) for row in connection.execute(query).mappings()]

    def _one(self, connection: sa.Connection, case_id: int) -> Case:
        found = self._found(connection, case_id) if 0 < case_id <= _LAST_CASE else []
        if not found:
            raise BadInput(f"the queue has no case {case_id}", "`cutover review list --all` shows those there are.")
        return found[0]

    def _answered(
        self, connection: sa.Connection, case: Case, reply: Reply, by: str, now: datetime, *, two: bool
    ) -> Effect:
        reason = reason_given(reply.reason)
        done = outcome_of(
            reply.answer, by, decided=case.answer, proposed=case.proposed, proposed_by=case.proposed_by, two=two
        )
        d, stands = REVIEW_DECISION.c, done.effect == "decided"
        mine = sa.and_(d.plan == self._plan, d.a == case.a, d.b == case.b, d.current)
        # Whatever waits for a second person is overtaken; what is in force goes only for something else in force.
        gone = mine if stands else sa.and_(mine, ~d.effective)
        connection.execute(sa.update(REVIEW_DECISION).where(gone).values(current=False))
        connection.execute(
            sa.insert(REVIEW_DECISION).values(
                plan=self._plan, a=case.a, b=case.b, answer=reply.answer, reason=reason, decided_at=now,
                decided_by=done.by, seconded_by=done.seconded_by, effective=stands,
                current=done.effect in ("decided", "proposed"),
            )
        )  # fmt: skip
        detail = {"answer": reply.answer, "before": case.answer or "", "reason": reason, **_first(case, done)}
        action, subject = f"review_{done.effect}", f"case {case.case_id}"
        self._control.audit_within(connection, by, action, subject, detail, now=now)
        return done.effect


def _first(case: Case, done: Outcome) -> dict[str, str]:
    """Who had answered before, where the answer is about theirs."""
    return {} if case.proposed is None or done.effect == "proposed" else {"proposed_by": case.proposed_by or ""}


def _current(d: Any, *, effective: bool) -> sa.ColumnElement[bool]:
    c = REVIEW_CASE.c
    kind = d.effective if effective else ~d.effective
    return sa.and_(d.plan == c.plan, d.a == c.a, d.b == c.b, d.current, kind)


def _as_case(row: sa.RowMapping) -> Case:
    return Case(**{**row, "stakes": {currency: int(minor) for currency, minor in row["stakes"].items()}})
