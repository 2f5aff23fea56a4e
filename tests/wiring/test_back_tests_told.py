"""What the back-tests of all cohorts say together, told from what `shadow_billing` left and a real control database."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from migration_assets.control import Basis, verdicts_of
from migration_assets.domain.back_test import Issued, Verdict
from migration_assets.stages.shadow.back_tested.compare import Found, Suggestion
from migration_assets.stages.shadow.back_tested.report import suggestion_table, verdict_table
from migration_assets.wiring.back_test import back_test_of
from migration_assets.wiring.views import print_back_test
from migration_assets.wiring.workspace import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
COHORTS = ("pilot", "rest")
PASSED: Any = SimpleNamespace(
    check="back_test_once", severity="critical", passed=True, evaluated=True, rows_checked=1, unexpected=0,
    sample_keys=(), detail="", amount_minor={},
)  # fmt: skip


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    ran: Workspace = made()
    ran.__dict__["suites"] = {}
    digest = ran.plan.digest
    ran.control.freeze_record(plan="coded", snapshot="S1", as_of=NOW, plan_digest=digest, strategy="waves", now=NOW)
    return ran


def left(workspace: Workspace, cohort: str, failed: int, passed: int, snapshot: str = "S1", **better: int) -> None:
    """A cohort whose last invoices were made again, with so many more by rules told otherwise."""
    issued = Issued("1", "c", "EUR", None, 100, None)
    verdicts = [Verdict(issued, ("amount",), ("recurring",), 5)] * failed + [Verdict(issued, (), (), 0)] * passed
    found = Found(tuple(verdicts), tuple(Suggestion(f"rounding: {r}", n, n) for r, n in better.items()), {})
    tables: dict[str, pa.Table] = {"back_test": verdict_table(found), "better_rules": suggestion_table(found)}
    with workspace.engine() as engine:
        for name, rows in tables.items():
            engine.write(engine.table(rows), workspace.store.file("shadow_billing", cohort, name))
    basis = Basis(snapshot, workspace.plan.digest, NOW, {})
    workspace.control.save_verdicts(verdicts_of(cohort, "shadow_billing", basis, [PASSED], "run", NOW))


def test_invoices_are_counted_over_cohorts_and_better_rules_named_with_theirs(workspace: Workspace) -> None:
    left(workspace, "pilot", failed=3, passed=7, half_even=2, down=1)
    left(workspace, "rest", failed=1, passed=4, down=4)
    assert back_test_of(workspace, COHORTS) == {
        "invoices": 15,
        "reproduced": 11,
        "better_rules": [
            {"rule": "rounding: down", "more": 5, "cohorts": {"pilot": 1, "rest": 4}},
            {"rule": "rounding: half_even", "more": 2, "cohorts": {"pilot": 2}},
        ],
    }


def test_a_cohort_that_was_tested_on_another_snapshot_says_nothing(workspace: Workspace) -> None:
    left(workspace, "pilot", failed=3, passed=7, down=1)
    left(workspace, "rest", failed=9, passed=0, snapshot="S0", half_even=9)
    found = back_test_of(workspace, COHORTS)
    assert found is not None and (found["invoices"], found["reproduced"]) == (10, 7)
    assert [r["rule"] for r in found["better_rules"]] == ["rounding: down"]


def test_where_no_invoice_was_made_again_there_is_nothing_to_tell(workspace: Workspace) -> None:
    assert back_test_of(workspace, COHORTS) is None
    left(workspace, "pilot", failed=0, passed=0)
    assert back_test_of(workspace, COHORTS) is None


def printed(found: dict[str, Any] | None) -> str:
    out = Console(file=io.StringIO(), width=250, highlight=False)
    print_back_test(out, found)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_rules_that_would_fit_better_are_told_in_one_line(workspace: Workspace) -> None:
    left(workspace, "pilot", failed=3, passed=7, half_even=2)
    text = printed(back_test_of(workspace, COHORTS))
    assert "3 of 10 issued invoices are not made again" in text and "back_test.csv" in text
    assert "Rules that would fit better: rounding: half_even (2 more, in pilot)." in text
    left(workspace, "pilot", failed=0, passed=7)
    assert printed(back_test_of(workspace, COHORTS)) == printed(None) == ""
