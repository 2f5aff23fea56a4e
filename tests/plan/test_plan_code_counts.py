"""Control totals by code, of midnights and of links: what finance may say of them, and what the check says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plan_folder import control, faults, load, pick, valid

CODES = {"B": "active", "C": "canceled"}


def counted(**changes: str) -> dict[str, Any]:
    """The plan with contracts counted by status."""
    files = valid()
    files["controls.csv"].append(
        control("by_status", "code_count", source="crm.subs", source_column="plan", target="subscriptions",
                target_column="status", codes=json.dumps(CODES)) | changes
    )  # fmt: skip
    return files


def test_a_count_by_code_is_right_and_read(tmp_path: Path) -> None:
    assert faults(tmp_path, counted()) == ()
    by_name = {c.measure: c for c in load(tmp_path, counted()).controls}
    assert by_name["by_status"].codes == CODES and by_name["billed"].codes == {}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"codes": ""}, "codes", "is missing for a code_count"),
        ({"codes": '{"B": "activ"}'}, "codes", "'activ' is no code of status"),
        ({"source_column": ""}, "source_column", "is missing for a code_count"),
        ({"target_column": "starts_at"}, "target_column", "holds instant, not codes"),
        ({"source_currency": "=EUR"}, "source_currency", "means nothing for a code_count"),
    ],
)
def test_one_that_says_something_else_is_told_where(
    tmp_path: Path, changes: dict[str, str], field: str, words: str
) -> None:
    (fault,) = (f for f in faults(tmp_path, counted(**changes)) if f.field == field)
    assert fault.file == "controls.csv" and words in fault.problem


def test_codes_mean_nothing_for_other_totals(tmp_path: Path) -> None:
    files = valid()
    pick(files, "controls.csv", measure="accounts")["codes"] = '{"B": "active"}'
    (fault,) = faults(tmp_path, files)
    assert (fault.field, fault.problem) == ("codes", "means nothing for a count")


def midnights(**changes: str) -> dict[str, Any]:
    """The plan with the first days of contracts added up, and those counted that have a customer."""
    files = valid()
    files["controls.csv"] += [
        control("begin", "midnight_sum", source="crm.subs", source_column="started", target="subscriptions",
                target_column="starts_at") | changes,
        control("led", "linked_count", source="crm.subs", source_column="account_id", target="subscriptions",
                target_column="account_id"),
    ]  # fmt: skip
    return files


def test_midnights_and_links_are_right_and_read(tmp_path: Path) -> None:
    assert faults(tmp_path, midnights()) == ()
    assert faults(tmp_path / "last", midnights(source_unit="last_day")) == ()


@pytest.mark.parametrize(
    ("measure", "changes", "field", "words"),
    [
        ("begin", {"source_unit": "major"}, "source_unit", "means nothing for a midnight_sum"),
        ("begin", {"target_unit": "minor"}, "target_unit", "means nothing for a midnight_sum"),
        ("begin", {"target_column": "status"}, "target_column", "holds code, not instants"),
        ("billed", {"source_unit": "last_day"}, "source_unit", "says nothing of an amount"),
        ("led", {"source_column": "plan"}, "source_column", "leads to no table that one column identifies"),
        ("led", {"target_column": "status"}, "target_column", "holds code, and leads nowhere"),
    ],
)
def test_what_these_totals_cannot_say_is_told(
    tmp_path: Path, measure: str, changes: dict[str, str], field: str, words: str
) -> None:
    files = midnights()
    pick(files, "controls.csv", measure=measure).update(changes)
    (fault,) = (f for f in faults(tmp_path, files) if f.field == field)
    assert fault.file == "controls.csv" and words in fault.problem


def test_codes_of_the_catalog_are_whatever_the_catalog_has(tmp_path: Path) -> None:
    assert faults(tmp_path, counted(target_column="plan_code", codes='{"B": "basic_month"}')) == ()
