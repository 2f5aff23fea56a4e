"""The workbench on which clean tables are spoilt: picks rows, writes values, remembers what was there before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.people import People
from migration_assets.demo.world import Setup

KEYS = {
    "crm.accounts": "account_id",
    "crm.contacts": "contact_id",
    "crm.addresses": "address_id",
    "erp.customers": "customer_no",
    "erp.subscriptions": "sub_id",
    "erp.subscription_items": "sub_item_id",
    "erp.invoices": "invoice_id",
    "erp.invoice_lines": "line_id",
    "erp.entitlement_overrides": "override_id",
    "erp.payment_methods": "method_id",
}


@dataclass
class Bench:
    """The tables while they are being spoilt. `used`: (table, column) -> rows that carry a defect already."""

    setup: Setup
    people: People
    tables: dict[str, pa.Table]
    keys: dict[str, list[str]] = field(default_factory=dict)
    originals: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: dict[tuple[str, str], Bools] = field(default_factory=dict)

    def column(self, table: str, name: str) -> Column:
        """One column in one piece, without dictionary."""
        whole = self.tables[table][name]
        whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        return whole.dictionary_decode() if isinstance(whole, pa.DictionaryArray) else whole

    def choose(self, kind: str, table: str, column: str, eligible: Bools) -> Ints:
        """Rows to spoil, ascending: the kind's rate of the eligible ones that are still untouched."""
        rate = self.setup.rates[kind]
        used = self.used.setdefault((table, column), np.zeros(self.tables[table].num_rows, dtype=bool))
        free = np.flatnonzero(eligible & ~used)
        if rate <= 0 or len(free) == 0:
            return free[:0]
        rng = self.setup.stream(f"{kind} {table} {column}")
        count = min(len(free), max(1, round(rate * int(eligible.sum()))))
        rows = np.sort(rng.choice(free, count, replace=False))
        used[rows] = True
        return rows

    def randoms(self, kind: str, table: str, high: int, count: int) -> Ints:
        """Numbers from 0 to high - 1 for one kind in one table."""
        return self.setup.stream(f"{kind} {table} values").integers(0, high, count)

    def put(self, table: str, column: str, rows: Ints, values: Column) -> None:
        """Write new values into those rows."""
        old = self.column(table, column)
        mask = np.zeros(len(old), dtype=bool)
        mask[rows] = True
        new = pc.replace_with_mask(old, pa.array(mask), values.cast(old.type))
        self.tables[table] = self.tables[table].set_column(
            self.tables[table].schema.get_field_index(column), column, new
        )

    def note(self, kind: str, table: str, rows: Ints, originals: Sequence[Any] | None = None) -> None:
        """Remember what was done to those rows."""
        keys = self.row_keys(table, rows)
        self.keys.setdefault(kind, []).extend(keys)
        if originals is not None:
            self.originals.setdefault(kind, {}).update(zip(keys, originals, strict=True))

    def row_keys(self, table: str, rows: Ints) -> list[str]:
        """'crm.accounts/A-00000001' for each row."""
        return [f"{table}/{key}" for key in self.column(table, KEYS[table]).take(pa.array(rows)).to_pylist()]

    def spoil(self, kind: str, table: str, column: str, rows: Ints, values: Sequence[str | None]) -> None:
        """Write texts into those rows and remember the originals."""
        if len(rows) == 0:
            return
        before = self.column(table, column).take(pa.array(rows)).to_pylist()
        self.put(table, column, rows, pa.array(values, type=pa.string()))
        self.note(kind, table, rows, before)

    def append(self, table: str, rows: pa.Table) -> Ints:
        """Add rows at the end; returns their row numbers."""
        old = self.tables[table]
        names = old.column_names
        plain = pa.table({n: self.column(table, n) for n in names})
        added = pa.table({n: rows[n].cast(plain.schema.field(n).type) for n in names})
        self.tables[table] = pa.concat_tables([plain, added]).combine_chunks()
        for place, mask in self.used.items():
            if place[0] == table:
                self.used[place] = np.concatenate((mask, np.ones(added.num_rows, dtype=bool)))
        return np.arange(old.num_rows, old.num_rows + added.num_rows)

    def present(self, table: str, column: str) -> Bools:
        """True where the column has a value."""
        return np.asarray(pc.is_valid(self.column(table, column)))
