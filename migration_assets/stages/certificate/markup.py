"""Pieces of HTML that a page is put together from; whatever a stranger wrote is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from migration_assets.stages.certificate.amounts import amount_of


def text(value: object) -> str:
    """Anything as text of a page."""
    return escape(str(value))


def table(headings: Iterable[str], rows: Iterable[str], *, numbers: frozenset[int] = frozenset()) -> str:
    """A table of rows. `numbers`: places of columns that hold numbers."""
    told = "".join(f'<th class="n">{h}</th>' if i in numbers else f"<th>{h}</th>" for i, h in enumerate(headings))
    return f'<div class="wide"><table><thead><tr>{told}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def row(*cells: str, kind: str = "") -> str:
    """A row of cells that are HTML already; one that begins as a cell of its own is left as it is."""
    told = "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in cells)
    return f'<tr class="{kind}">{told}</tr>' if kind else f"<tr>{told}</tr>"


def number(told: str, kind: str = "") -> str:
    """A cell with a number in it."""
    return f'<td class="n {kind}">{told}</td>'


def cell(content: Mapping[str, Any], minor: int | None, currency: str | None) -> str:
    """A cell with an amount and its currency; `-` where there is none."""
    if minor is None or currency is None or currency not in content["exponents"]:
        return number("-")
    return number(f"{amount_of(minor, currency, content['exponents'])} {text(currency)}")


def section(title: str, body: str) -> str:
    """A section of the page."""
    return f"<section><h2>{text(title)}</h2>{body}</section>"
