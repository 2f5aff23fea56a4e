"""Our types of rule that look at one table: presence, codes, order, uniqueness, periods, trees.

Links between tables are in `link_rules`, totals and notes in `total_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from migration_assets.domain.money import EXPONENTS
from migration_assets.domain.standards import country_codes
from migration_assets.quality import sql
from migration_assets.quality.rule_type import Column, Columns, RuleType, Scope, Where, fields_of

_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "=", "ne": "<>"}
_WORDS = {"lt": "below", "le": "at most", "gt": "above", "ge": "at least", "eq": "equal to", "ne": "other than"}


class RowsExist(RuleType):
    """The table has at least one row. A list of what is empty by right is the plan's, not the suite's."""

    def defects(self, scope: Scope) -> str | None:
        return f"select 1 as missing where not exists (select 1 from {scope.main})"

    def says(self) -> str:
        return "are missing: the table is empty"


class Present(RuleType):
    """All columns have a value (text: more than white space) in every row where `where` holds."""

    names: Columns = Field(alias="columns")
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (*self.names, *fields_of(self.where))

    def _missing(self, scope: Scope, name: str) -> str:
        return sql.blank(sql.column("b", name), scope.type_of(name))

    def defects(self, scope: Scope) -> str | None:
        missing = sql.some(self._missing(scope, n) for n in self.names)
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and ({missing})"

    def breakdown(self, scope: Scope) -> str | None:
        held = sql.holds("b", self.where)
        return " union all ".join(
            f"select {sql.literal(n)}, null, count(*) from {scope.main} b where {held} and {self._missing(scope, n)}"
            for n in self.names
        )

    def says(self) -> str:
        return "lack a value they must have"


class Absent(RuleType):
    """None of the columns has a value in any row where `where` holds."""

    names: Columns = Field(alias="columns")
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (*self.names, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        there = sql.some(f"{sql.column('b', n)} is not null" for n in self.names)
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and ({there})"

    def breakdown(self, scope: Scope) -> str | None:
        held = sql.holds("b", self.where)
        return " union all ".join(
            f"select {sql.literal(n)}, null, count(*) from {scope.main} b "
            f"where {held} and {sql.column('b', n)} is not null"
            for n in self.names
        )

    def says(self) -> str:
        return "have a value where there must be none"


class NoRows(RuleType):
    """No row holds `where`: for lists of defects, which are empty when all is well (say with `looked_at` what was
    looked at to fill them)."""

    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return fields_of(self.where)

    def defects(self, scope: Scope) -> str | None:
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)}"

    def says(self) -> str:
        return "stand in a list that should be empty"


class OneOf(RuleType):
    """Every value is in a list of any length; missing values pass. Compared as text."""

    column: Column
    value_set: Annotated[tuple[str | StrictInt | StrictBool, ...], Field(min_length=1, alias="values")]

    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def defects(self, scope: Scope) -> str | None:
        value = sql.column("b", self.column)
        allowed = sql.values(tuple(str(v) for v in self.value_set))
        return (
            f"select b.* from {scope.main} b anti join {allowed} v on cast({value} as varchar) = v.value "
            f"where {value} is not null"
        )

    def says(self) -> str:
        return f"have a `{self.column}` outside its list"


class CodesValid(RuleType):
    """Each column holds only codes of its own list; missing values pass."""

    codes: Annotated[dict[Column, Annotated[tuple[str, ...], Field(min_length=1)]], Field(min_length=1)]

    def columns(self) -> tuple[str, ...]:
        return tuple(self.codes)

    def _wrong(self, name: str) -> str:
        return f"{sql.column('b', name)} not in ({', '.join(sql.literal(c) for c in self.codes[name])})"

    def defects(self, scope: Scope) -> str | None:
        return f"select b.* from {scope.main} b where {sql.some(self._wrong(n) for n in self.codes)}"

    def breakdown(self, scope: Scope) -> str | None:
        return " union all ".join(
            f"select {sql.literal(n)}, null, count(*) from {scope.main} b where {self._wrong(n)}" for n in self.codes
        )

    def says(self) -> str:
        return "have a code outside its list"


class IsoListed(RuleType):
    """Every value of the columns is on the ISO list named: countries (3166-1 alpha-2, and XK) or currencies (4217).

    `own`: codes that count as listed as well. The plan's own currencies are put there by themselves.
    """

    names: Columns = Field(alias="columns")
    iso: Literal["country", "currency"]
    own: tuple[str, ...] = ()

    def columns(self) -> tuple[str, ...]:
        return self.names

    def defects(self, scope: Scope) -> str | None:
        listed = f"(select value from {sql.values(sorted({*_iso_codes(self.iso), *self.own}))})"
        wrong = sql.some(f"{sql.column('b', n)} not in {listed}" for n in self.names)
        return f"select b.* from {scope.main} b where {wrong}"

    def says(self) -> str:
        return f"have a {self.iso} code that ISO does not list"

    def for_currencies(self, exponents: Mapping[str, int]) -> dict[str, Any]:
        return {"own": sorted({*self.own, *exponents})} if self.iso == "currency" else {}


class NotBefore(RuleType):
    """`column` is at or after `reference` (after it, when strict); rows where either is missing pass."""

    column: Column
    reference: Column
    strict: StrictBool = False
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.column, self.reference, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        early = f"{sql.column('b', self.column)} {'<=' if self.strict else '<'} {sql.column('b', self.reference)}"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {early}"

    def says(self) -> str:
        return f"have a `{self.column}` {'not after' if self.strict else 'before'} `{self.reference}`"


class Compare(RuleType):
    """`left op right` between two columns, or a column and a whole number, where `where` holds; missing passes."""

    left: Column
    op: Literal["lt", "le", "gt", "ge", "eq", "ne"]
    right_column: Column | None = None
    right_value: StrictInt | None = None
    where: Where = ()

    @model_validator(mode="after")
    def _has_one_right_side(self) -> Compare:
        if (self.right_column is None) == (self.right_value is None):
            raise ValueError("needs right_column or right_value, not both")
        return self

    def columns(self) -> tuple[str, ...]:
        right = () if self.right_column is None else (self.right_column,)
        return (self.left, *right, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        right = str(self.right_value) if self.right_column is None else sql.column("b", self.right_column)
        held = f"{sql.column('b', self.left)} {_SIGNS[self.op]} {right}"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and not ({held})"

    def says(self) -> str:
        right = self.right_value if self.right_column is None else f"`{self.right_column}`"
        return f"have a `{self.left}` that is not {_WORDS[self.op]} {right}"


class EqualColumns(RuleType):
    """Two columns hold the same in every row; missing equals only missing."""

    left: Column
    right: Column
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.left, self.right, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        differ = f"{sql.column('b', self.left)} is distinct from {sql.column('b', self.right)}"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {differ}"

    def says(self) -> str:
        return f"have a `{self.left}` that differs from `{self.right}`"


class UniqueTogether(RuleType):
    """No combination of the columns stands in two rows where `where` holds; rows with one of them missing pass."""

    names: Columns = Field(alias="columns")
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (*self.names, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        held = sql.every((sql.holds("b", self.where), *(f"{sql.column('b', n)} is not null" for n in self.names)))
        keys = sql.columns("b", self.names)
        again = f"select {keys} from {scope.main} b where {held} group by all having count(*) > 1"
        using = ", ".join(sql.name(n) for n in self.names)
        return f"select b.* from {scope.main} b semi join ({again}) d using ({using}) where {held}"

    def says(self) -> str:
        return f"share {', '.join(f'`{n}`' for n in self.names)} with another row"


class AtMostOne(UniqueTogether):
    """At most one row for each combination of the columns holds `where` (one main contact, one default method)."""

    def says(self) -> str:
        return f"are one of several for the same {', '.join(f'`{n}`' for n in self.names)}, where one is the most"


class NoOverlap(RuleType):
    """Half-open periods [starts, ends) of rows with equal keys do not overlap; no end means for ever, and a period
    of no length takes no room. Rows are at fault from the second on. Missing keys count as equal.

    With `differ`, periods may overlap as long as they say the same in that column; of two that do not, both are at
    fault, because nobody can tell which is right.
    """

    keys: Columns
    starts: Column
    ends: Column
    differ: Column | None = None
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        differ = () if self.differ is None else (self.differ,)
        return (*self.keys, self.starts, self.ends, *differ, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        if self.differ is not None:
            return self._contradictions(scope, self.differ)
        starts, ends = sql.column("b", self.starts), sql.column("b", self.ends)
        until = f"coalesce({ends}, cast('infinity' as {scope.type_of(self.ends)}))"
        order = f"partition by {sql.columns('b', self.keys)} order by {starts}, {until}"
        return (
            f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {starts} < {until} "
            f"qualify {starts} < max({until}) over ({order} rows between unbounded preceding and 1 preceding)"
        )

    def _contradictions(self, scope: Scope, differ: str) -> str:
        # Each condition compares one side with the other, so that DuckDB joins by hash and not row by row.
        same = (f"{sql.column('o', k)} is not distinct from {sql.column('b', k)}" for k in self.keys)
        starts = {side: sql.column(side, self.starts) for side in ("b", "o")}
        open_end = f"cast('infinity' as {scope.type_of(self.ends)})"
        until = {side: f"coalesce({sql.column(side, self.ends)}, {open_end})" for side in ("b", "o")}
        overlap = (f"{starts['b']} < {until['o']}", f"{starts['o']} < {until['b']}")
        other = f"{sql.column('o', differ)} is distinct from {sql.column('b', differ)}"
        held = {side: f"{sql.holds(side, self.where)} and {starts[side]} < {until[side]}" for side in ("b", "o")}
        others = f"(select * from {scope.main} o where {held['o']})"
        return (
            f"select b.* from {scope.main} b semi join {others} o on {sql.every((*same, *overlap, other))} "
            f"where {held['b']}"
        )

    def says(self) -> str:
        of_the_same = f"of the same {', '.join(f'`{k}`' for k in self.keys)}"
        if self.differ is not None:
            return f"contradict in `{self.differ}` another period {of_the_same}"
        return f"overlap an earlier period {of_the_same}"


class Acyclic(RuleType):
    """Following `parent` from row to row never comes back to where it began; a row is not its own parent."""

    key: Column
    parent: Column

    def columns(self) -> tuple[str, ...]:
        return (self.key, self.parent)

    def defects(self, scope: Scope) -> str | None:
        key, parent = sql.name(self.key), sql.name(self.parent)
        # UNION keeps each (start, node) once, so the walk ends on cycles too.
        return (
            f"with recursive edge as (select {key} as node, {parent} as up from {scope.main} "
            f"where {parent} is not null), "
            "walk(origin, node) as (select node, up from edge union select w.origin, e.up from walk w "
            "join edge e on e.node = w.node) "
            f"select b.* from {scope.main} b where b.{key} in (select origin from walk where origin = node)"
        )

    def says(self) -> str:
        return f"come back to themselves when `{self.parent}` is followed"


def _iso_codes(iso: Literal["country", "currency"]) -> frozenset[str]:
    return frozenset(EXPONENTS) if iso == "currency" else country_codes()


ROW_TYPES: dict[str, type[RuleType]] = {
    "rows_exist": RowsExist,
    "present": Present,
    "absent": Absent,
    "no_rows": NoRows,
    "one_of": OneOf,
    "codes_valid": CodesValid,
    "iso_listed": IsoListed,
    "not_before": NotBefore,
    "compare": Compare,
    "equal_columns": EqualColumns,
    "unique_together": UniqueTogether,
    "at_most_one": AtMostOne,
    "no_overlap": NoOverlap,
    "acyclic": Acyclic,
}
