"""Worlds that several tests of the wiring share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from review_world import reviewed

from migration_assets.wiring.workspace import Workspace


@pytest.fixture
def made(database: str, tmp_path: Path) -> Callable[..., Workspace]:
    """`review_world.reviewed`, on a database of its own."""
    return reviewed(database, tmp_path)
