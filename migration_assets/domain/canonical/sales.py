"""Sales entities: opportunities of the CRM and the orders they became."""

from migration_assets.domain.canonical.model import (
    Entity,
    code,
    currency,
    date,
    decimal,
    integer,
    key,
    listed,
    money,
    ref,
    required,
    text,
)

OPPORTUNITY = Entity(
    "opportunity",
    "transformed_billing",
    "A possible sale.",
    (
        key("opportunity_id"),
        required(ref("customer_id", "customer", "Who might buy.")),
        ref("owner_user_id", "user", "Who sells."),
        required(text("name", "For people.")),
        required(code("stage", "How far it is.", "open", "proposal", "negotiation", "closed_won", "closed_lost")),
        required(currency()),
        money("amount_minor", "Expected amount."),
        date("close_on", "Expected or real close."),
    ),
)

OPPORTUNITY_LINE = Entity(
    "opportunity_line",
    "transformed_billing",
    "One product of an opportunity.",
    (
        key("opportunity_line_id"),
        required(ref("opportunity_id", "opportunity", "Opportunity.")),
        required(listed("product_code", "product", "Product.")),
        required(integer("quantity", "Units.")),
        required(currency()),
        decimal("unit_price", "Offered unit price, major units."),
        decimal("discount_percent", "Discount offered."),
    ),
)

SALES_ORDER = Entity(
    "sales_order",
    "transformed_billing",
    "An order that was placed.",
    (
        key("order_id"),
        required(ref("customer_id", "customer", "Who ordered.")),
        ref("opportunity_id", "opportunity", "Opportunity it came from."),
        ref("bill_to_address_id", "address", "Where the bill goes."),
        ref("ship_to_address_id", "address", "Where the goods go."),
        required(text("number", "Order number.")),
        required(code("status", "State at T.", "draft", "confirmed", "fulfilled", "cancelled")),
        required(currency()),
        required(money("total_minor", "Order total: what its lines make.")),
        decimal("exact_total", "The same in major units as the source has it, where that is finer than the currency."),
        money("tax_minor", "Tax, where it is not within the total."),
        money("freight_minor", "Freight, where it is not within the total."),
        required(date("ordered_on", "Date.")),
    ),
)

SALES_ORDER_LINE = Entity(
    "sales_order_line",
    "transformed_billing",
    "One line of an order.",
    (
        key("order_line_id"),
        required(ref("order_id", "sales_order", "Order.")),
        required(integer("position", "Place on the order: its lines stand in this order.")),
        listed("product_code", "product", "Product ordered."),
        required(integer("quantity", "Units.")),
        required(currency()),
        decimal("unit_price", "Unit price in major units."),
        decimal("discount_percent", "Discount on the unit price."),
        required(money("amount_minor", "Line amount after discount.")),
        decimal("exact_amount", "The same in major units, where that is finer than the currency."),
    ),
)

SALES = (OPPORTUNITY, OPPORTUNITY_LINE, SALES_ORDER, SALES_ORDER_LINE)
