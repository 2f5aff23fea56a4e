"""Bills of whole cohorts by the old system's rules are those that the readable rules make, row for row."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from legacy_records import METERED, Rows, name_of, records_of, tables
from random_sold import T, random_sold, with_steps
from spread_runs import bills_of
from told_twice import Agreed, Coupon, Part, Sold, Used, contract

from migration_assets.domain.bill import LINE_KINDS, Bill
from migration_assets.domain.legacy.invoices import invoices
from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_records import RecordName
from migration_assets.stages.shadow.legacy.bills import legacy_bills
from migration_assets.stages.shadow.runs import Bills

AS_OF = datetime(T.year, T.month, T.day, 12, tzinfo=UTC)
STEADY = Sold(date(2026, 1, 31))


def forecast(
    engine: DuckDBEngine, records: Mapping[str, Rows], rules: Rules, cycles: int = 12, as_of: datetime = AS_OF
) -> Bills:
    metered = engine.table(pa.Table.from_pylist(records.get("metered", []), METERED))
    return legacy_bills(engine, tables(engine, records), rules, as_of, exponent_of, cycles, metered)


def readable(own: str, sold: Sold, rules: Rules, cycles: int, as_of: datetime = AS_OF) -> list[Bill]:
    """The next bills by the readable rules, rows being in the order of their ids."""
    made = contract(sold)
    made = replace(
        made,
        contract_id=own,
        items=tuple(sorted(made.items, key=lambda i: i.item_id)),
        usage=tuple(sorted(made.usage, key=lambda u: u.item_id)),
    )
    return list(islice((bill for bill in invoices(made, rules) if bill.issued_at >= as_of), cycles))


def agree(facts: Sequence[Sold], rules: Rules, cycles: int = 12, as_of: datetime = AS_OF) -> Counter[str]:
    """Holds every bill of both against each other; how many lines of each kind there were."""
    with DuckDBEngine() as engine:
        made = forecast(engine, records_of(facts), rules, cycles, as_of)
        assert engine.arrow(made.unbillable).to_pylist() == []
        found = bills_of(engine, made)
    wanted = {}
    for number, sold in enumerate(facts):
        if bills := readable(name_of(number), sold, rules, cycles, as_of):
            wanted[name_of(number)] = bills
            assert found.get(name_of(number)) == bills, sold
    assert found.keys() == wanted.keys()
    return Counter(line.kind for bills in wanted.values() for bill in bills for line in bill.lines)


def ending(facts: Iterable[Sold]) -> list[Sold]:
    """Where a pause leaves periods out, one without an end would be looked over until the calendar ends."""
    for_ever = T + timedelta(days=900)
    return [replace(s, last_day=s.last_day or for_ever) if s.paused_on and not s.resumes_on else s for s in facts]


def random_rules(rng: Random) -> Rules:
    return Rules(
        proration=rng.choice(("30e_360", "actual_days")),
        rounding=rng.choice(("half_up", "half_down", "half_even", "up", "down")),
        rounded_at=rng.choice(("line", "invoice")),
        taxed_at=rng.choice(("line", "invoice")),
        pause=rng.choice(("extends", "skips")),
        uplift_decimals=rng.choice((2, 4)),
    )


RANDOMS = st.randoms(use_true_random=False)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RANDOMS.map(random_sold), min_size=1, max_size=12), RANDOMS.map(random_rules), st.sampled_from((12, 2)))
def test_bills_of_random_contracts_are_those_of_the_readable_rules(
    facts: list[Sold], rules: Rules, cycles: int
) -> None:
    agree(ending(facts), rules, cycles)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(RANDOMS, st.integers(1, 12), RANDOMS.map(random_rules))
def test_prices_by_tiers_volume_and_packages_are_those_of_the_readable_rules(
    rng: Random, count: int, rules: Rules
) -> None:
    facts = [random_sold(rng) for _ in range(count)]
    agree(ending(with_steps(rng, s) if rng.randint(0, 2) else s for s in facts), rules)


@pytest.mark.slow
def test_twenty_thousand_random_contracts_are_billed_as_the_readable_rules_do() -> None:
    seed = int(os.environ.get("CUTOVER_TEST_SEED", "20261126"))
    print(f"CUTOVER_TEST_SEED={seed}")
    rng, lines = Random(seed), Counter[str]()
    for _ in range(10):
        rules = random_rules(rng)
        print(rules)
        sold = (random_sold(rng) for _ in range(2_000))
        lines += agree(ending(with_steps(rng, s) if n % 4 == 0 else s for n, s in enumerate(sold)), rules)
    print(lines)
    # Every kind of line was among them, many times.
    assert min(lines[kind] for kind in LINE_KINDS) > 5_000


def test_a_cycle_that_begins_at_t_itself_is_still_the_old_systems_forecast() -> None:
    facts = [Sold(date(2026, 1, 1), zone="UTC")]
    at = datetime(2026, 7, 1, tzinfo=UTC)
    with DuckDBEngine() as engine:
        for as_of, cycle in ((at, 6), (at + timedelta(microseconds=1), 7)):
            found = bills_of(engine, forecast(engine, records_of(facts), Rules(), as_of=as_of))[name_of(0)]
            assert found[0].cycle == cycle
            assert found == readable(name_of(0), facts[0], Rules(), 12, as_of)


LARGE = Sold(
    anchor=date(2025, 1, 31),
    currency="KWD",
    parts=(
        Part("base", "98765432.1234567891", 123_456, model="per_seat"),
        Part("extra0", "0.0000000001", 7, "add_on", first_day=date(2026, 7, 5)),
        Part("calls", "0.0123456789", kind="usage"),
    ),
    coupons=(
        Coupon(date(2026, 1, 1), None, percent="33.3333"),
        Coupon(date(2026, 1, 1), 20, amount_minor=10**15),
    ),
    changes=(Agreed("uplift", date(2026, 9, 1), percent="3.1234567"),),
    usage=(Used("calls", date(2026, 6, 30), "123456789.0123456789", "1"),),
    tax=(("DE", date(2000, 1, 1), "19.12345"),),
    tax_inclusive=True,
)


@pytest.mark.parametrize("level", ["line", "invoice"])
def test_numbers_that_64_bits_do_not_hold_are_exact_too(level: str) -> None:
    facts = [LARGE, replace(STEADY, tax=LARGE.tax)]
    found = agree(facts, Rules("30e_360", "half_even", level, level))  # type: ignore[arg-type]
    assert set(found) == set(LINE_KINDS)


def test_an_amount_beyond_64_bits_is_an_error_and_not_another_amount() -> None:
    facts = [Sold(date(2026, 1, 1), parts=(Part("base", "9" * 15, 10**6),))]
    with DuckDBEngine() as engine, pytest.raises(duckdb.Error):
        forecast(engine, records_of(facts), Rules())


def test_most_contracts_are_one_run_and_what_stands_on_one_invoice_is_a_run_of_its_own() -> None:
    came = Part("extra0", "10", kind="add_on", first_day=date(2026, 9, 10))
    facts = [Sold(date(2025, 1, 5)), Sold(date(2025, 1, 5), parts=(Part("base", "100"), came))]
    with DuckDBEngine() as engine:
        made = forecast(engine, records_of(facts), Rules())
        runs = engine.arrow(made.runs.order_by("subscription_id", "from_cycle")).to_pylist()
        lines = engine.arrow(made.lines.filter(made.lines["kind"] == "proration")).to_pylist()
        schedules = engine.arrow(made.schedules).to_pylist()
    spans = [(run["subscription_id"], run["from_cycle"], run["until_cycle"]) for run in runs]
    # 5 July 2026 is cycle 18; the part of September stands on the invoice of 5 October, cycle 21.
    assert spans == [("c000000", 18, 30), ("c000001", 18, 21), ("c000001", 21, 22), ("c000001", 22, 30)]
    assert [(line["subscription_id"], line["from_cycle"]) for line in lines] == [("c000001", 21)]
    # Both have the same days, which are worked out once.
    assert len({run["schedule_id"] for run in runs}) == 1
    assert sorted(row["cycle"] for row in schedules) == list(range(18, 30))


def unbillable(records: Mapping[str, Rows]) -> tuple[list[tuple[str, str]], set[str]]:
    """Contracts and why they cannot be billed; and those that are."""
    with DuckDBEngine() as engine:
        made = forecast(engine, records, Rules())
        reasons = engine.arrow(made.unbillable).to_pylist()
        runs = engine.arrow(made.runs).to_pylist()
    return sorted((r["subscription_id"], r["reason"]) for r in reasons), {r["subscription_id"] for r in runs}


@pytest.mark.parametrize(
    ("kind", "changed", "reason"),
    [
        ("contracts", {"unreadable": "anchor "}, "unreadable"),
        ("items", {"unreadable": "unit_price "}, "unreadable"),
        ("discounts", {"unreadable": "cycles "}, "unreadable"),
        ("changes", {"unreadable": "first_day "}, "unreadable"),
        ("discounts", {"percent": None, "amount": Decimal("0.001")}, "unreadable"),
        ("contracts", {"months": 0}, "unreadable"),
        ("contracts", {"zone": "Middle/Earth"}, "unknown_zone"),
        ("contracts", {"currency": "XXX"}, "unknown_currency"),
        ("contracts", {"country": None}, "no_tax_rate"),
        ("contracts", {"country": "IT"}, "no_tax_rate"),
        ("items", {"model": "tiered"}, "price_model"),
        ("changes", {"kind": "upgrade", "new_plan": "unheard of"}, "no_price"),
        ("changes", {"percent": None}, "no_price"),
        ("items", {"first_day": date(2026, 7, 20), "last_day": date(2026, 7, 10)}, "inverted_days"),
    ],
)
def test_what_is_not_known_is_said_and_others_are_billed_all_the_same(
    kind: str, changed: dict[str, Any], reason: str
) -> None:
    full = replace(
        STEADY,
        coupons=(Coupon(date(2026, 1, 31), 3, percent="10"),),
        changes=(Agreed("uplift", date(2026, 9, 30), percent="5"),),
    )
    records = records_of([full, STEADY])
    assert unbillable(records) == ([], {"c000000", "c000001"})
    records[kind][0].update(changed)
    assert unbillable(records) == ([("c000000", reason)], {"c000001"})


def test_a_country_whose_rates_contradict_each_other_or_begin_too_late_is_not_guessed_at() -> None:
    records = records_of([STEADY])
    first = records["tax_rates"][0]
    for rates in (
        [first, {**first, "percent": Decimal(7)}],
        [first, {**first, "first_day": date(2027, 1, 1), "percent": None, "unreadable": "percent "}],
        [{**first, "first_day": date(2026, 8, 1)}],
    ):
        assert unbillable({**records, "tax_rates": rates}) == ([("c000000", "no_tax_rate")], set())
    # Exempt contracts need none.
    records["contracts"][0]["tax_exempt"] = True
    assert unbillable({**records, "tax_rates": []}) == ([], {"c000000"})


def test_a_price_list_that_says_two_prices_says_none() -> None:
    records = records_of([replace(STEADY, changes=(Agreed("upgrade", date(2026, 9, 30), "120"),))])
    assert unbillable(records) == ([], {"c000000"})
    records["prices"].append({**records["prices"][0], "unit_price": Decimal(121)})
    assert unbillable(records) == ([("c000000", "no_price")], set())


def test_who_is_over_or_has_ended_gets_no_bill_and_no_complaint() -> None:
    gone = replace(STEADY, last_day=date(2026, 6, 1), parts=(Part("base", "1", model="tiered"),))
    records = records_of([STEADY, gone])
    records["contracts"][0]["status"] = "over"
    assert unbillable(records) == ([], set())


def test_an_old_system_without_discounts_changes_or_usage_is_billed() -> None:
    with DuckDBEngine() as engine:
        every = tables(engine, records_of([STEADY]))
        few: dict[RecordName, Any] = {k: t for k, t in every.items() if k in ("contracts", "items", "tax_rates")}
        made = legacy_bills(engine, few, Rules(), AS_OF, exponent_of)
        assert bills_of(engine, made) == {name_of(0): readable(name_of(0), STEADY, Rules(), 12)}
