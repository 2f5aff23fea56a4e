"""`shadow_billing`: what the old system bills, made again and forecast from its raw tables, against what the target
would bill, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.stages.shadow.access_comparison import (
    AccessComparison,
    Granting,
    access_compared,
    no_access_compared,
)
from migration_assets.stages.shadow.access_listing import access_csv
from migration_assets.stages.shadow.back_tested.compare import Found, back_tested
from migration_assets.stages.shadow.back_tested.issued import last_issued
from migration_assets.stages.shadow.back_tested.report import (
    accuracy,
    not_reproduced_csv,
    suggestion_table,
    verdict_table,
    what_differs,
)
from migration_assets.stages.shadow.back_tested.told import contracts_of
from migration_assets.stages.shadow.comparison import Comparison, Sides, compared, nothing_compared
from migration_assets.stages.shadow.forecast import origins
from migration_assets.stages.shadow.legacy.reading import read_records
from migration_assets.stages.shadow.listing import differences_csv
from migration_assets.stages.shadow.target.holding import canonical, held_rows
from migration_assets.stages.shadow.whose import by_customer
from migration_assets.stages.shadow.worth import yearly
from migration_assets.wiring.access_views import access_shown
from migration_assets.wiring.bill_views import bills_shown
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.billing_records import RecordName

Records = Mapping["RecordName", "ir.Table"]
_NOTHING = Found((), (), {})
_A_YEAR = timedelta(days=366)
_TABLES = ("back_test", "better_rules", "forecast", "bill_differences", "access", "access_differences")
# Dispositions of rows that do not become rows of the target.
_LEFT = ("rejected", "excluded")


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="shadow_billing",
            group="prove",
            description="The old system's rules held against the invoices it issued, and the next bills of both sides "
            "held against each other, before anything is loaded.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_shadow,
            suite=workspace.suites["shadow_billing"],
            deps=[dg.AssetKey("transformed_entitlements"), dg.AssetKey("transformed_billing")],
            gates=["transformed_entitlements", "transformed_billing"],
        )
    ]


def _shadow(call: StageCall) -> StageOutput:
    billing = call.plan.billing
    records = {} if billing is None else read_records(call.engine, billing.legacy, lambda table: _raw(call, table))
    found, billed = (_NOTHING, False) if billing is None else _back_test(call, billing, records)
    bills = _compare(call, billing, records, found)
    access = _access(call, billing, records, bills)
    files = {t: call.file("shadow_billing", t) for t in _TABLES}
    call.engine.write(call.engine.table(verdict_table(found)), files["back_test"], order_by=["invoice_id"])
    call.engine.write(call.engine.table(suggestion_table(found)), files["better_rules"])
    call.engine.write(bills.forecast, files["forecast"], order_by=["contract_id"])
    order = ["contract_id", "cycle", "cause"]
    call.engine.write(bills.differences, files["bill_differences"], order_by=order)
    call.engine.write(access.customers, files["access"], order_by=["customer_id"])
    order = ["customer_id", "feature", "region", "starts_at", "status"]
    call.engine.write(access.differences, files["access_differences"], order_by=order)
    empty = {"better_rules", "bill_differences", "access_differences"} | (set() if billed else {"back_test"})
    empty |= {
        t for t, rows in (("forecast", bills.forecast), ("access", access.customers)) if not call.engine.count(rows)
    }
    return StageOutput(files, _metadata(call, found, bills, access), may_be_empty=empty)


def _metadata(call: StageCall, found: Found, bills: Comparison, access: AccessComparison) -> dict[str, object]:
    billing = call.plan.billing
    told = "the plan has no billing.yaml: nothing is proved about bills" if billing is None else "declared"
    exponents = call.plan.file.currency_exponents
    listed = call.report("back_test.csv", not_reproduced_csv(found, exponents))
    differ = call.report("bill_differences.csv", differences_csv(call.engine, bills.differences, exponents))
    changed = call.report("access_differences.csv", access_csv(call.engine, access.differences))
    return {
        "old rules": told,
        "invoices made again": accuracy(found),
        "rules that would fit better": markdown_table(
            ("rule", "more invoices reproduced"), [(s.rule, s.more) for s in found.suggestions]
        ),
        "what differs": markdown_table(
            ("reasons", "lines", "currency", "invoices", "difference, minor units"), what_differs(found)
        ),
        "invoices not made again": dg.MetadataValue.path(str(listed)),
        "contracts that cannot be read": markdown_table(("why", "contracts"), sorted(found.unreadable.items())),
        **bills_shown(call.engine, bills, exponents),
        "bills that differ": dg.MetadataValue.path(str(differ)),
        **access_shown(call.engine, access, exponents),
        "access that differs": dg.MetadataValue.path(str(changed)),
    }


def _back_test(call: StageCall, billing: Billing, records: Records) -> tuple[Found, bool]:
    """What was found, and whether the cohort has contracts that must have been billed: then no invoice is a mistake of
    the plan and not an empty cohort."""
    if "invoices" not in records or "lines" not in records:
        return _NOTHING, False
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    told = contracts_of(call.engine, records, exponents)
    issued = last_issued(call.engine, records, told.zones, exponents)
    call.say(f"making {sum(map(len, issued.values())):,} invoices again")
    # Nobody in trial has been billed, and a cohort may have nobody else.
    billed = any(c.anchor + _A_YEAR < call.as_of.date() and c.last_day is None for c in told.contracts.values())
    return back_tested(told, issued, Rules(**billing.legacy.rules.model_dump())), billed


def _compare(call: StageCall, billing: Billing | None, records: Records, found: Found) -> Comparison:
    """The next bills of both sides; nothing where the plan does not say how the target bills."""
    if billing is None or billing.target is None:
        return nothing_compared(call.engine)
    call.say("making the next bills of both sides")
    made = {e: call.rows("transformed_entitlements", e) for e in call.entities("transformed_entitlements")}
    sides = Sides(
        records=records,
        held=held_rows(call.engine, call.plan, made.get),
        origins=origins(call.engine, made, billing.legacy),
        rejected=_rejected(call),
    )
    proved: dict[str, bool] = {}
    for verdict in found.verdicts:
        own = verdict.issued.subscription_id
        proved[own] = proved.get(own, True) and verdict.reproduced
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    return compared(call.engine, billing, billing.target, sides, call.as_of, exponents, proved)


def _access(call: StageCall, billing: Billing | None, records: Records, bills: Comparison) -> AccessComparison:
    """What customers may do on both sides; nothing where the plan names no feature of the old system."""
    if billing is None or not billing.legacy.features:
        return no_access_compared(call.engine)
    call.say("comparing what customers may do")
    identities = call.global_rows("customer_identities", "identities")
    owned = by_customer(call.engine, call.plan, billing.legacy, lambda table: _raw(call, table), records, identities)
    made = {e: call.rows("transformed_entitlements", e) for e in call.entities("transformed_entitlements")}
    entitlement, subscription = (canonical(call.engine, e, made.get(e)) for e in ("entitlement", "subscription"))
    sides = Granting(owned, entitlement, subscription, _rejected(call))
    worth = yearly(call.engine, bills.forecast, owned["contracts"])
    return access_compared(call.engine, billing, sides, worth, call.as_of)


def _rejected(call: StageCall) -> ir.Table:
    """Raw rows of the cohort that do not become rows of the target: table (system.table) and row."""
    fates = call.engine.union([call.rows(asset, "dispositions") for asset in TRANSFORMED])
    left = fates.filter(fates["disposition"].isin(_LEFT))
    return call.engine.cached(left.select(table=left["source_system"] + "." + left["source_table"], row="source_row"))


def _raw(call: StageCall, table: str) -> ir.Table:
    """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
    shared = call.plan.source_table(table).owner == "none"
    return call.golden()(table) if shared else call.cohort_rows()(table)
