"""What the pure rules of a load decide, over histories of thirty steps: who bears which id, whose row is whose, which
loads are taken back, what becomes of values that others have changed.

Customers come, leave, merge, part, change cohort, are taken back, return and are erased. Held against a naive choice
of ids (`id_model`) and against what has to hold of any: nobody has two ids and no id is borne by two, who had an id is
given it again, nobody who was erased is there, the same again changes nothing, the order of cohorts does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from id_model import Known, ids_of_customers
from load_model import changed_by_others as naively_changed
from load_model import is_kept
from planned_world import Place, Planned, Record, minted
from source_model import COHORTS, EVENTS, NUMBERS, Source

from migration_assets.domain.drift import changed_by_others
from migration_assets.domain.errors import BadInput
from migration_assets.domain.ownership import fate_of
from migration_assets.stages.load.bearers import Recorded

A_NUMBER, A_COHORT = st.sampled_from(NUMBERS), st.sampled_from(COHORTS)
AN_EVENT = st.sampled_from(EVENTS)
ORDERS = tuple(permutations(COHORTS))
A_ROW = st.fixed_dictionaries(dict.fromkeys("abcd", st.sampled_from("xyz")))


class Histories(RuleBasedStateMachine):
    """One history. `happened` is the test's: how often what was tried."""

    happened: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.source, self.record = Source(), Record()
        self.loads: list[tuple[int, str]] = []
        self.happened["histories"] += 1
        # Customer -> the rows it is made of and the id it had, since it was last loaded.
        self.had: dict[int, tuple[frozenset[int], str]] = {}

    @initialize(cohorts=st.lists(A_COHORT, min_size=len(NUMBERS), max_size=len(NUMBERS)))
    def begins(self, cohorts: list[str]) -> None:
        for number, cohort in zip(NUMBERS, cohorts, strict=True):
            self.source.comes(number, cohort)
        for cohort in COHORTS:
            self.is_loaded(cohort)

    # --- the source ---

    @rule(what=AN_EVENT, number=A_NUMBER, other=A_NUMBER, cohort=A_COHORT, loads=st.sets(A_COHORT))
    def happens(self, what: str, number: int, other: int, cohort: str, loads: set[str]) -> None:
        self.source.happens(what, number, other, cohort)
        self._forget()
        for each in sorted(loads):
            self.is_loaded(each)

    def _rows(self, identity: int) -> frozenset[int]:
        return frozenset(self.source.group(identity))

    def _forget(self) -> None:
        """A customer that is made of other rows now is another one."""
        self.had = {i: (rows, target_id) for i, (rows, target_id) in self.had.items() if self._rows(i) == rows}

    # --- loads and rollbacks ---

    def is_loaded(self, cohort: str) -> None:
        known, plan = self.record.known(self.source), self._planned(cohort)
        if self.record.load(plan, cohort):
            self.loads.append((self.record.last, cohort))
        assert self._planned(cohort).changes == ()
        assert not self.record.load(self._planned(cohort), cohort), "the same again changes nothing"
        for identity, there in self.source.cohort.items():
            if there == cohort:
                target_id = plan.rows[str(identity)].target_id
                assert self.had.get(identity, (None, target_id))[1] == target_id, "who had an id is given it again"
                self.had[identity] = (self._rows(identity), target_id)
        heirs = any(c.key != c.row.key for c in plan.changes)
        anew = any("|" in target_id for target_id in plan.borne.values())
        again = any(r.reserved and r.identity is not None for r in known)
        self._did("loaded", heirs=heirs, moved=bool(plan.changes), anew=anew, again=again)

    @rule()
    def are_all_loaded_in_any_order(self) -> None:
        ends: list[dict[str, Place]] = []
        for order in ORDERS:
            record = self.record.copy()
            for cohort in (*order, *order):
                record.load(record.planned(self.source, cohort), cohort)
            ends.append(record.rows)
            self.happened["loaded in one order"] += 1
        assert all(end == ends[0] for end in ends)
        assert set(ends[0]) == {str(n) for n in self.source.into}, "all that the source has, and nothing else"
        standing = Counter(p.target_id for p in ends[0].values() if p.stands)
        assert len(standing) == len(self.source.cohort) and set(standing.values()) <= {1}
        for number, identity in self.source.into.items():
            assert ends[0][str(number)].target_id == ends[0][str(identity)].target_id
            assert ends[0][str(number)].cohort == self.source.cohort[identity]

    @rule(cohorts=st.sets(A_COHORT, min_size=1, max_size=2), loads=st.sets(A_COHORT))
    def are_taken_back(self, cohorts: set[str], loads: set[str]) -> None:
        if not cohorts <= {cohort for _, cohort in self.loads}:
            with pytest.raises(BadInput):
                self.record.copy().take_back(cohorts)
            return
        chosen = self.record.take_back(cohorts)
        assert chosen.ids == [number for number, cohort in self.loads if cohort in cohorts]
        others = [(number, cohort) for number, cohort in self.loads if cohort not in cohorts]
        assert chosen.standing == {cohort: number for number, cohort in others}
        self.loads = others
        self._did("taken back", reserved=bool(self.record.reserved))
        for each in sorted(loads):
            self.is_loaded(each)

    def _planned(self, cohort: str) -> Planned:
        """What is planned, if it is right."""
        plan = self.record.planned(self.source, cohort)
        assert plan.borne == self.record.planned(self.source, cohort, backwards=True).borne
        customers = {str(n): str(i) for n, i in self.source.into.items()}
        known = [_as_known(r) for r in self.record.known(self.source)]
        ids = {str(i): plan.borne.get(str(i), minted(str(i))) for i in self.source.cohort}
        assert ids == ids_of_customers(known, minted, customers)
        assert len(set(ids.values())) == len(ids), "no id is borne by two"
        assert set(plan.borne) <= set(ids), "nobody bears an id who is no customer"
        gone = {str(n) for n in self.source.erased}
        assert not gone & ({c.key for c in plan.changes if c.key != c.row.key} | set(plan.rows) | set(plan.borne))
        return plan

    # --- values that others have changed ---

    @rule(
        was=A_ROW,
        theirs=A_ROW,
        ours=A_ROW,
        owner=st.sampled_from((None, "source", "target", "person")),
        word=st.sampled_from((None, "source", "target")),
        financial=st.booleans(),
        repair=st.booleans(),
    )
    def is_decided(
        self,
        was: dict[str, str],
        theirs: dict[str, str],
        ours: dict[str, str],
        owner: str | None,
        word: str | None,
        financial: bool,
        repair: bool,
    ) -> None:
        found = changed_by_others(theirs, ours, _digest(was), _digest)
        assert found == naively_changed(was, theirs, ours)
        fate = fate_of(owner, financial=financial, word=word, repair=repair)  # type: ignore[arg-type]
        expected = is_kept("person" if financial else owner or "nobody", word, repair=repair)
        assert {"write": (False, False), "keep": (True, False), "ask": (True, True)}[fate] == expected

    def _did(self, what: str, **more: bool) -> None:
        self.happened[what] += 1
        for how, also in more.items():
            self.happened[f"{what}, {how}"] += also


def _as_known(row: Recorded) -> Known:
    return Known(row.key, row.target_id, row.loaded, row.identity, row.reserved)


def _digest(row: object) -> str:
    assert isinstance(row, dict)
    return "|".join(f"{column}={row[column]}" for column in sorted(row))


def played(examples: int) -> Counter[str]:
    """Play so many histories; how often what was tried."""
    machine: Callable[[], Histories] = type("History", (Histories,), {"happened": Counter()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=30, deadline=None, print_blob=True, database=None,
            derandomize=True, phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return machine.happened  # type: ignore[attr-defined]


def test_a_hundred_histories_are_planned_as_the_naive_rule_says() -> None:
    _holds(100)


@pytest.mark.faults
def test_two_thousand_histories_are_planned_as_the_naive_rule_says() -> None:
    _holds(2_000)


def _holds(examples: int) -> None:
    happened = played(examples)
    assert happened["histories"] >= examples
    for what in ("loaded, heirs", "loaded, moved", "loaded, anew", "loaded, again", "taken back, reserved"):
        assert happened[what] > examples / 20, happened
