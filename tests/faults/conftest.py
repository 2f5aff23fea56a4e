"""Fixtures of the fault tests: the small migration, and what an undisturbed one leaves behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))  # for world and telco_rows
sys.path.insert(0, str(Path(__file__).parents[1] / "stages/load"))  # for target_world

from faulty_world import STEPS, Undisturbed, World, opened_world
from forked import forked
from steps import run_steps


@pytest.fixture(scope="session")
def faulty(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The small migration, with a name for each worker of the tests."""
    name = f"faulty_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with opened_world(tmp_path_factory.mktemp("faulty"), server, name) as world:
        yield world


# Stages that change what the target holds: after each of them the undisturbed migration is looked at.
LOOKED_AT = ("target_schema", "reference_data", "loaded_target", STEPS[-1][0])


@pytest.fixture(scope="session")
def undisturbed(faulty: World) -> Undisturbed:
    faulty.reset()
    rows, took, begun = [faulty.rows()], dict[str, tuple[float, int]](), 0
    for last in LOOKED_AT:
        end = [asset for asset, _ in STEPS].index(last) + 1
        ended = forked(run_steps, faulty.environment, STEPS[begun:end])
        took |= {said[1]: (said[2], said[3]) for said in ended.said if said[0] == "done"}
        assert list(took) == [asset for asset, _ in STEPS[:end]], ended.said[-1]
        rows.append(faulty.rows())
        begun = end
    assert faulty.left_over() == []
    return Undisturbed(faulty.state(), tuple(rows), took)
