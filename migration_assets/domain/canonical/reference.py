"""Reference entities: loaded outside the customers' cohorts, before the first and again after the last."""

from migration_assets.domain.canonical.model import (
    Entity,
    boolean,
    code,
    country,
    currency,
    date,
    decimal,
    email,
    instant,
    integer,
    key,
    listed,
    personal,
    ref,
    required,
    text,
)

PRODUCT = Entity(
    "product",
    "reference_data",
    "Something that can be sold on its own: a base plan's product, an add-on, a metered service.",
    (
        key("product_code"),
        required(text("name", "Name on invoices.")),
        required(code("kind", "What it is sold as.", "base", "add_on", "usage", "one_off")),
        text("description", "For people."),
    ),
    origin="catalog",
    may_be_fed=True,
)

PLAN = Entity(
    "plan",
    "reference_data",
    "A product with a billing interval.",
    (
        key("plan_code"),
        required(listed("product_code", "product", "Base product.")),
        required(text("name", "Name on invoices.")),
        required(code("interval", "Billing interval.", "month", "quarter", "year")),
        boolean("retired", "No longer sold; existing subscriptions keep it (grandfathered)."),
    ),
    origin="catalog",
)

PRICE = Entity(
    "price",
    "reference_data",
    "Price of a product or plan in one currency: of the list, or one that contracts name. What a customer pays is on "
    "the subscription item.",
    (
        key("price_code"),
        required(listed("product_code", "product", "What is priced.")),
        required(code("interval", "Interval the price is for.", "month", "quarter", "year")),
        required(currency("ISO 4217 code of the price.")),
        required(decimal("unit_price", "Price of one unit in major units, with its own scale; of the first tier.")),
        required(code("model", "How quantity becomes an amount.", "flat", "per_seat", "tiered", "volume", "package")),
        integer("package_size", "Units in one package, which `unit_price` is the price of."),
    ),
    origin="catalog",
)

PRICE_TIER = Entity(
    "price_tier",
    "reference_data",
    "One tier of a price that is tiered or goes by volume, from its first unit on.",
    (
        key("price_tier_code"),
        required(listed("price_code", "price", "Price it is a tier of.")),
        required(integer("over_units", "Units below the tier: from the next one on it counts.")),
        required(decimal("unit_price", "Price of one unit in the tier, in major units, with its own scale.")),
        decimal("fee", "Charged on top, once, as soon as a unit is in the tier."),
    ),
    origin="catalog",
)

FEATURE = Entity(
    "feature",
    "reference_data",
    "Something a customer may be allowed to do or use.",
    (
        key("feature_code"),
        required(text("name", "For people.")),
        required(code("kind", "Yes or no, or counted.", "switch", "quota")),
        code("unit", "Canonical unit of the limit.", "seat", "byte", "call", "project", "minute", "line"),
    ),
    origin="catalog",
)

PRODUCT_FEATURE = Entity(
    "product_feature",
    "reference_data",
    "What owning a product grants. Unlimited, zero and absent are three different things.",
    (
        key("product_feature_code"),
        required(listed("product_code", "product", "Product that grants.")),
        required(listed("feature_code", "feature", "Feature granted.")),
        required(code("limit_kind", "How far.", "unlimited", "limited", "zero", "none")),
        decimal("limit_units", "Units of the feature when limited."),
        required(code("per", "Whether the limit is for the item or for each unit of it.", "item", "unit")),
        required(code("overage", "What happens past the limit.", "block", "bill", "grace", "none")),
    ),
    origin="catalog",
)

GEO_RULE = Entity(
    "geo_rule",
    "reference_data",
    "Decision table: may this product be used in this region. '*' stands for every product or region.",
    (
        key("geo_rule_code"),
        required(text("product_code", "Product code or '*'.")),
        required(text("region", "ISO 3166-1 alpha-2 country or '*'.")),
        required(boolean("allowed", "May be used there.")),
        text("reason", "Why, for auditors."),
    ),
    origin="catalog",
)

LEGAL_ENTITY = Entity(
    "legal_entity",
    "reference_data",
    "The company of ours that issues an invoice.",
    (
        key("legal_entity_id"),
        required(text("code", "Short code on documents.")),
        required(text("name", "Registered name.")),
        required(country("country", "Seat.")),
        required(currency("Functional currency.")),
        text("invoice_series", "Prefix of its invoice numbers."),
    ),
)

EXCHANGE_RATE = Entity(
    "exchange_rate",
    "reference_data",
    "Historic exchange rate, frozen: one unit of `base_currency` in `quote_currency`.",
    (
        key("exchange_rate_id"),
        required(text("base_currency", "ISO 4217 code.")),
        required(text("quote_currency", "ISO 4217 code.")),
        required(decimal("rate", "Exact rate.")),
        required(date("rate_date", "Day it was fixed.")),
    ),
)

USER = Entity(
    "user",
    "reference_data",
    "Somebody of ours who works in the system.",
    (
        key("user_id"),
        required(personal(text("name", "Full name."))),
        required(email("email", "Login.")),
        required(code("status", "May sign in.", "active", "inactive")),
        instant("created_at", "When the account was made."),
    ),
)

ROLE = Entity(
    "role",
    "reference_data",
    "A named set of permissions.",
    (
        key("role_id"),
        required(text("code", "Short code.")),
        required(text("name", "For people.")),
        text("permissions", "Permission names, sorted, separated by spaces."),
    ),
)

USER_ROLE = Entity(
    "user_role",
    "reference_data",
    "Which user has which role.",
    (
        key("user_role_id"),
        required(ref("user_id", "user", "Who.")),
        required(ref("role_id", "role", "Has what.")),
    ),
)

REFERENCE = (
    PRODUCT,
    PLAN,
    PRICE,
    PRICE_TIER,
    FEATURE,
    PRODUCT_FEATURE,
    GEO_RULE,
    LEGAL_ENTITY,
    EXCHANGE_RATE,
    USER,
    ROLE,
    USER_ROLE,
)
