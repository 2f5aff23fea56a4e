"""What the command line prints: summaries, key figures, the reconciliation, query results. Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from migration_assets.domain.money import written
from migration_assets.wiring.back_test import back_test_of
from migration_assets.wiring.kpis import kpis_of
from migration_assets.wiring.reports import reports_of, silent_in

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from migration_assets.wiring.results import PhaseResult, Summary
    from migration_assets.wiring.workspace import Workspace

GOOD, BAD = "[green]passed[/]", "[red]failed[/]"


def print_summary(out: Console, summary: Summary) -> None:
    """One line per cohort: how it went, where it stopped, what failed, how many rows were written, and how many of
    them were removed."""
    first = summary.global_phase
    if first is not None and not first.ok:
        out.print(f"[red]The global phase stopped at {first.stopped_at}.[/]")
        _print_reason(out, first)
        return
    table = Table(
        "cohort", "outcome", "stopped at", "failed checks", "rows written", title="Migration", title_justify="left"
    )
    table.columns[-1].justify = "right"
    for name, p in summary.cohorts.items():
        table.add_row(
            name, GOOD if p.ok else BAD, p.stopped_at or "", "\n".join(p.failed_checks), f"{p.rows_written:,}"
        )
    out.print(table)
    if summary.rows_removed:
        phases = {"reference data": first, **summary.cohorts}
        named = ", ".join(
            f"{name} {p.rows_removed:,}" for name, p in phases.items() if p is not None and p.rows_removed
        )
        out.print(
            f"[yellow]{summary.rows_removed:,} rows were removed from the target[/], because this load does not have "
            f"them any more: they left the source, or are merged, rejected or excluded now ({named}). "
            "Their pre-images are in the target's cutover.pre_image."
        )
    for name, p in summary.cohorts.items():
        if p.reason:
            out.print(f"[red]{', '.join(filter(None, (name, p.stopped_at)))}:[/] {escape(p.reason)}")
        if p.aftermath:
            out.print(f"[yellow]{escape(name)}:[/] {escape(p.aftermath)}")


def _print_reason(out: Console, phase: PhaseResult) -> None:
    if phase.reason:
        out.print(f"[red]{phase.stopped_at}:[/] {escape(phase.reason)}")
    for name in phase.failed_checks:
        out.print(f"[red]critical check failed:[/] {name}")


def reconciliation_of(workspace: Workspace, results: Mapping[str, PhaseResult]) -> dict[str, Any]:
    """The reports that the reconciliation of each cohort left, as `cutover reconcile --json` promises them, and the
    controls that saw nothing anywhere."""
    reports = reports_of(workspace, results)
    silent = silent_in(workspace, reports)
    good = all(results[name].ok and report.get("ok", False) for name, report in reports.items())
    record = workspace.control.current_record(workspace.plan.name)
    return {
        "ok": bool(reports) and good and not silent,
        "plan": workspace.plan.name,
        "snapshot": record.snapshot if record else None,
        "cohorts": [{k: v for k, v in r.items() if k not in ("ok", "snapshot")} for r in reports.values()],
        "controls_silent": silent,
        "reports": str(workspace.environment.reports),
    }


def ending_of(workspace: Workspace, instance: DagsterInstance, summary: Summary) -> dict[str, Any]:
    """What a migration shows only when it is over: keys of `cutover run --json` beside those of its runs."""
    silent = silent_in(workspace, reports_of(workspace, summary.cohorts))
    figures = kpis_of(workspace, instance, list(summary.cohorts), datetime.now(UTC))
    proved = back_test_of(workspace, list(summary.cohorts))
    return {"ok": summary.ok and not silent, "controls_silent": silent, "kpis": figures, "back_test": proved}


KPIS = {
    "rows read": "rows_read",
    "loaded": "rows_loaded",
    "rejected": "rows_rejected",
    "records a minute": "records_per_minute",
    "errors %": "error_rate_percent",
    "checks run": "checks_run",
    "passed": "checks_passed",
    "checks passed %": "validation_success_percent",
    "seconds": "duration_seconds",
}


def print_kpis(out: Console, found: Mapping[str, Any]) -> None:
    """Key figures of each cohort, and in the last row of all that are shown; when each was counted, and who is not
    among them."""
    table = Table("cohort", *KPIS, "counted (UTC)", title="Key figures", title_justify="left")
    for column in table.columns[1:-1]:
        column.justify = "right"
    table.columns[-1].no_wrap = True
    for name, figures in {**found["cohorts"], f"[bold]all {len(found['cohorts'])}[/]": found["overall"]}.items():
        cells = ("-" if figures[k] is None else f"{figures[k]:,}" for k in KPIS.values())
        table.add_row(name, *cells, _counted(figures))
    out.print(table)
    for sentence in kpis_in_words(found):
        out.print(sentence)
    if found["overall"]["rows_rejected"]:
        out.print("`cutover rejected` says why rows were rejected and what helps; with --rows, which.")


def _counted(figures: Mapping[str, Any]) -> str:
    """When, to the minute; from and until in two lines where these are not the same."""
    told = (figures["counted_from"], figures["counted_until"])
    return "\n".join(dict.fromkeys(at[:16].replace("T", " ") for at in told if at))


def kpis_in_words(found: Mapping[str, Any]) -> list[str]:
    """What the last row adds up that was not counted together, and what it leaves out."""
    cohorts = found["cohorts"]
    older = [n for n, f in cohorts.items() if f["counted_from"] != f["counted_until"]]
    unknown = [n for n, f in cohorts.items() if f["counted_until"] is None]
    uncounted = [n for n, f in cohorts.items() if f["rows_loaded"] is None and n not in unknown]
    told = {
        "Rows are of an earlier run than checks, because the last one did not come to the reconciliation": older,
        "Nothing was counted yet": unknown,
        "Not reconciled yet, so that nobody has counted their rows": uncounted,
        "Not among them, because they are not part of this": found["left_out"],
    }
    return [f"[yellow]{words}:[/] {escape(', '.join(names))}." for words, names in told.items() if names]


def print_failed_hint(out: Console, figures: Mapping[str, Any], *, stopped: bool) -> None:
    """Where to read which checks failed, if any did, and what that means. `stopped`: whether they held anything up."""
    failed = figures["checks_run"] - figures["checks_passed"]
    if not failed:
        return
    if stopped:
        out.print(f"{failed} results of checks are not good, each of one cohort; `cutover status` says which stop it.")
    else:
        out.print(
            f"{failed} results of checks are warnings, or were signed for, each of one cohort: they stop nothing. "
            "`cutover status` names them, and why each is checked."
        )


# So many rules that would fit better are told, the best ones.
_BEST = 3


def print_back_test(out: Console, found: Mapping[str, Any] | None) -> None:
    """Whether the old system's rules make the invoices it issued, and which of them would, told otherwise."""
    if found is None or found["reproduced"] == found["invoices"]:
        return
    failed = found["invoices"] - found["reproduced"]
    out.print(
        f"{failed:,} of {found['invoices']:,} issued invoices are not made again by the rules of billing.yaml: "
        "back_test.csv in the cohort's folder of reports lists them."
    )
    if found["better_rules"]:
        best = found["better_rules"][:_BEST]
        better = "; ".join(f"{escape(r['rule'])} ({r['more']:,} more, in {', '.join(r['cohorts'])})" for r in best)
        out.print(f"[yellow]Rules that would fit better:[/] {better}.")


def print_reconciliation(out: Console, report: Mapping[str, Any]) -> None:
    """Rows and money over all cohorts, rejections by reason, and every difference by name."""
    _print_sources(out, report)
    _print_targets(out, report)
    _print_money(out, report)
    _print_reasons(out, report)
    _print_changes(out, report)
    for c in report["cohorts"]:
        _print_findings(out, c)
    print_silent(out, report["controls_silent"])
    verdict = "[bold green]Everything adds up.[/]" if report["ok"] else "[bold red]It does not add up.[/]"
    out.print(f"{verdict} Snapshot {report['snapshot']}.")
    off = [c["cohort"] for c in report["cohorts"] if c.get("differences_total") or c.get("controls_off")]
    if off:
        named = " ".join(f"--cohort {c}" for c in off)
        if "repair" not in report:
            command = f"cutover reconcile --plan plans/{report['plan']} {named} --repair"
            out.print(f"What was changed in the target by hand, `{command}` puts right, but for money.")
        out.print("What to work through, the most money first, and the customers concerned, values side by side:")
        for c in off:
            folder = _shown(Path(report["reports"]) / c)
            out.print(escape(f"  {folder}/discrepancies.html, discrepancies.csv, spot_check.html"))
    for r in report.get("repair", []):
        out.print(_repair_in_words(r))
    if waiting := sum(r["waiting_for_a_person"] for r in report.get("repair", [])):
        fields = "1 field waits" if waiting == 1 else f"{waiting:,} fields wait"
        out.print(f"{fields} for a person: `cutover review conflicts` lists what others changed.")


def _repair_in_words(done: Mapping[str, Any]) -> str:
    before, after = (
        "not compared" if rows is None else ", ".join(f"{n:,} {kind}" for kind, n in rows.items())
        for rows in (done["before"], done["after"])
    )
    return f"{escape(done['cohort'])}: {before}; {done['rows_written']:,} rows written; now {after}."


_DIFFERENCE = ("kind", "table", "key", "column")


def _print_findings(out: Console, cohort: Mapping[str, Any]) -> None:
    name, listed = cohort["cohort"], cohort.get("differences", [])
    if "error" in cohort:
        out.print(f"[red]{name}:[/] {escape(str(cohort['error']))}")
    for d in listed:
        out.print(f"[red]{name}:[/] {escape(' '.join(filter(None, map(d.get, _DIFFERENCE))))}")
    if more := cohort.get("differences_total", 0) - len(listed):
        out.print(f"[red]{name}:[/] {more:,} more differences, all of them in its discrepancies.csv")
    if "aftermath" in cohort:
        out.print(f"[yellow]{escape(name)}:[/] {escape(cohort['aftermath'])}")
    for c in cohort.get("controls_off", []):
        unread = f", {c['unreadable']:,} values that are no exact number or date" if c["unreadable"] else ""
        measure = " ".join(filter(None, (c["measure"], c["currency"])))
        out.print(f"[red]{name}:[/] control {measure} is off by {written(Decimal(c['difference']))}{unread}")


def print_silent(out: Console, silent: Iterable[Mapping[str, str]]) -> None:
    """Controls that saw no row on either side, which prove nothing."""
    for c in silent:
        out.print(
            f"[red]control {c['measure']}[/] saw no row of {c['source']} and none of {c['target']} in any cohort: its "
            "filters match nothing. Mend them in controls.csv, or say in plan.yaml that the table may be empty."
        )


def _summed(
    report: Mapping[str, Any], part: str, keys: tuple[str, ...], values: tuple[str, ...]
) -> dict[tuple[str, ...], dict[str, Decimal]]:
    """Sums over the cohorts; amounts that are not whole come as exact text."""
    total: dict[tuple[str, ...], dict[str, Decimal]] = {}
    for c in report["cohorts"]:
        for row in c.get(part, []):
            into = total.setdefault(tuple(str(row[k]) for k in keys), dict.fromkeys(values, Decimal(0)))
            for name in values:
                into[name] += Decimal(row[name])
    return total


_AMOUNTS = ("source", "rejected", "excluded", "waived", "target", "difference")
_TELLING = ("rejected", "excluded", "waived", "difference")


def _whose(report: Mapping[str, Any]) -> str:
    """Which cohorts a sum is of: those that were asked for."""
    names = [str(c["cohort"]) for c in report["cohorts"]]
    return escape(names[0]) if len(names) == 1 else f"{len(names)} cohorts"


def _print_sum(out: Console, report: Mapping[str, Any], title: str, part: str, keys: str, values: str) -> None:
    names = tuple(values.split())
    rows = _summed(report, part, tuple(keys.split()), names)
    _print_rows(out, title, keys, names, {key: row for key, row in rows.items() if any(row.values())})


def _print_rows(
    out: Console,
    title: str,
    keys: str,
    names: tuple[str, ...],
    rows: Mapping[tuple[str, ...], Mapping[str, Decimal]],
) -> None:
    if not rows:
        return
    table = Table(*keys.split(), *(n.removesuffix("_minor") for n in names), title=title, title_justify="left")
    for column in table.columns[len(keys.split()) :]:
        column.justify = "right"
    for key, row in sorted(rows.items()):
        table.add_row(*map(escape, key), *(written(row[n]) for n in names))
    out.print(table)


def _print_sources(out: Console, report: Mapping[str, Any]) -> None:
    counts = "read loaded merged rejected excluded"
    _print_sum(out, report, f"Source rows, {_whose(report)}", "sources", "table", counts)


def _print_targets(out: Console, report: Mapping[str, Any]) -> None:
    _print_sum(
        out, report, f"Target rows, {_whose(report)}", "targets", "table", "expected found missing extra changed"
    )


def _print_money(out: Console, report: Mapping[str, Any]) -> None:
    """Totals of which some is not in the target; the others, most of them, are counted."""
    keys, names = "measure currency", tuple(f"{a}_minor" for a in _AMOUNTS)
    rows = _summed(report, "money", tuple(keys.split()), names)
    telling = {key: row for key, row in rows.items() if any(row[f"{a}_minor"] for a in _TELLING)}
    _print_rows(out, f"Control totals in minor units, {_whose(report)}", keys, names, telling)
    if same := len(rows) - len(telling):
        others = f"{same:,} {'others' if telling else 'control totals'}"
        out.print(f"{others} are the same on both sides, with nothing rejected, excluded or waived.")


def _print_reasons(out: Console, report: Mapping[str, Any]) -> None:
    _print_sum(out, report, "Not loaded as themselves, by reason", "reasons", "table disposition rule", "rows")


def _print_changes(out: Console, report: Mapping[str, Any]) -> None:
    title = "Values defaulted, set aside or rounded, by rule (rounded: by how many minor units in all)"
    _print_sum(out, report, title, "changes", "table field action rule reason", "rows rounded_minor")


def print_rows(out: Console, result: Mapping[str, Any]) -> None:
    """A query's rows, or how many it changed."""
    if not result["columns"]:
        out.print(f"{result['rows_changed']:,} row(s) changed")
        return
    table = Table(*map(escape, result["columns"]))
    for i, column in enumerate(table.columns):
        # A cut-off id is of no use to anybody: it is folded instead.
        column.overflow = "fold"
        if any(isinstance(row[i], (int, float, Decimal)) for row in result["rows"]):
            column.justify = "right"
    for row in result["rows"]:
        table.add_row(*("[dim]NULL[/]" if v is None else escape(str(v)) for v in row))
    out.print(table)


def print_next_steps(out: Console, workspace: Workspace) -> None:
    """What to open next."""
    reports = workspace.environment.reports
    out.print("\n[bold]Next[/]")
    out.print("  make ui                          Dagster on 127.0.0.1:3000: Lineage, Catalog (checks by cohort), Runs")
    out.print("  .venv/bin/cutover status         where each cohort stands")
    out.print("  .venv/bin/cutover review list    who may be one customer and waits for a person, the most money first")
    out.print("  .venv/bin/cutover reconcile      compare source and target again, now")
    if reports.exists():
        out.print(f"  {_shown(reports) + '/':<32} a folder for each cohort: profiles, discrepancies, spot checks")


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
