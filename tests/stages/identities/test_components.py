from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migration_assets.stages.identities.components import components, members_of_cycles

PAIRS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
)


@given(PAIRS, st.randoms())
def test_the_order_of_pairs_changes_nothing(case, random) -> None:
    size, pairs = case
    shuffled = [p if random.random() < 0.5 else p[::-1] for p in pairs]
    random.shuffle(shuffled)
    assert components(size, pairs) == components(size, shuffled)


@given(PAIRS)
def test_connected_members_share_the_lowest_of_them(case) -> None:
    size, pairs = case
    founder = components(size, pairs)
    assert all(founder[a] == founder[b] for a, b in pairs)
    assert all(founder[i] <= i and founder[founder[i]] == founder[i] for i in range(size))


def test_members_without_pairs_stand_alone() -> None:
    assert components(3, []) == [0, 1, 2]


def test_a_chain_is_one_component() -> None:
    assert components(5, [(3, 4), (0, 3), (1, 2)]) == [0, 1, 1, 0, 0]


def test_self_parent_and_longer_circles_are_found_and_tails_are_not() -> None:
    #          0 -> 0     1 -> 2 -> 3 -> 1     4 -> 1 (a tail)   5 (a root)
    assert members_of_cycles([0, 2, 3, 1, 1, None]) == {0, 1, 2, 3}


@given(st.lists(st.one_of(st.none(), st.integers(0, 19)), min_size=20, max_size=20))
def test_cutting_the_circles_leaves_a_forest(parent_of) -> None:
    circle = members_of_cycles(parent_of)
    cut = [None if i in circle else p for i, p in enumerate(parent_of)]
    for start in range(len(cut)):
        at, steps = start, 0
        while cut[at] is not None:
            at, steps = cut[at], steps + 1
            assert steps <= len(cut)
