"""Traps in what was written and signed: the plan says something else than the old system does."""

from __future__ import annotations

from migration_assets.drill.changes import Words
from migration_assets.drill.trap import Trap


def _words(id: str, what: str, file: str, old: str, new: str) -> Trap:
    return Trap(id, "catalog", what, (Words(file, old, new),))


CATALOG = (
    _words(
        "I4-basis",
        "The plan takes the old system to count parts of a period by days.",
        "billing.yaml",
        "proration: 30e_360",
        "proration: actual_days",
    ),
    _words(
        "I6-rounding",
        "The new platform rounds down instead of half up.",
        "billing.yaml",
        "    proration: seconds\n    rounding: half_up",
        "    proration: seconds\n    rounding: down",
    ),
    _words(
        "I7-last-day",
        "The last day of a contract does not count any more.",
        "mapping/subscription.csv",
        "subscription,subscription,ends_at,erp,subscriptions,end_date|contract_tz,timestamp,"
        '"{""end"": ""inclusive_day""}"',
        "subscription,subscription,ends_at,erp,subscriptions,end_date|contract_tz,timestamp,{}",
    ),
    _words(
        "I9-pause",
        "The new platform lets periods run on during a pause.",
        "billing.yaml",
        "    tax_at: invoice\n    pause: extend",
        "    tax_at: invoice\n    pause: skip",
    ),
    _words(
        "I10-list",
        "The list price stands where the contracted one belongs.",
        "mapping/subscription_item.csv",
        "subscription_item,subscription_item,unit_price,erp,subscription_items,unit_price,",
        "subscription_item,subscription_item,unit_price,erp,subscription_items,list_price,",
    ),
    _words(
        "I11-allowance",
        "The allowance of calls is ten times what it was.",
        "catalog.yaml",
        '{feature: api-calls, limit_kind: limited, limit: "10000", unit: call, overage: bill}',
        '{feature: api-calls, limit_kind: limited, limit: "100000", unit: call, overage: bill}',
    ),
    _words(
        "I11-policy",
        "What was billed past the allowance is blocked.",
        "catalog.yaml",
        '{feature: api-calls, limit_kind: limited, limit: "10000", unit: call, overage: bill}',
        '{feature: api-calls, limit_kind: limited, limit: "10000", unit: call, overage: block}',
    ),
    _words(
        "I14-unit",
        "GB has become GiB in the catalog.",
        "catalog.yaml",
        '{feature: storage, limit_kind: limited, limit: "10", unit: GB, overage: block}',
        '{feature: storage, limit_kind: limited, limit: "10", unit: GiB, overage: block}',
    ),
    _words(
        "I14-zero",
        "What was nothing is without limit.",
        "catalog.yaml",
        "{feature: api-calls, limit_kind: zero, overage: block}",
        "{feature: api-calls, limit_kind: unlimited, overage: none}",
    ),
    _words(
        "I15-grant",
        "The catalog forgets a feature.",
        "catalog.yaml",
        "      - {feature: premium-support, limit_kind: unlimited, overage: none}\n      - {feature: analytics",
        "      - {feature: analytics",
    ),
    _words("I18-rate", "The new platform knows another rate.", "tax.csv", "DE,2021-01-01,19", "DE,2021-01-01,16"),
    _words("I18-no-rate", "The new platform knows no rate of a country.", "tax.csv", "DE,2021-01-01,19\n", ""),
    _words("I19-ban", "A country where customers are served is banned.", "geo.csv", "*,CU,false", "*,DE,false"),
    _words(
        "I20-key",
        "Two companies count as one when they are in the same country.",
        "plan.yaml",
        "fields: [kind, tax_id]\n",
        "fields: [kind, country]\n",
    ),
    _words(
        "I22-deleted",
        "Nobody leaves out what was deleted.",
        "plan.yaml",
        "  - rule: soft_deleted_account\n    table: crm.accounts\n    where: [{field: deleted_at, op: not_null}]\n"
        "    reason: Deleted in the CRM; it must never come back.\n",
        "",
    ),
    _words("I23-decision", "A no counts as a yes.", "codes/consent_decision.csv", "N,withdrawn", "N,granted"),
    _words("I26-open-won", "An open dispute counts as won.", "codes/dispute_status.csv", "OPN,open", "OPN,won"),
)
