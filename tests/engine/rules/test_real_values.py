"""Over real data the rules answer as their functions do value by value, whatever the engine answered by itself."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rule_world import cleaner, frame, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.rules import phone_numbers

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("CUTOVER_DATA") or ROOT / "../shared/data")
SETS = ("adventureworks_lt", "fivetran_seeds", "people", "telco")
RULES: list[tuple[str, dict[str, Any], str]] = [
    ("text", {}, "text"),
    ("repair", {}, "text"),
    ("email", {}, "email"),
    ("phone", {"default_country": "US"}, "phone"),
    ("phone", {"default_country": "AU"}, "phone"),
    ("website", {}, "text"),
    ("tax_id", {}, "text"),
    ("company_name", {}, "text"),
    ("person_name", {}, "text"),
]


@cache
def _values() -> list[str]:
    """Every short value of every column, once."""
    found = {v for name in SETS for path in sorted((DATA / name).rglob("*.csv")) for v in _cells(path)}
    return sorted(v for v in found if 0 < len(v) <= 200 and v.strip())


def _cells(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        delimiter = max(",|\t", key=file.readline().count)
        file.seek(0)
        for row in csv.reader(file, delimiter=delimiter):
            yield from row


@pytest.mark.skipif(not (DATA / "people").is_dir(), reason=f"needs the folders {', '.join(SETS)} (CUTOVER_DATA)")
@pytest.mark.parametrize(
    ("rule", "arguments", "kind"), RULES, ids=[f"{r}{a.get('default_country', '')}" for r, a, _ in RULES]
)
def test_real_values_come_out_as_the_function_says(
    engine: DuckDBEngine, rule: str, arguments: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_numbers, "_FEWEST_VALUES", 1)
    values = _values()
    assert len(values) > 10_000
    clean = cleaner(rule, arguments).clean
    found = outcomes(engine, rule, kind, frame(c=values), ["c"], **arguments)
    wrong = [v for v, told in zip(values, found, strict=True) if told != tuple(clean((v,)))]
    assert wrong == []
