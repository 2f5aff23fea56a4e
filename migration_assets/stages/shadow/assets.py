"""`shadow_billing`: what the old system bills, made again from its raw tables, before anything is loaded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.stages.shadow.back_test import Found, back_tested
from migration_assets.stages.shadow.issued import last_issued
from migration_assets.stages.shadow.reading import read_records
from migration_assets.stages.shadow.report import accuracy, named_rules, verdict_table
from migration_assets.stages.shadow.told import contracts_of
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.billing_models import LegacyBilling


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
    found = Found((), ()) if billing is None else _back_test(call, billing.legacy)
    file = call.file("shadow_billing", "back_test")
    call.engine.write(call.engine.table(verdict_table(found)), file, order_by=["contract_id", "period_from"])
    metadata = {
        "old rules": "the plan has no billing.yaml: nothing is proved about bills" if billing is None else "declared",
        "invoices made again": accuracy(found),
        "rules that would fit better": markdown_table(
            ("rule", "more invoices reproduced"), [(s.rule, s.more) for s in found.suggestions]
        ),
        "what differs": markdown_table(("reasons", "lines", "currency", "invoices", "difference"), named_rules(found)),
    }
    return StageOutput({"back_test": file}, metadata, may_be_empty=() if found.verdicts else {"back_test"})


def _back_test(call: StageCall, legacy: LegacyBilling) -> Found:
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    records = read_records(call.engine, legacy, lambda table: _raw(call, table))
    contracts = list(contracts_of(call.engine, records, exponents))
    if "invoices" not in records or "lines" not in records:
        return Found((), ())
    issued = last_issued(call.engine, records, {c.contract_id: c.zone for c in contracts}, exponents)
    call.say(f"making {sum(map(len, issued.values()))} invoices again")
    return back_tested(contracts, issued, Rules(**legacy.rules.model_dump()))


def _raw(call: StageCall, table: str) -> ir.Table:
    """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
    shared = call.plan.source_table(table).owner == "none"
    return call.golden()(table) if shared else call.cohort_rows()(table)
