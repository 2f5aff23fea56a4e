"""Dagster's GraphQL over one plan's definitions, answered in this process: what the webserver would say and do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.client.query import LAUNCH_PIPELINE_EXECUTION_MUTATION
from dagster_graphql.test.utils import execute_dagster_graphql
from world import World

# The repository's own `definitions` stand in the repository; these stand in the root under test.
DEFINITIONS = """
import os
from pathlib import Path
from migration_assets.definitions import build_definitions
from migration_assets.wiring.environment import current
from migration_assets.wiring.workspace import open_workspace
definitions = build_definitions(open_workspace(current(Path(__file__).parent, dict(os.environ))))
"""
LAUNCHER = {"module": "dagster._core.launcher.sync_in_memory_run_launcher", "class": "SyncInMemoryRunLauncher"}


@dataclass(frozen=True)
class Client:
    """`process` holds the loaded definitions and the instance."""

    process: WorkspaceProcessContext

    def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        answer = execute_dagster_graphql(self.process.create_request_context(), query, dict(variables))
        assert answer.data, answer.errors
        found: dict[str, Any] = answer.data
        return found

    def materialize(self, asset: str, cohort: str) -> str:
        """What the button `Materialize selected` sends; the run is taken from the queue at once. Its id."""
        selector = {
            "repositoryLocationName": self._location,
            "repositoryName": "__repository__",
            "pipelineName": "cohort_phase",
            "assetSelection": [{"path": [asset]}],
        }
        tags = [{"key": "dagster/partition", "value": cohort}]
        given = {"executionParams": {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}}
        answer = self.ask(LAUNCH_PIPELINE_EXECUTION_MUTATION, given)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        run_id = str(answer["run"]["runId"])
        instance = self.process.instance
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status == dg.DagsterRunStatus.QUEUED:
            instance.launch_run(run_id, self.process.create_request_context())
        return run_id

    @property
    def _location(self) -> str:
        return self.process.create_request_context().code_locations[0].name


@contextmanager
def graphql(world: World) -> Iterator[Client]:
    """A client for one plan; runs that it launches happen in this process."""
    environment = world.workspace.environment
    file = environment.root / "definitions_under_test.py"
    Path(file).write_text(DEFINITIONS, encoding="utf-8")
    target = LoadableTargetOrigin(python_file=str(file), working_directory=str(environment.root))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.variables.items():
            patch.setenv(name, value)
        ref = InstanceRef.from_dir(str(environment.root), overrides={"run_launcher": LAUNCHER})
        with (
            dg.DagsterInstance.from_ref(ref) as instance,
            WorkspaceProcessContext(
                instance, InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(target, location_name="here"))
            ) as process,
        ):
            yield Client(process)
