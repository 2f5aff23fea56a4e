"""What the new platform lets a customer do, from the entitlements it holds and the state of their subscriptions.

An entitlement counts from its start up to its end. Those of a subscription are suspended in a pause and, while it is
past due, from the end of grace on. An override for the region speaks before one for everywhere, the later before the
earlier, and each before what subscriptions grant; only where a geo rule bans the feature, an override for everywhere
does not lift the ban (I19). Without an override everything that allows adds up, and unlimited is more than any number
(I14).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from migration_assets.domain.access import ANYWHERE, Answer, Overage, Span, spans_of


@dataclass(frozen=True)
class Entitlement:
    """Row of entitlements. `limit_kind` none: nothing is said; `subscription_id` None: it is an override's."""

    entitlement_id: str
    subscription_id: str | None
    feature: str
    region: str
    starts_at: datetime
    ends_at: datetime | None
    allowed: bool
    limit_kind: Literal["unlimited", "limited", "zero", "none"]
    limit_units: Fraction | None
    overage: Overage
    granted_by: Literal["plan", "add_on", "override"]


@dataclass(frozen=True)
class State:
    """What a subscription's row says about access: a pause, and the end of grace while past due."""

    paused_at: datetime | None = None
    resumes_at: datetime | None = None
    grace_ends_at: datetime | None = None


def access(
    entitlements: Sequence[Entitlement], states: Mapping[str, State], since: datetime, until: datetime
) -> tuple[Span, ...]:
    """Everything one customer may do from `since` to `until`, by feature, region and time."""
    cuts = [since, *(c for c in _cuts(entitlements, states) if c > since)]
    subjects = sorted({(e.feature, e.region) for e in entitlements} | _covered_elsewhere(entitlements))
    found: list[Span] = []
    for feature, region in subjects:
        rows = [e for e in entitlements if e.feature == feature and e.region in (region, ANYWHERE)]

        def answer_at(instant: datetime, rows: list[Entitlement] = rows, region: str = region) -> Answer | None:
            return _answer([e for e in rows if _in_force(e, states, instant)], region)

        found += spans_of(feature, region, cuts, answer_at, until)
    return tuple(found)


def _covered_elsewhere(entitlements: Sequence[Entitlement]) -> set[tuple[str, str]]:
    """A feature granted everywhere is granted in every region that is named for another feature too."""
    regions = {e.region for e in entitlements}
    return {(e.feature, r) for e in entitlements if e.region == ANYWHERE for r in regions}


def _in_force(row: Entitlement, states: Mapping[str, State], instant: datetime) -> bool:
    if instant < row.starts_at or (row.ends_at is not None and instant >= row.ends_at):
        return False
    return row.subscription_id is None or not _suspended(states.get(row.subscription_id, State()), instant)


def _suspended(state: State, instant: datetime) -> bool:
    paused = state.paused_at is not None and state.paused_at <= instant
    back = state.resumes_at is not None and state.resumes_at <= instant
    return (paused and not back) or (state.grace_ends_at is not None and state.grace_ends_at <= instant)


def _answer(rows: Sequence[Entitlement], region: str) -> Answer | None:
    said = [r for r in rows if r.limit_kind != "none"]
    overrides = [r for r in said if r.granted_by == "override"]
    granted = [r for r in said if r.granted_by != "override"]
    here = [r for r in overrides if r.region == region]
    if here:
        return _sum([_latest(here)])
    if overrides and not any(_banned(r) for r in granted):
        return _sum([_latest(overrides)])
    return _sum(granted) if granted else None


def _latest(overrides: Sequence[Entitlement]) -> Entitlement:
    """Overrides do not add up: the one that started last speaks."""
    return max(overrides, key=lambda r: (r.starts_at, r.entitlement_id))


def _banned(row: Entitlement) -> bool:
    """Forbidden by a geo rule, and not because its limit is zero."""
    return not row.allowed and row.limit_kind != "zero"


def _sum(rows: Sequence[Entitlement]) -> Answer:
    allowing = [r for r in rows if r.allowed and r.limit_kind != "zero"]
    policy = _first_policy(allowing or rows)
    if not allowing:
        return Answer(allowed=False, limit=Fraction(0), overage=policy)
    if any(r.limit_kind == "unlimited" for r in allowing):
        return Answer(allowed=True, limit=None, overage=policy)
    return Answer(
        allowed=True, limit=sum((r.limit_units or Fraction(0) for r in allowing), Fraction(0)), overage=policy
    )


def _first_policy(rows: Sequence[Entitlement]) -> Overage:
    """Where a plan and its add-ons differ about what is past the limit, the plan's policy holds."""
    return min(rows, key=lambda r: (r.granted_by == "add_on", r.entitlement_id)).overage


def _cuts(entitlements: Sequence[Entitlement], states: Mapping[str, State]) -> Iterator[datetime]:
    for row in entitlements:
        yield row.starts_at
        if row.ends_at is not None:
            yield row.ends_at
    for state in states.values():
        yield from (i for i in (state.paused_at, state.resumes_at, state.grace_ends_at) if i is not None)
