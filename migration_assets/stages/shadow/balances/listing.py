"""Balances that differ as a sheet for finance: what nobody explains first, the largest first. Keys, numbers of invoices
and money only."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from migration_assets.domain.money import MoneyError, to_major
from migration_assets.stages.shadow.signed import UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_COLUMNS = (
    "customer_id", "legal_entity", "currency", "measure", "age", "item", "status", "legacy_minor", "target_minor",
    "rejected_minor", "difference_minor",
)  # fmt: skip


def balances_csv(engine: DuckDBEngine, differences: ir.Table, exponents: Mapping[str, int]) -> str:
    """One line for each position that differs, with a header. `item`: number of the invoice that is open.
    `difference_minor`: target less old system without `rejected_minor`, which is due to rejected rows; `difference` the
    same with its currency."""
    rows = engine.arrow(differences).to_pylist()
    rows.sort(key=lambda r: (r["status"] != UNSIGNED, -r["at_stake_minor"], *(r[c] for c in _COLUMNS[:6])))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, "difference"))
    for row in rows:
        writer.writerow((*(row[c] for c in _COLUMNS), written(row["difference_minor"], row["currency"], exponents)))
    return out.getvalue()


def written(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """An amount with its currency; in minor units where nobody knows how many make a major one."""
    try:
        return f"{to_major(minor, currency, exponents):,f} {currency}"
    except MoneyError:
        return f"{minor:,} minor units of {currency or 'no currency'}"
