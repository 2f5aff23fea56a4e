"""A CSV file of a plan as rows of cells, and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]


def rows_of(file: Path) -> list[Row]:
    """Rows by the names of the header."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def text_of(rows: Sequence[Row], header: Sequence[str]) -> str:
    """The file's text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(header), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def replaced(rows: Sequence[Row], at: int, **cells: str) -> list[Row]:
    """The rows with other cells in one of them."""
    return [{**row, **cells} if i == at else row for i, row in enumerate(rows)]


def without(rows: Sequence[Row], at: int) -> list[Row]:
    """The rows without one of them."""
    return [row for i, row in enumerate(rows) if i != at]
