"""Which rows differ, asked by digests: pure, with sides made of dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.connectors.row_digests import Bucket
from migration_assets.stages.reconcile import buckets
from migration_assets.stages.reconcile.buckets import differing, width_for


@dataclass
class Side:
    """Rows (key, value) digested by Python; `asked`: rows that had to be told one by one."""

    given: list[tuple[str, int]]
    asked: int = field(default=0)

    def buckets(self, width: int) -> dict[str, Bucket]:
        found: dict[str, Bucket] = {}
        for key, value in self.given:
            old = found.get(key[:width], Bucket(0, 0))
            found[key[:width]] = Bucket(old.rows + 1, old.digest ^ hash((key, value)))
        return found

    def rows(self, width: int, buckets: Collection[str]) -> Iterator[tuple[str, str]]:
        for key, value in self.given:
            if key[:width] in buckets:
                self.asked += 1
                yield key, str(value)


ROWS = st.lists(st.tuples(st.text("0123456789abcdef", min_size=2, max_size=2), st.integers(0, 3)), max_size=30)


@given(left=ROWS, right=ROWS, about=st.sampled_from([0, 1_000, 20_000]))
def test_the_keys_of_whatever_is_not_on_both_sides_are_found(
    left: list[tuple[str, int]], right: list[tuple[str, int]], about: int
) -> None:
    left = list(dict(left).items())  # one row a key on the side that says what should be there
    found = differing(Side(left), Side(right), about)
    off = {k for k in {k for k, _ in left + right} if [r for r in left if r[0] == k] != [r for r in right if r[0] == k]}
    assert (set(found.keys), found.left, found.right) == (off, len(left), len(right))
    assert list(found.keys) == sorted(off)


def test_rows_of_buckets_that_are_the_same_are_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_AT_ONCE", 3)  # several parts
    rows = [(f"{n:02x}", n) for n in range(256)]
    changed = [(k, -1 if k in ("00", "7f", "80") else v) for k, v in rows]
    left, right = Side(rows), Side(changed)
    assert differing(left, right, 4_000).keys == ("00", "7f", "80")
    assert (left.asked, right.asked) == (48, 48)


@pytest.mark.parametrize(("rows", "width"), [(0, 0), (250, 0), (251, 1), (4_000, 1), (1_000_000, 3), (10**9, 5)])
def test_there_are_about_as_many_rows_in_a_bucket_whatever_there_are(rows: int, width: int) -> None:
    assert width_for(rows) == width
