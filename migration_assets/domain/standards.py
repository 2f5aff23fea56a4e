"""The ISO lists that a code can stand on. Currencies have exponents as well, and are in `domain.money`.

Countries come with pycountry, which is read when first asked.
"""

from __future__ import annotations

from functools import cache

# Codes that ISO 3166-1 leaves to its users, which all the world uses: Kosovo (as the EU, the IMF and SWIFT write it).
USER_ASSIGNED = frozenset({"XK"})


@cache
def country_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes, and those of `USER_ASSIGNED`."""
    import pycountry

    return frozenset(c.alpha_2 for c in pycountry.countries) | USER_ASSIGNED
