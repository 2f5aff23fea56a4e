"""The review queue on a real server: cases come and go, answers outlive them and are on record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from migration_assets.control import ControlDatabase, Doubted, ReviewQueue, migrate
from migration_assets.domain.errors import BadInput

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ONE = Doubted("crm.accounts:1", "crm.accounts:2", "likeness", 0.7, "unsure")
OTHER = Doubted("crm.accounts:9", "crm.accounts:3", "mailbox", 1.0, "two_payers")


@pytest.fixture
def control(database: str) -> Iterator[ControlDatabase]:
    migrate(database)
    yield ControlDatabase(database)


@pytest.fixture
def queue(control: ControlDatabase) -> ReviewQueue:
    made = ReviewQueue(control, "acme")
    made.put([ONE, OTHER], "S1", NOW)
    return made


def pairs(queue: ReviewQueue, *, everything: bool = False) -> list[tuple[str, str]]:
    return [(c.a[-1], c.b[-1]) for c in queue.cases(everything=everything)]


def test_open_cases_are_listed_the_likeliest_first_and_each_once(queue: ReviewQueue) -> None:
    assert pairs(queue) == [("3", "9"), ("1", "2")]
    before = queue.cases()
    queue.put([ONE, OTHER], "S2", LATER)
    assert queue.cases() == before, "the same pair is the same case"


def test_a_pair_that_is_found_no_more_is_closed_and_comes_back_as_the_same_case(queue: ReviewQueue) -> None:
    first = queue.cases()[0].case_id
    queue.put([ONE], "S2", LATER)
    assert pairs(queue) == [("1", "2")]
    assert pairs(queue, everything=True) == [("3", "9"), ("1", "2")]
    queue.put([ONE, OTHER], "S3", LATER)
    assert queue.cases()[0].case_id == first


def test_an_answer_takes_the_case_off_the_list_and_outlives_runs(queue: ReviewQueue) -> None:
    case = queue.cases()[0]
    done = queue.decide(case.case_id, "same", by="kim", reason="Same owner, told on the phone.", now=NOW)
    assert (done.answer, done.decided_by, done.decided_at) == ("same", "kim", NOW)
    queue.put([ONE, OTHER], "S2", LATER)
    assert pairs(queue) == [("1", "2")]
    assert queue.decisions() == {("crm.accounts:3", "crm.accounts:9"): True}


def test_an_answer_may_be_changed_and_taken_back(queue: ReviewQueue, control: ControlDatabase) -> None:
    case = queue.cases()[1].case_id
    for answer, reason in (("same", "Looks so."), ("apart", "Father and son."), ("open", "Not sure after all.")):
        queue.decide(case, answer, by="kim", reason=reason, now=LATER)
    assert queue.decisions() == {} and pairs(queue) == [("3", "9"), ("1", "2")]
    told = [(e.detail["before"], e.detail["answer"]) for e in control.audit_entries() if e.action == "review_decided"]
    assert told == [("", "same"), ("same", "apart"), ("apart", "open")]


def test_a_decision_needs_a_reason_and_a_case(queue: ReviewQueue) -> None:
    case = queue.cases()[0].case_id
    with pytest.raises(BadInput, match="needs a reason"):
        queue.decide(case, "same", by="kim", reason="  ", now=NOW)
    with pytest.raises(BadInput, match="no case 404"):
        queue.decide(404, "same", by="kim", reason="x", now=NOW)
    assert queue.decisions() == {}


def test_another_plan_has_a_queue_of_its_own(queue: ReviewQueue, control: ControlDatabase) -> None:
    other = ReviewQueue(control, "telco")
    other.put([], "S1", NOW)
    assert other.cases(everything=True) == () and len(queue.cases()) == 2
