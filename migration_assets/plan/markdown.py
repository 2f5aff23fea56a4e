"""Markdown tables out of values nobody vouches for: a name cannot become a link, markup or another row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from migration_assets.plan.wording import escaped

_MARKS = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "\\": "\\\\"} | {c: f"\\{c}" for c in "`*[]$"}
)


def cell(value: object) -> str:
    """A value as one table cell: shown as it is, on one line, invisible characters escaped."""
    return escaped(" ".join(str(value).split())).translate(_MARKS)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; a sentence instead when it has no rows."""
    body = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    if not body:
        return "None.\n"
    return "\n".join(["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *body]) + "\n"
