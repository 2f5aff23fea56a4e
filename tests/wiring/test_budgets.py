"""Whether a wave bears those whom nobody signed for, cohort by cohort as they come."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from plan_in_code import plan_of, table_of

from migration_assets.control import Basis, ControlDatabase, migrate
from migration_assets.plan.access_models import Budget
from migration_assets.plan.billing_models import Billing
from migration_assets.stages.shadow.budget import Share
from migration_assets.wiring.budgets import borne, carry_share
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.environment import Environment
from migration_assets.wiring.workspace import Workspace

AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
ONE, NONE = Share({"EUR": 1}, {"EUR": 100}), Share()
Ask = Callable[..., tuple[bool, str]]


def budget(customers: int) -> Budget:
    told = {"at_most_customers": customers, "reason": "looked into by hand"}
    return Budget.model_validate({**told, "signed_by": "RevOps", "signed_on": "2026-06-01"})


@pytest.fixture
def workspace(server: str, database: str, tmp_path: Path) -> Workspace:
    migrate(database)
    plan = plan_of({"crm.a": table_of(None)})
    workspace = Workspace(plan, Environment(tmp_path, plan.name, tmp_path / "home", server))
    workspace.__dict__["control"] = ControlDatabase(database)
    return workspace


@pytest.fixture
def ask(workspace: Workspace) -> Ask:
    """`borne` for a cohort of a migration whose wave 1 is a, b and c and whose wave 2 is d."""
    plan = workspace.plan

    def freeze(snapshot: str) -> None:
        record = workspace.control.freeze_record(
            plan=plan.name, snapshot=snapshot, as_of=AS_OF, plan_digest=plan.digest, strategy="phased", now=AS_OF
        )
        waves = [("a", 1), ("b", 1), ("c", 1), ("d", 2)]
        workspace.control.set_cohorts(record, [(name, wave, 0, 1, 1) for name, wave in waves])

    def asked(
        cohort: str, share: Share, *, whole: int | None = 2, own: int | None = None, snapshot: str = "S1"
    ) -> tuple[bool, str]:
        freeze(snapshot)
        nothing: Any = None
        allowed = {"budget": own and budget(own), "wave_budget": whole and budget(whole)}
        billing = Billing.model_construct(**allowed)
        with workspace.engine() as engine:
            call = StageCall(workspace, engine, cohort, {}, lambda _: None, "run", nothing)
            return borne(call, billing, "shadow_billing", share)

    return asked


def test_a_wave_stops_once_its_cohorts_are_over_its_budget_together(ask: Ask) -> None:
    assert ask("a", ONE) == (True, "")
    assert ask("b", ONE) == (True, "")
    borne_by, told = ask("c", ONE)
    assert not borne_by and told == "wave 1 is over its budget: 3 customers of its cohorts by now"
    # Run again, the first is one of three as well; a cohort that hits nobody goes on, and another wave has its own.
    assert ask("a", ONE)[0] is False
    assert ask("c", NONE) == (True, "")
    assert ask("d", ONE) == (True, "")
    # What was mended is no longer counted.
    assert ask("a", ONE) == (True, "")


def test_what_stood_on_another_snapshot_does_not_count(ask: Ask) -> None:
    for cohort in "ab":
        assert ask(cohort, ONE)[0]
    assert ask("c", ONE, snapshot="S2") == (True, "")


def test_a_cohort_whose_rows_did_not_change_still_counts_on_the_next_snapshot(ask: Ask, workspace: Workspace) -> None:
    for cohort in "ab":
        assert ask(cohort, ONE)[0]
    before, after = (Basis(snapshot, workspace.plan.digest, AS_OF) for snapshot in ("S1", "S2"))
    for cohort in "abd":
        carry_share(workspace, cohort, before, after)
    assert ask("c", ONE, snapshot="S2")[0] is False
    assert ask("d", ONE, snapshot="S2") == (True, "")


def test_a_cohort_has_to_be_within_its_own_budget_too(ask: Ask) -> None:
    two = Share({"EUR": 2}, {"EUR": 100})
    assert ask("a", two, own=1) == (False, "")
    assert ask("a", two, own=2) == (True, "")
    assert ask("a", two, own=2, whole=None) == (True, "")
    assert ask("a", ONE, own=None, whole=None) == (False, "")


def test_of_cohorts_at_once_no_more_go_on_than_fit(ask: Ask) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda cohort: ask(cohort, ONE)[0], "abc"))
    assert sum(found) == 2
