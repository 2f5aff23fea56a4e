"""Our types of rule about totals and about notes: counts that balance, amounts that add up, codes nobody mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, model_validator

from migration_assets.domain.money import EXPONENTS
from migration_assets.quality import sql
from migration_assets.quality.rule_type import Column, Columns, RuleType, Scope, Table, Where, fields_of

_TABLE = ("source_system", "source_table")
_ROW = (*_TABLE, "source_row")


class AddsUp(RuleType):
    """`total` is the sum of the `parts` in every row where `where` holds, exactly; a missing part counts as 0."""

    total: Column
    parts: Columns
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        return (self.total, *self.parts, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        # Wide enough that two amounts do not overflow when added; prices have parts of a minor unit.
        added = " + ".join(f"coalesce(cast({sql.column('b', p)} as decimal(38, 8)), 0)" for p in self.parts)
        untied = f"cast({sql.column('b', self.total)} as decimal(38, 8)) is distinct from {added}"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {untied}"

    def says(self) -> str:
        return f"have a `{self.total}` that is not {' + '.join(f'`{p}`' for p in self.parts)}"


class CountsBalance(AddsUp):
    """The rows read are the sum of what became of them: every row has exactly one disposition (I30)."""


class CurrencyExponent(RuleType):
    """`minor` is `major` (times `quantity`, less `discount_percent`) in the minor units that ISO 4217 gives its
    currency, within `tolerance`.

    Rows where one of the columns is missing pass. `exponents` are named overrides; those of the plan are put there by
    themselves.
    """

    minor: Column
    major: Column
    currency: Column
    quantity: Column | None = None
    discount_percent: Column | None = None
    exponents: dict[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[StrictInt, Field(ge=0, le=8)]] = Field(
        default_factory=dict
    )
    tolerance: Annotated[StrictInt, Field(ge=0)] = 0
    where: Where = ()

    def columns(self) -> tuple[str, ...]:
        factors = tuple(c for c in (self.quantity, self.discount_percent) if c is not None)
        return (self.minor, self.major, self.currency, *factors, *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        powers = {c: 10**e for c, e in sorted({**EXPONENTS, **self.exponents}.items()) if e != 2}
        unit = sql.case_of(sql.column("b", self.currency), powers, 100)
        times = "" if self.quantity is None else f" * cast({sql.column('b', self.quantity)} as hugeint)"
        due = f"cast({sql.column('b', self.major)} as decimal(28, 8)) * {unit}{times}"
        minor, tolerance = f"cast({sql.column('b', self.minor)} as decimal(28, 8))", str(self.tolerance)
        if self.discount_percent is not None:
            # Both sides a hundred times larger, so that nothing has to be divided.
            discount = f"cast({sql.column('b', self.discount_percent)} as decimal(12, 8))"
            due, minor, tolerance = f"({due}) * (100 - {discount})", f"{minor} * 100", f"{tolerance} * 100"
        off = f"abs({minor} - ({due})) > {tolerance}"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {off}"

    def says(self) -> str:
        return f"have a `{self.minor}` that is not `{self.major}` in minor units of their currency"

    def for_currencies(self, exponents: Mapping[str, int]) -> dict[str, Any]:
        return {"exponents": {**exponents, **self.exponents}}


class CodesKnown(RuleType):
    """No note says that a code stands in no code list. The failure names fields and counts, and never a code: what
    stands where a code belongs may be anybody's name."""

    def columns(self) -> tuple[str, ...]:
        return ("entity", "field", "reason", "old_value")

    def defects(self, scope: Scope) -> str | None:
        return f"select b.* from {scope.main} b where b.reason = 'unknown_code'"

    def breakdown(self, scope: Scope) -> str | None:
        return (
            f"select entity || '.' || field, count(distinct old_value), count(*) from {scope.main} b "
            "where b.reason = 'unknown_code' group by all order by 3 desc, 1 limit 20"
        )

    def says(self) -> str:
        return (
            "hold a code that its code list does not have; `cutover rejected --reason unknown_code --rows` names those "
            "that were rejected for it"
        )


class ShareAtMost(RuleType):
    """Source rows with a note of one action are at most `percent` of the rows of table `of`."""

    action: Literal["cleaned", "defaulted", "set_aside", "rejected"]
    of: Table
    percent: Annotated[StrictInt, Field(ge=0, le=100)]
    reason: str | None = None

    def columns(self) -> tuple[str, ...]:
        return ("source_system", "source_table", "source_row", "action", *(("reason",) if self.reason else ()))

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.of: ()}

    def defects(self, scope: Scope) -> str | None:
        why = f" and b.reason = {sql.literal(self.reason)}" if self.reason else ""
        rows = (
            "select distinct b.source_system, b.source_table, b.source_row "
            f"from {scope.main} b where b.action = {sql.literal(self.action)}{why}"
        )
        return (
            f"with noted as ({rows}) select * from noted where (select count(*) from noted) * 100 > "
            f"{self.percent} * (select count(*) from {scope.relation(self.of)})"
        )

    def says(self) -> str:
        return f"are {self.action}, more than {self.percent} % of `{self.of}`"


class FieldShareAtMost(RuleType):
    """Of no source table does one field have notes of one action in more than `percent` of the table's rows; fewer than
    `rows` such rows show nothing.

    A table's rows are those in `of`, and, since a stage accounts only for tables that are at home in it, those that any
    other table of the suite came from.
    """

    action: Literal["cleaned", "defaulted", "set_aside"]
    of: Table
    percent: Annotated[StrictInt, Field(ge=0, le=100)]
    rows: Annotated[StrictInt, Field(ge=1)] = 5

    def columns(self) -> tuple[str, ...]:
        return (*_ROW, "field", "action")

    def others(self) -> dict[str, tuple[str, ...]]:
        return {self.of: _ROW}

    def defects(self, scope: Scope) -> str | None:
        table, row = ", ".join(_TABLE), ", ".join(_ROW)
        noted = (
            f"select {table}, field, count(distinct source_row) as noted from {scope.main} "
            f"where action = {sql.literal(self.action)} group by all"
        )
        from_source = sorted(n for n, columns in scope.types.items() if n != scope.table and {*_ROW} <= {*columns})
        rows = " union ".join(f"select {row} from {scope.relation(name)}" for name in from_source)
        whole = f"select {table}, count(*) as there from ({rows}) group by all"
        return (
            f"select {table}, field from ({noted}) join ({whole}) using ({table}) "
            f"where noted >= {self.rows} and noted * 100 > {self.percent} * there"
        )

    def says(self) -> str:
        return f"are fields {self.action} in more than {self.percent} % of the rows of their table"


class RowShareAtMost(RuleType):
    """`part` is at most `percent` of `whole`, or at most the number in the column `most`, in every row where `where`
    holds. `named`: a column of names out of the plan, by which a failure tells the rows, their part and their whole."""

    part: Column
    whole: Column
    percent: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    most: Column | None = None
    named: Column | None = None
    where: Where = ()

    @model_validator(mode="after")
    def _has_one_limit(self) -> RowShareAtMost:
        if (self.percent is None) == (self.most is None):
            raise ValueError("needs percent or most, not both")
        return self

    def columns(self) -> tuple[str, ...]:
        return (self.part, self.whole, *(c for c in (self.most, self.named) if c is not None), *fields_of(self.where))

    def defects(self, scope: Scope) -> str | None:
        part = sql.column("b", self.part)
        limit = sql.column("b", self.most) if self.most else f"{self.percent} * {sql.column('b', self.whole)}"
        held = part if self.most else f"cast({part} as hugeint) * 100"
        return f"select b.* from {scope.main} b where {sql.holds('b', self.where)} and {held} > {limit}"

    def shares(self, scope: Scope) -> str | None:
        if self.named is None:
            return None
        told = ", ".join(sql.name(c) for c in (self.named, self.part, self.whole))
        return f"select {sql.literal(self.named)}, {told} from ({self.defects(scope)}) order by 2"

    def says(self) -> str:
        if self.most:
            return f"have a `{self.part}` above `{self.most}`"
        return f"have a `{self.part}` above {self.percent} % of `{self.whole}`"


TOTAL_TYPES: dict[str, type[RuleType]] = {
    "adds_up": AddsUp,
    "counts_balance": CountsBalance,
    "currency_exponent": CurrencyExponent,
    "codes_known": CodesKnown,
    "share_at_most": ShareAtMost,
    "field_share_at_most": FieldShareAtMost,
    "column_share_at_most": RowShareAtMost,
}
