"""What somebody agreed to, from what they said (I23)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

from migration_assets.domain.consent import ConsentEvent, consent_state


def event(day: int, decision: str, *, evidence: str | None = "form 7", number: int = 1) -> ConsentEvent:
    return ConsentEvent(f"c:{number}", decision, datetime(2026, 1, day, tzinfo=UTC), "consent", evidence)  # type: ignore[arg-type]


def test_the_latest_event_with_evidence_wins_whatever_the_order_they_come_in() -> None:
    said = [event(1, "granted"), event(3, "withdrawn", number=2), event(2, "granted", number=3)]
    for order in permutations(said):
        state = consent_state(order)
        assert (state.allowed, state.because, state.consent_id) == (False, "withdrawn", "c:2")
    later = consent_state([*said, event(4, "granted", number=4)])
    assert (later.allowed, later.lawful_basis, later.decided_at) == (True, "consent", datetime(2026, 1, 4, tzinfo=UTC))


def test_a_tie_is_a_no_and_the_same_said_twice_is_none() -> None:
    assert consent_state([event(1, "granted"), event(1, "withdrawn", number=2)]).because == "tie"
    assert consent_state([event(1, "granted", number=2), event(1, "granted")]).consent_id == "c:1"


def test_an_unknown_is_a_no() -> None:
    state = consent_state([event(1, "granted"), event(2, "unknown", number=2)])
    assert (state.allowed, state.because) == (False, "unknown")


def test_a_no_needs_no_evidence() -> None:
    for word in ("withdrawn", "unknown"):
        state = consent_state([event(1, "granted"), event(2, word, evidence=None, number=2)])
        assert (state.allowed, state.because, state.consent_id) == (False, word, "c:2")


def test_without_evidence_nothing_is_won_and_nothing_overridden() -> None:
    for blank in (None, "", "  "):
        assert consent_state([event(1, "granted", evidence=blank)]).because == "no_evidence"
        said = [event(1, "withdrawn"), event(2, "granted", evidence=blank, number=2)]
        assert consent_state(said).because == "withdrawn"
