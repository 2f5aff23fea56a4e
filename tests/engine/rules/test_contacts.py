"""Phones as people dial them, and addresses whose domain looks mistyped: told, never mended in silence."""

from __future__ import annotations

import random
from typing import Any

import pytest
from rule_world import clean, frame, mapped

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FieldRule
from migration_assets.engine.rules.mail_domains import suspects


@pytest.mark.parametrize(
    ("number", "country", "wanted"),
    [
        ("+44 (0)20 7946 0958", None, "+442079460958"),
        ("+44 020 7946 0958", None, "+442079460958"),
        ("(020) 7946 0958", "United Kingdom", "+442079460958"),
        ("0049 (0)30 123456", "France", "+4930123456"),
        ("030/123456-12", "DE", "+493012345612"),
        ("01 42 68 53 00", "FR", "+33142685300"),
        ("06 698 82", "IT", "+390669882"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("03-1234-5678", "JP", "+81312345678"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("٠٥٠ ١٢٣ ٤٥٦٧", "SA", "+966501234567"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("tel:+1-201-555-0123", None, "+12015550123"),
    ],
)
def test_numbers_as_people_of_a_country_write_them(number: str, country: str | None, wanted: str) -> None:
    assert clean("phone", number, country) == (wanted, None)


def noted(engine: DuckDBEngine, rule: FieldRule, **columns: Any) -> list[tuple[Any, ...]]:
    found = engine.arrow(mapped(engine, frame(**columns), [rule]).notes.order_by("source_row", "action")).to_pylist()
    return [tuple(n[c] for c in ("source_row", "action", "reason", "new_value")) for n in found]


def test_an_extension_that_does_not_fit_is_told(engine: DuckDBEngine) -> None:
    numbers = ["+14155552671 x12", "415-555-2671 ext. 7", "+14155552671", "+7 495 123-45-67 доб. 12", "x12"]
    rule = FieldRule("phone", "phone", ("c", "country"))
    notes = noted(engine, rule, c=numbers, country=["US", "US", "US", None, "US"])
    left_out = [row for row, *rest in notes if rest == ["remarked", "extension_left_out", None]]
    assert left_out == [1, 2, 4]
    assert (5, "set_aside", "not_a_phone_number", None) in notes


MAIL = FieldRule("email", "email", ("c",))


def suggested(engine: DuckDBEngine, *addresses: str) -> list[tuple[int, str]]:
    notes = noted(engine, MAIL, c=list(addresses))
    return [(row, new) for row, action, reason, new in notes if reason == "domain_may_be_mistyped"]


def test_a_mistyped_domain_stays_and_what_may_be_meant_is_noted(engine: DuckDBEngine) -> None:
    given = ["jane@gmial.com", "Jim@HOTNAIL.com", "a.b@acme.con", "x@gmial.con", "ok@gmail.com", "ok@mail.com"]
    made = mapped(engine, frame(c=given), [MAIL])
    kept = engine.arrow(made.rows.order_by("source_row"))["email"].to_pylist()
    assert kept == [g.lower() for g in given]
    assert suggested(engine, *given) == [
        (1, "jane@gmail.com"),
        (2, "jim@hotmail.com"),
        (3, "a.b@acme.com"),
        (4, "x@gmail.com"),
    ]


def test_a_domain_the_column_is_full_of_is_what_its_odd_neighbour_may_mean(engine: DuckDBEngine) -> None:
    staff = [f"p{i}@northwind.example.de" for i in range(20)]
    assert suggested(engine, *staff, "p21@norhtwind.example.de", "p22@southwind.example.de") == [
        (21, "p21@northwind.example.de")
    ]
    assert suggested(engine, *staff[:19], "p21@norhtwind.example.de") == []


@pytest.mark.parametrize(
    "domain",
    ["mail.com", "email.com", "ymail.com", "me.com", "gmx.com", "web.com", "live.nl", "aim.com", "yahoo.ca", "a.bet"],
)
def test_real_domains_are_not_suspected(domain: str) -> None:
    assert suspects({domain: 1}) == {}


def test_one_slip_of_any_kind_leads_back_to_the_provider() -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for _ in range(200):
        at, letter = chance.randrange(9), chance.choice("bqz7")
        typed = chance.choice(
            [
                "hotmail.com"[:at] + letter + "hotmail.com"[at:],
                "hotmail.com"[:at] + "hotmail.com"[at + 1 :],
                "hotmail.com"[:at] + letter + "hotmail.com"[at + 1 :],
                "hotmail.com"[:at] + "hotmail.com"[at + 1] + "hotmail.com"[at] + "hotmail.com"[at + 2 :],
            ]
        )
        assert suspects({typed: 1}) == {typed: "hotmail.com"}, f"{typed}, seed {seed}"


def test_two_slips_are_too_far_and_many_values_are_no_slip() -> None:
    assert suspects({"hxtmxil.com": 1, "northwind.de": 30, "northwimd.de": 20}) == {}
