"""How addresses are written, country by country: what stands where, and what words mean a part of a house.

Data and the questions it answers; splitting and joining is the matter of `address_split` and `addresses`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """`number_first`: the house number stands before the street. `code_first`: the postal code before the city.
    `state`: a state or province stands with the city."""

    number_first: bool
    code_first: bool
    state: bool = False


_FORMS = {
    Form(number_first=True, code_first=False, state=True): ("US", "CA", "AU"),
    Form(number_first=True, code_first=False): ("GB", "IE", "NZ"),
    Form(number_first=True, code_first=True): ("FR", "LU", "MC"),
    Form(number_first=False, code_first=True, state=True): ("IT", "ES"),
    Form(number_first=False, code_first=True): (
        "DE", "AT", "CH", "LI", "NL", "BE", "DK", "NO", "SE", "FI", "PL", "CZ", "SK", "PT", "HR", "SI", "EE",
    ),
}  # fmt: skip
FORMS: dict[str, Form] = {country: form for form, countries in _FORMS.items() for country in countries}

# Words that begin a part of a house or a way into it, and never a street; the second kind only before a number.
_UNIT = re.compile(
    r"(?:(?:apt|apartment|suite|ste|unit|flat|room|rm|bldg|building|wohnung|whg|hinterhaus|vorderhaus|stiege"
    r"|appartement|appt|bât|bâtiment|escalier|étage|escalera|puerta|interno|palazzina|lgh|boîte|oppgang|attn|c/o)"
    r"\b[. :]*.*"
    r"|(?:floor|fl|level|lot|etage|stock|top|tür|esc|piso|planta|pta|int|scala|piano|bus|bte|lejl)\b[. :]*[0-9].*"
    r"|#\s*\w+"
    r"|[0-9]{1,3}(?:\.|º|ª|°|er|e|st|nd|rd|th)\s*"
    r"(?:(?:og|stock|etage|étage|floor|sal|tv|th|mf|piso|planta|puerta)\b.{0,10}|[a-z]{0,3}))",
    re.IGNORECASE,
)
_TRAILING_UNIT = re.compile(
    r"(?P<street>.+?)\s+(?P<unit>(?:(?:apt|apartment|suite|ste|unit|floor|room|rm|wohnung|whg|top|bte|bus|lgh|int|piso"
    r"|lejl|appt|app)\b\.?\s?#?\s?|#\s?)[\w-]{1,10})",
    re.IGNORECASE,
)
_COUNTIES = frozenset({
    "kent", "essex", "surrey", "norfolk", "suffolk", "devon", "cornwall", "dorset", "somerset", "cumbria",
    "merseyside", "greater manchester", "west midlands", "tyne and wear", "east sussex", "west sussex", "middlesex",
    "isle of wight", "county durham", "rutland", "greater london", "northumberland", "fife",
})  # fmt: skip


def is_unit(text: str) -> bool:
    """Whether a piece of an address names a part of a house rather than a street."""
    return _UNIT.fullmatch(text) is not None


def trailing_unit(street: str) -> tuple[str, str]:
    """A street line as it is without the part of the house at its end, and that part; empty when it has none."""
    found = _TRAILING_UNIT.fullmatch(street)
    return (found["street"], found["unit"]) if found else (street, "")


def is_county(text: str) -> bool:
    """Whether a British or Irish line is a county: no post office needs it, many people write it."""
    lower = text.lower()
    return lower in _COUNTIES or lower.endswith("shire") or re.match(r"(co\.?|county) \w", lower) is not None
