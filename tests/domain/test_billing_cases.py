"""Cases worked by hand, with the arithmetic beside them, for both rule sets at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from told_twice import Agreed, Coupon, Part, Sold, Used, legacy_bills, target_bills

from migration_assets.domain.bill import Bill
from migration_assets.domain.calendar import Period
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.legacy.tax import TaxUnknown
from migration_assets.domain.target import terms as new
from migration_assets.domain.target.tax import NoTaxRate
from migration_assets.domain.target.usage import UsageEvent, counted

SINCE = datetime(2000, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def both(sold: Sold, count: int, as_of: datetime = SINCE) -> list[Bill]:
    """Bills of both rule sets, which have to be the same ones where nothing is rounded or prorated."""
    old_bills, new_bills = legacy_bills(sold, as_of, count), target_bills(sold, as_of, count)
    assert old_bills == new_bills
    return new_bills


def starts(bills: list[Bill]) -> list[str]:
    return [bill.issued_at.isoformat() for bill in bills]


def test_an_anchor_on_the_31st_comes_back_to_the_31st_across_a_leap_year() -> None:
    bills = both(Sold(anchor=date(2024, 1, 31), zone="UTC"), 4)
    # 2024 has a 29 February; March is counted from January, not from the clamped February (I1).
    assert [b.issued_at.date().isoformat() for b in bills] == ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
    bills = both(Sold(anchor=date(2025, 1, 31), zone="UTC"), 3)
    assert [b.issued_at.date().isoformat() for b in bills] == ["2025-01-31", "2025-02-28", "2025-03-31"]


def test_a_yearly_plan_sold_on_29_february_renews_on_the_28th_until_the_next_leap_year() -> None:
    bills = both(Sold(anchor=date(2024, 2, 29), months=12, zone="UTC"), 5)
    assert [b.issued_at.date().isoformat() for b in bills] == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


def test_periods_keep_local_midnight_when_clocks_change_in_berlin_and_new_york() -> None:
    # Berlin: UTC+1 until 29 March 2026, UTC+2 from then to 25 October.
    spring = both(Sold(anchor=date(2026, 3, 15), zone="Europe/Berlin"), 2)
    assert starts(spring) == ["2026-03-14T23:00:00+00:00", "2026-04-14T22:00:00+00:00"]
    autumn = both(Sold(anchor=date(2026, 10, 10), zone="Europe/Berlin"), 2)
    assert starts(autumn) == ["2026-10-09T22:00:00+00:00", "2026-11-09T23:00:00+00:00"]
    # New York: UTC-5 until 8 March 2026, UTC-4 to 1 November; not the same Sundays.
    spring = both(Sold(anchor=date(2026, 3, 1), zone="America/New_York"), 2)
    assert starts(spring) == ["2026-03-01T05:00:00+00:00", "2026-04-01T04:00:00+00:00"]
    autumn = both(Sold(anchor=date(2026, 10, 15), zone="America/New_York"), 2)
    assert starts(autumn) == ["2026-10-15T04:00:00+00:00", "2026-11-15T05:00:00+00:00"]


def test_a_midnight_that_clocks_jump_over_begins_with_the_first_instant_of_the_day() -> None:
    # Cairo jumps from 00:00 to 01:00 on 24 April 2026: the day begins at 22:00 UTC, when clocks show 01:00.
    bills = both(Sold(anchor=date(2026, 3, 24), zone="Africa/Cairo"), 2)
    assert bills[1].issued_at == at("2026-04-23T22:00:00+00:00")


@pytest.mark.parametrize(
    ("currency", "price", "amount", "tax"),
    [
        # 3 x 33.335 = 100.005 EUR -> 10,001 cents (half up); 19 % of 10,001 = 1,900.19 -> 1,900.
        ("EUR", "33.335", 10_001, 1_900),
        # 3 x 333.5 = 1,000.5 JPY -> 1,001 yen; 19 % = 190.19 -> 190.
        ("JPY", "333.5", 1_001, 190),
        # 3 x 3.3335 = 10.0005 KWD -> 10,001 fils (10.0005 is 10,000.5 fils); 19 % = 1,900.19 -> 1,900.
        ("KWD", "3.3335", 10_001, 1_900),
    ],
)
def test_euros_yen_and_dinars_round_to_their_own_minor_unit(currency: str, price: str, amount: int, tax: int) -> None:
    sold = Sold(date(2026, 1, 1), currency=currency, parts=(Part("base", price, quantity=3),))
    (bill,) = both(sold, 1)
    assert (bill.subtotal_minor, bill.tax_minor, bill.total_minor) == (amount, tax, amount + tax)


@pytest.mark.parametrize(
    ("model", "quantity", "euros"),
    [
        # 10 at 5.00, the next 10 at 4.00, the rest at 3.00.
        ("tiered", 10, 50),  # the boundary exactly hit is still the first tier
        ("tiered", 11, 54),  # 10 x 5 + 1 x 4
        ("tiered", 20, 90),  # 10 x 5 + 10 x 4
        ("tiered", 21, 93),  # 10 x 5 + 10 x 4 + 1 x 3
        ("volume", 10, 50),  # 10 x 5
        ("volume", 11, 44),  # 11 x 4: all units at the tier's price
        ("volume", 21, 63),  # 21 x 3
    ],
)
def test_a_tier_boundary_exactly_hit(model: str, quantity: int, euros: int) -> None:
    tiers = ((10, "5"), (20, "4"), (None, "3"))
    part = Part("base", "5", quantity=quantity, model=model, tiers=tiers)
    (bill,) = both(Sold(date(2026, 1, 1), parts=(part,)), 1)
    assert bill.subtotal_minor == euros * 100


@pytest.mark.parametrize(("quantity", "packages"), [(1, 1), (100, 1), (101, 2), (200, 2)])
def test_a_package_begun_is_a_package_paid(quantity: int, packages: int) -> None:
    part = Part("base", "7", quantity=quantity, model="package", package=100)
    (bill,) = both(Sold(date(2026, 1, 1), parts=(part,)), 1)
    assert bill.subtotal_minor == packages * 700


def prorated(rules: old.Rules | new.Rules, first_day: date, zone: str = "UTC", anchor: date = date(2026, 1, 1)) -> int:
    """Minor units for an add-on of 100.00 that came on a day within the first month."""
    parts = (Part("base", "0"), Part("extra", "100", kind="add_on", first_day=first_day))
    sold = Sold(anchor, zone=zone, parts=parts)
    made = legacy_bills(sold, SINCE, 2, rules) if isinstance(rules, old.Rules) else target_bills(sold, SINCE, 2, rules)
    (line,) = [line for line in made[1].lines if line.kind == "proration"]
    return line.amount_minor


def test_proration_by_second_by_day_and_by_30_360() -> None:
    # From 12 January on: 20 of January's 31 days, or 19 of 30 when every month has 30.
    assert prorated(new.Rules(proration="seconds"), date(2026, 1, 12)) == 6_452  # 10,000 x 20/31 = 6,451.6
    assert prorated(new.Rules(proration="days"), date(2026, 1, 12)) == 6_452
    assert prorated(old.Rules(proration="actual_days"), date(2026, 1, 12)) == 6_452
    assert prorated(old.Rules(proration="30e_360"), date(2026, 1, 12)) == 6_333  # 10,000 x 19/30 = 6,333.3
    assert prorated(new.Rules(proration="30e_360"), date(2026, 1, 12)) == 6_333
    # On the 31st one day is left, and none by 30/360, where the 31st is the 30th: 1 of 30.
    assert prorated(old.Rules(proration="actual_days"), date(2026, 1, 31)) == 323  # 10,000 / 31 = 322.6
    assert prorated(old.Rules(proration="30e_360"), date(2026, 1, 31)) == 333  # 10,000 x 1/30


def test_proration_by_second_and_by_day_part_where_clocks_change() -> None:
    # March in Berlin has 31 days and 743 hours; from the 20th on there are 12 days, or 287 hours.
    march = {"first_day": date(2026, 3, 20), "zone": "Europe/Berlin", "anchor": date(2026, 3, 1)}
    assert prorated(new.Rules(proration="seconds"), **march) == 3_863  # type: ignore[arg-type] # 10,000 x 287/743 = 3,862.7
    assert prorated(new.Rules(proration="days"), **march) == 3_871  # type: ignore[arg-type] # 10,000 x 12/31 = 3,870.97


def test_a_coupon_with_2_of_6_cycles_left_takes_2_more() -> None:
    coupon = Coupon(date(2026, 1, 1), cycles=6, used=4, percent="10")
    bills = both(Sold(date(2026, 1, 1), coupons=(coupon,), zone="UTC"), 4, as_of=at("2026-04-20T12:00:00+00:00"))
    # Cycles of January to April have used it; May and June get 10 % off 100.00, July does not.
    assert [b.subtotal_minor for b in bills] == [9_000, 9_000, 10_000, 10_000]


def test_an_amount_off_never_takes_more_than_the_recurring_lines() -> None:
    coupon = Coupon(date(2026, 1, 1), cycles=None, amount_minor=12_345)
    (bill,) = both(Sold(date(2026, 1, 1), coupons=(coupon,)), 1)
    assert (bill.subtotal_minor, bill.tax_minor) == (0, 0)


def test_two_coupons_are_each_taken_off_the_recurring_lines() -> None:
    # 80 % of 50.00 is 40.00, and the other coupon takes its 30.00: the invoice is a credit of 20.00, on both sides.
    coupons = tuple(Coupon(date(2026, 1, 1), None, percent=p, amount_minor=3_000) for p in ("80", None))
    (bill,) = both(Sold(date(2026, 1, 1), parts=(Part("base", "50"),), coupons=coupons), 1)
    assert [line.amount_minor for line in bill.lines] == [5_000, -4_000, -3_000]


def test_a_pause_over_a_renewal_moves_the_renewal_and_bills_nothing_in_between() -> None:
    # Paid from 10 January to 9 February; paused on 30 January with 11 days left; back on 20 February, so that the next
    # period begins 11 days after that, on 3 March, and renews on the 3rd from then on.
    sold = Sold(date(2026, 1, 10), paused_on=date(2026, 1, 30), resumes_on=date(2026, 2, 20), zone="UTC")
    bills = both(sold, 3)
    assert [b.issued_at.date().isoformat() for b in bills] == ["2026-01-10", "2026-03-03", "2026-04-03"]
    # What was printed before the pause stays as it was (I27).
    assert bills[0].covers.ends_at.date().isoformat() == "2026-02-10"


def test_a_pause_over_a_change_of_clocks_ends_at_midnight_all_the_same() -> None:
    sold = Sold(date(2026, 3, 10), paused_on=date(2026, 3, 20), resumes_on=date(2026, 4, 5))
    bills = both(sold, 2)
    # 21 days were left on 20 March; 21 days after 5 April is 26 April, 00:00 in Berlin.
    assert bills[1].issued_at == at("2026-04-25T22:00:00+00:00")


def test_a_pause_that_skips_leaves_renewals_where_they_are() -> None:
    sold = Sold(date(2026, 1, 10), paused_on=date(2026, 1, 30), resumes_on=date(2026, 2, 20), zone="UTC")
    old_bills = legacy_bills(sold, SINCE, 2, old.Rules(pause="skips"))
    assert old_bills == target_bills(sold, SINCE, 2, new.Rules(pause="skip"))
    assert [b.issued_at.date().isoformat() for b in old_bills] == ["2026-01-10", "2026-03-10"]


def test_nothing_is_billed_after_a_pause_that_nobody_ends_whatever_pauses_do() -> None:
    sold = Sold(date(2026, 1, 1), paused_on=date(2026, 3, 10))
    for pause in ("extend", "skip"):
        bills = target_bills(sold, SINCE, 9, new.Rules(pause=pause))  # type: ignore[arg-type]
        assert [b.cycle for b in bills] == [0, 1, 2], pause


def test_a_pause_without_an_end_bills_nothing_more() -> None:
    sold = Sold(date(2026, 1, 10), paused_on=date(2026, 1, 30))
    assert len(both(sold, 5)) == 1
    assert len(legacy_bills(sold, SINCE, 5, old.Rules(pause="skips"))) == 1
    assert len(target_bills(sold, SINCE, 5, new.Rules(pause="skip"))) == 1
    # Paused within the trial, before the first period.
    assert both(Sold(date(2026, 1, 10), paused_on=date(2026, 1, 2)), 5) == []


def test_a_period_of_no_months_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one month"):
        legacy_bills(Sold(date(2026, 1, 10), months=0), SINCE, 1)
    with pytest.raises(ValueError, match="at least one month"):
        target_bills(Sold(date(2026, 1, 10), months=0), SINCE, 1)


def test_cancelled_at_period_end_at_cutover_is_billed_no_more() -> None:
    sold = Sold(date(2026, 1, 10), zone="UTC", cancel_at_period_end=date(2026, 2, 9))
    assert len(both(sold, 5)) == 1
    assert both(sold, 5, as_of=at("2026-02-10T00:00:00+00:00")) == []


def test_the_period_that_begins_at_cutover_is_the_targets_to_bill() -> None:
    sold = Sold(date(2026, 1, 10), zone="UTC", last_day=date(2026, 3, 9))
    (bill,) = both(sold, 5, as_of=at("2026-02-10T00:00:00+00:00"))
    assert bill.cycle == 1


def test_an_upgrade_a_ramp_and_an_uplift_take_effect_with_their_period() -> None:
    changes = (
        Agreed("uplift", date(2026, 4, 1), percent="2.5"),
        Agreed("ramp", date(2026, 3, 1), quantity=4),
        Agreed("upgrade", date(2026, 2, 1), price="19.99"),
    )
    parts = (Part("base", "10", quantity=3), Part("extra", "0.33", kind="add_on", quantity=10))
    bills = both(Sold(date(2026, 1, 1), zone="UTC", parts=parts, changes=changes), 4)
    # January 3 x 10 + 3.30; February 3 x 19.99 + 3.30; March 4 x 19.99 + 3.30; April: 19.99 x 1.025 = 20.48975 ->
    # 20.4898, 4 of them 81.9592 -> 81.96; 0.33 x 1.025 = 0.33825 -> 0.3383, 10 of them 3.383 -> 3.38.
    assert [b.subtotal_minor for b in bills] == [3_330, 6_327, 8_326, 8_534]


def test_a_scheduled_cancellation_ends_the_bills() -> None:
    assert len(both(Sold(date(2026, 1, 1), zone="UTC", changes=(Agreed("cancel", date(2026, 3, 1)),)), 9)) == 2


@pytest.mark.parametrize(
    ("overage", "used", "units"),
    [("bill", "1200", 200), ("bill", "1000", 0), ("grace", "1000", 0), ("grace", "1001", 1001), ("block", "5000", 0)],
)
def test_what_is_included_is_deducted_or_a_threshold_or_a_wall(overage: str, used: str, units: int) -> None:
    parts = (Part("base", "0"), Part("calls", "0.02", kind="usage"))
    usage = (Used("calls", date(2026, 1, 1), used, included="1000", overage=overage),)
    bills = both(Sold(date(2026, 1, 1), zone="UTC", parts=parts, usage=usage), 2)
    assert bills[1].subtotal_minor == units * 2


def test_usage_before_the_first_charged_period_costs_nothing() -> None:
    parts = (Part("base", "0"), Part("calls", "0.02", kind="usage"))
    (bill,) = both(Sold(date(2026, 1, 1), parts=parts, usage=(Used("calls", date(2025, 12, 18), "500"),)), 1)
    assert bill.total_minor == 0


def test_a_late_event_before_cutover_counts_once_and_a_new_cycle_starts_at_zero() -> None:
    as_of = at("2026-01-20T12:00:00+00:00")
    january = Period(at("2026-01-01T00:00:00+00:00"), at("2026-02-01T00:00:00+00:00"))
    february = Period(january.ends_at, at("2026-03-01T00:00:00+00:00"))
    hour = timedelta(hours=1)
    events = [
        UsageEvent("1", as_of - 3 * hour, as_of - 2 * hour, Fraction(5), "a"),  # within the 100 that were carried
        UsageEvent("2", as_of - 2 * hour, as_of + 2 * hour, Fraction(7), "b"),  # before T, late
        UsageEvent("3", as_of - 2 * hour, as_of + 3 * hour, Fraction(7), "b"),  # the same event again
        UsageEvent("4", as_of + 1 * hour, as_of + 1 * hour, Fraction(11), "c"),
        UsageEvent("5", february.starts_at, february.starts_at, Fraction(13), "d"),
    ]
    assert counted(Fraction(100), events, january, as_of) == 100 + 7 + 11
    assert counted(Fraction(100), events, february, as_of) == 13


def test_tax_follows_the_day_of_the_invoice_and_a_missing_country_is_no_zero_rate() -> None:
    tax = (("DE", date(2000, 1, 1), "19"), ("DE", date(2026, 2, 1), "16"))
    bills = both(Sold(date(2026, 1, 15), tax=tax), 2)
    assert [b.tax_minor for b in bills] == [1_900, 1_600]
    nowhere = Sold(date(2026, 1, 15), country=None)
    with pytest.raises(TaxUnknown):
        legacy_bills(nowhere, SINCE, 1)
    with pytest.raises(NoTaxRate):
        target_bills(nowhere, SINCE, 1)
    assert both(Sold(date(2026, 1, 15), country=None, tax_exempt=True), 1)[0].tax_minor == 0


def test_tax_inside_the_price_is_taken_out_of_it() -> None:
    (bill,) = both(Sold(date(2026, 1, 1), tax_inclusive=True), 1)
    # 100.00 holds 19/119 of tax: 15.966 -> 15.97, and 84.03 is left.
    assert (bill.subtotal_minor, bill.tax_minor, bill.total_minor) == (8_403, 1_597, 10_000)


def test_rounding_per_line_and_per_invoice_part_by_a_cent() -> None:
    parts = tuple(Part(f"i{n}", "0.125", kind="add_on") for n in range(3))
    sold = Sold(date(2026, 1, 1), parts=parts, tax_exempt=True)
    (by_line,), (by_invoice,) = legacy_bills(sold, SINCE, 1), target_bills(sold, SINCE, 1)
    # Three times 12.5 cents: 13 each by line, 37.5 -> 38 together.
    assert [line.amount_minor for line in by_line.lines] == [13, 13, 13]
    assert sum(line.amount_minor for line in by_invoice.lines) == 38
    assert by_invoice == legacy_bills(sold, SINCE, 1, old.Rules(rounded_at="invoice"))[0]
