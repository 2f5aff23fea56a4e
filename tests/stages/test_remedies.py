"""Every reason for which a stage rejects a row comes with what helps."""

from __future__ import annotations

import pytest

from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.rules.errors import ERRORS
from migration_assets.stages.remedies import remedy_of
from migration_assets.stages.validity import RULES

OF_STAGES = (
    "duplicate_key", "entry_unreadable", "key_missing", "may_be_erased", "orphan", "parent_rejected",
    "required_missing",
)  # fmt: skip


@pytest.mark.parametrize("rule", [*OF_STAGES, *ERRORS, *sorted({r.name for rules in RULES.values() for r in rules})])
def test_whatever_a_row_is_rejected_for_there_is_something_to_do(rule: str) -> None:
    remedy = remedy_of("rejected", rule, f"name: {rule}")
    assert remedy is not None and remedy.endswith(".")


def test_what_a_rule_of_the_plan_leaves_out_needs_no_remedy() -> None:
    assert remedy_of("excluded", "test_account", "Made by sales.") is None
    assert remedy_of("excluded", "orphan", "") is None, "a plan may call its rule so"


def test_a_value_that_cannot_be_mended_is_named_by_its_field() -> None:
    field = ENTITIES["invoice"].field("currency").name
    told = remedy_of("rejected", "unknown_currency", f"{field}: unknown_currency") or ""
    assert "the rule of currency in mapping/" in told and told.startswith(ERRORS["unknown_currency"])
    assert "looked up" in (remedy_of("rejected", "unknown_code", "status: unknown_code") or "")


def test_a_rule_that_nobody_knows_promises_nothing() -> None:
    assert remedy_of("rejected", "made_up", "made up") is None
