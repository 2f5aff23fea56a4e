"""Load, load again, decide, repair, take back, crash, in any order, while customers come, leave, merge, part and change
cohort and others write to the target: after each step the real target is what plain dictionaries say it is.

A failing history is printed step by step, with a line (`@reproduce_failure`) that plays it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from load_model import loaded
from loads import Strike, StruckTarget, lose
from modeled_target import ModeledTarget, expected, modeled
from rollback_model import is_plain, taken_back, wrong_after
from source_model import COHORTS, EVENTS, FIELDS, NUMBERS, Source
from target_model import Change, Entry, Refused, Target

from migration_assets.domain.errors import TargetRefused

pytestmark = pytest.mark.postgres
A_NUMBER, A_COHORT = st.sampled_from(NUMBERS), st.sampled_from(COHORTS)
AN_EVENT, AN_INDEX = st.sampled_from(EVENTS), st.integers(0, 30)
# What the source changes a field to, and what others do: one value in common, one of their own.
OURS = {
    "billed": ("100", "200"),
    "quantity": ("1", "2"),
    "country": ("FR", "AT"),
    "name": ("X", "Y"),
    "email": ("X", "Y"),
}
THEIRS = {of: (one, {"country": "CH", "billed": "300", "quantity": "3"}.get(of, "Z")) for of, (one, _) in OURS.items()}
FOREIGN = "00000000-0000-4000-8000-0000000000"


class Crashed(Exception):
    """The process ends before COMMIT."""


class Histories(RuleBasedStateMachine):
    """One history. `real` and `happened` are the test's: the target, and how often what was tried."""

    real: ModeledTarget
    happened: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.real.empty()
        self.source, self.target = Source(), Target()
        self.words: dict[tuple[str, str, str, str, str], str] = {}
        self.asked: list[tuple[str, str, str, str, str]] = []
        self.ledger: dict[int, dict[str, list[int]]] = {}
        self.looked_at, self.runs, self.made = False, 0, 0
        self.happened["histories"] += 1

    # --- the source ---

    @initialize(cohorts=st.lists(A_COHORT, min_size=len(NUMBERS), max_size=len(NUMBERS)))
    def begins(self, cohorts: list[str]) -> None:
        for number, cohort in zip(NUMBERS, cohorts, strict=True):
            self.source.comes(number, cohort)
        for cohort in sorted(set(cohorts[:2])):
            self._load(cohort)

    @rule(what=AN_EVENT, number=A_NUMBER, other=A_NUMBER, cohort=A_COHORT)
    def happens(self, what: str, number: int, other: int, cohort: str) -> None:
        self.source.happens(what, number, other, cohort)

    @rule(number=A_NUMBER, what=st.sampled_from(sorted(FIELDS)), which=st.integers(0, 1))
    def is_changed_in_the_source(self, number: int, what: str, which: int) -> None:
        if number in self.source.values:
            self.source.values[number] = {**self.source.values[number], what: OURS[what][which]}

    # --- the target, by others ---

    @rule(at=AN_INDEX, what=st.sampled_from(sorted(FIELDS)), how=st.sampled_from(("X", "Z", "gone", "one more")))
    def others_write(self, at: int, what: str, how: str) -> None:
        table, column = FIELDS[what]
        there = sorted(self.target.rows[table])
        if how == "one more":
            self._inserted_by_others(at, customer=table == "customers")
        elif there and how == "gone":
            self.real.delete(self.target.removed(table, there[at % len(there)]))
            self._did("deleted by others")
        elif there:
            place = (table, there[at % len(there)], column, THEIRS[what][how == "Z"])
            self.target.put(*place)
            self.real.put(*place)
            self._did("changed by others")

    def _inserted_by_others(self, at: int, *, customer: bool) -> None:
        self.made += 1
        key = f"{FOREIGN}{self.made:02}"
        table, row = "customers", {"customer_id": key, "name": "Theirs", "email": "E", "country": "SE"}
        if not customer:
            if not (there := sorted(self.target.rows["customers"])):
                return
            led = {"customer_id": there[at % len(there)]}
            table, row = (
                "subscriptions",
                {"subscription_id": key, **led, "currency": "EUR", "billed_to_date_minor": "7"},
            )
        self.target.inserted(table, row)
        self.real.insert(table, row)
        self._did("inserted by others")

    # --- loads and rollbacks ---

    @rule(cohort=A_COHORT, how=st.sampled_from(("once", "once", "once", "repair", "twice")))
    def is_loaded(self, cohort: str, how: str) -> None:
        done = self._load(cohort, repair=how == "repair")
        if done and how == "twice":
            before = self.target
            assert self._load(cohort)
            assert self.target.flat() == before.flat(), "the model itself: the same once more changes nothing"
            self._did("loaded again")

    @rule(at=AN_INDEX, what=st.sampled_from(sorted(FIELDS)), word=st.sampled_from(("source", "target")))
    def is_changed_by_others_and_decided(self, at: int, what: str, word: str) -> None:
        self.others_write(at, what, "Z")
        known = self.target.recorded_rows()
        there = sorted(self.target.rows[FIELDS[what][0]])
        if there and (source := known.get((FIELDS[what][0], there[at % len(there)]))):
            cohort = self.target.record[source].cohort
            if self._load(cohort) and self.asked:
                self.words |= dict.fromkeys(self.asked, word)
                self._did("decided")
                self._load(cohort)

    @rule(at=AN_INDEX, cohorts=st.sets(A_COHORT, max_size=2), preserve=st.booleans())
    def is_taken_back(self, at: int, cohorts: set[str], preserve: bool) -> None:
        if standing := self.target.standing():
            self._take_back({standing[at % len(standing)], *cohorts} & set(standing), preserve)

    @rule(
        cohort=A_COHORT,
        how=st.sampled_from(("load", "load", "rollback", "killed")),
        call=st.integers(2, 90),
        after=st.booleans(),
    )
    def crashes(self, cohort: str, how: str, call: int, after: bool) -> None:
        if how == "rollback" and cohort in self.target.standing():
            self._take_back({cohort}, False, Strike(call, lose, after=after))
        elif how == "killed":
            self._load(cohort, dies=True)
        else:
            self._load(cohort, strike=Strike(call, lose, after=after))

    def _load(self, cohort: str, *, repair: bool = False, strike: Strike | None = None, dies: bool = False) -> bool:
        """Load, in the model and in the target; whether it was done."""
        self.runs += 1
        after, said, refused = self.target, None, ""
        try:
            after, said = loaded(self.target, self.source, cohort, self.words, repair=repair)
        except Refused as error:
            refused = str(error)
        try:
            result = self.real.load(
                self.source, cohort, self.words, f"run-{self.runs}", self._struck(strike), repair=repair,
                before_commit=_die if dies else lambda _: None,
            )  # fmt: skip
        except (TargetRefused, Crashed) as error:
            crashed = isinstance(error, Crashed) or bool(strike and strike.struck)
            assert crashed or (refused and "violates foreign key" in str(error)), error
            assert isinstance(error, Crashed) or "nothing was written" in str(error)
            self._did("load crashed" if crashed else "load refused")
            return False
        assert said is not None and not dies, refused
        self._did("load applied though the answer was lost" if strike and strike.struck else "loaded")
        written = {t.table: [t.inserted, t.updated + t.led, t.deleted] for t in result.tables}
        assert written == said.counts
        left = {(c.table, c.key, c.column, c.asked) for c in result.conflicts}
        assert left == {each[:4] for each in said.left}
        assert result.in_ledger == said.changed
        self.asked = sorted((t, i, c, ours, theirs) for t, i, c, asked, ours, theirs in said.left if asked)
        if said.changed:
            self.ledger[after.changes[-1].number] = said.counts
        self.target = after
        return True

    def _take_back(self, cohorts: set[str], preserve: bool, strike: Strike | None = None) -> None:
        plain, after, refused = is_plain(self.target, cohorts), self.target, ""
        if plain:
            try:
                after = taken_back(self.target, self.source, cohorts, preserve=preserve)
            except Refused as error:
                refused = str(error)
        try:
            self.real.take_back(self.source, cohorts, preserve=preserve, target=self._struck(strike))
        except TargetRefused as error:
            assert "nothing was written" in str(error)
            assert refused or not plain or (strike and strike.struck), error
            self._did("rollback crashed" if strike and strike.struck else "rollback refused")
            return
        assert not refused
        self._did("taken back" if plain else "taken back among others")
        self.target = after if plain else self._adopted(cohorts)

    def _adopted(self, cohorts: set[str]) -> Target:
        """The target as it is read after a rollback that the model does not work out, held to what holds of any."""
        seen, after = self.real.seen(), self.target.copy()
        after.rows, after.reserved, after.applied = seen.rows, seen.reserved, set(seen.applied)
        after.record = {}
        for source, (target_id, status, founder, cohort, digest) in seen.record.items():
            stands = status == "loaded"
            tried = [e.loaded for e in self._entries() if e.target_id == target_id and e.stands] if stands else [()]
            entries = [Entry(target_id, stands, founder, cohort, of) for of in tried]
            fitting = [e for e in entries if expected(Target(record={source: e}))["record"][source][4] == digest]
            assert fitting, f"the digest of {source} is that of no row that a load has made"
            after.record[source] = fitting[0]
        assert wrong_after(self.target, after, self.source, cohorts) == []
        number = max(seen.taken.values())
        for i, change in enumerate(after.changes):
            if change.cohort in cohorts and not change.taken:
                after.changes[i] = Change(change.number, change.cohort, change.places, taken=number)
        after.changes.append(Change(number, "", after.changed_since(self.target)))
        return after

    def _entries(self) -> Iterator[Entry]:
        """Whatever the record has ever said."""
        yield from self.target.record.values()
        for change in self.target.changes:
            yield from (e for span in change.places.values() for e in span if isinstance(e, Entry))

    def _struck(self, strike: Strike | None) -> StruckTarget | None:
        return None if strike is None else StruckTarget(self.real.target.url, strike=strike)

    def _did(self, what: str) -> None:
        self.happened[what] += 1
        self.looked_at = False

    @invariant()
    def the_target_is_what_the_model_says(self) -> None:
        if self.looked_at:
            return
        seen = asdict(self.real.seen())
        assert seen.pop("ledger") == self.ledger
        assert seen == expected(self.target)
        self.looked_at = True


def _die(_: Any) -> None:
    raise Crashed


def played(url: str, examples: int, steps: int) -> Counter[str]:
    """Play so many histories; how often what was tried."""
    with modeled(url) as real:
        machine: Callable[[], Histories] = type("History", (Histories,), {"real": real, "happened": Counter()})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=steps, deadline=None, print_blob=True, database=None,
                derandomize=True, phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
        return machine.happened  # type: ignore[attr-defined]


def test_a_few_histories_end_as_the_model_says(database: str) -> None:
    happened = played(database, 5, 20)
    assert happened["loaded"] > 5, happened


@pytest.mark.faults
def test_a_hundred_histories_end_as_the_model_says(database: str) -> None:
    happened = played(database, 100, 30)
    assert happened["histories"] >= 100
    for what in (
        "load crashed",
        "taken back",
        "taken back among others",
        "rollback refused",
        "decided",
        "deleted by others",
    ):
        assert happened[what] >= 5, happened
    assert happened["loaded"] >= 500, happened
