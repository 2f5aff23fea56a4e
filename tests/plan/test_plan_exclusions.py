"""What a plan may leave out as stale or as a copy, and what is said when it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_folder import faults, load_faults, valid

AUDIT = {"rule": "no_audit", "table": "crm.audit", "reason": "Nobody needs the old log."}


def said_of(folder: Path, *rules: dict[str, Any], **tables: dict[str, Any]) -> list[tuple[str, str]]:
    """Faults of a plan with these exclusions after the one that leaves out the whole log: (field, problem)."""
    files = valid()
    files["plan.yaml"]["exclusions"] = [AUDIT, *rules]
    for name, changes in tables.items():
        files["plan.yaml"]["sources"]["crm"]["tables"][name].update(changes)
    return [(f.field, f.problem) for f in faults(folder, files)]


def rule(table: str, **parts: Any) -> dict[str, Any]:
    return {"rule": "as_agreed", "table": table, "reason": "Agreed with sales."} | parts


def test_stale_leads_and_copies_can_be_left_out(tmp_path: Path) -> None:
    stale = rule("crm.accounts", stale={"column": "updated", "months": 24})
    copies = rule("crm.subs", redundant={"by": ["plan", "started"], "keep": "first"}) | {"rule": "copies"}
    assert said_of(tmp_path, stale, copies, accounts={"left_behind": {}}) == []


@pytest.mark.parametrize(
    ("bad", "field", "problem"),
    [
        (rule("crm.accounts", stale={"column": "seen", "months": 24}), "stale.column", "no column 'seen'"),
        (rule("crm.accounts", stale={"column": "id", "months": 24}), "stale.column", "'id' is int64, which is no time"),
        (rule("crm.subs", redundant={"by": ["seen"]}), "redundant.by", "no column 'seen'"),
        (rule("crm.subs", redundant={"keep": "latest"}), "redundant.keep", "does not say when a row changed"),
        (rule("crm.accounts", redundant={}), "redundant", "are customers, who are merged and not left out"),
    ],
)
def test_what_cannot_be_left_out_is_said_with_its_place(
    tmp_path: Path, bad: dict[str, Any], field: str, problem: str
) -> None:
    ((place, told),) = said_of(tmp_path, bad)
    assert place == f"exclusions.1.{field}" and problem in told


def test_a_copy_that_other_rows_refer_to_is_never_left_out(tmp_path: Path) -> None:
    ((place, told),) = said_of(tmp_path, rule("crm.subs", redundant={}), audit={"references": {"note": "crm.subs"}})
    assert place == "exclusions.1.redundant"
    assert told == "rows of crm.audit refer to rows of crm.subs, and would lose the copy that is left out"


def test_a_rule_for_stale_rows_does_not_account_for_every_row(tmp_path: Path) -> None:
    files = valid()
    files["plan.yaml"]["exclusions"] = [AUDIT | {"stale": {"column": "note", "months": 24}}]
    assert [f.problem for f in faults(tmp_path, files)] == ["is neither fed to an entity nor excluded"]


def test_months_are_whole_and_at_least_one(tmp_path: Path) -> None:
    for months in (0, "2.5"):
        files = valid()
        files["plan.yaml"]["exclusions"] = [AUDIT | {"stale": {"column": "note", "months": months}}]
        assert [f.field for f in load_faults(tmp_path, files)] == ["exclusions.0.stale.months"]
