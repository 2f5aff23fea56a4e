"""One check as data: what has to hold of one table, why, and how bad it is when it does not.

Many of them are a suite (`suite`); there is no SQL and no code in one: it names a registered type with typed arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator, model_validator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.findings import Severity
from migration_assets.quality.rule_type import Column, RuleType, Table, merged
from migration_assets.quality.rules import RULE_TYPES

CheckName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=120)]


class RuleModel(BaseModel):
    """Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MoneyAtStake(RuleModel):
    """Columns that say how much money a row at fault puts at stake: of the rule's table, or added to it by the rule."""

    amount: Column
    currency: Column


class Rule(RuleModel):
    """One check: what has to hold of one table, why, and how bad it is when it does not.

    `key` names columns that identify a row in samples; without it the row's surrogate `system.table#row` is used. Text
    keys are shown only for structural columns (table, measure, rule ...), never for data.
    `looked_at` is `table` or `table.column` for rules over a list of defects: the rows (or the sum of the column) that
    were looked at to fill the list. Zero of those fails the check, an empty list does not.
    `not_for` names partitions the rule says nothing about; its check then passes and says so.
    """

    check: CheckName
    table: Table
    why: Annotated[str, Field(min_length=10, max_length=400)]
    type: str
    kwargs: dict[str, Any] = Field(default_factory=dict)
    severity: Severity
    pii: StrictBool = False
    key: tuple[Column, ...] = ()
    money: MoneyAtStake | None = None
    not_for: tuple[Table, ...] = ()
    looked_at: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")] | None = None

    @field_validator("type")
    @classmethod
    def _type_is_registered(cls, name: str) -> str:
        if name not in RULE_TYPES:
            raise ValueError(f"no rule type {name!r}; there are {', '.join(sorted(RULE_TYPES))}")
        return name

    @model_validator(mode="after")
    def _arguments_fit(self) -> Rule:
        problems = _unknown_columns(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def built(self) -> RuleType:
        """The rule's type with its arguments."""
        return RULE_TYPES[self.type].model_validate(self.kwargs)

    def for_currencies(self, exponents: Mapping[str, int]) -> Rule:
        """The same check under a plan with currencies of its own."""
        return self.model_copy(update={"kwargs": {**self.kwargs, **self.built.for_currencies(exponents)}})

    def reads(self) -> dict[str, tuple[str, ...]]:
        """Every table the rule reads, with the columns it needs of each."""
        built = self.built
        stake = (self.money.amount, self.money.currency) if self.money else ()
        money = tuple(column for column in stake if column not in built.added())
        own = {self.table: (*built.columns(), *self.key, *money)}
        return merged(own, built.others(), _looked_at(self.looked_at))


def _looked_at(place: str | None) -> Mapping[str, tuple[str, ...]]:
    if place is None:
        return {}
    table, _, column = place.partition(".")
    return {table: (column,) if column else ()}


def _unknown_columns(rule: Rule) -> list[str]:
    """Columns a rule names that the canonical entity does not have; other tables are known only at run time."""
    found = []
    for table, names in rule.reads().items():
        if table in ENTITIES:
            has = {f.name for f in (*ENTITIES[table].fields, *PROVENANCE)}
            found += [f"{table} has no field {n!r}" for n in names if n not in has]
    return found
