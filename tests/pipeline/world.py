"""A root of its own for each migration under test: reviewed files copied, server shared, everything else real.

Belongs here: how tests set a migration up, run it, call the command line and look into its databases. What should be
true of the result is in the tests.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner

from migration_assets import cli, terminal
from migration_assets.connectors.databases import drop_database, ensure_database
from migration_assets.control import migrate
from migration_assets.definitions import build_definitions
from migration_assets.demo import Legacy, fill
from migration_assets.quality.run import run_suite
from migration_assets.stages.shadow import assets as shadow
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.environment import prepare
from migration_assets.wiring.execute import QUIET, Runner
from migration_assets.wiring.results import PhaseResult, Summary, summed_up
from migration_assets.wiring.workspace import Workspace, open_workspace

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASES = ("dagster", "control", "target", "legacy_crm", "legacy_erp")


@dataclass(frozen=True)
class World:
    """One plan, set up and open: its workspace, its Dagster instance and the runner the command line uses."""

    workspace: Workspace
    instance: dg.DagsterInstance
    runner: Runner

    def migrate(self, *cohorts: str, **tags: str) -> Summary:
        """The global phase and these cohorts, or all; tags without their prefix."""
        return self.runner.migrate(cohorts=cohorts, tags={f"cutover/{name}": value for name, value in tags.items()})

    def materialize(self, asset: str, cohort: str) -> PhaseResult:
        """One asset of one cohort alone, as somebody clicks it in Dagster."""
        job = build_definitions(self.workspace).resolve_job_def("cohort_phase")
        done = job.execute_in_process(
            partition_key=cohort,
            asset_selection=[dg.AssetKey(asset)],
            instance=self.instance,
            raise_on_error=False,
            run_config=QUIET,
        )
        return summed_up(done)

    def found(self, asset: str, cohort: str) -> dict[str, str]:
        """Critical checks that an asset fails now, and why, whatever the verdicts upstream say; nothing is stored."""
        spec = next(s for s in shadow.specs(self.workspace) if s.name == asset)
        with self.workspace.engine() as engine:
            call = StageCall(self.workspace, engine, cohort, {}, lambda _: None, "looked at", self.instance)
            output = spec.compute(call)
            results = run_suite(spec.suite, output.tables, may_be_empty=set(output.may_be_empty), partition=cohort)
        return {r.check: r.detail for r in results if not r.passed and r.severity == "critical"}

    def reopened(self) -> World:
        """The same migration after somebody has changed the plan's files."""
        workspace = open_workspace(self.workspace.environment)
        return World(workspace, self.instance, runner_of(workspace, self.instance))

    def report(self, cohort: str) -> dict[str, Any]:
        """What the last reconciliation of a cohort said."""
        path = self.workspace.store.folder("reconciliation", cohort) / "report.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def target(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the target, or of what a statement returns; committed."""
        return asked(self.workspace.target_url, query)

    def control(self, query: str) -> list[tuple[Any, ...]]:
        return asked(self.workspace.environment.control_url, query)


def runner_of(workspace: Workspace, instance: dg.DagsterInstance) -> Runner:
    """The runner of the command line, without processes beside it."""
    return Runner(workspace, instance, build_definitions(workspace))


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of one query; its changes, if any, are committed."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def make_root(folder: Path) -> Path:
    """A root without plans: the expectations and Dagster's own files, as in the repository."""
    shutil.copytree(REPOSITORY / "expectations", folder / "expectations")
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def add_plan(root: Path, original: str, name: str, cohorts: str) -> Path:
    """A copy of one of the repository's plans under another name, with cohorts of the test's own."""
    folder = root / "plans" / name
    shutil.copytree(REPOSITORY / "plans" / original, folder)
    change(folder / "plan.yaml", f"name: {original}\n", f"name: {name}\n")
    (folder / "cohorts.yaml").write_text(cohorts, encoding="utf-8")
    return folder


def change(file: Path, old: str, new: str, count: int = 1) -> None:
    """Replace a text that stands in the file exactly so often, so that a test cannot go stale unseen."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == count, f"{file.name} has {old!r} {text.count(old)} times, not {count}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def filled_with(legacy: Legacy) -> Callable[[Workspace], None]:
    """What puts a made-up company into the two old systems of a workspace; for `opened`, before anything runs."""

    def fill_legacy(workspace: Workspace) -> None:
        environment = workspace.environment
        for name in ("legacy_crm", "legacy_erp"):
            ensure_database(environment.server_url, f"{environment.plan}_{name}")
        fill(legacy, crm_url=environment.database("legacy_crm"), erp_url=environment.database("legacy_erp"))

    return fill_legacy


@contextmanager
def opened(
    root: Path,
    plan: str,
    server: str,
    variables: Mapping[str, str] | None = None,
    before: Callable[[Workspace], None] = lambda _: None,
) -> Iterator[World]:
    """The plan set up on the session's server; its databases go when the block ends."""
    given = {**os.environ, "CUTOVER_DATABASE_URL": server, **(variables or {})}
    environment = prepare(root, plan, given)
    migrate(environment.control_url)
    workspace = open_workspace(environment)
    before(workspace)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.exports.items():
            patch.setenv(name, value)
        instance = dg.DagsterInstance.from_config(str(root))
        # Made on first use, from variables that are another plan's by then.
        assert instance.compute_log_manager and instance.schedule_storage
    try:
        with instance:
            yield World(workspace, instance, runner_of(workspace, instance))
    finally:
        for database in DATABASES:
            drop_database(server, f"{plan}_{database}")


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    exit_code: int
    out: str
    err: str


def command(root: Path, server: str, *arguments: str, **variables: str) -> Answer:
    """Call `cutover` in this process, as if the program stood in this root."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())
        patch.setattr(cli, "ROOT", root)
        patch.setattr(sys, "argv", ["cutover", *arguments])
        patch.setattr(terminal.out, "file", None)
        looks = gc.get_threshold()
        try:
            done = CliRunner().invoke(
                cli.main, arguments, env={"CUTOVER_DATABASE_URL": server, **variables}, catch_exceptions=False
            )
        finally:
            # A command has its process to itself; this one goes on.
            gc.unfreeze()
            gc.set_threshold(*looks)
    return Answer(done.exit_code, done.stdout, done.stderr)


def target_ids(world: World, key: str) -> list[tuple[Any, ...]]:
    """Ids in the target of a source row, named as `crm.accounts/A-1`."""
    table, _, source_id = key.partition("/")
    system, _, name = table.partition(".")
    return world.target(
        f"select target_id from cutover.crosswalk where entity = 'customer' and source_system = '{system}'"
        f" and source_table = '{name}' and source_id = '{source_id}'"
    )
