"""Credit that customers still have on both sides, and what each of their next bills takes of it (I16).

By the readable rules of either side, which are few lines. That a bill takes another part of a credit because it comes
to another amount is no difference of the credit: the old system's bills are paid with the target's credits too, and
only what differs then is one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration_assets.domain.bill import Bill, CreditUse
from migration_assets.domain.calendar import is_zone
from migration_assets.domain.legacy.credits import Credit, credits_used
from migration_assets.domain.money import MoneyError, scaled
from migration_assets.domain.target.credits import CreditBalance, draw_down

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling

Exponents = Callable[[str], int]
Key = tuple[str, int]


@dataclass(frozen=True)
class Credits:
    """Credits by whose they are: `before` the old system's, `after` the target's under the old system's ids.

    `unreadable`: ids of the old system's that cannot be read, by customer.
    """

    before: Mapping[str, list[Credit]]
    after: Mapping[str, list[CreditBalance]]
    unreadable: Mapping[str, list[str]]


@dataclass(frozen=True)
class Drawn:
    """What bills take of credits, by contract and cycle, and how far they would take another part of the target's
    credits although they came to the same (`apart`: target less old system)."""

    before: Mapping[Key, int]
    after: Mapping[Key, int]
    apart: Mapping[Key, int]


def told_credits(
    engine: DuckDBEngine,
    legacy: LegacyBilling,
    credits: ir.Table | None,
    balances: ir.Table | None,
    exponents: Exponents,
) -> Credits:
    """`credits`: records of the old system, with whose they are as `customer`. `balances`: canonical credit_balance
    rows."""
    before: defaultdict[str, list[Credit]] = defaultdict(list)
    lost: defaultdict[str, list[str]] = defaultdict(list)
    for row in _rows(engine, credits, "credit_id"):
        credit = _credit(row, exponents)
        if credit is None:
            lost[row["customer"] or ""].append(row["credit_id"] or "")
        else:
            before[row["customer"] or ""].append(credit)
    after: defaultdict[str, list[CreditBalance]] = defaultdict(list)
    prefix = f"{legacy.reads['credits'].table}:" if "credits" in legacy.reads else ""
    for row in _rows(engine, balances, "credit_balance_id"):
        own = row["credit_balance_id"].removeprefix(prefix)
        balance = CreditBalance(own, row["currency"], row["balance_minor"], row["burn_order"], row["expires_at"])
        after[row["customer_id"]].append(balance)
    return Credits(before, after, lost)


def drawn(credits: Credits, customer: str, before: Iterable[Bill], after: Iterable[Bill]) -> Drawn:
    """What the bills of one customer take of the credits of either side."""
    old, balances = list(before), credits.after.get(customer, [])
    taken = _summed(credits_used(old, credits.before.get(customer, [])))
    otherwise = _summed(draw_down(old, balances))
    apart = {k: otherwise[k] - taken[k] for k in taken.keys() | otherwise.keys() if otherwise[k] != taken[k]}
    return Drawn(taken, _summed(draw_down(after, balances)), apart)


def _summed(uses: Iterable[CreditUse]) -> Counter[Key]:
    total: Counter[Key] = Counter()
    for use in uses:
        total[use.subscription_id, use.cycle] += use.amount_minor
    return total


def _credit(row: Mapping[str, Any], exponents: Exponents) -> Credit | None:
    if row["unreadable"] or not is_zone(row["zone"] or ""):
        return None
    try:
        minor = scaled(row["balance"], exponents(row["currency"]))
    except MoneyError:
        return None
    return Credit(row["credit_id"], row["currency"], minor, row["burn_order"], row["last_day"], row["zone"])


def _rows(engine: DuckDBEngine, table: ir.Table | None, key: str) -> list[dict[str, Any]]:
    return [] if table is None else list(engine.arrow(table.order_by(key)).to_pylist())
