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
from migration_assets.wiring import file_headers
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


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """The workshop's plan in a root of its own, and a sheet in `sheets`."""
    shutil.copytree(REPOSITORY / "plans" / "workshop", tmp_path / "plans" / "workshop")
    shutil.copytree(REPOSITORY / "plans" / "workshop" / "sample", tmp_path / "sheets")
    return tmp_path


def test_before_there_is_a_golden_copy_headers_of_files_say_what_there_is(workshop: Path) -> None:
    env = {"WORKSHOP_DIR": str(workshop / "sheets")}
    _, known = load_against_source(workshop, "workshop", env, at_files=True)
    assert known.at_files == ("sheet.customers", "sheet.orders") and known.types is not None
    assert "Orders" in known.types["sheet.customers"] and "position" in known.types["sheet.orders"]
    assert known.sentence().endswith("headers of the files of sheet.customers, sheet.orders.")
    assert known.to_json() == {
        "snapshot": None, "from_headers": ["sheet.customers", "sheet.orders"], "not_checked": [], "remedy": "",
    }  # fmt: skip
    mapping = workshop / "plans" / "workshop" / "mapping" / "customer.csv"
    text = mapping.read_text(encoding="utf-8")
    assert ",Mail," in text
    mapping.write_text(text.replace(",Mail,", ",Mails,"), encoding="utf-8")
    with pytest.raises(PlanFaults, match="did you mean 'Mail'"):
        load_against_source(workshop, "workshop", env, at_files=True)
    load_against_source(workshop, "workshop", env)
    assert not (workshop / ".cutover").exists()


def test_a_column_of_a_file_that_nothing_uses_is_asked_about_before_the_first_run(workshop: Path) -> None:
    file = workshop / "sheets" / "customers.tsv"
    head, _, rest = file.read_text(encoding="utf-8").partition("\n")
    rows = "\n".join(f"{line}\tx" for line in rest.splitlines())
    file.write_text(f"{head}\tDiscount\n{rows}\n", encoding="utf-8")
    with pytest.raises(PlanFaults, match=r"nothing uses Discount of sheet\.customers"):
        load_against_source(workshop, "workshop", {"WORKSHOP_DIR": str(workshop / "sheets")}, at_files=True)


def test_a_file_that_is_not_there_or_has_no_header_is_a_fault_and_a_place_out_of_reach_is_none(workshop: Path) -> None:
    file = workshop / "sheets" / "customers.tsv"
    for text, said in (("", "no header"), ("No\tno\n", "the same name"), (None, "there is no file")):
        if text is None:
            file.unlink()
        else:
            file.write_text(text, encoding="utf-8")
        with pytest.raises(PlanFaults, match=said) as e:
            load_against_source(workshop, "workshop", {"WORKSHOP_DIR": str(workshop / "sheets")}, at_files=True)
        (fault,) = e.value.faults
        assert (fault.file, fault.field) == ("plan.yaml", "sources.sheet.tables.customers.read_from") and fault.row
    for env in ({}, {"WORKSHOP_DIR": str(workshop / "nowhere")}, {"WORKSHOP_DIR": "x" * 5000}):
        _, known = load_against_source(workshop, "workshop", env, at_files=True)
        assert known.at_files == () and "not checked" in known.sentence()


def test_a_file_that_would_take_long_waits_for_the_golden_copy(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_headers, "_AT_ONCE", 10)
    _, known = load_against_source(workshop, "workshop", {"WORKSHOP_DIR": str(workshop / "sheets")}, at_files=True)
    assert known.at_files == () and "sheet.customers" in known.unknown


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
