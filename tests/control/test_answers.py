"""One person's word, or two people's: what an answer does in whatever state a case is."""

from __future__ import annotations

import pytest

from migration_assets.control.answers import Answer, Outcome, outcome_of
from migration_assets.domain.errors import BadInput


def answered(
    answer: Answer,
    by: str = "kim",
    *,
    decided: Answer | None = None,
    proposed: tuple[Answer, str] | None = None,
    two: bool = True,
) -> Outcome:
    what, who = proposed or (None, None)
    return outcome_of(answer, by, decided=decided, proposed=what, proposed_by=who, two=two)


def test_one_persons_answer_is_in_force_where_one_is_enough() -> None:
    assert answered("same", two=False) == Outcome("decided", "kim")
    assert answered("apart", decided="same", two=False) == Outcome("decided", "kim")


def test_the_first_answer_is_a_proposal_and_the_second_person_puts_it_in_force() -> None:
    assert answered("same") == Outcome("proposed", "kim")
    assert answered("same", "lee", proposed=("same", "kim")) == Outcome("decided", "kim", "lee")


def test_nobody_is_the_second_person_to_herself() -> None:
    with pytest.raises(BadInput, match="four eyes"):
        answered("same", "kim", proposed=("same", "kim"))


@pytest.mark.parametrize("again", ["Kim", " KIM", "kim "])
def test_nobody_is_a_second_person_by_writing_the_name_otherwise(again: str) -> None:
    with pytest.raises(BadInput, match="four eyes"):
        answered("same", again, proposed=("same", "kim"))
    assert answered("open", again, decided="same", proposed=("open", "kim")) == Outcome("withdrawn", again)
    assert answered("apart", again, proposed=("same", "kim")) == Outcome("proposed", again)


def test_a_second_person_who_sees_it_otherwise_opens_the_case_again() -> None:
    assert answered("apart", "lee", proposed=("same", "kim")) == Outcome("reopened", "lee")


def test_whoever_proposed_may_think_again_and_anybody_may_withdraw() -> None:
    assert answered("apart", "kim", proposed=("same", "kim")) == Outcome("proposed", "kim")
    assert answered("open", "lee", proposed=("same", "kim")) == Outcome("withdrawn", "lee")


def test_whoever_proposed_to_take_back_an_answer_may_leave_it_as_it_is() -> None:
    both: tuple[Answer, ...] = ("open", "same")
    for answer in both:
        assert answered(answer, "kim", decided="same", proposed=("open", "kim")) == Outcome("withdrawn", "kim")
    assert answered("same", "kim", decided="same", proposed=("apart", "kim")) == Outcome("withdrawn", "kim")
    assert answered("open", "lee", decided="same", proposed=("open", "kim")) == Outcome("decided", "kim", "lee")
    assert answered("same", "lee", decided="same", proposed=("open", "kim")) == Outcome("reopened", "lee")


def test_what_two_decided_is_changed_and_taken_back_by_two_only() -> None:
    assert answered("apart", decided="same") == Outcome("proposed", "kim")
    assert answered("open", decided="same") == Outcome("proposed", "kim")
    assert answered("open", "lee", decided="same", proposed=("open", "kim")) == Outcome("decided", "kim", "lee")
    with pytest.raises(BadInput, match="decided so already"):
        answered("same", decided="same")


@pytest.mark.parametrize("two", [True, False])
@pytest.mark.parametrize("decided", [None, "open"])
def test_there_has_to_be_something_to_take_back(decided: Answer | None, two: bool) -> None:
    with pytest.raises(BadInput, match="no answer to take back"):
        answered("open", decided=decided, two=two)


def test_a_proposal_is_overtaken_when_the_plan_asks_for_one_person_only_by_now() -> None:
    assert answered("apart", "lee", proposed=("same", "kim"), two=False) == Outcome("decided", "lee")
