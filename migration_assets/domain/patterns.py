"""Regular expressions that people write into a plan: such that any engine matches them in linear time, and alike.

Whatever the text, no pattern may keep an engine busy for ever, so what needs going back over the text is refused.
"""

from __future__ import annotations

import re

LONGEST = 200
# What an engine that matches in linear time does not have. `(?i)` and groups that keep nothing are fine.
_NOT_LINEAR = re.compile(r"\(\?(?!i\)|:)|(?<!\\)(?:\\\\)*\\[1-9gkZuUN]|[*+?}]\+")
# The beginning of a named group, unless its parenthesis is escaped.
_NAMED = re.compile(r"(?<!\\)((?:\\\\)*)\(\?P<\w+>")


def linear(pattern: str) -> str:
    """The pattern as it is, if it can be matched in linear time; ValueError that says what it may not do."""
    if _NOT_LINEAR.search(pattern):
        raise ValueError("a pattern cannot look around, refer back, repeat possessively or use \\Z, \\u, \\N")
    if any(int(n) > 1000 for n in re.findall(r"[{,]([0-9]+)(?=[,}])", pattern)):
        raise ValueError("a pattern repeats a thousand times at most")
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from None
    return pattern


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
