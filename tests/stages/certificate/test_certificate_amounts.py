"""Limits in the catalog's words: exactly what they are, in the unit that people read."""

from __future__ import annotations

import pytest

from migration_assets.stages.certificate.amounts import answer_in_words

STORAGE = {"unit": "byte", "units": {"GB": "1000000000", "GiB": "1073741824", "bit": "0.125"}}


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("10000000000", "up to 10 GB"),
        ("5368709120", "up to 5 GiB"),
        ("1000000000000000", "up to 1,000,000 GB"),
        # Of both together there is no whole number of either.
        ("15368709120", "up to 15,368,709,120 byte"),
        ("999", "up to 999 byte"),
        ("0.5", "up to 0.5 byte"),
        ("0", "up to 0 byte"),
    ],
)
def test_a_limit_is_told_in_the_largest_unit_that_holds_it_whole(limit: str, said: str) -> None:
    assert answer_in_words({"allowed": True, "limit": limit, "overage": "block"}, STORAGE) == said


def test_a_feature_without_other_units_and_a_switch_are_told_as_they_are() -> None:
    seats = {"unit": "seat", "units": {}}
    assert answer_in_words({"allowed": True, "limit": "5", "overage": "bill"}, seats) == "up to 5 seat, more is billed"
    assert answer_in_words({"allowed": True, "limit": None, "overage": "none"}, seats) == "without limit"
    assert answer_in_words({"allowed": True, "limit": None, "overage": "none"}, {"unit": None}) == "allowed"
