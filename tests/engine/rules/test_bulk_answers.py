"""Answers that an expression gives to many values at once are those of the rule's function, value by value."""

from __future__ import annotations

import random
import re
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import cleaner, frame, mapped, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FieldRule
from migration_assets.engine.rules import phone_numbers
from migration_assets.engine.rules.companies import _may_change, company
from migration_assets.engine.rules.mail_domains import domain_of

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def _digits_of(region: str, chance: random.Random) -> list[str]:
    """Example numbers of every kind, without their calling code, some with a digit changed, added or taken away."""
    found = []
    for kind in range(11):
        example = phonenumbers.example_number_for_type(region, kind)
        national = phonenumbers.national_significant_number(example) if example else "123456789"
        for _ in range(6):
            at, digit = chance.randrange(len(national)), str(chance.randrange(10))
            found.append(chance.choice([
                national, national[:at] + digit + national[at + 1 :], national[:at] + digit + national[at:],
                national[:at] + national[at + 1 :],
            ]))  # fmt: skip
    return found


def numbers_of(code: int, chance: random.Random) -> list[str]:
    """Numbers with their calling code, spaced in some way, some with what is only dialled at home in between."""
    found = []
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        for national in _digits_of(region, chance):
            dialled = chance.choice(["", "", "0", "1", "(0)", "(8)"]) + national
            mark = chance.choice(["", " ", "-", ".", "/", " ("])
            blank = chance.choice(["", "", " "])
            found.append(f"{blank}+{code}{mark}{dialled[:2]}{mark.strip('( ')}{dialled[2:]}{blank}")
    return found


def local_numbers_of(region: str, chance: random.Random) -> list[str]:
    """Numbers as they are written at home, or with a beginning that may mean something else."""
    tables = phonenumbers.PhoneMetadata.metadata_for_region(region)
    code = str(tables.country_code)
    begins = ["", tables.national_prefix or "", "0", "00", "1", code, f"00{code}", "011", "0" + code]
    found = []
    for national in _digits_of(region, chance):
        # One the way it is dialled at home, so that enough can be answered whatever the chance.
        for begin in (tables.national_prefix or "", chance.choice(begins)):
            dialled = begin + national
            mark = chance.choice(["", " ", "-", "/", ") "])
            found.append("(" * (mark == ") ") + f"{dialled[:3]}{mark}{dialled[3:]}")
    return found


def answered(engine: DuckDBEngine, texts: list[str], country: str | None = None) -> list[dict[str, Any]]:
    """What the expression answers of numbers, however few there are of a kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phone_numbers, "_FEWEST_VALUES", 1)
        patch.setattr(phone_numbers, "_MOST_READINGS", 400)
        judged = phone_numbers.plain_numbers(engine, engine.table(frame(k0=texts)), lambda _: country)
    return [] if judged is None else engine.arrow(judged.filter(judged["_covered"])).to_pylist()


@pytest.mark.parametrize("part", range(4))
def test_numbers_answered_at_once_are_those_the_library_accepts(engine: DuckDBEngine, part: int) -> None:
    """Every calling code there is, whatever the release of the tables."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    texts = sorted({t for code in CODES[part::4] for t in numbers_of(code, chance)})
    found = answered(engine, texts)
    assert len(found) > len(texts) // 20, f"seed {seed}"
    clean = cleaner("phone", {"default_country": "DE"}).clean
    wrong = [r["k0"] for r in found if clean((r["k0"],)) != (r["_answer"], None)]
    assert wrong == [], f"seed {seed}"


@pytest.mark.parametrize("part", range(6))
def test_numbers_as_written_at_home_are_those_the_library_accepts(engine: DuckDBEngine, part: int) -> None:
    """Every country there is."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    asked, covered, wrong = 0, 0, []
    for region in REGIONS[part::6]:
        texts = sorted({*local_numbers_of(region, chance)})
        clean = cleaner("phone", {"default_country": region}).clean
        found = answered(engine, texts, region)
        asked, covered = asked + len(texts), covered + len(found)
        wrong += [(region, r["k0"]) for r in found if clean((r["k0"],)) != (r["_answer"], None)]
    assert wrong == [], f"seed {seed}"
    assert covered > asked // 20, f"seed {seed}"


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
    texts = [*texts, "n/a", "TBD", "0000000", "DE 111", "DE123456789", "de-123456788"]
    clean = cleaner("tax_id", {}).clean
    wanted = [clean((t,)) if t.strip() else (None, None) for t in texts]
    assert outcomes(engine, "tax_id", "text", frame(c=texts), ["c"]) == wanted


MAILS = st.from_regex(
    r"[ \t]{0,2}[A-Za-z0-9._+-]{1,9}@[A-Za-z0-9-]{1,6}(\.[a-z0-9]{1,4})?\.(com|DE|Org|test)[ >]?", fullmatch=True
)


@settings(deadline=None, max_examples=15)
@given(st.lists(MAILS | st.text("aK\u212a\u0130@. \xa0", max_size=9), min_size=1, max_size=60))
def test_addresses_in_capitals_come_out_as_the_function_says(engine: DuckDBEngine, texts: list[str]) -> None:
    texts = [*texts, " Jane.Roe@Mail.Com ", "K\u0130m@mail.com", "\u212aim@mail.com", "jane@mail.com\xa0"]
    clean = cleaner("email", {}).clean
    wanted = [clean((t,)) if t.strip() else (None, None) for t in texts]
    assert outcomes(engine, "email", "email", frame(c=texts), ["c"]) == wanted


def test_an_address_in_capitals_whose_domain_may_be_a_slip_is_still_remarked_on(engine: DuckDBEngine) -> None:
    mails = [f"JANE{n}@GMAIL.COM" for n in range(3)] + [" Jane@Gmial.Com "]
    notes = engine.arrow(mapped(engine, frame(c=mails), [FieldRule("email", "email", ("c",))]).notes).to_pylist()
    assert [n["new_value"] for n in notes if n["action"] == "suggested"] == ["jane@gmail.com"]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.text("aB@.-1 >\t\u00e9", max_size=9), min_size=1, max_size=80))
def test_the_domain_is_what_stands_behind_the_last_at(engine: DuckDBEngine, texts: list[str]) -> None:
    table = engine.table(frame(c=texts))
    found = engine.arrow(table.select("_row", d=domain_of(table["c"])).order_by("_row"))["d"].to_pylist()
    plain = re.compile(r"@([A-Za-z0-9.-]+)[ \t>]*\Z")
    assert found == [m[1].lower() if (m := plain.search(t)) else "" for t in texts]


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
    "OÜ",
    "oü",
    "Café",
    "Straße",
    "Łódź",
    "İnc",
]
NAMES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)


@settings(deadline=None, max_examples=20)
@given(st.lists(NAMES | st.from_regex(r"[A-Za-zÄé,. &-]{1,14}", fullmatch=True), min_size=1, max_size=80))
def test_companies_that_are_not_suspected_are_written_as_usual(engine: DuckDBEngine, names: list[str]) -> None:
    tidy: list[Any] = [" ".join(n.split()) for n in names if n.strip()] or ["x"]
    table = engine.table(frame(c=tidy))
    spared = engine.arrow(table.filter(~_may_change(table["c"])).select("c"))["c"].to_pylist()
    assert [n for n in spared if company(n) != n] == []
