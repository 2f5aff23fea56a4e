"""Addresses in parts and in one text: what the country's form says, nothing lost where it says nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_world import clean, cleaner, frame, mapped, outcomes

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FieldRule
from migration_assets.engine.rules.address_forms import FORMS
from migration_assets.engine.rules.address_split import Address, split_address
from migration_assets.engine.rules.addresses import lines_of

# Text, country of the record; street, number, line2, postal code, city, state, country as written.
KNOWN = [
    ("123 Main St Apt 4B, Springfield, IL 62704", "US", "Main St", "123", "Apt 4B", "62704", "Springfield", "IL", ""),
    ("350 5th Ave, New York, NY 10118-0110", "US", "5th Ave", "350", "", "10118-0110", "New York", "NY", ""),
    ("1 Infinite Loop\nCupertino California 95014\nUSA", None,
     "Infinite Loop", "1", "", "95014", "Cupertino", "California", "USA"),
    ("12 Elm Rd, New York 10001", "US", "Elm Rd", "12", "", "10001", "New York", "", ""),
    ("PO Box 12, Charleston West Virginia 25301", "US",
     "PO Box 12", "", "", "25301", "Charleston", "West Virginia", ""),
    ("Springfield, IL 62704", "US", "", "", "", "62704", "Springfield", "IL", ""),
    ("100 Queen St W, Toronto ON M5H2N2", "CA", "Queen St W", "100", "", "M5H 2N2", "Toronto", "ON", ""),
    ("Level 3, 45 Pitt St, Sydney NSW 2000", "AU", "Pitt St", "45", "Level 3", "2000", "Sydney", "NSW", ""),
    ("Flat 2, 10 Downing Street, London SW1A2AA, UK", None,
     "Downing Street", "10", "Flat 2", "SW1A 2AA", "London", "", "UK"),
    ("The Old Vicarage, Church Lane, Oxford, Oxfordshire, OX1 2JD", "GB",
     "The Old Vicarage", "", "Church Lane", "OX1 2JD", "Oxford", "Oxfordshire", ""),
    ("12 High Street, Dublin 4, D04 X2Y3, Ireland", "IE",
     "High Street", "12", "", "D04 X2Y3", "Dublin 4", "", "Ireland"),
    ("Hauptstr. 5, 10115 Berlin", "DE", "Hauptstr.", "5", "", "10115", "Berlin", "", ""),
    ("Acme GmbH\nStraße des 17. Juni 135 a\nD-10623 Berlin\nGermany", None,
     "Straße des 17. Juni", "135 a", "Acme GmbH", "10623", "Berlin", "", "Germany"),
    ("Mariahilfer Straße 12/3/4, 1060 Wien, Österreich", "AT",
     "Mariahilfer Straße", "12/3/4", "", "1060", "Wien", "", "Österreich"),
    ("Bahnhofstrasse 1\nCH-8001 Zürich", "CH", "Bahnhofstrasse", "1", "", "8001", "Zürich", "", ""),
    ("Keizersgracht 123-2, 1015cj Amsterdam", "NL", "Keizersgracht", "123-2", "", "1015 CJ", "Amsterdam", "", ""),
    ("Avenue Louise 12 bte 3, 1050 Bruxelles", "BE", "Avenue Louise", "12", "bte 3", "1050", "Bruxelles", "", ""),
    ("Via Roma, 5, 20121 Milano MI", "IT", "Via Roma", "5", "", "20121", "Milano", "MI", ""),
    ("Calle Mayor, 5, 3º B, 28013 Madrid, Madrid", "ES", "Calle Mayor", "5", "3º B", "28013", "Madrid", "Madrid", ""),
    ("12 bis, rue de la Paix, 75002 Paris", "FR", "rue de la Paix", "12 bis", "", "75002", "Paris", "", ""),
    ("Nørregade 10, 2. tv, 1165 København K", "DK", "Nørregade", "10", "2. tv", "1165", "København K", "", ""),
    ("Storgatan 1, 12345 Stockholm", "SE", "Storgatan", "1", "", "123 45", "Stockholm", "", ""),
    ("ul. Marszałkowska 10/12, 00-950 Warszawa", "PL", "ul. Marszałkowska", "10/12", "", "00-950", "Warszawa", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("known", KNOWN, ids=[k[0][:20] for k in KNOWN])
def test_the_parts_stand_where_the_country_puts_them(known: tuple[Any, ...]) -> None:
    text, country, *wanted = known
    found = split_address(text, country)
    assert found.understood
    assert [
        found.street, found.house_number, found.line2, found.postal_code, found.city, found.state, found.country,
    ] == wanted  # fmt: skip


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("東京都千代田区千代田1-1", "JP"),
        ("Hauptstr. 5, 10115 Berlin", None),
        ("Hauptstr. 5, Berlin", "DE"),
        ("Hauptstr. 5, 10115 Berlin, Austria", "DE"),
        ("12 High Street, OX1 2JD", "GB"),
        ("see invoice", "US"),
        ("IL 62704", "US"),
    ],
)
def test_what_is_not_understood_stays_whole(text: str, country: str | None) -> None:
    assert split_address(text, country) == Address(line1=text, street=text, understood=False)


def letters(*texts: str) -> Counter[str]:
    """Letters and digits, however they are cased or composed (a postal code gets capitals)."""
    return Counter(c for t in texts for c in "".join(t.split()).casefold() if c.isalnum())


WORDS = [
    "Hauptstr.", "Main", "St", "Rue", "de", "la", "Paix", "Via", "Roma", "Flat", "Apt", "4B", "5", "12", "12-14", "3º",
    "B", "10115", "D-10115", "62704", "75002", "SW1A", "2AA", "M5H", "2N2", "IL", "California", "MI", "(MI)", "Berlin",
    "New", "York", "London", "Oxfordshire", "Germany", "UK", "USA", "France", "bis", "#", "c/o", "Müller", "東京", "١٢",
    "PO", "Box", "17.", "Juni", "1012", "AB", "135", "a", "/", "-", "2.", "tv", "bte", "Co.", "Dublin", "4",
]  # fmt: skip
PIECES = st.lists(
    st.lists(st.sampled_from(WORDS) | st.text(max_size=5), min_size=1, max_size=4), min_size=1, max_size=6
)
COUNTRIES = st.sampled_from([*sorted(FORMS), "JP", None])


@settings(deadline=None, max_examples=1500)
@given(PIECES, st.sampled_from([", ", "\n", ",", " "]), COUNTRIES)
def test_no_letter_and_no_digit_is_lost_or_doubled(pieces: list[list[str]], mark: str, country: str | None) -> None:
    text = cleaner("text", {}).clean((mark.join(" ".join(p) for p in pieces),)).value or ""
    found = split_address(text, country)
    if found.understood:
        parts = {k: str(v) for k, v in asdict(found).items() if k not in ("line1", "understood")}
        assert letters(found.line1) == letters(found.street, found.house_number)
        assert letters(*parts.values()) == letters(text)
    else:
        assert letters(found.line1) == letters(text)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(KNOWN), st.sampled_from([", ", "\n"]))
def test_parts_put_together_are_taken_apart_again(known: tuple[Any, ...], separator: str) -> None:
    text, country, *_ = known
    first = split_address(text, country)
    parts = {k: getattr(first, k) for k in ("line1", "line2", "postal_code", "city", "state", "country")}
    again = split_address(separator.join(lines_of(parts, country)), country)
    # A county stands behind the postal code on an envelope, and a province's name runs on from the city's: nobody can
    # tell where one ends.
    if not (len(first.state) > 2 and country in ("GB", "ES")):
        assert {**asdict(again), "prefix": ""} == {**asdict(first), "prefix": ""}


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(["street", "house_number", "line2", "postal_code", "city", "state", "country"]),
        st.text("abcÄ1 ", min_size=1, max_size=8).map(str.strip).filter(bool),
    ),
    st.sampled_from(["US", "GB", "DE", "CH", "JP", "BR", "KR", "IE", "ZZ", None]),
)
def test_no_part_is_left_out_of_the_text(parts: dict[str, str], country: str | None) -> None:
    assert letters(*lines_of(parts, country)) == letters(*parts.values())


@pytest.mark.parametrize(
    ("country", "wanted"),
    [
        ("US", "5 Elm St, Floor 2, Oslo, XY 123, United States"),
        ("DE", "Elm St 5, Floor 2, 123 Oslo, XY, Germany"),
        ("FR", "5 Elm St, Floor 2, 123 Oslo, XY, France"),
        ("CH", "Elm St 5, Floor 2, 123 Oslo, XY, Switzerland"),
    ],
)
def test_a_text_has_the_order_of_its_country(engine: DuckDBEngine, country: str, wanted: str) -> None:
    columns = ["street", "house_number", "line2", "postal_code", "city", "state", "country"]
    name = wanted.rpartition(", ")[2]
    source = frame(
        street=["Elm St", None, None], house_number=["5", None, None], line2=["Floor 2", None, " "],
        postal_code=["123", None, None], city=["Oslo", "Oslo", None], state=["XY", None, None],
        country=[name, name, None],
    )  # fmt: skip
    found = outcomes(engine, "address_text", "text", source, columns, parts=columns)
    assert found == [(wanted, None), (f"Oslo, {name}", None), (None, None)]


def test_a_part_as_a_field_and_a_remark_where_nothing_is_understood(engine: DuckDBEngine) -> None:
    source = frame(
        a=["1 Elm Rd, Springfield, Illinois 62704", "nowhere", "Dorfstr. 3\n10115 Berlin", None],
        c=["US", "US", "DE", "US"],
    )

    def part(name: str) -> list[Any]:
        return [v for v, _ in outcomes(engine, "address_part", "text", source, ["a", "c"], part=name)]

    assert part("line1") == ["1 Elm Rd", "nowhere", "Dorfstr. 3", None]
    assert part("state") == ["IL", None, None, None]
    assert part("country") == ["US", None, "DE", None]
    assert part("postal_code") == ["62704", None, "10115", None]
    rule = FieldRule("industry", "address_part", ("a", "c"), {"part": "line1"})
    notes = engine.arrow(mapped(engine, source, [rule]).notes).to_pylist()
    assert [(n["source_row"], n["action"], n["reason"]) for n in notes] == [(2, "remarked", "address_not_understood")]


@pytest.mark.parametrize(
    ("given", "country", "wanted"),
    [
        ("sw1a2aa", "GB", "SW1A 2AA"),
        ("m5h-2n2", "CA", "M5H 2N2"),
        ("1015cj", "NL", "1015 CJ"),
        ("12345", "SE", "123 45"),
        ("SE-123 45", "SE", "123 45"),
        ("621041234", "US", "62104-1234"),
        ("02139", "US", "02139"),
        ("D-01067", "DE", "01067"),
        ("00950", "PL", "00-950"),
        ("1000205", "PT", "1000-205"),
        ("1000001", "JP", "100-0001"),
        ("01310100", "BR", "01310-100"),
        ("a65f4e2", "IE", "A65 F4E2"),
        ("x 1", None, "X 1"),
        ("12 b", "AE", "12 B"),
    ],
)
def test_a_postal_code_is_written_as_in_its_country(given: str, country: str | None, wanted: str) -> None:
    assert clean("postal_code", given, country) == (wanted, None)


@pytest.mark.parametrize(
    ("given", "country"),
    [
        ("2139", "US"),
        ("1011 5", "DE"),
        ("123456", "DE"),
        ("SW1A", "GB"),
        ("F-10115", "DE"),
        ("１０１１５", "DE"),
        ("x", "FR"),
    ],
)
def test_another_shape_is_no_postal_code(given: str, country: str) -> None:
    assert clean("postal_code", given, country) == (None, "not_a_postal_code")


@pytest.mark.parametrize(
    ("given", "country", "wanted"),
    [
        ("123 Main Street", "US", "123 Main St"),
        ("123 Main St.", "US", "123 Main St"),
        ("123 MAIN STREET", "US", "123 MAIN ST"),
        ("12 Elm Avenue NW Apt 5", "CA", "12 Elm Ave NW Apt 5"),
        ("St James Court", "US", "St James Ct"),
        ("12 St", "US", "12 St"),
        ("Street 5", "US", "Street 5"),
        ("10 Church St.", "GB", "10 Church Street"),
        ("St John's Rd", "GB", "St John's Road"),
        ("Hauptstr. 5", "DE", "Hauptstraße 5"),
        ("Berliner Str. 12 a", "DE", "Berliner Straße 12 a"),
        ("Karl-Marx-Str. 1", "DE", "Karl-Marx-Straße 1"),
        ("HAUPTSTR. 5", "DE", "HAUPTSTRASSE 5"),
        ("Hauptstr 5", "CH", "Hauptstrasse 5"),
        ("Kerkstr. 5", "NL", "Kerkstraat 5"),
        ("Str. der Einheit 1", "DE", "Str. der Einheit 1"),
        ("12 bis Av. Foch", "FR", "12 bis Avenue Foch"),
        ("C/ Mayor 5", "ES", "Calle Mayor 5"),
        ("V.le Europa 3", "IT", "Viale Europa 3"),
        ("Hauptstr. 5", None, "Hauptstr. 5"),
        ("Hauptstr. 5", "US", "Hauptstr. 5"),
        ("10 Church St.", "PL", "10 Church St."),
    ],
)
def test_the_kind_of_street_is_written_as_the_country_does(given: str, country: str | None, wanted: str) -> None:
    assert clean("street", given, country) == (wanted, None)
