"""Who would notice, as a sheet for who looks after customers: whom nobody signed for first, by what they are worth."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from migration_assets.domain.money import to_major
from migration_assets.stages.shadow.churn import CHURN, WORST

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine


def churn_csv(engine: DuckDBEngine, churn: ir.Table, exponents: Mapping[str, int]) -> str:
    """One line for each customer, with a header. Amounts are in minor units of `currency`; `yearly` is with it."""
    rows = engine.arrow(churn).to_pylist()
    rows.sort(key=lambda r: (WORST.index(r["status"]), -r["yearly_minor"], r["customer_id"] or ""))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*CHURN.names, "yearly"))
    for row in rows:
        yearly = ""
        if row["currency"]:
            yearly = f"{to_major(row['yearly_minor'], row['currency'], exponents):,f} {row['currency']}"
        writer.writerow((*(row[c] for c in CHURN.names), yearly))
    return out.getvalue()
