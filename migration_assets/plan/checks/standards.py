"""Whether a code stands in the ISO list it claims to be from.

Currencies are those of `domain.money`, countries those of `domain.standards`.
"""

from __future__ import annotations

from collections.abc import Collection

from migration_assets.domain.money import EXPONENTS
from migration_assets.domain.standards import country_codes


def is_country(code: str) -> bool:
    """An ISO 3166-1 alpha-2 code in capitals, or XK."""
    return code in country_codes()


def is_currency(code: str, own: Collection[str] = ()) -> bool:
    """An ISO 4217 code in capitals, or one the plan defines for itself."""
    return code in own or code in EXPONENTS
