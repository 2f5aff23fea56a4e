"""Who would notice a move: who loses access, is billed otherwise or on other days, and what they are worth (A13).

Differences of bills and of access, which are told apart by cause, time and feature, come together by customer here, so
that a person can go through them from the largest on. Not here: what differs, and what was signed for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.stages.shadow.budget import Share, share_of
from migration_assets.stages.shadow.signed import SIGNED, UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# The worst of a customer's differences is what the customer is called by.
WORST = (UNSIGNED, REJECTED, SIGNED)
CHURN = pa.schema(
    [
        ("customer_id", pa.string()),
        ("status", pa.string()),
        ("access_lost", pa.int64()),
        ("bills_more", pa.int64()),
        ("more_minor", pa.int64()),
        ("bills_less", pa.int64()),
        ("less_minor", pa.int64()),
        ("bills_moved", pa.int64()),
        ("yearly_minor", pa.int64()),
        ("currency", pa.string()),
    ]
)


@dataclass(frozen=True)
class Guarded:
    """`churn`: one row for each customer who would notice; key customer_id. `within_budget`: whether the plan bears
    those whom nobody signed for. `told`: why it does not bear them, where that is not for themselves alone."""

    churn: ir.Table
    within_budget: bool
    told: str = ""


def nobody(engine: DuckDBEngine) -> Guarded:
    """No customer."""
    return Guarded(engine.table(CHURN.empty_table()), within_budget=False)


def guarded(
    engine: DuckDBEngine,
    bills: ir.Table,
    access: ir.Table,
    contracts: ir.Table,
    worth: ir.Table,
    borne: Callable[[Share], tuple[bool, str]],
) -> Guarded:
    """Who would notice, and whether that is borne: `borne` says so, and why not.

    `bills`: contract_id, cycle, cause (key), status, difference_minor, line_kinds. `access`: customer_id, kind, status.
    `contracts`: contract_id, customer. `worth`: customer_id (key), yearly_minor, currency. A bill counts as a whole:
    what one cause adds and another takes is neither more nor less.
    """
    parts = [_lost(access), _billed(bills, contracts)]
    each = engine.union(parts).group_by("customer_id")
    told = each.aggregate(
        rank=_.rank.min(), **{c: _[c].sum().cast("int64") for c in CHURN.names if c not in _OF_CUSTOMER}
    )
    known = told.left_join(worth, "customer_id").drop("customer_id_right")
    named = known.mutate(status=known["rank"].cases(*enumerate(WORST)), yearly_minor=known["yearly_minor"].fill_null(0))
    churn = engine.cached(named.select(*CHURN.names))
    return Guarded(churn, *borne(share_of(engine, churn)))


def excused(rows: ir.Table, guard: Guarded) -> ir.Table:
    """Differences with `excused`: whether nobody signed for them, and the budget lets them pass all the same."""
    return rows.mutate(excused=(rows["status"] == UNSIGNED) & ibis.literal(guard.within_budget))


_OF_CUSTOMER = ("customer_id", "status", "yearly_minor", "currency")


def _lost(access: ir.Table) -> ir.Table:
    lost = access.filter((access["kind"] == "loss") | ((access["kind"] == "change") & access["after_allowed"]))
    return _counted(lost, lost["customer_id"], access_lost=ibis.literal(1, "int64"))


def _billed(bills: ir.Table, contracts: ir.Table) -> ir.Table:
    whole = bills.mutate(rank=_rank(bills)).group_by("contract_id", "cycle")
    each = whole.aggregate(
        minor=_.difference_minor.sum().cast("int64"), rank=_.rank.min(), moved=(_.line_kinds == "").all()
    )
    met = each.join(contracts.select("contract_id", "customer"), "contract_id")
    more, less = (met["minor"] > 0), (met["minor"] < 0)
    none = ibis.literal(0, "int64")
    moved = met["moved"] & (met["minor"] == 0)
    # What only stands on other lines, for the same money on the same day, nobody notices.
    noticed = met.mutate(
        bills_more=more.cast("int64"),
        more_minor=more.ifelse(met["minor"], none),
        bills_less=less.cast("int64"),
        less_minor=less.ifelse(-met["minor"], none),
        bills_moved=moved.cast("int64"),
    ).filter(more | less | moved)
    columns = ("bills_more", "more_minor", "bills_less", "less_minor", "bills_moved")
    return noticed.select(customer_id="customer", rank="rank", access_lost=none, **{c: noticed[c] for c in columns})


def _rank(rows: ir.Table) -> ir.IntegerValue:
    return rows["status"].cases(*((status, place) for place, status in enumerate(WORST)))


def _counted(rows: ir.Table, customer: ir.StringValue, **counts: ir.IntegerValue) -> ir.Table:
    none = ibis.literal(0, "int64")
    columns = [c for c in CHURN.names if c not in _OF_CUSTOMER]
    return rows.select(customer_id=customer, rank=_rank(rows), **{c: counts.get(c, none) for c in columns})
