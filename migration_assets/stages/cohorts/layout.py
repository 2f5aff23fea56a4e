"""Every source row with its cohort, laid out once, so that a cohort reads its own rows and nothing is scanned twice.

A row finds its customer along the plan's `owner` columns, over other tables if need be. Rows that find none (orphans,
reference data) belong to the reserved cohort `unassigned`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.mapping import source_id
from migration_assets.plan.ownership import UNASSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.feeds import RawTables


class Layout:
    """Which cohort each row of each source table belongs to; owner chains are computed once and kept."""

    def __init__(self, engine: DuckDBEngine, plan: Plan, raw: RawTables, members: ir.Table) -> None:
        self._engine, self._plan, self._raw = engine, plan, raw
        self._cohort_of = engine.cached(members.select(_customer=members["customer_id"], _cohort=members["cohort"]))
        self._customer_of_key: dict[str, ir.Table] = {}
        self._cohort_of_row: dict[str, ir.Table] = {}

    def cohort_of_row(self, table: str) -> ir.Table:
        """`_row -> _cohort` of every row of `system.table`."""
        if table not in self._cohort_of_row:
            owned = self._owned(table)
            placed = owned.left_join(self._cohort_of, "_customer")
            cohort = ibis.coalesce(placed["_cohort"], ibis.literal(UNASSIGNED))
            self._cohort_of_row[table] = self._engine.cached(placed.select("_row", _cohort=cohort))
        return self._cohort_of_row[table]

    def rows_with_cohort(self, table: str) -> ir.Table:
        """The raw rows of `system.table` and their `_cohort`."""
        return self._raw(table).inner_join(self.cohort_of_row(table), "_row")

    def _owned(self, table: str) -> ir.Table:
        """`_row -> _customer` (canonical key of a customer row, or null)."""
        declared, rows = self._plan.source_table(table), self._raw(table)
        if declared.owner == "none":
            return rows.select("_row", _customer=ibis.null("string"))
        if declared.owner == "self":
            return rows.select("_row", _customer=ibis.literal(f"{table}:") + source_id(rows, declared.key))
        to = declared.references[declared.owner]
        value = rows[declared.owner].cast("string")
        if self._plan.source_table(to).owner == "self":
            return rows.select("_row", _customer=ibis.literal(f"{to}:") + value)
        parents = self._keyed(to)
        return (
            rows.select("_row", _parent=value)
            .left_join(parents, ibis._["_parent"] == parents["_key"])
            .select("_row", "_customer")
        )

    def _keyed(self, table: str) -> ir.Table:
        """`_key -> _customer` for a table that others are owned through; a repeated key counts once."""
        if table not in self._customer_of_key:
            rows, owned = self._raw(table), self._owned(table)
            (key,) = self._plan.source_table(table).key
            keyed = rows.select("_row", _key=rows[key].cast("string")).inner_join(owned, "_row")
            one = keyed.group_by("_key").aggregate(_customer=keyed["_customer"].min())
            self._customer_of_key[table] = self._engine.cached(one)
        return self._customer_of_key[table]
