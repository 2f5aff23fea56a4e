"""Where the values of customers that were made of several rows came from, and what about them nobody has decided.

Keys, counts and amounts alone: no personal value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.cleanse.ranking import giver_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.cleanse.contests import Contest
    from migration_assets.stages.cleanse.decisions import Chosen
    from migration_assets.stages.cleanse.members import Members, Row

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


def account(members: Members, contest: Contest, chosen: Chosen) -> dict[str, ir.Value]:
    """What there is to tell of a contest among the rows of each customer: `_from_` (the rank of the row that gave the
    values), and for every field `_rows_` and `_values_` (candidates, and how many different values they have)."""
    made: dict[str, ir.Value] = {f"_from_{contest.fields[0]}": giver_of(members, contest).cast("int32")}
    for name in contest.fields:
        made |= _account(members, contest, name, chosen)
    return made


def keys_of(members: Members) -> dict[str, ir.Value]:
    """Keys and systems of the rows of each customer, by rank."""
    return {"_keys": members.listed("customer_id"), "_systems": members.listed("source_system")}


def _account(members: Members, contest: Contest, name: str, chosen: Chosen) -> dict[str, ir.Value]:
    def there(row: Row) -> ir.BooleanValue:
        return row[name].notnull()

    def part(row: Row) -> ir.BooleanValue:
        return there(row) if contest.lead is None else there(row) & row[f"_with_{contest.lead}"]

    def value(row: Row) -> ir.Value:
        return row[name] if contest.lead is None else part(row).ifelse(row[name], ibis.null(row[name].type()))

    made = {
        f"_rows_{name}": members.count(part).cast("int32"),
        f"_values_{name}": members.different(value).cast("int32"),
    }
    if contest.lead is not None:
        made[f"_out_{name}"] = members.count(lambda r: there(r) & ~r[f"_with_{contest.lead}"]).cast("int32")
    if contest.rule.strategy == "manual":
        keys = chosen.of(name)
        made[f"_chosen_{name}"] = members.count(lambda r: part(r) & r["customer_id"].isin(keys)) > 0
        if _CUSTOMER.field(name).type == "money":
            made[f"_apart_{name}"] = members.highest(value) - members.lowest(value)
    return made


def sources_of(told: ir.Table, contests: Sequence[Contest]) -> ir.Table:
    """SOURCES. `told`: what `account` and `keys_of` tell of identities with several rows."""
    fields = [(name, c) for c in contests for name in c.fields]
    each = ibis.array([_source(told, c, name, n) for n, (name, c) in enumerate(fields)])
    all_of = told.select("identity_id", "_keys", "_systems", _each=each.unnest())
    found = all_of.filter(all_of["_each"]["worth"])
    source, giver = found["_each"], found["_each"]["giver"]
    return found.select(
        customer_id="identity_id",
        # Texts that hang on the field alone are looked up for what is left, not made for every field.
        field=ibis.array([name for name, _ in fields])[source["n"]],
        value_from=found["_keys"][giver],
        source_system=found["_systems"][giver],
        strategy=ibis.array([c.rule.strategy for _, c in fields])[source["n"]],
        candidates=source["candidates"],
        distinct_values=source["distinct_values"],
    ).cast(SOURCES)


def _source(told: ir.Table, contest: Contest, name: str, n: int) -> ir.StructValue:
    values, giver = told[f"_values_{name}"], told[f"_from_{contest.fields[0]}"]
    averaged = contest.rule.strategy == "weighted_average"
    worth = (told[f"_rows_{name}"] > 0) & ((values > 1) | (giver != 0))
    return ibis.struct(
        {
            "n": ibis.literal(n, "int32"),
            "worth": worth & ~_wiped(told, name),
            "giver": (values > 1).ifelse(ibis.null("int32"), giver) if averaged else giver,
            "candidates": told[f"_rows_{name}"],
            "distinct_values": values,
        }
    )


def _wiped(told: ir.Table, name: str) -> ir.BooleanValue:
    """Whether the value is not that of any row, because the customer was erased."""
    personal = _CUSTOMER.field(name).sensitivity == "personal" or name == "status"
    return told["_erased"] if personal else ibis.literal(False)


def conflicts_of(engine: DuckDBEngine, told: ir.Table, contests: Sequence[Contest], chosen: Chosen) -> ir.Table:
    """CONFLICTS. `told`: as for `sources_of`, with the currency that survived."""
    each = ibis.array([found for c in contests for found in _conflicts(told, c)])
    all_of = told.select("identity_id", "currency", _each=each.unnest())
    found = all_of.filter(all_of["_each"]["holds"])
    conflict, apart = found["_each"], found["_each"]["difference_minor"]
    open_ones = found.select(
        customer_id="identity_id",
        field=conflict["field"],
        reason=conflict["reason"],
        candidates=conflict["candidates"],
        distinct_values=conflict["distinct_values"],
        difference_minor=apart,
        currency=apart.notnull().ifelse(found["currency"], ibis.null("string")),
        line=ibis.null("int64"),
    ).cast(CONFLICTS)
    stale = [
        {"customer_id": s.customer_id, "field": s.field, "reason": f"stale_{s.reason}", "line": s.line}
        for s in chosen.stale
    ]
    return engine.union([open_ones, engine.table(pa.Table.from_pylist(stale, schema=CONFLICTS.to_pyarrow()))])


def _conflicts(told: ir.Table, contest: Contest) -> Iterator[ir.StructValue]:
    for name in contest.fields:
        rows, values, nothing = told[f"_rows_{name}"], told[f"_values_{name}"], ibis.null("int64")
        if contest.rule.strategy == "manual":
            undecided = (values > 1) & ~told[f"_chosen_{name}"]
            apart = told[f"_apart_{name}"] if f"_apart_{name}" in told.columns else nothing
            yield _conflict(told, name, "undecided", undecided, rows, values, apart)
        if contest.lead is not None:
            out = told[f"_out_{name}"]
            yield _conflict(told, name, "none_fits", (rows == 0) & (out > 0), out, ibis.null("int32"), nothing)


def _conflict(
    told: ir.Table,
    name: str,
    reason: str,
    holds: ir.BooleanValue,
    candidates: ir.IntegerValue,
    values: ir.IntegerValue,
    apart: ir.IntegerValue,
) -> ir.StructValue:
    return ibis.struct(
        {
            "field": ibis.literal(name),
            "reason": ibis.literal(reason),
            "holds": holds & ~_wiped(told, name),
            "candidates": candidates,
            "distinct_values": values,
            "difference_minor": apart,
        }
    )
