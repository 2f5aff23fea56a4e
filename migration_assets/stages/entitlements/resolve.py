"""One answer where grants contradict each other, for each contract, feature, region and instant (I15).

What adds up is left as it is. Ten seats of a plan and five of an add-on are two rows and fifteen seats; an unlimited
grant beside a limited one allows both. Only these contradict each other, and are cut into half-open periods:

- An item that allows and one that does not, of one contract, feature and region: the add-on speaks before the plan, and
  between two of a kind the one that allows. What a geo rule forbids is no grant at all and yields to any that allows.
  Every item that agrees with the winner stays.
- An override and anything else for the same customer and feature, in whichever contract: the override replaces it. An
  override for everywhere (`*`) covers every region, but lifts no geo rule: that takes one that names the region. One
  for a region covers that region; beside a grant for `*` it stands as the more specific answer.
- Two overrides for the same region: the latest start wins, then the higher id. One for a region and one for everywhere
  both stay, because the more specific decides there.

An override has no policy of its own for what is past the limit: it keeps what it replaces, of what allows the plan's
before an add-on's, instant by instant. One for everywhere that replaces nothing for everywhere keeps what holds where
the customer is served; and where a country's plan says otherwise, it stands once more for that country, with that
policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.entitlements.periods import joined_up, piece_id

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

ANYWHERE = "*"
_SUBJECT = ("customer_id", "feature_code")
_THERE = (*_SUBJECT, "region")


def resolved(engine: DuckDBEngine, grants: ir.Table) -> ir.Table:
    """The grants (entity `entitlement`), cut so that no two contradict each other at any instant.

    A row keeps everything but its period, and of overrides the overage and, where one for everywhere is told for a
    country, the region, which its id then ends in. The piece that starts where the grant starts keeps its id; a later
    one has the instant it starts at behind it (`piece_id`).
    A grant that is replaced for all its time makes no row. No instant that was answered is left without an answer.
    """
    kept = engine.cached(grants)
    contested = _contested(kept)
    disputed = engine.cached(kept.semi_join(contested, _SUBJECT))
    if engine.count(disputed) == 0:
        return kept
    pieces = engine.cached(_pieces(disputed))
    overrides = engine.cached(_latest(pieces.filter(pieces["granted_by"] == "override")))
    items = engine.cached(_agreeing(pieces.filter(pieces["granted_by"] != "override")))
    shape = {c: c for c in ("entitlement_id", "region", "overage")} | {"starts_at": "_from", "ends_at": "_to"}
    standing = [_not_overridden(items, overrides).select(**shape), _with_overage(overrides, items).select(**shape)]
    pieces = engine.cached(engine.union(standing))
    settled = _renewed(disputed, joined_up(pieces, ("entitlement_id", "region"), ("overage",)))
    return engine.union([kept.anti_join(contested, _SUBJECT), settled])


def _contested(grants: ir.Table) -> ir.Table:
    """Customers and features with more than one grant that could contradict each other; all others pass untouched."""
    each = grants.group_by(_SUBJECT).aggregate(
        _rows=grants.count(),
        _override=(grants["granted_by"] == "override").any(),
        _yes=grants["allowed"].any(),
        _no=(~grants["allowed"]).any(),
    )
    return each.filter((each["_rows"] > 1) & (each["_override"] | (each["_yes"] & each["_no"])))


def _pieces(grants: ir.Table) -> ir.Table:
    """Each grant cut at every instant where another of the same customer and feature starts or ends: [_from, _to)."""
    starts = grants.select(*_SUBJECT, _from=grants["starts_at"])
    ends = grants.filter(grants["ends_at"].notnull()).select(*_SUBJECT, _from="ends_at")
    bounds = starts.union(ends, distinct=True)
    order = ibis.window(group_by=_SUBJECT, order_by="_from")
    cut = grants.inner_join(bounds.mutate(_to=bounds["_from"].lead().over(order)), _SUBJECT)
    during = (cut["starts_at"] <= cut["_from"]) & (cut["ends_at"].isnull() | (cut["_from"] < cut["ends_at"]))
    banned = ~cut["allowed"] & (cut["limit_kind"] != "zero")
    return cut.filter(during).mutate(_banned=banned)


def _latest(overrides: ir.Table) -> ir.Table:
    """Of several overrides for one region at once, the one that starts last."""
    order = [ibis.desc(overrides["starts_at"]), ibis.desc(overrides["entitlement_id"])]
    place = ibis.row_number().over(ibis.window(group_by=(*_THERE, "_from"), order_by=order))
    return overrides.mutate(_place=place).filter(ibis._["_place"] == 0).drop("_place")


def _agreeing(items: ir.Table) -> ir.Table:
    """What items grant, without those that the winner of their contract, feature, region and instant contradicts."""
    speaks = ibis.cases((items["_banned"], 0), (items["granted_by"] == "plan", 1), else_=2)
    rank = speaks * 2 + items["allowed"].ifelse(1, 0)
    beside = ibis.window(group_by=(*_THERE, "subscription_id", "_from"))
    ranked = items.mutate(_answer=items["allowed"].argmax(rank).over(beside))
    return ranked.filter(ranked["allowed"] == ranked["_answer"]).drop("_answer")


def _not_overridden(items: ir.Table, overrides: ir.Table) -> ir.Table:
    """Items without those that an override for their region, or for everywhere where no geo rule bans, replaces."""
    everywhere = overrides.filter(overrides["region"] == ANYWHERE).mutate(_banned=ibis.literal(False))
    elsewhere = items.anti_join(overrides, (*_THERE, "_from"))
    return elsewhere.anti_join(everywhere, (*_SUBJECT, "_from", "_banned"))


def _with_overage(overrides: ir.Table, items: ir.Table) -> ir.Table:
    """Overrides with the overage of what they replace; with nothing beneath they keep the one they came with. Those for
    everywhere once more for each country whose items say another, unless an override for it stands there."""
    beneath = items.select(
        *_SUBJECT,
        "_from",
        _region="region",
        _overage="overage",
        # What allows before what does not, as it is where grants come together.
        _order=items["allowed"].ifelse("0", "1")
        + (items["granted_by"] == "plan").ifelse("0", "1")
        + items["entitlement_id"],
    )
    own = _inheriting(overrides, beneath)
    everywhere = own.filter(own["region"] == ANYWHERE).rename(_said="overage")
    # A row that names a country would lift what a geo rule bans there.
    banned = items.filter(items["_banned"]).select(*_SUBJECT, "_from", _region="region")
    named = beneath.filter(beneath["_region"] != ANYWHERE).anti_join(banned, (*_SUBJECT, "_from", "_region"))
    named = named.select(*_SUBJECT, "_from", "_region").distinct()
    copies = everywhere.inner_join(named, (*_SUBJECT, "_from"))
    copies = copies.mutate(region=copies["_region"], overage=copies["_said"]).drop("_region")
    alone = copies.anti_join(overrides, (*_THERE, "_from"))
    told = _inheriting(alone, beneath)
    return own.union(told.filter(~told["overage"].identical_to(told["_said"])).select(*own.columns))


def _inheriting(overrides: ir.Table, beneath: ir.Table) -> ir.Table:
    """Overrides with the overage of what they replace in their region: for everywhere, of what is granted everywhere,
    or else wherever it is."""
    both = overrides.inner_join(beneath, (*_SUBJECT, "_from"))
    anywhere = both["_region"] == ANYWHERE
    reached = both.filter((both["region"] == ANYWHERE) | anywhere | (both["region"] == both["_region"]))
    first = ((reached["region"] == ANYWHERE) & (reached["_region"] != ANYWHERE)).ifelse("1", "0")
    ordered = reached.mutate(_place=first + reached["_order"])
    found = ordered.group_by(["entitlement_id", "region", "_from"]).aggregate(
        _inherited=ordered["_overage"].argmin(ordered["_place"])
    )
    known = found.select(_id="entitlement_id", _in="region", _at="_from", _inherited="_inherited")
    joined = overrides.left_join(
        known,
        [
            overrides["entitlement_id"] == known["_id"],
            overrides["region"] == known["_in"],
            overrides["_from"] == known["_at"],
        ],
    )
    told = ibis.coalesce(joined["_inherited"], joined["overage"])
    return joined.mutate(overage=told).select(*overrides.columns)


def _renewed(grants: ir.Table, periods: ir.Table) -> ir.Table:
    """The grants as they stand in each period: entitlement_id, region, starts_at, ends_at and overage."""
    standing = periods.select(
        _id="entitlement_id", _in="region", _starts="starts_at", _ends="ends_at", _overage="overage"
    )
    joined = grants.inner_join(standing, grants["entitlement_id"] == standing["_id"])
    own = (joined["_in"] == joined["region"]).ifelse(
        joined["entitlement_id"], joined["entitlement_id"] + "/" + joined["_in"]
    )
    later = piece_id(own, joined["_starts"])
    return joined.mutate(
        entitlement_id=(joined["_starts"] == joined["starts_at"]).ifelse(own, later),
        region=joined["_in"],
        starts_at=joined["_starts"],
        ends_at=joined["_ends"],
        overage=joined["_overage"],
    ).select(*grants.columns)
