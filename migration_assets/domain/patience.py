"""How long a database that says nothing is waited for, so that a stalled network ends in an error and not in a wait.

Three things can fall silent. A peer that is gone acknowledges nothing: the kernel notices, on our side and, as we ask
the server to, on its side, so that it does not hold locks for a client that left. A statement that never ends is ended
by the server. A peer that acknowledges and never answers is noticed by nobody but ourselves (connectors/patient).

Only numbers and what they are called; whoever connects uses them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A first probe after so many seconds of silence, then one each so many, and so many of them unanswered.
_IDLE, _EACH, _PROBES = 20, 10, 3


@dataclass(frozen=True)
class Patience:
    """Seconds. `connect`: until a connection stands. `gone`: until a peer that acknowledges nothing counts as gone.
    `statement`: how long one statement may take; whole cohorts are written by one, and a load may wait an hour for
    another one's lock."""

    connect: int = 10
    gone: int = 60
    statement: int = 7_200

    @property
    def answer(self) -> int:
        """When a statement was not answered, though the server should have ended it by now."""
        return self.statement + self.gone

    @property
    def arguments(self) -> Mapping[str, str]:
        """What libpq is told, for our side."""
        return {
            "connect_timeout": str(self.connect),
            "keepalives": "1",
            "keepalives_idle": str(_IDLE),
            "keepalives_interval": str(_EACH),
            "keepalives_count": str(_PROBES),
            "tcp_user_timeout": str(self.gone * 1_000),
        }

    @property
    def settings(self) -> Mapping[str, str]:
        """What the server is told, for its side of a session."""
        return {
            "statement_timeout": f"{self.statement}s",
            # Between two statements of a load its rows are shaped; nobody needs as long for that.
            "idle_in_transaction_session_timeout": f"{self.statement}s",
            "tcp_keepalives_idle": str(_IDLE),
            "tcp_keepalives_interval": str(_EACH),
            "tcp_keepalives_count": str(_PROBES),
            "tcp_user_timeout": str(self.gone * 1_000),
            "client_connection_check_interval": "10s",
        }

    @property
    def options(self) -> str:
        """The settings as the server's command line takes them."""
        return " ".join(f"-c {name}={value}" for name, value in self.settings.items())


PATIENCE = Patience()
