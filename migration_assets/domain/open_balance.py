"""What is still open of an invoice (I24), what is left of a payment, and how old a receivable is: one sum, the same on
both sides of a migration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

AgeBand = Literal["not_due", "1_30", "31_60", "61_90", "over_90"]
# The last day past the due date of each band; what is older is over all of them.
AGES: tuple[tuple[AgeBand, int], ...] = (("not_due", 0), ("1_30", 30), ("31_60", 60), ("61_90", 90))
OLDEST: AgeBand = "over_90"
# How receivables are listed: from those that are not due to the oldest.
AGE_BANDS: tuple[AgeBand, ...] = (*(band for band, _ in AGES), OLDEST)


@dataclass(frozen=True)
class Settlement:
    """What happened to one invoice, in its currency's minor units; every amount is positive. `given_back`: settled
    refunds of its payments, and disputes that were lost."""

    paid: int = 0
    credited: int = 0
    written_off: int = 0
    given_back: int = 0


def open_minor(total_minor: int, settlement: Settlement) -> int:
    """total - applied payments - applied credits - write-offs + refunds and lost disputes; negative when overpaid."""
    gone = settlement.paid + settlement.credited + settlement.written_off
    return total_minor - gone + settlement.given_back


def age_band(due_on: date, today: date) -> AgeBand:
    """How many days something is past due: on its due date it is not yet."""
    past = (today - due_on).days
    return next((band for band, most in AGES if past <= most), OLDEST)


@dataclass(frozen=True)
class PaymentLeft:
    """`reopened`: what each invoice is open by again, in the order they were told. `on_account_minor`: what of the
    payment settles nothing; negative where more was applied or given back than came in."""

    reopened: tuple[int, ...]
    on_account_minor: int


def payment_left(received_minor: int, applied: Sequence[int], given_back_minor: int) -> PaymentLeft:
    """What was given back of a payment takes first what settled nothing; then invoices are open again, in the order
    told, none by more than was applied to it. `applied`: by invoice, the one issued last first; nothing else says which
    invoice a refund of a payment for several is about."""
    unused = max(0, received_minor - sum(applied))
    left = max(0, given_back_minor - unused)
    reopened: list[int] = []
    for amount in applied:
        reopened.append(min(left, max(0, amount)))
        left -= reopened[-1]
    return PaymentLeft(tuple(reopened), received_minor - sum(applied) - given_back_minor + sum(reopened))
