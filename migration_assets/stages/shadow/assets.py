"""`shadow_billing`: what the old system bills, made again from its raw tables, before anything is loaded."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.stages.shadow.back_tested.compare import Found, back_tested
from migration_assets.stages.shadow.back_tested.issued import last_issued
from migration_assets.stages.shadow.back_tested.report import accuracy, verdict_table, what_differs
from migration_assets.stages.shadow.back_tested.told import contracts_of
from migration_assets.stages.shadow.legacy.reading import read_records
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName


_NOTHING = Found((), (), {})
_READ: tuple[RecordName, ...] = ("contracts", "items", "discounts", "tax_rates", "invoices", "lines")
_A_YEAR = timedelta(days=366)


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="shadow_billing",
            group="prove",
            description="The old system's rules held against the invoices it issued, before anything is loaded.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_shadow,
            suite=workspace.suites["shadow_billing"],
            deps=[dg.AssetKey("transformed_entitlements"), dg.AssetKey("transformed_billing")],
            gates=["transformed_entitlements", "transformed_billing"],
        )
    ]


def _shadow(call: StageCall) -> StageOutput:
    billing = call.plan.billing
    found, billed = (_NOTHING, False) if billing is None else _back_test(call, billing.legacy)
    file = call.file("shadow_billing", "back_test")
    call.engine.write(call.engine.table(verdict_table(found)), file, order_by=["invoice_id"])
    metadata = {
        "old rules": "the plan has no billing.yaml: nothing is proved about bills" if billing is None else "declared",
        "invoices made again": accuracy(found),
        "rules that would fit better": markdown_table(
            ("rule", "more invoices reproduced"), [(s.rule, s.more) for s in found.suggestions]
        ),
        "what differs": markdown_table(("reasons", "lines", "currency", "invoices", "difference"), what_differs(found)),
        "contracts that cannot be read": markdown_table(("why", "contracts"), sorted(found.unreadable.items())),
    }
    return StageOutput({"back_test": file}, metadata, may_be_empty=() if billed else {"back_test"})


def _back_test(call: StageCall, legacy: LegacyBilling) -> tuple[Found, bool]:
    """What was found, and whether the cohort has contracts that must have been billed: then no invoice is a mistake of
    the plan and not an empty cohort."""
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    records = read_records(call.engine, legacy, lambda table: _raw(call, table), only=_READ)
    if "invoices" not in records or "lines" not in records:
        return _NOTHING, False
    told = contracts_of(call.engine, records, exponents)
    issued = last_issued(call.engine, records, told.zones, exponents)
    call.say(f"making {sum(map(len, issued.values())):,} invoices again")
    # Nobody in trial has been billed, and a cohort may have nobody else.
    billed = any(c.anchor + _A_YEAR < call.as_of.date() and c.last_day is None for c in told.contracts.values())
    return back_tested(told, issued, Rules(**legacy.rules.model_dump())), billed


def _raw(call: StageCall, table: str) -> ir.Table:
    """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
    shared = call.plan.source_table(table).owner == "none"
    return call.golden()(table) if shared else call.cohort_rows()(table)
