"""What customers of the old system may do, found for whole cohorts, is what the readable rules say, row for row."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from legacy_records import Rows, tables
from random_holders import SINCE, UNTIL, Agreement, Holder, random_grants, random_holder, records_of_holders

from migration_assets.domain.legacy import access as readable
from migration_assets.domain.legacy.access import Grant, Override
from migration_assets.domain.legacy.terms import Change, Contract, Item, Price, Rules
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.legacy.access import legacy_access
from migration_assets.stages.shadow.spans import SPAN

Row = tuple[Any, ...]
SEED = 20261128
ONE = Price("flat", Fraction(1))


def found(records: Mapping[str, Rows], since: datetime = SINCE, until: datetime = UNTIL) -> tuple[list[Row], list[Row]]:
    """Spans, and who is unanswerable."""
    with DuckDBEngine() as engine:
        made = legacy_access(engine, tables(engine, records), since, until)
        assert made.spans.columns == SPAN
        spans = [tuple(r.values()) for r in engine.arrow(made.spans).to_pylist()]
        lost = [tuple(r.values()) for r in engine.arrow(made.unanswerable).to_pylist()]
    told = [(*s[:6], None if s[6] is None else Fraction(s[6]), s[7]) for s in spans]
    return sorted(told, key=lambda s: s[:4]), lost


def expected(holder: Holder, grants: Sequence[Grant], since: datetime = SINCE, until: datetime = UNTIL) -> list[Row]:
    held = [a.held() for a in holder.agreements]
    return [
        (
            holder.customer,
            s.feature,
            s.region,
            s.starts_at,
            s.ends_at,
            s.answer.allowed,
            s.answer.limit,
            s.answer.overage,
        )
        for s in readable.access(held, holder.overrides, grants, Rules(), since, until)
    ]


def agree(holders: Sequence[Holder], grants: Sequence[Grant]) -> list[Row]:
    """Holds every span of both against each other."""
    spans, lost = found(records_of_holders(holders, grants))
    assert lost == []
    mine: dict[str, list[Row]] = {h.customer: [] for h in holders}
    for span in spans:
        mine[span[0]].append(span)
    for holder in holders:
        assert mine[holder.customer] == expected(holder, grants), (holder, grants)
    return spans


RANDOMS = st.randoms(use_true_random=False)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(RANDOMS, min_size=1, max_size=8), RANDOMS.map(random_grants))
def test_access_of_any_customers_is_that_of_the_readable_rules(rngs: list[Random], grants: tuple[Grant, ...]) -> None:
    agree([random_holder(rng, n) for n, rng in enumerate(rngs)], grants)


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_access_of_random_customers_is_that_of_the_readable_rules(seed: int) -> None:
    print(f"seed {seed}")
    rng = Random(seed)
    agree([random_holder(rng, n) for n in range(200)], random_grants(rng))


@pytest.mark.slow
def test_access_of_twenty_thousand_random_contracts_is_that_of_the_readable_rules() -> None:
    seed = int(os.environ.get("CUTOVER_TEST_SEED", SEED))
    print(f"CUTOVER_TEST_SEED={seed}")
    rng, contracts, spans = Random(seed), 0, list[Row]()
    for _ in range(9):
        holders = [random_holder(rng, n) for n in range(2_000)]
        contracts += sum(len(h.agreements) for h in holders)
        spans += agree(holders, random_grants(rng))
    assert contracts > 20_000
    # Every kind of answer was among them, many times.
    kinds = [(allowed, limit is None, overage, region) for *_, region, _, _, allowed, limit, overage in spans]
    for n, some in enumerate(((True, False), (True, False), ("block", "bill", "grace", "none"), ("DE", "FR", "*"))):
        assert all(sum(kind[n] == one for kind in kinds) > 2_000 for one in some), n


def holder(name: str = "k", *items: Item, **terms: Any) -> Holder:
    """Somebody with one contract, on the plan basic where no item is named."""
    told: dict[str, Any] = {
        "contract_id": f"{name}-0",
        "currency": "EUR",
        "exponent": 2,
        "zone": "Europe/Berlin",
        "months": 1,
        "anchor": date(2026, 1, 31),
        "first_day": date(2026, 1, 31),
        "last_day": None,
        "service_country": "DE",
        "items": items or (Item(f"{name}/0", "basic", "base", 2, ONE),),
        **terms,
    }
    return Holder(name, (Agreement(Contract(**told)),))


SEATS = Grant("basic", "seats", Fraction(3), True, "block")
GRANTS = (SEATS, Grant("pro", "seats", Fraction(10), False, "bill"), Grant("pro", "sso", None, False, "none"))


def test_the_first_and_the_last_day_are_those_of_the_contracts_own_clocks_also_when_they_are_turned() -> None:
    days = {"first_day": date(2026, 10, 25), "last_day": date(2026, 11, 1)}
    sold = [holder("berlin", **days), holder("york", zone="America/New_York", **days)]
    spans = agree(sold, GRANTS)
    # Clocks are put back on 25 October in Berlin and on 1 November in New York.
    assert [s[3:5] for s in spans] == [
        (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 11, 1, 23, tzinfo=UTC)),
        (datetime(2026, 10, 25, 4, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)),
    ]


def test_a_limit_larger_than_64_bits_is_exact_and_one_that_no_number_holds_is_an_error() -> None:
    grants = (Grant("basic", "storage", Fraction("123456789012345678901.0000000001"), True, "block"),)
    items = [Item(f"k/{n}", "basic", kind, 1_000_003, ONE) for n, kind in enumerate(("base", "add_on"))]
    (span,) = agree([holder("k", *items)], grants)
    assert span[6] == 2 * 1_000_003 * Fraction("123456789012345678901.0000000001")
    with pytest.raises(duckdb.Error):
        found(records_of_holders([holder("k", replace(items[0], quantity=10**15))], grants))


def test_grace_is_asked_of_who_is_past_due_only() -> None:
    one = holder().agreements[0]
    for status, ends in (("past_due", datetime(2026, 7, 4, 22, tzinfo=UTC)), ("active", UNTIL)):
        late = Holder("k", (replace(one, status=status, grace_last_day=date(2026, 7, 4)),))
        (span,) = agree([late], GRANTS)
        assert span[4] == ends


def test_who_is_over_may_do_nothing_and_is_still_answered_where_they_were() -> None:
    over = Agreement(replace(holder().agreements[0].contract, contract_id="k-1", service_country="FR"), "over")
    everywhere = Override("o", "seats", None, Fraction(7), "UTC", date(2026, 1, 1), None)
    spans = agree([Holder("k", (*holder().agreements, over), (everywhere,))], GRANTS)
    assert [s[2] for s in spans] == ["*", "DE", "FR"]
    assert {s[6] for s in spans} == {Fraction(7)}


def test_what_lies_outside_the_window_changes_nothing_in_it() -> None:
    later = Change("upgrade", date(2027, 8, 2), "unheard of", ONE)
    past = Override("o", "seats", None, None, "UTC", date(1, 1, 1), date(2026, 6, 29))
    someone = holder(changes=(later,), paused_on=date(2027, 8, 3))
    assert found(records_of_holders([replace(someone, overrides=(past,))], GRANTS))[1] == []
    (span,) = [s for s in found(records_of_holders([someone], GRANTS))[0] if s[2] == "DE"]
    assert span[3:7] == (SINCE, UNTIL, True, Fraction(6))


def test_an_old_system_without_grants_grants_nothing() -> None:
    records = records_of_holders([holder()], ())
    with DuckDBEngine() as engine:
        few = {k: t for k, t in tables(engine, records).items() if k in ("contracts", "items")}
        made = legacy_access(engine, few, SINCE, UNTIL)
        assert engine.count(made.spans) == engine.count(made.unanswerable) == 0


CHANGES = (
    Change("ramp", date(2026, 9, 1), new_quantity=5),
    Change("upgrade", date(2026, 10, 1), "pro", ONE),
    Change("uplift", date(2026, 11, 1), percent=Fraction(5)),
)
OVERRIDE = Override("k-o", "sso", "DE", Fraction(1), "Europe/Berlin", date(2026, 1, 1), None)


def full() -> dict[str, Rows]:
    """Two customers, the first with a record of every kind."""
    first = replace(holder(changes=CHANGES), overrides=(OVERRIDE,))
    records = records_of_holders([first, holder("l", Item("l/0", "pro", "base", 1, ONE))], GRANTS)
    records["plans"] = [{"plan": "pro-plan", "product": "pro", "months": m} for m in (1, 12)]
    return records


def test_a_customer_with_a_record_of_every_kind_is_answered() -> None:
    spans, lost = found(full())
    assert lost == [] and {s[0] for s in spans} == {"k", "l"}


@pytest.mark.parametrize(
    ("kind", "row", "changed", "reason"),
    [
        ("contracts", 0, {"last_day": None, "unreadable": "anchor last_day "}, "unreadable"),
        ("contracts", 0, {"country": None, "unreadable": "country "}, "unreadable"),
        ("contracts", 0, {"status": "past_due", "unreadable": "grace_last_day "}, "unreadable"),
        ("contracts", 0, {"zone": "Middle/Earth"}, "unknown_zone"),
        ("contracts", 0, {"first_day": date(2027, 1, 30), "last_day": date(2026, 12, 30)}, "inverted_days"),
        ("items", 0, {"quantity": None, "unreadable": "quantity "}, "unreadable"),
        ("items", 0, {"first_day": date(2026, 8, 20), "last_day": date(2026, 8, 10)}, "inverted_days"),
        ("items", 0, {"quantity": -3}, "negative"),
        ("changes", 0, {"new_quantity": -3}, "negative"),
        ("overrides", 0, {"limit": Decimal(-1)}, "negative"),
        ("grants", 0, {"limit": Decimal(-1)}, "unreadable_grant"),
        ("changes", 0, {"new_quantity": None, "unreadable": "new_quantity "}, "unreadable"),
        ("changes", 1, {"kind": None, "unreadable": "kind "}, "unreadable"),
        ("changes", 1, {"new_plan": "unheard of"}, "unknown_plan"),
        ("changes", 1, {"new_plan": None}, "unknown_plan"),
        ("plans", 0, {"product": "basic"}, "unknown_plan"),
        ("overrides", 0, {"limit": None, "unreadable": "limit "}, "unreadable"),
        ("overrides", 0, {"limit": None, "unreadable": "unit "}, "unreadable"),
        ("overrides", 0, {"zone": "Middle/Earth"}, "unknown_zone"),
        ("overrides", 0, {"first_day": date(2026, 9, 1), "last_day": date(2026, 8, 1)}, "inverted_days"),
        ("grants", 0, {"limit": None, "unreadable": "limit "}, "unreadable_grant"),
    ],
)
def test_what_cannot_be_read_is_said_and_others_are_answered_all_the_same(
    kind: str, row: int, changed: dict[str, Any], reason: str
) -> None:
    records = full()
    records[kind][row].update(changed)
    spans, lost = found(records)
    assert lost == [("k", reason)]
    assert {s[0] for s in spans} == {"l"}
    assert spans == [s for s in found(full())[0] if s[0] == "l"]


@pytest.mark.parametrize(
    ("kind", "row", "changed"),
    [
        ("contracts", 0, {"unreadable": "currency anchor months "}),
        ("contracts", 0, {"unreadable": "grace_last_day "}),
        ("items", 0, {"unreadable": "unit_price model "}),
        ("changes", 2, {"first_day": None, "unreadable": "first_day percent "}),
        ("plans", 0, {"unreadable": "months "}),
        ("overrides", 0, {"feature": None, "unreadable": "feature limit "}),
        # It ended before it started, and long before the window.
        ("overrides", 0, {"first_day": date(2025, 3, 1), "last_day": date(2025, 2, 1)}),
    ],
)
def test_what_access_does_not_follow_from_keeps_nobody_from_being_answered(
    kind: str, row: int, changed: dict[str, Any]
) -> None:
    records = full()
    records[kind][row].update(changed)
    spans, lost = found(records)
    assert lost == []
    assert [s for s in spans if s[1] == "seats"] == [s for s in found(full())[0] if s[1] == "seats"]


def test_records_of_nobody_can_say_whom_are_said_without_a_customer() -> None:
    for kind, changed, reason in (
        ("items", {"contract_id": None, "unreadable": "contract_id "}, "unreadable"),
        ("overrides", {"customer": None, "unreadable": "customer "}, "unreadable"),
        ("grants", {"product": None, "unreadable": "product "}, "unreadable_grant"),
    ):
        records = full()
        records[kind][0].update(changed)
        assert found(records)[1] == [(None, reason)]


def test_a_feature_without_a_name_in_the_target_is_not_compared() -> None:
    records = full()
    named = found(records)[0]
    for row in (records["grants"][-1], records["overrides"][0]):
        row.update(feature=None, unreadable="feature ")
    spans, lost = found(records)
    assert lost == []
    assert spans == [s for s in named if s[1] == "seats"]


def test_two_records_of_one_grant_or_one_limit_for_each_unit_are_told_exactly() -> None:
    records = records_of_holders([holder()], (SEATS, replace(SEATS, limit=Fraction("0.5"), for_each_unit=False)))
    records["grants"][1]["for_each_unit"] = None
    records["grants"][1]["limit"] = Decimal("0.5")
    assert [s[6] for s in found(records)[0]] == [Fraction("6.5")]
