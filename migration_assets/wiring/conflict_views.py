"""What `cutover review conflicts` and `settle` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from migration_assets.domain.shown_money import named_amount
from migration_assets.wiring.review_views import answer_in_words

if TYPE_CHECKING:
    from rich.console import Console


def print_conflicts(out: Console, conflicts: list[dict[str, Any]], exponents: Mapping[str, int]) -> None:
    """A table of conflicts, and how to go on from there."""
    if not conflicts:
        out.print("[green]Nothing that others changed in the target waits for a person.[/]")
        return
    table = Table("conflict", "differs by", "cohort", "table", "target id", "column", "answer")
    table.columns[1].justify = "right"
    table.columns[4].overflow = "fold"
    for c in conflicts:
        money = None if c["amount_minor"] is None else named_amount(c["amount_minor"], c["currency"], exponents)
        cells = (c["cohort"], c["table"], c["target_id"], c["column"], answer_in_words(c))
        table.add_row(str(c["conflict"]), money or "-", *map(escape, cells))
    out.print(table)
    out.print(
        "Both values of each: spot_check.html in the cohort's folder of reports. "
        "`cutover review settle CONFLICT source|target --reason ...` decides."
    )


def print_settled(out: Console, conflict: Mapping[str, Any]) -> None:
    """What is known of a conflict after an answer."""
    then = {
        "source": "the next `cutover run` of its cohort writes what the source says",
        "target": "the target keeps what it has",
    }.get(conflict["answer"], "it is left as it is until somebody decides")
    said = escape(answer_in_words(conflict) or "open again")
    out.print(f"Conflict {conflict['conflict']}: {said}; {then}.")
