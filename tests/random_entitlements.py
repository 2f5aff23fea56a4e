"""Random entitlements and states of subscriptions, close to where the target's rules of access part: as the readable
rules take them, and as canonical rows. For tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pyarrow as pa
from random_holders import exact

from migration_assets.domain.target.access import Entitlement, State
from migration_assets.engine.duckdb import DuckDBEngine

SINCE = datetime(2026, 6, 30, 10, 17, tzinfo=UTC)
UNTIL = datetime(2027, 7, 31, 10, 17, tzinfo=UTC)
FEATURES = ("seats", "seats", "storage", "sso")
REGIONS = ("DE", "DE", "FR", "*")
POLICIES = ("block", "bill", "grace", "none")
LIMITS = (Fraction(1), Fraction("12.5"), Fraction(10**15), Fraction("0.00000001"), Fraction(0), None)
HOUR = timedelta(hours=1)
# Many things happen at the same few instants.
MARKS = (SINCE, UNTIL, *(SINCE + n * 400 * HOUR for n in range(-3, 26, 4)))
_INSTANT, _EXACT = pa.timestamp("us", tz="UTC"), pa.decimal128(28, 8)
ENTITLEMENT = {
    "entitlement_id": pa.string(),
    "customer_id": pa.string(),
    "subscription_id": pa.string(),
    "feature_code": pa.string(),
    "region": pa.string(),
    "starts_at": _INSTANT,
    "ends_at": _INSTANT,
    "allowed": pa.bool_(),
    "limit_kind": pa.string(),
    "limit_units": _EXACT,
    "overage": pa.string(),
    "granted_by": pa.string(),
}
SUBSCRIPTION = {
    "subscription_id": pa.string(),
    "status": pa.string(),
    "paused_at": _INSTANT,
    "resumes_at": _INSTANT,
    "grace_ends_at": _INSTANT,
}


@dataclass(frozen=True)
class Entitled:
    """A customer with entitlements, and the states of their subscriptions. `lapsed`: grace of those that are not past
    due, which stands in the rows and means nothing."""

    customer: str
    entitlements: tuple[Entitlement, ...]
    states: dict[str, State]
    lapsed: dict[str, datetime]


def random_entitled(rng: Random, number: int) -> Entitled:
    name = f"k{number:06}"
    subscriptions = [f"{name}-{n}" for n in range(rng.choice((0, 1, 1, 2)))]
    states = {s: _state(rng) for s in subscriptions}
    count = rng.choice((1, 1, 2, 3, 5, 9))
    rows = tuple(_entitlement(rng, f"{name}/{n}", subscriptions) for n in rng.sample(range(20), count))
    lapsed = {s: _instant(rng) for s in subscriptions if states[s].grace_ends_at is None and rng.random() < 0.5}
    return Entitled(name, rows, states, lapsed)


def _state(rng: Random) -> State:
    paused = _instant(rng) if rng.random() < 0.4 else None
    # Somebody may have written when service is back and not since when it is gone.
    back = _instant(rng) if rng.random() < 0.5 else None
    return State(paused, back, _instant(rng) if rng.random() < 0.3 else None)


def _entitlement(rng: Random, own: str, subscriptions: Sequence[str]) -> Entitlement:
    granted_by = rng.choice(("plan", "plan", "add_on", "override")) if subscriptions else "override"
    kind = rng.choice(("unlimited", "limited", "limited", "limited", "zero", "none"))
    # Much is there all the time, since when ever.
    lasts = rng.random() < 0.5
    starts = SINCE - rng.randint(1, 2_000) * HOUR if lasts else _instant(rng)
    ends = rng.choice((None, starts + rng.choice((0, 1, 400, 1200, 5000)) * HOUR, _instant(rng)))
    return Entitlement(
        entitlement_id=own,
        subscription_id=None if granted_by == "override" else rng.choice([*subscriptions, f"{own}-unheard-of"]),
        feature=rng.choice(FEATURES),
        region=rng.choice(REGIONS),
        starts_at=starts,
        ends_at=None if lasts else ends,
        allowed=rng.random() < 0.8,
        limit_kind=kind,  # type: ignore[arg-type]
        limit_units=rng.choice(LIMITS) if kind == "limited" else rng.choice((None, Fraction(7))),
        overage=rng.choice(POLICIES),  # type: ignore[arg-type]
        granted_by=granted_by,  # type: ignore[arg-type]
    )


def _instant(rng: Random) -> datetime:
    return rng.choice(MARKS) if rng.random() < 0.6 else SINCE + rng.randint(-2_000, 11_000) * HOUR


def canonical(engine: DuckDBEngine, customers: Sequence[Entitled]) -> tuple[Any, Any]:
    """The same as tables of entitlement and subscription."""
    rights = [_row(c.customer, e) for c in customers for e in c.entitlements]
    subscriptions = [_subscription(s, state, c.lapsed.get(s)) for c in customers for s, state in c.states.items()]
    return (
        engine.table(pa.Table.from_pylist(rights, pa.schema(ENTITLEMENT.items()))),
        engine.table(pa.Table.from_pylist(subscriptions, pa.schema(SUBSCRIPTION.items()))),
    )


def _row(customer: str, e: Entitlement) -> dict[str, Any]:
    told = {c: getattr(e, c) for c in ENTITLEMENT if c not in ("customer_id", "feature_code", "limit_units")}
    return {**told, "customer_id": customer, "feature_code": e.feature, "limit_units": exact(e.limit_units, 8)}


def _subscription(own: str, state: State, lapsed: datetime | None) -> dict[str, Any]:
    told = {"subscription_id": own, "paused_at": state.paused_at, "resumes_at": state.resumes_at}
    due = state.grace_ends_at is not None
    return {**told, "status": "past_due" if due else "active", "grace_ends_at": state.grace_ends_at if due else lapsed}
