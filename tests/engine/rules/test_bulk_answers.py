"""Answers that an expression gives to many values at once are those of the rule's function, value by value."""

from __future__ import annotations

import random
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import cleaner, frame, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.rules import phone_numbers
from migration_assets.engine.rules.companies import _may_change, company
from migration_assets.engine.rules.phone_numbers import by_plans, plan_of

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def numbers_of(code: int, chance: random.Random) -> list[str]:
    """Example numbers of every kind of a calling code, some with a digit changed, added or taken away, or spaced."""
    found = []
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            national = phonenumbers.national_significant_number(example) if example else "123456789"
            for _ in range(6):
                at, digit = chance.randrange(len(national)), str(chance.randrange(10))
                changed = chance.choice([
                    national, national[:at] + digit + national[at + 1 :], national[:at] + digit + national[at:],
                    national[:at] + national[at + 1 :], "0" + national, "1" + national,
                ])  # fmt: skip
                mark = chance.choice(["", " ", "-", ".", " ("])
                found.append(f"+{code}{mark}{changed[:2]}{mark.strip('( ')}{changed[2:]}")
    return found


@pytest.mark.parametrize("part", range(4))
def test_numbers_answered_at_once_are_those_the_library_accepts(engine: DuckDBEngine, part: int) -> None:
    """Every calling code there is, whatever the release of the tables."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    codes = CODES[part::4]
    texts = sorted({t for code in codes for t in numbers_of(code, chance)})
    judged = by_plans(engine.table(frame(k0=texts)), [plan_of(str(code)) for code in codes])
    found = engine.arrow(judged.filter(judged["_covered"])).to_pylist()
    assert len(found) > len(texts) // 10
    clean = cleaner("phone", {"default_country": "DE"}).clean
    wrong = [r["k0"] for r in found if clean((r["k0"],)) != (r["_answer"], None)]
    assert wrong == [], f"seed {seed}"


def test_frequent_numbers_come_out_as_rare_ones_do(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "+49 30 123456",
        "+49 (0)30 123456",
        "+493012",
        "030 123456",
        "+1.212.400.0231",
        "+1 911",
        None,
        "x",
        "+4930123456",
    ]
    source = frame(c=texts, country=["DE"] * len(texts))
    one_by_one = outcomes(engine, "phone", "phone", source, ["c", "country"])
    monkeypatch.setattr(phone_numbers, "_FEWEST_VALUES", 1)
    assert outcomes(engine, "phone", "phone", source, ["c", "country"]) == one_by_one
    assert [v for v, _ in one_by_one[:5]] == ["+4930123456", "+4930123456", None, "+4930123456", "+12124000231"]


SITES = st.from_regex(r"(https?://)?(www\.)?[a-z0-9-]{1,6}(\.[a-z0-9-]{1,5}){0,3}(:80)?(/[ -~]{0,4})?", fullmatch=True)


@settings(deadline=None, max_examples=15)
@given(st.lists(SITES | st.text(max_size=10), min_size=1, max_size=60))
def test_sites_come_out_as_the_function_says(engine: DuckDBEngine, texts: list[str]) -> None:
    texts = [*(t.replace("\x00", "") for t in texts), "www.com", "http://www.a-b.co.uk/en", "a--b.com", "www.www.de"]
    clean = cleaner("website", {}).clean
    wanted = [clean((t,)) if t.strip() else (None, None) for t in texts]
    assert outcomes(engine, "website", "text", frame(c=texts), ["c"]) == wanted


@settings(deadline=None, max_examples=15)
@given(st.lists(st.text("aB1 ./_,-&*é\u2013", max_size=8), min_size=1, max_size=60))
def test_tax_numbers_come_out_as_the_function_says(engine: DuckDBEngine, texts: list[str]) -> None:
    clean = cleaner("tax_id", {}).clean
    wanted = [clean((t,)) if t.strip() else (None, None) for t in texts]
    assert outcomes(engine, "tax_id", "text", frame(c=texts), ["c"]) == wanted


WORDS = [
    "Acme",
    "Foo",
    "12",
    "GmbH",
    "GMBH",
    "Inc.",
    "inc",
    "LLC",
    "Ltd.",
    "&",
    "Co.",
    "Co",
    "KG",
    "S.A.",
    "sa",
    "de",
    "CV",
    "C.V.",
    "Sp.",
    "z",
    "o.o.",
    "oo",
    "s.r.o.",
    "eG",
    "EV",
    "Limited,",
    "Spa",
]
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)


@settings(deadline=None, max_examples=20)
@given(st.lists(NAMES | st.from_regex(r"[A-Za-z,. &-]{1,14}", fullmatch=True), min_size=1, max_size=80))
def test_companies_that_are_not_suspected_are_written_as_usual(engine: DuckDBEngine, names: list[str]) -> None:
    tidy: list[Any] = [" ".join(n.split()) for n in names if n.strip()] or ["x"]
    table = engine.table(frame(c=tidy))
    spared = engine.arrow(table.filter(~_may_change(table["c"])).select("c"))["c"].to_pylist()
    assert [n for n in spared if company(n) != n] == []
