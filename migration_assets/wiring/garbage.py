"""How often Python looks for garbage while cohorts run."""

from __future__ import annotations

import gc

# New objects before the young ones are looked at, and so many such looks before older ones are: else 700, 10, 10.
_LOOKS = (50_000, 20, 50)


def collect_less() -> None:
    """Leave out what has been imported and built by now, which stays anyway, and look less often.

    A cohort makes expressions by the hundred thousand, which refer to each other and mostly go by counting. Looking for
    the others took a tenth of a run; this takes some 20 MB more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_LOOKS)
