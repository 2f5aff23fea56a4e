"""No column of a source stays behind in silence: it is used, or secret, or declared with a reason."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from plan_folder import COLUMNS, CUSTOMERS, SUBSCRIPTIONS, faults, load, load_faults, pick, valid

import migration_assets
from migration_assets.domain.errors import Fault
from migration_assets.plan.check import check_plan
from migration_assets.plan.comparison import left_behind
from migration_assets.plan.load import load_plan
from migration_assets.plan.used_columns import uses

REPOSITORY = Path(migration_assets.__path__[0]).parent
ACCOUNTS = "sources.crm.tables.accounts"


def table(files: dict[str, Any], name: str = "accounts") -> dict[str, Any]:
    declared: dict[str, Any] = files["plan.yaml"]["sources"]["crm"]["tables"][name]
    return declared


def more_columns(folder: Path, files: dict[str, Any], name: str, *columns: str) -> tuple[Fault, ...]:
    """Faults where the source's table has these columns besides."""
    known = {**COLUMNS, name: {**COLUMNS[name], **dict.fromkeys(columns, "string")}}
    return check_plan(load(folder, files), columns=known)


def test_a_column_that_nothing_uses_is_told_with_the_lines_to_write(tmp_path: Path) -> None:
    files = valid()
    del table(files)["left_behind"]
    (told,) = more_columns(tmp_path, files, "crm.accounts", "fax", "no such: thing")
    assert told.field == ACCOUNTS
    assert told.problem.startswith("nothing uses fax, no such: thing, updated of crm.accounts")
    snippet = told.remedy.partition("\n")[2]
    assert snippet.splitlines() == [
        "        left_behind:",
        '          updated: "..."',
        '          fax: "..."',
        '          "no such: thing": "..."',
    ]


def test_the_lines_can_be_pasted_and_ask_for_a_reason(tmp_path: Path) -> None:
    files = valid()
    del table(files)["left_behind"]
    (told,) = more_columns(tmp_path / "before", files, "crm.accounts", "null", "with: colon")
    text = (tmp_path / "before" / "plan.yaml").read_text(encoding="utf-8")
    line = "        read_from: public.accounts\n"
    assert text.count(line) == 1
    pasted = text.replace(line, line + told.remedy.partition("\n")[2] + "\n")
    (wanted, *_) = load_faults(tmp_path / "pasted", {**files, "plan.yaml": pasted})
    assert wanted.field.startswith(f"{ACCOUNTS}.left_behind.") and wanted.problem == "is no reason"
    assert wanted.remedy.startswith("write the reason in words")
    written = pasted.replace('"..."', "Nobody needs it any more.")
    assert (
        more_columns(tmp_path / "written", {**files, "plan.yaml": written}, "crm.accounts", "null", "with: colon") == ()
    )


def test_one_fault_tells_all_columns_of_a_table(tmp_path: Path) -> None:
    names = [f"extra_{n}" for n in range(40)]
    (told,) = more_columns(tmp_path, valid(), "crm.accounts", *names)
    assert "and 28 more of crm.accounts" in told.problem
    assert [re.split(r"[ :]+", line)[1] for line in told.remedy.splitlines()[1:]] == names
    assert "below the table's `left_behind`" in told.remedy.splitlines()[0]


def test_columns_are_asked_about_only_where_they_are_known(tmp_path: Path) -> None:
    files = valid()
    del table(files)["left_behind"]
    assert faults(tmp_path, files, with_columns=False) == ()
    assert len(faults(tmp_path, files)) == 1


def test_a_table_that_is_left_out_as_a_whole_needs_no_word_for_each_column(tmp_path: Path) -> None:
    assert more_columns(tmp_path, valid(), "crm.audit", "more", "and_more") == ()


@pytest.mark.parametrize(
    "use",
    [
        {"updated_at": "updated"},
        {"secret": ["updated"]},
        {"references": {"updated": "crm.subs"}},
    ],
)
def test_what_the_table_says_of_a_column_is_a_use_or_a_word(tmp_path: Path, use: dict[str, Any]) -> None:
    files = valid()
    del table(files)["left_behind"]
    table(files).update(use)
    assert faults(tmp_path, files) == ()


def test_exclusions_links_feeds_and_conditions_of_a_mapping_use_columns(tmp_path: Path) -> None:
    files = valid()
    old = {
        "rule": "old",
        "table": "crm.accounts",
        "where": [{"field": "gone", "op": "not_null"}],
        "reason": "As agreed.",
    }
    link = {"name": "twin", "table": "crm.accounts", "column": "twin_id", "to_table": "crm.accounts", "reason": "Same."}
    files["plan.yaml"]["exclusions"].append(old)
    files["plan.yaml"]["identity"]["links"].append(link)
    when = [{"field": "started", "op": "not_null"}, {"field": "state", "op": "ne", "value": 1}]
    pick(files, SUBSCRIPTIONS, field="status")["arguments"] = json.dumps({"value": "active", "when": when})
    pick(files, "mapping/feeds.csv", feed="accounts")["where"] = '[{"field": "real", "op": "not_null"}]'
    known = {
        **COLUMNS,
        "crm.accounts": {**COLUMNS["crm.accounts"], "gone": "string", "twin_id": "int64", "real": "string"},
        "crm.subs": {**COLUMNS["crm.subs"], "state": "int64"},
    }
    assert check_plan(load(tmp_path, files), columns=known) == ()
    files["plan.yaml"]["exclusions"].pop()
    (told,) = check_plan(load(tmp_path / "again", files), columns=known)
    assert told.problem.startswith("nothing uses gone of crm.accounts")


def test_a_control_total_proves_and_does_not_move(tmp_path: Path) -> None:
    files = valid()
    files[SUBSCRIPTIONS].remove(pick(files, SUBSCRIPTIONS, field="billed_to_date_minor"))
    assert any(f.problem.startswith("nothing uses fee of crm.subs") for f in faults(tmp_path, files))


def test_what_is_read_over_a_reference_is_used(tmp_path: Path) -> None:
    files = valid()
    pick(files, SUBSCRIPTIONS, field="starts_at")["columns"] = "account_id->updated"
    del table(files)["left_behind"]
    (told,) = faults(tmp_path, files)
    assert told.field == "sources.crm.tables.subs" and told.problem.startswith("nothing uses started of crm.subs")


@pytest.mark.parametrize(
    ("said", "problem", "remedy"),
    [
        ({"nmae": "It is not there."}, "crm.accounts has no column 'nmae'", "did you mean 'name'?"),
        ({"name": "It is mapped."}, "'name' is used by customer.name", "take it off"),
        ({"id": "It is the key."}, "'id' is used by the table's key", "take it off"),
        ({"token": "It is secret."}, "'token' is secret", "take it off"),
    ],
)
def test_a_column_that_does_not_stay_behind_is_not_said_to(
    tmp_path: Path, said: dict[str, str], problem: str, remedy: str
) -> None:
    files = valid()
    table(files)["left_behind"].update(said)
    table(files)["secret"] = ["token"]
    (told,) = more_columns(tmp_path, files, "crm.accounts", "token")
    assert told.field == f"{ACCOUNTS}.left_behind.{next(iter(said))}" and told.row
    assert problem in told.problem and remedy in told.remedy


def test_a_slip_of_the_pen_is_told_once(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["columns"] = "countri"
    (told,) = faults(tmp_path, files)
    assert told.file == CUSTOMERS and told.remedy == "did you mean 'country'?"


def test_what_a_feed_calls_its_own_columns_stands_for_none_of_the_sources(tmp_path: Path) -> None:
    (told,) = more_columns(tmp_path, valid(), "crm.subs", "name", "value", "source_id")
    assert told.problem.startswith("nothing uses name, source_id, value of crm.subs")


def test_a_name_that_would_turn_the_text_round_is_written_out_and_still_pastes(tmp_path: Path) -> None:
    odd = "a\u202eb\x1b[1m"
    (told,) = more_columns(tmp_path / "before", valid(), "crm.accounts", odd)
    assert "\u202e" not in told.remedy + told.problem and "\x1b" not in told.remedy + told.problem
    text = (tmp_path / "before" / "plan.yaml").read_text(encoding="utf-8")
    head = "        left_behind:\n"
    assert text.count(head) == 1
    line = told.remedy.partition("\n")[2].replace('"..."', "Nobody needs it.")
    files = {**valid(), "plan.yaml": text.replace(head, f"{head}{line}\n")}
    assert more_columns(tmp_path / "after", files, "crm.accounts", odd) == ()


@pytest.mark.parametrize("name", ["acme", "adventureworks", "telco", "workshop"])
def test_no_plan_of_ours_declares_what_it_uses(name: str) -> None:
    plan = load_plan(REPOSITORY / "plans" / name)
    behind = {(t, c) for t, d in plan.source_tables.items() for c in d.left_behind}
    assert behind and not {(t, c) for t, c in behind if c in uses(plan).get(t, {})}
    assert {(x.table, x.column) for x in left_behind(plan)} == behind


def test_deletion_marks_of_acme_are_missed_when_no_rule_reads_them_any_more() -> None:
    """I22: whoever takes the rule off has to say why the marks may be forgotten."""
    plan = load_plan(REPOSITORY / "plans" / "acme")
    marks = dict.fromkeys(("deleted_at", "last_activity_on", "record_type"), "string")
    columns = {"crm.accounts": {**dict.fromkeys(uses(plan)["crm.accounts"], "string"), **marks}}
    assert [f for f in check_plan(plan, columns=columns) if f.problem.startswith("nothing uses")] == []
    kept = tuple(e for e in plan.file.exclusions if e.rule != "soft_deleted_account")
    without = plan.model_copy(update={"file": plan.file.model_copy(update={"exclusions": kept})})
    (told,) = (f for f in check_plan(without, columns=columns) if f.problem.startswith("nothing uses"))
    assert told.problem.startswith("nothing uses deleted_at of crm.accounts")
