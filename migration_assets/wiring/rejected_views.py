"""What `cutover rejected` prints. What is in it comes from `rejected`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_rejected(out: Console, found: Mapping[str, Any]) -> None:
    """Counts by table and reason, what helps, and the rows where they were asked for."""
    if found["reasons"]:
        _print_reasons(out, found)
    else:
        out.print("[green]No row was rejected or excluded.[/]")
    if found.get("rows"):
        _print_rows(out, found)
    elif found["reasons"] and "rows" not in found:
        out.print("`cutover rejected --rows` lists the rows, --cohort K and --reason R those of one cohort or reason.")
    if found["missing"]:
        named = ", ".join(sorted({m["cohort"] for m in found["missing"]}))
        out.print(f"[yellow]Not complete:[/] of {escape(named)} some stages have not looked at this snapshot yet.")


def _print_reasons(out: Console, found: Mapping[str, Any]) -> None:
    title = f"Rows that were left out, snapshot {found['snapshot']}"
    table = Table("table", "", "reason", "", "rows", title=title, title_justify="left")
    table.columns[-1].justify = "right"
    for r in found["reasons"]:
        table.add_row(*(escape(r[name]) for name in ("table", "disposition", "rule", "reason")), f"{r['rows']:,}")
    out.print(table)
    remedies = dict.fromkeys((r["rule"], r["remedy"]) for r in found["reasons"] if r["remedy"])
    if remedies:
        out.print("What helps:")
    for rule, remedy in remedies:
        out.print(f"  [bold]{escape(rule)}[/]: {escape(remedy)}")


def _print_rows(out: Console, found: Mapping[str, Any]) -> None:
    table = Table("table", "source key", "row", "cohort", "", "reason", "")
    for column in table.columns:
        column.overflow = "fold"
    for r in found["rows"]:
        names = ("table", "key", "row", "cohort", "disposition", "rule", "reason")
        table.add_row(*(escape(r[name] or "") for name in names))
    out.print(table)
    if found["total"] > len(found["rows"]):
        shown, total = len(found["rows"]), found["total"]
        out.print(
            f"{shown:,} of {total:,} rows are shown, {total - shown:,} more are not: --limit {total} shows all, "
            "--cohort K and --reason R fewer."
        )
