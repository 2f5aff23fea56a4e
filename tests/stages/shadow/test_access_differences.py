"""Where what customers may do changes, found for all of them at once, is what the readable comparison finds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from random_holders import exact

from migration_assets.domain.access import Answer, Span, spans_of
from migration_assets.domain.access_parity import access_differences as readable
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.access_differences import access_differences
from migration_assets.stages.shadow.spans import Access

Spans = Mapping[str, Sequence[Span]]
SEED = 20261128
T = datetime(2026, 6, 30, tzinfo=UTC)
DAYS = tuple(T + timedelta(days=30 * n) for n in range(8))
ANSWERS = (
    None,
    Answer(False, Fraction(0), "block"),
    Answer(False, Fraction(0), "bill"),
    Answer(True, None, "bill"),
    Answer(True, Fraction(10), "bill"),
    Answer(True, Fraction(10), "block"),
    Answer(True, Fraction(11), "bill"),
    Answer(True, Fraction("10.0000000001"), "bill"),
    Answer(True, None, "block"),
)
_INSTANT = pa.timestamp("us", tz="UTC")
_SPANS = pa.schema(
    {
        "customer_id": pa.string(),
        "feature": pa.string(),
        "region": pa.string(),
        "starts_at": _INSTANT,
        "ends_at": _INSTANT,
        "allowed": pa.bool_(),
        "limit_units": pa.decimal128(38, 10),
        "overage": pa.string(),
    }.items()
)
_LOST = pa.schema([("customer_id", pa.string()), ("reason", pa.string())])


def table(engine: DuckDBEngine, told: Spans) -> Any:
    rows = [
        (
            customer,
            s.feature,
            s.region,
            s.starts_at,
            s.ends_at,
            s.answer.allowed,
            exact(s.answer.limit),
            s.answer.overage,
        )
        for customer, spans in told.items()
        for s in spans
    ]
    return engine.table(pa.Table.from_pylist([dict(zip(_SPANS.names, r, strict=True)) for r in rows], _SPANS))


def found(before: Spans, after: Spans, unanswerable: Iterable[str | None] = ()) -> list[tuple[Any, ...]]:
    lost = [{"customer_id": c, "reason": "unreadable"} for c in unanswerable]
    with DuckDBEngine() as engine:
        old = Access(table(engine, before), engine.table(pa.Table.from_pylist(lost, _LOST)))
        rows = engine.arrow(access_differences(engine, old, table(engine, after))).to_pylist()
    return sorted((_told(r) for r in rows), key=lambda d: d[:4])


def _told(row: Mapping[str, Any]) -> tuple[Any, ...]:
    answers = []
    for side in ("before", "after"):
        allowed, limit, overage = (row[f"{side}_{c}"] for c in ("allowed", "limit_units", "overage"))
        answers.append(None if allowed is None else (allowed, None if limit is None else Fraction(limit), overage))
    return (*(row[c] for c in ("customer_id", "feature", "region", "starts_at", "ends_at", "kind")), *answers)


def by_person(before: Spans, after: Spans) -> list[tuple[Any, ...]]:
    made = [
        (customer, d.feature, d.region, d.starts_at, d.ends_at, d.kind, d.before, d.after)
        for customer in before.keys() | after.keys()
        for d in readable(before.get(customer, ()), after.get(customer, ()))
    ]
    told = [(*d[:6], *(None if a is None else astuple(a) for a in d[6:])) for d in made]
    return sorted(told, key=lambda d: d[:4])


def random_spans(rng: Random) -> tuple[Span, ...]:
    """Spans of a few subjects with few different answers, so that both sides often agree."""
    found: list[Span] = []
    for feature, region in (("seats", "DE"), ("seats", "*"), ("sso", "DE")):
        answers = {day: rng.choice(ANSWERS) if rng.random() < 0.5 else ANSWERS[4] for day in DAYS}
        cuts = rng.sample(DAYS[:-1], rng.randint(1, 4))
        made = spans_of(feature, region, cuts, answers.__getitem__, DAYS[-1])
        endless = rng.random() < 0.3 and made and made[-1].ends_at == DAYS[-1]
        found += [*made[:-1], Span(feature, region, made[-1].starts_at, None, made[-1].answer)] if endless else made
    return tuple(found)


TEN, MORE = ANSWERS[4], ANSWERS[6]


def seats(answer: Answer | None, first: int = 0, last: int | None = 7) -> Span:
    assert answer is not None
    return Span("seats", "DE", DAYS[first], None if last is None else DAYS[last], answer)


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_differences_of_random_spans_are_those_of_the_readable_comparison(seed: int) -> None:
    rng = Random(seed)
    print(f"seed {seed}")
    sides = [{f"k{n:05}": random_spans(rng) for n in range(500) if rng.random() < 0.95} for _ in range(2)]
    wanted = by_person(*sides)
    assert found(*sides) == wanted
    assert {d[5] for d in wanted} == {"loss", "gain", "change"}
    assert {d[4] is None for d in wanted} == {True, False}


@pytest.mark.slow
def test_differences_of_twenty_thousand_customers_are_those_of_the_readable_comparison() -> None:
    seed = int(os.environ.get("CUTOVER_TEST_SEED", SEED))
    print(f"CUTOVER_TEST_SEED={seed}")
    rng = Random(seed)
    sides = [{f"k{n:05}": random_spans(rng) for n in range(20_000) if rng.random() < 0.95} for _ in range(2)]
    assert found(*sides) == by_person(*sides)


def test_spans_that_are_cut_elsewhere_and_say_the_same_do_not_differ() -> None:
    whole, parted = [seats(TEN)], [seats(TEN, 0, 3), seats(TEN, 3)]
    assert found({"k": whole}, {"k": parted}) == []
    assert found({"k": [seats(TEN, 0, None)]}, {"k": [seats(TEN, 0, 2), seats(TEN, 2, None)]}) == []


def test_neighbouring_pieces_that_differ_alike_are_one_difference() -> None:
    (gain,) = found({"k": [seats(TEN, 0, 3), seats(TEN, 3)]}, {"k": [seats(MORE, 0, 2), seats(MORE, 2)]})
    assert gain[3:6] == (DAYS[0], DAYS[7], "gain")


def test_a_difference_of_the_tenth_decimal_is_one_and_whose_it_is_makes_no_odds() -> None:
    assert [d[5] for d in found({"k": [seats(TEN)]}, {"k": [seats(ANSWERS[7])]})] == ["gain"]
    assert [d[0] for d in found({"k": [seats(TEN)]}, {"l": [seats(TEN)]})] == ["k", "l"]


def test_who_is_unanswerable_before_is_compared_with_nothing_and_a_row_of_nobodys_leaves_out_nobody() -> None:
    after = {"k": [seats(TEN)], "l": [seats(TEN)]}
    assert [d[0] for d in found({}, after, ["k", None])] == ["l"]
