"""Every source row with its cohort, laid out once, so that a cohort reads its own rows and nothing is scanned twice.

Rows that lead to no customer (orphans, reference data) belong to the reserved cohort `unassigned`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.plan.ownership import UNASSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.feeds import RawTables
    from migration_assets.stages.owners import Owners


class Layout:
    """Which cohort each row of each source table belongs to."""

    def __init__(self, engine: DuckDBEngine, raw: RawTables, owners: Owners, members: ir.Table) -> None:
        self._engine, self._raw, self._owners = engine, raw, owners
        self._cohort_of = engine.cached(members.select(_customer=members["customer_id"], _cohort=members["cohort"]))
        self._cohort_of_row: dict[str, ir.Table] = {}

    def cohort_of_row(self, table: str) -> ir.Table:
        """`_row -> _cohort` of every row of `system.table`."""
        if table not in self._cohort_of_row:
            placed = self._owners.of_rows(table).left_join(self._cohort_of, "_customer")
            cohort = ibis.coalesce(placed["_cohort"], ibis.literal(UNASSIGNED))
            self._cohort_of_row[table] = self._engine.cached(placed.select("_row", _cohort=cohort))
        return self._cohort_of_row[table]

    def rows_with_cohort(self, table: str) -> ir.Table:
        """The raw rows of `system.table` and their `_cohort`."""
        return self._raw(table).inner_join(self.cohort_of_row(table), "_row")
