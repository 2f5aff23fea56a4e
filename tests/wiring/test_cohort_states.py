"""How far a cohort is, in one word."""

from __future__ import annotations

import pytest

from migration_assets.control import ControlDatabase, migrate
from migration_assets.wiring.cohort_states import place_of
from migration_assets.wiring.stage_names import COHORT_STAGES

CASES = [
    ({}, None, False, "verified", ""),
    (dict.fromkeys(COHORT_STAGES, "never"), None, False, "waiting", "nothing of it is in the target"),
    (dict.fromkeys(COHORT_STAGES, "stale"), "verified", False, "applied", "its rows are in the target"),
    ({"cleansed_customers": "failed"}, None, False, "waiting", "it stopped at cleansed_customers"),
    ({"cleansed_customers": "failed"}, "verified", False, "waiting", "what was loaded before is still in the target"),
    ({"loaded_target": "never", "reconciliation": "never"}, None, False, "planned", "`cutover run --resume`"),
    ({"loaded_target": "never", "reconciliation": "never"}, None, True, "applying", "wait for it"),
    ({"loaded_target": "never", "reconciliation": "never"}, "applied", False, "applied", "not noted as loaded"),
    ({"reconciliation": "never", "verified_billing": "never"}, "applied", False, "applied", "not compared yet"),
    ({"reconciliation": "failed"}, "differs", False, "differs", "reconciliation stands against them"),
    ({"verified_billing": "failed"}, "differs", False, "differs", "verified_billing stands against them"),
    ({"reconciliation": "waived"}, "verified", False, "verified", ""),
    ({"reconciliation": "never"}, "verified", True, "working", "wait for it"),
]


@pytest.mark.parametrize(("states", "said", "at_work", "place", "told"), CASES)
def test_a_place_and_what_to_do(states: dict[str, str], said: str | None, at_work: bool, place: str, told: str) -> None:
    found, then = place_of({**dict.fromkeys(COHORT_STAGES, "passed"), **states}, said, at_work)
    assert found == place and (told in then if told else then == "")


def test_a_hidden_cohort_says_so_whatever_its_place() -> None:
    stages = dict.fromkeys(COHORT_STAGES, "passed")
    assert place_of(stages, "verified", False) == ("verified", "")
    place, then = place_of(stages, "verified", False, hidden=["differs"])
    assert place == "verified" and then.startswith("readers of the target do not see it")
    place, then = place_of({**stages, "reconciliation": "failed"}, "differs", False, hidden=["differs"])
    assert place == "differs" and "mend it and reconcile again; readers of the target do not see it" in then


@pytest.mark.postgres
def test_a_cohort_is_at_work_while_a_run_holds_it(database: str) -> None:
    migrate(database)
    control = ControlDatabase(database)
    assert control.at_work(["pilot", "rest"]) == frozenset()
    with control.cohort_lock("pilot"):
        assert control.at_work(["pilot", "rest"]) == {"pilot"}
    assert control.at_work(["pilot", "rest"]) == frozenset()


def test_a_cohort_of_which_packages_are_outstanding_says_so() -> None:
    stages = dict.fromkeys(COHORT_STAGES, "missing")
    place, then = place_of(stages, "applied", False, hidden=["incomplete"])
    assert place == "applying" and "packages of it are outstanding" in then and "--resume" in then
    assert place_of(stages, "applied", True, hidden=["incomplete"])[1] == "a run is at work on it: wait for it"
