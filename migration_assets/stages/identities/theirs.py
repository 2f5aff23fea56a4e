"""Canonical rows that belong to some customers, read from the golden copy without mapping anybody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.owners import Owners

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.stages.feeds import Mapping as Feeds

_PLACE = ("source_system", "source_table", "source_row")


def rows_of(feeds: Feeds, entity: str, asked: ir.Table) -> ir.Table | None:
    """Canonical rows of one entity of the customers in `asked` (customer_id), and whose they are as `owned_by`: the
    customer row that the plan's `owner` columns lead to. None when the plan feeds no such entity."""
    tables = sorted({f"{f.system}.{f.table}" for f in feeds.plan.feeds_of(entity)})
    if not tables:
        return None
    engine, owners = feeds.engine, Owners(feeds.engine, feeds.plan, feeds.raw)
    mine = {t: engine.cached(owners.of_rows(t).semi_join(asked, [("_customer", "customer_id")])) for t in tables}

    def theirs(table: str) -> ir.Table:
        rows = feeds.raw(table)
        return rows.semi_join(mine[table], "_row") if table in mine else rows

    mapped = replace(feeds, raw=theirs, whole=feeds.whole or feeds.raw).entity(entity).rows
    return mapped.inner_join(engine.union(_placed(t, rows) for t, rows in mine.items()), list(_PLACE))


def _placed(table: str, rows: ir.Table) -> ir.Table:
    system, _, name = table.partition(".")
    return rows.select(
        source_system=ibis.literal(system),
        source_table=ibis.literal(name),
        source_row=rows["_row"],
        owned_by=rows["_customer"],
    )
