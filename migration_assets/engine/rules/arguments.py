"""What the mapping may say to each rule, as frozen models that refuse unknown keys.

Belongs here: the shape of arguments and what can be told wrong without looking at data. Not here: what a rule does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator, model_validator

from migration_assets.domain.patterns import LONGEST, linear
from migration_assets.domain.predicates import Predicate

Value = StrictStr | StrictInt | StrictBool
Separator = Annotated[str, Field(min_length=1, max_length=1)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

# Directives of strptime that do not depend on a locale.
_DIRECTIVES = frozenset("YymdHIMSfpjzbBaA%")


class Arguments(BaseModel):
    """What every rule understands. `when`: where it does not hold, the value is missing and nothing is noted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: tuple[Predicate, ...] = ()

    def misfits(self, columns: int) -> list[str]:
        """What is wrong between the arguments and the number of columns."""
        return []


class Constant(Arguments):
    value: Value


class Case(Arguments):
    to: Literal["upper", "lower", "title"]


def _known_directives(formats: tuple[str, ...]) -> tuple[str, ...]:
    for text in formats:
        unknown = [d for d in re.findall(r"%(.?)", text, flags=re.DOTALL) if d not in _DIRECTIVES]
        if unknown:
            raise ValueError(f"{text!r}: %{unknown[0]} is not a format directive this rule knows")
        # Python would make it 1900.
        if not re.search("%[Yy]", text.replace("%%", "")):
            raise ValueError(f"{text!r} has no year (%Y)")
    return formats


Order = Literal["ymd", "dmy", "mdy", "infer"]


def _order_or_formats(order: str | None, formats: tuple[str, ...]) -> None:
    if order and formats:
        raise ValueError("give order or formats, not both")


class Date(Arguments):
    """Without order or formats, text is read as year, month, day. `infer`: the whole column has to prove its order."""

    order: Order | None = None
    formats: tuple[str, ...] = ()

    _formats = field_validator("formats")(_known_directives)

    @model_validator(mode="after")
    def _one_of_both(self) -> Date:
        _order_or_formats(self.order, self.formats)
        return self


class Timestamp(Arguments):
    """`zone` is for values without an offset; a second column may name it row by row instead. `order`: as of `date`."""

    zone: str = "UTC"
    order: Order | None = None
    formats: tuple[str, ...] = ()
    end: Literal["exclusive", "inclusive_day", "inclusive_second", "inclusive_millisecond"] = "exclusive"
    overlap: Literal["earlier", "later"] | None = None

    _formats = field_validator("formats")(_known_directives)

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        from migration_assets.domain.calendar import is_zone

        if not is_zone(zone):
            raise ValueError(f"{zone!r} is not an IANA time zone")
        return zone

    @model_validator(mode="after")
    def _one_of_both(self) -> Timestamp:
        _order_or_formats(self.order, self.formats)
        return self

    def misfits(self, columns: int) -> list[str]:
        """The zone comes from a column or from here, never from both."""
        twice = columns == 2 and "zone" in self.model_fields_set
        return ["zone: name a zone or a zone column, not both"] if twice else []


class DecimalText(Arguments):
    """How numbers are written in text columns."""

    decimal_separator: Separator = "."
    grouping_separator: Annotated[str, Field(max_length=1)] = ""

    @model_validator(mode="after")
    def _separators_differ(self) -> DecimalText:
        if self.decimal_separator == self.grouping_separator:
            raise ValueError("decimal_separator and grouping_separator are the same character")
        for name, mark in (("decimal", self.decimal_separator), ("grouping", self.grouping_separator)):
            if mark and (mark.isdigit() or mark in "+-"):
                raise ValueError(f"{name}_separator cannot be a digit or a sign")
        return self


class Rounded(DecimalText):
    """Amounts that may be finer than their currency: each one that is rounded is noted with what it was."""

    rounding: Literal["refuse", "half_up", "half_even"] = "refuse"


class Money(Rounded):
    """`unit` has no default: a factor of 100 is nothing to guess. `currency` only with one column. An amount finer than
    its currency is an error, unless `rounding` decides; each one rounded is noted with what it was.

    `default`: an amount in `unit`, as a plain number, that stands in where the column is blank and `default_if` holds;
    each is noted, and a blank amount elsewhere is an error, as with the rule `default`.
    """

    unit: Literal["major", "minor"]
    currency: CurrencyCode | None = None
    default: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")] | None = None
    default_if: tuple[Predicate, ...] = ()

    @model_validator(mode="after")
    def _default_for_its_condition(self) -> Money:
        if self.default_if and self.default is None:
            raise ValueError("default_if needs a default")
        return self

    def misfits(self, columns: int) -> list[str]:
        """The currency comes from a column or from here, never from both; major units cannot do without."""
        if columns == 2 and self.currency:
            return ["currency: name a currency or a currency column, not both"]
        if columns == 2 and self.default is not None:
            return ["default: an amount that stands in needs one fixed currency, not a currency column"]
        if columns == 1 and not self.currency and self.unit == "major":
            return ["currency: amounts in major units need a currency, fixed or as the second column"]
        return []


class Line(DecimalText):
    """Quantity and unit price in major units; then, when `discount` says how it is stated (0.02 as a share is 2
    percent), a column of it. Without a quantity there is no amount; a blank price or discount is an error, never zero.
    """

    discount: Literal["none", "share", "percent"] = "none"

    @property
    def factors(self) -> int:
        """How many columns are multiplied."""
        return 2 + (self.discount != "none")

    def misfits(self, columns: int) -> list[str]:
        """One column for each factor."""
        if columns == self.factors:
            return []
        return [f"discount: {self.discount} means {self.factors} columns, not {columns}"]


class LineAmount(Rounded, Line):
    """As `exact_line_amount`, then to minor units of `currency`, or of a currency column after the others. An amount
    finer than its currency is an error, unless `rounding` decides; each one rounded is noted with what it was."""

    currency: CurrencyCode | None = None

    def misfits(self, columns: int) -> list[str]:
        """The currency comes from a column or from here, never from both."""
        wanted = self.factors + (self.currency is None)
        if columns == wanted:
            return []
        said = f"discount {self.discount} and {'a' if self.currency is None else 'no'} currency column"
        return [f"columns: {said} mean {wanted} columns, not {columns}"]


def _spelling(value: object) -> str:
    return str(value).strip().lower()


class Boolean(Arguments):
    """Spellings are compared trimmed and without regard to case."""

    true: tuple[Value, ...] = ("true", "t", "yes", "y", "1")
    false: tuple[Value, ...] = ("false", "f", "no", "n", "0")

    @property
    def spellings(self) -> dict[str, bool]:
        """Each spelling and what it means."""
        return {_spelling(v): False for v in self.false} | {_spelling(v): True for v in self.true}

    @model_validator(mode="after")
    def _disjoint(self) -> Boolean:
        both = {_spelling(v) for v in self.true} & {_spelling(v) for v in self.false}
        if both:
            raise ValueError(f"true and false share {sorted(both)}")
        return self


class Lookup(Arguments):
    list: Annotated[str, Field(min_length=1)]


class Join(Arguments):
    separator: str = " "


class Split(Arguments):
    """`part` counts from 1, negative from the end. Parts that are to be rows are declared with `split` in plan.yaml."""

    separator: Annotated[str, Field(min_length=1)]
    part: StrictInt

    @field_validator("part")
    @classmethod
    def _not_zero(cls, part: int) -> int:
        if part == 0:
            raise ValueError("part counts from 1 (or from -1, backwards)")
        return part


class Extract(Arguments):
    """`pattern`: a regular expression with a group for what is wanted, searched for anywhere in the text. It is matched
    in linear time whatever the text, so it cannot look around or refer back. `group`: which of its groups.
    """

    pattern: Annotated[str, Field(min_length=3, max_length=LONGEST)]
    group: Annotated[StrictInt, Field(ge=1, le=9)] = 1

    @field_validator("pattern")
    @classmethod
    def _linear(cls, pattern: str) -> str:
        return linear(pattern)

    @model_validator(mode="after")
    def _has_the_group(self) -> Extract:
        if re.compile(self.pattern).groups < self.group:
            raise ValueError("pattern has no such group: put what is wanted in ( )")
        return self


class Default(Arguments):
    """`if`: predicates that must hold for the value to stand in."""

    value: Value
    conditions: tuple[Predicate, ...] = Field(default=(), alias="if")


class Phone(Arguments):
    default_country: CountryCode | None = None


class State(Arguments):
    country: CountryCode | None = None


AddressColumn = Literal["line1", "line2", "street", "house_number", "postal_code", "city", "state", "country"]


class InCountry(Arguments):
    """`country`: for rows whose second column does not name one."""

    country: CountryCode | None = None


class AddressPart(InCountry):
    """`country`: for rows whose second column does not name one; else the text itself has to."""

    part: AddressColumn


class AddressText(InCountry):
    """`parts`: what each column is, in the order of the columns; street and number are one line in the country's order.

    `separator`: what stands between lines. `country`: whose form it is where no column names a country.
    """

    parts: Annotated[tuple[AddressColumn, ...], Field(min_length=1)]
    separator: Annotated[str, Field(min_length=1, max_length=5)] = ", "

    @field_validator("parts")
    @classmethod
    def _each_once(cls, parts: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(parts)) < len(parts):
            raise ValueError("each part once")
        if "line1" in parts and {"street", "house_number"} & set(parts):
            raise ValueError("line1 is street and house_number: name it or them")
        return parts

    def misfits(self, columns: int) -> list[str]:
        """One part for each column."""
        return [] if columns == len(self.parts) else [f"parts: {len(self.parts)} parts for {columns} column(s)"]


class PersonName(Arguments):
    part: Literal["full", "given", "family"] = "full"


class Reference(Arguments):
    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}\.[a-z][a-z0-9_]{0,47}$")]


class Quantity(Arguments):
    """`unit` only with one column; without either the amount is in `to` already.

    `factors`: how many of `to` one of each unit is, exact text such as `1.024` or `1000/1024`.
    """

    to: Annotated[str, Field(min_length=1)]
    unit: str | None = None
    factors: dict[str, str] = Field(default_factory=dict)

    @field_validator("factors")
    @classmethod
    def _exact(cls, factors: dict[str, str]) -> dict[str, str]:
        for unit, text in factors.items():
            if not re.fullmatch(r"[0-9]+(\.[0-9]+)?(/[1-9][0-9]*)?", text) or exact_factor(text) == 0:
                raise ValueError(f"factor of {unit!r} must be an exact positive number such as 1024 or 1000/1024")
        return factors

    @model_validator(mode="after")
    def _unit_known(self) -> Quantity:
        if self.unit is not None and self.unit != self.to and self.unit not in self.factors:
            raise ValueError(f"unit {self.unit!r} is neither {self.to!r} nor in factors")
        if self.to in self.factors and exact_factor(self.factors[self.to]) != 1:
            raise ValueError(f"the factor of {self.to!r} itself can only be 1")
        return self

    def misfits(self, columns: int) -> list[str]:
        """The unit comes from a column or from here."""
        return ["unit: name a unit or a unit column, not both"] if columns == 2 and self.unit is not None else []

    @property
    def exact_factors(self) -> dict[str, Fraction]:
        """Every unit's factor, the canonical unit included."""
        return {self.to: Fraction(1)} | {u: exact_factor(t) for u, t in self.factors.items()}


def exact_factor(text: str) -> Fraction:
    """The number a factor's text stands for."""
    over, _, under = text.partition("/")
    return Fraction(Decimal(over)) / Fraction(under or "1")
