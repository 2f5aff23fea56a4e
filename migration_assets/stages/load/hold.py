"""One change of a plan's target at a time: the lock that every load and every rollback holds, and its number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.schema import LEDGER

if TYPE_CHECKING:
    from uuid import UUID

    from migration_assets.connectors.postgres_target import Connection


# Longer than any load has taken.
LOCK_SECONDS = 3600


def hold_plan(connection: Connection, plan: UUID, seconds: int) -> None:
    """Hold the plan's lock until the transaction ends. TargetRefused when another has it for too long."""
    remedy = "Wait for the other run to end (`cutover status` shows it), then run this cohort again."
    with waiting(connection, seconds, "another load of this plan has held the target", remedy):
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cutover load {plan}"])


@contextmanager
def waiting(connection: Connection, seconds: int, who: str, remedy: str) -> Iterator[None]:
    """Wait for locks so long and no longer: then TargetRefused. `who` says who has done what all the time."""
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{seconds}s")))
    try:
        yield
    except psycopg.errors.LockNotAvailable:
        raise TargetRefused(f"{who} for {seconds} seconds; nothing was written", remedy) from None
    connection.execute("SET LOCAL lock_timeout = 0")


def next_id(connection: Connection, record: str) -> int:
    """The number of this change in the ledger of the schema `record`; the lock keeps another from taking the same."""
    query = sql.SQL("SELECT coalesce(max(load_id), 0) + 1 FROM {}").format(sql.Identifier(record, LEDGER))
    found = connection.execute(query).fetchone()
    return int(found[0]) if found else 1
