"""Access that differs as a sheet for who looks after customers: losses that nobody signed for first, by what the
customer is worth. Keys, features and limits only."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from migration_assets.stages.shadow.signed import STATUSES, UNSIGNED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_COLUMNS = (
    "customer_id", "feature", "region", "kind", "starts_at", "ends_at", "before", "after", "status", "signed_by",
    "yearly_minor", "currency",
)  # fmt: skip
_STATUS = {s: n for n, s in enumerate((UNSIGNED, *(s for s in STATUSES if s != UNSIGNED)))}
_KIND = {"loss": 0, "change": 1, "gain": 2}


def access_csv(engine: DuckDBEngine, differences: ir.Table) -> str:
    """One line for each span of time with one difference, with a header. Instants are UTC; `before` and `after` in
    words, limits in the feature's own unit; `yearly_minor`: what the customer is billed in a year, in minor units."""
    rows = engine.arrow(differences).to_pylist()
    rows.sort(key=_rank)
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        times = {c: row[c].isoformat() if row[c] else "" for c in ("starts_at", "ends_at")}
        writer.writerow({**row, **times, "before": in_words(row, "before"), "after": in_words(row, "after")})
    return out.getvalue()


def in_words(row: Mapping[str, Any], side: str) -> str:
    """One side's answer: nothing said, not allowed, or up to how much and what happens past it."""
    allowed, limit, overage = (row[f"{side}_{c}"] for c in ("allowed", "limit_units", "overage"))
    if allowed is None:
        return "nothing"
    if not allowed:
        return "not allowed"
    if limit is None:
        return "without limit"
    return f"up to {limit.normalize():f}, then {overage}"


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    worth = -(row["yearly_minor"] or 0)
    return (
        _STATUS[row["status"]],
        _KIND[row["kind"]],
        worth,
        row["customer_id"],
        row["feature"],
        row["region"],
        row["starts_at"],
    )
