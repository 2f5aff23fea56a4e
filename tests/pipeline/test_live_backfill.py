"""A backfill over GraphQL, as the button in Dagster starts it: real webserver, real daemon, a run for each cohort."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
from graphql_client import DEFINITIONS
from world import World

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

PATIENCE = 240
WHERE = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
LAUNCH = """mutation Launch($backfill: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $backfill) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query Status($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status } } }"""
DONE = {"COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED"}


def test_a_backfill_moves_each_cohort_in_a_run_of_its_own_two_at_a_time(
    small: World, small_run: Summary, tmp_path: Path
) -> None:
    assert small_run.ok
    cohorts = ["pilot", "base_01", "unassigned"]
    with served(small, tmp_path) as ask:
        launched = ask(LAUNCH, {"backfill": _of_cohorts(ask, cohorts)})["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        backfill = launched["backfillId"]
        status = _until(lambda: _status(ask, backfill), lambda s: s in DONE, "the backfill")
    runs = small.instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    assert status == "COMPLETED_SUCCESS", [(r.dagster_run.status, _said(small, r.dagster_run.run_id)) for r in runs]
    assert sorted(r.dagster_run.tags["dagster/partition"] for r in runs) == sorted(cohorts)
    spans = [(r.start_time, r.end_time) for r in runs]
    at_once = [sum(start <= begun < end for start, end in spans) for begun, _ in spans]
    assert max(at_once) <= 2, spans
    ids = {r.dagster_run.run_id for r in runs}
    for cohort in cohorts:
        found = small.workspace.control.verdicts(cohort, "reconciliation")
        assert found and all(v.run_id in ids and not v.blocks for v in found)


Ask = Callable[[str, Mapping[str, Any]], dict[str, Any]]


@contextmanager
def served(world: World, folder: Path) -> Iterator[Ask]:
    """Webserver and daemon over the plan under test; gives a function that asks them by GraphQL."""
    environment = world.workspace.environment
    file = environment.root / "definitions_under_test.py"
    file.write_text(DEFINITIONS, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ["-f", str(file), "-d", str(environment.root)]
    commands = [
        [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *place],
        [sys.executable, "-m", "dagster._daemon", "run", *place],
    ]
    given = {**environment.variables, **environment.exports, "DAGSTER_HOME": str(environment.root)}
    with (folder / "served.log").open("wb") as log:
        # In the root, because Dagster reads the `.env` of the folder it is started in.
        started = [subprocess.Popen(c, cwd=environment.root, env=given, stdout=log, stderr=log) for c in commands]
        try:
            address = f"http://127.0.0.1:{port}"
            _until(lambda: _up(address), bool, "the webserver")
            yield lambda query, variables: _asked(address, query, variables)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(30)


def _up(address: str) -> bool:
    try:
        return requests.get(f"{address}/server_info", timeout=5).ok
    except requests.ConnectionError:
        return False


def _asked(address: str, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    answer = requests.post(f"{address}/graphql", json={"query": query, "variables": dict(variables)}, timeout=60).json()
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]
    return found


def _of_cohorts(ask: Ask, cohorts: list[str]) -> dict[str, Any]:
    (repository,) = ask(WHERE, {})["repositoriesOrError"]["nodes"]
    return {
        "selector": {
            "partitionSetName": "cohort_phase_partition_set",
            "repositorySelector": {
                "repositoryName": repository["name"],
                "repositoryLocationName": repository["location"]["name"],
            },
        },
        "partitionNames": cohorts,
    }


def _status(ask: Ask, backfill: str) -> str:
    return str(ask(STATUS, {"id": backfill})["partitionBackfillOrError"]["status"])


def _said(world: World, run_id: str) -> str:
    failures = world.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return " ".join(f.user_message for f in failures)


def _until(look: Callable[[], Any], good: Callable[[Any], bool], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < end, f"{what} was not ready in {PATIENCE} s: {seen}"
        time.sleep(1)
    return seen
