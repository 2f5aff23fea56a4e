"""Enrichers about places: countries of numbers and codes, zones and languages of countries. Doubt is no answer."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

from migration_assets.domain.calendar import zone_of
from migration_assets.engine.enrichers import arguments as a
from migration_assets.engine.enrichers.postal_shapes import SHAPES
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Texts

_UNKNOWN = Cleaned()


def country_of_phone(arguments: a.Countries, _: Context) -> Cleaner:
    """The one country for which the number is a valid one."""

    def clean(texts: Texts) -> Cleaned:
        found = _countries_of(texts[0] or "") & set(arguments.countries or _countries_of(texts[0] or ""))
        return Cleaned(found.pop()) if len(found) == 1 else _UNKNOWN

    return Cleaner(clean)


def _countries_of(number: str) -> set[str]:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return set()
    regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    # 001 is what the library calls numbers of no country, such as those of satellites.
    return {r for r in regions if r != "001" and phonenumbers.is_valid_number_for_region(parsed, r)}


def country_of_postal_code(arguments: a.PostalCountries, _: Context) -> Cleaner:
    """The one listed country whose codes look like this."""
    forms = {country: re.compile(SHAPES[country]) for country in set(arguments.countries)}

    def clean(texts: Texts) -> Cleaned:
        code = " ".join((texts[0] or "").upper().split())
        fitting = [country for country, form in forms.items() if form.fullmatch(code)]
        return Cleaned(fitting[0]) if len(fitting) == 1 else _UNKNOWN

    return Cleaner(clean)


def language_of_country(_: a.NoArguments, __: Context) -> Cleaner:
    """The official language, where there is one."""
    from babel.languages import get_official_languages

    def clean(texts: Texts) -> Cleaned:
        spoken = get_official_languages(texts[0] or "", de_facto=True)
        return Cleaned(spoken[0]) if len(spoken) == 1 else _UNKNOWN

    return Cleaner(clean)


def time_zone(_: a.NoArguments, context: Context) -> Cleaner:
    """The zone of the country if it keeps one time in the years around T, else that of the state."""
    year = context.as_of.year

    def clean(texts: Texts) -> Cleaned:
        country, state = texts[0] or "", (texts[1] or "") if len(texts) == 2 else ""
        return Cleaned(_zone_of_country(country, year) or _zones_of_states().get((country, state)))

    return Cleaner(clean)


@cache
def _zone_of_country(country: str, year: int) -> str | None:
    """The first zone of the country, which the tz database lists first for most people living there."""
    zones = _zones_of_countries().get(country, ())
    kept = {_kept_time(zone, year) for zone in zones}
    return zones[0] if len(kept) == 1 else None


@cache
def _kept_time(zone: str, year: int) -> tuple[timedelta | None, ...]:
    """The offset of every noon UTC from the year before to the year after: what a clock there shows."""
    first, info = datetime(year - 1, 1, 1, 12, tzinfo=UTC), zone_of(zone)
    return tuple((first + timedelta(days=n)).astimezone(info).utcoffset() for n in range(3 * 366))


@cache
def _zones_of_countries() -> dict[str, tuple[str, ...]]:
    """Country -> its zones, as the tz database lists them."""
    found: dict[str, tuple[str, ...]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), zone)
    return found


@cache
def _zones_of_states() -> dict[tuple[str, str], str]:
    """(country, state) -> zone, of states that lie in one zone altogether."""
    text = (files("migration_assets.engine.enrichers") / "state_zones.csv").read_text(encoding="utf-8")
    return {(r["country"], r["state"]): r["zone"] for r in csv.DictReader(text.splitlines())}
