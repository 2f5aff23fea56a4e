"""Which rows are not the same on two sides, asked by digests: of all buckets first, then of rows in those that differ.

Rows that are equal stay where they are. Nothing here knows what a row is or where it lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migration_assets.connectors.row_digests import Bucket, Digested

# So many rows in a bucket: with fewer there are more digests to send, with more there is more to look at again.
ROWS_PER_BUCKET = 250
# So many rows are looked at at once: what is held at a time does not grow with what differs.
_AT_ONCE = 200_000
_WIDEST = 5


@dataclass(frozen=True)
class Differing:
    """Keys of rows that are on one side only or not the same on both, sorted; how many rows each side has."""

    keys: tuple[str, ...]
    left: int
    right: int


def differing(left: Digested, right: Digested, about: int) -> Differing:
    """Compare two sides; `about`: how many rows to expect, by which buckets are cut."""
    width = width_for(about)
    ours, theirs = left.buckets(width), right.buckets(width)
    keys: set[str] = set()
    for part in _in_parts(sorted(b for b in ours.keys() | theirs.keys() if ours.get(b) != theirs.get(b)), ours, theirs):
        keys |= _not_the_same(Counter(left.rows(width, part)), Counter(right.rows(width, part)))
    return Differing(tuple(sorted(keys)), _rows(ours), _rows(theirs))


def width_for(rows: int) -> int:
    """Digits of a bucket's name, so that there are about ROWS_PER_BUCKET rows in each."""
    return next((w for w in range(_WIDEST) if 16**w * ROWS_PER_BUCKET >= rows), _WIDEST)


def _not_the_same(left: Counter[tuple[str, str]], right: Counter[tuple[str, str]]) -> set[str]:
    """Keys whose rows, however many there are of one, are not the same."""
    return {key for key, _ in (left - right) + (right - left)}


def _rows(buckets: dict[str, Bucket]) -> int:
    return sum(b.rows for b in buckets.values())


def _in_parts(names: Sequence[str], ours: dict[str, Bucket], theirs: dict[str, Bucket]) -> Iterator[list[str]]:
    """The buckets, a few at a time."""
    part: list[str] = []
    held = 0
    for name in names:
        rows = sum(side[name].rows for side in (ours, theirs) if name in side)
        if part and held + rows > _AT_ONCE:
            yield part
            part, held = [], 0
        part.append(name)
        held += rows
    if part:
        yield part
