"""Every value of the catalog, of the geo rules and of the tax rates: another value of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from migration_assets.drill.changes import Value, WholeFile
from migration_assets.drill.mutants.csv_text import replaced, rows_of, text_of
from migration_assets.drill.mutants.mutant import Mutant
from migration_assets.plan.models import Plan

_FILE, _NUMBER = "catalog.yaml", re.compile(r"^-?\d+(\.\d+)?$")
_OPPOSITE = {"true": "false", "false": "true"}
Way = tuple[str | int, ...]


def catalog_mutants(plan: Plan) -> Iterator[Mutant]:
    """Mutants of catalog.yaml, geo.csv and tax.csv."""
    whole = yaml.safe_load((plan.folder / _FILE).read_text(encoding="utf-8"))
    seen = _seen(whole)
    for path, value in _leaves(whole, ()):
        other = _another(value, seen[_kind(path)])
        yield Mutant(f"{_FILE}:{'.'.join(map(str, path))}", "catalog", Value(_FILE, path, other))
    for name in ("geo.csv", "tax.csv"):
        if (plan.folder / name).exists():
            yield from _of_csv(plan.folder / name)


def _of_csv(file: Path) -> Iterator[Mutant]:
    rows = rows_of(file)
    for at, row in enumerate(rows):
        for column in (c for c in row if c != "reason"):
            other = _another(row[column], list(dict.fromkeys(r[column] for r in rows)))
            text = text_of(replaced(rows, at, **{column: str(other)}), list(row))
            yield Mutant(f"{file.name}:{at + 2}.{column}", "catalog", WholeFile(file.name, text))


def _leaves(node: Any, path: Way) -> Iterator[tuple[Way, Any]]:
    if isinstance(node, dict | list):
        pairs = node.items() if isinstance(node, dict) else enumerate(node)
        for key, below in pairs:
            yield from _leaves(below, (*path, key))
    else:
        yield path, node


def _kind(path: Way) -> tuple[str, str]:
    """Values of one list under one name are of one kind."""
    return str(path[0]), str(path[-1])


def _seen(whole: Any) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for path, value in _leaves(whole, ()):
        of_kind = found.setdefault(_kind(path), [])
        if value not in of_kind:
            of_kind.append(value)
    return found


def _another(value: Any, seen: Sequence[Any]) -> Any:
    """A number and one more, the opposite, the next value of the kind, or other words."""
    if isinstance(value, bool):
        return not value
    if str(value) in _OPPOSITE:
        return _OPPOSITE[str(value)]
    if _NUMBER.match(str(value)):
        return str(Decimal(str(value)) + 1)
    if len(seen) > 1:
        return seen[(list(seen).index(value) + 1) % len(seen)]
    return f"{value} and more"
