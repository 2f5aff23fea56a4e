"""What the new platform answers where several entitlements speak of one customer, feature and region.

An override for the region speaks before one for everywhere, the later before the earlier, and each before what
subscriptions grant; only where a geo rule bans the feature, an override for everywhere does not lift the ban. Without
an override all that allows adds up. Not here: which entitlements are in force, and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.spans import ANSWER, LIMIT, SPAN, SUBJECT, joined

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_MOMENT = ("n", "at")


def settled(engine: DuckDBEngine, rows: ir.Table) -> ir.Table:
    """Spans of some customers, features and regions, as `spans` has them.

    `rows`: the subject's columns, here (whether the entitlement is for this very region), entitlement_id, granted_by,
    began_at (its start, before the window too), starts_at, ends_at (within it), allowed, banned, limit_units, overage.
    """
    rows = rows.mutate(override=rows.granted_by == "override", add_on=rows.granted_by == "add_on")
    subjects = engine.cached(rows.select(*SUBJECT).distinct().mutate(n=ibis.row_number().over(ibis.window())))
    # Whoever speaks among what is granted comes first, and among overrides last.
    begun = rows.override.ifelse(rows.began_at, ibis.null(rows.began_at.type()))
    order = ibis.window(order_by=[rows.override, rows.add_on, begun, rows.entitlement_id])
    placed = rows.mutate(place=ibis.row_number().over(order))
    met = engine.cached(_met(engine, engine.cached(placed.join(subjects, SUBJECT).drop(*SUBJECT))))
    heard = _heard(met)
    voice = met.select(
        _n="n", _at="at", speaker="place", own_allowed="allowed", own_limit="limit_units", overage="overage"
    )
    told = heard.join(voice, [heard.n == voice["_n"], heard["at"] == voice["_at"], "speaker"])
    answers = told.select(
        "n",
        "overage",
        starts_at="at",
        ends_at="until",
        allowed=told.alone.ifelse(told.own_allowed, told.allowing),
        limit_units=told.alone.ifelse(told.own_limit, told.total),
    )
    return joined(engine.cached(answers), ["n"], ANSWER).join(subjects, "n").select(*SPAN)


def _met(engine: DuckDBEngine, rows: ir.Table) -> ir.Table:
    """Rows once for each time between two instants at which any of their subject starts or ends: with at and until."""
    edges = engine.union([rows.select("n", at="starts_at"), rows.select("n", at="ends_at")]).distinct()
    times = edges.mutate(until=edges["at"].lead().over(ibis.window(group_by="n", order_by="at")))
    times = times.select("at", "until", _n="n")
    met = rows.join(times, [rows.n == times["_n"], rows.starts_at <= times["at"], times["until"] <= rows.ends_at])
    return met.drop("_n", "starts_at", "ends_at")


def _heard(met: ir.Table) -> ir.Table:
    """Who is heard at each moment: n, at, until, speaker (place of whose policy counts), alone (whether the speaker's
    answer is the answer), and what is granted together: allowing, total (null: without limit)."""
    granted, allowing = ~met.override, ~met.override & met.allowed
    each = met.group_by(*_MOMENT).aggregate(
        until=met["until"].max(),
        for_here=met.place.max(where=met.override & met.here),
        for_everywhere=met.place.max(where=met.override),
        banned=(granted & met.banned).any(),
        allowing=allowing.any(),
        unlimited=(allowing & met.limit_units.isnull()).any(),
        units=met.limit_units.sum(where=allowing),
        policy=met.place.min(where=allowing).coalesce(met.place.min(where=granted)),
    )
    # An override for everywhere lifts no ban.
    override = each.for_here.coalesce(each.banned.ifelse(ibis.null("int64"), each.for_everywhere))
    limit = each.unlimited.ifelse(ibis.null(LIMIT), each.units)
    return each.select(
        *_MOMENT,
        "until",
        "allowing",
        speaker=override.coalesce(each.policy),
        alone=override.notnull(),
        total=each.allowing.ifelse(limit, ibis.literal(0).cast(LIMIT)),
    )
