"""Which differences of bills somebody has signed for.

What was signed is a cause, whose bills, and how much one invoice may differ: a difference that is larger is not signed
for, and neither is one after the last day it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.bill_parity import REJECTED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import AcceptedDifference

SIGNED, UNSIGNED = "signed", "unsigned"
STATUSES = (SIGNED, UNSIGNED, REJECTED)


def judged(engine: DuckDBEngine, differences: ir.Table, accepted: Sequence[AcceptedDifference], on: date) -> ir.Table:
    """Differences with `status` (signed, rejected, unsigned) and `signed_by` (of what is signed); kept.

    `differences`: as `bill_differences` gives them. `on`: the day of T.
    """
    key = ["subscription_id", "cycle", "cause"]
    told = differences.left_join(_standing(engine, differences, accepted, on), key)
    status = ibis.cases((told["cause"] == REJECTED, REJECTED), (told["signed_by"].notnull(), SIGNED), else_=UNSIGNED)
    return engine.cached(told.mutate(status=status).select(*differences.columns, "status", "signed_by"))


def _standing(
    engine: DuckDBEngine, differences: ir.Table, accepted: Sequence[AcceptedDifference], on: date
) -> ir.Table:
    """subscription_id, cycle, cause (key) of what is signed for, and by whom."""
    counts = [a for a in accepted if a.expires_on is None or on < a.expires_on]
    rows = [(a, whose) for a in counts for whose in (a.contracts or (None,))]
    columns = {
        "cause": pa.array([a.cause for a, _ in rows], pa.string()),
        "whose": pa.array([whose for _, whose in rows], pa.string()),
        "at_most": pa.array([a.at_most_minor for a, _ in rows], pa.int64()),
        "signed_by": pa.array([a.signed_by for a, _ in rows], pa.string()),
    }
    met = differences.join(engine.table(pa.table(columns)), "cause")
    met = met.filter(met["whose"].isnull() | (met["whose"] == met["subscription_id"]))
    met = met.filter(met["difference_minor"].abs() <= met["at_most"])
    return met.group_by("subscription_id", "cycle", "cause").aggregate(signed_by=met["signed_by"].min())
