"""Rules of survivorship and decisions of persons: what a plan may say, and what it is told when it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_folder import faults, load, load_faults, valid

from migration_assets.plan.identity_models import SurvivorDecision
from migration_assets.plan.load import SURVIVORS, columns_of

REASON = {"reason": "As agreed with sales."}
DECIDED = {
    "field": "phone", "customer": "crm.accounts:1", "value_from": "crm.accounts:2", "reason": "Called them.",
    "approved_by": "dpo", "approved_on": "2026-06-01",
}  # fmt: skip


def with_rules(*rules: dict[str, Any], decisions: list[dict[str, str]] | None = None) -> dict[str, Any]:
    files = valid()
    files["plan.yaml"]["identity"]["survivorship"] = [REASON | r for r in rules]
    return files if decisions is None else files | {SURVIVORS: decisions}


def manual(*decisions: dict[str, str]) -> dict[str, Any]:
    return with_rules({"fields": ["phone"], "strategy": "manual"}, decisions=[DECIDED | d for d in decisions])


def test_rules_of_every_strategy_are_accepted(tmp_path: Path) -> None:
    rules = [
        {"fields": ["tax_id"], "strategy": "priority", "systems": ["crm"]},
        {"fields": ["phone", "email"], "strategy": "most_recent"},
        {"fields": ["language", "time_zone"], "strategy": "most_complete"},
        {"fields": ["name"], "strategy": "longest"},
        {"fields": ["credit_limit_minor"], "strategy": "weighted_average", "weights": {"crm": 3}},
        {"fields": ["state", "birth_date"], "strategy": "manual"},
    ]
    assert faults(tmp_path, with_rules(*rules)) == ()


@pytest.mark.parametrize(
    ("rule", "part", "words"),
    [
        ({"fields": ["mail"], "strategy": "longest"}, "fields", "no field 'mail'"),
        ({"fields": ["customer_id"], "strategy": "most_recent"}, "fields", "is the key"),
        ({"fields": ["family_name"], "strategy": "longest"}, "fields", "comes with name"),
        ({"fields": ["kind"], "strategy": "most_recent"}, "fields", "comes with name"),
        ({"fields": ["phone", "phone"], "strategy": "most_recent"}, "fields", "has a rule already"),
        ({"fields": ["birth_date"], "strategy": "longest"}, "fields", "longest does not suit birth_date"),
        (
            {"fields": ["name"], "strategy": "weighted_average", "weights": {"crm": 1}},
            "fields",
            "weighted_average does not suit name",
        ),
        ({"fields": ["phone"], "strategy": "priority", "systems": ["crn"]}, "systems", "'crn' feeds no customer"),
        ({"fields": ["phone"], "strategy": "priority", "systems": ["crm", "crm"]}, "systems", "twice"),
        (
            {"fields": ["credit_limit_minor"], "strategy": "weighted_average", "weights": {"erp": 1}},
            "weights",
            "'erp' feeds no customer",
        ),
    ],
)
def test_a_rule_that_does_not_fit_is_named_with_its_line_and_a_remedy(tmp_path, rule, part, words) -> None:
    (found,) = faults(tmp_path, with_rules(rule))
    assert (found.file, found.field) == ("plan.yaml", f"identity.survivorship.0.{part}")
    assert words in found.problem and found.row and found.remedy


@pytest.mark.parametrize(
    "rule",
    [
        {"fields": ["phone"], "strategy": "newest"},
        {"fields": [], "strategy": "priority"},
        {"fields": ["credit_limit_minor"], "strategy": "weighted_average"},
        {"fields": ["credit_limit_minor"], "strategy": "weighted_average", "weights": {"crm": 0}},
        {"fields": ["phone"], "strategy": "priority", "weights": {"crm": 1}},
        {"fields": ["phone"], "strategy": "priority", "reason": ""},
    ],
)
def test_a_rule_that_says_nothing_sensible_is_refused(tmp_path, rule) -> None:
    found = load_faults(tmp_path, with_rules(rule))
    assert found and all(f.file == "plan.yaml" and f.field.startswith("identity.survivorship.0") for f in found)


def test_decisions_are_read_in_an_order_of_their_own(tmp_path: Path) -> None:
    later, first = DECIDED | {"customer": "crm.accounts:7"}, DECIDED
    plan = load(tmp_path, manual(later, first))
    assert [(d.customer, d.row) for d in plan.survivor_decisions] == [("crm.accounts:1", 3), ("crm.accounts:7", 2)]
    assert load(tmp_path / "without", valid()).survivor_decisions == ()


@pytest.mark.parametrize(
    ("decisions", "row", "field", "words"),
    [
        ([{"field": "fone"}], 2, "field", "no field 'fone'"),
        ([{"field": "email"}], 2, "field", "email is not decided by hand"),
        ([{}, {"value_from": "crm.accounts:3"}], 3, "customer", "is decided in line 2 already"),
        ([{"customer": "crm.subs:1"}], 2, "customer", "is not the canonical key of a customer row"),
        ([{"value_from": "jane@x.de"}], 2, "value_from", "is not the canonical key of a customer row"),
        ([{"approved_by": ""}], 2, "approved_by", ""),
        ([{"approved_on": "yesterday"}], 2, "approved_on", ""),
    ],
)
def test_a_decision_that_cannot_hold_is_named_with_its_line(tmp_path, decisions, row, field, words) -> None:
    files = manual(*decisions)
    (found,) = load_faults(tmp_path, files) or faults(tmp_path, files)
    assert (found.file, found.row, found.field) == (SURVIVORS, row, field)
    assert words in found.problem and found.remedy
    assert "jane@x.de" not in f"{found.problem}{found.remedy}"


def test_a_file_of_decisions_under_another_name_is_not_passed_over(tmp_path: Path) -> None:
    files = manual({})
    files["decisions/survivor.csv"] = ",".join(columns_of(SurvivorDecision)) + "\n"
    assert [f.file for f in load_faults(tmp_path, files)] == ["decisions/survivor.csv"]
