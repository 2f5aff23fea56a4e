"""A golden copy is whole or absent, holds no secret column, and says everything that is missing at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from migration_assets.connectors.source import Source
from migration_assets.domain.errors import Fault, Misconfigured, PlanFaults, SourceUnreadable
from migration_assets.plan.models import Plan, PlanFile
from migration_assets.plan.source_models import SourceSystem
from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy
from migration_assets.stages.golden_copy.manifest import Manifest, file_digest, snapshot_id, verify_golden_copy

TAKEN_AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
SNAPSHOT = snapshot_id(TAKEN_AT, "0a1b2c")
ACCOUNTS = {"read_from": "accounts", "key": ["id"], "secret": ["card"], "personal": ["name"], "updated_at": "changed"}
INVOICES = {"read_from": "invoices.csv", "key": ["no"], "references": {"account": "crm.accounts"}}


def plan(**tables: Mapping[str, Any]) -> Plan:
    """A plan with a SQLite CRM and a folder of CSV files; only its sources matter here."""
    systems = {
        "crm": {"kind": "sql", "url": "crm", "tables": {"accounts": {**ACCOUNTS, **tables.get("accounts", {})}}},
        "erp": {"kind": "csv", "path": "erp", "tables": {"invoices": {**INVOICES, **tables.get("invoices", {})}}},
    }
    file = PlanFile.model_validate(
        {
            "name": "tiny",
            "uuid": UUID(int=1),
            "title": "Tiny",
            "owner": "me",
            "sources": systems,
            "target": {"database": "target"},
        }
    )
    return Plan.model_construct(folder=Path("plans/tiny"), digest="d" * 64, file=file)


@pytest.fixture
def legacy(tmp_path: Path) -> Callable[[str, SourceSystem], str]:
    """Both systems filled, and where they are."""
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, card TEXT, changed TEXT)")
    connection.executemany("INSERT INTO accounts VALUES (?, ?, 'hush-4111', 'x')", [(2, "Bo"), (1, "Ada")])
    connection.commit()
    connection.close()
    (tmp_path / "erp").mkdir()
    (tmp_path / "erp" / "invoices.csv").write_text("no,account,total\n7,1,1.10\n")
    return lambda name, _: f"sqlite:///{tmp_path}/crm.db" if name == "crm" else str(tmp_path / "erp")


def take(chosen: Plan, legacy: Callable[[str, SourceSystem], str], folder: Path, **more: Any) -> Manifest:
    return take_golden_copy(chosen, open_sources(chosen, legacy), folder, SNAPSHOT, TAKEN_AT, **more)


def test_every_planned_table_with_rows_digest_and_schema(legacy: Any, tmp_path: Path) -> None:
    said: list[str] = []
    manifest = take(plan(), legacy, tmp_path / "copy", report=said.append)
    folder = tmp_path / "copy" / "20260131T123000Z-0a1b2c"
    assert verify_golden_copy(folder, digest=manifest.digest) == manifest
    assert sorted(p.name for p in folder.iterdir()) == ["crm.accounts.parquet", "erp.invoices.parquet", "manifest.json"]
    entry = manifest.tables["crm.accounts"]
    assert entry.columns == {"_row": "int64", "id": "int64", "name": "string", "changed": "string"}
    assert (entry.rows, entry.system, entry.table, entry.read_from) == (2, "crm", "accounts", "accounts")
    assert entry.sha256 == file_digest(folder / entry.file)
    assert entry.bytes == (folder / entry.file).stat().st_size
    assert manifest.taken_at == entry.taken_at == TAKEN_AT
    assert pq.read_table(folder / entry.file)["name"].to_pylist() == ["Ada", "Bo"]
    assert said == ["crm.accounts: 2 rows (1 of 2)", "erp.invoices: 1 rows (2 of 2)"]


def test_secret_values_are_nowhere_in_the_copy(legacy: Any, tmp_path: Path) -> None:
    take(plan(), legacy, tmp_path / "copy")
    for path in (tmp_path / "copy" / SNAPSHOT).iterdir():
        assert b"hush-4111" not in path.read_bytes()
        if path.suffix == ".parquet":
            assert "card" not in pq.read_schema(path).names
            assert path.stat().st_mode & 0o377 == 0


def test_everything_missing_is_said_at_once(legacy: Any, tmp_path: Path) -> None:
    chosen = plan(
        accounts={"key": ["uid"], "secret": ["cvv"], "updated_at": "stamp", "references": {"owner": "crm.accounts"}},
        invoices={"read_from": "bills.csv"},
    )
    with pytest.raises(SourceUnreadable) as caught:
        take(chosen, legacy, tmp_path / "copy")
    for name in (
        "'uid', which plan.yaml names under key",
        "'cvv'",
        "'stamp'",
        "'owner'",
        "erp.invoices: there is no file",
    ):
        assert name in caught.value.message
    assert caught.value.message.startswith("5 thing(s)")
    assert caught.value.remedy
    assert list((tmp_path / "copy").iterdir()) == []


def wrong(columns: Mapping[str, Mapping[str, str]]) -> list[Fault]:
    """Two faults of a plan, which were found by looking at all that will be read."""
    assert {name: list(found) for name, found in columns.items()} == {
        "crm.accounts": ["id", "name", "changed"],
        "erp.invoices": ["no", "account", "total"],
    }
    return [Fault("mapping/customer.csv", 2, "columns", "no 'nmae'", "x"), Fault("controls.csv", 3, "c", "no 'y'", "x")]


def test_faults_of_the_plan_are_told_at_once_before_a_row_is_read(legacy: Any, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(PlanFaults) as caught:
        take(plan(), legacy, tmp_path / "copy", faults_of=wrong, report=said.append)
    assert [f.file for f in caught.value.faults] == ["controls.csv", "mapping/customer.csv"]
    assert list((tmp_path / "copy").iterdir()) == [] and said == []


def test_faults_of_the_plan_are_told_with_what_is_not_in_the_source(legacy: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"(?s)'born'.*mapping/customer\.csv:2.*controls\.csv:3"):
        take(plan(accounts={"personal": ["born"]}), legacy, tmp_path / "copy", faults_of=wrong)


def test_key_cannot_be_secret(legacy: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="'id' is secret, and needed"):
        take(plan(accounts={"secret": ["id"]}), legacy, tmp_path / "copy")


@pytest.mark.parametrize("header", ["no,account,_row", "no,account,_ROW"])
def test_column_that_takes_the_place_of_row_numbers_is_refused(legacy: Any, tmp_path: Path, header: str) -> None:
    (tmp_path / "erp" / "invoices.csv").write_text(f"{header}\n7,1,x\n")
    with pytest.raises(SourceUnreadable, match="cannot be told apart"):
        take(plan(), legacy, tmp_path / "copy")


def test_empty_table_is_refused_unless_it_may_be_empty(legacy: Any, tmp_path: Path) -> None:
    (tmp_path / "erp" / "invoices.csv").write_text("no,account,total\n")
    with pytest.raises(SourceUnreadable, match=r"no rows in erp\.invoices"):
        take(plan(), legacy, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []
    assert take(plan(invoices={"may_be_empty": True}), legacy, tmp_path / "copy").tables["erp.invoices"].rows == 0


def test_fault_in_the_last_table_leaves_nothing_behind(legacy: Any, tmp_path: Path) -> None:
    (tmp_path / "erp" / "invoices.csv").write_text("no,account,total\n7,1,1.10\n8,1\n")
    with pytest.raises(SourceUnreadable, match=r"invoices\.csv, line 3"):
        take(plan(), legacy, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_golden_copy_is_never_overwritten_nor_put_elsewhere(legacy: Any, tmp_path: Path) -> None:
    take(plan(), legacy, tmp_path / "copy")
    with pytest.raises(Misconfigured, match="never overwritten"):
        take(plan(), legacy, tmp_path / "copy")
    for name in ("../../x", "20260131T123000Z-0a1b2c/..", "", "20260131T123000Z-XXXXXX"):
        with pytest.raises(Misconfigured, match="no snapshot id"):
            take_golden_copy(plan(), {}, tmp_path / "copy", name, TAKEN_AT)


def test_parts_of_a_killed_process_are_removed_and_of_a_living_one_kept(legacy: Any, tmp_path: Path) -> None:
    killed = tmp_path / "copy" / ".20250101T000000Z-ffffff.4999999.part"
    living = tmp_path / "copy" / ".20250101T000000Z-ffffff.1.part"
    for part in (killed, living):
        part.mkdir(parents=True)
        (part / "crm.accounts.parquet").write_bytes(b"x")
    take(plan(), legacy, tmp_path / "copy")
    assert not killed.exists()
    assert living.exists()


def test_same_rows_give_the_same_digests(legacy: Any, tmp_path: Path) -> None:
    first, second = (take(plan(), legacy, tmp_path / name) for name in ("one", "two"))
    assert first == second


def test_systems_in_one_place_share_one_snapshot(legacy: Any, tmp_path: Path) -> None:
    chosen = plan()
    crm = chosen.file.sources["crm"]
    file = chosen.file.model_copy(update={"sources": {"crm": crm, "copy": crm}})
    both = Plan.model_construct(folder=chosen.folder, digest=chosen.digest, file=file)
    sources = open_sources(both, lambda *_: f"sqlite:///{tmp_path}/crm.db")
    assert sources["crm"] is sources["copy"]
    counted = _Counted(sources["crm"])
    take_golden_copy(both, dict.fromkeys(sources, counted), tmp_path / "copy", SNAPSHOT, TAKEN_AT)
    assert counted.snapshots == 1


class _Counted:
    """A source that counts its snapshots."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.snapshots = 0

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        self.snapshots += 1
        with self.source.snapshot() as snapshot:
            yield snapshot
