"""Agreed changes of the old system, of whole cohorts: the price that each brings, and items as they stand after them.

Changes of one contract act in order of day and id. Not here: what a price comes to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.legacy.terms import Rules
from migration_assets.stages.shadow.legacy.contracts import Records, readable, record
from migration_assets.stages.shadow.legacy.scales import WIDE, Scale, exactly

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

SWAPS = ("downgrade", "upgrade")
EVER = (date(1, 1, 1), date(9999, 12, 31))
# What a price list says of a price, and what a change brings.
_LISTED = {"list_model": "model", "list_price": "unit_price", "list_tiers": "price", "list_package": "package"}


def agreed(engine: DuckDBEngine, records: Records, contracts: ir.Table) -> ir.Table:
    """Changes with the price they bring, in their order: of the list for a new plan, their own for a ramp.

    contract_id, rank (from 0; with contract_id the key), change_id, kind, first_day, percent, new_quantity, and of the
    new price, absent where none is said: new_model, new_price, new_tiers, new_package.
    """
    changes = readable(record(engine, records, "changes"))
    changes = changes.filter(changes["kind"].isin((*SWAPS, "ramp", "uplift")))
    mine = contracts.select("contract_id", "currency", "months")
    told = changes.join(mine, "contract_id").left_join(
        _listed(engine, records), [("new_plan", "plan"), "currency", "months"]
    )
    swaps, ramps = told["kind"].isin(SWAPS), told["kind"] == "ramp"
    own = (ramps & told["new_unit_price"].notnull()).ifelse("flat", ibis.null("string"))
    priced = ramps.ifelse(told["new_unit_price"], ibis.null("decimal(38, 10)"))
    return _ranked(
        told.select(
            "contract_id",
            "change_id",
            "kind",
            "first_day",
            "percent",
            new_quantity=told["new_quantity"],
            new_model=swaps.ifelse(told["list_model"], own),
            new_price=swaps.ifelse(told["list_price"], priced),
            new_tiers=swaps.ifelse(told["list_tiers"], ibis.null("string")),
            new_package=swaps.ifelse(told["list_package"], ibis.null("int64")),
        )
    )


def _listed(engine: DuckDBEngine, records: Records) -> ir.Table:
    """Plans where the price list says one price of theirs: plan, currency, months, and what it says."""
    prices, plans = (readable(record(engine, records, name)) for name in ("prices", "plans"))
    prices = prices.join(plans.select("plan", "product", "months"), ["product", "months"])
    told = prices.select("plan", "currency", "months", **_LISTED).distinct()
    alone = told.group_by("plan", "currency", "months").having(told.count() == 1)
    return alone.aggregate(**{c: told[c].min() for c in _LISTED})


def _ranked(changes: ir.Table) -> ir.Table:
    order = ibis.window(group_by="contract_id", order_by=["first_day", "change_id"])
    return changes.mutate(rank=ibis.row_number().over(order).cast("int64"))


@dataclass(frozen=True)
class Changing:
    """Changes made one after another. `scale` of prices, `percents` of percentages."""

    engine: DuckDBEngine
    rules: Rules
    scale: Scale
    percents: Scale

    def states(self, items: ir.Table, changes: ir.Table, after: Callable[[ir.Table, ir.Table], ir.Table]) -> ir.Table:
        """Rows of items of contracts with changes, between each change and the next: with from_day and until_day.

        `after`: rows and the changes of one rank, to the rows as they stand then, with the columns of the first.
        """
        most = self.engine.arrow(changes.aggregate(most=changes["rank"].max())).column(0)[0].as_py()
        first = items.semi_join(changes, "contract_id").mutate(made=0, from_day=ibis.literal(EVER[0]))
        versions = [self.engine.cached(first.mutate(made=first["made"].cast("int64")))]
        for rank in range(0 if most is None else most + 1):
            versions.append(self.engine.cached(after(versions[-1], changes.filter(changes["rank"] == rank))))
        every = self.engine.union(versions)
        nexts = changes.select("contract_id", made="rank", until_day="first_day")
        told = every.left_join(nexts, ["contract_id", "made"])
        return told.select(*items.columns, "from_day", until_day=told["until_day"].coalesce(ibis.literal(EVER[1])))

    def raised(self, price: ir.Value, percent: ir.Value) -> ir.Value:
        """Rounded half up to the decimals the old system keeps."""
        kept, places = self.rules.uplift_decimals, self.scale.places
        hundred = 100 * 10**self.percents.places
        total = price.cast(WIDE) * (self.percents.whole(percent) + hundred) * 10**kept
        raised = self.engine.whole(total, exactly(hundred * 10**places), "half_up")
        return raised.cast(WIDE) * 10 ** (places - kept)


def unchanged(engine: DuckDBEngine) -> Changing:
    """For prices as they stand, to ten decimals."""
    return Changing(engine, Rules(), Scale(10, 10**10), Scale(0, 0))


def always(items: ir.Table) -> ir.Table:
    """Rows of items that no change touches."""
    return items.mutate(from_day=ibis.literal(EVER[0]), until_day=ibis.literal(EVER[1]))
