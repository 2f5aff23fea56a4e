"""One customer's time as a picture: bills and access on both sides, from the last invoices to a year ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from html import escape
from typing import Any

from migration_assets.stages.certificate.amounts import amount_of, answer_in_words

Plain = Mapping[str, Any]
_LABELS, _WIDTH, _LANE, _BAR = 190, 1000, 30, 11
_TOP = 34
_CHARACTER = 6.2


def timeline(content: Plain) -> str:
    """SVG. Colours are classes of the page's style sheet: k-equal, k-signed and so on for bills; before, after, apart
    for access."""
    first, last = _span(content)
    whole = (last - first).total_seconds() or 1

    def x(moment: datetime) -> float:
        return _LABELS + (_WIDTH - _LABELS - 10) * min(max((moment - first).total_seconds() / whole, 0), 1)

    lanes = [*_bill_lanes(content, x), *_access_lanes(content, x)]
    height = _TOP + len(lanes) * _LANE + 8
    drawn = "".join(
        f'<text class="lane" x="0" y="{_TOP + n * _LANE + 15}">{escape(_cut(label, _LABELS - 12))}</text>'
        f'<g transform="translate(0 {_TOP + n * _LANE})">{shapes}</g>'
        for n, (label, shapes) in enumerate(lanes)
    )
    return (
        f'<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="bills and access over time">{_axis(first, last, x, height)}{drawn}'
        f"{_now(x(_instant(content['as_of'])), height)}</svg>"
    )


def _span(content: Plain) -> tuple[datetime, datetime]:
    as_of = _instant(content["as_of"])
    issued = [_day(i["from"]) for c in content["contracts"] for i in c["issued"] if i["from"]]
    # Invoices of contracts that ended long ago would press all that is to come together.
    recent = [day for day in issued if (as_of - day).days < 200]
    return min([as_of, *recent]), _instant(content["access"]["until"])


def _axis(first: datetime, last: datetime, x: Callable[[datetime], float], height: int) -> str:
    drawn = []
    month = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last:
        if month >= first:
            label = month.strftime("%b") if month.month != 1 else month.strftime("%b %Y")
            drawn.append(
                f'<line class="month" x1="{x(month):.1f}" y1="20" x2="{x(month):.1f}" y2="{height - 6}"/>'
                f'<text class="month" x="{x(month):.1f}" y="14">{label}</text>'
            )
        month = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return "".join(drawn)


def _now(x: float, height: int) -> str:
    return (
        f'<line class="now" x1="{x:.1f}" y1="18" x2="{x:.1f}" y2="{height - 4}"/>'
        f'<text class="now" x="{x:.1f}" y="28">T</text>'
    )


def _bill_lanes(content: Plain, x: Callable[[datetime], float]) -> Iterator[tuple[str, str]]:
    """A lane for each contract with invoices or bills: issued ones as squares, those to come as circles; an amount is
    written where it changes."""
    for contract in content["contracts"]:
        issued = [_square(i, x) for i in contract["issued"] if i["from"]]
        bills = "".join(_circles(content, contract["bills"], x))
        if issued or bills:
            yield f"bills {contract['contract']}", "".join(issued) + bills


def _square(issued: Plain, x: Callable[[datetime], float]) -> str:
    kind = "equal" if issued["made_again"] else "unexplained"
    return f'<rect class="k-{kind}" x="{x(_day(issued["from"])) - 4:.1f}" y="7" width="8" height="8"/>'


def _circles(content: Plain, bills: list[Plain], x: Callable[[datetime], float]) -> Iterator[str]:
    written: tuple[int, str] = (0, "")
    free = 0.0
    for bill in bills:
        side = bill["after"] or bill["before"]
        if side is None or side["starts_at"] > content["access"]["until"]:
            continue
        at, total = x(_instant(side["starts_at"])), (side["total_minor"], bill["currency"])
        yield f'<circle class="k-{bill["class"]}" cx="{at:.1f}" cy="11" r="5"/>'
        if total != written and at >= free:
            text = amount_of(*total, content["exponents"])
            yield f'<text class="amount" x="{at:.1f}" y="26">{text}</text>'
            written, free = total, at + _CHARACTER * len(text) + 4


def _access_lanes(content: Plain, x: Callable[[datetime], float]) -> Iterator[tuple[str, str]]:
    """A lane for each feature and region: before above, after below, and a frame where they differ."""
    for f in content["access"]["features"]:
        where = "" if f["region"] == "*" else f" {f['region']}"
        bars = [_bar(s, side, y, f, x) for side, y in (("before", 1), ("after", 14)) for s in f[side]]
        yield f"{f['feature']}{where}", "".join([*bars, *(_frame(d, x) for d in f["differences"])])


def _bar(span: Plain, side: str, y: int, feature: Plain, x: Callable[[datetime], float]) -> str:
    left, right = x(_instant(span["starts_at"])), x(_end(span))
    wide = max(right - left, 1)
    kind = side if span["allowed"] else "forbidden"
    told = _cut(answer_in_words(span, feature), wide - 8)
    text = f'<text class="bar" x="{left + 4:.1f}" y="{y + _BAR - 2.5}">{escape(told)}</text>' if told else ""
    return f'<rect class="{kind}" x="{left:.1f}" y="{y}" width="{wide:.1f}" height="{_BAR}" rx="2"/>{text}'


def _frame(difference: Plain, x: Callable[[datetime], float]) -> str:
    left = x(_instant(difference["starts_at"]))
    wide = max(x(_end(difference)) - left, 2)
    return f'<rect class="apart s-{difference["status"]}" x="{left:.1f}" y="-1" width="{wide:.1f}" height="28" rx="3"/>'


def _cut(text: str, width: float) -> str:
    """As much of a text as fits; nothing where that is next to nothing."""
    fits = int(width / _CHARACTER)
    return text if len(text) <= fits else f"{text[: fits - 1]}…" if fits > 5 else ""


def _end(span: Plain) -> datetime:
    return (
        datetime.max.replace(tzinfo=_instant(span["starts_at"]).tzinfo)
        if span["ends_at"] is None
        else _instant(span["ends_at"])
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _day(text: str) -> datetime:
    return _instant(f"{text}T00:00:00Z")
