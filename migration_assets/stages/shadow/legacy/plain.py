"""What the old system answers where nothing has to be weighed: grants that last equally long and do not contradict.

That is nearly everybody, and one pass over all grants finds both the answer and who needs more than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.policies import allows, code_of, word_of
from migration_assets.stages.shadow.spans import LIMIT, SPAN, SUBJECT

if TYPE_CHECKING:
    import ibis.expr.types as ir


def plain(granted: ir.Table) -> ir.Table:
    """One row for each customer, feature and region that something is granted of: `spans.SPAN` and settled, whether
    that is the answer.

    `granted`: the subject's columns, add_on, limit, overage, starts_at, ends_at.
    """
    rows = granted.mutate(code=code_of(granted["overage"]), allowing=allows(granted["limit"]))
    rows = rows.mutate(plan_code=rows["add_on"].ifelse(ibis.null("int8"), rows["code"]))
    each = rows.group_by(*SUBJECT).aggregate(
        starts_at=rows["starts_at"].min(),
        ends_at=rows["ends_at"].min(),
        last_start=rows["starts_at"].max(),
        last_end=rows["ends_at"].max(),
        allowed=rows["allowing"].any(),
        all_allowed=rows["allowing"].all(),
        unlimited=rows["limit"].isnull().any(),
        total=rows["limit"].sum(),
        plan_code=rows["plan_code"].min(),
        last_plan_code=rows["plan_code"].max(),
        code=rows["code"].min(),
        last_code=rows["code"].max(),
    )
    # The plan's policy past the limit holds before an add-on's.
    by_plan = each["plan_code"].notnull()
    one_policy = by_plan.ifelse(each["plan_code"] == each["last_plan_code"], each["code"] == each["last_code"])
    one_time = (each["starts_at"] == each["last_start"]) & (each["ends_at"] == each["last_end"])
    limit = each["unlimited"].ifelse(ibis.null(LIMIT), each["total"])
    told = each.mutate(
        limit_units=each["allowed"].ifelse(limit, ibis.literal(0).cast(LIMIT)).cast(LIMIT),
        overage=word_of(by_plan.ifelse(each["plan_code"], each["code"])),
        settled=one_time & one_policy & (each["allowed"] == each["all_allowed"]),
    )
    return told.select(*SPAN, "settled")
