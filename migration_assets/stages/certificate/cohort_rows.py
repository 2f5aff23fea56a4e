"""What the stages of one cohort left behind, as far as an account of its customers needs it, and whose it is.

Belongs here: which tables, and which contracts are whose. Not here: where files lie, and what is made of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.stages.owners import Owners
from migration_assets.stages.shadow.forecast import Origins
from migration_assets.stages.shadow.legacy.reading import read_records
from migration_assets.stages.shadow.whose import by_customer

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.plan.models import Plan

# Records that belong to a contract and become rows of the target.
_PARTS: tuple[RecordName, ...] = ("contracts", "items", "discounts", "changes", "usage")


@dataclass(frozen=True)
class Found:
    """What `shadow_billing` found of a cohort, or `verified_billing`, in the tables that they keep."""

    forecast: ir.Table
    differences: ir.Table
    back_test: ir.Table
    access: ir.Table
    access_differences: ir.Table


@dataclass(frozen=True)
class CohortRows:
    """Tables of one cohort.

    `records`: the old system's, with the target's customers in contracts, overrides and credits. `made`: canonical rows
    by entity. `left_out`: rows that were rejected or excluded (table, row, source_id, rule, reason). `contracts`:
    contract_id and customer_id (null: nobody's), a row for each of whose it is on either side.
    """

    records: Mapping[RecordName, ir.Table]
    made: Mapping[str, ir.Table]
    origins: Origins
    left_out: ir.Table
    contracts: ir.Table
    found: Found


def cohort_rows(
    engine: DuckDBEngine,
    plan: Plan,
    billing: Billing,
    raw: Callable[[str], ir.Table],
    made: Mapping[str, ir.Table],
    known: Origins,
    left_out: ir.Table,
    identities: ir.Table,
    found: Found,
) -> CohortRows:
    """`raw`: raw rows of the cohort by `system.table`. `made`: canonical rows by entity that the target holds or would
    hold, and `known`, which contracts and items they came from. `identities`: customer_id (key), identity_id."""
    read = read_records(engine, billing.legacy, raw)
    records = by_customer(engine, plan, billing.legacy, raw, read, identities)
    if "credits" in records:
        owned = Owners(engine, plan, raw).of_rows(billing.legacy.reads["credits"].table)
        records["credits"] = engine.cached(_of_identity(records["credits"], owned, identities))
    return CohortRows(records, made, known, left_out, _contracts(engine, records, made, known, found), found)


def _of_identity(rows: ir.Table, owned: ir.Table, identities: ir.Table) -> ir.Table:
    known = identities.select("customer_id", "identity_id")
    whose = owned.left_join(known, owned["_customer"] == known["customer_id"])
    named = whose.select(_raw_row="_row", _whose=whose["identity_id"].coalesce(whose["_customer"]))
    told = rows.left_join(named, rows["row"] == named["_raw_row"])
    return told.mutate(customer=told["_whose"]).select(*rows.columns)


def _contracts(
    engine: DuckDBEngine,
    records: Mapping[RecordName, ir.Table],
    made: Mapping[str, ir.Table],
    known: Origins,
    found: Found,
) -> ir.Table:
    sides = [records["contracts"].select("contract_id", customer_id="customer")]
    if "subscription" in made:
        held, told = made["subscription"], known.contracts.select(made_id="id", told_id="source_id")
        both = held.left_join(told, held["subscription_id"] == told["made_id"])
        sides.append(both.select("customer_id", contract_id=both["told_id"].coalesce(both["subscription_id"])))
    every = engine.union([s.select("contract_id", "customer_id") for s in sides])
    owned = engine.cached(every.filter(every["contract_id"].notnull() & every["customer_id"].notnull()).distinct())
    told = engine.union([t.select("contract_id") for t in (found.forecast, found.back_test)]).distinct()
    nobodys = told.anti_join(owned, "contract_id").mutate(customer_id=ibis.null("string"))
    return engine.cached(engine.union([owned, nobodys.select("contract_id", "customer_id")]))


def of_customer(engine: DuckDBEngine, whole: CohortRows, customer_id: str) -> CohortRows:
    """The same of one customer: their contracts on either side, what they may do, and all that no customer owns."""
    mine = engine.cached(whole.contracts.filter(whole.contracts["customer_id"] == customer_id))
    records = dict(whole.records)
    records["contracts"] = engine.cached(records["contracts"].semi_join(mine, "contract_id"))
    for record in ("overrides", "credits"):
        if record in records:
            rows = records[record]
            records[record] = engine.cached(rows.filter(rows["customer"] == customer_id))
    return replace(whole, records=records, made=_their_rows(engine, whole, mine, customer_id), contracts=mine)


def _their_rows(engine: DuckDBEngine, whole: CohortRows, mine: ir.Table, customer_id: str) -> dict[str, ir.Table]:
    known = whole.origins.contracts
    ids = known.semi_join(mine, known["source_id"] == mine["contract_id"]).select(subscription_id="id")
    named = engine.cached(engine.union([ids, mine.select(subscription_id="contract_id")]).distinct())
    made = dict(whole.made)
    for entity in ("subscription", "subscription_item", "discount", "scheduled_change", "usage_balance"):
        if entity in made:
            made[entity] = engine.cached(made[entity].semi_join(named, "subscription_id"))
    customers = engine.table(pa.table({"customer_id": pa.array([customer_id], pa.string())}))
    if "subscription" in made:
        # A contract that was mapped to somebody else is metered by what that one is granted.
        customers = engine.cached(engine.union([customers, made["subscription"].select("customer_id")]).distinct())
    for entity in ("entitlement", "credit_balance"):
        if entity in made:
            made[entity] = engine.cached(made[entity].semi_join(customers, "customer_id"))
    return made


def left_out_parts(engine: DuckDBEngine, billing: Billing, whole: CohortRows) -> dict[str, list[dict[str, str]]]:
    """Contract -> its rows that did not become rows of the target: row (`erp.items#7`), key, rule, reason."""
    parts: dict[str, list[dict[str, str]]] = {}
    for record in (r for r in _PARTS if r in whole.records):
        table = billing.legacy.reads[record].table
        gone = whole.left_out.filter(whole.left_out["table"] == table).rename(at="row")
        met = whole.records[record].select("contract_id", "row").join(gone, [("row", "at")])
        told = met.semi_join(whole.contracts, "contract_id").order_by("row")
        for r in engine.arrow(told.select("contract_id", "row", "source_id", "rule", "reason")).to_pylist():
            named = {
                "row": f"{table}#{r['row']}",
                "key": r["source_id"],
                "rule": r["rule"],
                "reason": r["reason"] or "",
            }
            parts.setdefault(r["contract_id"], []).append(named)
    return parts
