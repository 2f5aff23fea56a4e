"""Control totals by code: finance says what each code of the source is in the target, and the check reads it."""

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


def test_codes_of_the_catalog_are_whatever_the_catalog_has(tmp_path: Path) -> None:
    assert faults(tmp_path, counted(target_column="plan_code", codes='{"B": "basic_month"}')) == ()
