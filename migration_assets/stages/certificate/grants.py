"""What customers may do in the next thirteen months on both sides, interval beside interval, and where it differs (Z1).

The intervals are made by what `shadow_billing` compares whole cohorts with, and what differs is what it found: an
interval that differs and was not found is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from migration_assets.domain.access import Answer, Span
from migration_assets.domain.access_parity import access_differences
from migration_assets.domain.calendar import add_months
from migration_assets.domain.errors import StageRefused
from migration_assets.stages.shadow.access_comparison import MONTHS, reaching
from migration_assets.stages.shadow.kept import rejected_rows, without
from migration_assets.stages.shadow.legacy.access import legacy_access
from migration_assets.stages.shadow.legacy.features import translated
from migration_assets.stages.shadow.target.access import target_access
from migration_assets.stages.shadow.target.holding import canonical

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.stages.certificate.cohort_rows import CohortRows

Spans = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Access:
    """Of all customers at hand: spans of both sides, kept in the engine, and what the stage found of them:
    differences, and customers with why the old side cannot be told."""

    until: datetime
    before: ir.Table
    after: ir.Table
    apart: ir.Table
    customers: ir.Table


@dataclass(frozen=True)
class Grants:
    """The same of a few customers, by customer."""

    until: datetime
    before: Spans
    after: Spans
    apart: Spans
    unanswerable: Mapping[str, str]


def access_of(engine: DuckDBEngine, billing: Billing, rows: CohortRows, as_of: datetime) -> Access:
    """What customers may do from `as_of` on, of features that are compared.

    Before is what they have now, by rows that are left out too; where these cannot be read, what they have without.
    """
    until = add_months(as_of, MONTHS)
    entitlement, subscription = (canonical(engine, e, rows.made.get(e)) for e in ("entitlement", "subscription"))
    compared = [f.feature for f in billing.legacy.features.values()]
    granted = entitlement.filter(entitlement["feature_code"].isin(compared))
    new = engine.cached(target_access(engine, granted, subscription, as_of, until))
    old = _before(engine, billing, rows, as_of, until) if compared else new
    before, after = (engine.cached(reaching(engine, *sides)) for sides in ((old, new), (new, old)))
    return Access(until, before, after, rows.found.access_differences, rows.found.access)


def _before(engine: DuckDBEngine, billing: Billing, rows: CohortRows, as_of: datetime, until: datetime) -> ir.Table:
    every = translated(engine, rows.records, billing.legacy.features)
    whole = legacy_access(engine, every, as_of, until)
    gone = rejected_rows(engine, billing.legacy, every, rows.left_out)
    if not gone:
        return engine.cached(whole.spans)
    kept = legacy_access(engine, without(every, gone), as_of, until)
    return engine.cached(engine.union([whole.spans, kept.spans.semi_join(whole.unanswerable, "customer_id")]))


def grants_of(engine: DuckDBEngine, access: Access, customers: ir.Table) -> Grants:
    """`customers`: customer_id of those that are asked for. StageRefused when spans and differences do not belong
    together."""
    lost = access.customers.filter(access.customers["unanswerable"].notnull()).semi_join(customers, "customer_id")
    reasons = {r["customer_id"]: r["unanswerable"] for r in engine.arrow(lost).to_pylist()}
    before, after, apart = (
        _by_customer(engine, t.semi_join(customers, "customer_id")) for t in (access.before, access.after, access.apart)
    )
    for customer in (before.keys() | after.keys()) - reasons.keys():
        known = {(r["feature"], r["region"]) for r in apart.get(customer, ())}
        old, new = (_of_others(spans.get(customer, ()), known) for spans in (before, after))
        if access_differences(old, new):
            raise StageRefused(
                "what customers may do is not what was compared, so nothing is told of it",
                "Something has changed since: run `cutover run` for the cohort again.",
            )
    return Grants(access.until, before, after, apart, reasons)


def _of_others(rows: Iterable[Mapping[str, Any]], known: set[tuple[str, str]]) -> list[Span]:
    """Spans of features and regions of which no difference is known, as the readable rules compare them."""
    return [
        Span(r["feature"], r["region"], r["starts_at"], r["ends_at"], _answer(r))
        for r in rows
        if (r["feature"], r["region"]) not in known
    ]


def _answer(row: Mapping[str, Any]) -> Answer:
    limit = None if row["limit_units"] is None else Fraction(row["limit_units"])
    return Answer(row["allowed"], limit, row["overage"])


def _by_customer(engine: DuckDBEngine, spans: ir.Table) -> dict[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    ordered = spans.order_by(["customer_id", "feature", "region", "starts_at"])
    for row in engine.arrow(ordered).to_pylist():
        found[row.pop("customer_id")].append(row)
    return dict(found)
