"""Traps in the old systems' own rows: what they say is impossible, or contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping

from migration_assets.drill.changes import Alter, Copy
from migration_assets.drill.trap import Trap


def _altered(id: str, what: str, table: str, set: Mapping[str, str], where: str = "true") -> Trap:
    return Trap(id, "source", what, (Alter(table, set, where),))


SOURCE = (
    _altered(
        "I1-source-anchor",
        "The old system counts a contract's periods from another day than it bills by.",
        "erp.subscriptions",
        {"anchor_date": "anchor_date + INTERVAL 4 DAY"},
        "status = 'ACT' AND bill_interval = 'M' AND day(anchor_date) < 20",
    ),
    _altered(
        "I3-source-status",
        "A contract has a status that nobody has decided about.",
        "erp.subscriptions",
        {"status": "'ZZZ'"},
        "status = 'ACT'",
    ),
    _altered(
        "I5-source-currency",
        "A contract is in a currency that does not exist.",
        "erp.subscription_items",
        {"currency": "'XQX'"},
        "recurring_amount > 0",
    ),
    _altered(
        "I18-source-country",
        "The old system does not know where a service is used.",
        "erp.subscriptions",
        {"service_country": "'ZZ'"},
        "status = 'ACT'",
    ),
    _altered(
        "I21-source-own-parent",
        "A company is its own parent in the old system.",
        "crm.accounts",
        {"parent_account": "account_id"},
        "parent_account IS NOT NULL",
    ),
    Trap("I27-source-key", "source", "The old system has an invoice twice under one key.", (Copy("erp.invoices"),)),
    Trap(
        "I30-source-key", "source", "The old system has a contract twice under one key.", (Copy("erp.subscriptions"),)
    ),
    _altered(
        "I33-source-seats",
        "More seats are taken than the contract has.",
        "erp.subscription_items",
        {"quantity": "0"},
        "price_model = 'SEA' AND quantity > 0",
    ),
)
