"""Lines of the old system's runs with whole amounts and tax, of whole cohorts.

An amount is `total / (10**places * factor * share)` minor units until it is rounded: each line for itself, or all of an
invoice together in the order of its lines. Not here: which charges there are beside what recurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.arrears import CHARGE
from migration_assets.stages.shadow.legacy.scales import NARROW, WIDE, exactly, integer

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine

_KINDS = ("recurring", "proration", "usage", "discount")
# An invoice with more lines may be refused (an overflow is an error), never wrong.
_MOST_LINES = 10_000
# Days of ten years are more than any period has.
_MOST_SHARE = 3_660
RUN = ("run_id", "subscription_id", "from_cycle", "percent", "tax_inclusive")
NO_INSTANT = ibis.null("timestamp('UTC', 6)")


@dataclass(frozen=True)
class Rounded:
    """How amounts become whole. `places`: of prices; `tax_places`: of percentages; `factors`: all there are beside 1,
    each a power of ten; `largest`: no total of what recurs is larger; `largest_line`: none that is no discount.
    """

    engine: DuckDBEngine
    rules: Rules
    places: int
    tax_places: int
    factors: Sequence[int]
    largest: int
    largest_line: int

    def recurring(self, runs: ir.Table, states: ir.Table) -> ir.Table:
        """A charge for every item that is on the contract on the run's first day."""
        items = states.filter(states["kind"] != "usage").drop("kind")
        met = runs.join(items, [runs["subscription_id"] == items["contract_id"], *_covers(runs, items)])
        return met.select(
            *RUN,
            rank=ibis.literal(0, NARROW),
            sorted_by=met["item_id"],
            starts_at=NO_INSTANT,
            ends_at=NO_INSTANT,
            total=met["price"].cast(integer(self.largest)) * met["quantity"] * met["unit"],
            factor=ibis.literal(1, NARROW),
            share=ibis.literal(1, NARROW),
        )

    def bases(self, recurring: ir.Table) -> ir.Table:
        """What recurs in each run: whole minor units where lines are rounded, else exact; in 10**-places of them."""
        by_line = self.rules.rounded_at == "line"
        kind = self._summed(self.largest)
        told = recurring.mutate(amount=self._alone(recurring).cast(kind) if by_line else recurring["total"])
        base = told.group_by("run_id").aggregate(base=told["amount"].sum().cast(kind))
        return base.mutate(base=base["base"] * exactly(10**self.places)) if by_line else base

    def _summed(self, largest: int) -> str:
        """Type for sums over the lines of an invoice."""
        return integer(largest * _MOST_LINES)

    def lines(self, charges: Sequence[ir.Table]) -> ir.Table:
        """Charges, with the columns of their run, as lines."""
        taxes = self._apart(charges) if self.rules.rounded_at == "line" else self._taxed(self._together(charges))
        inclusive = taxes["tax_inclusive"]
        kinds = [(ibis.literal(rank), ibis.literal(kind)) for rank, kind in enumerate(_KINDS)]
        return taxes.select(
            "subscription_id",
            "from_cycle",
            kind=taxes["rank"].cases(*kinds),
            item_id=(taxes["rank"] == 3).ifelse("", taxes["sorted_by"]),
            position=taxes["position"],
            starts_at=taxes["starts_at"],
            ends_at=taxes["ends_at"],
            amount_minor=inclusive.ifelse(taxes["amount"] - taxes["tax_minor"], taxes["amount"]),
            tax_minor=taxes["tax_minor"],
        )

    def _apart(self, charges: Sequence[ir.Table]) -> ir.Table:
        """Each amount rounded for itself, and taxed."""
        columns = (*RUN, "rank", "sorted_by", "starts_at", "ends_at", "amount")
        every = self.engine.union([part.mutate(amount=self._alone(part)).select(*columns) for part in charges])
        if self.rules.taxed_at == "invoice":
            return self._taxed(_placed(every))
        # What has to be put in order is smaller without what tax is made from.
        return _placed(self._taxed(every).select(*columns, "tax_minor").drop("percent"))

    def _alone(self, charges: ir.Table) -> ir.Value:
        factor = charges["factor"].cast(integer(max(1, *self.factors) * 10**self.places * _MOST_SHARE))
        return self._whole(charges["total"], factor * charges["share"] * exactly(10**self.places))

    def _together(self, charges: Sequence[ir.Table]) -> ir.Table:
        """Each amount is how far the rounded running sum moves. Most invoices have only what recurs, in one
        denominator; those with more are brought to their greatest."""
        recurring, *others = charges
        mixed = self.engine.cached(self.engine.union([part.select("run_id") for part in others]).distinct())
        alike = recurring.anti_join(mixed, "run_id").mutate(parts=exactly(10**self.places))
        brought = alike.mutate(brought=alike["total"].cast(self._summed(self.largest)))
        both = (self._brought([recurring.semi_join(mixed, "run_id"), *others]), _placed(brought))
        columns = (*RUN, "rank", "sorted_by", "starts_at", "ends_at", "position", "amount")
        moved = [self._moved(part, part["brought"], part["parts"], "amount").select(*columns) for part in both]
        return self.engine.union(moved)

    def _brought(self, charges: Sequence[ir.Table]) -> ir.Table:
        placed = _placed(self.engine.union([part.mutate(total=part["total"].cast(WIDE)) for part in charges]))
        run = ibis.window(group_by="run_id")
        told = placed.mutate(top=placed["factor"].max().over(run), days=placed["share"].max().over(run))
        shares = (told["share"] == told["days"]).ifelse(1, told["days"])
        return told.mutate(
            brought=(told["total"] * self._ratio(told["top"], told["factor"]) * shares).cast(WIDE),
            parts=told["top"].cast(WIDE) * told["days"] * exactly(10**self.places),
        )

    def _ratio(self, top: ir.Value, factor: ir.Value) -> ir.Value:
        """top / factor, without a division that would go over a float."""
        known = sorted({1, *self.factors})
        pairs = [(high, low) for high in known for low in known if low < high]
        cases = [((top == high) & (factor == low), ibis.literal(high // low)) for high, low in pairs]
        return ibis.cases(*cases, else_=1) if cases else ibis.literal(1)

    def _taxed(self, lines: ir.Table) -> ir.Table:
        """With tax_minor, within the amount where prices contain it, else upon it."""
        hundred = exactly(100 * 10**self.tax_places)
        told = lines.mutate(
            taxable=lines["amount"].cast(self._taxable) * lines["percent"],
            parts=lines["tax_inclusive"].ifelse(lines["percent"] + hundred, hundred),
        )
        if self.rules.taxed_at == "line":
            return told.mutate(tax_minor=self._whole(told["taxable"], told["parts"]))
        return self._moved(told, told["taxable"], told["parts"], "tax_minor")

    @property
    def _taxable(self) -> str:
        """Type for amounts times a percentage; nothing is taxed with more than all of it."""
        largest = self.largest_line // 10**self.places + 1
        return self._summed(largest * 100 * 10**self.tax_places)

    def _moved(self, lines: ir.Table, part: ir.Value, parts: ir.Value, name: str) -> ir.Table:
        """With the whole number by which the running sum moves at each line of its run."""
        order = ibis.cumulative_window(group_by="run_id", order_by="position")
        told = lines.mutate(_part=part, _parts=parts, _after=part.sum().over(order).cast(part.type()))
        told = told.mutate(_before=told["_after"] - told["_part"])
        moved = self._whole(told["_after"], told["_parts"]) - self._whole(told["_before"], told["_parts"])
        return told.mutate(moved.name(name))

    def _whole(self, total: ir.Value, parts: ir.Value) -> ir.Value:
        return self.engine.whole(total, parts, self.rules.rounding)


def _covers(runs: ir.Table, items: ir.Table) -> list[ir.BooleanValue]:
    day = runs["first_day"]
    return [
        items["first_day"].isnull() | (items["first_day"] <= day),
        items["last_day"].isnull() | (day <= items["last_day"]),
        items["from_day"] <= day,
        day < items["until_day"],
    ]


def _placed(charges: ir.Table) -> ir.Table:
    """With the position on the invoice."""
    order = ibis.window(group_by="run_id", order_by=["rank", "sorted_by"])
    return charges.mutate(position=ibis.row_number().over(order).cast(NARROW))


def of_runs(runs: ir.Table, extras: ir.Table) -> ir.Table:
    """Charges of single cycles as charges of their runs. `extras`: contract_id, cycle and the columns of a charge."""
    named = extras.rename(subscription_id="contract_id", from_cycle="cycle")
    return runs.select(*RUN).join(named, ["subscription_id", "from_cycle"]).select(*RUN, *CHARGE)
