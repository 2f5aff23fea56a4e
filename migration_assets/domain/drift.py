"""What somebody else changed in a row since it was loaded, told from the row, what is to be written, and one hash.

The record keeps no row, only the hash of what was loaded. A column that is the same on both sides is nobody's question.
Of those that differ, some were changed by others and some by the source since: whichever set of columns, put back to
what is to be written, makes the row that was loaded, is what others have changed. Where no set does, both have changed
the same column, and nobody can tell which one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

Texts = Mapping[str, str | None]
# So many columns that differ are tried out in every combination: 1,024 hashes at most for one row.
_TRIED = 10


def changed_by_others(theirs: Texts, ours: Texts, loaded: str, digest: Callable[[Texts], str]) -> frozenset[str]:
    """Columns of `theirs` (the row as it is in the target) that others changed, out of those that differ from `ours`
    (the row as it is to be written), both as text by column. `loaded`: the digest of the row as it was loaded.

    None of them when the row is as it was loaded; all that differ where it cannot be told.
    """
    differ = sorted(c for c in ours if ours[c] != theirs[c])
    for size in range(len(differ) + 1) if len(differ) <= _TRIED else (0, len(differ)):
        for columns in combinations(differ, size):
            if digest({**theirs, **{c: ours[c] for c in columns}}) == loaded:
                return frozenset(columns)
    return frozenset(differ)
