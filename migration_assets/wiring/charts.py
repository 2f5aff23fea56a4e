"""Bar charts for the UI, drawn as SVG: where people would rather look than read. Counts and weights, never values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Literal
from urllib.parse import quote

import dagster as dg

# A character is seldom wider than seven pixels.
_CHARACTER, _BARS, _NUMBERS, _ROW, _THICK = 7, 280, 70, 24, 16
_FOR, _AGAINST, _INK = "#2f6f8f", "#b0562f", "gray"
# Room for the numbers of a logarithmic axis and for the words that say so.
_AXIS = 36
# The UI shows markdown in its place up to so many characters, else a link to it: a drawing has to be terse.
SHOWN_IN_PLACE = 999

Bar = tuple[str, float, str]


def bars(rows: Sequence[Bar], scale: Literal["linear", "log"] = "linear") -> str:
    """Horizontal bars, one for each (label, length, what is written behind it, if anything); a bar below nought goes to
    the left, in another colour. `log`: each tenfold is as long as the one before, for counts that differ by much; the
    axis has its numbers, and says so."""
    lengths = [math.copysign(math.log10(1 + abs(n)), n) if scale == "log" else n for _, n, _ in rows]
    low, high = min([0.0, *lengths]), max([0.0, *lengths])
    room = max((len(label) for label, _, _ in rows), default=0) * _CHARACTER
    unit = _BARS / (high - low or 1)
    nought = room + 8 - low * unit
    drawn = _labels([label for label, _, _ in rows], room)
    for colour, side in ((_FOR, 1), (_AGAINST, -1)):
        mine = [(i, n * unit) for i, n in enumerate(lengths) if (n < 0) == (side < 0)]
        drawn += _boxes(mine, nought, colour)
    for i, ((*_, told), n) in enumerate(zip(rows, lengths, strict=True)):
        drawn += _told(i, told, max(0.0, n * unit) + nought) if told else ""
    below = len(rows) * _ROW + 8
    lines = [nought]
    if scale == "log":
        tens = _tenfolds(max((abs(n) for _, n, _ in rows), default=0))
        at = [nought + math.log10(1 + n) * unit for n in tens]
        lines += at
        drawn += "".join(f'<text x="{x:.0f}" y="{below + 13}">{n:,}</text>' for n, x in zip(tens, at, strict=True))
        drawn += f'<text x="{nought:.0f}" y="{below + 28}">logarithmic axis</text>'
    grid = "".join(f"M{x:.0f} 2v{below - 2}" for x in lines)
    width, height = room + _BARS + _NUMBERS + 16, below + (_AXIS if scale == "log" else 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="font:12px sans-serif" '
        f'fill="{_INK}">{drawn}<path d="{grid}" stroke="{_INK}"/></svg>'
    )


def _tenfolds(most: float) -> list[int]:
    """1, 10, 100 and so on, as far as the longest bar goes."""
    return [10**k for k in range(len(str(int(most)))) if 10**k <= most]


def _labels(labels: Sequence[str], room: int) -> str:
    texts = (f'<text x="{room}" y="{_line(i)}">{escape(label)}</text>' for i, label in enumerate(labels))
    return f'<g text-anchor="end">{"".join(texts)}</g>'


def _boxes(lengths: Sequence[tuple[int, float]], nought: float, colour: str) -> str:
    """Bars of one colour, each in its row: one path, from nought on."""
    drawn = "".join(f"M{nought:.0f} {_line(i) - 4}h{_at_least_one(length):.0f}" for i, length in lengths)
    return f'<path d="{drawn}" stroke="{colour}" stroke-width="{_THICK}"/>' if drawn else ""


def _at_least_one(length: float) -> float:
    return math.copysign(max(abs(length), 1), length)


def _told(i: int, told: str, end: float) -> str:
    return f'<text x="{end + 6:.0f}" y="{_line(i)}">{escape(told)}</text>'


def _line(i: int) -> int:
    """Where the text of a row stands."""
    return i * _ROW + _THICK


def picture(svg: str, words: str) -> dg.MarkdownMetadataValue:
    """The drawing as metadata that the UI shows; `words` stand for it where pictures are not."""
    # Shorter than base64. Between angle brackets an address may have blanks; nothing else in it ends it.
    drawn = quote(svg.replace('"', "'"), safe=" ='/:,;.-+")
    return dg.MetadataValue.md(f"![{words}](<data:image/svg+xml,{drawn}>)")
