"""Services: only what the plan names leaves the house, answers are kept for their snapshot, a failing one breaks
nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from stub_service import Stub, answer, stub_service

from migration_assets.domain.errors import Misconfigured
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.stages.cleanse.enrich import Told
from migration_assets.stages.cleanse.services import AskedService, opened_services, rules_table
from migration_assets.stages.store import Store


class PlanOf:
    """The part of a plan that services are about."""

    def __init__(self, *rules: EnrichmentRule) -> None:
        self.enrichment = rules


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
    env = {"REGISTER_URL": stub.url if stub else "http://127.0.0.1:9", "REGISTER_TOKEN": "t0ken"}
    each = rule(**arguments)
    with opened_services(PlanOf(each), store, snapshot, cohort, env) as services:  # type: ignore[arg-type]
        service = services[each.rule]
        return [service.clean((d, "DE")).value for d in domains], service


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_only_what_is_declared_leaves_the_house(store: Store) -> None:
    with stub_service(industry) as stub:
        values, service = asked(store, stub, "a.example")
        with opened_services(
            PlanOf(rule()), store, "S2", "pilot", {"REGISTER_URL": stub.url, "REGISTER_TOKEN": "t"}
        ) as s:  # type: ignore[arg-type]
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
    with stub_service(industry) as stub, pytest.raises(ZeroDivisionError):
        env = {"REGISTER_URL": stub.url, "REGISTER_TOKEN": "t"}
        with opened_services(PlanOf(rule()), store, "S1", "pilot", env) as services:  # type: ignore[arg-type]
            services["industry_of_register"].clean(("a.example", "DE"))
            _ = 1 // 0
    assert asked(store, None, "a.example")[0] == ["of a.example"]


def test_the_answers_of_a_rule_that_is_gone_are_gone(store: Store) -> None:
    with stub_service(industry) as stub:
        asked(store, stub, "a.example", name="old")
        asked(store, stub, "a.example", name="old", snapshot="S2", cohort="rest")
        assert len(list(store.root.rglob("*.old.json"))) == 2
        asked(store, stub, "b.example", name="fresh")
    assert sorted(p.name for p in store.root.rglob("*.json")) == ["pilot.fresh.json"]
    with opened_services(PlanOf(), store, "S1", "pilot", {}, trial=True):  # type: ignore[arg-type]
        pass
    assert sorted(p.name for p in store.root.rglob("*.json")) == ["pilot.fresh.json"], "a trial takes nothing back"
    with opened_services(PlanOf(), store, "S1", "pilot", {}):  # type: ignore[arg-type]
        pass
    assert list(store.root.rglob("*.json")) == []


def test_kept_answers_hold_no_question_and_are_the_owners_alone(store: Store) -> None:
    with stub_service(lambda _: answer(200, {"company": {"industry": "62"}})) as stub:
        asked(store, stub, "jane-doe.example")
    (file,) = store.root.rglob("*.json")
    assert "jane" not in file.read_text(encoding="utf-8") and file.stat().st_mode & 0o077 == 0


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
        opened_services(plan, store, "S1", "pilot", {"REGISTER_URL": "https://x.example"}),  # type: ignore[arg-type]
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
