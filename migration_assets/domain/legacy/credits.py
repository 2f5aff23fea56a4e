"""Credit a customer still has with the old system, and which invoices use it up.

Each invoice, in the order of issue, takes what it can from the customer's credits in its currency: the lowest burn
order first, then what lapses first, then the credit whose id comes first as text. A credit may be used up to and with
its last day (I16). One that is negative is owed by the customer and goes onto the next invoice whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from migration_assets.domain.bill import Bill, CreditUse
from migration_assets.domain.calendar import local_day


@dataclass(frozen=True)
class Credit:
    """`burn_order` None comes after every number; `last_day` None never lapses."""

    credit_id: str
    currency: str
    balance_minor: int
    burn_order: int | None
    last_day: date | None
    zone: str


def credits_used(bills: Iterable[Bill], credits: Sequence[Credit]) -> Iterator[CreditUse]:
    """What each invoice of one customer takes from their credits, in the order it is taken."""
    left = {c.credit_id: c.balance_minor for c in credits}
    in_order = sorted(credits, key=_turn)
    for bill in sorted(bills, key=lambda b: (b.issued_at, b.subscription_id)):
        due = bill.total_minor
        for credit in in_order:
            if credit.currency != bill.currency or _lapsed(credit, bill):
                continue
            taken = _taken(left[credit.credit_id], due)
            if taken:
                yield CreditUse(bill.subscription_id, bill.cycle, credit.credit_id, taken)
                left[credit.credit_id] -= taken
                due -= taken


def _turn(credit: Credit) -> tuple[bool, int, date, str]:
    return (credit.burn_order is None, credit.burn_order or 0, credit.last_day or date.max, credit.credit_id)


def _lapsed(credit: Credit, bill: Bill) -> bool:
    return credit.last_day is not None and local_day(bill.issued_at, credit.zone) > credit.last_day


def _taken(left: int, due: int) -> int:
    return left if left < 0 else min(left, max(due, 0))
