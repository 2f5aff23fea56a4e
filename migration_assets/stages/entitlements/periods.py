"""Periods of one grant: which id a piece of it has, and pieces that say the same put together."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What `piece_id` puts behind an id. Neither a feature code nor an instant has an @ or a /, so that a source key which
# holds one, such as an e-mail address, is never cut.
_INSTANT = "@[^@/]*$"


def piece_id(entitlement_id: ir.StringValue, starts_at: ir.TimestampValue) -> ir.StringValue:
    """Id of the piece that starts at an instant, of the grant or of any earlier piece of it: the same every time, and
    its own, because pieces of one grant never overlap."""
    instant = starts_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return entitlement_id.re_replace(_INSTANT, "") + "@" + instant


def joined_up(pieces: ir.Table, key: tuple[str, ...], says: tuple[str, ...]) -> ir.Table:
    """Pieces of one `key` that touch and agree in `says`, as one each: the first of them, up to where the last ends."""
    narrow = pieces.select(*key, "starts_at", "ends_at", *says)
    order = ibis.window(group_by=key, order_by="starts_at")
    touches = (narrow["ends_at"].lag().over(order) == narrow["starts_at"]).fill_null(False)
    same = [narrow[c].identical_to(narrow[c].lag().over(order)) for c in says]
    begun = narrow.mutate(_begins=reduce(and_, same, touches).ifelse(0, 1))
    so_far = ibis.cumulative_window(group_by=key, order_by="starts_at")
    numbered = begun.mutate(_period=begun["_begins"].sum().over(so_far))
    whole = numbered.group_by(*key, "_period").aggregate(
        starts_at=numbered["starts_at"].min(),
        _last=numbered["ends_at"].max(),
        _open=numbered["ends_at"].isnull().any(),
    )
    ends = whole.select(
        *key, "starts_at", ends_at=whole["_open"].ifelse(ibis.null(whole["_last"].type()), whole["_last"])
    )
    return pieces.drop("ends_at").inner_join(ends, (*key, "starts_at"))
