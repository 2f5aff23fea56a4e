"""Credit balances of the new platform, and how the invoices of a customer draw them down (I16).

A balance is drawn by the next invoice in its currency that is issued before it expires: by burn order, then by expiry,
then by id. A negative balance is a debt, and is charged in full with the next invoice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from migration_assets.domain.bill import Bill, CreditUse

_NEVER = datetime.max.replace(tzinfo=UTC)
_LAST = 2**31


@dataclass(frozen=True)
class CreditBalance:
    """Row of credit_balances: key is the id; `expires_at` None never expires, `burn_order` None is drawn last."""

    credit_balance_id: str
    currency: str
    balance_minor: int
    burn_order: int | None
    expires_at: datetime | None


def draw_down(bills: Iterable[Bill], balances: Iterable[CreditBalance]) -> list[CreditUse]:
    """Draws of one customer's invoices, invoice by invoice in the order they are issued."""
    uses: list[CreditUse] = []
    remaining = sorted(
        balances,
        key=lambda b: (
            _LAST if b.burn_order is None else b.burn_order,
            b.expires_at or _NEVER,
            b.credit_balance_id,
        ),
    )
    for bill in sorted(bills, key=lambda b: (b.issued_at, b.subscription_id)):
        drawn, remaining = _draw(bill, remaining)
        uses += drawn
    return uses


def _draw(bill: Bill, balances: list[CreditBalance]) -> tuple[list[CreditUse], list[CreditBalance]]:
    due, uses, after = bill.total_minor, [], []
    for balance in balances:
        usable = balance.currency == bill.currency and bill.issued_at < (balance.expires_at or _NEVER)
        drawn = _amount(balance.balance_minor, due) if usable else 0
        if drawn:
            uses.append(CreditUse(bill.subscription_id, bill.cycle, balance.credit_balance_id, drawn))
        due -= drawn
        after.append(replace(balance, balance_minor=balance.balance_minor - drawn))
    return uses, after


def _amount(balance_minor: int, due: int) -> int:
    if balance_minor < 0:
        return balance_minor
    return max(0, min(balance_minor, due))
