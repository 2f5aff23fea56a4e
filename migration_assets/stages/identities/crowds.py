"""Values of a key that so many rows share that they are nobody's own: a made-up tax number, the mailbox of a shop.

How many of one system may share a value is the plan's (`shared_by_at_most`); systems count apart, because one customer
stands in several of them. Such a value is no evidence: whose it is may be tied by others of their values alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import IdentityKey

# One row for each customer row and key that does not count for it. Key: customer_id, rule (the key of the plan).
# `crowd`: the lowest customer_id that has the same values; `records`: how many rows of one system share them, of the
# system with most.
CROWDS = pa.schema(
    {
        **dict.fromkeys(("customer_id", "rule", "crowd"), pa.string()),
        "records": pa.int64(),
        **dict.fromkeys(("source_system", "source_table"), pa.string()),
        "source_row": pa.int64(),
    }
)


@dataclass(frozen=True)
class Crowds:
    """Of each key that has any, by its name, the values that too many share: the key's fields (key), `records`."""

    by_key: Mapping[str, ir.Table] = field(default_factory=dict)

    def counted(self, rows: ir.Table, key: IdentityKey) -> ir.Table:
        """The rows for which a key counts: none of its values is missing, and they are nobody else's crowd."""
        present = _present(rows, key)
        crowd = self.by_key.get(key.name)
        return present if crowd is None else present.anti_join(crowd, list(key.fields))

    def listed(self, engine: DuckDBEngine, rows: ir.Table, keys: Sequence[IdentityKey]) -> ir.Table:
        """The rows for which a key does not count (CROWDS)."""
        parts = [_members(rows, key, self.by_key[key.name]) for key in keys if key.name in self.by_key]
        found = engine.union(parts) if parts else engine.table(CROWDS.empty_table())
        return found.order_by(["rule", "crowd", "customer_id"])


def crowds_of(engine: DuckDBEngine, rows: ir.Table, keys: Sequence[IdentityKey]) -> Crowds:
    """The crowds among customer rows; one pass over the rows for each key."""
    found = {key.name: engine.cached(_crowded(rows, key)) for key in keys}
    return Crowds({name: values for name, values in found.items() if engine.arrow(values.limit(1)).num_rows})


def _present(rows: ir.Table, key: IdentityKey) -> ir.Table:
    return rows.filter([rows[f].notnull() for f in key.fields])


def _crowded(rows: ir.Table, key: IdentityKey) -> ir.Table:
    whole = _present(rows, key)
    by_system = whole.group_by([*key.fields, "source_system"]).aggregate(records=whole.count())
    many = by_system.filter(by_system["records"] > key.shared_by_at_most)
    return many.group_by(list(key.fields)).aggregate(records=many["records"].max())


def _members(rows: ir.Table, key: IdentityKey, crowd: ir.Table) -> ir.Table:
    fields = list(key.fields)
    mine = rows.select(*dict.fromkeys(("customer_id", "source_system", "source_table", "source_row", *fields)))
    shared = mine.inner_join(crowd, fields)
    first = shared["customer_id"].min().over(ibis.window(group_by=[shared[f] for f in fields]))
    told = shared.select(
        "customer_id",
        "records",
        "source_system",
        "source_table",
        "source_row",
        rule=ibis.literal(key.name),
        crowd=first,
    )
    return told.select(*CROWDS.names).cast(ibis.Schema.from_pyarrow(CROWDS))
