"""What people read instead of codes, in one list: the UI, the command line and the sheets say the same.

A code stays where somebody writes it back (the cause of an accepted difference, in billing.yaml): `with_code`.
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
    "invoice_unreadable": "the invoice cannot be read",
    "contract_unreadable": "its contract cannot be read",
    "tax_unknown": "no tax rate is known for it",
    "cannot_be_made": "the rules make no bill of its contract",
    "no_such_period": "the rules have no such period",
    "billed_twice": "the period was invoiced twice",
    "header": "its header says another total",
    "other_date": "issued on another day",
    "line_missing": "a line that the rules do not make",
    "line_extra": "the rules make a line more",
    "amount": "another amount",
    "tax": "another tax",
    "period": "another period",
}


def with_code(words: Mapping[str, str], code: str) -> str:
    """The words, and the code that a person writes for it; a code without words stands for itself."""
    return f"{words[code]} ({code})" if code in words else code


def several(words: Mapping[str, str], codes: str) -> str:
    """Codes with blanks between them, in words."""
    return "; ".join(words.get(code, code) for code in codes.split())
