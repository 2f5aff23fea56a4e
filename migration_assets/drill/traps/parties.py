"""Traps in customers, their consents, their cohorts, and in reference data: the stage that made them was wrong.

Columns are those of the canonical model; instants are UTC, amounts minor units.
"""

from __future__ import annotations

from migration_assets.drill.traps.made import altered, removed

PARTIES = (
    removed(
        "I20-customer-lost",
        "cleansed_customers",
        "A merge has eaten a customer that has contracts.",
        "customer",
        "status = 'active'",
    ),
    altered(
        "I21-own-parent",
        "cleansed_customers",
        "A company is its own parent.",
        "customer",
        {"parent_id": "customer_id"},
        "parent_id IS NOT NULL",
    ),
    altered(
        "I21-owner",
        "cleansed_customers",
        "A customer belongs to somebody who is not there.",
        "customer",
        {"owner_user_id": "owner_user_id || 'x'"},
        "owner_user_id IS NOT NULL",
    ),
    altered(
        "I22-erased-back",
        "cleansed_customers",
        "The address of an erased person is back.",
        "customer",
        {"email": "'somebody@example.com'"},
        "status = 'erased'",
    ),
    altered(
        "I23-no-is-yes",
        "cleansed_customers",
        "A withdrawal has become an agreement.",
        "consent",
        {"decision": "'granted'"},
        "decision = 'withdrawn'",
    ),
    removed(
        "I23-suppression-lost",
        "cleansed_customers",
        "An address that nobody may write to is free again.",
        "suppression",
    ),
    altered(
        "I25-rate", "reference_data", "A historic exchange rate has changed.", "exchange_rate", {"rate": "rate * 1.01"}
    ),
    altered(
        "I34-parted",
        "cohort_plan",
        "A payer moves in another cohort than those it pays for.",
        "members",
        {"cohort": "'drill_02'"},
        "family_id <> customer_id",
    ),
)
