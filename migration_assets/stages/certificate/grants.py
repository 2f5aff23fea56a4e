"""What customers may do in the next thirteen months on both sides, interval beside interval, and where it differs (Z1).

Told by what is compared for whole cohorts; nothing is sampled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.calendar import add_months
from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.schema import schema_of
from migration_assets.stages.shadow.access_differences import access_differences
from migration_assets.stages.shadow.legacy.access import legacy_access
from migration_assets.stages.shadow.legacy.features import translated
from migration_assets.stages.shadow.signed import UNSIGNED
from migration_assets.stages.shadow.target.access import target_access

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.stages.certificate.cohort_rows import CohortRows

MONTHS = 13
Spans = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Access:
    """Of all customers at hand, kept in the engine: spans of both sides, differences, and customer_id and reason of
    those of whom the old side cannot be told."""

    until: datetime
    before: ir.Table
    after: ir.Table
    apart: ir.Table
    unanswerable: ir.Table


@dataclass(frozen=True)
class Grants:
    """The same of a few customers, by customer."""

    until: datetime
    before: Spans
    after: Spans
    apart: Spans
    unanswerable: Mapping[str, str]


def access_of(engine: DuckDBEngine, billing: Billing, rows: CohortRows, as_of: datetime) -> Access:
    """What customers may do from `as_of` on."""
    until = add_months(as_of, MONTHS)
    records = translated(engine, rows.records, billing.legacy.features)
    old = legacy_access(engine, records, as_of, until)
    entitlement, subscription = (_made(engine, rows, entity) for entity in ("entitlement", "subscription"))
    new = target_access(engine, entitlement, subscription, as_of, until)
    apart = access_differences(engine, old, new).mutate(status=ibis.literal(UNSIGNED), signed_by=ibis.null("string"))
    return Access(until, old.spans, new, engine.cached(apart), old.unanswerable)


def grants_of(engine: DuckDBEngine, access: Access, customers: ir.Table) -> Grants:
    """`customers`: customer_id of those that are asked for."""
    lost = engine.arrow(access.unanswerable.semi_join(customers, "customer_id")).to_pylist()
    before, after, apart = (
        _by_customer(engine, t.semi_join(customers, "customer_id")) for t in (access.before, access.after, access.apart)
    )
    return Grants(access.until, before, after, apart, {r["customer_id"]: r["reason"] for r in lost})


def _made(engine: DuckDBEngine, rows: CohortRows, entity: str) -> ir.Table:
    """Rows of the target; none where the plan makes none."""
    made = rows.made.get(entity)
    return engine.table(schema_of(ENTITIES[entity].fields).to_pyarrow().empty_table()) if made is None else made


def _by_customer(engine: DuckDBEngine, spans: ir.Table) -> dict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    ordered = spans.order_by(["customer_id", "feature", "region", "starts_at"])
    for row in engine.arrow(ordered).to_pylist():
        found[row.pop("customer_id")].append(row)
    return dict(found)
