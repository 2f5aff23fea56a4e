"""Exact identities: rows that agree on a key the plan names, or that the plan's links tie together, are one customer.

A key is likeness, a link is what a source itself declares. `never_merge` stops likeness only: what a link ties to an
erased row is that person still, under the name that must not come back (I22), and is kept apart from look-alikes too.

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

# Two rows of one customer, by their standing, and the key or link that says so.
_PAIRS = pa.schema({"a": pa.int64(), "b": pa.int64(), "rule": pa.string()})


def resolve_identities(engine: DuckDBEngine, identity: Identity, customers: ir.Table, raw: RawTables) -> ir.Table:
    """Table `identities`, one row for each customer row.

    Columns: customer_id (key), identity_id (the founder's customer_id), rule (names of the keys and links that tied
    the row to another, sorted, separated by spaces; empty for a row that stands alone), members.
    The founder is the member whose system comes first in the plan's priority, then the lowest canonical key.
    """
    ranked = engine.cached(_by_standing(identity, customers))
    linked = _collected(engine, [_pairs_by_link(ranked, link, raw(link.table)) for link in identity.links])
    members = engine.arrow(ranked.select("_standing", "customer_id").order_by("_standing"))
    may_merge = ranked.anti_join(_kept_apart(engine, identity, ranked, linked), "_standing")
    alike = _collected(engine, [_pairs_by_key(may_merge, key) for key in identity.keys])
    return _identities(engine, members["customer_id"], pa.concat_tables([linked, alike]))


def _kept_apart(engine: DuckDBEngine, identity: Identity, ranked: ir.Table, linked: pa.Table) -> ir.Table:
    """Table with one column `_standing`: the rows that `never_merge` names, and all that links tie to one of them."""
    named = reduce(lambda a, p: a | holds(ranked, (p,)), identity.never_merge, ibis.literal(False))
    apart = engine.arrow(ranked.filter(named).select("_standing"))["_standing"].to_pylist()
    if apart and linked.num_rows:
        founders = components(engine.count(ranked), _ends(linked))
        tainted = {founders[i] for i in apart}
        apart = [i for i, founder in enumerate(founders) if founder in tainted]
    return engine.table(pa.table({"_standing": pa.array(apart, pa.int64())}))


def _collected(engine: DuckDBEngine, parts: list[ir.Table]) -> pa.Table:
    return engine.arrow(engine.union(parts)).cast(_PAIRS) if parts else _PAIRS.empty_table()


def _ends(pairs: pa.Table) -> list[tuple[int, int]]:
    return list(zip(pairs["a"].to_pylist(), pairs["b"].to_pylist(), strict=True))


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
    ends = _ends(pairs)
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
