"""Bills that differ as a sheet for finance: what nobody signed for first, the largest first. Keys and money only."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from migration_assets.domain.money import to_major
from migration_assets.stages.shadow.signed import STATUSES, UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_COLUMNS = (
    "contract_id", "cycle", "starts_at", "cause", "line_kinds", "billed_by", "status", "signed_by", "currency",
    "difference_minor",
)  # fmt: skip
_ORDER = {status: place for place, status in enumerate((UNSIGNED, *(s for s in STATUSES if s != UNSIGNED)))}


def differences_csv(engine: DuckDBEngine, differences: ir.Table, exponents: Mapping[str, int]) -> str:
    """One line for each bill and cause, with a header. `starts_at`: the first instant that the bill covers, UTC.
    `difference_minor`: target less old system, in minor units; `difference` the same with its currency."""
    rows = engine.arrow(differences.select(*_COLUMNS)).to_pylist()
    rows.sort(
        key=lambda r: (_ORDER[r["status"]], -abs(r["difference_minor"]), r["contract_id"], r["cycle"], r["cause"])
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, "difference"))
    for row in rows:
        amount = f"{to_major(row['difference_minor'], row['currency'], exponents):,f}"
        told = {**row, "starts_at": row["starts_at"].isoformat(), "signed_by": row["signed_by"] or ""}
        writer.writerow((*(told[c] for c in _COLUMNS), f"{amount} {row['currency']}"))
    return out.getvalue()
