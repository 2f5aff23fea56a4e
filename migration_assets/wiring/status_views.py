"""What `cutover status` prints. What is in it comes from `status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from migration_assets.wiring.views import BAD, GOOD, print_back_test, print_kpis

MARKS = {
    "passed": GOOD,
    "failed": BAD,
    "never": "[dim]-[/]",
    "waived": "[yellow]waived[/]",
    "stale": "[yellow]stale[/]",
    "rolled_back": "[yellow]rolled back[/]",
}
# Stage by stage, of the global phase and of each cohort.
Standings = Mapping[str, Mapping[str, Mapping[str, Any]]]


def print_status(out: Console, found: Mapping[str, Any]) -> None:
    """The global phase, one row per cohort, what failed, and the key figures."""
    if found["snapshot"] is None:
        out.print(f"[yellow]{escape(found['reason'])}[/]")
        return
    _print_changed(out, found["plan_changed"])
    trial = "; tried only (dry run)" if found["trial"] else ""
    out.print(f"plan {found['plan']}, snapshot {found['snapshot']}, as of {found['as_of']}{trial}")
    if found["target_lost"]:
        out.print("[red]The target holds no record of what was loaded into it:[/] it was dropped, or is another one.")
    tried = found["last_global_run"]
    if tried is not None and not tried["ok"]:
        out.print(
            f"[yellow]The last global phase ({tried['ended']}) did not come through[/], so what is shown stands on the "
            f"one before. `cutover ui` has its history: run {tried['run_id'][:8]}."
        )
    once, cohorts = found["global"], found["cohorts"]
    table = Table(*(s.replace("_", "\n") for s in once), title="Global phase", title_justify="left")
    table.add_row(*(MARKS[s["state"]] for s in once.values()))
    out.print(table)
    stages = list(cohorts[0]["stages"]) if cohorts else []
    table = Table(
        "cohort",
        "wave",
        "customer\nrows",
        "where\nit stands",
        *(s.replace("_", "\n") for s in stages),
        title="Cohorts",
        title_justify="left",
    )
    for row in cohorts:
        cells = [MARKS[row["stages"][s]["state"]] for s in stages]
        table.add_row(row["cohort"], str(row["wave"]), f"{row['customers']:,}", row["place"], *cells)
    out.print(table)
    for row in cohorts:
        if row["next"]:
            out.print(f"[yellow]{row['cohort']}[/] is {row['place']}: {escape(row['next'])}.")
    standings: Standings = {"global": once, **{row["cohort"]: row["stages"] for row in cohorts}}
    for row in cohorts:
        if row["rolled_back"]:
            back = row["rolled_back"]
            out.print(
                f"[yellow]{escape(row['cohort'])} was rolled back[/] by {escape(back['by'])} at {back['at']}: nothing "
                f"of it is in the target. `cutover run --cohort {escape(row['cohort'])}` loads it again."
            )
    _print_stale(out, standings)
    _print_blocking(out, standings)
    _print_warnings(out, standings)
    print_kpis(out, found["kpis"])
    print_back_test(out, found["back_test"])


def _print_changed(out: Console, changed: Mapping[str, str] | None) -> None:
    """First of all, since nothing below is about the plan's files as they are."""
    if changed is None:
        return
    then, now = (changed[when][:12] for when in ("then", "now"))
    out.print(
        f"[yellow]The plan's files were changed since the last run[/] (digest {then} then, {now} now). What follows is "
        "where that run left things; it says nothing of the plan as it is now. `cutover run` makes everything by it; "
        "until then `reconcile` refuses. What the change would do is told by `cutover run --dry-run --against`."
    )


def _print_stale(out: Console, standings: Standings) -> None:
    """What was checked, but of something else than what is to be moved now: once for each thing that has changed."""
    about: dict[str, dict[str, int]] = {}
    for name, stages in standings.items():
        for standing in stages.values():
            if standing["state"] == "stale":
                places = about.setdefault(standing["changed"], {})
                places[name] = places.get(name, 0) + 1
    for changed, places in about.items():
        named = ", ".join(f"{name} ({count})" for name, count in places.items())
        out.print(
            f"[yellow]stale[/], checked {escape(changed)}: stages of {escape(named)}. `cutover run` does them again."
        )


def _print_blocking(out: Console, standings: Standings) -> None:
    """What holds a cohort up: each with what was found, and why it is checked at all."""
    for name, stage, failed in _failed(standings):
        if _blocks(failed):
            how = failed["severity"] if failed["evaluated"] else "not evaluated"
            out.print(f"[red]{name} {stage}:[/] {failed['check']}: {escape(failed['detail'])} ({how})")
            if failed["why"]:
                out.print(f"  why it is checked: {escape(failed['why'])}")


def _print_warnings(out: Console, standings: Standings) -> None:
    """Checks that failed without stopping anything, each with the rows it found, where, and why it is checked."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for name, stage, failed in _failed(standings):
        if not _blocks(failed):
            check = (f"{stage}.{failed['check']}", failed["severity"], failed["why"])
            found.setdefault(check, {})[name] = failed["rows"]
    if not found:
        return
    heads = ("check", "severity", "rows", "where", "why it is checked")
    table = Table(*heads, title="Failed checks that stop nothing", title_justify="left")
    table.columns[0].no_wrap, table.columns[2].justify = True, "right"
    for (name, severity, why), rows in found.items():
        table.add_row(name, severity, f"{sum(rows.values()):,}", ", ".join(rows), escape(why))
    out.print(table)


def _failed(standings: Standings) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, stages in standings.items():
        for stage, standing in stages.items():
            yield from ((name, stage, failed) for failed in standing["failed"])


def _blocks(failed: Mapping[str, Any]) -> bool:
    return failed["severity"] == "critical" or not failed["evaluated"]
