"""How much money a wrong merge would put on the wrong customer, and what follows from it: rank, and a second person.

What is at stake is a year's money of the side that would give up its own account: for each currency the larger of what
its active contracts bill in a year (at list of the contract, before discounts and usage) and what it was invoiced in
the twelve months before T. Not their sum, which would count a contract twice; a year, because every billing interval
divides it and nothing has to be rounded. There is never a sum over currencies (I25): a case has one stake in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from migration_assets.domain.money import NO_OVERRIDES, to_major

# Currency -> minor units.
Amounts = Mapping[str, int]
# How often an interval fits into a year.
PER_YEAR: Mapping[str, int] = {"month": 12, "quarter": 4, "year": 1}
# Subscriptions in one of these states give access and are billed, or will again.
RUNNING = ("trialing", "active", "past_due", "paused")
# Invoices that were never money: not issued yet, or taken back.
NO_INVOICE = ("draft", "void")
# Whether a second person has to agree: always, never, or from so many minor units of a currency.
FourEyes = bool | Amounts


def at_stake(recurring_year: Amounts, invoiced_year: Amounts) -> dict[str, int]:
    """The larger of both in each currency, without those where nothing is at stake; by currency."""
    each = {c: max(recurring_year.get(c, 0), invoiced_year.get(c, 0)) for c in {*recurring_year, *invoiced_year}}
    return {currency: minor for currency, minor in sorted(each.items()) if minor > 0}


def rank_of(
    stakes: Amounts, rates: Mapping[str, Decimal] | None = None, exponents: Mapping[str, int] = NO_OVERRIDES
) -> Decimal:
    """By what a case is put in order: its largest stake, in major units of the currency the plan compares in.

    `rates`: currency -> units of that one. A currency without a rate counts by its own major units. The rank is for
    putting in order and for nothing else: it is no amount anybody owes.
    """
    known = rates or {}
    each = (to_major(minor, c, exponents) * known.get(c, Decimal(1)) for c, minor in stakes.items())
    return max(each, default=Decimal(0))


def needs_two(stakes: Amounts, four_eyes: FourEyes) -> bool:
    """Whether one person's answer waits for a second person. In a currency for which the plan names no amount, any
    stake does."""
    if isinstance(four_eyes, bool):
        return four_eyes
    return any(minor >= four_eyes.get(currency, 0) for currency, minor in stakes.items())
