"""Whether somebody agreed, from what they said over time (I23): the rule as people read it.

The latest event with evidence decides. Two decisions at that instant are a tie, and a tie or an unknown is a no. A yes
without evidence cannot be shown to an authority and decides nothing; a no needs none, for nobody has to prove that they
want to be left alone.

`stages/cleanse/consents.py` says the same of whole tables; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Decision = Literal["granted", "withdrawn", "unknown"]
Because = Literal["granted", "withdrawn", "unknown", "tie", "no_evidence"]


@dataclass(frozen=True)
class ConsentEvent:
    """What one person or customer said once, for one purpose and channel."""

    consent_id: str
    decision: Decision
    decided_at: datetime
    lawful_basis: str | None = None
    evidence: str | None = None


@dataclass(frozen=True)
class ConsentState:
    """What holds now. `decided_at`, `lawful_basis` and `consent_id` are those of the event that decided (of several
    that say the same at the same instant, the one with the lowest id); a tie and a lack of evidence have the instant
    alone."""

    allowed: bool
    because: Because
    decided_at: datetime
    lawful_basis: str | None
    consent_id: str | None


def consent_state(events: Collection[ConsentEvent]) -> ConsentState:
    """The state that events of one person (or customer), purpose and channel lead to. At least one event."""
    shown = [e for e in events if e.decision != "granted" or (e.evidence or "").strip()]
    if not shown:
        return ConsentState(False, "no_evidence", max(e.decided_at for e in events), None, None)
    latest = max(e.decided_at for e in shown)
    last = sorted((e for e in shown if e.decided_at == latest), key=lambda e: e.consent_id)
    if len({e.decision for e in last}) > 1:
        return ConsentState(False, "tie", latest, None, None)
    (decided, *_) = last
    return ConsentState(
        decided.decision == "granted", decided.decision, latest, decided.lawful_basis, decided.consent_id
    )
