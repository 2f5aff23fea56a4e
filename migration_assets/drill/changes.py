"""What a change is: words for what is done to rows, to a file of the plan, or to the loaded target.

Conditions and values of rows are SQL of DuckDB, those of `Statement` SQL of PostgreSQL. They are the drill's own text
and never come from a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Alter:
    """Other values in `rows` rows for which `where` holds; which of them, the seed decides. `alone`: no other row of
    the table is like it in these columns, so that none makes up for it."""

    table: str
    set: Mapping[str, str]
    where: str = "true"
    rows: int = 1
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remove:
    """So many rows for which `where` holds are gone; `alone` as above."""

    table: str
    where: str = "true"
    rows: int = 1
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """So many rows for which `where` holds stand there once more, with other values in `set`."""

    table: str
    set: Mapping[str, str] = field(default_factory=dict)
    where: str = "true"
    rows: int = 1


@dataclass(frozen=True)
class Words:
    """Other words in a file of the plan; `old` stands there at least once, and the first place is changed."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class WholeFile:
    """A file of the plan with other content."""

    file: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Value:
    """Another value at one place of a YAML file of the plan; `way` leads there by names and positions."""

    file: str
    way: tuple[str | int, ...]
    value: object


@dataclass(frozen=True)
class Statement:
    """A statement on the loaded target. `{pick}` in it is replaced by the order in which rows are taken: by a digest of
    the row and the seed. `table` is what the statement changes."""

    table: str
    sql: str


RowChange = Alter | Remove | Copy
PlanChange = Words | WholeFile | Value
Change = RowChange | PlanChange | Statement
