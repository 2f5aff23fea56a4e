"""Connected components: which members hang together, and who stands for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def components(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `size` members (0..size-1) the lowest member it is connected with.

    Members come in order of standing, so that the lowest is the founder; the result does not depend on the order of
    the pairs.
    """
    ends = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    found: list[int] = connected(size, ends[:, 0], ends[:, 1]).tolist()
    return found


def connected(size: int, a: Ints, b: Ints) -> Ints:
    """The same for pairs as two arrays, in a few passes over all of them."""
    lowest = np.arange(size, dtype=np.int64)
    while True:
        one, other = lowest[a], lowest[b]
        if np.array_equal(one, other):
            return lowest
        low = np.minimum(one, other)
        np.minimum.at(lowest, one, low)
        np.minimum.at(lowest, other, low)
        lowest = _settled(lowest)


def _settled(lowest: Ints) -> Ints:
    """Everybody leads straight to whom their lowest leads to."""
    while not np.array_equal(further := lowest[lowest], lowest):
        lowest = further
    return lowest


def members_of_cycles(parent_of: Sequence[int | None]) -> set[int]:
    """Members that lie on a cycle of the parent relation (a self-parent is the shortest one)."""
    state = [0] * len(parent_of)  # 0 unseen, 1 on the present path, 2 done
    found: set[int] = set()
    for start in range(len(parent_of)):
        path: list[int] = []
        at: int | None = start
        while at is not None and state[at] == 0:
            state[at] = 1
            path.append(at)
            at = parent_of[at]
        if at is not None and state[at] == 1:
            found.update(path[path.index(at) :])
        for i in path:
            state[i] = 2
    return found
