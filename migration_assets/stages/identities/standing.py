"""Customer rows in their standing, and which of them the source itself declares to be one customer.

A row's standing is its number from 0: first the plan's priority of systems, then the canonical key. The lowest of an
identity is its founder. Links hold whatever else does, so that what they tie together is looked at as one from here on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.engine.predicates import holds
from migration_assets.stages.identities.components import Ints, connected
from migration_assets.stages.identities.crowds import Crowds, crowds_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import Identity, IdentityKey, IdentityLink
    from migration_assets.stages.feeds import RawTables

# Two rows, by their standing, and the key or link that says they are one.
PAIRS = pa.schema({"a": pa.int64(), "b": pa.int64(), "rule": pa.string()})
# More rows than this with the same values of a key, however many the plan allows: each with each would be too many.
_EACH_WITH_EACH = 100
# What tells two apart who share a key.
_BORN = "birth_date"
_PLACE = ("source_system", "source_table", "source_row", "source_id")


@dataclass(frozen=True)
class Standing:
    """`keys`: canonical customer_id by standing. `links`: PAIRS that the source declares; `group`: for each standing
    the lowest one that links tie it to. `rows`: in the engine, one for each customer row; key `_standing`. `crowds`:
    values of keys that too many of them share."""

    keys: pa.StringArray
    links: pa.Table
    group: Ints
    rows: ir.Table
    crowds: Crowds

    def __len__(self) -> int:
        return len(self.keys)

    def numbers(self, customer_ids: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Standing of each key, null for one that no row has."""
        found = pc.index_in(customer_ids.cast(pa.string()), self.keys)
        return (found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found).cast(pa.int64())

    def spoken_for(self, engine: DuckDBEngine) -> ir.Table:
        """Each customer row and the founder of what links tie it to: customer_id (key), speaker, _standing."""
        frame = {"customer_id": self.keys, "speaker": self.keys.take(pa.array(self.group))}
        return engine.table(pa.table({**frame, "_standing": pa.array(np.arange(len(self)))}))


def standing_of(engine: DuckDBEngine, identity: Identity, customers: ir.Table, raw: RawTables) -> Standing:
    """Number the rows and follow the plan's links."""
    read = {"customer_id", *_PLACE, *(f for key in identity.keys for f in key.fields)}
    read |= {"status", *(p.field for p in identity.never_merge)} | ({_BORN} & set(customers.columns))
    ranked = engine.cached(_ranked(identity, customers.select(*sorted(read))))
    keys = engine.arrow(ranked.select("_standing", "customer_id").order_by("_standing"))["customer_id"]
    links = _collected(engine, [_by_link(ranked, link, raw(link.table)) for link in identity.links])
    group = connected(len(keys), links["a"].to_numpy(), links["b"].to_numpy())
    return Standing(
        keys.cast(pa.string()).combine_chunks(), links, group, ranked, crowds_of(engine, ranked, identity.keys)
    )


def pairs_by_key(engine: DuckDBEngine, rows: Standing, keys: Sequence[IdentityKey], without: Ints) -> pa.Table:
    """Each row with the first row (in standing) that has the same values of a key (PAIRS); rows missing one are left
    out, as are values that too many share, and those that links tie to one of `without`: who is like nobody must not
    stand between others.
    Whom a birth date may tell from the first is paired with the first of that date too, so that nobody is lost over it.
    """
    others = _others(engine, rows, without)
    whole = [(rows.crowds.counted(others, key), key) for key in keys]
    dated = [_by_key_and_birth(those, key) for those, key in whole if _BORN in others.columns]
    return _collected(engine, [*(_by_key(those, key) for those, key in whole), *dated])


def firsts_by_key(engine: DuckDBEngine, rows: Standing, key: IdentityKey, without: Ints) -> pa.Table:
    """Each row with the first row (in standing) that has the same values of this key (PAIRS), and no others."""
    return _collected(engine, [_by_key(rows.crowds.counted(_others(engine, rows, without), key), key)])


def _others(engine: DuckDBEngine, rows: Standing, without: Ints) -> ir.Table:
    """The rows that links tie to none of `without`."""
    out = np.flatnonzero(np.isin(rows.group, rows.group[without]))
    left = engine.table(pa.table({"_standing": pa.array(out)}))
    return engine.cached(rows.rows.anti_join(left, "_standing"))


def pairs_with(engine: DuckDBEngine, rows: Standing, keys: Sequence[IdentityKey], speakers: Sequence[int]) -> pa.Table:
    """Each row that links tie to one of `speakers`, with every other row that has the same values of a key (PAIRS);
    where many have them, with the first only, and where too many do, with none."""
    mine = np.flatnonzero(np.isin(rows.group, np.array(speakers, dtype=np.int64)))
    ours = engine.cached(rows.rows.semi_join(engine.table(pa.table({"_standing": pa.array(mine)})), "_standing"))
    if not len(mine):
        return PAIRS.empty_table()
    return _collected(engine, [_with_all(rows.crowds.counted(ours, key), rows.rows, key) for key in keys])


def born(engine: DuckDBEngine, rows: Standing, standings: Ints) -> pa.Table:
    """Birth dates of these rows, as text: _standing (key), birth_date; a row without one is left out."""
    if _BORN not in rows.rows.columns or not len(standings):
        return pa.table({"_standing": pa.array([], pa.int64()), _BORN: pa.array([], pa.string())})
    asked = rows.rows.semi_join(engine.table(pa.table({"_standing": pa.array(standings)})), "_standing")
    dated = asked.filter(asked[_BORN].notnull())
    return engine.arrow(dated.select("_standing", **{_BORN: dated[_BORN].cast("string")}))


def erased_and_apart(engine: DuckDBEngine, rows: Standing, identity: Identity) -> tuple[Ints, Ints]:
    """Standings of the erased rows (I22), and of all that are like nobody: these and those that `never_merge` names."""
    erased = (rows.rows["status"] == "erased").fill_null(False)
    named = reduce(lambda a, p: a | holds(rows.rows, (p,)), identity.never_merge, erased)
    found = engine.arrow(rows.rows.filter(named).select("_standing", erased=erased).order_by("_standing"))
    apart = found["_standing"].to_numpy()
    return apart[found["erased"].to_numpy()], apart


def _ranked(identity: Identity, customers: ir.Table) -> ir.Table:
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


def _by_key(whole: ir.Table, key: IdentityKey) -> ir.Table:
    first = whole["_standing"].min().over(ibis.window(group_by=list(key.fields)))
    near = whole.select(a=first, b=whole["_standing"], rule=ibis.literal(key.name))
    return _typed(near.filter(near.a != near.b))


def _by_key_and_birth(whole: ir.Table, key: IdentityKey) -> ir.Table:
    """Each row with the first that has its birth date too, where that is not the first of all."""
    standing = whole["_standing"]
    first = standing.min().over(ibis.window(group_by=list(key.fields)))
    same = standing.min().over(ibis.window(group_by=[*key.fields, _BORN]))
    near = whole.select(a=same, b=standing, rule=ibis.literal(key.name), _first=first, _born=whole[_BORN])
    return _typed(near.filter(near["_born"].notnull() & (near.a != near.b) & (near.a != near["_first"])))


def _with_all(ours: ir.Table, ranked: ir.Table, key: IdentityKey) -> ir.Table:
    fields = list(key.fields)
    whole = ranked.semi_join(ours, fields).select("_standing", *fields)
    alike = ibis.window(group_by=fields)
    counted = whole.mutate(_n=whole.count().over(alike), _first=whole["_standing"].min().over(alike))
    others = counted.filter((counted["_n"] <= _EACH_WITH_EACH) | (counted["_standing"] == counted["_first"]))
    near = ours.select(*fields, _mine="_standing").inner_join(others.select(*fields, _other="_standing"), fields)
    low, high = ibis.least(near["_mine"], near["_other"]), ibis.greatest(near["_mine"], near["_other"])
    return _typed(near.filter(near["_mine"] != near["_other"]).select(a=low, b=high, rule=ibis.literal(key.name)))


def _by_link(ranked: ir.Table, link: IdentityLink, raw: ir.Table) -> ir.Table:
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


def _collected(engine: DuckDBEngine, parts: list[ir.Table]) -> pa.Table:
    return engine.arrow(engine.union(parts)).cast(PAIRS) if parts else PAIRS.empty_table()
