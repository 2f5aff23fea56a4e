"""What is left of a payment and how old a receivable is, worked by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from migration_assets.domain.open_balance import AGE_BANDS, PaymentLeft, age_band, payment_left

TODAY = date(2026, 6, 30)


@pytest.mark.parametrize(
    ("days", "band"),
    [
        (-1, "not_due"), (0, "not_due"), (1, "1_30"), (30, "1_30"), (31, "31_60"), (60, "31_60"), (61, "61_90"),
        (90, "61_90"), (91, "over_90"), (4_000, "over_90"),
    ],
)  # fmt: skip
def test_a_receivable_is_as_old_as_the_days_past_its_due_date(days: int, band: str) -> None:
    assert age_band(TODAY - timedelta(days=days), TODAY) == band
    assert band in AGE_BANDS


@pytest.mark.parametrize(
    ("received", "applied", "back", "reopened", "on_account"),
    [
        # Nothing is given back: 100 for an invoice of 60 leave 40.
        (100, (60,), 0, (0,), 40),
        # Of 50 given back, the 40 that settled nothing go first; the invoice is open by 10 again.
        (100, (60,), 50, (10,), 0),
        # The invoice told first is open again before the other.
        (100, (60, 40), 70, (60, 10), 0),
        (100, (60, 40), 100, (60, 40), 0),
        # More than came in was given back: the customer has it, and owes it.
        (100, (60, 40), 130, (60, 40), -30),
        # More than came in was applied: that is owed, too, and no refund makes it less.
        (100, (80, 40), 0, (0, 0), -20),
        (100, (80, 40), 30, (30, 0), -20),
        # What was taken off again reopens nothing.
        (100, (-10, 60), 80, (0, 30), 0),
        (100, (), 30, (), 70),
    ],
)
def test_what_was_given_back_takes_first_what_settled_nothing(
    received: int, applied: tuple[int, ...], back: int, reopened: tuple[int, ...], on_account: int
) -> None:
    assert payment_left(received, applied, back) == PaymentLeft(reopened, on_account)
    # No money comes from nowhere: what came in and was not given back settles something or is on account.
    assert received - back == sum(applied) - sum(reopened) + on_account
