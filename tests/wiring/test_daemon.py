"""Dagster's own queue daemon repeats nothing, and says everything that is new."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from migration_assets.wiring.daemon import QUEUE, WATCH, say_only_news
from migration_assets.wiring.processes import _daemon

FULL = {"concurrency": {"runs": {"max_concurrent_runs": 0}}}


@pytest.fixture
def queue() -> Iterator[logging.Logger]:
    loggers = [logging.getLogger(name) for name in (QUEUE, WATCH)]
    before = [list(logger.filters) for logger in loggers]
    say_only_news()
    yield loggers[0]
    for logger, filters in zip(loggers, before, strict=True):
        logger.filters = filters


def test_that_no_more_runs_fit_is_said_once(
    queue: logging.Logger, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, logger=QUEUE)
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=5)
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=FULL) as instance:
        for _ in range(3):
            assert daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None) == []
    assert [m for m in caplog.messages if "currently in progress" in m] == [
        "0 runs are currently in progress. Maximum is 0, won't launch more."
    ]


def test_what_changes_is_said_and_what_is_wrong_is_said_each_time(
    queue: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=QUEUE)
    for count in (2, 2, 1, 2):
        queue.info("%d runs", count)
    for _ in range(2):
        queue.warning("no server")
    assert caplog.messages == ["2 runs", "1 runs", "2 runs", "no server", "no server"]


def test_each_run_that_is_watched_over_is_named_once(queue: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    watch = logging.getLogger(WATCH)
    caplog.set_level(logging.INFO, logger=WATCH)
    for _ in range(2):
        for run in ("a", "b"):
            watch.info("Checking run %s", run)
        watch.warning("run a is lost")
    assert caplog.messages == ["Checking run a", "Checking run b", "run a is lost", "run a is lost"]


def test_the_daemon_that_the_ui_starts_is_dagsters() -> None:
    _, *arguments = _daemon()
    module = arguments[: arguments.index("run")]
    said = subprocess.run([sys.executable, *module, "run", "--help"], capture_output=True, text=True, check=True)
    assert "daemon" in said.stdout.lower()
    assert all(option in said.stdout for option in arguments if option.startswith("--"))
