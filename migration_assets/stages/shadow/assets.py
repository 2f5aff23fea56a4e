"""`shadow_billing` and `verified_billing`: what the old system bills, grants and is owed, told from its raw tables,
against what the target would, before anything is loaded, and against what it does by the rows that it holds afterwards;
and what both write down beside.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.domain.renewal_hold import held_period
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
from migration_assets.stages.shadow.balances.new_ledger import READ as LEDGER
from migration_assets.stages.shadow.forecast import origins
from migration_assets.stages.shadow.read_back import read_back
from migration_assets.stages.shadow.renewals import by_day, in_the_way
from migration_assets.wiring.bill_totals import bills_of_all
from migration_assets.wiring.both_sides import (
    Compared,
    Held,
    Records,
    both_sides,
    nothing,
    old_records,
    shown,
    write_both,
)
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.recurring_views import recurring_of_all
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.status import never_or_taken_back
from migration_assets.wiring.words import NOT_MADE_AGAIN, several
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.billing_models import Billing

_NOTHING = Found((), (), {})
_A_YEAR = timedelta(days=366)
# What balances and terms are told from.
WRITTEN = (*LEDGER, "seat_assignment")
_KINDS = frozenset({"duckdb", "parquet"})


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="shadow_billing",
            group="prove",
            description="The old system's rules held against the invoices it issued; and the next bills, the access, "
            "the balances and the terms of both sides held against each other, before anything is loaded.",
            kinds=_KINDS,
            compute=_shadow,
            suite=workspace.suites["shadow_billing"],
            deps=[dg.AssetKey("transformed_entitlements"), dg.AssetKey("transformed_billing")],
            gates=["transformed_entitlements", "transformed_billing"],
            closing=partial(_closing, stage="shadow_billing"),
        ),
        StageSpec(
            name="verified_billing",
            group="prove",
            description="The next bills, the access, the balances and the terms of both sides once more, the target's "
            "from the rows that it holds now.",
            kinds=_KINDS | {"postgres"},
            compute=_verify,
            suite=workspace.suites["verified_billing"],
            deps=[dg.AssetKey("reconciliation")],
            gates=["reconciliation"],
            closing=partial(_closing, stage="verified_billing"),
        ),
    ]


def _closing(call: StageCall, stage: str) -> dict[str, object]:
    """What is told of all cohorts: the page of an asset shows the last one only."""
    return {**bills_of_all(call, stage), **recurring_of_all(call, stage)}


def _shadow(call: StageCall) -> StageOutput:
    billing = call.plan.billing
    records: Records = {} if billing is None else old_records(call, billing)
    found, billed = (_NOTHING, False) if billing is None else _back_test(call, billing, records)
    compared = nothing(call)
    if billing is not None:
        rows = _would_hold(call)
        held = Held(rows, origins(call.engine, rows, billing.legacy))
        compared = both_sides(call, "shadow_billing", billing, records, held, _proved(found))
    files, empty = write_both(call, "shadow_billing", compared)
    files |= {t: call.file("shadow_billing", t) for t in ("back_test", "better_rules", "renewals")}
    renewing = call.engine.cached(_renewing(call, compared.bills.renewals))
    call.engine.write(renewing, files["renewals"], order_by=["contract_id"])
    call.engine.write(call.engine.table(verdict_table(found)), files["back_test"], order_by=["invoice_id"])
    call.engine.write(call.engine.table(suggestion_table(found)), files["better_rules"])
    empty |= {"better_rules"} | (set() if billed else {"back_test"})
    return StageOutput(files, {**_metadata(call, found, compared), **_hold(call, renewing)}, may_be_empty=empty)


def _renewing(call: StageCall, renewals: ir.Table) -> ir.Table:
    """Contracts that renew while the plan holds their cohort; none once it has been loaded, for a tick moves nobody."""
    period = held_period(call.as_of, call.plan.file.hold_before_renewal_days)
    if period is None or not never_or_taken_back(call.workspace, [call.partition]):
        return renewals.limit(0)
    return in_the_way(renewals, period)


def _hold(call: StageCall, renewing: ir.Table) -> dict[str, object]:
    """When these contracts renew, and what to do."""
    days = call.plan.file.hold_before_renewal_days
    if not days:
        return {"hold before renewals": "none: the plan has no hold_before_renewal_days"}
    rows = call.engine.arrow(by_day(renewing)).to_pylist()
    if not rows:
        return {"hold before renewals": f"nobody renews within {days} days from T, or all are loaded already"}
    count, last = sum(r["contracts"] for r in rows), rows[-1]["last"].isoformat()
    return {
        "hold before renewals": f"{count:,} contracts renew within {days} days from T, the last of them at {last}: "
        "move after that (`cutover run --as-of`), or take their customers into a later wave",
        "renewals in the way": markdown_table(
            ("renews on (UTC)", "contracts"), [(r["day"], r["contracts"]) for r in rows]
        ),
    }


def _verify(call: StageCall) -> StageOutput:
    billing = call.plan.billing
    compared = nothing(call)
    if billing is not None:
        call.say("reading back what the target holds")
        identities = call.global_rows("customer_identities", "identities")
        target, folder = call.workspace.target, call.workspace.work_folder
        back = read_back(call.engine, target, call.plan, billing.legacy, call.partition, identities, folder, WRITTEN)
        before = call.engine.arrow(call.rows("shadow_billing", "forecast").select("contract_id", "proved")).to_pylist()
        proved = {r["contract_id"]: r["proved"] for r in before if r["proved"] is not None}
        held = Held(back.rows, back.origins, back.keys)
        compared = both_sides(call, "verified_billing", billing, old_records(call, billing), held, proved)
    files, empty = write_both(call, "verified_billing", compared)
    return StageOutput(files, shown(call, compared, prefix="verified_"), may_be_empty=empty)


def _metadata(call: StageCall, found: Found, compared: Compared) -> dict[str, object]:
    told = "declared" if call.plan.billing else "the plan has no billing.yaml: nothing is proved about bills"
    exponents = call.plan.file.currency_exponents
    listed = call.report("back_test.csv", not_reproduced_csv(found, exponents))
    return {
        **shown(call, compared),
        "old rules": told,
        "invoices made again": accuracy(found),
        "rules that would fit better": markdown_table(
            ("rule", "more invoices reproduced", "of contracts"),
            [(s.rule, s.more, s.contracts) for s in found.suggestions],
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


def _proved(found: Found) -> dict[str, bool]:
    """Contracts, and whether all their issued invoices were made again."""
    proved: dict[str, bool] = {}
    for verdict in found.verdicts:
        own = verdict.issued.subscription_id
        proved[own] = proved.get(own, True) and verdict.reproduced
    return proved


def _would_hold(call: StageCall) -> dict[str, ir.Table]:
    """Canonical rows by entity that the load would put into the target."""
    own = {e: call.rows(asset, e) for asset in TRANSFORMED for e in call.entities(asset)}
    return {e: call.global_rows("reference_data", e) for e in call.entities("reference_data")} | own
