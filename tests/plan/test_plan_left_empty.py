"""No column of the target is empty in every row in silence: something fills it, or it is declared with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_folder import COLUMNS, CUSTOMERS, SUBSCRIPTIONS, faults, load, load_faults, pick, valid

from migration_assets.plan.document import field_comparison


def test_a_column_whose_mapping_row_is_gone_is_told(tmp_path: Path) -> None:
    files = valid()
    files["target.yaml"]["tables"]["accounts"]["columns"]["country"] = "country"
    assert faults(tmp_path / "filled", files) == ()
    files[CUSTOMERS].remove(pick(files, CUSTOMERS, field="country"))
    files["plan.yaml"]["sources"]["crm"]["tables"]["accounts"]["left_behind"]["country"] = "Nobody asks for it."
    (told,) = faults(tmp_path / "gone", files)
    assert (told.file, told.field) == ("target.yaml", "tables.accounts.columns.country") and told.row
    assert told.problem == "no mapping row fills customer.country: the column would be empty in every row"
    assert "`left_empty`" in told.remedy
    files["target.yaml"]["tables"]["accounts"]["left_empty"] = {"country": "The new system asks for it at login."}
    assert faults(tmp_path / "said", files) == ()


def test_a_required_field_is_told_once(tmp_path: Path) -> None:
    files = valid()
    files[SUBSCRIPTIONS].remove(pick(files, SUBSCRIPTIONS, field="currency"))
    (told,) = faults(tmp_path, files)
    assert told.file != "target.yaml" and "currency" in told.problem


@pytest.mark.parametrize(
    ("said", "problem", "remedy"),
    [
        ({"stauts": "It is not there."}, "accounts has no column 'stauts'", "did you mean 'status'?"),
        ({"status": "It is filled."}, "status is not empty: customer.status is filled", "take it off"),
    ],
)
def test_a_column_that_is_not_empty_is_not_said_to(
    tmp_path: Path, said: dict[str, str], problem: str, remedy: str
) -> None:
    files = valid()
    files["target.yaml"]["tables"]["accounts"]["left_empty"] = said
    (told,) = faults(tmp_path, files)
    assert told.field == f"tables.accounts.left_empty.{next(iter(said))}"
    assert problem in told.problem and remedy in told.remedy


def test_a_reason_is_words(tmp_path: Path) -> None:
    files = valid()
    files["target.yaml"]["tables"]["subscriptions"]["left_empty"] = {"ends_at": "........"}
    (told,) = load_faults(tmp_path, files)
    assert told.field == "tables.subscriptions.left_empty.ends_at" and "in words" in told.remedy


def test_the_reason_stands_in_the_documents(tmp_path: Path) -> None:
    text = field_comparison(load(tmp_path, valid()), COLUMNS)
    assert "| subscription | ends\\_at | Contracts of this company never end. |" in text.replace("ends_at", "ends\\_at")
