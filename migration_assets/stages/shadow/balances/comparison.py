"""What customers owe and what is theirs, on both sides, and what differs: by customer, by legal entity, and of credit
by expiry and turn (D2, I16, I29).

Belongs here: which sums are held against each other, and what each difference is called. Not here: Dagster, and how a
ledger is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.legacy.terms import Rules
from migration_assets.stages.shadow.balances.ledger import (
    MEASURES,
    NOBODY,
    OF_ENTITIES,
    POSITION,
    Ledger,
    positions,
    recorded_positions,
    recurring_sums,
)
from migration_assets.stages.shadow.balances.new_ledger import new_ledger
from migration_assets.stages.shadow.balances.old_ledger import MOVED, UNREAD, old_ledger
from migration_assets.stages.shadow.kept import rejected_rows, without
from migration_assets.stages.shadow.legacy.contracts import units_of
from migration_assets.stages.shadow.signed import UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName

SAME = "same"
# Which measures there are depends on what the plan reads of the old system; without it nothing is compared.
_NEEDS: Mapping[str, tuple[RecordName, ...]] = {
    "receivables": ("receivables",),
    "on_account": ("payments", "applications"),
    "credit_memos": ("credit_memos",),
    "credits": ("credits",),
    "deferred_revenue": ("revenue", "lines", "receivables"),
    "recurring_revenue": ("contracts", "items"),
}
# The record that says which legal entity a measure belongs to.
_ENTITY: Mapping[str, RecordName] = {
    "receivables": "receivables",
    "deferred_revenue": "receivables",
    "recurring_revenue": "contracts",
}
_MONEY = (
    ("legacy_minor", pa.int64()),
    ("target_minor", pa.int64()),
    ("rejected_minor", pa.int64()),
    ("difference_minor", pa.int64()),
    ("at_stake_minor", pa.int64()),
)
_COUNTS = tuple((f"{n}_items", pa.int64()) for n in ("legacy", "target", "differing"))
BALANCES = pa.schema(
    [
        *((c, pa.string()) for c in ("customer_id", "currency", "measure")),
        *_MONEY,
        *_COUNTS,
        ("recorded_minor", pa.int64()),
        ("as_recorded", pa.bool_()),
        ("status", pa.string()),
    ]
)
TIE_OUT = pa.schema(
    [
        *((c, pa.string()) for c in ("legal_entity", "currency", "measure", "age")),
        *_MONEY,
        *_COUNTS,
        ("status", pa.string()),
    ]
)
DIFFERENCES = pa.schema(
    [
        *((c, pa.string()) for c in ("customer_id", "legal_entity", "currency", "measure", "age", "item")),
        *_MONEY,
        ("status", pa.string()),
    ]
)
CREDITS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("currency", pa.string()),
        ("expires_at", pa.timestamp("us", tz="UTC")),
        ("turn", pa.int64()),
        ("legacy_credits", pa.int64()),
        ("target_credits", pa.int64()),
        ("legacy_minor", pa.int64()),
        ("target_minor", pa.int64()),
        ("at_stake_minor", pa.int64()),
        ("status", pa.string()),
    ]
)


_ON_SIDES = ("legacy_minor", "legacy_off_minor", "target_minor", "target_off_minor")
RECURRING = pa.schema([("currency", pa.string()), *((c, pa.int64()) for c in _ON_SIDES)])


@dataclass(frozen=True)
class Accounts:
    """What both sides tell balances from. `records`, `whose`: as `old_ledger` takes them. `rows`: canonical rows by
    entity. `rejected`: table (system.table) and row of raw rows."""

    records: Mapping[RecordName, ir.Table]
    whose: Mapping[RecordName, ir.Table]
    rows: Mapping[str, ir.Table]
    rejected: ir.Table


@dataclass(frozen=True)
class BalanceComparison:
    """`balances`: one row for each customer, currency and measure. `tie_out`: one for each legal entity, currency,
    measure and, of receivables, age. `differences`: one for each position that differs, open invoices one by one.
    `credits`: one for each customer, currency, expiry and turn in which credit is used. `unread`: records of the old
    system that are in no sum: record, row, why. `recurring`: recurring revenue of a year by currency, before discounts
    (`_minor`) and what those that hold at T take off it (`_off_minor`), on both sides. It is told and not judged: bills
    to come are compared discount by discount."""

    balances: ir.Table
    tie_out: ir.Table
    differences: ir.Table
    credits: ir.Table
    unread: ir.Table
    recurring: ir.Table


def no_balances_compared(engine: DuckDBEngine) -> BalanceComparison:
    """All tables without rows."""
    return BalanceComparison(
        *(engine.table(s.empty_table()) for s in (BALANCES, TIE_OUT, DIFFERENCES, CREDITS, UNREAD, RECURRING))
    )


def balances_compared(
    engine: DuckDBEngine, legacy: LegacyBilling, sides: Accounts, as_of: datetime, exponents: Callable[[str], int]
) -> BalanceComparison:
    """What stands at T.

    What the old system's records come to is told without rows that were rejected and held against the target; and told
    with them, so that what those rows cost is told apart.
    """
    rules = Rules(**legacy.rules.model_dump())
    told = partial(old_ledger, engine, whose=sides.whose, as_of=as_of, exponents=exponents, rules=rules)
    gone = rejected_rows(engine, legacy, sides.records, sides.rejected, MOVED)
    every = told(sides.records)
    kept = told(without(sides.records, gone)) if gone else every
    held = new_ledger(engine, sides.rows, lambda rows: units_of(engine, rows, exponents), as_of)
    measures = [m for m in MEASURES if all(r in sides.records for r in _NEEDS[m])]
    today = as_of.date()
    parts = {"kept": positions(engine, kept.ledger, today)}
    parts["target"] = _as_named(positions(engine, held, today), legacy)
    parts["every"] = positions(engine, every.ledger, today) if gone else parts["kept"]
    recorded = "receivables" in legacy.reads and "open" in legacy.reads["receivables"].fields
    if recorded and every.recorded is not None:
        parts["recorded"] = recorded_positions(engine, every.recorded, today)
    beside = engine.cached(_beside(engine, parts, measures))
    each = engine.cached(_as(_summed(beside, POSITION), DIFFERENCES))
    return BalanceComparison(
        balances=_balances(engine, beside, recorded),
        tie_out=_tie_out(engine, beside),
        differences=engine.cached(each.filter(each["status"] != SAME)),
        credits=_credits(engine, kept.ledger, held) if "credits" in measures else engine.table(CREDITS.empty_table()),
        unread=kept.unread,
        recurring=_recurring(engine, every.ledger, held),
    )


def _as_named(target: ir.Table, legacy: LegacyBilling) -> ir.Table:
    """Positions without a legal entity where the plan does not read whose they are in the old system."""
    unnamed = [m for m, r in _ENTITY.items() if r not in legacy.reads or "legal_entity" not in legacy.reads[r].fields]
    return target.mutate(legal_entity=target["measure"].isin(unnamed).ifelse("", target["legal_entity"]))


def _beside(engine: DuckDBEngine, sides: Mapping[str, ir.Table], measures: Collection[str]) -> ir.Table:
    """What each side says of each position, nought where it says nothing."""
    met = engine.union([rows.mutate(side=ibis.literal(side)) for side, rows in sides.items()])
    by_side = {s: _.minor.sum(where=_.side == s).fill_null(0) for s in _SIDES}
    return met.filter(_.measure.isin(measures)).group_by(POSITION).aggregate(**by_side)


# `every`: the old system with rows that were rejected; `kept`: without; `recorded`: what it says itself.
_SIDES = ("every", "kept", "target", "recorded")


def _summed(rows: ir.Table, key: tuple[str, ...]) -> ir.Table:
    """Both sides and what differs, by key; items that differ count one by one, so that none makes up for another."""
    apart = rows["target"] - rows["kept"]
    told = rows.mutate(apart=apart, rejected=rows["every"] - rows["kept"])
    each = told.group_by(key).aggregate(
        legacy_minor=_.every.sum(),
        target_minor=_.target.sum(),
        rejected_minor=_.rejected.sum(),
        difference_minor=_.apart.sum(),
        more=ibis.greatest(_.apart, 0).sum(),
        less=ibis.least(_.apart, 0).sum(),
        legacy_items=(_.every != 0).sum(),
        target_items=(_.target != 0).sum(),
        differing_items=(_.apart != 0).sum(),
        left_out=(_.rejected != 0).sum(),
    )
    status = ibis.cases((each["differing_items"] > 0, UNSIGNED), (each["left_out"] > 0, REJECTED), else_=SAME)
    # What only moved, as from one age to another, is at stake once.
    moved = ibis.greatest(each["more"], -each["less"])
    stake = (each["differing_items"] > 0).ifelse(moved, each["rejected_minor"].abs())
    return each.mutate(status=status, at_stake_minor=stake)


def _balances(engine: DuckDBEngine, beside: ir.Table, recorded: bool) -> ir.Table:
    key = ("customer_id", "currency", "measure")
    each = _summed(beside, key)
    said = beside.group_by(key).aggregate(
        recorded_minor=_.recorded.sum().cast("int64"), unlike=((_.recorded != _.every) & (_.every == _.kept)).sum()
    )
    told = each.join(said, key)
    known = (told["measure"] == "receivables") & ibis.literal(recorded)
    told = told.mutate(
        recorded_minor=known.ifelse(told["recorded_minor"], ibis.null("int64")),
        as_recorded=known.ifelse(told["unlike"] == 0, ibis.null("boolean")),
    )
    return engine.cached(_as(told, BALANCES))


def _tie_out(engine: DuckDBEngine, beside: ir.Table) -> ir.Table:
    """Whose an open invoice is does not matter to the books of a legal entity; which invoice it is does."""
    key = ("legal_entity", "currency", "measure", "age")
    own = beside.filter(_.measure.isin(OF_ENTITIES))
    each = own.group_by(*key, "item").aggregate(**{s: own[s].sum() for s in _SIDES})
    return engine.cached(_as(_summed(each, key), TIE_OUT))


def _credits(engine: DuckDBEngine, old: Ledger, new: Ledger) -> ir.Table:
    """Credit by what is used first: the lowest burn order, none coming last; it is the turn that has to be the same,
    and not the number."""
    key = ("customer_id", "currency", "expires_at", "turn")
    each = [_in_turn(ledger.credits).mutate(side=ibis.literal(s)) for s, ledger in (("old", old), ("new", new))]
    met = engine.union(each).mutate(customer_id=_.customer_id.fill_null(NOBODY))
    told = met.group_by(key).aggregate(
        legacy_credits=(_.side == "old").sum(),
        target_credits=(_.side == "new").sum(),
        legacy_minor=_.amount_minor.sum(where=_.side == "old").fill_null(0),
        target_minor=_.amount_minor.sum(where=_.side == "new").fill_null(0),
    )
    apart = (told["legacy_minor"] - told["target_minor"]).abs()
    same = (apart == 0) & (told["legacy_credits"] == told["target_credits"])
    return engine.cached(_as(told.mutate(at_stake_minor=apart, status=same.ifelse(SAME, UNSIGNED)), CREDITS))


def _recurring(engine: DuckDBEngine, old: Ledger, new: Ledger) -> ir.Table:
    sides = [(side, recurring_sums(engine, ledger)) for side, ledger in (("legacy", old), ("target", new))]
    met = engine.union([rows.mutate(side=ibis.literal(side)) for side, rows in sides])
    sums = {
        f"{s}_{c}": met[c].sum(where=met["side"] == s).fill_null(0)
        for s, _rows in sides
        for c in ("minor", "off_minor")
    }
    return engine.cached(_as(met.group_by("currency").aggregate(**sums), RECURRING))


def _in_turn(credits: ir.Table) -> ir.Table:
    """Credits that are not used up, with the turn in which a customer's are drawn, from 0."""
    left = credits.filter(_.amount_minor != 0)
    order = ibis.window(
        group_by=["customer_id", "currency"], order_by=[left["burn_order"].isnull(), left["burn_order"]]
    )
    return left.mutate(turn=ibis.dense_rank().over(order)).select(
        "customer_id", "currency", "expires_at", "turn", "amount_minor"
    )


def _as(rows: ir.Table, schema: pa.Schema) -> ir.Table:
    types = ibis.Schema.from_pyarrow(schema)
    return rows.select(**{c: rows[c].cast(types[c]) for c in schema.names})
