"""Connected components by union-find: which members hang together, and who stands for them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def components(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `size` members (0..size-1) the lowest member it is connected with.

    Members come in order of standing, so that the lowest is the founder; the result does not depend on the order of
    the pairs.
    """
    parent = list(range(size))
    for a, b in pairs:
        low, high = sorted((_root(parent, a), _root(parent, b)))
        parent[high] = low
    return [_root(parent, i) for i in range(size)]


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


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
