"""What the new platform lets customers do, of whole cohorts, from the rows it holds: the fast twin of
`domain.target.access`.

It shares no code with the readable rules and is tested against them row for row. Of most customers and features nothing
has to be weighed, and one pass over all entitlements answers; only the others are cut into times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.spans import ANYWHERE, LIMIT, SUBJECT
from migration_assets.stages.shadow.target.answers import settled
from migration_assets.stages.shadow.target.plain import plain

if TYPE_CHECKING:
    from datetime import datetime

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_INSTANT = "timestamp('UTC', 6)"


def target_access(
    engine: DuckDBEngine, entitlement: ir.Table, subscription: ir.Table, since: datetime, until: datetime
) -> ir.Table:
    """All that customers may do from `since` up to, not including, `until`, as spans (`spans.Access`), made from tables
    kept in the engine.

    `entitlement`: with the canonical columns; of `subscription` subscription_id, status, paused_at, resumes_at and
    grace_ends_at, which counts for who is past due. Nothing is unanswerable: what a row does not say is not granted.
    """
    with engine.passing() as lasting:
        named = _answering(entitlement.rename(feature="feature_code"))
        served = _served(engine, subscription)
        elsewhere = _elsewhere(engine, entitlement)
        told = plain(_in_force(named, served, since, until))
        spread = elsewhere.select("customer_id", spread=ibis.literal(True)).distinct()
        told = told.left_join(spread, "customer_id").drop("customer_id_right")
        each = engine.cached(told.mutate(settled=told.settled & told.spread.isnull()).drop("spread"))
        disputed = engine.cached(each.filter(~each.settled).select(*SUBJECT))
        rows = named.semi_join(disputed, SUBJECT)
        rows = engine.cached(_in_force(rows, served, since, until))
        weighed = engine.cached(settled(engine, engine.cached(_reached(engine, rows, elsewhere))))
        lasting += [each, weighed]
    return engine.union([each.filter(each.settled).drop("settled"), weighed])


def _answering(entitlement: ir.Table) -> ir.Table:
    """Entitlements that say something, each as an answer of its own: limit_units null is without limit, and 0 where
    it is not allowed. A limit that is not told is none at all, and not no limit."""
    rows = entitlement.filter(entitlement.limit_kind != "none")
    allowed = rows.allowed & (rows.limit_kind != "zero")
    nothing = ibis.literal(0).cast(LIMIT)
    limit = ibis.cases(
        (~allowed, nothing),
        (rows.limit_kind == "unlimited", ibis.null(LIMIT)),
        else_=rows.limit_units.cast(LIMIT).coalesce(nothing),
    )
    return rows.select(
        *SUBJECT,
        "entitlement_id",
        "subscription_id",
        "granted_by",
        "overage",
        "starts_at",
        "ends_at",
        allowed=allowed,
        # By a geo rule, and not because nothing may be used.
        banned=~rows.allowed & (rows.limit_kind != "zero"),
        limit_units=limit,
    )


def _in_force(rows: ir.Table, served: ir.Table, since: datetime, until: datetime) -> ir.Table:
    """Rows with began_at, and the part of their time that lies in the window and in no suspension; two where a pause
    parts it."""
    known = rows.left_join(served.rename(of="subscription_id"), rows.subscription_id == served.subscription_id)
    first, last = (ibis.literal(edge).cast(_INSTANT) for edge in (since, until))
    cut = known.select(
        *[c for c in rows.columns if c not in ("subscription_id", "starts_at", "ends_at")],
        began_at=known.starts_at,
        # Both leave out what is absent.
        starts_at=ibis.greatest(known.starts_at, known.serves_from, first),
        ends_at=ibis.least(known.ends_at, known.serves_until, last),
    )
    return cut.filter(cut.starts_at < cut.ends_at)


def _served(engine: DuckDBEngine, subscription: ir.Table) -> ir.Table:
    """Times in which subscriptions serve that do not always: subscription_id, serves_from, serves_until; either may be
    absent. Kept in the engine. A pause that would end before it begins is none."""
    paused = subscription.paused_at.notnull() & (
        subscription.resumes_at.isnull() | (subscription.paused_at < subscription.resumes_at)
    )
    none = ibis.null(_INSTANT)
    told = subscription.select(
        "subscription_id",
        paused_at=paused.ifelse(subscription.paused_at, none),
        resumes_at=paused.ifelse(subscription.resumes_at, none),
        grace_ends_at=(subscription.status == "past_due").ifelse(subscription.grace_ends_at, none),
    )
    halted = told.filter(told.paused_at.notnull() | told.grace_ends_at.notnull())
    before = halted.select(
        "subscription_id", serves_from=none, serves_until=ibis.least(halted.paused_at, halted.grace_ends_at)
    )
    after = halted.filter(halted.resumes_at.notnull())
    after = after.select("subscription_id", serves_from="resumes_at", serves_until="grace_ends_at")
    return engine.cached(engine.union([before, after]))


def _elsewhere(engine: DuckDBEngine, entitlement: ir.Table) -> ir.Table:
    """Regions of customers who have an entitlement for anywhere, too: customer_id, region; in force or not."""
    anywhere = entitlement.filter(entitlement.region == ANYWHERE)
    named = entitlement.filter(entitlement.region != ANYWHERE)
    return engine.cached(named.semi_join(anywhere, "customer_id").select("customer_id", "region").distinct())


def _reached(engine: DuckDBEngine, rows: ir.Table, elsewhere: ir.Table) -> ir.Table:
    """Rows in each region that they reach, with here: whether it is the one they name."""
    spread = rows.filter(rows.region == ANYWHERE).drop("region").join(elsewhere, "customer_id")
    own = rows.mutate(here=ibis.literal(True))
    return engine.union([own, spread.mutate(here=ibis.literal(False)).select(*own.columns)])
