"""Whom kin lead to when several rows have left, one after the other."""

from __future__ import annotations

import pytest

from migration_assets.control import Kin
from migration_assets.stages.identities.kinship import GROUPED, LINKED, Kinship


def kinship(*kin: tuple[str, str, str], here: str) -> Kinship:
    """`here`: rows that the source has, a letter each; the others are gone."""
    of = {a: [Kin(*k) for k in kin if k[0] == a] for a, _, _ in kin}
    return Kinship({key: n for n, key in enumerate(here)}, of)


def test_a_row_that_is_there_speaks_for_itself() -> None:
    assert kinship(("a", "b", "link"), here="ba").ends("a", GROUPED) == [1]


def test_who_stands_for_a_row_is_found_over_others_that_are_gone_and_over_kin_of_the_right_kind_only() -> None:
    known = kinship(("a", "b", "link"), ("b", "c", "link"), ("b", "d", "group"), ("c", "a", "link"), here="de")
    assert known.ends("a", GROUPED) == [0]
    assert known.ends("a", LINKED) == [], "c is gone and leads back"


@pytest.mark.parametrize(
    ("first", "then", "sure"),
    [("asked", "link", "asked"), ("erased", "group", "asked"), ("held", "link", "held"), ("asked", "held", "held"),
     ("erased", "link", "erased")],
)  # fmt: skip
def test_a_fate_leads_no_more_surely_than_over_the_least_sure_step(first: str, then: str, sure: str) -> None:
    assert kinship(("a", "b", first), ("b", "c", then), here="c").sharers("a") == {"c": sure}


def test_of_two_ways_the_surer_counts_and_only_kin_of_the_erased_are_a_first_step() -> None:
    known = kinship(("a", "b", "held"), ("a", "c", "asked"), ("c", "b", "link"), ("a", "d", "link"), here="bd")
    assert known.sharers("a") == {"b": "asked"}


def test_whoever_was_erased_itself_gives_the_customer_its_name() -> None:
    known = kinship(("z", "b", "erased"), ("b", "c", "erased"), ("b", "d", "asked"), here="cd")
    assert [known.one(key) for key in "zbcd"] == ["z", "z", "z", "d"]
    assert known.gone_erased() == ["z", "b"]
    assert known.sharers("z") == {}, "b has kin by the same right, and is followed from there"
    assert known.sharers("b") == {"c": "erased", "d": "asked"}
