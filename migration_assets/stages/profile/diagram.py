"""A small picture of how tables point at each other, as inline SVG; parents stand left of their children."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _LETTERS = 190, 46, 90, 18, 25


def diagram(tables: Sequence[Row], links: Sequence[Row], text: Callable[[str | None], str]) -> str:
    """The SVG, or '' when nothing points anywhere. Tables outside the profile are drawn without a row count."""
    drawn = [k for k in links if k["table"] != k["to_table"]]
    names = sorted({n for k in drawn for n in (k["table"], k["to_table"])})
    if not names:
        return ""
    places = _placed(names, {n: _parents(n, drawn) for n in names})
    width = max(x for x, _ in places.values()) + _WIDTH + 4
    height = max(y for _, y in places.values()) + _HEIGHT + 4
    rows = {t["table"]: t["rows"] for t in tables}
    lines = "".join(_line(places, k, text) for k in drawn)
    boxes = "".join(_box(places[n], n, rows.get(n), text) for n in names)
    return (
        f'<svg class="diagram" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="relationships between tables">{lines}{boxes}</svg>'
    )


def _parents(name: str, links: Sequence[Row]) -> set[str]:
    return {k["to_table"] for k in links if k["table"] == name}


def _placed(names: Sequence[str], parents: Mapping[str, set[str]]) -> dict[str, tuple[int, int]]:
    levels = {n: _level(n, parents, frozenset()) for n in names}
    places: dict[str, tuple[int, int]] = {}
    for level in sorted(set(levels.values())):
        column = sorted((n for n in names if levels[n] == level), key=lambda n: (_mean_y(parents[n], places), n))
        for i, name in enumerate(column):
            places[name] = (2 + level * (_WIDTH + _GAP_X), 2 + i * (_HEIGHT + _GAP_Y))
    return places


def _mean_y(parents: set[str], places: Mapping[str, tuple[int, int]]) -> float:
    heights = [places[p][1] for p in parents if p in places]
    return sum(heights) / len(heights) if heights else 0.0


def _level(name: str, parents: Mapping[str, set[str]], seen: frozenset[str]) -> int:
    """Longest way up to a table without parents; a circle ends where it began."""
    above = [p for p in parents[name] if p not in seen and p != name]
    return 1 + max(_level(p, parents, seen | {name}) for p in above) if above else 0


def _box(place: tuple[int, int], name: str, rows: int | None, text: Callable[[str | None], str]) -> str:
    x, y = place
    shown = name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"
    size = "not in this profile" if rows is None else f"{rows:,} rows"
    return (
        f'<g class="box"><title>{text(name)}</title><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="7"/>'
        f'<text x="{x + 11}" y="{y + 20}">{text(shown)}</text>'
        f'<text class="size" x="{x + 11}" y="{y + 37}">{size}</text></g>'
    )


def _line(places: Mapping[str, tuple[int, int]], link: Row, text: Callable[[str | None], str]) -> str:
    (x1, y1), (x2, y2) = places[link["table"]], places[link["to_table"]]
    forward = x1 > x2
    start, end = (x1, x2 + _WIDTH) if forward else (x1 + _WIDTH, x2 + _WIDTH)
    middle = (start + end) / 2 if forward else max(start, end) + _GAP_X / 2
    a, b = y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
    kind = "broken" if link["orphans"] else "whole" if link["declared"] else "likely"
    title = f"{link['table']}.{link['column']} to {link['to_table']}: {link['orphans']:,} orphans"
    return (
        f'<path class="line {kind}" d="M{start:g} {a:g} C{middle:g} {a:g} {middle:g} {b:g} {end:g} {b:g}">'
        f'<title>{text(title)}</title></path><circle class="{kind}" cx="{end:g}" cy="{b:g}" r="3.5"/>'
    )
