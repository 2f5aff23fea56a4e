"""Whose each source row is: the customer it belongs to, and the customers that the rows it points at belong to.

A row finds its customer along the plan's `owner` columns, over other tables if need be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.engine.mapping import source_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.feeds import RawTables


class Owners:
    """Customers, by canonical key, of the rows of every source table."""

    def __init__(self, engine: DuckDBEngine, plan: Plan, raw: RawTables) -> None:
        self._engine, self._plan, self._raw = engine, plan, raw
        self._of_key: dict[str, ir.Table] = {}

    def of_rows(self, table: str) -> ir.Table:
        """`_row -> _customer` of every row of `system.table`, null where it leads to none; not looked up yet."""
        declared, rows = self._plan.source_table(table), self._raw(table)
        if declared.owner == "none":
            return rows.select("_row", _customer=ibis.null("string"))
        if declared.owner == "self":
            return rows.select("_row", _customer=ibis.literal(f"{table}:") + source_id(rows, declared.key))
        return self._along(table, (declared.owner,), declared.references[declared.owner])

    def named_together(self, table: str) -> ir.Table | None:
        """Customers that one row of `system.table` leads to, one in each column, each combination once; null where a
        way leads to none. None where no row of the table can lead to two.

        A row leads to its own customer and to those of all rows it points at, be it as owner, as payer, or as the
        debtor of an invoice that it settles.
        """
        declared = self._plan.source_table(table)
        ways = [w for w in references_of(self._plan, table) if self._plan.source_table(w[1]).owner != "none"]
        own = ((declared.owner,), declared.references.get(declared.owner, ""))
        others = [self._along(table, *way) for way in ways if way != own]
        ends = [*([] if declared.owner == "none" else [self.of_rows(table)]), *others]
        if len(ends) < 2:
            return None
        led = self._raw(table).select("_row")
        for i, end in enumerate(ends):
            led = led.left_join(end.select("_row", **{f"customer_{i}": "_customer"}), "_row").drop("_row_right")
        return led.drop("_row").distinct()

    def along(self, table: str, column: str) -> ir.Table:
        """`_row -> _customer` of the row that a column of `system.table`, listed in its `references`, leads to."""
        return self._along(table, (column,), self._plan.source_table(table).references[column])

    def _along(self, table: str, columns: Sequence[str], to: str) -> ir.Table:
        """`_row -> _customer` of the row of `to` whose key these columns hold."""
        rows, led = self._raw(table), self._plan.source_table(to)
        whole = ibis.and_(*(rows[c].notnull() for c in columns))
        value = whole.ifelse(source_id(rows, columns), ibis.null("string"))
        if led.owner == "self":
            return rows.select("_row", _customer=ibis.literal(f"{to}:") + value)
        parents = self._keyed(to)
        return (
            rows.select("_row", _parent=value)
            .left_join(parents, ibis._["_parent"] == parents["_key"])
            .select("_row", "_customer")
        )

    def _keyed(self, table: str) -> ir.Table:
        """`_key -> _customer` for a table that others lead to; a repeated key counts once."""
        if table not in self._of_key:
            rows = self._raw(table)
            keys = rows.select("_row", _key=source_id(rows, self._plan.source_table(table).key))
            keyed = keys.inner_join(self.of_rows(table), "_row")
            self._of_key[table] = self._engine.cached(
                keyed.group_by("_key").aggregate(_customer=keyed["_customer"].min())
            )
        return self._of_key[table]


def references_of(plan: Plan, table: str) -> list[tuple[tuple[str, ...], str]]:
    """Columns of `system.table` that hold the key of a row of another source table, and that table: those declared,
    and those that a mapping row reads with the rule `reference`."""
    declared = plan.source_table(table).references
    ways: set[tuple[tuple[str, ...], str]] = {((column,), to) for column, to in declared.items()}
    for feed in (f for f in plan.feeds if f"{f.system}.{f.table}" == table):
        for row in (r for r in plan.rows_of(feed.feed) if r.rule == "reference"):
            to = str(row.arguments["table"])
            # Behind the key of its source row an unpivoted one has a name, which does not matter for whose it is.
            columns = row.columns[: len(plan.source_table(to).key)]
            # The value of an unpivoted column is that of each in turn; its name, and the row's own id, lead nowhere.
            values = feed.unpivot if "_value" in columns else ("",)
            each = (tuple(value if c == "_value" else c for c in columns) for value in values)
            ways |= {(whole, to) for whole in each if not any(c.startswith("_") for c in whole)}
    return sorted(ways)
