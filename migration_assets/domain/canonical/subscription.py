"""Subscription entities: what was sold, what it entitles to, what has been used."""

from migration_assets.domain.canonical.model import (
    Entity,
    boolean,
    code,
    country,
    currency,
    decimal,
    instant,
    integer,
    key,
    listed,
    money,
    personal,
    ref,
    required,
    text,
)

SUBSCRIPTION_ = Entity(
    "subscription",
    "transformed_entitlements",
    "A running contract for a plan. Periods are half-open; `time_zone` is the contract's own.",
    (
        key("subscription_id"),
        required(ref("customer_id", "customer", "Who owns it.")),
        ref("payer_id", "customer", "Who pays for it, when somebody else does."),
        ref("legal_entity_id", "legal_entity", "Who bills it."),
        required(listed("plan_code", "plan", "Plan sold.")),
        required(code("status", "State at T.", "trialing", "active", "past_due", "paused", "canceled", "ended")),
        required(currency()),
        required(code("interval", "Billing interval of the contract.", "month", "quarter", "year")),
        required(instant("starts_at", "Start of the contract.")),
        instant("ends_at", "End of the contract; absent while it renews."),
        instant("anchor_at", "Original billing anchor; every period is counted from it."),
        instant("trial_ends_at", "End of the trial; nothing is charged before it."),
        instant("current_period_starts_at", "Start of the period that contains T."),
        instant("current_period_ends_at", "End of the period that contains T."),
        instant("paused_at", "Start of a pause."),
        instant("resumes_at", "Planned end of a pause."),
        boolean("cancel_at_period_end", "Access until the period ends, then no renewal."),
        instant("canceled_at", "When it was cancelled."),
        instant("grace_ends_at", "End of grace while past due."),
        text("time_zone", "IANA zone of the contract."),
        country("service_country", "Where the service is used."),
        boolean("tax_inclusive", "Prices contain tax."),
        boolean("tax_exempt", "No tax on this contract."),
        money("billed_to_date_minor", "Total billed so far, where the source keeps it."),
        text("purchase_order", "Customer's order number."),
    ),
)

SUBSCRIPTION_ITEM = Entity(
    "subscription_item",
    "transformed_entitlements",
    "One product on a subscription, at the contracted (grandfathered) price.",
    (
        key("item_id"),
        required(ref("subscription_id", "subscription", "Contract it belongs to.")),
        required(listed("product_code", "product", "What was sold.")),
        required(code("kind", "Part it plays.", "base", "add_on", "usage")),
        required(integer("quantity", "Units bought.")),
        required(currency()),
        decimal("unit_price", "Contracted price of one unit for one interval, in major units, own scale."),
        code("price_model", "How quantity becomes an amount.", "flat", "per_seat", "tiered", "volume", "package"),
        listed("price_code", "price", "Price whose tiers or packages count, where the model has any."),
        money("recurring_minor", "Recurring amount of one interval before discounts."),
        instant("starts_at", "Start; absent means with the subscription."),
        instant("ends_at", "End; absent means with the subscription."),
    ),
)

SCHEDULED_CHANGE = Entity(
    "scheduled_change",
    "transformed_entitlements",
    "A change already agreed: downgrade, ramp, uplift.",
    (
        key("scheduled_change_id"),
        required(ref("subscription_id", "subscription", "Contract it changes.")),
        required(code("kind", "What changes.", "downgrade", "upgrade", "ramp", "uplift", "cancel")),
        required(instant("effective_at", "From when.")),
        listed("new_plan_code", "plan", "Plan after the change."),
        integer("new_quantity", "Quantity after the change."),
        decimal("new_unit_price", "Unit price after the change."),
        decimal("percent", "Uplift in percent."),
    ),
)

DISCOUNT = Entity(
    "discount",
    "transformed_entitlements",
    "A recurring discount; cycles remaining are carried, never reset.",
    (
        key("discount_id"),
        required(ref("subscription_id", "subscription", "Contract it applies to.")),
        required(code("kind", "Percent or amount.", "percent", "amount")),
        decimal("percent", "Percent off."),
        currency("Currency of the amount."),
        money("amount_minor", "Amount off per cycle."),
        text("coupon_code", "Coupon it came from."),
        integer("cycles_total", "Cycles granted; absent means for ever."),
        integer("cycles_remaining", "Cycles left at T."),
        instant("starts_at", "From when."),
        instant("ends_at", "Until when."),
    ),
)

COMMITMENT = Entity(
    "commitment",
    "transformed_entitlements",
    "A minimum spend or a prepaid balance, with its drawdown order.",
    (
        key("commitment_id"),
        required(ref("customer_id", "customer", "Whose.")),
        ref("subscription_id", "subscription", "Contract it is tied to."),
        required(code("kind", "What it is.", "minimum_spend", "prepaid")),
        required(currency()),
        required(money("amount_minor", "Agreed amount.")),
        required(money("remaining_minor", "Left at T.")),
        integer("burn_order", "Lower is used first."),
        required(instant("starts_at", "From when.")),
        instant("ends_at", "Until when."),
    ),
)

ENTITLEMENT_OVERRIDE = Entity(
    "entitlement_override",
    "transformed_entitlements",
    "An exception for one customer and feature. The latest that starts wins where two overlap.",
    (
        key("override_id"),
        required(ref("customer_id", "customer", "Who.")),
        required(listed("feature_code", "feature", "What.")),
        country("region", "Only there; absent means everywhere."),
        required(code("limit_kind", "How far.", "unlimited", "limited", "zero")),
        decimal("limit_units", "Units when limited, in the feature's canonical unit."),
        required(instant("starts_at", "From when.")),
        instant("ends_at", "Until when."),
        text("approved_by", "Who approved it."),
    ),
)

USAGE_BALANCE = Entity(
    "usage_balance",
    "transformed_entitlements",
    "Usage of a feature within the period that contains T. A move never resets a counter.",
    (
        key("usage_balance_id"),
        required(ref("subscription_id", "subscription", "Contract.")),
        required(listed("feature_code", "feature", "Feature used.")),
        required(instant("period_starts_at", "Start of the period.")),
        required(instant("period_ends_at", "End of the period.")),
        required(decimal("used_units", "Used so far, in the feature's canonical unit.")),
    ),
)

USAGE_EVENT = Entity(
    "usage_event",
    "transformed_entitlements",
    "One metered event of the current period.",
    (
        key("usage_event_id"),
        required(ref("subscription_id", "subscription", "Contract.")),
        required(listed("feature_code", "feature", "Feature used.")),
        required(instant("occurred_at", "When it was used.")),
        instant("recorded_at", "When it arrived."),
        required(decimal("units", "How much, in the feature's canonical unit.")),
        text("idempotency_key", "Same key, same event."),
    ),
)

SEAT_ASSIGNMENT = Entity(
    "seat_assignment",
    "transformed_entitlements",
    "Which person holds which seat.",
    (
        key("seat_assignment_id"),
        required(ref("item_id", "subscription_item", "Item with seats.")),
        ref("contact_id", "contact", "Who sits there, when a contact."),
        personal(text("holder", "Login of the holder.")),
        required(instant("assigned_at", "Since when.")),
        instant("released_at", "Until when."),
    ),
)

ENTITLEMENT = Entity(
    "entitlement",
    "transformed_entitlements",
    "Customer x feature x region x half-open period: what is allowed, how far, and where it comes from.",
    (
        key("entitlement_id"),
        required(ref("customer_id", "customer", "Who.")),
        ref("subscription_id", "subscription", "Contract that grants; absent for an override."),
        required(listed("feature_code", "feature", "What.")),
        required(text("region", "ISO country of service, or '*'.")),
        required(instant("starts_at", "From when.")),
        instant("ends_at", "Until when; absent while it renews."),
        required(boolean("allowed", "Access or not (a geo rule may forbid it).")),
        required(code("limit_kind", "How far.", "unlimited", "limited", "zero", "none")),
        decimal("limit_units", "Units when limited."),
        text("unit", "Unit of the limit."),
        required(code("overage", "What happens past the limit.", "block", "bill", "grace", "none")),
        required(code("granted_by", "Where it comes from.", "plan", "add_on", "override")),
    ),
    origin="derived",
)

SUBSCRIPTION = (
    SUBSCRIPTION_,
    SUBSCRIPTION_ITEM,
    SCHEDULED_CHANGE,
    DISCOUNT,
    COMMITMENT,
    ENTITLEMENT_OVERRIDE,
    USAGE_BALANCE,
    USAGE_EVENT,
    SEAT_ASSIGNMENT,
    ENTITLEMENT,
)
