"""The disk of the target's server is full: the load says so, writes nothing, and comes through when there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from loads import cases, load, state_of
from small_disk import SmallDisk, small_disk
from target_world import copy_of

from migration_assets.connectors.postgres_target import PostgresTarget, connection_arguments
from migration_assets.domain.errors import TargetRefused

pytestmark = [pytest.mark.postgres, pytest.mark.faults]


@pytest.fixture
def tablespace(server: str) -> Iterator[tuple[str, SmallDisk]]:
    """A tablespace on a disk of its own: its name, and the disk."""
    folder = Path(os.environ["CUTOVER_TESTS_FOLDER"]) / f"disk-{uuid4().hex[:8]}"
    folder.mkdir()
    with psycopg.connect(server, autocommit=True) as connection:
        (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        with small_disk(folder, 64_000, owner=Path(data).stat().st_uid) as disk:
            connection.execute(f"CREATE TABLESPACE {folder.name.replace('-', '_')} LOCATION '{folder}'")
            yield folder.name.replace("-", "_"), disk
            connection.execute(f"DROP TABLESPACE {folder.name.replace('-', '_')}")


@pytest.mark.parametrize("kind", ["first", "second"])
def test_a_target_without_room_takes_nothing_and_all_of_it_later(
    server: str, tablespace: tuple[str, SmallDisk], kind: str
) -> None:
    name, disk = tablespace
    with cases(server) as made, copy_of(server, made[kind].database) as target:
        move_to(target, name)
        disk.resize(disk.used + 8)
        with pytest.raises(TargetRefused, match=r"No space left on device.*nothing was written\n  -> The disk of the"):
            load(target, made[kind].rows(), "run-2")
        disk.resize(64_000)
        assert state_of(target) == made[kind].before
        load(target, made[kind].rows(), "run-3")
        assert state_of(target) == made[kind].after


def move_to(target: PostgresTarget, tablespace: str) -> None:
    """Every table and index of ours in that database."""
    with psycopg.connect(**connection_arguments(target.url), autocommit=True) as connection:
        connection.execute(f"ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE {tablespace}")
        connection.execute(f"ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE {tablespace}")
