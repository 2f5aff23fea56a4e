"""What a difference of bills is called, and which signature it rests on.

What was signed is looked up in billing.yaml by the rule of `shadow.signed`; a difference that the stage found signed
and that no signature covers is an error, never a blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, get_args

from migration_assets.domain.bill_parity import REJECTED, UNEXPLAINED
from migration_assets.stages.shadow.signed import SIGNED

if TYPE_CHECKING:
    from migration_assets.plan.billing_models import AcceptedDifference

# From the one that needs no look to the one that needs it most.
BillClass = Literal["equal", "rounding", "signed", "rejected", "unsigned", "unexplained"]
CLASSES: tuple[BillClass, ...] = get_args(BillClass)
# Causes that only move odd minor units; they are signed for like any other.
ROUNDINGS = frozenset({"rounding", "round_at", "tax_at"})

IN_WORDS: dict[str, str] = {
    "equal": "equal",
    "rounding": "rounding, declared",
    "signed": "explained, signed",
    "rejected": "rows left out",
    "unsigned": "explained, not signed",
    "unexplained": "unexplained",
}


def class_of(cause: str, status: str) -> BillClass:
    """`cause` and `status` as `shadow_billing` keeps them with each difference."""
    if cause == REJECTED:
        return "rejected"
    if status == SIGNED:
        return "rounding" if cause in ROUNDINGS else "signed"
    return "unexplained" if cause == UNEXPLAINED else "unsigned"


def worst(classes: Iterable[str]) -> str:
    """The one that needs a look most; `equal` of none."""
    return max(classes, key=lambda c: CLASSES.index(c), default="equal")


def signature_of(
    accepted: Sequence[AcceptedDifference], contract_id: str, cause: str, difference_minor: int, on: date
) -> AcceptedDifference | None:
    """What somebody signed that covers this difference on that day: of several, the first by who signed and when."""
    covering = [
        a
        for a in accepted
        if a.cause == cause
        and (a.expires_on is None or on < a.expires_on)
        and (not a.contracts or contract_id in a.contracts)
        and abs(difference_minor) <= a.at_most_minor
    ]
    return min(covering, key=lambda a: (a.signed_by, a.signed_on), default=None)
