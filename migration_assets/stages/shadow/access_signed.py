"""Which differences of what customers may do somebody has signed for.

What was signed is a feature, which way it goes, where and whose, and how many customers of a cohort it may hit: where
it hits more, it is not what was signed for and counts for none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
from ibis import _

from migration_assets.stages.shadow.signed import SIGNED, UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.access_models import AcceptedAccess

_SPAN = ("customer_id", "feature", "region", "starts_at")


def judged(engine: DuckDBEngine, differences: ir.Table, accepted: Sequence[AcceptedAccess], on: date) -> ir.Table:
    """Differences with `status` (signed, unsigned) and `signed_by` (of what is signed); kept in the engine.

    `differences`: as `access_differences` gives them. `on`: the day of T.
    """
    standing = [a for a in accepted if a.expires_on is None or on < a.expires_on]
    met = _met(differences, engine.table(_table(standing)))
    fits = met.group_by("place").aggregate(hit=met["customer_id"].nunique())
    within = met.join(fits, "place").filter(_.hit <= _.at_most)
    signed = within.group_by(*_SPAN).aggregate(signed_by=within["signed_by"].min())
    told = differences.left_join(signed, _SPAN)
    status = told["signed_by"].notnull().ifelse(SIGNED, UNSIGNED)
    return engine.cached(told.mutate(status=status).select(*differences.columns, "status", "signed_by"))


def _met(differences: ir.Table, accepted: ir.Table) -> ir.Table:
    """Each difference beside each signature that is about it."""
    met = differences.join(accepted, ["feature", "kind"])
    whose = met["whose"].isnull() | (met["whose"] == met["customer_id"])
    where = met["where"].isnull() | (met["where"] == met["region"])
    return met.filter(whose & where)


def _table(accepted: Sequence[AcceptedAccess]) -> pa.Table:
    """place (of the signature), feature, kind, where and whose (null: any), at_most, signed_by."""
    rows = [
        (place, a, where, whose)
        for place, a in enumerate(accepted)
        for where in a.regions or (None,)
        for whose in a.customers or (None,)
    ]
    return pa.table(
        {
            "place": pa.array([r[0] for r in rows], pa.int64()),
            "feature": pa.array([r[1].feature for r in rows], pa.string()),
            "kind": pa.array([r[1].kind for r in rows], pa.string()),
            "where": pa.array([r[2] for r in rows], pa.string()),
            "whose": pa.array([r[3] for r in rows], pa.string()),
            "at_most": pa.array([r[1].at_most_customers for r in rows], pa.int64()),
            "signed_by": pa.array([r[1].signed_by for r in rows], pa.string()),
        }
    )
