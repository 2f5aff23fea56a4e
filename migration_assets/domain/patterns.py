"""Regular expressions that people write into a plan: such that any engine matches them in linear time, and alike.

Whatever the text, no pattern may keep an engine busy for ever, so what needs going back over the text is refused.
"""

from __future__ import annotations

import re

LONGEST = 200
# Engines of linear time write repeats out, those within others too, and stop here.
MOST_REPEATS = 1000
# What an engine that matches in linear time does not have, unless its first character is escaped. `(?i)` and groups
# that keep nothing are fine.
_NOT_LINEAR = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?!i\)|:)|\\[1-9gkZuUN]|[*+?}]\+)")
# The beginning of a named group, unless its parenthesis is escaped.
_NAMED = re.compile(r"(?<!\\)((?:\\\\)*)\(\?P<\w+>")
# What repeats are counted by: `{n}`, `{n,}`, `{n,m}`, parentheses, and as one thing each what holds neither.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\}|.", re.DOTALL)


def linear(pattern: str) -> str:
    """The pattern as it is, if it can be matched in linear time; ValueError that says what it may not do."""
    if _NOT_LINEAR.search(pattern):
        raise ValueError("a pattern cannot look around, refer back, repeat possessively or use \\Z, \\u, \\N")
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"is no regular expression: {getattr(error, 'msg', error)}") from None
    if _repeats(pattern) > MOST_REPEATS:
        raise ValueError("a pattern repeats a thousand times at most; repeats within repeats multiply")
    return pattern


def _repeats(pattern: str) -> int:
    """How often the most repeated part of a valid pattern is written out; ValueError for `{,n}`, which some engines
    take as a repeat and others as the text it is written with."""
    groups, last = [1], 1
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(":
            groups.append(1)
        elif token[0] == ")":
            last = groups.pop()
        elif token["least"]:
            last *= int(token["most"] or token["least"]) or 1
        elif token["comma"]:
            raise ValueError("a pattern says from how many times on it repeats: {0,3}, not {,3}")
        else:
            last = 1
        groups[-1] = max(groups[-1], last)
    return groups[-1]


def unnamed(pattern: str) -> tuple[str, dict[str, int]]:
    """The pattern with its named groups as plain ones, and the number of each by its name; ValueError as of `linear`.

    Engines write the name of a group in different ways, or not at all; all of them count groups from the left.
    """
    plain, count = _NAMED.subn(r"\1(", pattern)
    linear(plain)
    try:
        named = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from None
    if len(named) != count:
        raise ValueError("has (?P<name> where it begins no group: write the parenthesis as \\(")
    return plain, dict(named)


def with_one_group(pattern: str, number: int) -> str:
    """A pattern as of `unnamed` in which this one of its groups keeps what it finds, and none of the others.

    What the group finds is the same, and it is group 1: some engines give no more than the first nine of a pattern.
    """
    count, made = 0, []
    for token in _TOKEN.finditer(pattern):
        keeps = token[0] == "(" and not pattern.startswith("?", token.end())
        count += keeps
        made.append("(?:" if keeps and count != number else token[0])
    return "".join(made)
