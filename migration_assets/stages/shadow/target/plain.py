"""What the new platform answers where nothing has to be weighed: entitlements that are in force equally long, of one
policy, and no override beside others.

That is nearly everybody, and one pass over all entitlements finds both the answer and who needs more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.spans import LIMIT, SPAN, SUBJECT

if TYPE_CHECKING:
    import ibis.expr.types as ir

_WORDS = ("block", "bill", "grace", "none")


def plain(rows: ir.Table) -> ir.Table:
    """One row for each customer, feature and region that an entitlement names: `spans.SPAN` and settled, whether that
    is the answer.

    `rows`: the subject's columns, granted_by, starts_at, ends_at, allowed, limit_units, overage.
    """
    word = rows.overage.cases(*((ibis.literal(w), ibis.literal(n, "int8")) for n, w in enumerate(_WORDS)))
    told = rows.mutate(word=word, add_on=rows.granted_by == "add_on", override=rows.granted_by == "override")
    # Of what allows, and is no add-on, the policy holds.
    first = (told.allowed & ~told.add_on).ifelse(told.word, ibis.null("int8"))
    told = told.mutate(first=first, free=told.allowed & told.limit_units.isnull())
    each = told.group_by(*SUBJECT).aggregate(
        n=told.count(),
        starts_at=told.starts_at.min(),
        starts_by=told.starts_at.max(),
        ends_at=told.ends_at.min(),
        ends_by=told.ends_at.max(),
        allowed=told.allowed.any(),
        free=told.free.any(),
        # What is not allowed has no units.
        units=told.limit_units.sum(),
        override=told.override.any(),
        least=told["first"].min(),
        most=told["first"].max(),
        least_of_all=told.word.min(),
        most_of_all=told.word.max(),
    )
    known = (each.least == each.most).fill_null(each.least_of_all == each.most_of_all)
    together = (each.starts_at == each.starts_by) & (each.ends_at == each.ends_by)
    words = [(ibis.literal(n), ibis.literal(w)) for n, w in enumerate(_WORDS)]
    return each.select(
        *SUBJECT,
        "starts_at",
        "ends_at",
        "allowed",
        limit_units=each.free.ifelse(ibis.null(LIMIT), each.units).cast(LIMIT),
        overage=each.least.coalesce(each.least_of_all).cases(*words),
        settled=(each.n == 1) | (together & known & ~each.override),
    ).select(*SPAN, "settled")
