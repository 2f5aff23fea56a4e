"""Amounts for people: the decimals of their currency, no digit lost, and no unit invented."""

from __future__ import annotations

from decimal import Decimal

import pytest

from migration_assets.domain.shown_money import in_major, named_amount, shown_amount


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (123_450, "EUR", "1,234.50"),
        (123_450, "JPY", "123,450"),
        (123_450, "KWD", "123.450"),
        (-5, "USD", "-0.05"),
        (0, "KWD", "0.000"),
        (Decimal("21000.000000"), "EUR", "210.00"),
        (Decimal("21000.250000"), "EUR", "210.0025"),
        (Decimal("12345678901234567890123456789012.345678"), "EUR", "123,456,789,012,345,678,901,234,567,890.12345678"),
        (1_234, "ZZZ", "1,234 minor units"),
        (1_234, None, "1,234 minor units"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int | Decimal, currency: str | None, said: str) -> None:
    assert shown_amount(minor, currency, {}) == said
    assert named_amount(minor, currency, {}) == (f"{said} {currency}" if currency else said)


def test_the_plan_may_say_otherwise() -> None:
    assert named_amount(1_234, "ISK", {"ISK": 2}) == "12.34 ISK" and in_major(1_234, "ISK", {}) == 1_234
