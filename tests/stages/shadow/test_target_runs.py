"""Cycles are cut into runs where something changes, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any, get_args

import told_twice
from held_rows import apart, held_rows
from random_subscriptions import AS_OF
from told_twice import Agreed, Coupon, Part, Sold, Used

from migration_assets.domain.money import exponent_of
from migration_assets.domain.target.terms import Price, Rules, ScheduledChange, SubscriptionItem
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.reasons import MEANS, NO_PRICE, UNREADABLE, Reason
from migration_assets.stages.shadow.target.bills import target_bills
from migration_assets.stages.shadow.target.runs import tiles

# Its cycles start on 31 January, 28 February, ..., 30 June (number 5, in Berlin before T) and 31 July (number 6).
ANCHOR = date(2026, 1, 31)
METER = (Part("base", "100"), Part("calls", "0.5", kind="usage"))


def runs(*sold: Sold, rules: Rules | None = None) -> list[list[tuple[int, int]]]:
    """First and last cycle (exclusive) of each run, for each contract."""
    made = apart(told_twice.subscription(s) for s in sold)
    with DuckDBEngine() as engine:
        bills = target_bills(engine, held_rows(engine, made), rules or Rules(), AS_OF, exponent_of)
        rows: list[dict[str, Any]] = engine.arrow(bills.runs).to_pylist()
    named = [[r for r in rows if r["subscription_id"] == s.subscription_id] for s in made]
    return [sorted((r["from_cycle"], r["until_cycle"]) for r in own) for own in named]


def test_what_stays_the_same_is_one_run() -> None:
    assert runs(Sold(ANCHOR)) == [[(6, 18)]]


def test_what_is_billed_once_is_a_run_of_its_own() -> None:
    used = Sold(ANCHOR, parts=METER, usage=(Used("calls", date(2026, 6, 30), "7"),))
    added = Sold(ANCHOR, parts=(Part("base", "100"), Part("seat", "5", kind="add_on", first_day=date(2026, 9, 3))))
    # The seat's first days are billed with cycle 8, which is also the first that it is charged in whole.
    assert runs(used, added) == [[(6, 7), (7, 18)], [(6, 8), (8, 9), (9, 18)]]


def test_a_run_ends_where_a_discount_a_price_a_tax_rate_or_an_item_does() -> None:
    coupon = Sold(ANCHOR, coupons=(Coupon(ANCHOR, 8, used=6, percent="10"),))
    price = Sold(ANCHOR, changes=(Agreed("uplift", date(2026, 10, 31), percent="5"),))
    tax = Sold(ANCHOR, tax=(("DE", date(2000, 1, 1), "19"), ("DE", date(2027, 1, 1), "20")))
    item = Sold(ANCHOR, parts=(Part("base", "100"), Part("seat", "5", kind="add_on", last_day=date(2026, 11, 9))))
    assert runs(coupon) == [[(6, 8), (8, 18)]]
    assert runs(price) == [[(6, 9), (9, 18)]]
    assert runs(tax) == [[(6, 12), (12, 18)]]
    assert runs(item) == [[(6, 10), (10, 18)]]


def test_a_pause_parts_runs_and_what_ends_has_fewer_cycles() -> None:
    paused = Sold(ANCHOR, paused_on=date(2026, 8, 10), resumes_on=date(2026, 9, 10))
    ended = Sold(ANCHOR, last_day=date(2026, 9, 29))
    over = Sold(ANCHOR, last_day=date(2026, 6, 29))
    assert runs(paused, ended, over) == [[(6, 7), (7, 18)], [(6, 8)], []]
    assert runs(paused, rules=Rules(pause="skip")) == [[(6, 7), (8, 19)]]


def test_marks_become_tiles() -> None:
    assert list(tiles(charges=0, extras=0, size=12)) == [(0, 12, 0)]
    # Recurring charges change in cycle 3; other lines stand in cycles 1 and 5 only. A mark past the end is none.
    assert list(tiles(charges=0b1000 | 1 << 20, extras=0b1100110, size=7)) == [
        (0, 1, 0),
        (1, 2, 0),
        (2, 3, 0),
        (3, 5, 3),
        (5, 6, 3),
        (6, 7, 3),
    ]


def lost(*subscriptions: Any) -> set[tuple[str, str]]:
    with DuckDBEngine() as engine:
        bills = target_bills(engine, held_rows(engine, subscriptions), Rules(), AS_OF, exponent_of)
        billed = set(engine.arrow(bills.runs)["subscription_id"].to_pylist())
        reasons = {(r["subscription_id"], r["reason"]) for r in engine.arrow(bills.unbillable).to_pylist()}
    assert not billed & {name for name, _ in reasons}
    return reasons


def test_what_cannot_be_billed_is_said() -> None:
    plain = told_twice.subscription(Sold(ANCHOR))
    stepped = SubscriptionItem("steps", "add_on", 3, Price("volume", Fraction(1)))
    backwards = replace(
        plain.items[0], starts_at=datetime(2026, 9, 2, tzinfo=UTC), ends_at=datetime(2026, 9, 1, tzinfo=UTC)
    )
    made = apart(
        (
            plain,
            replace(plain, service_country="XX"),
            replace(plain, service_country="XX", tax_exempt=True),
            replace(plain, items=(*plain.items, stepped)),
            replace(plain, items=(backwards,)),
            replace(plain, paused_at=AS_OF, resumes_at=plain.anchor_at),
            replace(plain, items=(stepped,), ends_at=plain.anchor_at),
        )
    )
    assert lost(*made) == {
        ("s000001", "no_tax_rate"),
        ("s000003", "price_model"),
        ("s000004", "inverted_days"),
        ("s000005", "inverted_days"),
    }


def test_a_part_that_is_missing_is_said_in_the_words_of_the_old_side() -> None:
    change = ScheduledChange("upgrade", datetime(2026, 9, 1, tzinfo=UTC), new_price=Price("flat", Fraction(9)))
    plain = told_twice.subscription(Sold(ANCHOR))
    with DuckDBEngine() as engine:
        held = held_rows(engine, apart((replace(plain, scheduled_changes=(change,)), plain)))
        items = held.subscription_item
        mine = items.subscription_id == "s000001"
        unpriced = items.mutate(unit_price=mine.ifelse(None, items.unit_price))
        held = replace(held, plan_price=held.plan_price.limit(0), subscription_item=unpriced)
        found = engine.arrow(target_bills(engine, held, Rules(), AS_OF, exponent_of).unbillable).to_pylist()
    assert {(r["subscription_id"], r["reason"]) for r in found} == {("s000000", NO_PRICE), ("s000001", UNREADABLE)}


def test_every_word_for_what_cannot_be_billed_is_explained() -> None:
    assert tuple(MEANS) == get_args(Reason)
