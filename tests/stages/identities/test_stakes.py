"""At stake is what the side pays that would go up in the other, with all rows that are one customer with it."""

from __future__ import annotations

import pytest

from migration_assets.stages.identities import stakes
from migration_assets.stages.identities.stakes import Groups, as_if_parted, by_pair, staked

ONE = Groups.of(
    [("crm.a:1", "crm.a:1"), ("erp.c:7", "crm.a:1"), ("crm.a:2", "crm.a:2"), ("erp.c:0", "erp.c:0")], ["crm", "erp"]
)


def test_the_later_founder_gives_up_with_all_its_rows() -> None:
    assert ONE.giving_up(("crm.a:1", "crm.a:2")) == ["crm.a:2"]
    assert ONE.giving_up(("crm.a:2", "erp.c:7")) == ["crm.a:2"], "the debtor stands behind its account"
    assert ONE.giving_up(("erp.c:0", "erp.c:7")) == ["erp.c:0"], "the CRM comes first, whatever the number"
    assert Groups.of([("crm.a:1", "crm.a:1"), ("crm.a:0", "crm.a:1")], []).giving_up(("crm.a:1", "erp.c:9")) == [
        "erp.c:9"
    ]


def test_two_that_are_one_already_stake_the_later_row() -> None:
    assert ONE.giving_up(("crm.a:1", "erp.c:7")) == ["erp.c:7"]


def test_stakes_are_summed_over_rows_and_never_over_currencies(monkeypatch: pytest.MonkeyPatch, engine: object) -> None:
    class Feeds:
        pass

    feeds = Feeds()
    feeds.engine = engine  # type: ignore[attr-defined]
    year = {"crm.a:1": {"EUR": 100}, "erp.c:7": {"EUR": 50, "USD": 7}, "crm.a:2": {"EUR": 9}}
    bills = {"erp.c:7": {"EUR": 151, "JPY": 3}}
    monkeypatch.setattr(stakes, "recurring_year", lambda *_: year)
    monkeypatch.setattr(stakes, "invoiced_year", lambda *_: bills)
    groups = Groups.of(
        [("crm.a:1", "crm.a:1"), ("erp.c:7", "crm.a:1"), ("crm.a:0", "crm.a:0"), ("crm.a:2", "crm.a:2")], ["crm"]
    )
    found = staked(feeds, [("crm.a:0", "erp.c:7"), ("crm.a:1", "crm.a:2"), ("crm.a:0", "crm.a:9")], groups)  # type: ignore[arg-type]
    assert by_pair(found) == {
        ("crm.a:0", "erp.c:7"): {"EUR": 151, "JPY": 3, "USD": 7},
        ("crm.a:1", "crm.a:2"): {"EUR": 9},
    }
    assert found.to_pylist()[0] == {
        "a": "crm.a:0", "b": "erp.c:7", "currency": "EUR", "recurring_year_minor": 150, "invoiced_year_minor": 151,
        "stake_minor": 151,
    }  # fmt: skip
    assert staked(feeds, [], groups).num_rows == 0  # type: ignore[arg-type]
    erased = ("crm.a:2", "crm.a:1")
    assert by_pair(staked(feeds, [erased], groups, [erased])) == {  # type: ignore[arg-type]
        erased: {"EUR": 151, "JPY": 3, "USD": 7},
    }, "who may be the erased one has its name to lose, and stands first"


def test_what_a_person_is_asked_about_counts_as_parted_with_all_that_hangs_on_it() -> None:
    members = [(key, "crm.a:2") for key in ("crm.a:1", "crm.a:2", "erp.c:7", "erp.c:8")]
    ties = [("crm.a:2", "crm.a:1"), ("crm.a:1", "erp.c:7"), ("crm.a:2", "erp.c:8")]
    assert dict(as_if_parted(members, ties, {("crm.a:1", "crm.a:2")})) == {
        "crm.a:2": "crm.a:2", "erp.c:8": "crm.a:2", "crm.a:1": "crm.a:1", "erp.c:7": "crm.a:1",
    }  # fmt: skip
    assert set(dict(as_if_parted(members, ties, ())).values()) == {"crm.a:2"}
