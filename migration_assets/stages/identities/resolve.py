"""Exact identities: rows that agree on a key the plan names, or that the plan's links tie together, are one customer.

Fuzzy matching will take this place; what it hands on stays the same: `identities`, one row for each customer row.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.engine.predicates import holds
from migration_assets.stages.identities.components import components

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Identity, IdentityKey, IdentityLink
    from migration_assets.stages.feeds import RawTables


def resolve_identities(engine: DuckDBEngine, identity: Identity, customers: ir.Table, raw: RawTables) -> ir.Table:
    """Table `identities`, one row for each customer row.

    Columns: customer_id (key), identity_id (the founder's customer_id), rule (names of the keys and links that tied
    the row to another, sorted, separated by spaces; empty for a row that stands alone), members.
    The founder is the member whose system comes first in the plan's priority, then the lowest canonical key.
    """
    ranked = engine.cached(_by_standing(identity, customers))
    may_merge = ranked.filter(reduce(lambda a, p: a & ~holds(ranked, (p,)), identity.never_merge, ibis.literal(True)))
    parts = [
        *(_pairs_by_key(may_merge, k) for k in identity.keys),
        *(_pairs_by_link(may_merge, link, raw(link.table)) for link in identity.links),
    ]
    pairs = engine.arrow(engine.union(parts)) if parts else pa.table({"a": [], "b": [], "rule": []})
    members = engine.arrow(ranked.select("_standing", "customer_id").order_by("_standing"))
    return _identities(engine, members["customer_id"], pairs)


def _by_standing(identity: Identity, customers: ir.Table) -> ir.Table:
    rank = (
        ibis.cases(
            *((customers["source_system"] == system, i) for i, system in enumerate(identity.priority)),
            else_=len(identity.priority),
        )
        if identity.priority
        else ibis.literal(0)
    )
    order = ibis.window(order_by=[rank, customers["customer_id"]])
    return customers.mutate(_standing=ibis.row_number().over(order))


def _pairs_by_key(ranked: ir.Table, key: IdentityKey) -> ir.Table:
    """Each row with the first row (in standing) that has the same values; rows missing one are left out."""
    whole = ranked.filter([ranked[f].notnull() for f in key.fields])
    first = whole["_standing"].min().over(ibis.window(group_by=list(key.fields)))
    near = whole.select(a=first, b=whole["_standing"], rule=ibis.literal(key.name))
    return _typed(near.filter(near.a != near.b))


def _pairs_by_link(ranked: ir.Table, link: IdentityLink, raw: ir.Table) -> ir.Table:
    system, _, table = link.table.partition(".")
    to_system, _, to_table = link.to_table.partition(".")
    here = ranked.filter((ranked.source_system == system) & (ranked.source_table == table))
    there = ranked.filter((ranked.source_system == to_system) & (ranked.source_table == to_table))
    tie = raw.select(_row=raw["_row"], _to=raw[link.column].cast("string"))
    ours = here.select(b=here["_standing"], _row=here["source_row"]).inner_join(tie, "_row")
    theirs = there.select(a=there["_standing"], _to=there["source_id"])
    return _typed(ours.inner_join(theirs, "_to").select("a", "b", rule=ibis.literal(link.name)))


def _typed(pairs: ir.Table) -> ir.Table:
    return pairs.select(a=pairs.a.cast("int64"), b=pairs.b.cast("int64"), rule=pairs.rule.cast("string"))


def _identities(engine: DuckDBEngine, keys: pa.ChunkedArray, pairs: pa.Table) -> ir.Table:
    ends = list(zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True))
    founders = components(len(keys), ends)
    rules: dict[int, set[str]] = {}
    for (a, b), rule in zip(ends, pairs["rule"].to_pylist(), strict=True):
        rules.setdefault(a, set()).add(rule)
        rules.setdefault(b, set()).add(rule)
    frame = engine.table(
        pa.table(
            {
                "customer_id": keys.cast(pa.string()),
                "identity_id": keys.take(pa.array(founders, pa.int64())).cast(pa.string()),
                "rule": pa.array([" ".join(sorted(rules.get(i, ()))) for i in range(len(keys))], pa.string()),
            }
        )
    )
    return frame.mutate(members=frame.count().over(ibis.window(group_by="identity_id")))
