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
from migration_assets.domain.shown_money import named_amount
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
from migration_assets.stages.shadow.target.holding import held_rows
from migration_assets.wiring.bill_totals import bills_of_all
from migration_assets.wiring.bill_views import bills_shown
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.words import NOT_MADE_AGAIN, several
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.billing_records import RecordName

Records = Mapping["RecordName", "ir.Table"]
_NOTHING = Found((), (), {})
_A_YEAR = timedelta(days=366)
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
            closing=bills_of_all,
        )
    ]


def _shadow(call: StageCall) -> StageOutput:
    billing = call.plan.billing
    records = {} if billing is None else read_records(call.engine, billing.legacy, lambda table: _raw(call, table))
    found, billed = (_NOTHING, False) if billing is None else _back_test(call, billing, records)
    compared_bills = _compare(call, billing, records, found)
    files = {t: call.file("shadow_billing", t) for t in ("back_test", "better_rules", "forecast", "bill_differences")}
    call.engine.write(call.engine.table(verdict_table(found)), files["back_test"], order_by=["invoice_id"])
    call.engine.write(call.engine.table(suggestion_table(found)), files["better_rules"])
    call.engine.write(compared_bills.forecast, files["forecast"], order_by=["contract_id"])
    order = ["contract_id", "cycle", "cause"]
    call.engine.write(compared_bills.differences, files["bill_differences"], order_by=order)
    empty = {"better_rules", "bill_differences"} | (set() if billed else {"back_test"})
    if not call.engine.count(compared_bills.forecast):
        empty.add("forecast")
    return StageOutput(files, _metadata(call, found, compared_bills), may_be_empty=empty)


def _metadata(call: StageCall, found: Found, bills: Comparison) -> dict[str, object]:
    billing = call.plan.billing
    told = "the plan has no billing.yaml: nothing is proved about bills" if billing is None else "declared"
    exponents = call.plan.file.currency_exponents
    listed = call.report("back_test.csv", not_reproduced_csv(found, exponents))
    differ = call.report("bill_differences.csv", differences_csv(call.engine, bills.differences, exponents))
    return {
        **bills_shown(call.engine, bills, exponents),
        "old rules": told,
        "invoices made again": accuracy(found),
        "rules that would fit better": markdown_table(
            ("rule", "more invoices reproduced"), [(s.rule, s.more) for s in found.suggestions]
        ),
        "what differs": markdown_table(
            ("reasons", "lines", "invoices", "difference"),
            [
                (several(NOT_MADE_AGAIN, why), lines, invoices, named_amount(minor, currency, exponents))
                for why, lines, currency, invoices, minor in what_differs(found)
            ],
        ),
        "invoices not made again": dg.MetadataValue.path(str(listed)),
        "contracts that cannot be read": markdown_table(("why", "contracts"), sorted(found.unreadable.items())),
        "bills that differ": dg.MetadataValue.path(str(differ)),
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


def _rejected(call: StageCall) -> ir.Table:
    """Raw rows of the cohort that do not become rows of the target: table (system.table) and row."""
    fates = call.engine.union([call.rows(asset, "dispositions") for asset in TRANSFORMED])
    left = fates.filter(fates["disposition"].isin(_LEFT))
    return call.engine.cached(left.select(table=left["source_system"] + "." + left["source_table"], row="source_row"))


def _raw(call: StageCall, table: str) -> ir.Table:
    """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
    shared = call.plan.source_table(table).owner == "none"
    return call.golden()(table) if shared else call.cohort_rows()(table)
