"""Conflicts in the queue: found, closed, decided for two values, by two persons where money asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from migration_assets.control import ConflictQueue, ControlDatabase, migrate
from migration_assets.domain.errors import BadInput
from migration_assets.domain.stakes import FourEyes
from migration_assets.stages.load.conflicts import Conflict

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NAME = Conflict("accounts", "id-1", "name", True, "e1", "f1")
MONEY = Conflict("invoices", "id-2", "total_minor", True, "e2", "f2", "EUR", 5_000)


def queue(database: str, four_eyes: FourEyes = False, plan: str = "p") -> ConflictQueue:
    migrate(database)
    return ConflictQueue(ControlDatabase(database), plan, four_eyes)


def put(
    q: ConflictQueue,
    found: Iterable[Conflict],
    cohort: str = "pilot",
    tables: tuple[str, ...] = ("accounts", "invoices"),
) -> None:
    q.put(found, cohort, tables, "snap", NOW)


def test_what_waits_is_told_money_first_and_closes_when_a_load_finds_it_no_more(database: str) -> None:
    q = queue(database)
    put(q, [NAME, MONEY])
    put(q, [], cohort="other")
    put(q, [], tables=("users",))
    assert [(c.column_name, c.amount_minor) for c in q.conflicts()] == [("total_minor", 5_000), ("name", None)]
    assert queue(database, plan="another").conflicts(everything=True) == ()
    put(q, [NAME])
    assert [c.column_name for c in q.conflicts()] == ["name"]
    assert [c.open for c in q.conflicts(everything=True)] == [False, True]


def test_what_the_plan_decides_waits_for_nobody(database: str) -> None:
    q = queue(database)
    put(q, [Conflict("accounts", "id-1", "email", False, "e", "f")])
    assert q.conflicts() == () and len(q.conflicts(everything=True)) == 1


def test_an_answer_is_about_two_values_and_is_logged(database: str) -> None:
    q = queue(database)
    put(q, [NAME])
    (case,) = q.conflicts()
    assert q.decide(case.conflict_id, "target", by="ann", reason="support corrected it", now=NOW) == "decided"
    assert dict(q.words()) == {NAME.about: "target"} and q.conflicts() == ()
    other = Conflict("accounts", "id-1", "name", True, "e1", "f-changed-again")
    put(q, [other])
    assert [c.about for c in q.conflicts()] == [other.about]
    assert q.decide(case.conflict_id, "open", by="ann", reason="not so sure", now=NOW) == "decided"
    assert dict(q.words()) == {}


def test_two_have_to_agree_where_the_plan_asks_for_it(database: str) -> None:
    q = queue(database, {"EUR": 5_000})
    put(q, [MONEY, NAME])
    money, name = q.conflicts()
    assert q.decide(name.conflict_id, "source", by="ann", reason="as the source has it", now=NOW) == "decided"
    assert q.decide(money.conflict_id, "source", by="ann", reason="a slip", now=NOW) == "proposed"
    assert MONEY.about not in q.words() and [c.proposed for c in q.conflicts()] == ["source"]
    with pytest.raises(BadInput, match="four eyes"):
        q.decide(money.conflict_id, "source", by="Ann", reason="a slip", now=NOW)
    assert q.decide(money.conflict_id, "source", by="bob", reason="agreed", now=NOW) == "decided"
    assert q.words()[MONEY.about] == "source"


def test_no_such_conflict_and_no_reason_are_bad_input(database: str) -> None:
    q = queue(database)
    put(q, [NAME])
    for number, reason in ((99, "why"), (2**70, "why"), (1, " ")):
        with pytest.raises(BadInput):
            q.decide(number, "source", by="ann", reason=reason, now=NOW)
