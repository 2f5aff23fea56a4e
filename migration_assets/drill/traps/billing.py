"""Traps in the cohort's invoices, payments and credits: the transformation was wrong.

Columns are those of the canonical model; instants are UTC, amounts minor units.
"""

from __future__ import annotations

from migration_assets.drill.changes import Copy
from migration_assets.drill.trap import Trap
from migration_assets.drill.traps.made import altered, removed

_ASSET = "transformed_billing"

BILLING = (
    altered(
        "I2-overlap",
        _ASSET,
        "An invoice reaches a day into the period of the one before.",
        "invoice",
        {"period_starts_at": "period_starts_at - INTERVAL 1 DAY"},
        "subscription_id IS NOT NULL AND status = 'paid'",
    ),
    altered(
        "I5-dinar-without-fils",
        _ASSET,
        "An invoice in dinars is kept with two decimals instead of three.",
        "invoice",
        {c: f"{c} // 10" for c in ("subtotal_minor", "tax_minor", "total_minor")},
        "currency = 'KWD' AND total_minor > 100 AND subtotal_minor % 10 + tax_minor % 10 = total_minor % 10",
    ),
    altered(
        "I6-total",
        _ASSET,
        "Tax is rounded up by one: lines and tax are not the total any more.",
        "invoice",
        {"tax_minor": "tax_minor + 1"},
        "tax_minor > 0",
    ),
    altered(
        "I6-credited-too-much",
        _ASSET,
        "The credit memos of an invoice come to more than the invoice.",
        "credit_memo",
        {"amount_minor": "amount_minor + 100000000", "applied_minor": "applied_minor + 100000000"},
        "invoice_id IS NOT NULL",
    ),
    altered(
        "I16-sign",
        _ASSET,
        "A credit has become a debt.",
        "credit_balance",
        {"balance_minor": "-balance_minor"},
        "balance_minor > 0",
    ),
    altered(
        "I16-expiry",
        _ASSET,
        "A credit runs out a year earlier.",
        "credit_balance",
        {"expires_at": "coalesce(expires_at, TIMESTAMPTZ '2027-06-30 00:00:00+00') - INTERVAL 1 YEAR"},
    ),
    altered(
        "I17-retry-now",
        _ASSET,
        "A payment that failed is tried again at once, as if it had never been tried.",
        "dunning_state",
        {"attempts": "0", "next_retry_at": "TIMESTAMPTZ '2026-06-30 12:00:00+00'"},
    ),
    removed(
        "I24-application-lost",
        _ASSET,
        "A payment is not applied to its invoice any more: it is open again.",
        "payment_application",
    ),
    altered(
        "I24-applied-less",
        _ASSET,
        "A payment is applied with one cent less.",
        "payment_application",
        {"amount_minor": "amount_minor - 1"},
        "amount_minor > 1",
    ),
    altered(
        "I25-currency",
        _ASSET,
        "A payment has changed its currency.",
        "payment",
        {"currency": "CASE WHEN currency = 'EUR' THEN 'USD' ELSE 'EUR' END"},
    ),
    altered(
        "I26-refund-settled",
        _ASSET,
        "A refund on its way arrives as paid: nobody sends it.",
        "refund",
        {"status": "'settled'"},
        "status = 'pending'",
    ),
    removed("I26-dispute-lost", _ASSET, "An open dispute has no owner any more.", "dispute", "status = 'open'"),
    altered("I27-number", _ASSET, "An issued invoice has another number.", "invoice", {"number": "number || '-1'"}),
    Trap(
        "I27-twice",
        "transformed",
        "An issued invoice is there twice, and is sent again.",
        (Copy("invoice", {"invoice_id": "invoice_id || 'x'"}),),
        _ASSET,
    ),
    altered(
        "I28-unverified",
        _ASSET,
        "The means of payment of a payer counts as never verified.",
        "payment_method",
        {"verified": "false"},
        "verified AND is_default",
    ),
    altered(
        "I28-no-token",
        _ASSET,
        "The token of a means of payment is lost.",
        "payment_method",
        {"token": "NULL"},
        "token IS NOT NULL",
    ),
    altered(
        "I29-recognized",
        _ASSET,
        "Deferred revenue counts as earned.",
        "revenue_schedule",
        {"recognized": "true"},
        "NOT recognized AND amount_minor > 0",
    ),
    altered(
        "I29-entity",
        _ASSET,
        "An invoice belongs to another of our companies.",
        "invoice",
        {
            "legal_entity_id": "CASE WHEN legal_entity_id LIKE '%US01' THEN replace(legal_entity_id, 'US01', 'DE01') "
            "ELSE left(legal_entity_id, length(legal_entity_id) - 4) || 'US01' END"
        },
    ),
    removed("I30-no-disposition", _ASSET, "Nothing is said of what became of a row.", "dispositions"),
    removed("I30-row-lost", _ASSET, "A row that is said to be loaded is not there.", "payment"),
)
