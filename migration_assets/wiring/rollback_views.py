"""What `cutover rollback` prints. What is in it comes from `rollback`; keys of customers are never in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from migration_assets.wiring.views import BAD, GOOD

_COUNTS = ("deleted", "restored", "returned", "kept", "with_other_cohorts", "erased", "untouched")


def print_rollback(out: Console, found: Mapping[str, Any]) -> None:
    """Table by table what came back and whether it is proven, and what no rollback undoes."""
    names = escape(", ".join(found["cohorts"]))
    loads = ", ".join(map(str, found["loads"]))
    if "rehearsed" in found:
        took = found["rehearsed"]
        out.print(
            f"[green]{names} could be rolled back[/] (loads {loads}), as tried in copies of the target's schemas: "
            f"{took['copied_rows']:,} rows copied in {took['copy_milliseconds'] / 1000:.1f} s, taken back in "
            f"{took['rollback_milliseconds'] / 1000:.1f} s. The target was only read."
        )
    elif found["dry_run"]:
        out.print(f"[green]{names} could be rolled back[/] (loads {loads}). Nothing was written.")
    else:
        out.print(f"[green]{names} is rolled back[/] (loads {loads}).")
    _print_tables(out, found)
    if found["to_be_loaded_again"] and not found["dry_run"] and "rehearsed" not in found:
        named = escape(", ".join(found["to_be_loaded_again"]))
        out.print(f"Rows of {named} came back as they were: load them again (`cutover run --resume`).")
    _print_since(out, found["since_the_load"])


def _print_tables(out: Console, found: Mapping[str, Any]) -> None:
    shown = [c for c in _COUNTS if any(t[c] for t in found["tables"])]
    table = Table("table", *(c.replace("_", "\n") for c in shown), "as\nbefore", "as\nrecorded")
    for column in table.columns[1 : len(shown) + 1]:
        column.justify = "right"
    for t in found["tables"]:
        if any(t[c] for c in _COUNTS):
            marks = (GOOD if t["proven"] else BAD, GOOD if t["as_recorded"] else "[yellow]no[/]")
            table.add_row(t["table"], *(f"{t[c]:,}" for c in shown), *marks)
    out.print(table)
    if not all(t["as_recorded"] for t in found["tables"]):
        out.print(
            "[yellow]as recorded: no[/]: the table holds rows or changes that no load made. Rows of the cohort are "
            "gone or as they were, and all others the very same; only what others wrote is not accounted for by loads."
        )


def _print_since(out: Console, since: Mapping[str, Any]) -> None:
    if since["file"] is None:
        out.print("The new system has made no rows for these customers since the load.")
        return
    out.print("[yellow]What the new system did since the load is not undone by this:[/]")
    for currency, money in sorted(since["credits"].items()):
        out.print(
            f"  {since['customers_to_credit']} customers: credits of {money['credit_minor']:,} and money of "
            f"{money['money_minor']:,} in minor units of {escape(currency)}"
        )
    if since["usage_counters"]:
        out.print(f"  {since['usage_counters']} counters of usage to carry back")
    for line in since["stays"]:
        out.print(f"  {escape(line)}")
    out.print(f"By customer, for you alone: {escape(since['file'])}", soft_wrap=True)
