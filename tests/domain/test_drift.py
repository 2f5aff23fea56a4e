"""Which columns others have changed, told from one hash; and whose word counts."""

from __future__ import annotations

import hashlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.drift import Texts, changed_by_others
from migration_assets.domain.ownership import Owner, fate_of, is_financial

COLUMNS = ("a", "b", "c", "d")
VALUE = st.none() | st.sampled_from(["", "x", "y"])
ROW = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUE))


def digest(row: Texts) -> str:
    return hashlib.md5(repr([row[c] for c in COLUMNS]).encode(), usedforsecurity=False).hexdigest()


@given(
    loaded=ROW,
    others=st.dictionaries(st.sampled_from(COLUMNS), VALUE),
    source=st.dictionaries(st.sampled_from(COLUMNS), VALUE),
)
def test_what_others_changed_is_told_from_what_the_source_changed(
    loaded: dict[str, str | None], others: dict[str, str | None], source: dict[str, str | None]
) -> None:
    theirs, ours = {**loaded, **others}, {**loaded, **source}
    found = changed_by_others(theirs, ours, digest(loaded), digest)
    differ = {c for c in COLUMNS if theirs[c] != ours[c]}
    changed = {c for c in differ if theirs[c] != loaded[c]}
    both = {c for c in COLUMNS if theirs[c] != loaded[c] and ours[c] != loaded[c]}
    assert found == (differ if both and theirs != loaded else changed)


def test_a_row_with_many_differences_is_nobody_knows_whose_unless_it_is_all_or_none() -> None:
    columns = [f"c{n}" for n in range(30)]
    ours: dict[str, str | None] = dict.fromkeys(columns, "ours")
    theirs: dict[str, str | None] = dict.fromkeys(columns, "theirs")

    def of(row: Texts) -> str:
        return repr(sorted(row.items()))

    assert changed_by_others(theirs, ours, of(theirs), of) == frozenset()
    assert changed_by_others(theirs, ours, of(ours), of) == frozenset(columns)
    assert changed_by_others(theirs, ours, of({**theirs, "c3": "loaded"}), of) == frozenset(columns)


@pytest.mark.parametrize("owner", [None, *get_args(Owner)])
@pytest.mark.parametrize("repair", [True, False])
@pytest.mark.parametrize("newer", [True, False, None])
def test_money_is_a_persons_whatever_a_plan_or_a_repair_says(
    owner: Owner | None, repair: bool, newer: bool | None
) -> None:
    assert fate_of(owner, financial=True, newer=newer, repair=repair) == "ask"
    assert fate_of(owner, financial=True, newer=newer, repair=repair, word="source") == "write"
    assert fate_of(owner, financial=True, newer=newer, repair=repair, word="target") == "keep"


@pytest.mark.parametrize(
    ("owner", "newer", "repair", "fate"),
    [
        (None, None, False, "ask"), (None, None, True, "write"),
        ("source", None, False, "write"), ("target", None, True, "keep"),
        ("person", None, True, "ask"),
        ("most_recent", True, False, "keep"), ("most_recent", False, False, "write"),
        ("most_recent", None, False, "ask"),
    ],
)  # fmt: skip
def test_the_owner_decides(owner: Owner | None, newer: bool | None, repair: bool, fate: str) -> None:
    assert fate_of(owner, financial=False, newer=newer, repair=repair) == fate


def test_a_persons_word_does_not_overrule_a_plan_that_names_a_side() -> None:
    assert fate_of("source", financial=False, word="target") == "write"
    assert fate_of("target", financial=False, word="source") == "keep"


@pytest.mark.parametrize(
    ("entity", "field", "financial"),
    [
        ("subscription", "billed_to_date_minor", True), ("subscription", "currency", True),
        ("subscription", "ends_at", True), ("subscription_item", "quantity", True), ("invoice", "due_on", True),
        ("customer", "credit_limit_minor", True), ("exchange_rate", "rate", True),
        ("customer", "name", False), ("customer", "created_at", False), ("subscription", "status", False),
    ],
)  # fmt: skip
def test_what_somebody_pays_by_is_financial(entity: str, field: str, financial: bool) -> None:
    assert is_financial(ENTITIES[entity], ENTITIES[entity].field(field)) == financial
