"""What `cutover delta` and `cutover freeze check` print: what changed, what ran, and how long changes have waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from migration_assets.stages.golden_copy.changes import changes_json
from migration_assets.wiring.views import print_summary

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.wiring.delta import TickResult
    from migration_assets.wiring.freeze import FreezeCheck

_COUNTS = ("rows_before", "inserted", "updated", "late", "deleted", "rows_after")


def print_tick(out: Console, result: TickResult) -> None:
    """A table of what changed, then the runs, then one sentence for the whole."""
    found = result.to_json("")
    if found["tables"]:
        _print_changes(out, found["tables"])
    if result.summary is not None and (result.summary.cohorts or not result.ok):
        print_summary(out, result.summary)
    if result.carried:
        out.print(f"Rows unchanged, verdicts carried over: {escape(', '.join(result.carried))}.")
    out.print(_ending(result))


def print_freeze_check(out: Console, found: FreezeCheck) -> None:
    """A table of what was written, if anything was, and one sentence."""
    if found.tables:
        _print_changes(out, [changes_json(vars(t)) for t in found.tables])
    since = f"since snapshot {found.snapshot} was taken, {found.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    if found.ok:
        out.print(f"[green]Nothing was written[/] to the tables of the plan {since}.")
    else:
        rows = sum(t.changed for t in found.tables)
        out.print(
            f"[red]{rows:,} rows were written[/] {since}. `cutover delta` brings them over; then find the writer."
        )


def _print_changes(out: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("table", *(c.replace("_", " ") for c in _COUNTS), title="What changed", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(row["table"], *(f"{row[c]:,}" for c in _COUNTS))
    out.print(table)


def _ending(result: TickResult) -> str:
    tick = result.tick
    if tick.state == "quiet":
        return f"[green]Nothing changed[/] since snapshot {tick.snapshot_before}."
    if tick.state == "done":
        lag = "" if tick.lag_seconds is None else f" No change has waited longer than {tick.lag_seconds} s."
        return f"[green]In step[/] with the sources, snapshot {tick.snapshot_after}.{lag}"
    return f"[red]Not in step:[/] {escape(tick.reason)}"
