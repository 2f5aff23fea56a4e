"""The command line itself: what is wrong with it is said in the form that was asked for."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from migration_assets import cli, preview_command
from migration_assets.cli import main, run_tags
from migration_assets.domain.errors import BadInput


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--json", "--at-once", "0"], "0 is not in the range"),
        (["run", "--json", "--nope"], "No such option"),
        (["reconcile", "extra", "--json"], "unexpected extra argument"),
        (["nothing", "--json"], "No such command"),
        (["review", "merges", "--json", "--limit", "0"], "0 is not in the range"),
        (["rejected", "--json", "--limit", str(10**30)], "is not in the range"),
    ],
)
def test_a_wrong_command_line_is_json_where_json_was_asked_for(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    answer = json.loads(done.stdout)
    assert answer["ok"] is False and said in answer["error"] and "--help" in answer["remedy"]


@pytest.mark.parametrize("command", [["decide", "12", "same"], ["unmerge", "crm.a:1"]])
def test_what_is_decided_without_a_reason_is_answered_with_how_to_give_one(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["review", *command, "--json"]
    monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
    done = CliRunner().invoke(main, arguments)
    answer = json.loads(done.stdout)
    assert done.exit_code == 2 and "needs a reason" in answer["error"] and "--reason" in answer["remedy"]


@pytest.mark.parametrize("command", [main.commands["rejected"], main.commands["review"].commands["merges"]])  # type: ignore[attr-defined]
def test_a_list_may_be_asked_for_whole_however_long_it_is(command: click.Command) -> None:
    (limit,) = [p for p in command.params if p.name == "limit"]
    assert limit.type_cast_value(click.Context(command), "1000000") == 1_000_000


def test_without_json_it_is_text() -> None:
    done = CliRunner().invoke(main, ["run", "--nope"])
    assert done.exit_code == 2 and done.stdout == "" and "No such option" in done.stderr


def test_help_is_help_all_the_same() -> None:
    done = CliRunner().invoke(main, ["run", "--json", "--help"])
    assert done.exit_code == 0 and "Take a new golden copy first" in done.stdout


@pytest.fixture
def telco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a plan whose only source is named by a variable, in a root of its own where it is not set."""
    for part in ("plans/telco", "expectations"):
        shutil.copytree(cli.ROOT / part, tmp_path / part)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.delenv("TELCO_CSV", raising=False)
    monkeypatch.delenv("CUTOVER_HOME", raising=False)
    return tmp_path / "plans" / "telco"


def check(monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[int, dict[str, Any]]:
    arguments = ["check", "--plan", "telco", "--json", *more]
    monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, json.loads(done.stdout)


def test_a_variable_that_is_not_set_is_a_fault_of_its_line(telco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = check(monkeypatch)
    line = 1 + (telco / "plan.yaml").read_text(encoding="utf-8").splitlines().index("    path: ${TELCO_CSV}")
    assert code == 2 and said["ok"] is False and said["error"] == "1 fault(s) in the plan"
    assert said["faults"] == [
        {
            "file": "plan.yaml", "line": line, "field": "sources.telco.path",
            "problem": "the environment variable TELCO_CSV is not set",
            "remedy": "set TELCO_CSV, for instance in .env",
        }
    ]  # fmt: skip
    assert check(monkeypatch, "--without-variables")[0] == 0
    (telco.parents[1] / ".env").write_text("TELCO_CSV=somewhere.csv\n", encoding="utf-8")
    assert check(monkeypatch)[0] == 0


def test_faults_of_the_plan_and_of_its_variables_are_told_together_each_by_itself(
    telco: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = telco / "mapping" / "customer.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",Churn,lookup,", ",Churn,look_up,"), encoding="utf-8")
    _, said = check(monkeypatch)
    assert {f["file"] for f in said["faults"]} == {"plan.yaml", "mapping/customer.csv"}
    assert [f["remedy"] for f in said["faults"] if "look_up" in f["problem"]] == ["did you mean 'lookup'?"]


def test_what_is_not_set_is_told_also_where_files_cannot_be_read_as_a_plan(
    telco: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever mends the files must not be told of the next fault only then; of every command that opens the plan."""
    (telco / "mapping" / "customer.csv").write_text("nonsense\n", encoding="utf-8")
    file = telco / "plan.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("strategy: ", "strategie: "), encoding="utf-8")
    for command in ("check", "run"):
        arguments = [command, "--plan", "telco", "--json"]
        monkeypatch.setattr(sys, "argv", ["cutover", *arguments])
        done = CliRunner().invoke(main, arguments)
        said = json.loads(done.stdout)
        fields = {(f["file"], f["field"]) for f in said["faults"]}
        assert done.exit_code == 2 and ("plan.yaml", "sources.telco.path") in fields, command
        assert ("plan.yaml", "strategie") in fields and "mapping/customer.csv" in {f for f, _ in fields}
    assert check(monkeypatch, "--without-variables")[0] == 2


def test_faults_of_all_expectations_are_told_at_once(telco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("loaded_target", "reconciliation"):
        file = telco.parents[1] / "expectations" / f"{name}.yaml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("severity: critical", "severity: fatal", 1), encoding="utf-8")
    _, said = check(monkeypatch, "--without-variables")
    assert {f["file"] for f in said["faults"]} == {"loaded_target.yaml", "reconciliation.yaml"}


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_an_instant_that_utc_does_not_have_is_refused(instant: str) -> None:
    with pytest.raises(BadInput, match="outside the years"):
        run_tags(instant, new_snapshot=False, dry_run=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "`cutover run --resume` goes on from here"),
        (["run", "--dry-run", "--against", "HEAD"], "a preview leaves nothing behind"),
        (["status"], "`cutover status` begins anew"),
    ],
)
def test_after_an_interruption_only_what_can_be_resumed_says_so(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for module in (cli, preview_command):
        monkeypatch.setattr(module, "opened", interrupted)
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 130
    told = " ".join(done.stderr.split())
    assert said in told and ("--resume" in told) == (arguments == ["run"])
