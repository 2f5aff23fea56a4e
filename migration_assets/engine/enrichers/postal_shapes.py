"""The form of postal codes by country, as people write them: capitals, one space at most where some write one.

Wide on purpose: a form that refused a code which a country has would make another country look like the only one.
"""

from __future__ import annotations

_DIGITS_4 = r"[0-9]{4}"
_DIGITS_5 = r"[0-9]{5}"
_DIGITS_6 = r"[0-9]{3} ?[0-9]{3}"
_THREE_TWO = r"[0-9]{3} ?[0-9]{2}"

SHAPES: dict[str, str] = {
    "AT": _DIGITS_4, "AU": _DIGITS_4, "BE": _DIGITS_4, "BG": _DIGITS_4, "CH": _DIGITS_4, "CY": _DIGITS_4,
    "DK": _DIGITS_4, "HU": _DIGITS_4, "NO": _DIGITS_4, "NZ": _DIGITS_4, "ZA": _DIGITS_4,
    "LU": r"(L-?)?[0-9]{4}", "LV": r"(LV-?)?[0-9]{4}", "SI": r"(SI-?)?[0-9]{4}",
    "DE": _DIGITS_5, "EE": _DIGITS_5, "ES": _DIGITS_5, "FI": _DIGITS_5, "FR": _DIGITS_5, "HR": _DIGITS_5,
    "IT": _DIGITS_5, "KR": _DIGITS_5, "MX": _DIGITS_5, "TR": _DIGITS_5, "UA": _DIGITS_5,
    "LT": r"(LT-?)?[0-9]{5}", "US": r"[0-9]{5}(-?[0-9]{4})?",
    "CZ": _THREE_TWO, "GR": _THREE_TWO, "SE": _THREE_TWO, "SK": _THREE_TWO,
    "CN": _DIGITS_6, "IN": _DIGITS_6, "RO": _DIGITS_6, "SG": _DIGITS_6,
    "BR": r"[0-9]{5}-?[0-9]{3}", "JP": r"[0-9]{3}-?[0-9]{4}", "PL": r"[0-9]{2}-?[0-9]{3}",
    "PT": r"[0-9]{4}(-?[0-9]{3})?",
    "NL": r"[0-9]{4} ?[A-Z]{2}", "MT": r"[A-Z]{3} ?[0-9]{4}", "IE": r"[A-Z][0-9][0-9W] ?[A-Z0-9]{4}",
    "CA": r"[A-Z][0-9][A-Z] ?-?[0-9][A-Z][0-9]", "GB": r"[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}",
}  # fmt: skip
