"""One engine for all tests of this folder: tables have unique names, so tests do not see each other's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migration_assets.engine.duckdb import DuckDBEngine

# The helpers beside the tests are imported by name, as the folders are no packages.
sys.path.insert(0, str(Path(__file__).parent / "rules"))


@pytest.fixture(scope="session")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(memory_limit="1GB") as made:
        yield made
