"""Bar charts for the UI, drawn as SVG: where people would rather look than read. Counts and weights, never values."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from typing import Literal

import dagster as dg

_LABELS, _BARS, _NUMBERS, _ROW, _THICK = 140, 280, 70, 24, 16
_FOR, _AGAINST, _INK = "#2f6f8f", "#b0562f", "#888888"

Bar = tuple[str, float, str]


def bars(rows: Sequence[Bar], scale: Literal["linear", "log"] = "linear") -> str:
    """Horizontal bars, one for each (label, length, what is written behind it); a bar below nought goes to the left, in
    another colour. `log`: each tenfold is as long as the one before, for counts that differ by much."""
    lengths = [math.copysign(math.log10(1 + abs(n)), n) if scale == "log" else n for _, n, _ in rows]
    low, high = min([0.0, *lengths]), max([0.0, *lengths])
    unit = _BARS / (high - low or 1)
    nought = _LABELS + 8 - low * unit
    drawn = "".join(
        _bar(i, label, length * unit, told, nought)
        for i, ((label, _, told), length) in enumerate(zip(rows, lengths, strict=True))
    )
    width, height = _LABELS + _BARS + _NUMBERS + 16, len(rows) * _ROW + 8
    axis = f'<line x1="{nought:.1f}" y1="2" x2="{nought:.1f}" y2="{height - 2}" stroke="{_INK}"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">{drawn}{axis}</svg>'
    )


def _bar(i: int, label: str, length: float, told: str, nought: float) -> str:
    y = 4 + i * _ROW
    x, colour = (nought, _FOR) if length >= 0 else (nought + length, _AGAINST)
    middle, behind = y + _THICK - 4, max(nought, nought + length) + 6
    return (
        f'<text x="{_LABELS}" y="{middle}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{x:.1f}" y="{y}" width="{max(abs(length), 1):.1f}" height="{_THICK}" fill="{colour}"/>'
        f'<text x="{behind:.1f}" y="{middle}">{escape(told)}</text>'
    )


def picture(svg: str, words: str) -> dg.MarkdownMetadataValue:
    """The drawing as metadata that the UI shows; `words` stand for it where pictures are not."""
    return dg.MetadataValue.md(f"![{words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
