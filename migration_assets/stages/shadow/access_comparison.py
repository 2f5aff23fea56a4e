"""What the customers of a cohort may do in the next thirteen months, on both sides, and what differs (I15, Z1).

Belongs here: which accounts of access are held against each other, and what each difference is called. Not here:
Dagster, how access is told, what was signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.calendar import add_months
from migration_assets.stages.shadow.access_differences import access_differences
from migration_assets.stages.shadow.access_signed import judged
from migration_assets.stages.shadow.kept import rejected_rows, without
from migration_assets.stages.shadow.legacy.access import legacy_access
from migration_assets.stages.shadow.legacy.features import translated
from migration_assets.stages.shadow.signed import STATUSES
from migration_assets.stages.shadow.spans import ANYWHERE, SPAN, Access
from migration_assets.stages.shadow.target.access import target_access
from migration_assets.stages.shadow.whose import OWNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.billing_records import RecordName

# What is agreed on today may last a year, and its last month has to be seen to end.
MONTHS = 13
KINDS = ("loss", "gain", "change")


@dataclass(frozen=True)
class Granting:
    """What both sides grant from: raw records of the old system with the target's customers, rows that the target holds
    or would hold, and what was rejected on the way.

    `entitlement`, `subscription`: canonical columns. `rejected`: table (system.table) and row of raw rows.
    """

    records: Mapping[RecordName, ir.Table]
    entitlement: ir.Table
    subscription: ir.Table
    rejected: ir.Table


@dataclass(frozen=True)
class AccessComparison:
    """`customers`: one row for each customer who may do anything on either side, or of whom that cannot be told; key
    customer_id. `differences`: one row for each span of time with one difference; key customer_id, feature, region,
    starts_at, status."""

    customers: ir.Table
    differences: ir.Table


_CUSTOMERS = pa.schema(
    [
        ("customer_id", pa.string()),
        *((n, pa.int64()) for n in ("legacy_spans", "target_spans")),
        *((f"{s}_{k}", pa.int64()) for s in STATUSES for k in KINDS),
        ("unanswerable", pa.string()),
        ("yearly_minor", pa.int64()),
        ("currency", pa.string()),
    ]
)
DIFFERENCES = pa.schema(
    [
        *((n, pa.string()) for n in ("customer_id", "feature", "region")),
        *((n, pa.timestamp("us", tz="UTC")) for n in ("starts_at", "ends_at")),
        ("kind", pa.string()),
        *(
            (f"{side}_{n}", t)
            for side in ("before", "after")
            for n, t in (("allowed", pa.bool_()), ("limit_units", pa.decimal128(38, 10)), ("overage", pa.string()))
        ),
        ("status", pa.string()),
        ("signed_by", pa.string()),
        ("yearly_minor", pa.int64()),
        ("currency", pa.string()),
    ]
)


def no_access_compared(engine: DuckDBEngine) -> AccessComparison:
    """Both tables without rows."""
    return AccessComparison(engine.table(_CUSTOMERS.empty_table()), engine.table(DIFFERENCES.empty_table()))


def access_compared(
    engine: DuckDBEngine, billing: Billing, sides: Granting, worth: ir.Table, as_of: datetime
) -> AccessComparison:
    """Thirteen months from `as_of` on. `worth`: customer_id (key), yearly_minor and currency of their bills to come.

    What the old system grants is told without rows that were rejected and held against the target; and told with them,
    so that what those rows cost is a difference of its own, `rejected`.
    """
    until = add_months(as_of, MONTHS)
    every = translated(engine, sides.records, billing.legacy.features)
    gone = rejected_rows(engine, billing.legacy, every, sides.rejected)
    old = legacy_access(engine, without(every, gone), as_of, until)
    compared = [f.feature for f in billing.legacy.features.values()]
    granted = sides.entitlement.filter(sides.entitlement["feature_code"].isin(compared))
    new = engine.cached(target_access(engine, granted, sides.subscription, as_of, until))
    found = judged(engine, _apart(engine, old, new), billing.accepted_access, as_of.date())
    if gone:
        found = engine.union([found, _of_rejected(engine, every, gone, old, as_of, until)])
    told = found.left_join(worth, "customer_id").select(*DIFFERENCES.names)
    differences = engine.cached(told)
    return AccessComparison(_customers(engine, old, new, differences, worth), differences)


def _apart(engine: DuckDBEngine, old: Access, new: ir.Table) -> ir.Table:
    """Differences, where each side answers for every region that either names of a customer."""
    before, after = reaching(engine, old.spans, new), reaching(engine, new, old.spans)
    return access_differences(engine, Access(before, old.unanswerable), after)


def reaching(engine: DuckDBEngine, spans: ir.Table, others: ir.Table) -> ir.Table:
    """Spans, and what holds anywhere once more for each region that only the other side names of the customer."""
    own = spans.select("customer_id", "region").distinct()
    only = others.select("customer_id", "region").distinct().anti_join(own, ["customer_id", "region"])
    only = engine.cached(only.filter(only["region"] != ANYWHERE))
    if not engine.count(only):
        return spans
    anywhere = spans.filter(spans["region"] == ANYWHERE).drop("region")
    return engine.cached(engine.union([spans.select(*SPAN), anywhere.join(only, "customer_id").select(*SPAN)]))


def _of_rejected(
    engine: DuckDBEngine,
    every: Mapping[RecordName, ir.Table],
    gone: Mapping[RecordName, ir.Table],
    kept: Access,
    as_of: datetime,
    until: datetime,
) -> ir.Table:
    """What customers could do because of rows that were rejected, as differences of status `rejected`."""
    whose = _customers_of(engine, every, gone)
    own = {r: engine.cached(every[r].semi_join(whose, "customer")) for r in OWNED if r in every}
    whole = legacy_access(engine, {**every, **own}, as_of, until)
    customers = whose.rename(customer_id="customer")
    left = kept.spans.semi_join(customers, "customer_id")
    lost = engine.union([whole.unanswerable, kept.unanswerable]).select("customer_id", "reason")
    found = _apart(engine, Access(whole.spans.anti_join(lost, "customer_id"), lost), engine.cached(left))
    return found.mutate(status=ibis.literal(REJECTED), signed_by=ibis.null("string"))


def _customers_of(
    engine: DuckDBEngine, every: Mapping[RecordName, ir.Table], gone: Mapping[RecordName, ir.Table]
) -> ir.Table:
    """customer: whose the rows that were rejected are, as far as anybody can say."""
    contracts = every["contracts"].select("contract_id", "customer")
    direct = [gone[r].select("customer") for r in OWNED if r in gone]
    parts = [gone[r].select("contract_id") for r in ("items", "changes") if r in gone]
    through = [p.join(contracts, "contract_id").select("customer") for p in parts]
    if not (direct or through):
        return engine.table(pa.table({"customer": pa.array([], pa.string())}))
    whose = engine.union([*direct, *through]).distinct()
    return engine.cached(whose.filter(whose["customer"].notnull()))


def _customers(engine: DuckDBEngine, old: Access, new: ir.Table, differences: ir.Table, worth: ir.Table) -> ir.Table:
    own = "customer_id"
    known = old.unanswerable.filter(_.customer_id.notnull())
    every = engine.union([t.select(own) for t in (old.spans, new, known, differences)]).distinct()
    counted = differences.group_by(own).aggregate(
        **{f"{s}_{k}": ((_.status == s) & (_.kind == k)).sum().cast("int64") for s in STATUSES for k in KINDS}
    )
    parts = (
        old.spans.group_by(own).aggregate(legacy_spans=_.count()),
        new.group_by(own).aggregate(target_spans=_.count()),
        counted,
        known.select(own, unanswerable="reason"),
        worth,
    )
    told = every
    for part in parts:
        told = told.left_join(part, own).drop(f"{own}_right")
    numbers = {f.name: told[f.name].fill_null(0).cast("int64") for f in _CUSTOMERS if f.type == pa.int64()}
    return engine.cached(told.mutate(**numbers).select(*_CUSTOMERS.names))
