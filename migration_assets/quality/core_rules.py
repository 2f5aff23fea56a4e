"""Types of rule that Great Expectations evaluates itself: an allow-list of its core expectations.

Each repeats the expectation's arguments with types, and where rows can be told apart, the same condition as SQL: GX
shows 200 values at most and no keys, we count all and show keys only. Left out on purpose: row conditions (SQL text in
a suite), LIKE and column types (they do not work on DuckDB), statistics that need floats.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from migration_assets.quality import sql
from migration_assets.quality.rule_type import Column, Columns, RuleType, Scope

# Longer lists go to `one_of`: an IN list of thousands takes minutes on DuckDB.
_LONGEST_SET = 100
_Set = Annotated[tuple[str | StrictInt | StrictBool, ...], Field(min_length=1, max_length=_LONGEST_SET)]


class CoreRule(RuleType):
    """An expectation of Great Expectations, by its own name and arguments."""

    def arguments(self) -> dict[str, Any]:
        """Arguments for the expectation's class."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in self.model_dump(exclude_none=True).items()}


class _ColumnRule(CoreRule):
    column: Column

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def fault(self, value: str) -> str:
        """The condition under which `value` is at fault."""
        raise NotImplementedError

    def defects(self, scope: Scope) -> str | None:
        return f"select b.* from {scope.main} b where {self.fault(sql.column('b', self.column))}"


class NotNull(_ColumnRule):
    """The column has a value in every row."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToNotBeNull"

    def fault(self, value: str) -> str:
        return f"{value} is null"

    def says(self) -> str:
        return f"have no `{self.column}`"


class Null(_ColumnRule):
    """The column is empty in every row."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToBeNull"

    def fault(self, value: str) -> str:
        return f"{value} is not null"

    def says(self) -> str:
        return f"have a `{self.column}` where there should be none"


class Unique(_ColumnRule):
    """No value of the column stands in two rows; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToBeUnique"

    def defects(self, scope: Scope) -> str | None:
        c = sql.name(self.column)
        again = f"select {c} from {scope.main} where {c} is not null group by {c} having count(*) > 1"
        return f"select b.* from {scope.main} b semi join ({again}) d on b.{c} = d.{c}"

    def says(self) -> str:
        return f"share their `{self.column}` with another row"


class InSet(_ColumnRule):
    """Every value is one of a short list; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToBeInSet"
    value_set: _Set

    def fault(self, value: str) -> str:
        return f"{value} not in ({', '.join(sql.literal(v) for v in self.value_set)})"

    def says(self) -> str:
        return f"have a `{self.column}` outside its list"


class NotInSet(_ColumnRule):
    """No value is one of a short list; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToNotBeInSet"
    value_set: _Set

    def fault(self, value: str) -> str:
        return f"{value} in ({', '.join(sql.literal(v) for v in self.value_set)})"

    def says(self) -> str:
        return f"have a `{self.column}` that is not allowed"


class _RegexRule(_ColumnRule):
    # DuckDB uses RE2, which runs in linear time: no pattern can hang a check.
    regex: Annotated[str, Field(min_length=1, max_length=500)]

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str) -> str:
        try:
            re.compile(regex)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error.msg}") from error
        return regex

    def _matches(self, value: str) -> str:
        return f"regexp_matches(cast({value} as varchar), {sql.literal(self.regex)})"


class Matches(_RegexRule):
    """Every value matches a regular expression; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToMatchRegex"

    def fault(self, value: str) -> str:
        return f"not {self._matches(value)}"

    def says(self) -> str:
        return f"have a `{self.column}` of another form"


class NotMatches(_RegexRule):
    """No value matches a regular expression; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToNotMatchRegex"

    def fault(self, value: str) -> str:
        return self._matches(value)

    def says(self) -> str:
        return f"have a `{self.column}` of a forbidden form"


class _Bounds(CoreRule):
    min_value: StrictInt | None = None
    max_value: StrictInt | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> _Bounds:
        if self.min_value is None and self.max_value is None:
            raise ValueError("needs min_value, max_value or both")
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise ValueError("min_value is above max_value")
        return self

    def outside(self, value: str) -> str:
        low = [] if self.min_value is None else [f"{value} < {self.min_value}"]
        high = [] if self.max_value is None else [f"{value} > {self.max_value}"]
        return " or ".join((*low, *high))

    def limits(self) -> str:
        low = "any" if self.min_value is None else self.min_value
        high = "any" if self.max_value is None else self.max_value
        return f"{low}..{high}"


class Between(_Bounds, _ColumnRule):
    """Every value lies between two whole numbers, bounds included; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValuesToBeBetween"

    def fault(self, value: str) -> str:
        return self.outside(value)

    def says(self) -> str:
        return f"have a `{self.column}` outside {self.limits()}"


class LengthBetween(_Bounds, _ColumnRule):
    """Every text has a length between two whole numbers, bounds included; missing values pass."""

    expectation: ClassVar[str | None] = "ExpectColumnValueLengthsToBeBetween"

    def fault(self, value: str) -> str:
        return self.outside(f"length({value})")

    def says(self) -> str:
        return f"have a `{self.column}` whose length is outside {self.limits()}"


class PairGreater(CoreRule):
    """column_A is above column_B (or equal, with or_equal); rows where either is missing pass."""

    expectation: ClassVar[str | None] = "ExpectColumnPairValuesAToBeGreaterThanB"
    column_A: Column  # noqa: N815 - the expectation's own argument name
    column_B: Column  # noqa: N815 - the expectation's own argument name
    or_equal: StrictBool = False

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "ignore_row_if": "either_value_is_missing"}

    def columns(self) -> tuple[str, ...]:
        return (self.column_A, self.column_B)

    def defects(self, scope: Scope) -> str | None:
        op = "<" if self.or_equal else "<="
        return f"select b.* from {scope.main} b where b.{sql.name(self.column_A)} {op} b.{sql.name(self.column_B)}"

    def says(self) -> str:
        return f"have a `{self.column_A}` that is not above `{self.column_B}`"


class CompoundUnique(CoreRule):
    """No combination of the columns stands in two rows; rows where any is missing pass."""

    expectation: ClassVar[str | None] = "ExpectCompoundColumnsToBeUnique"
    column_list: Annotated[tuple[Column, ...], Field(min_length=2)]

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "ignore_row_if": "any_value_is_missing"}

    def columns(self) -> tuple[str, ...]:
        return self.column_list

    def defects(self, scope: Scope) -> str | None:
        names = [sql.name(c) for c in self.column_list]
        present = " and ".join(f"{n} is not null" for n in names)
        again = f"select {', '.join(names)} from {scope.main} where {present} group by all having count(*) > 1"
        return f"select b.* from {scope.main} b semi join ({again}) d using ({', '.join(names)})"

    def says(self) -> str:
        return f"share {_listed(self.column_list)} with another row"


class RowCount(_Bounds):
    """The table has a number of rows between two bounds."""

    expectation: ClassVar[str | None] = "ExpectTableRowCountToBeBetween"
    whole_table: ClassVar[bool] = True

    def defects(self, scope: Scope) -> str | None:
        return None

    def says(self) -> str:
        return f"are not within {self.limits()}"


class _Aggregate(_Bounds):
    whole_table: ClassVar[bool] = True
    column: Column

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def defects(self, scope: Scope) -> str | None:
        return None

    def says(self) -> str:
        return f"together put `{self.column}` outside {self.limits()}"


class MaxBetween(_Aggregate):
    """The greatest value lies between two bounds."""

    expectation: ClassVar[str | None] = "ExpectColumnMaxToBeBetween"


class MinBetween(_Aggregate):
    """The smallest value lies between two bounds."""

    expectation: ClassVar[str | None] = "ExpectColumnMinToBeBetween"


class DistinctBetween(_Aggregate):
    """The number of distinct values lies between two bounds."""

    expectation: ClassVar[str | None] = "ExpectColumnUniqueValueCountToBeBetween"


def _listed(names: Columns) -> str:
    return ", ".join(f"`{n}`" for n in names)


CORE_TYPES: dict[str, type[RuleType]] = {
    "expect_column_values_to_not_be_null": NotNull,
    "expect_column_values_to_be_null": Null,
    "expect_column_values_to_be_unique": Unique,
    "expect_column_values_to_be_in_set": InSet,
    "expect_column_values_to_not_be_in_set": NotInSet,
    "expect_column_values_to_match_regex": Matches,
    "expect_column_values_to_not_match_regex": NotMatches,
    "expect_column_values_to_be_between": Between,
    "expect_column_value_lengths_to_be_between": LengthBetween,
    "expect_column_pair_values_a_to_be_greater_than_b": PairGreater,
    "expect_compound_columns_to_be_unique": CompoundUnique,
    "expect_table_row_count_to_be_between": RowCount,
    "expect_column_max_to_be_between": MaxBetween,
    "expect_column_min_to_be_between": MinBetween,
    "expect_column_unique_value_count_to_be_between": DistinctBetween,
}
