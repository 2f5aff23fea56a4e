"""Bad input ends with exit code 2, a message that names the thing and a remedy, and nothing is lost or half done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from world import REPOSITORY, World, add_plan, change, command, make_root

from migration_assets.domain.errors import BadInput
from migration_assets.stages.store import Store
from migration_assets.wiring.results import Summary

pytestmark = pytest.mark.pipeline

COHORTS = "cohorts:\n  - {name: base, wave: 1, buckets: 1, description: Everybody.}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a telco plan that nobody has set up."""
    add_plan(make_root(tmp_path), "telco", "telco", COHORTS)
    return tmp_path


NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@pytest.mark.parametrize("instant", ["2026-06-30T12:00:00", "2026-06-30", "yesterday", ""])
def test_an_instant_without_offset_is_refused_before_anything_starts(root: Path, instant: str) -> None:
    answer = command(root, NOWHERE, "run", "--plan", "telco", "--as-of", instant)
    assert answer.exit_code == 2
    assert "--as-of is not an instant with an offset" in answer.err and "+00:00" in answer.err
    assert not (root / ".cutover").exists()


@pytest.mark.parametrize("name", ["telcoo", "../telco", "plans/none", "postgres"])
def test_a_plan_that_is_not_there_is_refused(root: Path, name: str) -> None:
    answer = command(root, NOWHERE, "run", "--plan", name)
    assert answer.exit_code == 2 and "plan" in answer.err and "remedy" in answer.err
    assert not (root / ".cutover").exists()


def test_all_faults_of_a_plan_are_named_at_once_with_file_and_line(root: Path) -> None:
    plan = root / "plans/telco"
    change(plan / "mapping/customer.csv", ",Churn,lookup,", ",Churned,look_up,")
    change(plan / "codes/contract_plan.csv", "One year,one_year,", "One year,one_yeer,")
    change(plan / "plan.yaml", "  priority: [telco]", "  priority: [telko]")
    for arguments in (("check",), ("run",)):
        answer = command(root, NOWHERE, *arguments, "--plan", "telco")
        said = answer.out + answer.err
        assert answer.exit_code == 2
        assert all(text in said for text in ("look_up", "mapping/customer.csv:5", "one_yeer", "telko")), said
    told = json.loads(command(root, NOWHERE, "check", "--json", "--plan", "telco").out)
    assert told["ok"] is False and "fault(s) in the plan" in told["error"]
    wrong = {(f["file"], f["line"]): f["problem"] for f in told["faults"]}
    assert "look_up" in wrong["mapping/customer.csv", 5] and all(f["remedy"] for f in told["faults"])
    assert not (root / ".cutover").exists()


def test_it_is_said_when_source_columns_were_not_checked(root: Path) -> None:
    answer = command(root, NOWHERE, "check", "--plan", "telco", "--without-variables")
    assert answer.exit_code == 0 and "Source columns were not checked" in answer.out and "`cutover run`" in answer.out
    told = json.loads(command(root, NOWHERE, "check", "--plan", "telco", "--json", TELCO_CSV="x").out)["source_columns"]
    assert told["snapshot"] is None and told["not_checked"] == ["telco.customers"] and "cutover run" in told["remedy"]
    assert not (root / ".cutover").exists()


def test_a_copied_plan_that_kept_its_name_is_refused(root: Path) -> None:
    (root / "plans/telco").rename(root / "plans/mine")
    for arguments in (("check",), ("run",)):
        answer = command(root, NOWHERE, *arguments, "--plan", "mine")
        assert answer.exit_code == 2 and "mine" in answer.err and "uuid" in answer.err


def test_a_yaml_that_cannot_be_read_is_named(root: Path) -> None:
    (root / "plans/telco/cohorts.yaml").write_text("cohorts: [", encoding="utf-8")
    answer = command(root, NOWHERE, "check", "--plan", "telco")
    assert answer.exit_code == 2 and "cohorts.yaml" in answer.err


def test_a_fault_in_an_expectations_file_is_named(root: Path) -> None:
    change(root / "expectations/loaded_target.yaml", "severity: critical", "severity: fatal",
           (root / "expectations/loaded_target.yaml").read_text().count("severity: critical"))  # fmt: skip
    answer = command(root, NOWHERE, "check", "--plan", "telco", "--without-variables")
    assert (
        answer.exit_code == 2 and "loaded_target.yaml" in answer.err and "'critical', 'warning' or 'info'" in answer.err
    )


def test_a_variable_that_is_not_set_is_named(small: World, small_run: Summary, server: str) -> None:
    answer = command(small.workspace.root, server, "run", "--plan", "small", "--new-snapshot", TELCO_CSV="")
    assert answer.exit_code == 2
    assert "TELCO_CSV" in answer.out + answer.err
    _nothing_lost(small)


@pytest.mark.parametrize("table", ["nowhere.csv", "empty.csv", "header.csv", "columns.csv", "folder.csv"])
def test_a_source_that_is_not_what_the_plan_says_is_refused(
    small: World, small_run: Summary, server: str, telco_csv: Path, tmp_path: Path, table: str
) -> None:
    lines = telco_csv.read_text(encoding="utf-8").splitlines()
    contents = {
        "empty.csv": "",
        "header.csv": lines[0] + "\n",
        "columns.csv": "\n".join(line.partition(",")[2] for line in lines) + "\n",
    }
    given = tmp_path / table
    if table in contents:
        given.write_text(contents[table], encoding="utf-8")
    if table == "folder.csv":
        given.mkdir()
    answer = command(
        small.workspace.root, server, "run", "--plan", "small", "--new-snapshot", "--json", TELCO_CSV=str(given)
    )
    said = json.loads(answer.out)
    assert answer.exit_code == 2, said
    assert said["global"]["stopped_at"] == "golden_copy" and said["cohorts"] == []
    assert "telco.customers" in said["global"]["reason"] or table in said["global"]["reason"]
    _nothing_lost(small)


@pytest.mark.parametrize("arguments", [("check",), ("run",), ("run", "--new-snapshot")])
def test_columns_that_the_source_does_not_have_are_all_named_before_any_other_stage(
    small: World, small_run: Summary, server: str, telco_csv: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    root, plan = small.workspace.root, small.workspace.plan.folder
    kept = shutil.copytree(plan, tmp_path / "kept")
    change(plan / "mapping/customer.csv", ",Churn,lookup,", ",Chrun,lookup,")
    change(plan / "controls.csv", '""field"": ""Churn""', '""field"": ""Left""', 2)
    snapshots = sorted(p.name for p in (small.workspace.store.root / "golden_copy").iterdir())
    try:
        answer = command(root, server, *arguments, "--plan", "small", "--json", TELCO_CSV=str(telco_csv))
    finally:
        shutil.copytree(kept, plan, dirs_exist_ok=True)
    said = json.loads(answer.out)
    assert answer.exit_code == 2, said
    if arguments == ("check",):
        told = said["faults"]
        assert len(told) == 3 and {(f["file"], f["field"]) for f in told} == {
            ("mapping/customer.csv", "columns"), ("controls.csv", "source_where"),
        }  # fmt: skip
        assert [f["remedy"] for f in told if "'Chrun'" in f["problem"]] == ["did you mean 'Churn'?"]
    else:
        reason = said["global"]["reason"]
        for text in (
            "mapping/customer.csv:5 [columns]",
            "'Chrun'",
            "did you mean 'Churn'?",
            "controls.csv:3 [source_where]",
        ):
            assert text in reason
        assert "3 fault(s)" in reason
        assert said["global"]["stopped_at"] == "golden_copy" and said["cohorts"] == []
    assert sorted(p.name for p in (small.workspace.store.root / "golden_copy").iterdir()) == snapshots
    _nothing_lost(small)


def test_a_column_that_nothing_uses_stops_the_first_look_at_a_source_with_the_lines_to_write(
    small: World, small_run: Summary, server: str, telco_csv: Path, tmp_path: Path
) -> None:
    """A source has grown a column since the plan was written."""
    header, *lines = telco_csv.read_text(encoding="utf-8").splitlines()
    given = tmp_path / "more.csv"
    given.write_text("\n".join([f"{header},Loyalty", *(f"{line},gold" for line in lines)]) + "\n", encoding="utf-8")
    snapshots = sorted(p.name for p in (small.workspace.store.root / "golden_copy").iterdir())
    answer = command(
        small.workspace.root, server, "run", "--plan", "small", "--new-snapshot", "--json", TELCO_CSV=str(given)
    )
    said = json.loads(answer.out)
    assert answer.exit_code == 2 and said["global"]["stopped_at"] == "golden_copy", said
    reason = said["global"]["reason"]
    assert "[sources.telco.tables.customers] nothing uses Loyalty of telco.customers" in reason
    assert reason.rstrip().endswith('          Loyalty: "..."') and "below the table's `left_behind`" in reason
    assert sorted(p.name for p in (small.workspace.store.root / "golden_copy").iterdir()) == snapshots
    _nothing_lost(small)


def test_a_cohort_that_is_not_planned_is_refused_with_those_that_are(
    small: World, small_run: Summary, server: str, telco_csv: Path
) -> None:
    answer = command(
        small.workspace.root, server, "reconcile", "--plan", "small", "--cohort", "pilott", TELCO_CSV=str(telco_csv)
    )
    assert answer.exit_code == 2
    assert "pilot, base_01, unassigned" in answer.err
    _nothing_lost(small)


@pytest.mark.parametrize("key", ["../../etc", "/etc", "pilot/../base_01", "PILOT", "", "a" * 65, "pilot\n"])
def test_a_partition_key_cannot_lead_out_of_the_store(key: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a plain name"):
        Store(tmp_path).file("loaded_target", key, "t")


def test_a_cohort_key_made_up_by_hand_is_refused_by_the_stage(small: World, small_run: Summary) -> None:
    small.instance.add_dynamic_partitions("cohort", ["../../etc"])
    try:
        refused = small.runner.phase("cohort_phase", cohort="../../etc")
    finally:
        small.instance.delete_dynamic_partition("cohort", "../../etc")
    assert not refused.ok and refused.stopped_at == "profiled_source" and refused.rows_written == 0
    assert refused.reason is not None and "not a plain name" in refused.reason
    assert not (small.workspace.store.root.parent / "etc").exists()


def test_an_altered_golden_copy_stops_the_run_before_the_load(
    small: World, small_run: Summary, server: str, telco_csv: Path
) -> None:
    snapshot = small.workspace.store.current_snapshot()
    assert snapshot is not None
    file = small.workspace.store.golden_file(snapshot, "telco.customers")
    kept = file.with_name("kept")
    shutil.copy2(file, file.parents[2] / "kept")
    flipped = bytearray(file.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(flipped)
    try:
        answer = command(small.workspace.root, server, "run", "--plan", "small", "--json", TELCO_CSV=str(telco_csv))
    finally:
        shutil.move(file.parents[2] / "kept", file)
    assert not kept.exists()
    said = json.loads(answer.out)
    assert answer.exit_code == 2
    assert said["global"]["stopped_at"] == "golden_copy" and said["cohorts"] == []
    assert "telco.customers.parquet: altered" in said["global"]["reason"]
    _nothing_lost(small)
    assert small.runner.phase("global_phase").ok, "with the original back it goes on"


def test_the_repository_is_not_what_these_tests_write_to(small: World) -> None:
    assert small.workspace.root != REPOSITORY


def _nothing_lost(small: World) -> None:
    assert small.target("select count(*) from telecom.accounts") == [(60,)]
    assert small.workspace.store.current_snapshot() == small.workspace.record().snapshot
