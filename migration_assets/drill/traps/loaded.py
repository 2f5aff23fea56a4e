"""Traps in the target, after everything was loaded and before it was read back: somebody or something changed it."""

from __future__ import annotations

from migration_assets.drill.changes import Statement
from migration_assets.drill.trap import Trap

_SCHEMA = "app"


def _one(table: str, where: str) -> str:
    return f"(SELECT ctid FROM {_SCHEMA}.{table} t WHERE {where} ORDER BY {{pick}} LIMIT 1)"


def _altered(id: str, what: str, table: str, set: str, where: str = "true") -> Trap:
    sql = f"UPDATE {_SCHEMA}.{table} SET {set} WHERE ctid = {_one(table, where)}"
    return Trap(id, "loaded", what, (Statement(table, sql),))


def _removed(id: str, what: str, table: str, where: str = "true") -> Trap:
    return Trap(
        id, "loaded", what, (Statement(table, f"DELETE FROM {_SCHEMA}.{table} WHERE ctid = {_one(table, where)}"),)
    )


LOADED = (
    _altered(
        "I1-loaded",
        "The anchor is three days earlier.",
        "subscriptions",
        "anchor_at = anchor_at - interval '3 days'",
        "status = 'active'",
    ),
    _altered(
        "I2-loaded",
        "The running period ends a second later.",
        "subscriptions",
        "current_period_ends_at = current_period_ends_at + interval '1 second'",
    ),
    _altered("I3-loaded", "A contract is ended.", "subscriptions", "status = 'ended'", "status = 'active'"),
    _altered("I5-loaded", "A currency is changed.", "subscription_items", "currency = 'CHF'"),
    _altered("I6-loaded", "One minor unit more.", "invoices", "total_minor = total_minor + 1"),
    _altered(
        "I7-loaded",
        "A boundary is a microsecond early.",
        "invoices",
        "period_ends_at = period_ends_at - interval '1 microsecond'",
        "period_ends_at IS NOT NULL",
    ),
    _altered(
        "I8-loaded",
        "A trial is extended.",
        "subscriptions",
        "trial_ends_at = trial_ends_at + interval '7 days'",
        "trial_ends_at IS NOT NULL",
    ),
    _altered("I9-loaded", "A pause is gone.", "subscriptions", "paused_at = NULL", "paused_at IS NOT NULL"),
    _altered(
        "I10-loaded", "A price is a ten-thousandth higher.", "subscription_items", "unit_price = unit_price + 0.0001"
    ),
    _removed("I12-loaded", "An add-on is gone.", "subscription_items", "kind = 'add_on'"),
    _altered("I13-loaded", "A counter is reset.", "usage_balances", "used_units = 0", "used_units > 0"),
    _altered(
        "I14-loaded", "A limit is one unit lower.", "entitlements", "limit_units = limit_units - 1", "limit_units > 1"
    ),
    _removed("I15-loaded", "An entitlement is gone.", "entitlements"),
    _altered(
        "I16-loaded",
        "A credit is doubled.",
        "credit_balances",
        "balance_minor = balance_minor * 2",
        "balance_minor <> 0",
    ),
    _altered(
        "I17-loaded",
        "The next attempt is tomorrow.",
        "dunning_states",
        "next_retry_at = next_retry_at - interval '1 day'",
        "next_retry_at IS NOT NULL",
    ),
    _altered("I18-loaded", "A contract is exempt.", "subscriptions", "tax_exempt = NOT coalesce(tax_exempt, false)"),
    _altered("I19-loaded", "A ban is lifted.", "geo_rules", "allowed = NOT allowed"),
    _altered(
        "I20-loaded",
        "A contract hangs on another customer.",
        "subscriptions",
        f"account_id = (SELECT account_id FROM {_SCHEMA}.accounts ORDER BY account_id LIMIT 1)",
        f"account_id <> (SELECT account_id FROM {_SCHEMA}.accounts ORDER BY account_id LIMIT 1)",
    ),
    _altered(
        "I21-loaded", "A subsidiary has lost its parent.", "accounts", "parent_id = NULL", "parent_id IS NOT NULL"
    ),
    _altered("I22-loaded", "An erased person has a name again.", "accounts", "name = 'Jane Doe'", "status = 'erased'"),
    _altered("I23-loaded", "An agreement nobody gave.", "consents", "decision = 'granted'", "decision <> 'granted'"),
    _removed("I24-loaded", "A payment is not applied any more.", "payment_applications"),
    _altered("I25-loaded", "A historic rate is changed.", "exchange_rates", "rate = rate + 0.00000001"),
    _altered("I26-loaded", "A refund on its way is settled.", "refunds", "status = 'settled'", "status = 'pending'"),
    _altered("I27-loaded", "A number has a space at its end.", "invoices", "number = number || ' '"),
    _altered(
        "I28-loaded",
        "A token is empty text instead of missing.",
        "payment_methods",
        "token = CASE WHEN token IS NULL THEN '' END",
    ),
    _altered("I29-loaded", "Deferred revenue is earned.", "revenue_schedules", "recognized = NOT recognized"),
    _removed("I30-loaded", "A contact is gone.", "contacts"),
    _removed("I31-loaded", "An agreed change is gone.", "scheduled_changes"),
    _altered("I32-loaded", "A commitment is full again.", "commitments", "amount_minor = amount_minor + 1"),
    _altered(
        "I33-loaded", "A seat is released.", "seat_assignments", "released_at = assigned_at", "released_at IS NULL"
    ),
    _altered(
        "I34-loaded", "A contract has lost its payer.", "subscriptions", "payer_id = NULL", "payer_id IS NOT NULL"
    ),
)
