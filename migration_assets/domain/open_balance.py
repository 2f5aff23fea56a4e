"""What is still open of an invoice (I24): one sum, the same on both sides of a migration."""

from __future__ import annotations

from dataclasses import dataclass


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
