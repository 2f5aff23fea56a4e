"""What nobody signed for, held against what a plan bears: of one cohort, and of all cohorts of a wave together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from migration_assets.stages.shadow.signed import UNSIGNED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.access_models import Budget

# A cohort's share as it is kept. One row for each currency in which customers are hit unsigned; key: currency. `basis`:
# what the cohort's run stood on, the same for every cohort of one migration record.
SHARE = pa.schema(
    [("currency", pa.string()), ("customers", pa.int64()), ("yearly_minor", pa.int64()), ("basis", pa.string())]
)


@dataclass(frozen=True)
class Share:
    """Customers hit unsigned, and what they are billed in a year in minor units, both by currency ('' where a customer
    is billed nothing)."""

    customers: Mapping[str, int] = field(default_factory=dict)
    yearly_minor: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """How many customers, of every currency."""
        return sum(self.customers.values())


def share_of(engine: DuckDBEngine, churn: ir.Table) -> Share:
    """What one cohort's churn (churn.CHURN) takes of a budget."""
    unsigned = churn.filter(churn["status"] == UNSIGNED)
    each = unsigned.group_by("currency").aggregate(customers=_.count(), yearly_minor=_.yearly_minor.sum())
    return _read(engine.arrow(each))


def together(shares: Iterable[Share]) -> Share:
    """The sum of several cohorts'."""
    customers, yearly = Counter[str](), Counter[str]()
    for share in shares:
        customers.update(share.customers)
        yearly.update(share.yearly_minor)
    return Share(dict(customers), dict(yearly))


def bears(budget: Budget, share: Share) -> bool:
    """Whether a budget bears it. A currency that the budget does not name has none."""
    limits = budget.at_most_yearly_minor
    if share.number > budget.at_most_customers:
        return False
    return limits is None or all(minor <= limits.get(currency, 0) for currency, minor in share.yearly_minor.items())


def as_rows(share: Share, basis: str) -> pa.Table:
    """The same to keep (SHARE)."""
    rows = [
        {"currency": c, "customers": n, "yearly_minor": share.yearly_minor.get(c, 0), "basis": basis}
        for c, n in sorted(share.customers.items())
    ]
    return pa.Table.from_pylist(rows, SHARE)


def kept_share(file: Path, basis: str) -> Share:
    """What a cohort has kept, as far as it is about the same basis."""
    return _read(pq.read_table(file, filters=[("basis", "=", basis)]))


def _read(rows: pa.Table) -> Share:
    each = rows.to_pylist()
    return Share(
        {r["currency"] or "": int(r["customers"]) for r in each},
        {r["currency"] or "": int(r["yearly_minor"]) for r in each},
    )
