"""The next bills of both sides of a cohort, compared contract by contract: what is the same, and what differs and why.

Belongs here: which series of bills are made and in which order they are held against each other. Not here: Dagster, how
bills are made, what was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new
from migration_assets.stages.shadow.exchange import exchanged
from migration_assets.stages.shadow.forecast import Origins, new_bills, old_bills
from migration_assets.stages.shadow.kept import rejected_rows, without
from migration_assets.stages.shadow.parity import bill_differences, differing, of
from migration_assets.stages.shadow.runs import Bills, bill_by_bill, first_bills, tables_of, totals
from migration_assets.stages.shadow.signed import STATUSES, judged

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing, TargetBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.stages.shadow.target.rows import TargetRows

Exponents = Callable[[str], int]
Records = Mapping["RecordName", "ir.Table"]


@dataclass(frozen=True)
class Sides:
    """What both sides bill from: raw records, and rows that the target holds or would hold with where they came from.

    `rejected`: system.table and row of raw rows that were rejected or left out. `credited`: contract_id (key) of those
    whose customers have credit; None where nobody has.
    """

    records: Records
    held: TargetRows
    origins: Origins
    rejected: ir.Table
    credited: ir.Table | None = None


@dataclass(frozen=True)
class Comparison:
    """`forecast`: one row for each contract that either side bills or cannot bill; key contract_id. `differences`: one
    row for each bill and cause; key contract_id, cycle and cause. `totals`: what each bill of contracts whose customers
    have credit comes to; key side, contract_id and cycle. `renewals`: one row for each contract that either side bills,
    with `renews_at`, when the first of these bills begins a new period on either; key contract_id."""

    forecast: ir.Table
    differences: ir.Table
    totals: ir.Table
    renewals: ir.Table


_FORECAST = pa.schema(
    [
        ("contract_id", pa.string()),
        ("currency", pa.string()),
        *((n, pa.int64()) for n in ("legacy_bills", "target_bills", "legacy_minor", "target_minor")),
        *((f"{s}_{n}", pa.int64()) for s in STATUSES for n in ("bills", "minor")),
        ("legacy_reason", pa.string()),
        ("target_reason", pa.string()),
        ("proved", pa.bool_()),
    ]
)
_DIFFERENCES = pa.schema(
    [
        ("contract_id", pa.string()),
        ("cycle", pa.int64()),
        ("cause", pa.string()),
        ("currency", pa.string()),
        ("starts_at", pa.timestamp("us", tz="UTC")),
        ("line_kinds", pa.string()),
        ("billed_by", pa.string()),
        ("status", pa.string()),
        ("signed_by", pa.string()),
        ("difference_minor", pa.int64()),
        ("at_stake_minor", pa.int64()),
    ]
)


TOTALS = pa.schema(
    [
        ("side", pa.string()),
        ("contract_id", pa.string()),
        ("cycle", pa.int64()),
        ("starts_at", pa.timestamp("us", tz="UTC")),
        ("currency", pa.string()),
        ("total_minor", pa.int64()),
    ]
)


RENEWALS = pa.schema(
    [
        ("contract_id", pa.string()),
        ("renews_at", pa.timestamp("us", tz="UTC")),
        ("currency", pa.string()),
        ("at_stake_minor", pa.int64()),
    ]
)


def nothing_compared(engine: DuckDBEngine) -> Comparison:
    """All tables without rows."""
    return Comparison(*(engine.table(s.empty_table()) for s in (_FORECAST, _DIFFERENCES, TOTALS, RENEWALS)))


def compared(
    engine: DuckDBEngine,
    billing: Billing,
    target: TargetBilling,
    sides: Sides,
    as_of: datetime,
    exponents: Exponents,
    proved: Mapping[str, bool],
) -> Comparison:
    """The next twelve bills of every contract. `proved`: contracts, and whether their issued invoices were made
    again."""
    rules = new.Rules(**target.rules.model_dump())
    legacy = old_bills(engine, billing.legacy, sides.records, as_of, exponents)
    made = new_bills(engine, sides.held, rules, as_of, exponents, sides.origins)
    few = differing(engine, legacy, made)
    steps: list[tuple[str, Bills]] = []
    rest: Bills | None = None
    if engine.count(few):
        older = old.Rules(**billing.legacy.rules.model_dump())
        steps = list(_exchanged(engine, _those(engine, sides, few), rules, older, as_of, exponents))
        rest = _without_rejected(engine, billing, sides, few, as_of, exponents)
    found = bill_differences(engine, of(legacy, few), of(made, few), steps, rest)
    signed = judged(engine, found, billing.accepted, as_of.date())
    totals = _totals(engine, {"legacy": legacy, "target": made}, sides.credited)
    forecast = _forecast(engine, legacy, made, signed, proved)
    return Comparison(forecast, _told(signed), totals, _renewals(engine, legacy, made, forecast))


def _those(engine: DuckDBEngine, sides: Sides, few: ir.Table) -> Sides:
    """The same, with the target's rows of some contracts only."""
    known, held, own = sides.origins.contracts, sides.held, "subscription_id"
    theirs = known.semi_join(few, known["source_id"] == few[own]).select(subscription_id="id")
    # A subscription that came from nowhere is named by its own id.
    ids = engine.cached(engine.union([theirs, few]).distinct())
    parts = ("subscription", "subscription_item", "discount", "scheduled_change", "metered")
    return replace(sides, held=replace(held, **{p: engine.cached(getattr(held, p).semi_join(ids, own)) for p in parts}))


def _exchanged(
    engine: DuckDBEngine, few: Sides, rules: new.Rules, older: old.Rules, as_of: datetime, exponents: Exponents
) -> Iterator[tuple[str, Bills]]:
    """The target's bills with one more rule of the old system's each time."""
    for name, other in exchanged(rules, older):

        def made(other: new.Rules = other) -> tuple[ir.Table, ...]:
            return tables_of(new_bills(engine, few.held, other, as_of, exponents, few.origins))

        yield name, Bills(*engine.aside(made))


def _without_rejected(
    engine: DuckDBEngine, billing: Billing, sides: Sides, few: ir.Table, as_of: datetime, exponents: Exponents
) -> Bills | None:
    """The old system's bills of some contracts without rows that were rejected; None where none was."""
    gone = rejected_rows(engine, billing.legacy, sides.records, sides.rejected)
    if not gone:
        return None
    records = without(sides.records, gone)
    ids = few.rename(contract_id="subscription_id")
    records["contracts"] = engine.cached(records["contracts"].semi_join(ids, "contract_id"))
    return Bills(*engine.aside(lambda: tables_of(old_bills(engine, billing.legacy, records, as_of, exponents))))


def _told(differences: ir.Table) -> ir.Table:
    told = differences.rename(contract_id="subscription_id").mutate(at_stake_minor=_.difference_minor.abs())
    return told.select(*_DIFFERENCES.names)


def _forecast(
    engine: DuckDBEngine, legacy: Bills, target: Bills, differences: ir.Table, proved: Mapping[str, bool]
) -> ir.Table:
    own = "subscription_id"
    old_side, new_side = (
        _prefixed(totals(bills), prefix) for bills, prefix in ((legacy, "legacy"), (target, "target"))
    )
    every = [t.select(own) for t in (old_side, new_side, legacy.unbillable, target.unbillable)]
    told = engine.union(every).distinct().left_join(old_side, own).drop(f"{own}_right").left_join(new_side, own)
    told = told.drop(f"{own}_right")
    for bills, prefix in ((legacy, "legacy"), (target, "target")):
        reasons = bills.unbillable.group_by(own).aggregate(**{f"{prefix}_reason": _.reason.min()})
        told = told.left_join(reasons, own).drop(f"{own}_right")
    counted = differences.group_by(own).aggregate(
        **{f"{s}_bills": _.cycle.nunique(where=_.status == s) for s in STATUSES},
        **{f"{s}_minor": _.difference_minor.abs().sum(where=_.status == s) for s in STATUSES},
    )
    told = told.left_join(counted, own).drop(f"{own}_right").left_join(_proofs(engine, proved), own)
    numbers = {f.name: told[f.name].fill_null(0).cast("int64") for f in _FORECAST if f.type == pa.int64()}
    named = told.mutate(contract_id=told[own], currency=told["legacy_currency"].coalesce(told["target_currency"]))
    return engine.cached(named.mutate(**numbers).select(*_FORECAST.names))


def _renewals(engine: DuckDBEngine, legacy: Bills, target: Bills, forecast: ir.Table) -> ir.Table:
    """`RENEWALS`: the earlier of both sides. At stake is what the bills of the forecast come to on one side."""
    both = engine.union([first_bills(bills) for bills in (legacy, target)])
    told = both.group_by(contract_id=both["subscription_id"]).aggregate(renews_at=_.starts_at.min())
    sums = forecast.select(
        "contract_id", "currency", at_stake_minor=ibis.greatest(forecast.legacy_minor, forecast.target_minor)
    )
    return engine.cached(told.join(sums, "contract_id").select(*RENEWALS.names))


def _prefixed(sums: ir.Table, prefix: str) -> ir.Table:
    return sums.rename({f"{prefix}_{c}": c for c in sums.columns if c != "subscription_id"})


def _totals(engine: DuckDBEngine, bills: Mapping[str, Bills], credited: ir.Table | None) -> ir.Table:
    """What each bill of some contracts comes to with tax, as `TOTALS`; nothing where there is no credit."""
    if credited is None:
        return engine.table(TOTALS.empty_table())
    few = credited.rename(subscription_id="contract_id")
    told = [
        bill_by_bill(of(each, few)).mutate(side=ibis.literal(side)).rename(contract_id="subscription_id")
        for side, each in bills.items()
    ]
    return engine.cached(engine.union([t.select(*TOTALS.names) for t in told]))


def _proofs(engine: DuckDBEngine, proved: Mapping[str, bool]) -> ir.Table:
    columns: Iterable[pa.Array] = (pa.array(list(proved), pa.string()), pa.array(list(proved.values()), pa.bool_()))
    return engine.table(pa.table(list(columns), names=["subscription_id", "proved"]))
