"""Over several runs: what shares the fate of an erased row, and what persons said of rows that left the source."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from test_resolve import IDENTITY, alike, customer, no_facts

from migration_assets.control import Kin
from migration_assets.stages.identities.past import Past
from migration_assets.stages.identities.resolve import resolve_identities


class History:
    """Runs one after the other. `target`: what the target holds after the last, key -> id, as loads would write it;
    `kin`: what runs remembered."""

    def __init__(self, engine, canonical) -> None:
        self._engine, self._canonical = engine, canonical
        self.target: dict[str, str] = {}
        self.kin: tuple[Kin, ...] = ()
        self.answers: dict[tuple[str, str], bool] = {}
        self.identity: dict[str, str] = {}
        self.fate: dict[str, str] = {}
        self.cases: set[tuple[str, ...]] = set()

    def answer(self, a: str, b: str, *, same: bool) -> None:
        self.answers[min(a, b), max(a, b)] = same

    def run(self, *customers: dict[str, Any], accounts=(), pairs=()) -> None:
        """`accounts`: ERP row -> the CRM row it declares; `pairs`: what looks alike (test_resolve.alike)."""
        engine, keys = self._engine, [c["customer_id"] for c in customers]
        declared = dict(accounts)
        tied = [(n, declared[key][6:]) for n, key in enumerate(keys, start=1) if key in declared]
        raw = engine.table(
            pa.table({"_row": pa.array([n for n, _ in tied], pa.int64()),
                      "account": pa.array([a for _, a in tied], pa.string())})
        )  # fmt: skip
        given = [p for p in pairs if {p[0], p[1]} <= set(keys)]
        found = resolve_identities(
            engine, IDENTITY, self._canonical("customer", *customers), lambda _: raw, self._facts,
            (lambda _: alike(*given)) if given else None, 0.99, answers=self.answers,
            past=Past(self.kin, self._sharing),
        )  # fmt: skip
        rows = engine.arrow(found.identities).to_pylist()
        self.identity = {r["customer_id"]: r["identity_id"] for r in rows}
        self.fate = {r["customer_id"]: r["fate"] for r in rows}
        self.cases = {(d["a"], d["b"], d["rule"], d["reason"]) for d in engine.arrow(found.doubts).to_pylist()}
        self.kin = (*found.kin, *found.kept)
        self._load()

    def _load(self) -> None:
        given = dict(self.target)
        loaded = {key: first for key, first in self.identity.items() if self.fate[key] != "held"}
        known = {first: given.get(first) or f"id of {first}" for first in loaded.values()}
        self.target = {key: known[first] for key, first in loaded.items()}

    def _sharing(self, keys):
        ids = {self.target[key] for key in keys if key in self.target}
        return {key: i for key, i in self.target.items() if i in ids}

    def _facts(self, asked):
        keys = self._engine.arrow(asked)["customer_id"].to_pylist()
        known = no_facts(self._engine)
        return replace(known, loaded={key: i for key, i in self.target.items() if key in keys})


@pytest.fixture
def history(engine, canonical) -> History:
    return History(engine, canonical)


A, B, C, E, F = "crm.a:1", "crm.a:2", "crm.a:3", "erp.c:7", "erp.c:8"


def mail(key: str, address: str | None = "j@x.example", **given: Any) -> dict[str, Any]:
    return customer(key, email=address, **given)


GONE = customer(A, status="erased")


def test_a_duplicate_that_a_key_had_merged_shares_the_fate_of_the_erased_row_and_a_person_is_asked(history) -> None:
    history.run(mail(A), mail(B), mail(C, "other@x.example"))
    assert history.identity[B] == A and set(history.fate.values()) == {""}
    for _ in range(2):
        history.run(GONE, mail(B), mail(C, "other@x.example"))
        assert history.identity == {A: A, B: A, C: C}, "and so it stays"
        assert history.fate == {A: "erased", B: "erased", C: ""}
        assert history.cases == {(A, B, "target", "erased")}


def test_a_duplicate_that_likeness_had_merged_shares_it_too(history) -> None:
    history.run(customer(A), customer(B), pairs=[(A, B, 0.995)])
    history.run(GONE, customer(B), pairs=[])
    assert (history.fate[B], history.cases) == ("erased", {(A, B, "target", "erased")})


def test_the_erased_row_need_not_be_the_founder(history) -> None:
    history.run(mail(A), mail(B))
    history.run(mail(A), customer(B, status="erased"))
    assert history.identity == {A: A, B: A} and history.fate[A] == "erased"
    assert history.cases == {(B, A, "target", "erased")}, "whoever was erased is named first"


def test_where_a_person_had_merged_them_nobody_is_asked_again(history) -> None:
    history.run(customer(A), customer(B))
    history.answer(A, B, same=True)
    history.run(customer(A), customer(B))
    history.run(GONE, customer(B))
    assert (history.identity[B], history.fate[B], history.cases) == (A, "erased", set())


def test_a_person_who_says_same_ends_the_question_and_the_values_stay_away(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, mail(B))
    history.answer(A, B, same=True)
    history.run(GONE, mail(B))
    assert (history.identity[B], history.fate[B], history.cases) == (A, "erased", set())
    history.run(mail(B))
    assert (history.fate[B], history.cases) == ("erased", set()), "nor do they come back when the erased row goes"


def test_a_person_who_says_apart_frees_the_duplicates_and_they_find_each_other(history) -> None:
    history.run(mail(A), mail(B), mail(C))
    history.run(GONE, mail(B), mail(C))
    assert history.cases == {(A, B, "target", "erased"), (A, C, "target", "erased")}
    history.answer(A, B, same=False)
    history.run(GONE, mail(B), mail(C))
    assert history.fate == {A: "erased", B: "", C: "erased"}
    assert history.identity[B] == B, "who is free is not merged with who is not"
    history.answer(A, C, same=False)
    history.run(GONE, mail(B), mail(C))
    assert history.identity == {A: A, B: B, C: B} and history.fate == {A: "erased", B: "", C: ""}
    assert history.cases == set()


def test_what_was_unmerged_before_the_erasure_keeps_its_values(history) -> None:
    history.run(mail(A), mail(B))
    history.answer(A, B, same=False)
    history.run(GONE, mail(B))
    assert (history.identity[B], history.fate[B], history.cases) == (B, "", set())
    history.run(GONE, mail(B))
    assert history.fate[B] == ""


def test_values_do_not_come_back_when_the_erased_row_leaves_the_source(history) -> None:
    accounts = {E: A, F: B}
    rows = [mail(B), customer(E), customer(F)]
    history.run(mail(A), *rows, accounts=accounts)
    history.run(GONE, *rows, accounts=accounts)
    for _ in range(3):
        history.run(*rows, accounts=accounts)
        assert history.fate == {B: "erased", E: "erased", F: "erased"}
        assert history.cases == {(A, B, "remembered", "erased")}, "of the debtor that the source had linked nobody asks"
    history.answer(A, B, same=False)
    history.run(*rows, accounts=accounts)
    assert history.fate == {B: "", E: "erased", F: ""} and history.cases == set()


def test_the_fate_goes_on_over_links_to_what_they_had_been_merged_with(history) -> None:
    accounts = {E: B}
    history.run(mail(A), mail(B), customer(E), mail(F, "f@x.example"), accounts=accounts)
    history.target[F] = history.target["crm.a:9"] = "id of another"
    history.run(
        GONE, mail(B), customer("crm.a:9"), customer(F), customer(E), accounts={**accounts, "erp.c:8": "crm.a:2"}
    )
    assert history.fate["crm.a:9"] == "erased", "one customer of the target with a debtor of the duplicate"


def test_two_that_are_both_erased_stay_one_and_nobody_is_asked(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, customer(B, status="erased"))
    assert (history.identity[B], history.cases) == (A, set())


def test_a_duplicate_that_arrives_after_the_erasure_is_held_until_a_person_answers(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, mail(B))
    for rows in ([GONE, mail(B), mail(C)], [GONE, mail(B), mail(C)], [GONE, mail(B), mail(C), mail(F, None)]):
        history.run(*rows, accounts={F: C})
        assert (history.identity[C], history.fate[C]) == (C, "held"), "neither merged nor loaded"
        assert (B, C, "mailbox", "erased") in history.cases
    assert history.fate[F] == "held", "nor is what links tie to it"
    history.answer(B, C, same=False)
    history.run(*rows, accounts={F: C})
    assert (history.identity[C], history.fate[C], history.fate[F]) == (C, "", "")
    history.answer(B, C, same=True)
    history.run(*rows, accounts={F: C})
    assert (history.identity[C], history.fate[C], history.fate[F]) == (A, "erased", "erased")


def test_who_was_held_is_not_let_in_when_the_rows_that_it_looks_like_leave(history) -> None:
    history.run(GONE, mail(E), mail(C), accounts={E: A})
    assert (history.fate[C], history.cases) == ("held", {(A, C, "mailbox", "erased")})
    for _ in range(2):
        history.run(mail(C))
        assert (history.fate[C], history.cases) == ("held", {(A, C, "remembered", "erased")})
    history.answer(A, C, same=False)
    history.run(mail(C))
    assert (history.fate[C], history.cases) == ("", set())


@pytest.mark.parametrize("pair", [(E, C, 0.8), (E, C, 1.0, True)])
def test_who_may_well_be_another_is_asked_about_and_loaded(history, pair) -> None:
    history.run(GONE, customer(E), customer(C), accounts={E: A}, pairs=[pair])
    assert (history.fate[C], history.cases) == ("", {(A, C, "likeness", "erased")})


def test_a_customer_of_the_target_with_an_id_of_its_own_is_asked_about_and_not_taken_away(history) -> None:
    history.run(customer(E), mail(C), customer(A), accounts={E: A})
    history.run(mail(E), mail(C), GONE, accounts={E: A})
    assert (history.identity[C], history.fate[C], history.cases) == (C, "", {(A, C, "mailbox", "erased")})


def test_those_who_share_a_key_with_the_erased_do_not_lose_each_other(history) -> None:
    history.run(GONE, mail(E), mail(B), mail(C), accounts={E: A})
    assert history.identity == {A: A, E: A, B: B, C: B}
    assert history.fate == {A: "erased", E: "erased", B: "held", C: "held"}


def test_a_row_that_the_plan_keeps_apart_and_nobody_erased_is_nothing_to_ask_about(engine, canonical) -> None:
    rows = canonical("customer", mail(A, status="prospect"), mail(B))
    raw = engine.table(pa.table({"_row": pa.array([], pa.int64()), "account": pa.array([], pa.string())}))
    kept = IDENTITY.never_merge[0].model_copy(update={"value": "prospect"})
    identity = IDENTITY.model_copy(update={"never_merge": (kept,)})
    found = resolve_identities(engine, identity, rows, lambda _: raw, lambda _: no_facts(engine))
    assert engine.count(found.doubts) == 0 and {*engine.arrow(found.identities)["fate"].to_pylist()} == {""}


# --- answers about rows that left ----------------------------------------------------------------------------------


def test_apart_holds_for_the_whole_group_when_the_row_that_was_named_leaves(history) -> None:
    rows = [mail(B), mail(E)]
    history.answer(A, B, same=False)
    history.run(customer(A), *rows, accounts={E: A})
    assert history.identity == {A: A, B: B, E: A}
    for _ in range(3):
        history.run(*rows, accounts={E: A})
        assert history.identity == {B: B, E: E}, "also after a load has forgotten the row"
    assert history.cases == set()
    history.answer(B, E, same=True)
    history.run(*rows, accounts={E: A})
    assert history.identity[E] == B, "an answer that names them goes before"


def test_apart_holds_for_what_was_one_customer_by_a_key_and_same_for_what_the_source_links(history) -> None:
    history.answer(A, B, same=False)
    history.run(mail(A), mail(C), customer(B))
    assert history.identity == {A: A, C: A, B: B}
    history.run(mail(C), mail(B))
    assert history.identity == {C: C, B: B}
    history.answers = {(A, B): True}
    history.kin = (Kin(A, C, "group"), Kin(A, E, "link"))
    history.run(customer(B), customer(C), customer(E))
    assert history.identity == {B: B, C: C, E: B}, "nobody ever said of C that it is B"


def test_apart_about_an_erased_row_that_leaves_before_the_next_run_holds_for_its_kin(history) -> None:
    history.run(mail(A), mail(B), customer(E), accounts={E: B})
    history.run(GONE, mail(B), customer(E), accounts={E: B})
    history.run(GONE, mail(B), customer(E), mail(C), accounts={E: B})
    assert history.fate[C] == "held", "C has yet to be answered for"
    history.answer(A, C, same=False)
    for _ in range(2):
        history.run(mail(B), customer(E), mail(C), accounts={E: B})
        assert history.identity[C] == C and history.fate == {B: "erased", E: "erased", C: ""}
        assert history.cases == {(A, B, "remembered", "erased")}, "of C nobody asks again"
    history.run(mail(E), mail(C))
    assert history.identity == {E: E, C: C}, "nor when the next one leaves too"


def test_apart_about_an_erased_row_that_leaves_parts_those_who_shared_its_fate(history) -> None:
    rows = [mail(B), mail(C)]
    history.run(mail(A), *rows)
    history.run(GONE, *rows)
    history.answer(A, B, same=False)
    for _ in range(2):
        history.run(*rows)
        assert history.identity == {B: B, C: C} and history.fate == {B: "", C: "erased"}
        assert history.cases == {(A, C, "remembered", "erased")}
    history.answer(A, C, same=False)
    history.run(*rows)
    assert (history.identity, history.cases) == ({B: B, C: B}, set()), "both are free, and find each other"


def test_apart_does_not_part_what_the_source_itself_links_to_the_row_it_names(history) -> None:
    history.answer(A, C, same=False)
    history.run(mail(A), mail(B), customer(C), customer(E), accounts={E: B})
    history.answer(A, B, same=False)
    history.run(mail(B), customer(C), customer(E), accounts={E: B})
    assert (history.identity[E], history.cases) == (B, set())


# --- several departures in a row -----------------------------------------------------------------------------------


def test_whom_a_stand_in_is_linked_to_stands_for_the_erased_when_it_leaves_too_and_the_case_stays_open(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, mail(B))
    history.run(mail(B))
    history.run(mail(B), customer(E), accounts={E: B})
    assert history.fate == {B: "erased", E: "erased"} and history.cases == {(A, B, "remembered", "erased")}
    for _ in range(3):
        history.run(customer(E))
        assert (history.fate, history.cases) == ({E: "erased"}, {(A, E, "remembered", "erased")})
    history.run(customer(E), customer(F))
    history.target[F] = history.target[E]
    history.run(customer(E), customer(F))
    history.run(customer(F))
    assert (history.fate, history.cases) == ({F: "erased"}, {(A, F, "remembered", "erased")}), "and so on"
    history.answer(A, F, same=False)
    history.run(customer(F))
    assert (history.fate, history.cases) == ({F: ""}, set())


def test_apart_said_of_a_stand_in_holds_for_what_was_linked_to_it_when_it_leaves(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, mail(B))
    history.run(mail(B), customer(E), accounts={E: B})
    history.answer(A, B, same=False)
    history.run(mail(B), customer(E), accounts={E: B})
    for _ in range(2):
        history.run(customer(E))
        assert (history.fate, history.cases) == ({E: ""}, set())


def test_who_is_merged_with_one_that_is_held_is_held_when_it_leaves(history) -> None:
    history.run(GONE, mail(E), mail(C), accounts={E: A})
    history.run(mail(C))
    history.run(mail(C), mail(B))
    assert (history.identity, history.fate) == ({B: B, C: B}, {B: "held", C: "held"})
    for _ in range(2):
        history.run(mail(B))
        assert (history.fate, history.cases) == ({B: "held"}, {(A, B, "remembered", "erased")})


def test_apart_goes_on_from_one_that_stands_for_a_row_to_the_next(history) -> None:
    history.answer(A, B, same=False)
    history.run(customer(A), customer(E), mail(B), accounts={E: A})
    history.run(customer(E), mail(B))
    history.run(mail(E), mail(C), customer(B))
    assert history.identity == {B: B, C: C, E: C}
    for _ in range(2):
        history.run(mail(C), mail(B))
        assert history.identity == {B: B, C: C}


@pytest.mark.parametrize("erased_row", [[GONE], []])
def test_who_was_away_for_a_run_comes_back_without_its_values(history, erased_row) -> None:
    history.run(mail(A), mail(B), customer(E), accounts={E: A})
    history.run(GONE, mail(B), customer(E), accounts={E: A})
    history.run(*erased_row, customer(E), accounts={E: A})
    history.run(*erased_row, customer(E), mail(B), accounts={E: A})
    assert history.fate[B] == "erased" and [case[1:] for case in history.cases] in (
        [(B, "target", "erased")],
        [(B, "remembered", "erased")],
    )
    history.run(GONE, mail(B))
    assert history.fate[B] == "erased", "nor does it help that the erased row is there again"


def test_one_answer_is_enough_whoever_stands_for_the_erased_customer_by_then(history) -> None:
    accounts = {E: A}
    history.run(mail(A), mail(B), customer(E), accounts=accounts)
    history.run(GONE, mail(B), customer(E), accounts=accounts)
    history.run(mail(B), customer(E))
    history.run(mail(B))
    assert (history.fate, history.cases) == ({B: "erased"}, {(A, B, "remembered", "erased")})
    history.answer(A, B, same=False)
    history.run(mail(B))
    assert (history.fate, history.cases) == ({B: ""}, set())


def test_an_erasure_that_was_a_mistake_is_forgotten_with_all_that_was_remembered_for_it(history) -> None:
    history.run(mail(A), mail(B))
    history.run(GONE, mail(B))
    history.run(GONE)
    history.run(mail(A))
    history.run(mail(A), mail(B))
    assert history.fate == {A: "", B: ""} and history.kin == ()


@pytest.mark.parametrize("seed", [*range(6), 1010])
def test_what_stood_with_an_erased_row_never_comes_back_unless_a_person_parts_them(history, seed) -> None:
    """Rows come and go, are linked, linked to another, and erased; of each open case a person may say `same`."""
    chance = random.Random(seed)
    crm, erp = [f"crm.a:{n}" for n in range(1, 5)], [f"erp.c:{n}" for n in range(1, 5)]
    address = {key: chance.choice([None, "j@x.example", "k@x.example"]) for key in (*crm, *erp)}
    accounts = {key: chance.choice(crm) for key in erp if chance.random() < 0.5}
    erased: set[str] = set()
    withheld: set[str] = set()
    for step in range(10):
        if chance.random() < 0.5:
            erased.add(chance.choice(crm))
        if chance.random() < 0.5:
            accounts[chance.choice(erp)] = chance.choice(crm)
        if history.cases and chance.random() < 0.2:
            history.answer(*chance.choice(sorted(history.cases))[:2], same=True)
        here = [key for key in (*crm, *erp) if chance.random() < 0.6]
        rows = [customer(k, status="erased") if k in erased else mail(k, address[k]) for k in here]
        history.run(*rows, accounts={k: a for k, a in accounts.items() if k in here and a in here})
        back = {key for key in withheld & set(here) if not history.fate[key]}
        assert not back, f"seed {seed}, run {step}"
        withheld |= {key for key, fate in history.fate.items() if fate == "erased"}
    assert withheld
