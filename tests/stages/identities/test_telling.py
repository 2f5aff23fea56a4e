"""Members of a household and companies of a group are told apart; a slip of the pen tells nobody apart."""

from __future__ import annotations

import pytest

from migration_assets.stages.identities.telling import Telling, told_apart


@pytest.mark.parametrize(
    ("one", "other", "how", "apart"),
    [
        ("anna", "bruno", "words", True),
        ("johanna", "johana", "words", False),
        ("jon", "john", "words", False),
        ("tim", "tom", "words", True),
        ("paul", "karl", "words", True),
        ("anna maria", "anna", "words", False),
        ("anna maria", "maria anna", "words", False),
        ("anna maria", "annamaria", "words", False),
        ("anna sophie", "anna lena", "words", True),
        ("j", "john", "words", False),
        ("j", "anna", "words", True),
        ("", "anna", "words", False),
        (None, "anna", "words", False),
        ("maple foods", "maple food", "words", False),
        ("maple foods holding", "maple foods", "words", False),
        ("maple holding", "maple services", "words", True),
        ("contoso uk", "contoso us", "words", True),
        ("acme east", "acme west", "words", True),
        ("fund a", "fund b", "words", True),
        ("contoso north america", "contoso south america", "words", True),
        ("maple labs 4711", "maple labs 4712", "words", True),
        ("1960-03-12", "1960-03-13", "date", False),
        ("1960-03-12", "1960-12-03", "date", False),
        ("1960-03-12", "1906-03-12", "date", False),
        ("1960-03-12", "1988-07-25", "date", True),
        ("1960-03-12", None, "date", False),
        ("DE", "AT", "code", True),
        ("DE", "DE", "code", False),
    ],
)
def test_an_outright_difference_tells_apart(one: str | None, other: str | None, how: Telling, apart: bool) -> None:
    assert told_apart(one, other, how) is apart
    assert told_apart(other, one, how) is apart


@pytest.mark.parametrize(
    ("one", "other", "seen", "apart"),
    [
        ("martin", "marvin", {"martin": 310, "marvin": 44}, True),
        ("martin", "marvin", {"martin": 1, "marvin": 1}, True),
        ("paula", "paul", {"paula": 30, "paul": 41}, True),
        ("martin", "marttin", {"martin": 310, "marttin": 1}, False),
        ("catherine", "cathrine", {"catherine": 900, "cathrine": 40}, False),
        ("catherine", "cathrine", {"catherine": 900, "cathrine": 60}, True),
    ],
)
def test_two_names_that_are_both_usual_are_two_names(one: str, other: str, seen: dict[str, int], apart: bool) -> None:
    assert told_apart(one, other, "words", seen) is apart
