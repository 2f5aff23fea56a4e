"""What can be told without asking anybody, and where doubt is no answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.domain.calendar import is_zone
from migration_assets.domain.canonical import ENTITIES
from migration_assets.engine.enrichers import ENRICHERS
from migration_assets.engine.enrichers.places import _zones_of_countries, _zones_of_states
from migration_assets.engine.rules.outcome import Cleaned, Context

CODES = {"industry": {"01*": "Agriculture", "62*": "Information", "62.01": "Programming", "62.09": "-", "k=1": "Both"}}
CONTEXT = Context(ENTITIES["customer"].field("segment"), datetime(2026, 6, 30, tzinfo=UTC), CODES, {})


def told(name: str, *texts: str | None, **arguments: Any) -> str | None:
    enricher = ENRICHERS[name]
    answer = enricher.cleaner(enricher.parse(arguments), CONTEXT).clean(texts)
    assert answer.error is None
    return answer.value


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+4930901820", "DE"),
        # Shared prefixes: the number itself is of one country.
        ("+12125551234", "US"), ("+14165551234", "CA"), ("+18765551234", "JM"),
        ("+79161234567", "RU"), ("+77012345678", "KZ"), ("+442079460000", "GB"), ("+441481256789", "GG"),
        # Free of charge all over North America; mobile numbers that Italy and the Vatican share; satellites.
        ("+18005551234", None), ("+393331234567", None), ("+881631234567", None),
        ("+49", None), ("12345", None), ("", None), ("'; DROP", None),
    ],
)  # fmt: skip
def test_a_phone_tells_its_country_only_where_one_country_has_such_numbers(number: str, country: str | None) -> None:
    assert told("country_of_phone", number) == country


def test_countries_a_company_does_not_deal_with_do_not_make_a_number_doubtful() -> None:
    assert told("country_of_phone", "+393331234567", countries=["DE", "IT"]) == "IT"
    assert told("country_of_phone", "+393331234567", countries=["IT", "VA"]) is None
    assert told("country_of_phone", "+393331234567", countries=["DE"]) is None


@pytest.mark.parametrize(
    ("code", "countries", "country"),
    [
        ("1012 ab", "NL DE", "NL"), ("10115", "NL DE", "DE"), ("10115", "DE FR", None), ("SW1A 1AA", "GB DE US", "GB"),
        ("12345-6789", "US DE", "US"), ("12345", "US PL", None), ("00-950", "PL DE", "PL"), ("D02 AF30", "IE GB", "IE"),
        ("123 45", "SE DE", "SE"), ("", "DE", None), ("10115 Berlin", "DE", None),
    ],
)  # fmt: skip
def test_a_postal_code_tells_its_country_where_one_of_those_listed_fits(
    code: str, countries: str, country: str | None
) -> None:
    assert told("country_of_postal_code", code, countries=countries.split()) == country


def test_a_country_whose_codes_are_not_known_cannot_be_listed() -> None:
    with pytest.raises(ValueError, match="form of postal codes of KP is not known"):
        ENRICHERS["country_of_postal_code"].parse({"countries": ["DE", "KP"]})


@pytest.mark.parametrize(
    ("country", "state", "zone"),
    [
        ("FR", None, "Europe/Paris"), ("GB", "ENG", "Europe/London"), ("JP", None, "Asia/Tokyo"),
        # Two zones that keep the same time are one to whoever looks at a clock.
        ("DE", None, "Europe/Berlin"), ("AR", None, "America/Argentina/Buenos_Aires"),
        ("US", "NY", "America/New_York"), ("CA", "MB", "America/Winnipeg"), ("AU", "QLD", "Australia/Brisbane"),
        # Tennessee, Arizona, Ontario and New South Wales keep two times; without a state nobody knows.
        ("US", "TN", None), ("US", "AZ", None), ("CA", "ON", None), ("AU", "NSW", None), ("US", None, None),
        # The Canaries, and a state of a country whose states are not listed.
        ("ES", "CN", None), ("BR", "SP", None), ("ZZ", None, None),
    ],
)  # fmt: skip
def test_a_time_zone_is_told_where_the_place_keeps_one_time(country: str, state: str | None, zone: str | None) -> None:
    assert told("time_zone", country, state) == zone
    assert state is not None or told("time_zone", country) == zone


def test_every_state_listed_is_one_and_its_zone_lies_in_its_country() -> None:
    states = _zones_of_states()
    assert len(states) == 48
    for (country, state), zone in states.items():
        assert pycountry.subdivisions.get(code=f"{country}-{state}"), (country, state)
        assert is_zone(zone) and zone in _zones_of_countries()[country], (country, state, zone)


def test_a_zone_told_for_a_country_shows_the_time_of_all_its_zones() -> None:
    noons = [datetime(2026, month, 1, 12, tzinfo=UTC) for month in range(1, 13)]
    countries = [c for c in _zones_of_countries() if told("time_zone", c)]
    assert len(countries) > 200
    for country in countries:
        zones = [ZoneInfo(z) for z in _zones_of_countries()[country]]
        assert all(len({noon.astimezone(z).utcoffset() for z in zones}) == 1 for noon in noons), country


@pytest.mark.parametrize(("country", "tag"), [("FR", "fr"), ("BR", "pt"), ("CH", None), ("CA", None), ("ZZ", None)])
def test_a_country_tells_its_language_where_it_has_one(country: str, tag: str | None) -> None:
    assert told("language_of_country", country) == tag


@pytest.mark.parametrize(
    ("code", "name"),
    [("62.01", "Programming"), ("62.02", "Information"), ("62.09", None), ("0", None), ("01.1", "Agriculture"),
     (" 62.01 ", "Programming"), ("", None), (None, None)],
)  # fmt: skip
def test_a_code_list_gives_the_longest_beginning_that_fits(code: str | None, name: str | None) -> None:
    assert told("code_list", code, list="industry") == name


def test_several_fields_are_one_code() -> None:
    assert told("code_list", "K", "1", list="industry") == "Both"


@given(st.lists(st.none() | st.text(), min_size=2, max_size=2), st.sampled_from(sorted(set(ENRICHERS) - {"service"})))
def test_whatever_is_read_an_enricher_answers(texts: list[str | None], name: str) -> None:
    enricher = ENRICHERS[name]
    arguments = {"country_of_postal_code": {"countries": ["DE", "NL"]}, "code_list": {"list": "industry"}}.get(name, {})
    read = texts[: enricher.reads[1]]
    assert isinstance(enricher.cleaner(enricher.parse(arguments), CONTEXT).clean(tuple(read)), Cleaned)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"url": "https://u:p@x.example/"}, "names an account"),
        ({"url": "https://${host}/"}, "capitals"),
        ({"token": "abc123"}, "a token never stands in a plan"),
        ({"answer": "industry"}, "pattern"),
        ({"per_second": 0}, "greater than or equal"),
        ({"retries": 2}, "Extra inputs"),
    ],
)
def test_a_service_is_described_completely_and_without_secrets(arguments: dict[str, Any], problem: str) -> None:
    good = {"url": "${BASE}/v1", "token": "${TOKEN}", "sends": ["name"], "answer": "/industry"}
    service = ENRICHERS["service"].parse(good)
    assert service.misfits(1, {}) == [] and service.misfits(2, {}) == ["sends 1 keys for 2 fields that are read"]
    with pytest.raises(ValueError, match=problem):
        ENRICHERS["service"].parse(good | arguments)
