"""Contracts of a cohort that renew soon after the move (`domain.renewal_hold`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
from ibis import _

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.calendar import Period

_INSTANT = "timestamp('UTC', 6)"


def in_the_way(renewals: ir.Table, held: Period) -> ir.Table:
    """Those of the contracts (`comparison.RENEWALS`, key contract_id) that renew while the plan holds them."""
    since, until = (ibis.literal(t).cast(_INSTANT) for t in (held.starts_at, held.ends_at))
    return renewals.filter((since <= renewals.renews_at) & (renewals.renews_at < until))


def by_day(held: ir.Table) -> ir.Table:
    """How many contracts renew on each day, UTC, and the last instant of it at which one does. Key: day, in order."""
    told = held.mutate(day=held.renews_at.strftime("%Y-%m-%d"))
    return told.group_by("day").aggregate(contracts=_.count(), last=_.renews_at.max()).order_by("day")
