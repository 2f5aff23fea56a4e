"""Who bears which id: the rule by itself, on the cases that a person can follow."""

from __future__ import annotations

from dataclasses import replace

from migration_assets.stages.load.bearers import Recorded, bearers, changes


def minted(key: str) -> str:
    return key.upper()


def loaded(key: str, target_id: str, identity: str | None, now: str | None = "x") -> Recorded:
    return Recorded(key, target_id, True, "x", identity, now if identity else None)


def merged(key: str, target_id: str, identity: str | None, now: str | None = "x") -> Recorded:
    return Recorded(key, target_id, False, "x", identity, now if identity else None)


def test_after_an_unmerge_the_id_stays_with_its_founder() -> None:
    assert bearers([loaded("a", "A", "a"), merged("b", "A", "b")], minted) == {"a": "A"}
    assert bearers([loaded("b", "A", "b"), merged("a", "A", "a")], minted) == {"a": "A"}, "whoever survived before"


def test_when_the_survivor_changes_the_id_stays() -> None:
    assert bearers([loaded("a", "A", "b"), merged("b", "A", "b")], minted) == {"b": "A"}
    assert bearers([loaded("a", "A", "new")], minted) == {"new": "A"}, "also when it was never loaded"


def test_when_the_founder_has_left_the_first_of_the_others_is_the_heir() -> None:
    gone = loaded("a", "A", None)
    assert bearers([gone, merged("c", "A", "c"), merged("b", "A", "b")], minted) == {"b": "A"}


def test_the_heir_keeps_it_once_it_is_loaded() -> None:
    assert bearers([loaded("c", "A", "c"), merged("b", "A", "b")], minted) == {"c": "A"}


def test_one_that_comes_back_gets_a_new_id_and_keeps_it() -> None:
    heir = loaded("b", "A", "b")
    assert bearers([heir], minted, {"A": "a"}) == {"b": "A", "a": "A|2"}
    assert bearers([heir, loaded("a", "A|2", "a")], minted, {"A": "a"}) == {"b": "A", "a": "A|2"}
    assert bearers([loaded("b", "A", None), loaded("a", "A|2", "a")], minted, {"A": "a"}) == {"a": "A|2"}
    assert bearers([heir, loaded("z", "A|2", "z")], minted, {"A": "a"})["a"] == "A|3"


def test_one_that_comes_back_before_its_id_went_to_another_has_it_again() -> None:
    assert bearers([loaded("b", "A", None)], minted, {"A": "a"}) == {"a": "A"}


def test_when_the_founder_goes_up_in_another_the_id_stays_with_the_rest() -> None:
    rows = [loaded("1", "1", "1"), loaded("3", "3", "1"), merged("4", "3", "4"), merged("5", "3", "5")]
    assert bearers(rows, minted) == {"1": "1", "4": "3"}
    rows = [loaded("1", "1", "1"), loaded("4", "3", "4"), merged("3", "3", "1")]
    assert bearers(rows, minted) == {"1": "1", "4": "3"}, "and with whoever bears it already"


def test_an_id_that_is_not_in_the_target_any_more_is_nobodys() -> None:
    assert bearers([loaded("1", "1", "1"), merged("3", "1", "1"), merged("4", "3", "4")], minted) == {"1": "1"}


def test_two_customers_that_turn_out_to_be_one_bear_the_id_of_the_one_that_stands() -> None:
    assert bearers([loaded("a", "A", "a"), loaded("b", "B", "a")], minted) == {"a": "A"}
    # Also where the id of the other was minted from a member and that of the one that stands was not.
    assert bearers([loaded("c", "A", "c"), loaded("b", "B", "c")], minted) == {"c": "A"}


def test_one_that_was_taken_back_and_away_when_its_heir_was_loaded_gets_a_new_id() -> None:
    back = replace(loaded("a", "A", "a"), reserved=True)
    assert bearers([loaded("b", "A", "b"), back], minted) == {"b": "A", "a": "A|2"}
    assert bearers([loaded("b", "A", None), back], minted) == {"a": "A"}, "when the heir has left it has it again"
    assert bearers([back, replace(merged("b", "A", "b"), reserved=True)], minted) == {"a": "A"}, "nobody had it since"


def test_every_id_has_one_bearer_whatever_the_order_of_the_rows() -> None:
    rows = [loaded("a", "A", None), merged("b", "A", "b"), merged("c", "A", "b"), merged("d", "A", "d")]
    assert bearers(rows, minted) == bearers(rows[::-1], minted) == {"b": "A"}


def changed(row: Recorded, borne: dict[str, str], cohort: str, planned: str = "xyzw") -> list[tuple[str, str]]:
    found = changes([row], borne, dict.fromkeys(borne, "y"), cohort, set(planned))
    return [(c.key, c.cohort) for c in found]


def test_what_stands_in_the_target_stands_under_its_bearer_whichever_cohort_is_loaded() -> None:
    for cohort in "xyz":
        assert changed(loaded("a", "A", None), {"b": "A"}, cohort) == [("b", "y")]
        assert changed(loaded("b", "A", "z", now="w"), {"a": "A"}, cohort) == [("a", "y")]


def test_everything_else_goes_where_its_source_row_is() -> None:
    for cohort in "xw":
        assert changed(loaded("a", "A", "z", now="w"), {}, cohort) == [("a", "w")], "an id that nobody bears any more"
        assert changed(merged("b", "A", "b", now="w"), {"a": "A"}, cohort) == [("b", "w")]
        assert changed(loaded("a", "A", None), {}, cohort) == [], "what nobody has any more stays where it was"
    assert changed(merged("b", "A", "b", now="w"), {"a": "A"}, "z") == [], "others see to it"
    assert changed(merged("b", "A", "b", now="w"), {"a": "A"}, "z", planned="wz") == [("b", "w")]
