"""The review queue on a real server: cases come and go, answers outlive them and are on record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from migration_assets.control import ControlDatabase, Doubted, Reply, ReviewQueue, migrate
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
    assert [replace(c, snapshot="S1") for c in queue.cases()] == list(before), "the same pair is the same case"


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


def test_an_answer_that_contradicts_others_comes_back(queue: ReviewQueue) -> None:
    first = queue.cases()[0]
    queue.decide(first.case_id, "same", by="kim", reason="Same passport.", now=NOW)
    queue.put([Doubted(first.a, first.b, "decision", 1.0, "contradicted")], "S2", NOW)
    assert [c.case_id for c in queue.cases()] == [first.case_id]


def test_what_was_taken_back_is_known_as_such(queue: ReviewQueue) -> None:
    first = queue.cases()[0]
    queue.decide(first.case_id, "same", by="kim", reason="Same passport.", now=NOW)
    assert queue.reopened() == frozenset()
    queue.decide(first.case_id, "open", by="kim", reason="It was another's.", now=NOW)
    assert queue.reopened() == {(first.a, first.b)}


def test_a_decision_needs_a_reason_and_a_case(queue: ReviewQueue) -> None:
    case = queue.cases()[0].case_id
    with pytest.raises(BadInput, match="needs a reason"):
        queue.decide(case, "same", by="kim", reason="  ", now=NOW)
    with pytest.raises(BadInput, match="no case 404"):
        queue.decide(404, "same", by="kim", reason="x", now=NOW)
    assert queue.decisions() == {}


@pytest.mark.parametrize("case_id", [0, -1, 2**63, 10**30])
def test_a_number_that_no_case_can_have_is_no_case(queue: ReviewQueue, case_id: int) -> None:
    with pytest.raises(BadInput, match="the queue has no case"):
        queue.decide(case_id, "same", by="kim", reason="x", now=NOW)


@pytest.mark.parametrize("reason", ["\u200b", "a\x00", "\udcff", "x" * 1_001])
def test_what_is_no_proper_reason_is_refused_and_nothing_is_written(
    queue: ReviewQueue, control: ControlDatabase, reason: str
) -> None:
    with pytest.raises(BadInput):
        queue.decide(queue.cases()[0].case_id, "same", by="kim", reason=reason, now=NOW)
    with pytest.raises(BadInput):
        queue.part([ONE], by="kim", reason=reason, now=NOW, snapshot="S1")
    assert queue.decisions() == {} and control.audit_entries() == ()


def test_a_reason_is_kept_without_blanks_around_it(queue: ReviewQueue, control: ControlDatabase) -> None:
    queue.decide(queue.cases()[0].case_id, "same", by="kim", reason=" Vater\nund Sohn ", now=NOW)
    assert [e.detail["reason"] for e in control.audit_entries()] == ["Vater\nund Sohn"]


def test_another_plan_has_a_queue_of_its_own(queue: ReviewQueue, control: ControlDatabase) -> None:
    other = ReviewQueue(control, "telco")
    other.put([], "S1", NOW)
    assert other.cases(everything=True) == () and len(queue.cases()) == 2


def test_what_is_most_at_stake_comes_first_then_the_likeliest(queue: ReviewQueue) -> None:
    queue.put([replace(ONE, stakes={"EUR": 2**62, "JPY": 7}, rank=Decimal("4.5")), OTHER], "S2", LATER)
    assert pairs(queue) == [("1", "2"), ("3", "9")]
    assert queue.cases()[0].stakes == {"EUR": 2**62, "JPY": 7}, "amounts come back to the last minor unit"


@pytest.fixture
def by_two(queue: ReviewQueue, control: ControlDatabase) -> ReviewQueue:
    """The same queue where two have to agree."""
    return ReviewQueue(control, "acme", four_eyes=True)


def answer(queue: ReviewQueue, case: int, what: str, by: str) -> None:
    queue.decide(case, what, by=by, reason="As told on the phone.", now=NOW)  # type: ignore[arg-type]


def test_an_answer_counts_when_a_second_person_has_given_it_too(by_two: ReviewQueue, control: ControlDatabase) -> None:
    case = by_two.cases()[0].case_id
    answer(by_two, case, "same", "kim")
    (waiting,) = [c for c in by_two.cases() if c.case_id == case]
    assert (waiting.answer, waiting.proposed, waiting.proposed_by) == (None, "same", "kim")
    assert by_two.decisions() == {}
    with pytest.raises(BadInput, match="four eyes"):
        answer(by_two, case, "same", "kim")
    answer(by_two, case, "same", "lee")
    done = by_two.case(case)
    assert (done.answer, done.decided_by, done.seconded_by, done.proposed) == ("same", "kim", "lee", None)
    assert by_two.decisions() == {("crm.accounts:3", "crm.accounts:9"): True}
    told = [(e.action, e.actor) for e in control.audit_entries() if e.action.startswith("review_")]
    assert told == [("review_proposed", "kim"), ("review_decided", "lee")]


def test_what_two_decided_stays_in_force_until_two_agree_otherwise(by_two: ReviewQueue) -> None:
    case = by_two.cases()[0].case_id
    for who in ("kim", "lee"):
        answer(by_two, case, "same", who)
    answer(by_two, case, "apart", "kim")
    assert by_two.decisions() == {("crm.accounts:3", "crm.accounts:9"): True}
    assert by_two.case(case).proposed == "apart" and case in [c.case_id for c in by_two.cases()]
    answer(by_two, case, "apart", "lee")
    assert by_two.decisions() == {("crm.accounts:3", "crm.accounts:9"): False}


def test_two_who_disagree_leave_the_case_open(by_two: ReviewQueue) -> None:
    case = by_two.cases()[0].case_id
    answer(by_two, case, "same", "kim")
    answer(by_two, case, "apart", "lee")
    again = by_two.case(case)
    assert (again.answer, again.proposed) == (None, None) and by_two.decisions() == {}


def test_four_eyes_may_be_asked_from_an_amount_on(queue: ReviewQueue, control: ControlDatabase) -> None:
    queue.put([replace(ONE, stakes={"EUR": 100}), replace(OTHER, stakes={"EUR": 99})], "S2", LATER)
    from_amount = ReviewQueue(control, "acme", four_eyes={"EUR": 100})
    for case in from_amount.cases():
        answer(from_amount, case.case_id, "same", "kim")
    assert from_amount.decisions() == {("crm.accounts:3", "crm.accounts:9"): True}


def test_several_answers_are_given_all_or_none(queue: ReviewQueue) -> None:
    first, second = queue.cases()
    replies = [Reply(first.case_id, "same", "Same owner.", seen=first), Reply(second.case_id, "apart", " ")]
    with pytest.raises(BadInput, match="needs a reason"):
        queue.decide_all(replies, by="kim", now=NOW)
    assert queue.decisions() == {}
    queue.put([ONE, replace(OTHER, probability=0.6)], "S2", LATER)
    with pytest.raises(BadInput, match="has changed meanwhile"):
        queue.decide_all(replies[:1], by="kim", now=NOW)
    assert queue.decisions() == {}


UNMERGED = Doubted("crm.accounts:2", "crm.accounts:7", "mailbox", 1.0, "unmerged", {"EUR": 5})


def test_what_was_never_in_doubt_may_be_parted_and_taken_back(queue: ReviewQueue) -> None:
    assert queue.part([UNMERGED], by="kim", reason="Two people.", now=NOW, snapshot="S1") == ["decided"]
    assert queue.decisions() == {("crm.accounts:2", "crm.accounts:7"): False}
    assert queue.part([UNMERGED], by="kim", reason="Two people.", now=NOW, snapshot="S1") == [], "it is parted already"
    assert len(queue.cases()) == 2, "nobody has to look at it"
    (case,) = [c for c in queue.cases(everything=True) if c.reason == "unmerged"]
    answer(queue, case.case_id, "open", "kim")
    assert queue.decisions() == {}


def test_parting_asks_for_four_eyes_as_any_answer_does(by_two: ReviewQueue) -> None:
    pairs = [UNMERGED, replace(ONE, reason="unmerged")]

    def part(who: str) -> list[str]:
        return list(by_two.part(pairs, by=who, reason="Two people.", now=NOW, snapshot="S1"))

    assert part("kim") == ["proposed", "proposed"] and by_two.decisions() == {}
    with pytest.raises(BadInput, match="four eyes"):
        part("kim")
    assert part("lee") == ["decided", "decided"]
    assert set(by_two.decisions().values()) == {False} and len(by_two.decisions()) == 2


def test_a_case_that_is_parted_has_what_is_at_stake_now(queue: ReviewQueue, control: ControlDatabase) -> None:
    queue.put([replace(ONE, stakes={"EUR": 100}, rank=Decimal(1))], "S1", NOW)
    from_amount, reason = ReviewQueue(control, "acme", four_eyes={"EUR": 100}), "Two people."
    now = replace(ONE, reason="unmerged", stakes={"EUR": 40, "JPY": 7}, rank=Decimal(7))
    assert from_amount.part([now], by="kim", reason=reason, now=NOW, snapshot="S1") == ["proposed"], "any yen counts"
    (case,) = queue.cases()
    assert (case.stakes, case.rank) == ({"EUR": 40, "JPY": 7}, Decimal(7))
    assert (case.reason, case.open) == ("unsure", True), "why a run found it is still so"


def test_what_two_decided_takes_two_also_when_less_is_at_stake(queue: ReviewQueue, control: ControlDatabase) -> None:
    from_amount = ReviewQueue(control, "acme", four_eyes={"EUR": 100})
    from_amount.put([replace(ONE, stakes={"EUR": 100})], "S1", NOW)
    (case,) = from_amount.cases()
    for who in ("kim", "lee"):
        answer(from_amount, case.case_id, "same", who)
    from_amount.put([replace(ONE, stakes={"EUR": 99})], "S2", LATER)
    answer(from_amount, case.case_id, "apart", "max")
    assert from_amount.decisions() == {ONE.pair: True} and from_amount.case(case.case_id).proposed == "apart"
    answer(ReviewQueue(control, "acme"), case.case_id, "apart", "max")
    assert from_amount.decisions() == {ONE.pair: False}, "a plan that asks for no four eyes asks for none here"
