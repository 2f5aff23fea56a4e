"""Whether a code stands in the ISO list it claims to be from.

Currencies are those of `domain.money`; countries come with pycountry, which is read when first asked.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from migration_assets.domain.money import EXPONENTS


def is_country(code: str) -> bool:
    """An ISO 3166-1 alpha-2 code in capitals."""
    return code in _countries()


def is_currency(code: str, own: Collection[str] = ()) -> bool:
    """An ISO 4217 code in capitals, or one the plan defines for itself."""
    return code in own or code in EXPONENTS


@cache
def _countries() -> frozenset[str]:
    import pycountry

    return frozenset(c.alpha_2 for c in pycountry.countries)
