"""What people read instead of codes, in one list: the UI, the command line and the sheets say the same.

A code stays where somebody looks it up or writes it back (the cause of an accepted difference, in billing.yaml):
`with_code`.
"""

from __future__ import annotations

from collections.abc import Mapping

from migration_assets.control.reviews import UNMERGED
from migration_assets.domain.bill_parity import REJECTED, UNEXPLAINED
from migration_assets.stages.shadow.signed import SIGNED, UNSIGNED

# Why a machine does not decide (stages.identities.decide.Reason), and why a person need not any more.
WHY: Mapping[str, str] = {
    "unsure": "alike, but not enough to be sure",
    "told_apart": "alike, but for what tells people of one household, or companies of one group, apart",
    "two_payers": "both have been billed",
    "same_plan_twice": "both have an active subscription to one plan",
    "two_tax_ids": "their verified tax numbers differ",
    "both_loaded": "two customers of the new system already, with ids of their own",
    "erased": "one was erased, and the other may be the same person: same leaves nothing personal of either",
    "contradicted": "what was decided contradicts other decisions or the source",
    UNMERGED: "they were merged, and somebody took them apart",
}

# What became of a bill that differs (stages.shadow.signed.STATUSES).
STATUS: Mapping[str, str] = {
    SIGNED: "signed for",
    UNSIGNED: "nobody signed for it",
    REJECTED: "due to rejected rows",
}

# Why a bill differs: rules in which both systems differ (plan.billing_models.Cause), and what no rule is.
CAUSE: Mapping[str, str] = {
    "pause": "what a pause does to the days of billing",
    "price_decimals": "decimals of a price after an increase",
    "proration": "how a part of a period is counted",
    "rounding": "which way a half is rounded",
    "round_at": "rounded by line or by invoice",
    "tax_at": "taxed by line or by invoice",
    UNEXPLAINED: "no declared rule explains it",
    REJECTED: "rows that were rejected or left out",
}

# Why an issued invoice is not made again (domain.back_test.Reason).
NOT_MADE_AGAIN: Mapping[str, str] = {
    "invoice_unreadable": "a part of the invoice cannot be read",
    "contract_unreadable": "its contract, or an item or discount of it, cannot be read",
    "tax_unknown": "no tax rate holds for its country on that day",
    "cannot_be_made": "a day or an amount lies outside all calendars",
    "no_such_period": "by the rules no invoice is due for that period",
    "billed_twice": "two invoices were issued for the same period",
    "header": "the lines do not add up to what the header says",
    "other_date": "it bears another day",
    "line_missing": "a line that was issued is not made",
    "line_extra": "a line is made that was not issued",
    "amount": "a line comes to another amount",
    "tax": "the amount with tax is right, and its tax is not",
    "period": "a line bills other days",
}


def with_code(words: Mapping[str, str], code: str) -> str:
    """The words, and the code that a person writes for it; a code without words stands for itself."""
    return f"{words[code]} ({code})" if code in words else code


def several(words: Mapping[str, str], codes: str) -> str:
    """Codes with blanks between them, each in words and as it is."""
    return "; ".join(with_code(words, code) for code in codes.split())
