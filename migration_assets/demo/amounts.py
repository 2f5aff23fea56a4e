"""Money arithmetic of the legacy ERP: whole ten-thousandths of a major unit, rounding half up. No float anywhere.

Deliberately its own code: the migration has another, and the two must agree without sharing a line.
"""

from __future__ import annotations

import numpy as np

from migration_assets.demo.columns import Ints

ONE = 10_000
CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KWD")
USD, EUR, GBP, JPY, KWD = range(5)
# Ten-thousandths in one minor unit, by currency.
STEP = np.array([100, 100, 100, 10_000, 10], dtype=np.int64)
# Tables of numeric(14,2) hold dinars in whole hundredths.
COARSE_STEP = np.array([100, 100, 100, 10_000, 100], dtype=np.int64)


def rounded(numerator: Ints, denominator: Ints | int, step: Ints) -> Ints:
    """numerator / denominator to the nearest multiple of `step`, halves away from zero."""
    whole = denominator * step
    return np.sign(numerator) * ((2 * np.abs(numerator) + whole) // (2 * whole)) * step
