"""Traps in the cohort's subscriptions and what hangs on them: the transformation was wrong.

Columns are those of the canonical model; instants are UTC, amounts minor units.
"""

from __future__ import annotations

from migration_assets.drill.changes import Copy
from migration_assets.drill.trap import Trap
from migration_assets.drill.traps.made import altered, removed

_ASSET = "transformed_entitlements"

ENTITLEMENTS = (
    altered(
        "I1-anchor-chained",
        _ASSET,
        "The anchor is taken from a clamped date: the 31st has become the 28th.",
        "subscription",
        {"anchor_at": "anchor_at - INTERVAL 3 DAY"},
        "status = 'active' AND interval = 'month' AND day(anchor_at + INTERVAL 12 HOUR) = 31",
    ),
    altered(
        "I2-gap",
        _ASSET,
        "The running period ends a day later than the old system has billed for.",
        "subscription",
        {"current_period_ends_at": "current_period_ends_at + INTERVAL 1 DAY"},
        "status = 'active' AND interval = 'month'",
    ),
    altered(
        "I3-nobody-bills",
        _ASSET,
        "A contract that is paid for arrives as cancelled: neither system bills it.",
        "subscription",
        {"status": "'canceled'", "ends_at": "current_period_ends_at", "canceled_at": "starts_at"},
        "status = 'active' AND NOT cancel_at_period_end",
    ),
    Trap(
        "I3-billed-twice",
        "transformed",
        "A contract arrives twice, with its base product: both copies are billed.",
        (Copy("subscription", {"subscription_id": "subscription_id || 'x'"}, "status = 'active'"),),
        _ASSET,
    ),
    altered(
        "I4-mid-period",
        _ASSET,
        "An agreed change takes effect three days into a period, so that a part of it is billed otherwise.",
        "scheduled_change",
        {"effective_at": "effective_at + INTERVAL 3 DAY"},
    ),
    altered(
        "I5-yen-with-cents",
        _ASSET,
        "An amount in yen is kept with two decimals that yen do not have.",
        "subscription_item",
        {"recurring_minor": "recurring_minor * 100", "unit_price": "unit_price * 100"},
        "currency = 'JPY' AND kind = 'base' AND recurring_minor > 0",
    ),
    altered(
        "I7-zone",
        _ASSET,
        "Local midnight was read in the wrong zone: every boundary of a contract is nine hours off.",
        "subscription",
        {
            c: f"{c} + INTERVAL 9 HOUR"
            for c in ("starts_at", "anchor_at", "current_period_starts_at", "current_period_ends_at")
        },
        "status = 'active' AND interval = 'month'",
    ),
    altered(
        "I7-inclusive-twice",
        _ASSET,
        "The last day of a contract was made half-open twice: it is served a day longer.",
        "subscription",
        {"ends_at": "ends_at + INTERVAL 1 DAY"},
        "cancel_at_period_end AND status = 'active' AND ends_at IS NOT NULL",
    ),
    altered(
        "I8-trial-longer",
        _ASSET,
        "A trial ends a month later than agreed.",
        "subscription",
        {"trial_ends_at": "trial_ends_at + INTERVAL 30 DAY"},
        "status = 'trialing'",
    ),
    altered(
        "I8-charged-in-trial",
        _ASSET,
        "A trial arrives as a contract that is paid for from today.",
        "subscription",
        {"status": "'active'", "trial_ends_at": "NULL", "anchor_at": "starts_at"},
        "status = 'trialing'",
    ),
    altered(
        "I9-pause-lost",
        _ASSET,
        "A paused contract arrives as active: it is billed during the pause.",
        "subscription",
        {"status": "'active'", "paused_at": "NULL", "resumes_at": "NULL"},
        "status = 'paused' AND resumes_at IS NOT NULL",
    ),
    altered(
        "I9-cancel-forgotten",
        _ASSET,
        "A contract cancelled at the end of its period renews.",
        "subscription",
        {"cancel_at_period_end": "false", "ends_at": "NULL", "canceled_at": "NULL"},
        "cancel_at_period_end AND status = 'active'",
    ),
    altered(
        "I10-list-price",
        _ASSET,
        "The next charge is a tenth more than the price in the contract.",
        "subscription_item",
        {"unit_price": "unit_price * 1.1", "recurring_minor": "round(recurring_minor * 1.1)::BIGINT"},
        "kind = 'base' AND recurring_minor >= 1000 AND ends_at IS NULL",
    ),
    altered(
        "I10-coupon-reset",
        _ASSET,
        "A coupon begins anew with all of its cycles.",
        "discount",
        {"cycles_remaining": "cycles_total"},
        "cycles_remaining BETWEEN 1 AND cycles_total - 1",
    ),
    altered(
        "I11-metered-price",
        _ASSET,
        "Use past the allowance costs twice what was agreed.",
        "subscription_item",
        {"unit_price": "unit_price * 2"},
        "kind = 'usage' AND ends_at IS NULL",
    ),
    removed(
        "I12-add-on-lost",
        _ASSET,
        "An add-on does not arrive.",
        "subscription_item",
        "kind = 'add_on' AND recurring_minor > 0 AND ends_at IS NULL",
    ),
    altered(
        "I12-quantity",
        _ASSET,
        "One unit more of an add-on than was bought.",
        "subscription_item",
        {"quantity": "quantity + 1", "recurring_minor": "round(unit_price * (quantity + 1))::BIGINT"},
        "kind = 'add_on' AND currency = 'JPY' AND ends_at IS NULL",
    ),
    altered(
        "I13-reset",
        _ASSET,
        "The move sets a counter back to nothing.",
        "usage_balance",
        {"used_units": "0"},
        "used_units > 0",
    ),
    Trap(
        "I13-counted-twice",
        "transformed",
        "An event is counted twice under two numbers.",
        (Copy("usage_event", {"usage_event_id": "usage_event_id || 'x'"}),),
        _ASSET,
    ),
    altered(
        "I14-gb-is-gib",
        _ASSET,
        "Storage in GB is granted as if it were GiB.",
        "entitlement",
        {"limit_units": "limit_units / 1000000000 * 1073741824"},
        "feature_code = 'storage' AND limit_kind = 'limited' AND allowed",
    ),
    altered(
        "I14-unlimited-is-zero",
        _ASSET,
        "Without limit has become nothing at all.",
        "entitlement",
        {"limit_kind": "'zero'", "allowed": "false"},
        "limit_kind = 'unlimited' AND allowed",
    ),
    removed(
        "I15-lost",
        _ASSET,
        "A customer loses something the contract entitles to.",
        "entitlement",
        "allowed AND granted_by = 'plan' AND ends_at IS NULL",
    ),
    altered(
        "I15-ends-early",
        _ASSET,
        "An entitlement ends ten days after it began.",
        "entitlement",
        {"ends_at": "starts_at + INTERVAL 10 DAY"},
        "allowed AND granted_by = 'plan' AND ends_at IS NULL",
    ),
    altered(
        "I18-exempt",
        _ASSET,
        "A contract that bears tax arrives as exempt.",
        "subscription",
        {"tax_exempt": "NOT tax_exempt"},
        "status = 'active' AND service_country NOT IN ('KW')",
    ),
    altered(
        "I18-no-country",
        _ASSET,
        "The place of supply is lost, and with it the rate.",
        "subscription",
        {"service_country": "NULL"},
        "status = 'active' AND service_country IS NOT NULL",
    ),
    altered(
        "I19-region",
        _ASSET,
        "What is sold in one country is granted in another.",
        "entitlement",
        {"region": "CASE WHEN region = 'DE' THEN 'FR' ELSE 'DE' END"},
        "allowed AND region <> '*'",
    ),
    altered(
        "I31-later",
        _ASSET,
        "An agreed change takes effect a month later.",
        "scheduled_change",
        {"effective_at": "effective_at + INTERVAL 1 MONTH"},
    ),
    removed("I31-lost", _ASSET, "An agreed change is forgotten.", "scheduled_change"),
    altered(
        "I32-full-again",
        _ASSET,
        "What is left of a commitment is all of it again.",
        "commitment",
        {"remaining_minor": "amount_minor"},
        "remaining_minor < amount_minor",
    ),
    altered(
        "I32-order",
        _ASSET,
        "Commitments are drawn in another order.",
        "commitment",
        {"burn_order": "coalesce(burn_order, 0) + 10"},
    ),
    altered(
        "I33-holder",
        _ASSET,
        "A seat has another holder.",
        "seat_assignment",
        {"holder": "'somebody@example.com'"},
        "holder IS NOT NULL AND released_at IS NULL",
    ),
    Trap(
        "I33-more-than-bought",
        "transformed",
        "More seats are assigned than were bought.",
        tuple(
            Copy(
                "seat_assignment",
                {"seat_assignment_id": f"seat_assignment_id || 'x{i}'", "holder": f"'somebody{i}@example.com'"},
                "released_at IS NULL",
            )
            for i in range(3)
        ),
        _ASSET,
    ),
    altered(
        "I34-payer-lost",
        _ASSET,
        "Who pays for a contract is forgotten: the holder gets the bill.",
        "subscription",
        {"payer_id": "NULL"},
        "payer_id IS NOT NULL",
    ),
)
