"""Source columns are checked against the manifest of the current golden copy; without one that is said.

All on the telco plan, which reads one table.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import migration_assets
from migration_assets.domain.errors import GoldenCopyAltered, PlanFaults
from migration_assets.plan.load import load_plan
from migration_assets.stages.golden_copy.manifest import Manifest, TableEntry
from migration_assets.stages.store import Store
from migration_assets.wiring.source_columns import load_against_source

REPOSITORY = Path(migration_assets.__path__[0]).parent
SNAPSHOT = "20260131T123000Z-0a1b2c"
TAKEN_AT = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
TABLE = "telco.customers"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "plans" / "telco", tmp_path / "plans" / "telco")
    return tmp_path


def used_columns(root: Path) -> dict[str, str]:
    """Every column that the plan names, as text."""
    plan = load_plan(root / "plans" / "telco")
    mapped = {c for r in plan.mapping for c in r.columns if not c.startswith("_")}
    fed = {c for f in plan.feeds for c in f.unpivot} | {p.field for r in plan.controls for p in r.source_where}
    totals = {r.source_column for r in plan.controls} - {""}
    declared = plan.source_table(TABLE)
    return dict.fromkeys(sorted(mapped | fed | totals | {*declared.personal, *declared.left_behind}), "string")


def copied(root: Path, columns: dict[str, str], read_from: str = "") -> Path:
    """A store whose current golden copy has the table with these columns; its manifest's path."""
    declared = load_plan(root / "plans" / "telco").source_table(TABLE)
    entry = TableEntry(
        system="telco", table="customers", read_from=read_from or declared.read_from, file=f"{TABLE}.parquet", rows=1,
        bytes=1, sha256="0", key=declared.key, columns={"_row": "int64", **columns}, declared={"Churn": "varchar"},
        secret_left_out=(), taken_at=TAKEN_AT,
    )  # fmt: skip
    manifest = Manifest(
        snapshot=SNAPSHOT, plan="telco", plan_digest="d", taken_at=TAKEN_AT, tables={TABLE: entry}
    ).sealed()
    store = Store(root / ".cutover" / "telco" / "store")
    store.golden(SNAPSHOT).mkdir(parents=True)
    (store.golden(SNAPSHOT) / "manifest.json").write_text(manifest.to_json())
    store.make_current(SNAPSHOT)
    return store.golden(SNAPSHOT) / "manifest.json"


def renamed(columns: dict[str, str], **names: str) -> dict[str, str]:
    return {names.get(c, c): kind for c, kind in columns.items()}


def test_without_a_golden_copy_it_is_said_that_columns_were_not_checked(root: Path) -> None:
    _, known = load_against_source(root, "telco", {})
    assert known.snapshot is None and known.unknown == (TABLE,) and known.types is None
    assert "not checked" in known.sentence() and "cutover run" in known.sentence()
    assert known.to_json()["remedy"]
    assert not (root / ".cutover").exists()


def test_columns_that_the_golden_copy_does_not_have_are_named_with_the_nearest(root: Path) -> None:
    copied(root, renamed(used_columns(root), Contract="Contracts", tenure="tenures"))
    with pytest.raises(PlanFaults) as e:
        load_against_source(root, "telco", {})
    assert {f.remedy for f in e.value.faults} == {"did you mean 'Contracts'?", "did you mean 'tenures'?"}
    assert all(f.row and f.file.endswith(".csv") for f in e.value.faults)
    assert SNAPSHOT in e.value.remedy and "--new-snapshot" in e.value.remedy


def test_a_table_that_the_plan_reads_from_elsewhere_by_now_is_not_checked(root: Path) -> None:
    copied(root, {"another": "string"}, read_from="another.csv")
    _, known = load_against_source(root, "telco", {})
    assert known.snapshot == SNAPSHOT and known.unknown == (TABLE,)
    assert f"not checked in {TABLE}" in known.sentence() and "--new-snapshot" in known.sentence()


def test_types_are_the_copys_and_the_sources_own_words(root: Path) -> None:
    columns = used_columns(root)
    copied(root, columns)
    _, known = load_against_source(root, "telco", {})
    assert known.unknown == () and known.remedy == "" and known.sentence().endswith(f"{SNAPSHOT}.")
    assert known.types is not None and known.declared is not None
    assert known.types[TABLE] == columns
    assert (known.declared[TABLE]["Churn"], known.declared[TABLE]["tenure"]) == ("varchar", "string")


def test_a_damaged_manifest_is_not_believed(root: Path) -> None:
    manifest = copied(root, used_columns(root))
    manifest.write_text(manifest.read_text().replace('"Churn"', '"Left"'))
    with pytest.raises(GoldenCopyAltered, match="was altered"):
        load_against_source(root, "telco", {})
