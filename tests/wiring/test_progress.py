"""While a run goes, people see where it is: one line on a terminal, a line for each finished step elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import dagster as dg
from rich.console import Console

from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.jobs import cohort_arrival, cohort_dry_run, cohort_phase, cohort_preparation, global_phase
from migration_assets.wiring.lanes import processes_beside
from migration_assets.wiring.progress import Begun, Course, Told, progress_to, tell
from migration_assets.wiring.progress_views import shown_progress
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES, STAGES_OF

COPY = Told(GLOBAL, "golden_copy", "reading crm.[accounts]")
COPIED = Told(GLOBAL, "golden_copy", "done", 4.06)
LOADING = Told("pilot", "loaded_target", "started")
STOPPED = Told("pilot", "loaded_target", "stopped", 0.5)


def shown(*, terminal: bool) -> str:
    out = Console(file=io.StringIO(), width=120, force_terminal=terminal)
    with shown_progress(out) as (begin, hear):
        begin(Begun("global phase", steps=6))
        hear(COPY)
        hear(COPIED)
        begin(Begun("pilot", 1, 3, steps=7))
        hear(LOADING)
        hear(STOPPED)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_elsewhere_each_finished_step_is_one_line_with_its_seconds() -> None:
    assert shown(terminal=False).splitlines() == [
        "global phase",
        "  1/6 golden_copy: done, 4.1 s",
        "pilot (1/3)",
        "  2/13 pilot loaded_target: stopped, 0.5 s",
    ]


def test_on_a_terminal_one_line_names_cohort_and_stage_how_many_are_done_and_the_time() -> None:
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(terminal=True))
    frames = [line.strip() for line in re.split(r"[\r\n]", said) if line.strip()]
    assert any(re.search(r"golden_copy +reading crm.\[accounts\].* 0/6 +0:00:00$", f) for f in frames)
    assert any(re.search(r"pilot loaded_target +started.* 1/13 +0:00:00$", f) for f in frames)
    assert re.search(r"2/13 +0:00:00$", frames[-1])


def test_what_is_at_work_is_known_until_it_has_ended() -> None:
    course = (
        Course().begun(Begun("3 cohorts", steps=21)).told(LOADING).told(Told("rest", "cleansed_customers", "started"))
    )
    assert [t.place for t in course.at.values()] == ["pilot loaded_target", "rest cleansed_customers"]
    assert (course.done, course.steps) == (0, 21)
    course = course.told(STOPPED)
    assert [t.place for t in course.at.values()] == ["rest cleansed_customers"] and course.done == 1


def speaker(said: Callable[[Told], None]) -> Callable[[str], None]:
    def work(partition: str) -> None:
        with progress_to(said):
            tell(Told(partition, "loaded_target", "done", 1.0))

    return work


def test_processes_beside_are_heard_too() -> None:
    heard: list[Told] = []
    with processes_beside(1, speaker, heard.append) as (process,):
        process.work("pilot")
    assert heard == [Told("pilot", "loaded_target", "done", 1.0)]


def test_the_steps_that_are_counted_are_those_that_run() -> None:
    assets = [dg.AssetSpec(name) for name in (*GLOBAL_STAGES, *COHORT_STAGES)]
    made = [dg.asset(name=spec.key.to_user_string())(lambda: None) for spec in assets]
    jobs = [global_phase(), cohort_phase(), cohort_preparation(), cohort_arrival(), cohort_dry_run()]
    definitions = dg.Definitions(assets=made, jobs=jobs)
    for job in jobs:
        keys = definitions.resolve_job_def(job.name).asset_layer.executable_asset_keys
        assert {k.to_user_string() for k in keys} == set(STAGES_OF[job.name]), job.name
