"""Entries of a text in a golden copy: rows in key order beside the table they were cut from, the same bytes again."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from migration_assets.domain.errors import SourceUnreadable
from migration_assets.plan.models import Plan, PlanFile
from migration_assets.stages.golden_copy.columns import raw_columns, unread_tables
from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy
from migration_assets.stages.golden_copy.manifest import Manifest, snapshot_id, verify_golden_copy

TAKEN_AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
SNAPSHOT = snapshot_id(TAKEN_AT, "0a1b2c")
SPLIT = {"column": "history", "separator": "\n", "pattern": r"(?P<number>[A-Z]+) (?P<total>\d+)", "carry": ["country"]}


def plan(split: dict[str, Any] | None = None, **table: Any) -> Plan:
    """A plan with a SQLite CRM; the table of entries stands before the one whose text they are."""
    made = {"read_from": "accounts", "split": SPLIT | (split or {}), "key": ["id", "position"]}
    accounts = {"read_from": "accounts", "key": ["id"], "secret": ["card"]}
    systems = {"crm": {"kind": "sql", "url": "crm", "tables": {"orders": made | table, "accounts": accounts}}}
    file = {"name": "tiny", "uuid": UUID(int=1), "title": "Tiny", "owner": "me", "sources": systems,
            "target": {"database": "target"}}  # fmt: skip
    return Plan.model_construct(folder=Path("plans/tiny"), digest="d" * 64, file=PlanFile.model_validate(file))


def take(chosen: Plan, folder: Path, *accounts: tuple[Any, ...]) -> Manifest:
    folder.mkdir(exist_ok=True)
    with sqlite3.connect(folder / "crm.db") as connection:
        connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, country TEXT, history TEXT, card TEXT)")
        connection.executemany("INSERT INTO accounts VALUES (?, ?, ?, 'hush')", accounts)
    connection.close()
    sources = open_sources(chosen, lambda *_: f"sqlite:///{folder}/crm.db")
    return take_golden_copy(chosen, sources, folder / "copy", SNAPSHOT, TAKEN_AT)


TWO = (2, "DE", "A 1\nB 2\n"), (1, "FR", "C 3\n\nlost"), (3, "FR", None)


def test_each_entry_is_a_row_in_key_order_beside_the_table_it_was_cut_from(tmp_path: Path) -> None:
    manifest = take(plan(), tmp_path, *TWO)
    folder = tmp_path / "copy" / SNAPSHOT
    assert verify_golden_copy(folder, digest=manifest.digest) == manifest
    assert sorted(p.name for p in folder.iterdir()) == ["crm.accounts.parquet", "crm.orders.parquet", "manifest.json"]
    rows = pq.read_table(folder / "crm.orders.parquet").to_pylist()
    assert [tuple(r.values()) for r in rows] == [
        (1, 1, "FR", 1, "C 3", True, "C", "3"),
        (2, 1, "FR", 2, "lost", False, None, None),
        (3, 2, "DE", 1, "A 1", True, "A", "1"),
        (4, 2, "DE", 2, "B 2", True, "B", "2"),
    ]


def test_the_manifest_says_what_was_cut_and_the_plan_has_the_same_columns(tmp_path: Path) -> None:
    manifest = take(plan(), tmp_path, *TWO)
    entry = manifest.tables["crm.orders"]
    assert (entry.rows, entry.key) == (4, ("id", "position"))
    assert raw_columns(manifest, plan())["crm.orders"] == {
        "id": "int64", "country": "string", "position": "int64", "entry": "string", "fits": "bool", "number": "string",
        "total": "string",
    }  # fmt: skip
    assert unread_tables(manifest, plan()) == ()
    assert unread_tables(manifest, plan({"separator": ";"})) == ("crm.orders",)


def test_the_same_texts_give_the_same_digests(tmp_path: Path) -> None:
    many = [(n, "DE", "\n".join(f"A {i}" for i in range(n % 7))) for n in range(1, 3000)]
    first, second = (take(plan(), tmp_path / name, *rows) for name, rows in (("a", many), ("b", many[::-1])))
    assert first == second and first.tables["crm.orders"].rows == sum(n % 7 for n, _, _ in many)


def test_texts_without_an_entry_are_refused_unless_that_may_be(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"no rows in crm\.orders"):
        take(plan(), tmp_path / "a", (1, "FR", " \n"))
    assert list((tmp_path / "a" / "copy").iterdir()) == []
    assert take(plan(may_be_empty=True), tmp_path / "b", (1, "FR", " \n")).tables["crm.orders"].rows == 0


def test_without_a_pattern_there_is_the_text_of_each_entry(tmp_path: Path) -> None:
    manifest = take(plan({"pattern": None, "newest_first": True}), tmp_path, *TWO)
    rows = pq.read_table(tmp_path / "copy" / SNAPSHOT / "crm.orders.parquet").to_pylist()
    assert [(r["id"], r["position"], r["entry"]) for r in rows] == [
        (1, 1, "lost"), (1, 2, "C 3"), (2, 1, "B 2"), (2, 2, "A 1"),
    ]  # fmt: skip
    assert "fits" not in manifest.tables["crm.orders"].columns
