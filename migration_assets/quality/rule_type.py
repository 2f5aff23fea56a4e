"""What a type of rule is: typed arguments, the columns it needs, and SQL for the rows it finds at fault.

The types themselves are in `core_rules` (Great Expectations' own) and `rules` (ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from migration_assets.domain.predicates import Predicate

Column = Annotated[str, Field(min_length=1, max_length=200)]
Columns = Annotated[tuple[Column, ...], Field(min_length=1)]
Table = Annotated[str, Field(min_length=1, max_length=200)]
Where = tuple[Predicate, ...]


@dataclass(frozen=True)
class Scope:
    """The relations a rule may name while its SQL is written.

    `main` is the rule's own table as SQL, `relations` every table by name, `types` their columns' DuckDB types.
    """

    table: str
    main: str
    relations: Mapping[str, str]
    types: Mapping[str, Mapping[str, str]]

    def relation(self, table: str) -> str:
        """Another table as SQL."""
        return self.relations[table]

    def type_of(self, column: str, table: str | None = None) -> str:
        """The DuckDB type of a column of the rule's own table, or of another one."""
        return self.types[table or self.table][column]


class RuleType(BaseModel):
    """Arguments of one type of rule. Subclasses write the SQL; their docstring is what `why` may assume."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    # Name of the expectation class when Great Expectations evaluates the rule itself.
    expectation: ClassVar[str | None] = None
    # Whether the rule is about the table as a whole, so that there are no rows at fault to show.
    whole_table: ClassVar[bool] = False

    def columns(self) -> tuple[str, ...]:
        """Columns of the rule's own table that it reads."""
        return ()

    def others(self) -> dict[str, tuple[str, ...]]:
        """Other tables that it reads, with the columns it reads of each."""
        return {}

    def defects(self, scope: Scope) -> str | None:
        """A SELECT of the rows at fault; None for a rule about the table as a whole."""
        raise NotImplementedError

    def says(self) -> str:
        """What a row at fault is, to follow a count: `3 rows <says>`."""
        raise NotImplementedError

    def for_currencies(self, exponents: Mapping[str, int]) -> dict[str, Any]:
        """Arguments that change under a plan with currencies (and exponents) of its own; most rules have none."""
        return {}

    def added(self) -> tuple[str, ...]:
        """Columns that the rows at fault have beyond those of their table; `money` may name them."""
        return ()

    def figures(self, scope: Scope) -> str | None:
        """A SELECT of (currency, name, amount) of sums over all rows at fault that explain a failure, or None."""
        return None

    def shares(self, scope: Scope) -> str | None:
        """A SELECT of (column, name, part, whole) of rows at fault that are counts, or None. A name is shown if its
        column is structural."""
        return None

    def breakdown(self, scope: Scope) -> str | None:
        """A SELECT of (label, values, rows) that explains a failure further, or None.

        `label` is a structural name, `values` how many different values the rows have there, or null.
        """
        return None


def fields_of(where: Where) -> tuple[str, ...]:
    """Columns that predicates read."""
    return tuple(p.field for p in where)


def merged(*parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Columns by table out of several such mappings, without repeats."""
    out: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for table, names in part.items():
            out[table] = tuple(dict.fromkeys((*out.get(table, ()), *names)))
    return out
