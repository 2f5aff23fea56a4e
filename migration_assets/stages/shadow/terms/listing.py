"""What is written down otherwise, as a sheet for whoever mends it: what nobody explains first, the largest first. Keys
and names of fields only, and never a value."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from migration_assets.stages.shadow.balances.listing import written
from migration_assets.stages.shadow.signed import UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_COLUMNS = ("record", "key", "customer_id", "field", "status", "at_stake_minor")


def terms_csv(engine: DuckDBEngine, differences: ir.Table, exponents: Mapping[str, int]) -> str:
    """One line for each record and field, with a header. `at_stake_minor`: what the contract is billed in a year, or
    the invoice comes to, in the smallest coin; `at_stake` the same with its currency."""
    rows = engine.arrow(differences).to_pylist()
    rows.sort(key=lambda r: (r["status"] != UNSIGNED, r["record"], -r["at_stake_minor"], r["key"], r["field"]))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, "at_stake"))
    for row in rows:
        stake = written(row["at_stake_minor"], row["currency"], exponents) if row["currency"] else ""
        writer.writerow((*(row[c] for c in _COLUMNS), stake))
    return out.getvalue()
