"""Where an entry of a YAML file stands, by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def line_of(lines: Mapping[str, int], path: Sequence[str | int]) -> int:
    """The line of the entry at a path, or of the nearest entry around it; 0 when none is known."""
    for length in range(len(path), -1, -1):
        dotted = ".".join(map(str, path[:length]))
        if dotted in lines:
            return lines[dotted]
    return 0
