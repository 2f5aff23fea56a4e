"""Services: only what the plan names leaves the house, answers are kept for their snapshot, a failing one breaks
nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stub_service import Stub, answer, stub_service

from migration_assets.domain.errors import Misconfigured
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.models import CohortRule
from migration_assets.stages.cleanse.enrich import Told, enriched
from migration_assets.stages.cleanse.kept_answers import KeptAnswers
from migration_assets.stages.cleanse.services import AskedService, cleaners, opened_services, rules_table
from migration_assets.stages.store import Store

T = datetime(2026, 6, 30, 12, tzinfo=UTC)


class PlanOf:
    """The part of a plan that services are about."""

    def __init__(self, *rules: EnrichmentRule, cohorts: Sequence[str] = ("pilot", "rest")) -> None:
        self.enrichment = rules
        self.codes: dict[str, Any] = {}
        told = [CohortRule(name=name, wave=0, customers=("crm.a:1",), description="Some.") for name in cohorts]
        self.cohorts = SimpleNamespace(cohorts=told)


Opened = AbstractContextManager[dict[str, AskedService]]


def kept_at(store: Store, snapshot: str, cohort: str) -> KeptAnswers:
    return KeptAnswers(store.enrichment_answers, snapshot, cohort, store.root.parent / "answers.key")


def opened(plan: PlanOf, store: Store, snapshot: str, cohort: str, env: Mapping[str, str], **trial: bool) -> Opened:
    return opened_services(plan, kept_at(store, snapshot, cohort), env, **trial)  # type: ignore[arg-type]


def env_of(stub: Stub | None) -> dict[str, str]:
    return {"REGISTER_URL": stub.url if stub else "http://127.0.0.1:9", "REGISTER_TOKEN": "t0ken"}


def rule(name: str = "industry_of_register", **arguments: Any) -> EnrichmentRule:
    service = {"url": "${REGISTER_URL}/v1", "token": "${REGISTER_TOKEN}", "sends": ["domain", "land"],
               "answer": "/company/industry", "attempts": 1, "per_second": 1000}  # fmt: skip
    said = {"source": "the register", "confidence": 0.9, "lawful_basis": "contract", "reason": "Sales needs it."}
    told = {"entity": "customer", "field": "industry", "enricher": "service", "reads": ["website", "country"]}
    return EnrichmentRule.model_validate({"rule": name, "arguments": service | arguments, **told, **said})


def industry(question: Any) -> Any:
    return answer(200, {"company": {"industry": f"of {question['domain']}", "owner": "Jane"}})


def asked(
    store: Store, stub: Stub | None, *domains: str, cohort: str = "pilot", snapshot: str = "S1", **arguments: Any
) -> tuple[list[Any], AskedService]:
    """Values that the service of one rule told, and the service as it was left."""
    each = rule(**arguments)
    with opened(PlanOf(each), store, snapshot, cohort, env_of(stub)) as services:
        service = services[each.rule]
        return [service.clean((d, "DE")).value for d in domains], service


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_only_what_is_declared_leaves_the_house(store: Store) -> None:
    with stub_service(industry) as stub:
        values, service = asked(store, stub, "a.example")
        with opened(PlanOf(rule()), store, "S2", "pilot", env_of(stub)) as s:
            s["industry_of_register"].clean(("b.example", None))
    assert values == ["of a.example"]
    assert stub.questions == [{"domain": "a.example", "land": "DE"}, {"domain": "b.example"}]
    assert stub.headers[0]["Authorization"] == "Bearer t0ken"
    assert service.counts == {"answered": 1} and service.unanswered == 0


def test_another_run_on_the_snapshot_asks_nothing_and_says_the_same(store: Store) -> None:
    with stub_service(lambda q: industry(q) if q["domain"] == "a.example" else answer(404)) as stub:
        first, _ = asked(store, stub, "a.example", "b.example")
    again, service = asked(store, None, "a.example", "b.example")
    moved, other = asked(store, None, "a.example", cohort="rest")
    assert first == again == ["of a.example", None] and moved == ["of a.example"]
    assert service.counts == {"kept": 2} and other.counts == {"kept": 1}


def test_a_new_snapshot_and_another_question_are_asked_anew(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "a.example")
        asked(store, stub, "a.example", snapshot="S2")
        asked(store, stub, "a.example", answer="/company/owner")
        asked(store, stub, "a.example", sends=["host", "land"])
    assert len(stub.questions) == 4


def test_answers_are_kept_when_the_run_breaks_off(store: Store) -> None:
    with (
        stub_service(industry) as stub,
        pytest.raises(ZeroDivisionError),
        opened(PlanOf(rule()), store, "S1", "pilot", env_of(stub)) as services,
    ):
        services["industry_of_register"].clean(("a.example", "DE"))
        _ = 1 // 0
    assert asked(store, None, "a.example")[0] == ["of a.example"]


def kept_files(store: Store) -> list[str]:
    return sorted(str(f.relative_to(store.enrichment_answers)) for f in store.root.rglob("*.json"))


def test_answers_of_a_snapshot_a_rule_and_a_cohort_that_are_gone_are_gone(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "a.example", name="old")
        asked(store, stub, "a.example", name="old", cohort="rest", snapshot="S2")
        assert kept_files(store) == ["S2/rest.old.json"]
        asked(store, stub, "b.example", name="fresh", snapshot="S2")
        asked(store, stub, "b.example", name="fresh", snapshot="S2", cohort="unassigned")
    assert kept_files(store) == ["S2/pilot.fresh.json", "S2/unassigned.fresh.json"]
    without = PlanOf(rule("fresh"), cohorts=["rest"])
    with opened(PlanOf(), store, "S3", "rest", {}, trial=True):
        pass
    assert len(kept_files(store)) == 2, "a trial takes nothing back"
    with opened(without, store, "S2", "rest", env_of(None)):
        pass
    assert kept_files(store) == ["S2/unassigned.fresh.json"]
    with opened(PlanOf(), store, "S2", "rest", {}):
        pass
    assert kept_files(store) == []


def answers_kept(store: Store) -> int:
    return sum(len(json.loads(f.read_text(encoding="utf-8"))) for f in store.root.rglob("*.json"))


def test_an_answer_goes_with_the_run_that_does_not_ask_for_it_any_more(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "shop.example", "jane-doe.example")
    assert answers_kept(store) == 2
    assert asked(store, None, "shop.example")[0] == ["of shop.example"], "Jane was erased: nobody asks about her"
    assert answers_kept(store) == 1
    assert asked(store, None, "jane-doe.example")[0] == [None]


def test_erasing_a_customer_takes_the_answers_about_them_along(store: Store, engine, canonical) -> None:
    """As in a run: the rows of the cohort, with the statuses the source has by then, go through enrichment."""
    plan = PlanOf(rule())

    def run(status: str) -> list[str | None]:
        rows = [
            {"customer_id": f"crm.a:{n}", "kind": "person", "name": "Jo", "status": state, "website": site}
            for n, (state, site) in enumerate([("active", "shop.example"), (status, "jane-doe.example")])
        ]
        with opened(plan, store, "S1", "pilot", env_of(stub)) as services:
            asked = enriched(engine, plan, {"customer": canonical("customer", *rows)}, T, cleaners(services))  # type: ignore[arg-type]
            found = engine.arrow(asked.rows["customer"].order_by("customer_id"))
            return [r["industry"] for r in found.to_pylist()]

    with stub_service(industry) as stub:
        assert run("active") == ["of shop.example", "of jane-doe.example"] and answers_kept(store) == 2
        assert run("erased") == ["of shop.example", None] and answers_kept(store) == 1
    assert len(stub.questions) == 2


def test_a_trial_and_a_run_that_breaks_off_forget_nothing(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "a.example", "b.example")
    with opened(PlanOf(rule()), store, "S1", "pilot", env_of(None), trial=True):
        pass
    with pytest.raises(ZeroDivisionError), opened(PlanOf(rule()), store, "S1", "pilot", env_of(None)):
        _ = 1 // 0
    assert asked(store, None, "a.example", "b.example")[0] == ["of a.example", "of b.example"]


def test_a_customer_that_changed_cohort_takes_the_answer_along(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "a.example", "b.example")
    assert asked(store, None, "a.example", cohort="rest")[0] == ["of a.example"]
    asked(store, None, "b.example")
    assert asked(store, None, "a.example", cohort="rest")[0] == ["of a.example"]


def test_kept_answers_hold_no_question_and_are_the_owners_alone(store: Store) -> None:
    with stub_service(lambda _: answer(200, {"company": {"industry": "62"}})) as stub:
        asked(store, stub, "jane-doe.example")
    (file,) = store.root.rglob("*.json")
    assert "jane" not in file.read_text(encoding="utf-8") and file.stat().st_mode & 0o077 == 0


def test_whoever_has_the_answers_and_not_the_key_cannot_try_questions(tmp_path: Path) -> None:
    """Two homes keep the same answer under different digests, so none is one that can be worked out."""
    found = []
    for home in ("one", "two"):
        store = Store(tmp_path / home / "store")
        store.root.mkdir(parents=True)
        with stub_service(industry) as stub:
            asked(store, stub, "a.example")
        (file,) = store.root.rglob("*.json")
        found.append(set(json.loads(file.read_text(encoding="utf-8"))))
    assert found[0].isdisjoint(found[1])


def test_the_key_is_made_once_outside_the_store_for_its_owner_alone_and_is_never_shown(store: Store) -> None:
    kept = kept_at(store, "S1", "pilot")
    first = kept.digest(["a"])
    key = kept.key_file
    text = key.read_text(encoding="utf-8")
    assert key.stat().st_mode & 0o777 == 0o600 and store.root not in key.parents and len(bytes.fromhex(text)) == 32
    again = kept_at(store, "S2", "rest")
    assert again.digest(["a"]) == first != again.digest(["b"]) and key.read_text(encoding="utf-8") == text
    assert text not in repr(kept) and [f.name for f in key.parent.iterdir() if f.is_file()] == ["answers.key"]


@pytest.mark.parametrize("damaged", ["", "ab" * 31, "no key at all"])
def test_a_damaged_key_is_refused_and_not_shown(store: Store, damaged: str) -> None:
    kept = kept_at(store, "S1", "pilot")
    kept.key_file.write_text(damaged, encoding="utf-8")
    with pytest.raises(Misconfigured, match="not a key") as refused:
        kept.digest(["a"])
    assert not damaged or damaged not in str(refused.value)


def test_failures_leave_values_missing_and_are_counted_by_kind_and_asked_again(store: Store) -> None:
    answers: Mapping[str, Any] = {"a": answer(500), "b": answer(422), "c": (200, {}, b"<html>"), "d": answer(404)}
    with stub_service(lambda q: answers[q["domain"]]) as stub:
        values, service = asked(store, stub, "a", "b", "c", "d", gives_up_after=9)
    assert values == [None] * 4 and service.unanswered == 3
    assert service.counts == {"server_error": 1, "client_error": 1, "unreadable": 1, "unknown": 1}
    with stub_service(industry) as stub:
        assert asked(store, stub, "a", "d")[0] == ["of a", None]


def test_a_service_that_is_down_is_left_alone_after_a_few_failures(store: Store) -> None:
    with stub_service(lambda _: answer(503)) as stub:
        values, service = asked(store, stub, *"abcdefgh", gives_up_after=3)
    assert values == [None] * 8 and len(stub.questions) == 3
    assert service.counts == {"server_error": 3, "not_asked": 5} and service.unanswered == 8


def test_questions_it_does_not_take_do_not_make_it_a_service_that_is_down(store: Store) -> None:
    with stub_service(lambda q: industry(q) if q["domain"] == "e" else answer(400)) as stub:
        values, _ = asked(store, stub, *"abcde", gives_up_after=3)
    assert values[-1] == "of e"
    with stub_service(lambda _: answer(401)) as stub:
        asked(store, stub, *"fghij", gives_up_after=3)
    assert len(stub.questions) == 3, "who lets nobody in is not asked on and on"


@pytest.mark.parametrize("found", [None, {}, [], " ", {"a": 1}])
def test_what_is_no_plain_value_is_none(store: Store, found: Any) -> None:
    with stub_service(lambda _: answer(200, {"company": {"industry": found}})) as stub:
        assert asked(store, stub, "a")[0] == [None]


@pytest.mark.parametrize(("found", "text"), [(62, "62"), (6.20, "6.2"), (True, "true"), ("x", "x")])
def test_a_plain_value_is_its_text(store: Store, found: Any, text: str) -> None:
    with stub_service(lambda _: answer(200, {"company": {"industry": found}})) as stub:
        assert asked(store, stub, "a")[0] == [text]


def test_a_variable_that_is_not_set_is_said_by_name(store: Store) -> None:
    plan = PlanOf(rule())
    with (
        pytest.raises(Misconfigured, match="REGISTER_TOKEN is not set") as e,
        opened(plan, store, "S1", "pilot", {"REGISTER_URL": "https://x.example"}),
    ):
        pass
    assert e.value.exit_code == 2


def test_the_account_of_a_rule_says_what_became_of_its_questions(store: Store) -> None:
    with stub_service(lambda q: industry(q) if q["domain"] == "a" else answer(500)) as stub:
        _, service = asked(store, stub, *"abc", required=True)
    plain = rule("no_service").model_copy(update={"enricher": "same"})
    told = [Told(rule(), 3, 1, 0), Told(plain, 5, 4, 1)]
    rows = rules_table(told, {"industry_of_register": service}).to_pylist()
    counted = ("rule", "lacking", "told", "refused", "answered", "server_error", "unanswered", "is_service", "required")
    assert [tuple(r[c] for c in counted) for r in rows] == [
        ("industry_of_register", 3, 1, 0, 1, 2, 2, True, True),
        ("no_service", 5, 4, 1, 0, 0, 0, False, False),
    ]
