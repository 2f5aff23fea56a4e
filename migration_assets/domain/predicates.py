"""Predicates as data: `{field, op, value}`. Nothing from a plan is ever evaluated as code or SQL."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Operator = Literal["eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "is_null", "not_null"]
Scalar = str | int | bool


class Predicate(BaseModel):
    """One condition on one column; a list of predicates holds when all of them do.

    A comparison with a missing value does not hold (`ne` and `not_in` included): say `is_null` to select those rows.
    Values are compared as the column's own type; text is compared exactly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: Annotated[str, Field(min_length=1)]
    op: Operator
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Predicate:
        many = isinstance(self.value, tuple)
        if self.op in ("is_null", "not_null"):
            if self.value is not None:
                raise ValueError(f"{self.op} takes no value")
        elif self.op in ("in", "not_in"):
            if not many or not self.value:
                raise ValueError(f"{self.op} takes a list of at least one value")
        elif many or self.value is None:
            raise ValueError(f"{self.op} takes one value")
        return self
