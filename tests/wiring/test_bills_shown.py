"""What the page of `shadow_billing` says at a glance, and of all cohorts together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.control import Basis, verdicts_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.comparison import (
    _DIFFERENCES,
    _FORECAST,
    RENEWALS,
    TOTALS,
    Comparison,
    nothing_compared,
)
from migration_assets.wiring.bill_totals import bills_of_all, compared_cohorts
from migration_assets.wiring.bill_views import bills_shown
from migration_assets.wiring.workspace import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAGE = "verified_billing"
COHORTS = ("pilot", "rest", "late")
PASSED: Any = SimpleNamespace(
    check="forecast_once", severity="critical", passed=True, evaluated=True, rows_checked=1, unexpected=0,
    sample_keys=(), detail="", amount_minor={},
)  # fmt: skip


def contract(name: str, currency: str, old: int, new: int, **more: int) -> dict[str, Any]:
    counts = {f.name: 0 for f in _FORECAST if f.type == pa.int64()}
    told = {"contract_id": name, "currency": currency, "legacy_minor": old, "target_minor": new, "proved": True}
    return {**counts, "legacy_bills": 12, "target_bills": 12, **told, **more}


def difference(name: str, cause: str, status: str, currency: str, minor: int) -> dict[str, Any]:
    return {
        "contract_id": name, "cycle": 1, "cause": cause, "currency": currency, "starts_at": NOW, "billed_by": "both",
        "line_kinds": "recurring", "status": status, "signed_by": "Finance" if status == "signed" else None,
        "difference_minor": minor, "at_stake_minor": abs(minor),
    }  # fmt: skip


FORECAST = pa.Table.from_pylist(
    [
        contract("a", "EUR", 120_000, 119_999, signed_bills=1, signed_minor=1),
        contract("b", "JPY", 9_000, 9_300, unsigned_bills=1, unsigned_minor=300),
        contract("c", "EUR", 50, 50),
    ],
    _FORECAST,
)
DIFFERENCES = pa.Table.from_pylist(
    [difference("a", "tax_at", "signed", "EUR", -1), difference("b", "unexplained", "unsigned", "JPY", 300)],
    _DIFFERENCES,
)


def test_what_matters_is_text_and_numbers_and_not_a_table() -> None:
    with DuckDBEngine() as engine:
        shown = bills_shown(
            engine,
            Comparison(*map(engine.table, (FORECAST, DIFFERENCES, TOTALS.empty_table(), RENEWALS.empty_table()))),
            {},
        )
    plain = {name: value for name, value in shown.items() if isinstance(value, str | int)}
    assert list(shown)[: len(plain)] == list(plain), "tables come after it"
    assert plain == {
        "next bills": "1 of 3 contracts the same to the minor unit, 36 bills; bills that differ: 1 as signed, 0 for "
        "rejected rows, 1 that nobody signed for; 0 contracts whose issued invoices the old rules do not make",
        "bills that differ, signed for": 1,
        "bills that differ, nobody signed for it": 1,
        "bills that differ, due to rejected rows": 0,
        "money at stake, signed for": "0.01 EUR",
        "money at stake, nobody signed for it": "300 JPY",
        "money at stake, due to rejected rows": "none",
        "causes with the most bills": "no declared rule explains it (unexplained): 1, nobody signed for it; "
        "taxed by line or by invoice (tax_at): 1, signed for",
    }
    assert "| signed for | taxed by line or by invoice (tax_at) |" in shown["why bills differ"].value


def test_where_nothing_differs_it_says_so() -> None:
    with DuckDBEngine() as engine:
        shown = bills_shown(engine, nothing_compared(engine), {})
    assert shown["causes with the most bills"] == "none: all bills are the same"
    assert shown["money at stake, nobody signed for it"] == "none"


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    """A plan of three cohorts, of which two were compared on this basis."""
    ran: Workspace = made()
    ran.__dict__["suites"] = {}
    digest = ran.plan.digest
    record = ran.control.freeze_record(
        plan="coded", snapshot="S1", as_of=NOW, plan_digest=digest, strategy="waves", now=NOW
    )
    ran.control.set_cohorts(record, [(name, 0, place, 1, 1) for place, name in enumerate(COHORTS)])
    for cohort, snapshot in (("pilot", "S1"), ("rest", "S1"), ("late", "S0")):
        with ran.engine() as engine:
            engine.write(engine.table(FORECAST), ran.store.file(STAGE, cohort, "forecast"))
        basis = Basis(snapshot, digest, NOW, {})
        ran.control.save_verdicts(verdicts_of(cohort, STAGE, basis, [PASSED], "run", NOW))
    return ran


def test_all_cohorts_that_were_compared_are_beside_each_other_with_their_sum(workspace: Workspace) -> None:
    basis = Basis("S1", workspace.plan.digest, NOW, {})
    assert compared_cohorts(workspace, basis, STAGE) == (["pilot", "rest"], ["late"])
    with workspace.engine() as engine:
        call: Any = SimpleNamespace(workspace=workspace, basis=basis, engine=engine, plan=workspace.plan)
        shown = bills_of_all(call, STAGE)
    assert shown["all cohorts so far"] == (
        "72 bills of 6 contracts in 2 cohorts; bills that differ: 2 as signed, 0 for rejected rows, 2 that nobody "
        "signed for; not among them yet: late"
    )
    assert shown["next bills by cohort"].value.splitlines()[2:] == [
        "| pilot | 3 | 36 | 1 | 0 | 1 |",
        "| rest | 3 | 36 | 1 | 0 | 1 |",
        "| all 2 | 6 | 72 | 2 | 0 | 2 |",
    ]
    assert shown["money of all cohorts"].value.splitlines()[2:] == [
        "| EUR | 2,401.00 EUR | 2,400.98 EUR | -0.02 EUR | 0.00 EUR |",
        "| JPY | 18,000 JPY | 18,600 JPY | 600 JPY | 600 JPY |",
    ]
