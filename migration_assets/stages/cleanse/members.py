"""The rows of one customer, as rules ask them: laid side by side when they are few, as a group whatever their number.

Rules are written once, on `Members`. Side by side costs a third of grouping, whose states are as wide as a customer,
and hardly any customer is made of more rows than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Protocol

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# How many rows are laid side by side.
FEW = 3


class Row(Protocol):
    """Columns by name: of a table, or of one row among several in a table."""

    def __getitem__(self, name: str) -> Any: ...


Of = Callable[[Row], Any]


class Members(Protocol):
    """Rows of many customers, each asked about the rows of one: columns `identity_id` and `_rank`, from 0."""

    def first(self, value: Of, part: Of, order: Of | None = None) -> ir.Value:
        """The value of the row that is first in an order (of itself by rank), among those that take part."""

    def lowest(self, of: Of) -> ir.Value: ...

    def highest(self, of: Of) -> ir.Value: ...

    def count(self, part: Of) -> ir.IntegerValue: ...

    def total(self, of: Of, part: Of) -> ir.NumericValue:
        """The sum over the rows that take part; missing when none does."""

    def different(self, of: Of) -> ir.IntegerValue:
        """How many different values there are."""

    def listed(self, name: str) -> ir.ArrayValue:
        """A column's values in the order of `_rank`."""

    def beside(self, made: Mapping[str, ir.Value], each: Callable[[Row], Mapping[str, ir.Value]]) -> Members:
        """The same rows with the columns `each`, which it makes of a row that has `made` of its customer beside it."""

    def one(self, made: Mapping[str, ir.Value]) -> ir.Table:
        """One row for each customer: identity_id and `made`."""


@dataclass(frozen=True)
class Group:
    """Any number of rows, grouped by customer."""

    table: ir.Table

    def first(self, value: Of, part: Of, order: Of | None = None) -> ir.Value:
        place = self.table["_rank"] if order is None else order(self.table)
        return value(self.table).argmin(place, where=part(self.table))

    def lowest(self, of: Of) -> ir.Value:
        return of(self.table).min()

    def highest(self, of: Of) -> ir.Value:
        return of(self.table).max()

    def count(self, part: Of) -> ir.IntegerValue:
        return self.table.count(where=part(self.table))

    def total(self, of: Of, part: Of) -> ir.NumericValue:
        return of(self.table).sum(where=part(self.table))

    def different(self, of: Of) -> ir.IntegerValue:
        # Only whether values are equal counts, and hashes (64 bits) are compared at a third of the cost of texts.
        value = of(self.table)
        return value.hash().nunique(where=value.notnull())

    def listed(self, name: str) -> ir.ArrayValue:
        return self.table[name].collect(order_by=self.table["_rank"])

    def beside(self, made: Mapping[str, ir.Value], each: Callable[[Row], Mapping[str, ir.Value]]) -> Group:
        whole = self.table.inner_join(self.one(made), "identity_id")
        return Group(whole.mutate(**each(whole)).drop(*made))

    def one(self, made: Mapping[str, ir.Value]) -> ir.Table:
        return self.table.group_by("identity_id").aggregate(**made)


class _Side(dict[str, Any]):
    """Columns of one of the rows that stand side by side; what belongs to all of them has no number."""

    def __init__(self, table: ir.Table, number: int) -> None:
        self.table, self.number, self.names = table, number, frozenset(table.columns)

    def __missing__(self, name: str) -> ir.Column:
        own = _numbered(name, self.number)
        self[name] = self.table[own if own in self.names else name]
        return self[name]


@dataclass(frozen=True)
class SideBySide:
    """Up to FEW rows of a customer in one row of a table; where there are fewer, the rest is missing."""

    table: ir.Table

    @cached_property
    def _rows(self) -> list[_Side]:
        return [_Side(self.table, n) for n in range(FEW)]

    def first(self, value: Of, part: Of, order: Of | None = None) -> ir.Value:
        if order is None:
            return ibis.cases(*((part(r), value(r)) for r in self._rows))
        lowest = self.lowest(lambda r: _where(part(r), order(r)))
        return ibis.cases(*((order(r) == lowest, value(r)) for r in self._rows))

    def lowest(self, of: Of) -> ir.Value:
        return ibis.least(*(of(r) for r in self._rows))

    def highest(self, of: Of) -> ir.Value:
        return ibis.greatest(*(of(r) for r in self._rows))

    def count(self, part: Of) -> ir.IntegerValue:
        return _sum(part(r).cast("int32") for r in self._rows)

    def total(self, of: Of, part: Of) -> ir.NumericValue:
        found = _sum(part(r).ifelse(of(r), 0) for r in self._rows)
        return _where(self.count(part) > 0, found)

    def different(self, of: Of) -> ir.IntegerValue:
        values = [of(r) for r in self._rows]
        new = (
            reduce(lambda a, b: a & b, (~v.identical_to(w) for w in values[:n]), v.notnull())
            for n, v in enumerate(values)
        )
        return _sum(v.cast("int32") for v in new)

    def listed(self, name: str) -> ir.ArrayValue:
        return ibis.array([r[name] for r in self._rows])

    def beside(self, made: Mapping[str, ir.Value], each: Callable[[Row], Mapping[str, ir.Value]]) -> SideBySide:
        whole = self.table.mutate(**made)
        found = ((n, each(_Side(whole, n))) for n in range(FEW))
        return SideBySide(whole.mutate(**{_numbered(c, n): v for n, columns in found for c, v in columns.items()}))

    def one(self, made: Mapping[str, ir.Value]) -> ir.Table:
        return self.table.select("identity_id", **made)


def members_of(engine: DuckDBEngine, rows: ir.Table, placed: ir.Table) -> Iterator[Members]:
    """The customers of several rows: those of few, and the others if there are any. `placed`: customer_id, identity_id,
    `_members` and `_rank` of the rows, and what else is to be known of them."""
    yield _side_by_side(rows, placed.filter(placed["_members"].between(2, FEW)))
    many = placed.filter(placed["_members"] > FEW)
    if engine.count(many):
        yield Group(rows.inner_join(many, "customer_id"))


def _side_by_side(rows: ir.Table, placed: ir.Table) -> SideBySide:
    first, *others = (
        rows.inner_join(placed.filter(placed["_rank"] == n), "customer_id").rename(lambda c, n=n: _numbered(c, n))
        for n in range(FEW)
    )
    table = first.rename(identity_id=_numbered("identity_id", 0))
    for n, other in enumerate(others, start=1):
        table = table.left_join(other, table["identity_id"] == other[_numbered("identity_id", n)])
    return SideBySide(table)


def _numbered(name: str, number: int) -> str:
    return f"{name}#{number}"


def _where(there: ir.BooleanValue, value: ir.Value) -> ir.Value:
    return there.ifelse(value, ibis.null(value.type()))


def _sum(values: Any) -> Any:
    return reduce(lambda a, b: a + b, values)
