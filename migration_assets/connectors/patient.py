"""A psycopg connection that gives up on a server that does not answer (domain/patience)."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import Row

from migration_assets.domain.patience import PATIENCE, Patience


class PatientConnection(psycopg.Connection[Row]):
    """A connection that gives up on a call that is not answered in time, and is closed then: what the server made of
    the call is not known any more."""

    patience: Patience = PATIENCE

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """See psycopg; no call waits longer than the patience lasts. OperationalError when it is over."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience.answer)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience.answer} s") from None


def patient(patience: Patience) -> type[PatientConnection[tuple[Any, ...]]]:
    """The kind of connection that has this patience."""
    return type("PatientConnection", (PatientConnection,), {"patience": patience})
