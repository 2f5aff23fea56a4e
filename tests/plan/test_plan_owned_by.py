"""Whose word counts for what others change in the target: said of real columns, never of money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_folder import faults, load, load_faults, valid


def bent(table: str, **said: Any) -> dict[str, Any]:
    files = valid()
    files["target.yaml"]["tables"][table].update(said)
    return files


def test_each_owner_may_be_said_and_when_a_row_changed_too(tmp_path: Path) -> None:
    files = bent(
        "accounts", owned_by={"name": "most_recent", "status": "target", "kind": "source"}, changed_at="updated"
    )
    files["target.yaml"]["tables"]["accounts"]["columns"]["updated"] = "source_updated_at"
    assert faults(tmp_path, files) == ()
    table = load(tmp_path / "read", files).target.tables["accounts"]
    assert (table.owned_by["status"], table.changed_at) == ("target", "updated")


def test_a_person_may_own_money(tmp_path: Path) -> None:
    assert faults(tmp_path, bent("subscriptions", owned_by={"billed_minor": "person", "status": "target"})) == ()


@pytest.mark.parametrize(
    ("table", "said", "place", "problem"),
    [
        ("accounts", {"owned_by": {"stauts": "target"}}, "owned_by.stauts", "no column 'stauts'"),
        ("accounts", {"owned_by": {"id": "target"}}, "owned_by.id", "id is the key"),
        ("plans", {"owned_by": {"name": "target"}}, "owned_by.name", "the plan's own catalog"),
        ("subscriptions", {"owned_by": {"billed_minor": "target"}}, "owned_by.billed_minor", "a person decides"),
        ("subscriptions", {"owned_by": {"currency": "source"}}, "owned_by.currency", "a person decides"),
        ("subscriptions", {"owned_by": {"ends_at": "target"}}, "owned_by.ends_at", "a person decides"),
        ("accounts", {"owned_by": {"name": "most_recent"}}, "owned_by", "does not say when a row changed"),
        ("accounts", {"changed_at": "name"}, "changed_at", "no column of instants 'name'"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(
    tmp_path: Path, table: str, said: dict[str, Any], place: str, problem: str
) -> None:
    (told,) = faults(tmp_path, bent(table, **said))
    assert (told.file, told.field) == ("target.yaml", f"tables.{table}.{place}")
    assert problem in told.problem and told.remedy


def test_there_are_four_owners(tmp_path: Path) -> None:
    (told,) = load_faults(tmp_path, bent("accounts", owned_by={"name": "finance"}))
    assert told.field == "tables.accounts.owned_by.name"
