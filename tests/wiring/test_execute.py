"""The order in which cohorts move, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.control import CHANGED_MEANWHILE, AssetStatus, Cohort
from migration_assets.domain.errors import BadInput
from migration_assets.plan.modes import MODES, Strategy
from migration_assets.wiring import execute
from migration_assets.wiring.execute import Chosen, Runner, in_waves
from migration_assets.wiring.results import PhaseResult
from migration_assets.wiring.stage_names import COHORT_STAGES

PLANNED = [
    Cohort(name="pilot", wave=0, position=0, customers=1, rows=1),
    Cohort(name="north", wave=1, position=1, customers=1, rows=1),
    Cohort(name="south", wave=1, position=2, customers=1, rows=1),
    Cohort(name="large", wave=2, position=3, customers=1, rows=1),
    Cohort(name="unassigned", wave=3, position=4, customers=0, rows=1),
]


class Recorded(Runner):
    """A runner that writes down what it is asked to run; `failing` pairs (job, cohort) do not pass."""

    asked: list[tuple[str, str | None]]
    failing: set[tuple[str, str]]

    def phase(self, job: str, *, cohort: str | None = None, tags: Mapping[str, str] | None = None) -> PhaseResult:
        self.asked.append((job, cohort))
        ok = (job, cohort) not in self.failing
        return PhaseResult(ok, None if ok else "somewhere", None, (), rows_written=7 if ok else 0)


def runner(strategy: Strategy, *failing: tuple[str, str]) -> Recorded:
    record = SimpleNamespace(snapshot="s", as_of=datetime(2026, 6, 30, tzinfo=UTC))
    control = SimpleNamespace(
        current_record=lambda _: record,
        real_record=lambda _: record,
        cohorts=lambda _: tuple(PLANNED),
        status=lambda *_: (),
        ever_checked=lambda _: set(),
    )
    rules = [SimpleNamespace(name=c.name, wave=c.wave, buckets=0) for c in PLANNED[:-1]]
    file, cohorts = SimpleNamespace(strategy=strategy), SimpleNamespace(cohorts=rules)
    plan = SimpleNamespace(name="p", file=file, cohorts=cohorts, mode=MODES[strategy])
    nobody = PostgresTarget("postgresql+psycopg://127.0.0.1:1/nothing")
    workspace: Any = SimpleNamespace(
        plan=plan, control=control, record=lambda: record, frozen_basis=lambda: record, target=nobody
    )
    nothing: Any = None
    made = Recorded(workspace, nothing, nothing)
    object.__setattr__(made, "asked", [])
    object.__setattr__(made, "failing", set(failing))
    return made


def moved(made: Recorded) -> list[str | None]:
    """Cohorts in the order in which each was first taken up."""
    return list(dict.fromkeys(cohort for _, cohort in made.asked if cohort is not None))


def test_cohorts_of_a_wave_go_together_and_what_belongs_to_nobody_after_all_others() -> None:
    assert in_waves(PLANNED) == [["pilot"], ["north", "south"], ["large"], ["unassigned"]]
    assert in_waves(PLANNED[-1:]) == [["unassigned"]]
    assert in_waves([]) == []


def test_waves_follow_each_other_and_every_cohort_moves_once() -> None:
    made = runner("phased")
    summary = made.migrate()
    assert moved(made) == ["pilot", "north", "south", "large", "unassigned"]
    assert summary.ok and list(summary.cohorts) == names()
    whole = [("cohort_phase", n) for n in names()[:-1]]
    assert made.asked[1:-2] == whole
    # What belongs to nobody is made ready beside the last wave, and loaded when all others are.
    assert made.asked[-2:] == [("cohort_preparation", "unassigned"), ("cohort_arrival", "unassigned")]
    assert summary.rows_written == 7 * 7


def test_what_belongs_to_nobody_is_not_loaded_when_it_could_not_be_made_ready() -> None:
    made = runner("phased", ("cohort_preparation", "unassigned"))
    summary = made.migrate()
    assert made.asked[-1] == ("cohort_preparation", "unassigned")
    assert [name for name, phase in summary.cohorts.items() if not phase.ok] == ["unassigned"]


def test_a_pilot_that_does_not_pass_holds_the_others_back() -> None:
    made = runner("phased", ("cohort_phase", "pilot"))
    summary = made.migrate()
    assert moved(made) == ["pilot"]
    assert not summary.ok and set(summary.cohorts) == {c.name for c in PLANNED}
    assert "pilot" in str(summary.cohorts["large"].reason) and "--cohort" in str(summary.cohorts["large"].reason)


def test_a_cohort_that_does_not_pass_holds_nobody_else_back() -> None:
    made = runner("phased", ("cohort_phase", "north"))
    summary = made.migrate()
    assert moved(made) == ["pilot", "north", "south", "large", "unassigned"]
    assert [name for name, phase in summary.cohorts.items() if not phase.ok] == ["north"]


def test_where_all_customers_move_in_one_wave_none_of_them_is_a_pilot() -> None:
    made = runner("phased", ("cohort_phase", "north"))
    one_wave = tuple(replace(c, wave=1) for c in PLANNED if c.name in ("north", "south"))
    made.workspace.control.cohorts = lambda _: (*one_wave, PLANNED[-1])
    made.migrate()
    assert moved(made) == ["north", "south", "unassigned"]


def test_a_named_cohort_moves_whatever_the_pilot_did() -> None:
    made = runner("phased", ("cohort_phase", "pilot"))
    assert made.migrate(cohorts=["large"]).ok and moved(made) == ["large"]


def test_a_cohort_that_others_handed_rows_to_is_loaded_once_more() -> None:
    made = runner("phased")
    states = iter([{"pilot": "never"}, {}])

    def status(*_: Any) -> tuple[AssetStatus, ...]:
        now = next(states)
        return tuple(standing(c, s, now.get(c, "passed")) for c in names() for s in COHORT_STAGES)

    made.workspace.control.status = status
    summary = made.migrate()
    assert made.asked[-1] == ("cohort_arrival", "pilot")
    assert moved(made) == names()
    assert summary.ok and summary.cohorts["pilot"].rows_written == 2 * 7


def test_a_cohort_that_did_not_pass_is_not_loaded_again() -> None:
    made = runner("phased", ("cohort_phase", "north"))
    made.workspace.control.status = lambda *_: tuple(standing("north", s, "failed") for s in COHORT_STAGES)
    made.migrate()
    assert moved(made) == names()


def test_a_big_bang_prepares_everybody_before_it_loads_anybody() -> None:
    made = runner("big_bang")
    assert made.migrate().ok
    names = [c.name for c in PLANNED]
    assert made.asked[1:] == [("cohort_preparation", n) for n in names] + [("cohort_arrival", n) for n in names]
    assert made.asked[-1] == ("cohort_arrival", "unassigned")


def test_a_big_bang_loads_nobody_when_one_is_not_ready() -> None:
    made = runner("big_bang", ("cohort_preparation", "south"))
    summary = made.migrate()
    assert {job for job, _ in made.asked} == {"global_phase", "cohort_preparation"}
    assert not any(phase.ok for phase in summary.cohorts.values())
    assert "south" in str(summary.cohorts["pilot"].reason)


@pytest.mark.parametrize("strategy", ["phased", "big_bang"])
def test_a_dry_run_never_reconciles(strategy: str) -> None:
    made = runner(strategy)
    assert made.migrate(tags={"cutover/dry_run": "true"}).ok
    assert {job for job, _ in made.asked} == {"global_phase", "cohort_dry_run"}


def test_when_the_pilot_has_passed_before_no_later_wave_holds_back_the_next() -> None:
    made = runner("phased", ("cohort_phase", "north"))

    def status(*_: Any) -> tuple[AssetStatus, ...]:
        done = {"pilot", *moved(made)}
        return tuple(standing(c, s, "passed" if c in done else "never") for c in names() for s in COHORT_STAGES)

    made.workspace.control.status = status
    made.migrate(resume=True)
    assert moved(made) == ["north", "south", "large", "unassigned"]


@pytest.mark.parametrize("state", ["failed", "stale", "never"])
def test_resuming_takes_every_cohort_of_which_one_stage_does_not_stand(state: str) -> None:
    made = runner("phased")
    open_ = {("south", "cleansed_customers"): state}
    stages = [standing(c, s, open_.get((c, s), "passed")) for c in names() for s in COHORT_STAGES]
    made.workspace.control.status = lambda *_: tuple(stages)
    made.migrate(resume=True)
    assert moved(made) == ["south"]


@pytest.mark.parametrize("tag", ["cutover/new_snapshot", "cutover/as_of"])
def test_a_dry_run_leaves_the_ground_that_cohorts_stand_on(tag: str) -> None:
    made = runner("phased")
    with pytest.raises(BadInput, match="cohorts stand on"):
        made.migrate(tags={"cutover/dry_run": "true", tag: "true"})
    assert made.asked == []
    made.workspace.control.current_record = made.workspace.control.real_record = lambda _: None
    made.migrate(tags={"cutover/dry_run": "true", tag: "true"})
    assert made.asked == [("global_phase", None)], "nothing stands on anything yet"


def test_a_cohort_that_the_plan_does_not_know_is_refused_by_name_before_anything_runs() -> None:
    made = runner("phased")
    for ask in (made.migrate, made.reconcile):
        with pytest.raises(BadInput, match=r"called 'nope'") as refused:
            ask(cohorts=["pilot", "nope"])
        assert refused.value.remedy == "The cohorts are: pilot, north, south, large, unassigned."
    assert made.asked == []


def names() -> list[str]:
    return [c.name for c in PLANNED]


def standing(cohort: str, asset: str, state: Any) -> AssetStatus:
    return AssetStatus(cohort, asset, state, 1, 1, (), None)


def test_in_a_hybrid_the_pilot_moves_first_and_then_all_others_or_none() -> None:
    made = runner("hybrid")
    summary = made.migrate()
    assert summary.ok and set(summary.cohorts) == set(names())
    rest = names()[1:]
    assert made.asked[1] == ("cohort_phase", "pilot")
    assert made.asked[2:6] == [("cohort_preparation", n) for n in rest]
    assert made.asked[6:] == [("cohort_arrival", n) for n in rest]


def test_in_a_hybrid_one_that_is_not_ready_holds_back_all_but_the_pilot() -> None:
    made = runner("hybrid", ("cohort_preparation", "large"))
    summary = made.migrate()
    assert [name for name, r in summary.cohorts.items() if r.ok] == ["pilot"]
    assert [a for a in made.asked if a[0] == "cohort_arrival"] == []


def test_in_a_hybrid_a_pilot_that_fails_holds_back_everybody() -> None:
    made = runner("hybrid", ("cohort_phase", "pilot"))
    assert not any(r.ok for r in made.migrate().cohorts.values())
    assert moved(made) == ["pilot"]


def test_in_parallel_cohorts_move_as_in_phases() -> None:
    made, phased = runner("parallel"), runner("phased")
    made.migrate()
    phased.migrate()
    assert made.asked == phased.asked


def test_only_chosen_cohorts_run_and_one_that_stands_is_loaded_when_it_was_handed_rows() -> None:
    made = runner("phased")
    received = AssetStatus("south", "loaded_target", "never", 0, 0, (), None)
    states = iter([(received,), ()])
    object.__setattr__(made.workspace.control, "status", lambda *_: next(states))
    summary = made.migrate(choose=lambda: Chosen(frozenset({"north"}), frozenset({"south"})))
    assert made.asked[1:] == [("cohort_phase", "north"), ("cohort_arrival", "south")]
    assert list(summary.cohorts) == ["north", "south"]


def handed_rows(made: Recorded, cohort: str) -> None:
    """What was found of the cohort's load is withdrawn, until it is loaded again."""
    received = AssetStatus(cohort, "loaded_target", "never", 0, 0, (), None)
    states = iter([(received,), ()])
    object.__setattr__(made.workspace.control, "status", lambda *_: next(states))


def test_a_cohort_that_another_load_changed_while_it_was_looked_at_is_loaded_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, refused = runner("phased"), iter([f"cohort `south` {CHANGED_MEANWHILE}"])
    phase = Recorded.phase

    def once_refused(self: Recorded, job: str, *, cohort: str | None = None, **more: Any) -> PhaseResult:
        found = phase(self, job, cohort=cohort, **more)
        why = next(refused, None) if cohort == "south" else None
        return found if why is None else PhaseResult(False, "reconciliation", why, (), rows_written=7)

    monkeypatch.setattr(Recorded, "phase", once_refused)
    handed_rows(made, "south")
    summary = made.migrate()
    assert made.asked[-1] == ("cohort_arrival", "south")
    assert summary.ok and summary.cohorts["south"].rows_written == 14


def test_a_cohort_that_failed_by_itself_is_not_tried_again() -> None:
    made = runner("phased", ("cohort_phase", "south"))
    handed_rows(made, "south")
    assert not made.migrate().ok
    assert ("cohort_arrival", "south") not in made.asked


def test_a_repair_loads_those_again_that_it_hands_rows_to() -> None:
    made = runner("phased")
    handed_rows(made, "north")
    done = made.repair(["north", "south"], {})
    assert made.asked == [("cohort_arrival", c) for c in ("north", "south", "north")]
    assert all(r.ok for r in done.values())


def test_who_was_taken_back_comes_again_only_when_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "taken_back", lambda _, cohorts: {"south"} & set(cohorts))
    states = [AssetStatus(n, "loaded_target", "never", 0, 0, (), None) for n in ("north", "south")]
    for named, expected in (((), ["north"]), (("south",), ["south"])):
        made = runner("phased")
        given = [s for s in states if not named or s.cohort in named]
        object.__setattr__(made.workspace.control, "status", lambda *_, given=given: tuple(given))
        made.migrate(cohorts=named, resume=True)
        assert [c for c in moved(made) if c != "unassigned"] == expected
