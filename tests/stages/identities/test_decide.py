"""Likeness merges what is sure and harmless; whatever could cost money or access waits for a person."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.decide import Decision, Facts, Known, Likely, decided, objections

NOTHING = Facts()


def alike(a: int, b: int, probability: float = 0.999) -> Likely:
    return Likely(a, b, probability, "likeness")


def merged(decision: Decision) -> list[tuple[int, int]]:
    return [(p.a, p.b) for p in decision.merged]


def doubts(decision: Decision) -> list[tuple[int, int, str]]:
    return [(d.pair.a, d.pair.b, d.reason) for d in decision.doubts]


def test_sure_pairs_merge_and_the_rest_wait() -> None:
    done = decided(4, [], [alike(0, 1, 0.99), alike(2, 3, 0.9899)], NOTHING, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 1)], [(2, 3, "unsure")])


def test_two_that_were_both_billed_wait_whatever_they_look_like() -> None:
    done = decided(3, [], [alike(0, 1, 1.0), alike(0, 2)], Facts(billed=frozenset({0, 1})), merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 2)], [(0, 1, "two_payers")])


def test_one_that_was_never_billed_does_not_bring_two_payers_together() -> None:
    facts = Facts(billed=frozenset({0, 2}))
    done = decided(3, [], [alike(0, 1, 0.999), alike(1, 2, 0.995)], facts, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 1)], [(1, 2, "two_payers")])


def test_the_debtor_that_a_link_ties_to_an_account_speaks_for_it() -> None:
    done = decided(4, [(0, 2), (1, 3)], [alike(0, 1)], Facts(billed=frozenset({2, 3})), merge_at=0.99)
    assert (merged(done), doubts(done)) == ([], [(0, 1, "two_payers")])


def test_active_subscriptions_to_one_plan_wait_and_to_two_plans_do_not() -> None:
    facts = Facts(plans={0: frozenset({"basic"}), 1: frozenset({"basic", "plus"}), 2: frozenset({"other"})})
    done = decided(3, [], [alike(0, 1, 1.0), alike(1, 2)], facts, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(1, 2)], [(0, 1, "same_plan_twice")])


@pytest.mark.parametrize(
    ("one", "other", "waits"),
    [
        ({"DE": "1"}, {"DE": "2"}, True),
        ({"DE": "1"}, {"DE": "1"}, False),
        ({"DE": "1 3"}, {"DE": "1"}, False),
        ({"DE": "1"}, {"FR": "2"}, False),
        ({"DE": "1", "FR": "8"}, {"DE": "1", "FR": "9"}, True),
        ({"DE": "1"}, {}, False),
    ],
)
def test_verified_tax_numbers_contradict_each_other_within_a_country(
    one: dict[str, str], other: dict[str, str], waits: bool
) -> None:
    verified = {n: {c: frozenset(number.split()) for c, number in ids.items()} for n, ids in enumerate((one, other))}
    done = decided(2, [], [alike(0, 1)], Facts(tax_ids=verified), merge_at=0.99)
    assert doubts(done) == ([(0, 1, "two_tax_ids")] if waits else [])


def test_one_customer_of_the_target_stays_one_while_its_rows_look_alike_at_all() -> None:
    facts = Facts(loaded={0: "x", 1: "x"})
    done = decided(2, [], [alike(0, 1, 0.6)], facts, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 1)], [])
    billed = decided(2, [], [alike(0, 1, 0.6)], replace(facts, billed=frozenset({0, 1})), merge_at=0.99)
    assert doubts(billed) == [(0, 1, "two_payers")], "what speaks against it, still does"


def test_who_was_made_one_by_an_answer_that_was_taken_back_is_looked_at_anew() -> None:
    facts = Facts(loaded={0: "x", 1: "x"}, reopened=frozenset({(0, 1)}))
    assert doubts(decided(2, [], [alike(0, 1, 0.7)], facts, merge_at=0.99)) == [(0, 1, "unsure")]
    household = replace(alike(0, 1), told_apart=True)
    assert doubts(decided(2, [], [household], facts, merge_at=0.99)) == [(0, 1, "told_apart")]


def test_likeness_does_not_make_one_of_two_customers_of_the_target() -> None:
    facts = Facts(loaded={0: "x", 1: "y"})
    assert doubts(decided(2, [], [alike(0, 1)], facts, merge_at=0.99)) == [(0, 1, "both_loaded")]
    by_key = decided(2, [], [Likely(0, 1, 1.0, "tax_number")], facts, merge_at=0.99)
    assert merged(by_key) == [(0, 1)], "a key of the plan does"


def test_a_person_is_told_the_same_reason_after_a_load_as_before_it() -> None:
    loaded = Facts(loaded={0: "x", 1: "y"})
    household = replace(alike(0, 1), told_apart=True)
    billed = replace(loaded, billed=frozenset({0, 1}))
    assert doubts(decided(2, [], [household], loaded, merge_at=0.99)) == [(0, 1, "told_apart")]
    assert doubts(decided(2, [], [alike(0, 1)], billed, merge_at=0.99)) == [(0, 1, "two_payers")]


def test_a_newcomer_joins_one_customer_of_the_target_and_does_not_tie_two() -> None:
    facts = Facts(loaded={0: "x", 1: "y"})
    done = decided(3, [], [alike(0, 2, 0.999), alike(1, 2, 0.995)], facts, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 2)], [(1, 2, "both_loaded")])


def test_all_that_stands_against_a_merge_is_told() -> None:
    one = Known(True, frozenset({"basic"}), {"DE": frozenset({"1"})})
    assert objections(one, Known(True, frozenset({"basic", "plus"}), {"DE": frozenset({"2"})})) == (
        "two_payers", "same_plan_twice", "two_tax_ids",
    )  # fmt: skip
    assert objections(one, Known(False, frozenset({"plus"}), {"FR": frozenset({"2"})})) == ()


def test_who_is_apart_is_like_nobody_and_neither_is_what_a_link_ties_to_them() -> None:
    pairs = [alike(0, 1, 1.0), alike(1, 2, 0.6), alike(2, 3)]
    done = decided(4, [(0, 1)], pairs, Facts(apart=frozenset({0})), merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(2, 3)], [])


def test_nobody_is_asked_about_two_that_surer_pairs_have_brought_together() -> None:
    pairs = [alike(0, 2, 0.7), alike(0, 1, 0.995), alike(1, 2, 0.995)]
    assert doubts(decided(3, [], pairs, NOTHING, merge_at=0.99)) == []


def test_what_a_person_has_tied_is_one_whatever_a_machine_would_mind() -> None:
    facts = Facts(billed=frozenset({0, 1}), answers={(0, 1): True})
    done = decided(2, [], [alike(0, 1, 0.7)], facts, merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 1)], [])


def test_what_a_person_has_parted_is_never_asked_again_and_nothing_brings_it_together() -> None:
    pairs = [alike(0, 1, 1.0), alike(1, 2, 1.0), alike(0, 2, 0.8)]
    done = decided(3, [], pairs, Facts(answers={(0, 2): False}), merge_at=0.99)
    assert (merged(done), doubts(done)) == ([(0, 1)], [])


def test_answers_that_contradict_each_other_or_the_source_come_back() -> None:
    answers = {(0, 1): True, (1, 2): True, (0, 2): False}
    assert doubts(decided(3, [], [], Facts(answers=answers), merge_at=0.99)) == [(1, 2, "contradicted")]
    linked = decided(2, [(0, 1)], [], Facts(answers={(0, 1): False}), merge_at=0.99)
    assert doubts(linked) == [(0, 1, "contradicted")]


MEMBERS = 8
PAIRS = st.lists(
    st.builds(
        lambda ends, probability: alike(*sorted(ends), probability),
        st.sets(st.integers(0, MEMBERS - 1), min_size=2, max_size=2),
        st.sampled_from([0.5, 0.9, 0.99, 1.0]),
    ),
    max_size=20,
)
SOME = st.frozensets(st.integers(0, MEMBERS - 1), max_size=4)
PLANS = st.dictionaries(st.integers(0, MEMBERS - 1), st.frozensets(st.sampled_from("pq"), min_size=1), max_size=5)
LINKS = st.lists(st.tuples(st.integers(0, MEMBERS - 1), st.integers(0, MEMBERS - 1)), max_size=3)


@given(PAIRS, LINKS, SOME, PLANS, SOME, LINKS, st.randoms(use_true_random=False))
def test_no_merge_by_machine_brings_together_what_must_not_be(
    pairs: list[Likely],
    links: list[tuple[int, int]],
    billed: frozenset[int],
    plans: dict[int, frozenset[str]],
    apart: frozenset[int],
    parted: list[tuple[int, int]],
    chance: random.Random,
) -> None:
    facts = Facts(billed=billed, plans=plans, apart=apart, answers={p: False for p in parted if p[0] < p[1]})
    done = decided(MEMBERS, links, pairs, facts, merge_at=0.99)
    before = components(MEMBERS, links)
    after = components(MEMBERS, [*links, *merged(done)])
    for root in set(after):
        groups = {before[m] for m in range(MEMBERS) if after[m] == root}
        held = [{m for m in range(MEMBERS) if before[m] == group} for group in groups]
        assert sum(bool(g & billed) for g in held) <= 1
        taken = [set().union(*(plans.get(m, frozenset()) for m in g)) for g in held]
        assert sum(map(len, taken)) == len(set().union(*taken))
        assert len(held) == 1 or not any(g & apart for g in held)
    waiting = [(d.pair.a, d.pair.b) for d in done.doubts]
    assert len(set(waiting)) == len(waiting)
    assert all((after[a] != after[b]) != (before[a] == before[b]) for a, b in waiting)
    assert all(after[a] != after[b] or before[a] == before[b] for a, b in facts.answers)
    shuffled = chance.sample(pairs, len(pairs))
    assert decided(MEMBERS, links, shuffled, facts, merge_at=0.99) == done


def at_random(rng: random.Random, size: int = 7) -> tuple[Facts, list[Likely]]:
    """Some of a few members erased, some one customer of the target, some parted, and what looks alike."""

    def pairs(n: int) -> set[tuple[int, int]]:
        return {(a, b) for a, b in (sorted(rng.sample(range(size), 2)) for _ in range(n))}

    erased = frozenset(rng.sample(range(size), 2))
    answers = {pair: rng.random() < 0.3 for pair in pairs(3)}
    loaded = {n: f"id {rng.randrange(3)}" for n in range(size) if rng.random() < 0.4}
    facts = Facts(erased=erased, apart=erased, answers=answers, in_target=frozenset(pairs(4)), loaded=loaded)
    return facts, [alike(a, b, rng.choice([0.7, 0.99, 1.0])) for a, b in pairs(8)]


@pytest.mark.parametrize("seed", range(60))
def test_evidence_brings_nobody_to_the_erased_and_whoever_a_person_parted_shares_no_fate(seed: int) -> None:
    facts, likely = at_random(random.Random(seed))
    done = decided(7, [], likely, facts, merge_at=0.99)
    groups = components(7, merged(done))
    erased = {groups[n] for n in facts.erased}
    sure = components(7, [(p.a, p.b) for p in done.merged if p.rule != "likeness"])
    gone = {sure[n] for n in facts.erased}
    assert {n for n in range(7) if groups[n] in erased} == {n for n in range(7) if sure[n] in gone}, f"seed {seed}"
    waits = {frozenset((d.pair.a, d.pair.b)) for d in done.doubts if d.reason == "contradicted"}
    parted = [p for p, same in facts.answers.items() if not same and frozenset(p) not in waits]
    assert all(groups[a] != groups[b] for a, b in parted), f"seed {seed}"
    assert not {groups[n] for n in done.held} & erased and not done.held & facts.loaded.keys(), f"seed {seed}"
    tied = [p for p in facts.in_target if (groups[p[0]] in erased) != (groups[p[1]] in erased)]
    assert all(any({groups[a], groups[b]} == {groups[x] for x in p} for a, b in parted) for p in tied), f"seed {seed}"
    shuffled = decided(7, [], likely[::-1], facts, merge_at=0.99)
    assert (shuffled.merged, shuffled.held) == (done.merged, done.held), f"seed {seed}"
