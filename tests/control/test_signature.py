"""Who gave an answer, and why: what is taken for a reason, and who is one person."""

from __future__ import annotations

import pytest

from migration_assets.control.signature import LONGEST_REASON, reason_given, same_person
from migration_assets.domain.errors import BadInput


@pytest.mark.parametrize("empty", ["", "  ", "\n\t", "\u00a0", "\u200b"])
def test_a_reason_that_nobody_can_see_is_none(empty: str) -> None:
    with pytest.raises(BadInput, match="needs a reason"):
        reason_given(empty)


@pytest.mark.parametrize("text", ["a\x00b", "a\udcffb", "\x1b[31mred", "\ud800"])
def test_what_is_no_text_is_no_reason(text: str) -> None:
    with pytest.raises(BadInput, match="no text"):
        reason_given(text)


def test_a_reason_has_a_longest_length_and_the_error_tells_both() -> None:
    assert reason_given("x" * LONGEST_REASON + " ") == "x" * LONGEST_REASON
    with pytest.raises(BadInput, match="1,001 characters, and 1,000") as refused:
        reason_given("x" * (LONGEST_REASON + 1))
    assert "1,000" in refused.value.remedy


@pytest.mark.parametrize("text", ["Two.", "Vater und Söhne\nzwei Leute", "同じ人", "-", " Same owner. "])
def test_text_of_any_kind_and_several_lines_is_kept_as_it_is(text: str) -> None:
    assert reason_given(text) == text.strip()


@pytest.mark.parametrize(
    ("one", "other"), [("alice", "Alice"), ("alice", " alice "), ("jos\u00e9", "JOSE\u0301"), ("weiß", "WEISS")]
)
def test_one_person_is_one_however_the_name_is_written(one: str, other: str) -> None:
    assert same_person(one, other) and same_person(other, one)
    assert not same_person(one, "bob")
