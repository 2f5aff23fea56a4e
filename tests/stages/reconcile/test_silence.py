"""A control that never saw a row is named, for it would tie whatever the mapping did."""

from __future__ import annotations

from typing import Any

from migration_assets.plan.models import Control
from migration_assets.stages.reconcile.silence import silent_controls

COUNT = Control(measure="contracts", kind="count", source="erp.contracts", target="subscriptions", owner="finance")
NAMED = {"measure": "contracts", "source": "erp.contracts", "target": "subscriptions"}


def report(source_rows: int, target_rows: int) -> dict[str, Any]:
    return {"controls": [{"measure": "contracts", "source_rows": source_rows, "target_rows": target_rows}]}


def test_a_control_that_saw_nothing_in_any_cohort_is_named() -> None:
    assert silent_controls([COUNT], (), [report(0, 0), report(0, 0)]) == [NAMED]


def test_one_row_on_either_side_of_any_cohort_is_enough() -> None:
    assert silent_controls([COUNT], (), [report(0, 0), report(1, 0)]) == []
    assert silent_controls([COUNT], (), [report(0, 1), report(0, 0)]) == []


def test_a_control_of_which_no_report_speaks_is_named() -> None:
    assert silent_controls([COUNT], (), [{}]) == [NAMED]


def test_nothing_is_asked_of_a_table_that_may_be_empty() -> None:
    assert silent_controls([COUNT], {"erp.contracts"}, [report(0, 0)]) == []
