"""Money is exact, knows its exponents and refuses what cannot be kept."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.domain.money import EXPONENTS, INT64_MAX, MoneyError, exponent_of, scaled, to_major, to_minor

MINOR = st.integers(min_value=-(10**17), max_value=10**17)
# Replaced by the euro in 2026, and still on every older invoice.
RETIRED = {"BGN"}
CURRENCY = st.sampled_from(sorted(EXPONENTS))


@given(MINOR, CURRENCY)
def test_the_round_trip_is_exact(minor: int, currency: str) -> None:
    assert to_minor(to_major(minor, currency), currency) == minor


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6), CURRENCY)
def test_rounding_is_the_textbook_one(amount: Decimal, currency: str) -> None:
    with localcontext(prec=60):
        unscaled = amount.scaleb(EXPONENTS[currency])
        assert to_minor(amount, currency, "half_up") == int(unscaled.to_integral_value(ROUND_HALF_UP))
        assert to_minor(amount, currency, "half_even") == int(unscaled.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1.50", "EUR", 150),
        ("1.50000", "EUR", 150),
        ("-0.00", "EUR", 0),
        ("1500", "JPY", 1500),
        ("1500.00", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("12345678901234567.89", "USD", 1234567890123456789),
    ],
)
def test_amounts_by_the_currencys_exponent(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [
        ("1.005", "EUR", "not_whole_minor_units"),
        ("0.5", "JPY", "not_whole_minor_units"),
        ("NaN", "EUR", "not_finite"),
        ("sNaN", "EUR", "not_finite"),
        ("-Infinity", "EUR", "not_finite"),
        ("1e400", "EUR", "out_of_range"),
        ("1e-400", "EUR", "out_of_range"),
        ("92233720368547758.08", "EUR", "out_of_range"),
        ("1", "XXX", "unknown_currency"),
        ("1", "XAU", "unknown_currency"),
        ("1", "eur", "unknown_currency"),
    ],
)
def test_what_cannot_be_kept_is_refused(amount: str, currency: str, reason: str) -> None:
    with pytest.raises(MoneyError) as refused:
        to_minor(Decimal(amount), currency)
    assert refused.value.reason == reason


def test_the_largest_amount_fits() -> None:
    assert to_minor(Decimal("92233720368547758.07"), "EUR") == INT64_MAX


@pytest.mark.parametrize("amount", [1.5, True, "1"])
def test_floats_booleans_and_text_never_become_money(amount: object) -> None:
    with pytest.raises(TypeError):
        scaled(amount, 2)  # type: ignore[arg-type]


def test_the_plan_may_override_an_exponent_or_add_a_currency() -> None:
    assert to_minor(Decimal("1.50"), "HUF", overrides={"HUF": 0}, rounding="half_even") == 2
    assert to_major(12345, "OLD", {"OLD": 3}) == Decimal("12.345")
    assert exponent_of("EUR", {"HUF": 0}) == 2


def test_halves_go_away_from_zero_or_to_even() -> None:
    halves = ["0.5", "1.5", "2.5", "-0.5", "-1.5", "-2.5"]
    assert [scaled(Decimal(h), 0, "half_up") for h in halves] == [1, 2, 3, -1, -2, -3]
    assert [scaled(Decimal(h), 0, "half_even") for h in halves] == [0, 2, 2, 0, -2, -2]


def test_every_code_of_the_table_is_iso_4217_and_none_is_missing() -> None:
    known = {c.alpha_3 for c in pycountry.currencies}
    no_minor_unit = {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"}
    assert known - no_minor_unit == set(EXPONENTS) - RETIRED
