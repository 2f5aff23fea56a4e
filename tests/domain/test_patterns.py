"""Patterns of a plan: what is matched in linear time is taken, what is not is refused with the reason."""

from __future__ import annotations

import random

import duckdb
import pytest

from migration_assets.domain.patterns import linear, unnamed


@pytest.mark.parametrize(
    "pattern", ["a+(b|c)*", "(?i)no", "(?:ab){2,3}", r"\d+\.\d\d", r"\\Zed", "x{,y}", r"\{,3}", r"\(?\*+\)?"]
)
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
        (r"\\\\++", "possessively"),
        (r"a\Z", r"use \\Z"),
        ("a{1001}", "a thousand times"),
        ("a{1001,}", "a thousand times"),
        ("(?:x{500}){500}", "a thousand times"),
        ("((a{2,}b?){20}|c){26}", "a thousand times"),
        (r"\d{,3}", r"\{0,3\}, not \{,3\}"),
        ("a{,}", r"\{0,3\}, not \{,3\}"),
        ("a{99999999999}", "too large"),
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


def test_engines_take_exactly_the_repeats_that_are_taken_here() -> None:
    seed = 20261126
    print(f"seed {seed}")
    chance = random.Random(seed)
    with duckdb.connect() as connection:
        for _ in range(500):
            pattern = _repeated(chance, 3)
            assert _is_linear(pattern) == _is_compiled(connection, pattern), pattern


def _repeated(chance: random.Random, depth: int) -> str:
    """A pattern of repeats within repeats, with characters in it that look like some and are none."""
    atoms = ("x", r"\{", "[{(]", r"\(", "[]}]", r"[\]){]", ".")
    part = (
        "|".join(_repeated(chance, depth - 1) for _ in range(chance.randint(1, 2))) if depth else chance.choice(atoms)
    )
    least = chance.choice((0, 1, 2, 9, 10, 11, 100, 1000))
    times = chance.choice(("", "*", "?", f"{{{least}}}", f"{{{least},}}", f"{{{least},{least + 1}}}"))
    return f"(?:{part}){times}y" if depth else part + times


def _is_linear(pattern: str) -> bool:
    try:
        return linear(pattern) == pattern
    except ValueError:
        return False


def _is_compiled(connection: duckdb.DuckDBPyConnection, pattern: str) -> bool:
    try:
        connection.execute("select regexp_full_match('x', ?)", [pattern])
    except duckdb.InvalidInputException:
        return False
    return True
