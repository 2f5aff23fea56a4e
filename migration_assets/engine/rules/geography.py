"""Rules for countries, their parts, languages and time zones; names from pycountry and Babel, aliases from here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from migration_assets.domain.standards import USER_ASSIGNED
from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Texts
from migration_assets.engine.rules.text import NOT_TEXT, is_text, tidy

# Names in daily use that no standard lists. Names that could mean two countries (Korea, Congo) are left out on purpose.
_ALIASES = {
    "UK": "GB", "U.K.": "GB", "Great Britain": "GB", "Britain": "GB", "England": "GB", "Scotland": "GB",
    "Wales": "GB", "Northern Ireland": "GB", "U.S.": "US", "America": "US", "United States of America": "US",
    "The United States": "US", "The Netherlands": "NL", "Holland": "NL", "Czech Republic": "CZ", "Czechia": "CZ",
    "Russia": "RU", "South Korea": "KR", "Republic of Korea": "KR", "North Korea": "KP", "UAE": "AE", "Vietnam": "VN",
    "Ivory Coast": "CI", "Cape Verde": "CV", "Burma": "MM", "Swaziland": "SZ", "Macedonia": "MK",
    "North Macedonia": "MK", "Turkey": "TR", "Türkiye": "TR", "Iran": "IR", "Syria": "SY", "Laos": "LA",
    "Bolivia": "BO", "Venezuela": "VE", "Tanzania": "TZ", "Moldova": "MD", "Taiwan": "TW", "Palestine": "PS",
    "Brunei": "BN", "East Timor": "TL", "Vatican": "VA", "Vatican City": "VA", "Micronesia": "FM", "Macau": "MO",
    "Hong Kong SAR": "HK", "PR China": "CN", "People's Republic of China": "CN", "Mainland China": "CN",
    "Republic of Ireland": "IE", "Eire": "IE", "EL": "GR", "Kosovo": "XK", "XK": "XK", "XKX": "XK",
    "KSA": "SA", "PRC": "CN", "DR Congo": "CD", "DRC": "CD", "Gambia": "GM", "Bahamas": "BS", "Brasil": "BR",
    "Bharat": "IN", "Holy See": "VA", "Saint Helena": "SH", "State of Palestine": "PS", "Bosnia": "BA",
    "Democratic Republic of the Congo": "CD", "Congo-Kinshasa": "CD", "Congo-Brazzaville": "CG",
    "China, Hong Kong Special Administrative Region": "HK", "China, Macao Special Administrative Region": "MO",
    "Cocos Islands": "CC", "Democratic People's Republic of Korea": "KP", "United States Virgin Islands": "VI",
    "Svalbard and Jan Mayen Islands": "SJ", "Wallis and Futuna Islands": "WF", "République française": "FR",
    "Deutschland": "DE", "España": "ES", "Italia": "IT", "Österreich": "AT", "Schweiz": "CH", "Suisse": "CH",
    "Svizzera": "CH", "Nederland": "NL", "België": "BE", "Belgique": "BE", "Danmark": "DK", "Sverige": "SE",
    "Norge": "NO", "Suomi": "FI", "Polska": "PL",
}  # fmt: skip
_STATE_ALIASES = {
    "US": {"Washington DC": "DC", "Washington D.C.": "DC", "D.C.": "DC", "Calif": "CA", "Mass": "MA", "Penn": "PA"},
    "CA": {"Newfoundland": "NL", "PEI": "PE", "Yukon Territory": "YT"},
    "GB": {"England": "ENG", "Scotland": "SCT", "Wales": "WLS", "Northern Ireland": "NIR"},
}
# ISO and some languages call only one of the two Congos by the bare name; who writes it may mean the other.
_OF_TWO = frozenset({"congo", "kongo", "конго", "刚果", "الكونغو"})
_LARGE_LANGUAGES = frozenset({"en", "de", "fr", "es", "it", "pt", "nl", "ru", "ar", "zh"})
_LONGEST = 120


def name_key(name: str) -> str:
    """What is left of a name when case, accents, punctuation and white space do not count."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if c.isalnum() or unicodedata.category(c) == "Mc")


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for name, code in pairs:
        found.setdefault(name_key(name), set()).add(code)
    return {name: next(iter(codes)) for name, codes in found.items() if name and len(codes) == 1}


# --- countries -----------------------------------------------------------------------------------------------------


def country(_: a.Arguments, __: Context) -> Cleaner:
    """Code, name or alias to ISO alpha-2."""

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        if not is_text(given):
            return NOT_TEXT
        code = country_code(given)
        return Cleaned(code) if code else Cleaned(error="unknown_country")

    return Cleaner(clean)


def country_code(given: str) -> str | None:
    """ISO alpha-2 of a code, English name, alias or native name; None when it is none or more than one."""
    if not is_text(given) or len(given) > _LONGEST:
        return None
    for name in _readings(tidy(given)):
        key = name_key(name)
        found = _country_names().get(key) or (_native_names().get(key) if len(key) > 3 or not key.isascii() else None)
        if found:
            return found
    return None


def country_of(texts: Texts, otherwise: str | None) -> str | None:
    """The country that the second of two columns names; without one, or if it is none, the plan's."""
    return (country_code(texts[1] or "") if len(texts) == 2 else None) or otherwise


def in_country(clean: Callable[[str, str | None], Cleaned], otherwise: str | None) -> Cleaner:
    """A cleaner of one column of text that is written otherwise from country to country: `clean` gets the tidy text and
    the country, if it is known."""

    def of_texts(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        return clean(tidy(given), country_of(texts, otherwise)) if is_text(given) else NOT_TEXT

    return Cleaner(of_texts)


# Articles as lists of countries put them, before the name or in brackets behind it.
_ARTICLE = re.compile(r"(?:the|la|le|les|el|los|las) |l['’]", re.IGNORECASE)
_TURNED = re.compile(r"(?P<name>[^()]+?) ?\((?P<before>[^()]+?)\)")


def _readings(name: str) -> Iterable[str]:
    """The name as it stands; without its article; and `Korea (the Republic of)` turned round."""
    yield name
    if article := _ARTICLE.match(name):
        yield name[article.end() :]
    if turned := _TURNED.fullmatch(name):
        before, bare = turned["before"], turned["name"]
        article = _ARTICLE.match(before + " ")
        rest = before[article.end() :] if article else before
        yield f"{rest} {bare}" if rest else bare


@cache
def _country_names() -> dict[str, str]:
    import pycountry

    names: dict[str, str] = {}
    for c in pycountry.countries:
        spoken = (c.name, getattr(c, "official_name", ""), getattr(c, "common_name", ""))
        names |= {name_key(n): c.alpha_2 for n in spoken if n}
    names |= {name_key(n): code for n, code in _ALIASES.items()}
    names = {n: code for n, code in names.items() if n not in _OF_TWO}
    # Codes last: two or three letters are a code before they are anybody's name.
    for c in pycountry.countries:
        names |= {c.alpha_2.lower(): c.alpha_2, c.alpha_3.lower(): c.alpha_2}
    return names


@cache
def _native_names() -> Mapping[str, str]:
    """Names in the country's own languages and in the large ones; read only when nothing simpler is known."""
    from babel import Locale, UnknownLocaleError
    from babel.languages import get_official_languages

    def pairs() -> Iterable[tuple[str, str]]:
        codes = set(_country_names().values())
        spoken = {code: {*get_official_languages(code, de_facto=True)} for code in codes}
        for language in sorted({lang for langs in spoken.values() for lang in langs}):
            try:
                territories = Locale.parse(language).territories
            except (UnknownLocaleError, ValueError):
                continue
            everywhere = language in _LARGE_LANGUAGES
            for code in codes:
                if code in territories and (everywhere or language in spoken[code]):
                    yield territories[code], code

    return {n: code for n, code in _unambiguous(pairs()).items() if n not in _OF_TWO}


# --- states --------------------------------------------------------------------------------------------------------


def state(arguments: a.State, _: Context) -> Cleaner:
    """Code or name of a part of the country to its ISO 3166-2 code without the country."""
    return in_country(state_code, arguments.country)


def state_code(given: str, country: str | None) -> Cleaned:
    """`CA`, `US-CA` or `California`; the country may stand in the code itself."""
    whole = re.fullmatch(r"([A-Za-z]{2})-([A-Za-z0-9]{1,3})", given)
    if whole and (country is None or country == whole[1].upper()):
        country, given = whole[1].upper(), whole[2]
    if country is None:
        return Cleaned(error="state_country_unknown")
    code = _states(country).get(name_key(given)) if len(given) <= _LONGEST else None
    return Cleaned(code) if code else Cleaned(error="unknown_state")


@cache
def _states(country: str) -> dict[str, str]:
    import pycountry

    parts = pycountry.subdivisions.get(country_code=country) or []
    top = [p for p in parts if not p.parent_code]

    def names(of: Iterable[object]) -> Iterable[tuple[str, str]]:
        for part in of:
            code = str(part.code).partition("-")[2]  # type: ignore[attr-defined]
            # Names such as "Ticino [Tessin]" or "Bayern; Bavaria" hold several.
            for name in re.split(r"[\[\](),;/]", str(part.name)):  # type: ignore[attr-defined]
                yield name, code

    found = _unambiguous(names(parts)) | _unambiguous(names(top))
    found |= {name_key(n): code for n, code in _STATE_ALIASES.get(country, {}).items()}
    return found | {name_key(c): c for c in (str(p.code).partition("-")[2] for p in parts)}


# --- languages -----------------------------------------------------------------------------------------------------


def language(_: a.Arguments, __: Context) -> Cleaner:
    """Tag, locale name or name of a language to a BCP 47 tag."""

    def clean(texts: Texts) -> Cleaned:
        given = texts[0] or ""
        if not is_text(given):
            return NOT_TEXT
        tag = language_tag(tidy(given))
        return Cleaned(tag) if tag else Cleaned(error="unknown_language")

    return Cleaner(clean)


_TAG = re.compile(
    r"(?P<language>[A-Za-z]{2,3})(?:-(?P<script>[A-Za-z]{4}))?(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
)


def language_tag(given: str) -> str | None:
    """The tag in its usual case and shortest language code; None when a part of it does not exist."""
    if len(given) > _LONGEST:
        return None
    # A locale of an operating system: en_US.UTF-8@euro.
    found = _TAG.fullmatch(re.split("[.@]", given)[0].replace("_", "-"))
    if found is None:
        return _language_names().get(name_key(given))
    code = _language_code(found["language"].lower())
    script, region = (found["script"] or "").title(), (found["region"] or "").upper()
    if code is None or not _known_script(script) or not _known_region(region):
        return _language_names().get(name_key(given))
    return "-".join(p for p in (code, script, region, found["rest"].lower().strip("-")) if p)


def _language_code(code: str) -> str | None:
    import pycountry

    languages = pycountry.languages
    found = languages.get(alpha_2=code) or languages.get(alpha_3=code) or languages.get(bibliographic=code)
    return str(getattr(found, "alpha_2", None) or found.alpha_3) if found else None


def _known_script(script: str) -> bool:
    import pycountry

    return not script or pycountry.scripts.get(alpha_4=script) is not None


def _known_region(region: str) -> bool:
    import pycountry

    return (
        not region or region.isdigit() or region in USER_ASSIGNED or pycountry.countries.get(alpha_2=region) is not None
    )


@cache
def _language_names() -> dict[str, str]:
    import pycountry
    from babel import Locale, UnknownLocaleError

    names = _unambiguous((x.name, getattr(x, "alpha_2", x.alpha_3)) for x in pycountry.languages)
    for known in pycountry.languages:
        code = getattr(known, "alpha_2", None)
        if code is None:
            continue
        try:
            locale = Locale.parse(code)
        except (UnknownLocaleError, ValueError):
            continue
        spoken = (locale.get_language_name("en"), locale.get_language_name(code))
        names |= {name_key(n): code for n in spoken if n}
    return names


# --- time zones ----------------------------------------------------------------------------------------------------


def time_zone(_: a.Arguments, __: Context) -> Cleaner:
    """Name of an IANA zone in its own spelling."""

    def clean(texts: Texts) -> Cleaned:
        zone = _zones().get((texts[0] or "").strip().replace(" ", "_").lower())
        return Cleaned(zone) if zone else Cleaned(error="unknown_time_zone")

    return Cleaner(clean)


@cache
def _zones() -> dict[str, str]:
    from migration_assets.domain.calendar import zone_names

    return {name.lower(): name for name in sorted(zone_names())}
