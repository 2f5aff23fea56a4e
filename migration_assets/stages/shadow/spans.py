"""What customers may do, as spans of time with one answer each: the table both sides answer in.

Belongs here: the form that is compared, and touching spans of one answer put together. Not here: any rule about who is
granted what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir

ANYWHERE = "*"
SUBJECT = ("customer_id", "feature", "region")
ANSWER = ("allowed", "limit_units", "overage")
SPAN = (*SUBJECT, "starts_at", "ends_at", *ANSWER)
LIMIT = "decimal(38, 10)"


@dataclass(frozen=True)
class Access:
    """What one side lets customers do, made from tables kept in the engine. Instants are UTC, limits exact in the
    feature's canonical unit.

    `spans`: customer_id, feature, region (`*`: anywhere), starts_at (key: these four), ends_at (exclusive; null:
    without end), allowed, limit_units (null: without limit; 0 where it is not allowed), overage. No two of one
    customer, feature and region overlap, and none that touch say the same; where there is none, nothing is said (I14).
    `unanswerable`: customer_id (key; null: whose it is cannot be read), reason; such a customer has no span.
    """

    spans: ir.Table
    unanswerable: ir.Table


def joined(pieces: ir.Table, subject: Sequence[str], answer: Sequence[str]) -> ir.Table:
    """Pieces of one subject that touch and say the same, as one: the columns of subject, starts_at, ends_at, answer.

    `pieces`: those columns; no two of a subject overlap, and each has an end.
    """
    order = ibis.window(group_by=list(subject), order_by="starts_at")
    so_far = ibis.cumulative_window(group_by=list(subject), order_by="starts_at")
    goes_on = (pieces["ends_at"].lag().over(order) == pieces["starts_at"]).fill_null(False)
    alike = [pieces[c].lag().over(order).identical_to(pieces[c]) for c in answer]
    marked = pieces.mutate(_begins=ibis.and_(goes_on, *alike).ifelse(0, 1))
    numbered = marked.mutate(_number=marked["_begins"].sum().over(so_far))
    each = numbered.group_by([*subject, "_number", *answer])
    found = each.aggregate(starts_at=numbered["starts_at"].min(), ends_at=numbered["ends_at"].max())
    return found.select(*subject, "starts_at", "ends_at", *answer)
