"""Our types of rule between two tables: references, children, what has to agree across a link."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from migration_assets.quality import sql
from migration_assets.quality.rule_type import Column, Columns, RuleType, Scope, Table, Where, fields_of, merged


class ReferencesExist(RuleType):
    """Every value of `column` stands in `to_column` of `to_table`; missing (or blank text) passes."""

    column: Column
    to_table: Table
    to_column: Column
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.column, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.to_table: (self.to_column,)}

    def defects(self, scope: Scope) -> str | None:
        here, there = scope.type_of(self.column), scope.type_of(self.to_column, self.to_table)
        value = sql.column("b", self.column)
        same = sql.equal(value, here, sql.column("t", self.to_column), there)
        return (
            f"select b.* from {scope.main} b anti join {scope.relation(self.to_table)} t on {same} "
            f"where not {sql.blank(value, here)} and {sql.holds('b', self.where)}"
        )

    def says(self) -> str:
        return f"point with `{self.column}` at a row that `{self.to_table}` does not have"


class HasChild(RuleType):
    """Every row where `where` holds has at least one row in `child_table` (where `child_where` holds)."""

    key: Column
    child_table: Table
    child_key: Column
    where: Where = ()
    child_where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.key, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.child_table: (self.child_key, *fields_of(self.child_where))}

    def defects(self, scope: Scope) -> str | None:
        same = f"{sql.column('c', self.child_key)} = {sql.column('b', self.key)}"
        children = f"(select * from {scope.relation(self.child_table)} c where {sql.holds('c', self.child_where)})"
        return f"select b.* from {scope.main} b anti join {children} c on {same} where {sql.holds('b', self.where)}"

    def says(self) -> str:
        return f"have no row in `{self.child_table}`"


class PresentHereOrThere(RuleType):
    """At least one of the columns has a value, or one of `to_columns` of the row that `via` points at (if given)."""

    names: Columns = Field(alias="columns")
    via: Column | None = None
    to_table: Table | None = None
    to_key: Column | None = None
    to_columns: tuple[Column, ...] = ()
    where: Where = ()

    @model_validator(mode="after")
    def _link_is_whole(self) -> PresentHereOrThere:
        given = [bool(x) for x in (self.via, self.to_table, self.to_key, self.to_columns)]
        if any(given) and not all(given):
            raise ValueError("via, to_table, to_key and to_columns go together")
        return self

    def columns(self) -> tuple[str, ...]:
        via = () if self.via is None else (self.via,)
        return (*self.names, *via, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        if self.to_table is None or self.to_key is None:
            return {}
        return {self.to_table: (self.to_key, *self.to_columns)}

    def defects(self, scope: Scope) -> str | None:
        here = sql.every(sql.blank(sql.column("b", n), scope.type_of(n)) for n in self.names)
        lacking = f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {here}"
        if self.via is None or self.to_table is None or self.to_key is None:
            return lacking
        there = sql.some(
            f"not {sql.blank(sql.column('t', c), scope.type_of(c, self.to_table))}" for c in self.to_columns
        )
        having = f"(select * from {scope.relation(self.to_table)} t where {there})"
        same = f"{sql.column('t', self.to_key)} = {sql.column('l', self.via)}"
        return f"select l.* from ({lacking}) l anti join {having} t on {same}"

    def says(self) -> str:
        there = f", and their `{self.to_table}` has none either" if self.to_table else ""
        return f"have none of {', '.join(f'`{n}`' for n in self.names)}{there}"


class NotLinked(RuleType):
    """No row points with `via` at a row of `to_table` where `to_where` holds."""

    via: Column
    to_table: Table
    to_key: Column
    to_where: Where
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.via, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.to_table: (self.to_key, *fields_of(self.to_where))}

    def defects(self, scope: Scope) -> str | None:
        forbidden = f"(select * from {scope.relation(self.to_table)} t where {sql.holds('t', self.to_where)})"
        same = f"{sql.column('t', self.to_key)} = {sql.column('b', self.via)}"
        return f"select b.* from {scope.main} b semi join {forbidden} t on {same} where {sql.holds('b', self.where)}"

    def says(self) -> str:
        return f"belong to a `{self.to_table}` that must not have any"


class MatchesReferenced(RuleType):
    """`column` equals `to_column` of the row that `via` points at; missing on either side, or no such row, passes."""

    column: Column
    via: Column
    to_table: Table
    to_key: Column
    to_column: Column
    where: Where = ()
    to_where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.column, self.via, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.to_table: (self.to_key, self.to_column, *fields_of(self.to_where))}

    def defects(self, scope: Scope) -> str | None:
        return (
            f"select b.* from {scope.main} b join {scope.relation(self.to_table)} t "
            f"on {sql.column('t', self.to_key)} = {sql.column('b', self.via)} "
            f"where {sql.column('b', self.column)} <> {sql.column('t', self.to_column)} "
            f"and {sql.holds('b', self.where)} and {sql.holds('t', self.to_where)}"
        )

    def says(self) -> str:
        return f"have a `{self.column}` that differs from the one of their `{self.to_table}`"


class Within(RuleType):
    """The period of a row lies within that of the row `via` points at; open ends of the parent hold everything.

    Of several such rows where `to_where` holds, within each. Without `to_starts` only the end counts.
    """

    starts: Column
    ends: Column
    via: Column
    to_table: Table
    to_key: Column
    to_starts: Column | None = None
    to_ends: Column
    where: Where = ()
    to_where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.starts, self.ends, self.via, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        starts = () if self.to_starts is None else (self.to_starts,)
        return {self.to_table: (self.to_key, *starts, self.to_ends, *fields_of(self.to_where))}

    def defects(self, scope: Scope) -> str | None:
        key, starts, ends = (sql.column("b", c) for c in (self.via, self.starts, self.ends))
        bounds = [f"min({sql.column('t', self.to_ends)}) as e"]
        outside = f"p.e is not null and ({ends} is null or {ends} > p.e)"
        if self.to_starts is not None:
            bounds.append(f"max({sql.column('t', self.to_starts)}) as s")
            outside = f"coalesce({starts} < p.s, false) or ({outside})"
        each = (
            f"select {sql.column('t', self.to_key)} as k, {', '.join(bounds)} "
            f"from {scope.relation(self.to_table)} t where {sql.holds('t', self.to_where)} group by all"
        )
        return (
            f"select b.* from {scope.main} b join ({each}) p on p.k = {key} "
            f"where {sql.holds('b', self.where)} and ({outside})"
        )

    def says(self) -> str:
        return f"have a period outside that of their `{self.to_table}`"


class TotalAtMost(RuleType):
    """For each row, the sum of `amount` (or the number) of its children stays at or below `limit`.

    With `currency`, only children in the row's own currency are added (amounts are never added across currencies);
    `foreign` says whether a child in another currency is a fault or stands apart.
    """

    key: Column
    limit: Column
    child_table: Table
    child_key: Column
    amount: Column | None = None
    currency: Column | None = None
    child_currency: Column | None = None
    foreign: Literal["fault", "apart"] = "fault"
    where: Where = ()
    child_where: Where = ()

    @model_validator(mode="after")
    def _currencies_go_together(self) -> TotalAtMost:
        if (self.currency is None) != (self.child_currency is None):
            raise ValueError("currency and child_currency go together")
        return self

    def columns(self) -> tuple[str, ...]:
        currency = () if self.currency is None else (self.currency,)
        return (self.key, self.limit, *currency, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        named = tuple(c for c in (self.child_key, self.amount, self.child_currency) if c is not None)
        return {self.child_table: (*named, *fields_of(self.child_where))}

    def defects(self, scope: Scope) -> str | None:
        other = "false"
        if self.currency is not None and self.child_currency is not None:
            other = f"{sql.column('c', self.child_currency)} is distinct from {sql.column('b', self.currency)}"
        total = "count(*)" if self.amount is None else f"sum({sql.column('c', self.amount)})"
        total = f"coalesce({total} filter (where not ({other})), 0)"
        foreign = f"bool_or({other})" if self.foreign == "fault" else "false"
        return (
            f"select b.* from {scope.main} b semi join ("
            f"select {sql.column('b', self.key)} as k from {scope.main} b join {scope.relation(self.child_table)} c "
            f"on {sql.column('c', self.child_key)} = {sql.column('b', self.key)} "
            f"where {sql.holds('b', self.where)} and {sql.holds('c', self.child_where)} "
            f"group by k having {total} > any_value({sql.column('b', self.limit)}) or {foreign}"
            f") x on x.k = {sql.column('b', self.key)}"
        )

    def says(self) -> str:
        counted = "more rows" if self.amount is None else f"more `{self.amount}`"
        return f"have {counted} in `{self.child_table}` than their `{self.limit}`"


class SumsTie(RuleType):
    """`amount` equals the sum of the children's amounts, by key and currency; exactly.

    A row without children is at fault unless `childless` is pass. A child in another currency is a fault. A failure
    states both sums over the rows at fault, by currency; `money` may name `apart`, by how much a row and its children
    differ, which is the money at stake where the rest of the amount is not.
    """

    key: Column
    amount: Column
    currency: Column
    child_table: Table
    child_key: Column
    child_amount: Column
    child_currency: Column
    childless: Literal["fail", "pass"] = "fail"
    where: Where = ()
    child_where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.key, self.amount, self.currency, *fields_of(self.where))

    def others(self) -> dict[str, tuple[str, ...]]:
        named = (self.child_key, self.child_amount, self.child_currency)
        return merged({self.child_table: named}, {self.child_table: fields_of(self.child_where)})

    def defects(self, scope: Scope) -> str | None:
        by = f"{sql.column('c', self.child_key)} as k, {sql.column('c', self.child_currency)} as currency"
        sums = (
            f"select {by}, sum({sql.column('c', self.child_amount)}) as total "
            f"from {scope.relation(self.child_table)} c where {sql.holds('c', self.child_where)} group by all"
        )
        key, currency = sql.column("b", self.key), sql.column("b", self.currency)
        foreign = f"select k from sums s join {scope.main} o on s.k = o.{sql.name(self.key)} "
        foreign += f"where s.currency is distinct from o.{sql.name(self.currency)}"
        untied = f"{sql.column('b', self.amount)} is distinct from s.total"
        if self.childless == "pass":
            untied = f"(s.k is not null and {untied})"
        return (
            f"with sums as ({sums}) select b.*, {self._apart()} as apart, s.total as _children "
            f"from {scope.main} b left join sums s on s.k = {key} and s.currency = {currency} "
            f"where {sql.holds('b', self.where)} and ({untied} or {key} in ({foreign}))"
        )

    def _apart(self) -> str:
        return f"abs(coalesce({sql.column('b', self.amount)}, 0) - coalesce(s.total, 0))"

    def added(self) -> tuple[str, ...]:
        return ("apart",)

    def figures(self, scope: Scope) -> str | None:
        """Rows at fault: their own sum, that of their children, and how far each is from its own, added up."""
        currency = sql.name(self.currency)
        sums = (
            (self.amount, sql.name(self.amount)),
            (f"{self.child_table}.{self.child_amount}", "_children"),
            ("apart by", "apart"),
        )
        parts = (
            f"select {currency} as c, {i} as i, {sql.literal(name)} as name, sum({of}) as amount "
            f"from ({self.defects(scope)}) group by 1"
            for i, (name, of) in enumerate(sums)
        )
        return f"select c, name, amount from ({' union all '.join(parts)}) order by c, i"

    def says(self) -> str:
        return f"have a `{self.amount}` other than the sum of `{self.child_amount}` in `{self.child_table}`"


class RowCountsEqual(RuleType):
    """Both tables hold the same combinations of the columns, each as often. Rows of this table that the other has
    not, or has less or more often, are at fault; so is what only the other has."""

    names: Columns = Field(alias="columns")
    to_table: Table
    to_columns: Columns

    @model_validator(mode="after")
    def _as_many_columns(self) -> RowCountsEqual:
        if len(self.names) != len(self.to_columns):
            raise ValueError("columns and to_columns have to be as many")
        return self

    def columns(self) -> tuple[str, ...]:
        return self.names

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.to_table: self.to_columns}

    def defects(self, scope: Scope) -> str | None:
        here = f"select {sql.columns('b', self.names)} from {scope.main} b"
        there = f"select {sql.columns('t', self.to_columns)} from {scope.relation(self.to_table)} t"
        return f"(({here}) except all ({there})) union all (({there}) except all ({here}))"

    def says(self) -> str:
        return f"differ from those of `{self.to_table}`"


LINK_TYPES: dict[str, type[RuleType]] = {
    "references_exist": ReferencesExist,
    "has_child": HasChild,
    "present_here_or_there": PresentHereOrThere,
    "not_linked": NotLinked,
    "matches_referenced": MatchesReferenced,
    "within": Within,
    "total_at_most": TotalAtMost,
    "sums_tie": SumsTie,
    "same_rows": RowCountsEqual,
}
