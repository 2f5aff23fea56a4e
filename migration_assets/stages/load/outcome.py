"""What became of a load whose COMMIT was sent and never answered: the ledger tells, once nobody is writing any more.

A connection that is lost earlier needs no asking: what was not committed, the server undoes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from migration_assets.connectors.postgres_target import complaint
from migration_assets.domain.errors import Misconfigured, TargetRefused
from migration_assets.stages.load.schema import LEDGER, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection, PostgresTarget

# How long a target that has just gone is asked again before a person is: a server starts again within that time.
ASKED_FOR_SECONDS = 60.0
_PAUSE_SECONDS = 0.5
RESUME = "Check the server and the network, then `cutover run --resume`: what was applied is not written again."


class Outcome:
    """Around a load's transaction. `hold` takes the plan's lock: when it is had, the lost load is over, one way or the
    other. Errors of the database that come out of the block become TargetRefused, except when the load was applied all
    the same: then there is none."""

    def __init__(self, target: PostgresTarget, writer: str, run_id: str, hold: Callable[[Connection], None]) -> None:
        self._target, self._writer, self._run_id, self._hold = target, writer, run_id, hold
        self._load_id: int | None = None
        self._writes = False

    def committing(self, load_id: int, *, writes: bool) -> None:
        """All is written but the COMMIT; `writes`: whether the ledger has anything of this load."""
        self._load_id, self._writes = load_id, writes

    def __enter__(self) -> Outcome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, psycopg.Error):
            return False
        if self._load_id is None:
            raise TargetRefused(f"the load was broken off: {complaint(error).message}; nothing was written", RESUME)
        if not self._writes or self._is_in_the_ledger(self._load_id):
            return True
        raise TargetRefused(
            f"the load was lost while it was being committed: {complaint(error).message}; the ledger of the target "
            "has no such load, so that nothing was written",
            RESUME,
        )

    def _is_in_the_ledger(self, load_id: int) -> bool:
        """Ask until there is an answer; TargetRefused when there is none for a minute."""
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE load_id = %s AND run_id = %s)")
        until = time.monotonic() + ASKED_FOR_SECONDS
        while True:
            try:
                with self._target.transaction(role=self._writer) as connection:
                    self._hold(connection)
                    statement = query.format(sql.Identifier(RECORD_SCHEMA, LEDGER))
                    found = connection.execute(statement, [load_id, self._run_id]).fetchone()
                return bool(found and found[0])
            except (psycopg.Error, Misconfigured, TargetRefused) as error:
                # Refused is the lock: another load, or the lost one, has held it for as long as a load waits.
                if time.monotonic() > until or isinstance(error, TargetRefused):
                    said = complaint(error).message if isinstance(error, psycopg.Error) else error.message
                    raise TargetRefused(
                        "the connection was lost while the load was being committed, and whether it was applied is "
                        f"not known: {said}",
                        RESUME,
                    ) from None
                time.sleep(_PAUSE_SECONDS)
