"""Patterns of a plan: what is matched in linear time is taken, what is not is refused with the reason."""

from __future__ import annotations

import pytest

from migration_assets.domain.patterns import linear, unnamed


@pytest.mark.parametrize("pattern", ["a+(b|c)*", "(?i)no", "(?:ab){2,3}", r"\d+\.\d\d", r"\\Zed"])
def test_what_is_matched_in_linear_time_stays_as_it_is(pattern: str) -> None:
    assert linear(pattern) == pattern
    assert unnamed(pattern) == (pattern, {})


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", "look around"),
        (r"(a)\1", "refer back"),
        ("(?P<a>x)(?P=a)", "refer back"),
        ("a++", "possessively"),
        (r"a\Z", r"use \\Z"),
        ("a{1001}", "a thousand times"),
        ("(a", "no regular expression"),
        ("(?P<a>x)(?P<a>y)", "redefinition of group name"),
        ("[(?P<a>x)]", "begins no group"),
    ],
)
def test_what_is_not_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unnamed(pattern)


def test_named_groups_become_plain_ones_with_their_numbers() -> None:
    assert unnamed(r"(x)(?P<no>\d+)(?:y)(?P<day>(\d)-\d)") == (r"(x)(\d+)(?:y)((\d)-\d)", {"no": 2, "day": 3})


def test_an_escaped_backslash_before_a_group_stays() -> None:
    assert unnamed(r"\\(?P<no>x)") == (r"\\(x)", {"no": 1})
