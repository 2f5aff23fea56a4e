"""How credit is used up, and what stays open of an invoice."""

from __future__ import annotations

from datetime import UTC, date, datetime

from told_twice import Sold, target_bills

from migration_assets.domain.bill import Bill, CreditUse
from migration_assets.domain.legacy.credits import Credit, credits_used
from migration_assets.domain.open_balance import Settlement, open_minor
from migration_assets.domain.target.credits import CreditBalance, draw_down

SINCE = datetime(2000, 1, 1, tzinfo=UTC)


def bills(count: int) -> list[Bill]:
    """Monthly invoices of 119.00 from January 2026 on."""
    return target_bills(Sold(date(2026, 1, 1), zone="UTC"), SINCE, count)


def both(count: int, *credits: tuple[str, int, int | None, date | None]) -> list[tuple[int, str, int]]:
    """Cycle, credit and amount, the same from both rule sets. A credit: id, balance, burn order, last day."""
    old = [Credit(i, "EUR", minor, order, last, "UTC") for i, minor, order, last in credits]
    new = [
        CreditBalance(
            i, "EUR", minor, order, None if last is None else datetime(last.year, last.month, last.day + 1, tzinfo=UTC)
        )
        for i, minor, order, last in credits
    ]
    used: list[CreditUse] = list(credits_used(bills(count), old))
    assert used == draw_down(bills(count), new)
    return [(u.cycle, u.credit_id, u.amount_minor) for u in used]


def test_a_credit_burns_across_two_invoices() -> None:
    # 150.00 of credit: 119.00 of it pay January, 31.00 a part of February.
    assert both(3, ("c", 15_000, None, None)) == [(0, "c", 11_900), (1, "c", 3_100)]


def test_the_burn_order_goes_before_expiry_and_expiry_before_the_id() -> None:
    credits = (("a", 5_000, 2, None), ("b", 5_000, 1, date(2026, 12, 20)), ("c", 5_000, 1, date(2026, 6, 20)))
    assert both(2, *credits) == [(0, "c", 5_000), (0, "b", 5_000), (0, "a", 1_900), (1, "a", 3_100)]


def test_what_has_lapsed_is_not_used() -> None:
    assert both(2, ("c", 15_000, None, date(2026, 1, 20))) == [(0, "c", 11_900)]
    assert both(2, ("c", 15_000, None, date(2026, 2, 1))) == [(0, "c", 11_900), (1, "c", 3_100)]


def test_what_is_owed_is_charged_with_the_next_invoice() -> None:
    # 20.00 owed make the first invoice 139.00, which the other credit then pays.
    assert both(1, ("d", -2_000, 1, None), ("c", 50_000, 2, None)) == [(0, "d", -2_000), (0, "c", 13_900)]


def test_another_currency_is_left_alone() -> None:
    assert list(credits_used(bills(1), [Credit("c", "USD", 100, None, None, "UTC")])) == []


def test_a_partial_payment_with_a_credit_memo_leaves_the_rest_open() -> None:
    # 119.00 - 50.00 paid - 19.00 credited = 50.00; a refund opens 10.00 again, a write-off closes the rest.
    assert open_minor(11_900, Settlement(paid=5_000, credited=1_900)) == 5_000
    assert open_minor(11_900, Settlement(paid=5_000, credited=1_900, given_back=1_000)) == 6_000
    assert open_minor(11_900, Settlement(paid=5_000, credited=1_900, given_back=1_000, written_off=6_000)) == 0
