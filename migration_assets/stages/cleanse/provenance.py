"""Where the values of customers that were made of several rows came from, and what about them nobody has decided.

Keys, counts and amounts alone: no personal value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.cleanse.ranking import agrees, order_in, takes_part

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.cleanse.contests import Contest
    from migration_assets.stages.cleanse.decisions import Chosen

# How many different values a column has in the rows that take part.
_Count = Callable[["ir.Column", "ir.BooleanValue"], "ir.IntegerValue"]
_CUSTOMER = ENTITIES["customer"]

# Where a value came from. Key: customer_id, field. A field of a customer that has no row here has the value of the
# customer's first row (`source_*` of the customer), and no other row says otherwise. `value_from`: customer_id of the
# row that gave the value, `source_system` its system; both missing when an average of several is nobody's.
# `candidates`: rows that could have given it; `distinct_values`: how many different values those have.
SOURCES = ibis.schema(
    {
        "customer_id": "string",
        "field": "string",
        "value_from": "string",
        "source_system": "string",
        "strategy": "string",
        "candidates": "int64",
        "distinct_values": "int64",
    }
)
# What wants somebody's attention. `reason`: `undecided` (the plan leaves the field to a person, the rows differ, and
# nobody decided: the value is that of `priority`), `none_fits` (rows have a value, but none beside the lead that
# survived, such as a limit in another currency: the field is left empty), or `stale_<why>` (decisions.Stale; `line` in
# decisions/survivors.csv). `difference_minor`: between the highest and the lowest amount, in `currency`.
CONFLICTS = ibis.schema(
    {
        "customer_id": "string",
        "field": "string",
        "reason": "string",
        "candidates": "int64",
        "distinct_values": "int64",
        "difference_minor": "int64",
        "currency": "string",
        "line": "int64",
    }
)


def accounts(engine: DuckDBEngine, rows: ir.Table, contests: Sequence[Contest], chosen: Chosen) -> ir.Table:
    """One row for each identity that has several of these ranked rows: identity_id, `_best` (the rank of its first
    row), and for every field `_from_` (the rank of the row that gave it), `_rows_` and `_values_` (candidates, and how
    many different values they have)."""
    pairs, crowds = rows.filter(rows["_members"] == 2), rows.filter(rows["_members"] > 2)
    return engine.union([_accounts(pairs, contests, chosen, _of_two), _accounts(crowds, contests, chosen, _of_many)])


def _accounts(rows: ir.Table, contests: Sequence[Contest], chosen: Chosen, different: _Count) -> ir.Table:
    made: dict[str, Any] = {"_best": rows["_rank"].min()}
    for contest in contests:
        made[f"_from_{contest.fields[0]}"] = _giver(rows, contest)
        for name in contest.fields:
            made |= _account(rows, contest, name, chosen, different)
    return rows.group_by("identity_id").aggregate(**made)


def _of_two(value: ir.Column, part: ir.BooleanValue) -> ir.IntegerValue:
    """How many different values two rows have, which most customers have: the lowest and the highest tell."""
    lowest = value.min(where=part)
    return lowest.isnull().ifelse(0, (lowest == value.max(where=part)).ifelse(1, 2))


def _of_many(value: ir.Column, part: ir.BooleanValue) -> ir.IntegerValue:
    return value.nunique(where=part)


def _giver(rows: ir.Table, contest: Contest) -> ir.IntegerValue:
    part = takes_part(rows, contest)
    order = order_in(rows, contest)
    giver = rows["_rank"].min(where=part) if contest.is_plain else rows["_rank"].argmin(order, where=part)
    return giver.cast("int32")


def _account(rows: ir.Table, contest: Contest, name: str, chosen: Chosen, different: _Count) -> dict[str, ir.Value]:
    there = rows[name].notnull()
    part = there if contest.lead is None else there & agrees(rows, contest.lead)
    # Only whether values are equal counts, and comparing their hashes (64 bits) costs a third of comparing texts.
    made = {
        f"_rows_{name}": rows.count(where=part).cast("int32"),
        f"_values_{name}": different(rows[name].hash(), part).cast("int32"),
    }
    if contest.lead is not None:
        made[f"_out_{name}"] = rows.count(where=there & ~agrees(rows, contest.lead)).cast("int32")
    if contest.rule.strategy == "manual":
        made[f"_chosen_{name}"] = (part & rows["customer_id"].isin(chosen.of(name))).any()
        if _CUSTOMER.field(name).type == "money":
            made[f"_apart_{name}"] = rows[name].max(where=part) - rows[name].min(where=part)
    return made


def sources_of(engine: DuckDBEngine, told: ir.Table, members: ir.Table, contests: Sequence[Contest]) -> ir.Table:
    """SOURCES. `told`: `accounts` of identities with several rows; `members`: the ranked rows."""
    each = engine.cached(engine.union([_source(told, c, name) for c in contests for name in c.fields]))
    giver = members.select("_rank", _key="customer_id", _system="source_system")
    joined = each.left_join(giver, each["_from"] == giver["_rank"])
    given = joined.mutate(value_from=joined["_key"], source_system=joined["_system"])
    return given.select(*SOURCES.names).cast(SOURCES)


def _source(told: ir.Table, contest: Contest, name: str) -> ir.Table:
    values, giver = told[f"_values_{name}"], told[f"_from_{contest.fields[0]}"]
    averaged = contest.rule.strategy == "weighted_average"
    worth = (told[f"_rows_{name}"] > 0) & ((values > 1) | (giver != told["_best"]))
    return told.filter(worth & ~_wiped(told, name)).select(
        customer_id="identity_id",
        field=ibis.literal(name),
        strategy=ibis.literal(contest.rule.strategy),
        candidates=told[f"_rows_{name}"].cast("int64"),
        distinct_values=values.cast("int64"),
        _from=((values > 1).ifelse(ibis.null("int32"), giver) if averaged else giver).cast("int64"),
    )


def _wiped(told: ir.Table, name: str) -> ir.BooleanValue:
    """Whether the value is not that of any row, because the customer was erased."""
    personal = _CUSTOMER.field(name).sensitivity == "personal" or name == "status"
    return told["_erased"] if personal else ibis.literal(False)


def conflicts_of(
    engine: DuckDBEngine, told: ir.Table, single: ir.Table, contests: Sequence[Contest], chosen: Chosen
) -> ir.Table:
    """CONFLICTS. `single`: the customers, for the currency that survived."""
    parts = [part for c in contests for part in _conflicts(told, c)]
    stale = [
        {"customer_id": s.customer_id, "field": s.field, "reason": f"stale_{s.reason}", "line": s.line}
        for s in chosen.stale
    ]
    found = engine.union([*parts, engine.table(pa.Table.from_pylist(stale, schema=CONFLICTS.to_pyarrow()))])
    bought = single.select(_who="identity_id", _currency="currency")
    joined = found.left_join(bought, found["customer_id"] == bought["_who"])
    money = joined["difference_minor"].notnull().ifelse(joined["_currency"], ibis.null("string"))
    return joined.mutate(currency=money).select(*CONFLICTS.names)


def _conflicts(told: ir.Table, contest: Contest) -> Iterator[ir.Table]:
    for name in contest.fields:
        if contest.rule.strategy == "manual":
            undecided = (told[f"_values_{name}"] > 1) & ~told[f"_chosen_{name}"]
            apart = told[f"_apart_{name}"] if f"_apart_{name}" in told.columns else ibis.null("int64")
            yield _conflict(told, name, "undecided", undecided, told[f"_rows_{name}"], apart)
        if contest.lead is not None:
            unfit = (told[f"_rows_{name}"] == 0) & (told[f"_out_{name}"] > 0)
            yield _conflict(told, name, "none_fits", unfit, told[f"_out_{name}"], ibis.null("int64"))


def _conflict(
    told: ir.Table,
    name: str,
    reason: str,
    holds: ir.BooleanValue,
    candidates: ir.IntegerValue,
    apart: ir.IntegerValue,
) -> ir.Table:
    return (
        told.filter(holds & ~_wiped(told, name))
        .select(
            customer_id="identity_id",
            field=ibis.literal(name),
            reason=ibis.literal(reason),
            candidates=candidates,
            distinct_values=told[f"_values_{name}"] if reason == "undecided" else ibis.null("int64"),
            difference_minor=apart,
            currency=ibis.null("string"),
            line=ibis.null("int64"),
        )
        .cast(CONFLICTS)
    )
