"""Billing entities: what was invoiced, paid, credited and is still open. History keeps number and content."""

from migration_assets.domain.canonical.model import (
    Entity,
    boolean,
    code,
    currency,
    date,
    decimal,
    instant,
    integer,
    key,
    listed,
    money,
    ref,
    required,
    text,
)

INVOICE = Entity(
    "invoice",
    "transformed_billing",
    "An invoice as issued. Number and content never change.",
    (
        key("invoice_id"),
        required(ref("customer_id", "customer", "Who was billed.")),
        ref("payer_id", "customer", "Who pays, when somebody else does."),
        ref("subscription_id", "subscription", "Contract, when the invoice is for one."),
        ref("legal_entity_id", "legal_entity", "Who issued it."),
        required(text("number", "Invoice number.")),
        required(
            code("status", "State at T.", "draft", "open", "partially_paid", "paid", "overdue", "void", "written_off")
        ),
        required(currency()),
        required(money("subtotal_minor", "Before tax.")),
        required(money("tax_minor", "Tax.")),
        required(money("total_minor", "Subtotal + tax.")),
        required(date("issued_on", "Date on the invoice.")),
        date("due_on", "Due date."),
        instant("period_starts_at", "Start of the billed period."),
        instant("period_ends_at", "End of the billed period."),
        boolean("tax_inclusive", "Line prices contain tax."),
    ),
)

INVOICE_LINE = Entity(
    "invoice_line",
    "transformed_billing",
    "One line of an invoice.",
    (
        key("invoice_line_id"),
        required(ref("invoice_id", "invoice", "Invoice.")),
        ref("item_id", "subscription_item", "Item billed."),
        required(integer("position", "Place on the invoice, from 1.")),
        required(code("kind", "What is billed.", "recurring", "proration", "usage", "discount", "credit", "one_off")),
        listed("product_code", "product", "Product billed."),
        text("description", "As printed."),
        decimal("quantity", "Quantity, exact."),
        decimal("unit_price", "Unit price in major units, own scale."),
        required(currency()),
        required(money("amount_minor", "Amount before tax.")),
        decimal("tax_percent", "Tax rate that was applied."),
        money("tax_minor", "Tax of the line."),
        instant("period_starts_at", "Start of what is billed."),
        instant("period_ends_at", "End of what is billed."),
    ),
)

PAYMENT = Entity(
    "payment",
    "transformed_billing",
    "Money received.",
    (
        key("payment_id"),
        required(ref("customer_id", "customer", "Who paid.")),
        required(code("status", "State at T.", "pending", "settled", "failed", "refunded", "charged_back")),
        required(code("method", "How.", "card", "direct_debit", "transfer", "check", "other")),
        required(currency()),
        required(money("amount_minor", "Amount received.")),
        required(instant("received_at", "When.")),
        text("reference", "Bank or processor reference."),
    ),
)

PAYMENT_APPLICATION = Entity(
    "payment_application",
    "transformed_billing",
    "Which payment settled which invoice, as recorded.",
    (
        key("payment_application_id"),
        required(ref("payment_id", "payment", "Payment.")),
        required(ref("invoice_id", "invoice", "Invoice.")),
        required(currency()),
        required(money("amount_minor", "Amount applied.")),
        required(instant("applied_at", "When.")),
    ),
)

REFUND = Entity(
    "refund",
    "transformed_billing",
    "Money given back.",
    (
        key("refund_id"),
        required(ref("payment_id", "payment", "Payment refunded.")),
        required(code("status", "State at T.", "pending", "settled", "failed")),
        required(currency()),
        required(money("amount_minor", "Amount refunded.")),
        required(instant("refunded_at", "When.")),
        text("reason", "Why."),
    ),
)

DISPUTE = Entity(
    "dispute",
    "transformed_billing",
    "A payment the payer contests.",
    (
        key("dispute_id"),
        required(ref("payment_id", "payment", "Payment contested.")),
        required(code("status", "State at T.", "open", "won", "lost")),
        required(currency()),
        required(money("amount_minor", "Amount contested.")),
        required(instant("opened_at", "When.")),
        instant("closed_at", "When decided."),
    ),
)

WRITE_OFF = Entity(
    "write_off",
    "transformed_billing",
    "An amount given up.",
    (
        key("write_off_id"),
        required(ref("invoice_id", "invoice", "Invoice.")),
        required(currency()),
        required(money("amount_minor", "Amount given up.")),
        required(instant("written_off_at", "When.")),
        text("reason", "Why."),
    ),
)

CREDIT_MEMO = Entity(
    "credit_memo",
    "transformed_billing",
    "A credit note. A goodwill credit may have no invoice.",
    (
        key("credit_memo_id"),
        required(ref("customer_id", "customer", "Who is credited.")),
        ref("invoice_id", "invoice", "Invoice it corrects."),
        required(text("number", "Credit note number.")),
        required(code("status", "State at T.", "open", "applied", "void")),
        required(currency()),
        required(money("amount_minor", "Amount credited.")),
        required(money("applied_minor", "Applied to invoices so far.")),
        required(date("issued_on", "Date on the note.")),
        text("reason", "Why."),
    ),
)

CREDIT_BALANCE = Entity(
    "credit_balance",
    "transformed_billing",
    "Credit a customer may still use, by currency and expiry.",
    (
        key("credit_balance_id"),
        required(ref("customer_id", "customer", "Whose.")),
        required(currency()),
        required(money("balance_minor", "Left at T; the sign is kept.")),
        integer("burn_order", "Lower is used first."),
        instant("expires_at", "When it lapses."),
    ),
)

PAYMENT_METHOD = Entity(
    "payment_method",
    "transformed_billing",
    "A token or mandate reference; never a card or account number.",
    (
        key("payment_method_id"),
        required(ref("customer_id", "customer", "Whose.")),
        required(code("kind", "What it is.", "card", "direct_debit", "transfer", "check", "other")),
        text("token", "Reference at the processor."),
        required(boolean("verified", "The processor knows it.")),
        boolean("is_default", "Used unless another is named."),
        date("expires_on", "When it lapses."),
    ),
)

REVENUE_SCHEDULE = Entity(
    "revenue_schedule",
    "transformed_billing",
    "Revenue of an invoice line by month.",
    (
        key("revenue_schedule_id"),
        required(ref("invoice_line_id", "invoice_line", "Line.")),
        required(date("month", "First day of the month.")),
        required(currency()),
        required(money("amount_minor", "Revenue of that month.")),
        required(boolean("recognized", "Already recognised at T.")),
    ),
)

DUNNING_STATE = Entity(
    "dunning_state",
    "transformed_billing",
    "Where the collection of an unpaid invoice stands.",
    (
        key("dunning_state_id"),
        required(ref("invoice_id", "invoice", "Invoice.")),
        required(integer("attempts", "Attempts so far.")),
        instant("next_retry_at", "Next attempt; never immediate after a move."),
        instant("grace_ends_at", "Access is kept until then."),
        required(code("status", "State at T.", "retrying", "waiting", "exhausted", "settled")),
    ),
)

BILLING = (
    INVOICE,
    INVOICE_LINE,
    PAYMENT,
    PAYMENT_APPLICATION,
    REFUND,
    DISPUTE,
    WRITE_OFF,
    CREDIT_MEMO,
    CREDIT_BALANCE,
    PAYMENT_METHOD,
    REVENUE_SCHEDULE,
    DUNNING_STATE,
)
