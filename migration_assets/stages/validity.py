"""What a single canonical row must satisfy to be loaded; a row that does not is rejected under the rule's name.

Rules over several rows (sums, overlaps, uniqueness) are checks of the suites, not of single rows. Issued documents are
history and have no rules here: they are kept as they were, and what is odd about them is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class RowRule:
    """`broken` says, for a table, which rows break the rule; missing values never do."""

    name: str
    reason: str
    broken: Callable[[ir.Table], ir.BooleanValue]


def _inverted(starts: str, ends: str) -> RowRule:
    return RowRule(
        "inverted_period",
        f"{ends} is not after {starts}",
        lambda t: (t[ends] <= t[starts]).fill_null(False),
    )


def _negative(field: str) -> RowRule:
    return RowRule(f"negative_{field}", f"{field} is below zero", lambda t: (t[field] < 0).fill_null(False))


_PERIOD = _inverted("starts_at", "ends_at")

# Entity -> rules, the first broken one names the rejection.
RULES: dict[str, tuple[RowRule, ...]] = {
    "subscription": (_PERIOD, _inverted("current_period_starts_at", "current_period_ends_at")),
    "subscription_item": (_negative("quantity"), _PERIOD),
    "discount": (_PERIOD,),
    "commitment": (_PERIOD,),
    "entitlement_override": (_PERIOD, _negative("limit_units")),
    "usage_balance": (_inverted("period_starts_at", "period_ends_at"), _negative("used_units")),
    "opportunity_line": (_negative("quantity"),),
    "sales_order_line": (_negative("quantity"),),
}


def broken_rule(entity: str, rows: ir.Table) -> tuple[ir.StringValue, ir.StringValue] | None:
    """Name and reason of the first rule each row breaks (null when none); None for an entity without rules."""
    rules = RULES.get(entity, ())
    if not rules:
        return None
    missing = ibis.null("string")
    name = ibis.cases(*((r.broken(rows), ibis.literal(r.name)) for r in rules), else_=missing)
    reason = ibis.cases(*((r.broken(rows), ibis.literal(r.reason)) for r in rules), else_=missing)
    return name, reason
