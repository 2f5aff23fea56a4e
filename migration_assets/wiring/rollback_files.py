"""Files that a rollback leaves for people: rows that others changed, and what cannot simply be undone.

Both name customers by their source keys, so only their owner can read them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.connectors.private_files import make_folder, write_private

if TYPE_CHECKING:
    from migration_assets.domain.after_rollback import Statement
    from migration_assets.stages.rollback.obstacles import Foreign
    from migration_assets.stages.rollback.take_back import RollbackOrder


def write_changed(folder: Path, cohorts: Sequence[str], rows: Iterable[Foreign]) -> Path:
    """rollback-<cohorts>-changed.csv: table, key, source row, what happened to it."""
    told = [("table", "key", "source_row", "what"), *((r.table, r.key, r.source, r.what) for r in rows)]
    return _written(folder / f"rollback-{'-'.join(cohorts)}-changed.csv", _csv(told))


def write_statement(folder: Path, order: RollbackOrder, since: Statement) -> Path:
    """rollback-<cohorts>-statement.md: compensating credits by customer and currency, usage to carry back, and what
    stays as it happened. Amounts are in minor units."""
    parts = [
        f"# What a rollback of {', '.join(order.cohorts)} does not undo",
        f"As the target was at {order.at.isoformat()}, from rows that no load brought. Amounts are in minor units.",
        "## Compensating credits",
        "`credit`: invoiced by the new system less what it credited itself; credit memos over it make its invoices "
        "void before the old system bills the same time again. `money`: received less refunded; to be refunded, or to "
        "become a credit balance in the old system.",
        _table(
            ("customer", "currency", "invoices", "invoiced", "credited", "credit", "received", "refunded", "money"),
            (
                (
                    c.customer, c.currency, c.invoices, c.invoiced_minor, c.credited_minor, c.credit_minor,
                    c.received_minor, c.refunded_minor, c.money_minor,
                )
                for c in since.credits
            ),
        ),
        "## Usage to carry back",
        "To be added to the old system's counters.",
        _table(
            ("customer", "contract", "feature", "events", "units", "first", "last"),
            (
                (
                    u.customer, u.contract, u.feature, u.events, f"{u.units.normalize():f}", u.first_at.isoformat(),
                    u.last_at.isoformat(),
                )
                for u in since.usage
            ),
        ),
        "## What stays as it happened",
        "\n".join(f"- {s}" for s in since.stays) or "Nothing.",
    ]  # fmt: skip
    return _written(folder / f"rollback-{'-'.join(order.cohorts)}-statement.md", "\n\n".join(parts) + "\n")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    if not lines:
        return "None."
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _written(path: Path, text: str) -> Path:
    make_folder(path.parent)
    write_private(path, text)
    return path
