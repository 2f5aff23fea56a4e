"""What a bill says, in words that both rule sets answer in: invoices with lines, in whole minor units.

Belongs here: the records that are compared, and adding them up. Not here: any rule about what is billed, when or how
much; those are in `legacy` and `target`, which share nothing but this, money and calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from migration_assets.domain.calendar import Period

LineKind = Literal["recurring", "proration", "usage", "discount"]
# The order of lines on an invoice, which decides where a system that rounds per invoice puts the odd minor unit.
LINE_KINDS: tuple[LineKind, ...] = ("recurring", "proration", "usage", "discount")


@dataclass(frozen=True, order=True)
class Line:
    """One line of an invoice: key is kind and item. `item_id` is empty for what concerns the whole invoice.

    `amount_minor` is before tax, also when prices contain it.
    """

    kind: LineKind
    item_id: str
    covers: Period
    amount_minor: int
    tax_minor: int


@dataclass(frozen=True, order=True)
class CreditUse:
    """So much of a credit settles one invoice; negative where the credit was owed by the customer and is charged."""

    subscription_id: str
    cycle: int
    credit_id: str
    amount_minor: int


@dataclass(frozen=True)
class Bill:
    """One invoice of one subscription. `cycle`: number of its billing period, counted from 0 at the anchor."""

    subscription_id: str
    cycle: int
    issued_at: datetime
    covers: Period
    currency: str
    lines: tuple[Line, ...]

    @property
    def subtotal_minor(self) -> int:
        """Before tax."""
        return sum(line.amount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        return sum(line.tax_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """What the payer owes; subtotal and tax, nothing else (I6)."""
        return self.subtotal_minor + self.tax_minor
