"""In which order the rows of one customer are asked for a value: one whole number a row, the lowest asked first.

Two rows never tie: after what a strategy looks at come the rule's own order of systems and the rank in the plan's.
So the lowest order also tells which row it is of.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.plan.identity_models import SurvivorRule
    from migration_assets.stages.cleanse.contests import Contest
    from migration_assets.stages.cleanse.members import Members, Row

# An order is what the strategy looks at (22 bits), then the system's place (8), then the rank (32).
_PLACE, _FIRST = 2**32, 2**40
_LONGEST = 2**22 - 1


def ranked(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...]) -> ir.Table:
    """Customer rows with identity_id, the rule that tied them (`_rule`), how many rows the identity has (`_members`)
    and `_rank` among those, from 0: the founder, then the systems in the plan's order, within a system the row changed
    last, then the lowest key."""
    known = identities.select("customer_id", "identity_id", _rule="rule")
    joined = rows.inner_join(known, "customer_id")
    # The founder gives the identity its key, so it stands first whatever changed last elsewhere.
    founder = (joined["customer_id"] == joined["identity_id"]).ifelse(0, 1)
    changed = ibis.desc(joined["source_updated_at"])
    order = [founder, _place(joined, priority), changed, joined["customer_id"]]
    ordered = ibis.window(group_by="identity_id", order_by=order)
    members = joined.count().over(ibis.window(group_by="identity_id"))
    return joined.mutate(_rank=ibis.row_number().over(ordered).cast("int64"), _members=members)


def order_of(rows: ir.Table, contest: Contest, chosen: Collection[str]) -> ir.IntegerValue:
    """The order that the rule of a contest puts ranked rows into. `chosen`: keys of the rows that persons chose for its
    field."""
    rule, place = contest.rule, _place(rows, contest.rule.systems)
    if rule.strategy == "most_recent":
        # A time does not fit beside the rest, its place among the times of the identity does. Missing is oldest.
        changed = rows["source_updated_at"].desc(nulls_first=False)
        latest = ibis.window(group_by="identity_id", order_by=[changed, place, rows["_rank"]])
        return (ibis.row_number().over(latest) * _PLACE + rows["_rank"]).cast("int64")
    return (_first(rows, rule, contest.fields[0], chosen) * _FIRST + place * _PLACE + rows["_rank"]).cast("int64")


def order_after(row: Row, giver: ir.IntegerValue) -> ir.IntegerValue:
    """The plan's own order, but for the row with the rank `giver`, which goes first."""
    return (row["_rank"] == giver).ifelse(0, 1).cast("int64") * _FIRST + row["_rank"]


def giver_of(members: Members, contest: Contest) -> ir.IntegerValue:
    """Rank of the row that gives the values of a contest."""
    if contest.is_plain:
        return members.first(lambda r: r["_rank"], lambda r: takes_part(r, contest))
    return members.lowest(lambda r: takes_part(r, contest).ifelse(r[contest.order], ibis.null("int64"))) % _PLACE


def takes_part(row: Row, contest: Contest) -> ir.BooleanValue:
    """Whether a row may give the values of a contest: it has one, and what leads them is what survived."""
    (name, *others) = contest.fields
    there = reduce(lambda a, n: a | row[n].notnull(), others, row[name].notnull())
    return there if contest.lead is None else there & row[f"_with_{contest.lead}"]


def _first(rows: ir.Table, rule: SurvivorRule, field: str, chosen: Collection[str]) -> ir.IntegerValue:
    if rule.strategy == "longest":
        return _LONGEST - ibis.least(rows[field].length().fill_null(0), _LONGEST).cast("int64")
    if rule.strategy == "most_complete":
        # Of one field nobody has more than another: then the whole record speaks.
        counted = rule.fields if len(rule.fields) > 1 else tuple(f.name for f in ENTITIES["customer"].fields)
        missing = [rows[name].isnull().cast("int64") for name in counted]
        return sum(missing[1:], start=missing[0])
    if rule.strategy == "manual" and chosen:
        return rows["customer_id"].isin(sorted(chosen)).ifelse(0, 1).cast("int64")
    return ibis.literal(0, "int64")


def _place(rows: ir.Table, systems: tuple[str, ...]) -> ir.IntegerValue:
    """The place of a row's system in an order; what the order does not name comes last."""
    if not systems:
        return ibis.literal(0, "int64")
    places = ((rows["source_system"] == s, i) for i, s in enumerate(systems))
    return ibis.cases(*places, else_=len(systems)).cast("int64")
