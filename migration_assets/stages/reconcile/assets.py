"""`reconciliation`: the target read back now and compared, row by row, field by field, and with finance's totals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from migration_assets.domain.money import exponent_of
from migration_assets.domain.shown_money import named_amount
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.load.schema import role_names
from migration_assets.stages.reconcile.balance import balance
from migration_assets.stages.reconcile.changes import changed_values
from migration_assets.stages.reconcile.controls import run_controls
from migration_assets.stages.reconcile.money import Tie
from migration_assets.stages.reconcile.report import (
    IF_OPEN,
    IN_WORDS,
    CohortReport,
    cohort_json,
    discrepancy_csv,
    discrepancy_html,
    ranked,
    spot_check_html,
    tie_amounts,
)
from migration_assets.stages.reconcile.rows import compare_rows
from migration_assets.stages.reconcile.sides import both_sides
from migration_assets.stages.reconcile.spot_check import spot_check
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.conflicts import words_of
from migration_assets.wiring.kpis import kpi_metadata
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.models import Plan

_AMOUNT = pa.decimal128(38, 6)
_BALANCE = {
    "table": pa.string(),
    **dict.fromkeys(("read", "loaded", "merged", "rejected", "excluded", "unexplained"), pa.int64()),
}
_MEASURED = ("source_minor", "rejected_minor", "excluded_minor", "waived_minor", "target_minor", "difference_minor")
_MONEY = {"measure": pa.string(), "currency": pa.string(), **dict.fromkeys(_MEASURED, _AMOUNT)}
_CONTROLS = {
    "measure": pa.string(),
    "kind": pa.string(),
    "currency": pa.string(),
    "difference": _AMOUNT,
    "unreadable": pa.int64(),
}
# The report and the terminal list this many; the CSV among the reports holds all of them.
_LISTED = 500
_CONTROL_HEADS = (
    "measure", "of", "currency", "source", "rejected", "excluded", "waived", "target", "difference", "unreadable",
)  # fmt: skip
# Counts of rows by the rule that had its way with them; no values.
ByRule = dict[str, list[dict[str, Any]]]


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="reconciliation",
            group="prove",
            description="Every row, field and control total of the target against what the golden copy says.",
            kinds=frozenset({"duckdb", "postgres"}),
            compute=_reconcile,
            suite=workspace.suites["reconciliation"],
            deps=[dg.AssetKey("loaded_target")],
            gates=["loaded_target"],
            closing=kpi_metadata,
        )
    ]


def _reconcile(call: StageCall) -> StageOutput:
    fates = _told(call, "dispositions")
    raw = {t: call.rows("cohort_plan", t) for t in call.plan.source_tables}
    seed = f"{call.snapshot}/{call.partition}"
    target, canonical, folder = call.workspace.target, _canonical(call), call.workspace.work_folder
    with both_sides(call.engine, target, call.plan, call.partition, canonical, folder) as sides:
        rows = compare_rows(call.engine, call.plan, sides, words_of(call.workspace))
        spot = spot_check(call.engine, call.plan, sides, rows.differences, raw, seed, call.plan.file.spot_check)
    found = CohortReport(
        cohort=call.partition,
        rows=rows,
        balance=balance(call.engine, call.plan, {t: raw[t] for t in call.source_tables}, fates, sides.crosswalk),
        ties=_controls(call, raw, fates),
        spot=spot,
    )
    lines = ranked(call.engine, found, call.plan.file.currency_exponents)
    by_rule = {"reasons": _reasons(call, fates), "changes": changed_values(call.engine, _told(call, "notes"))}
    call.write_text("report.json", json.dumps(_report_json(call, found, lines, by_rule), indent=1))
    files = _tables(call, found)
    return StageOutput(files, _metadata(call, found, lines, by_rule), may_be_empty=_allowed_empty(found))


def _canonical(call: StageCall) -> dict[str, ir.Table]:
    """What should be in the target for this cohort; reference data belongs to `unassigned`."""
    assets = (*TRANSFORMED, "reference_data") if call.partition == UNASSIGNED else TRANSFORMED
    return {entity: call.engine.read(path) for entity, path in call.files(*assets).items()}


def _told(call: StageCall, table: str) -> ir.Table:
    """`dispositions` or `notes` of every stage for this cohort; those of reference data belong to `unassigned`."""
    parts = [call.rows(asset, table) for asset in TRANSFORMED]
    if call.partition == UNASSIGNED:
        parts.append(call.global_rows("reference_data", table))
    return call.engine.cached(call.engine.union(parts))


def _controls(call: StageCall, raw: dict[str, ir.Table], fates: ir.Table) -> tuple[Tie, ...]:
    # Readers do not see hidden cohorts, the writer does; it cannot write here either.
    with call.workspace.target.transaction(role=role_names(call.plan)["writer"], read_only=True) as connection:
        plan = call.plan
        exponents = partial(exponent_of, overrides=plan.file.currency_exponents)
        return run_controls(
            call.engine,
            connection,
            plan.controls,
            plan.target,
            call.partition,
            raw,
            fates,
            exponents,
            plan.replaced_tables,
            _parents(plan),
        )


def _parents(plan: Plan) -> dict[tuple[str, str], tuple[str, str]]:
    """What raw columns refer to, of tables that one column identifies."""
    return {
        (table, column): (parent, plan.source_table(parent).key[0])
        for table, declared in plan.source_tables.items()
        for column, parent in declared.references.items()
        if len(plan.source_table(parent).key) == 1
    }


def _reasons(call: StageCall, fates: ir.Table) -> list[dict[str, Any]]:
    """Rows that were not loaded as themselves, by table, disposition and rule."""
    left = fates.filter(fates["disposition"] != "loaded")
    counted = left.group_by(["source_system", "source_table", "disposition", "rule"]).aggregate(rows=left.count())
    ordered = counted.order_by(["source_system", "source_table", "disposition", "rule"])
    return [
        {
            "table": f"{r['source_system']}.{r['source_table']}",
            "disposition": r["disposition"],
            "rule": r["rule"],
            "rows": r["rows"],
        }
        for r in call.engine.arrow(ordered).to_pylist()
    ]


def _report_json(call: StageCall, found: CohortReport, lines: list[dict[str, Any]], by_rule: ByRule) -> dict[str, Any]:
    """What `cutover reconcile` shows of this cohort: the promised shape, and the lines to work through."""
    shown = [{k: line[k] for k in ("kind", "table", "key", "column")} for line in lines[:_LISTED]]
    return {
        "ok": found.ok,
        "snapshot": call.snapshot,
        "run_id": call.run_id,
        **cohort_json(found),
        **by_rule,
        "differences": shown,
        "differences_total": len(lines),
        "left": found.rows.left,
    }


def _tables(call: StageCall, found: CohortReport) -> dict[str, Any]:
    """What the checks look at; shapes as `expectations/reconciliation.yaml` names them."""
    frames = {
        "differences": found.rows.differences,
        "unexplained": found.balance.rows,
        "balance": call.engine.table(_columns(found.balance.sources, _BALANCE)),
        "money": call.engine.table(_columns(_sums(found), _MONEY)),
        "controls": call.engine.table(_columns(found.ties, _CONTROLS)),
    }
    files = {name: call.file("reconciliation", name) for name in frames}
    for name, frame in frames.items():
        call.engine.write(frame, files[name])
    return files


def _columns(rows: Sequence[Any], shape: Mapping[str, pa.DataType]) -> pa.Table:
    """One row for each of these; amounts `x_minor` are what a row calls `x`."""
    return pa.table(
        {c: pa.array([getattr(r, c.removesuffix("_minor")) for r in rows], kind) for c, kind in shape.items()}
    )


def _allowed_empty(found: CohortReport) -> set[str]:
    """No difference is what we hope for; a plan may have no money controls."""
    return {"differences", "unexplained", *(() if _sums(found) else {"money"})}


def _largest(lines: Sequence[Mapping[str, Any]], exponents: Mapping[str, int]) -> str:
    """The first of the ranked lines in words, by its money where it has any."""
    if not lines:
        return "none"
    first = lines[0]
    place = f"{first['kind']}: {first['table']} {first['surrogate'] or first['key']} {first['column']}".strip()
    if first["amount_minor"] is None:
        return f"{place}, no money"
    return f"{place}, {named_amount(first['amount_minor'], first['currency'], exponents)}"


def _about(call: StageCall) -> dict[str, str]:
    return {"plan": call.plan.file.title, "snapshot": call.snapshot, "as of": call.as_of.isoformat()}


def _sums(found: CohortReport) -> list[Tie]:
    """Controls that add up money; one that saw no row has no currency either."""
    return [t for t in found.ties if t.kind == "sum" and t.saw_rows]


def _metadata(call: StageCall, found: CohortReport, lines: list[dict[str, Any]], by_rule: ByRule) -> dict[str, Any]:
    exponents = call.plan.file.currency_exponents
    becomes = IF_OPEN[call.plan.file.after_failed_reconciliation]
    html = discrepancy_html(_about(call), found, lines, by_rule["reasons"], exponents, becomes)
    page = call.report("discrepancies.html", html)
    call.report("discrepancies.csv", discrepancy_csv(lines, exponents))
    cards = call.report("spot_check.html", spot_check_html(call.partition, found.spot)) if found.spot else None
    targets = [(t.table, t.expected, t.found, t.missing, t.extra, t.changed) for t in found.rows.tables]
    controls = [(t.measure, IN_WORDS[t.kind], t.currency, *tie_amounts(t, exponents), t.unreadable) for t in found.ties]
    return {
        "adds up": found.ok,
        "unexplained": found.unexplained,
        "rows compared": sum(t.expected for t in found.rows.tables),
        "differences": len(lines),
        "left as others changed them": found.rows.left,
        "largest difference": _largest(lines, exponents),
        "control totals that are off": sum(not t.ok for t in found.ties),
        "targets": markdown_table(("table", "expected", "found", "missing", "extra", "changed"), targets),
        "control totals": markdown_table(_CONTROL_HEADS, controls),
        "not loaded as themselves": markdown_table(
            ("table", "disposition", "rule", "rows"),
            [(r["table"], r["disposition"], r["rule"], r["rows"]) for r in by_rule["reasons"]],
        ),
        "values defaulted, set aside or rounded": markdown_table(
            ("table", "field", "action", "rule", "reason", "rows", "rounded by, minor units"),
            [tuple(r.values()) for r in by_rule["changes"]],
        ),
        "spot check": f"{found.spot.customers} customers drawn and {found.spot.suspects} of whom a row differs, "
        f"{found.spot.fields} fields, {found.spot.differing} differ"
        if found.spot
        else "none",
        "discrepancy report": dg.MetadataValue.path(str(page)),
        **({"spot check report": dg.MetadataValue.path(str(cards))} if cards else {}),
    }
