"""Values no source has: never in the place of one that a source has, each with who says so, gone with their rule."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from migration_assets.engine.rules.outcome import Cleaned, Cleaner
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.models import CodeRow
from migration_assets.stages.cleanse.enrich import ENRICHMENTS, enriched

T = datetime(2026, 6, 30, 12, tzinfo=UTC)
INDUSTRIES = (CodeRow(code="62*", target="Information"), CodeRow(code="01*", target="Agri\u200bculture "))


def rule(field: str, enricher: str, *reads: str, **more: Any) -> EnrichmentRule:
    given = {"rule": f"{field}_told", "entity": "customer", "source": "as agreed", "confidence": "0.8",
             "lawful_basis": "legitimate_interest", "reason": "As agreed with sales."}  # fmt: skip
    return EnrichmentRule.model_validate({**given, "field": field, "enricher": enricher, "reads": reads, **more})


ZONE = rule("time_zone", "time_zone", "country", "state")


def told(engine: Any, rows: dict[str, Any], *rules: EnrichmentRule, **services: Any) -> Any:
    """What the rules make of the rows: `.rows[entity]` and `.values` as lists, `.rules` as they are."""
    plan = SimpleNamespace(enrichment=rules, codes={"industry": INDUSTRIES})
    asked = {name: Cleaner(clean) for name, clean in services.items()}
    found = enriched(engine, plan, rows, T, asked)
    listed = {name: engine.arrow(table).to_pylist() for name, table in found.rows.items()}
    return SimpleNamespace(rows=listed, values=engine.arrow(found.values).to_pylist(), rules=found.rules)


def customer(number: int, **given: Any) -> dict[str, Any]:
    return {"customer_id": f"crm.a:{number}", "kind": "company", "status": "active", "name": "Acme", **given}


def address(number: int, of: int, **given: Any) -> dict[str, Any]:
    return {"address_id": f"crm.d:{number}", "customer_id": f"crm.a:{of}", "kind": "billing", **given}


def consent(number: int, of: int, decision: str, day: int = 1, **given: Any) -> dict[str, Any]:
    said = {"decision": decision, "decided_at": datetime(2026, 1, day, tzinfo=UTC), "evidence": "form"}
    about = {"consent_id": f"crm.c:{number}", "customer_id": f"crm.a:{of}", "purpose": "profiling", "channel": "email"}
    return about | said | given


def values_of(found: Any, field: str, entity: str = "customer") -> dict[str, Any]:
    return {r[f"{entity}_id"].partition(":")[2]: r[field] for r in found.rows[entity]}


def test_a_value_is_told_with_source_confidence_basis_and_date(engine, canonical) -> None:
    found = told(engine, {"customer": canonical("customer", customer(1, country="DE"))}, ZONE)
    assert values_of(found, "time_zone") == {"1": "Europe/Berlin"}
    assert found.values == [
        {"entity": "customer", "row_key": "crm.a:1", "field": "time_zone", "rule": "time_zone_told",
         "source": "as agreed", "confidence": 0.8, "lawful_basis": "legitimate_interest", "as_of": T},
    ]  # fmt: skip
    assert list(found.values[0]) == list(ENRICHMENTS.names)
    assert [(r.lacking, r.told, r.refused) for r in found.rules] == [(1, 1, 0)]


def test_a_value_that_a_source_has_is_never_replaced(engine, canonical) -> None:
    rows = canonical("customer", customer(1, country="DE", time_zone="Europe/Paris"), customer(2, country="US"))
    found = told(engine, {"customer": rows}, ZONE)
    assert values_of(found, "time_zone") == {"1": "Europe/Paris", "2": None}
    assert found.values == [] and [(r.lacking, r.told) for r in found.rules] == [(1, 0)]


def test_nothing_else_of_a_row_changes_and_none_is_lost_or_doubled(engine, canonical) -> None:
    rows = canonical("customer", *(customer(n, country=["DE", None, "US", "DE"][n % 4]) for n in range(1, 20)))
    before = {r["customer_id"]: {**r, "time_zone": None} for r in engine.arrow(rows).to_pylist()}
    after = told(engine, {"customer": rows}, ZONE).rows["customer"]
    assert len(after) == 19 and {r["customer_id"]: {**r, "time_zone": None} for r in after} == before
    assert tuple(after[0]) == tuple(rows.columns)


def test_without_the_rule_its_values_are_gone(engine, canonical) -> None:
    rows = {"customer": canonical("customer", customer(1, country="DE"))}
    language = rule("language", "language_of_country", "country")
    both, without = told(engine, rows, ZONE, language), told(engine, rows, language)
    assert {v["field"] for v in both.values} == {"time_zone", "language"}
    assert {v["field"] for v in without.values} == {"language"}
    assert values_of(without, "time_zone") == {"1": None} and values_of(without, "language") == {"1": "de"}


def test_rules_never_read_what_other_rules_told(engine, canonical) -> None:
    rows = {"customer": canonical("customer", customer(1, phone="+4930901820"))}
    country = rule("country", "country_of_phone", "phone")
    for order in ((country, ZONE), (ZONE, country)):
        found = told(engine, rows, *order)
        assert (values_of(found, "country"), values_of(found, "time_zone")) == ({"1": "DE"}, {"1": None})


def test_an_erased_customer_gets_none(engine, canonical) -> None:
    rows = canonical("customer", customer(1, country="DE", status="erased"), customer(2, country="DE"))
    found = told(engine, {"customer": rows}, ZONE)
    assert values_of(found, "time_zone") == {"1": None, "2": "Europe/Berlin"}


def test_addresses_tell_what_they_all_agree_on(engine, canonical) -> None:
    rows = {
        "customer": canonical("customer", *(customer(n) for n in range(1, 6))),
        "address": canonical(
            "address",
            address(1, 1, country="DE"), address(2, 1, country="DE", kind="shipping"),
            address(3, 2, country="DE"), address(4, 2, country="FR", kind="shipping"),
            # One of the two tells no zone: that is doubt, and not agreement.
            address(5, 3, country="DE"), address(6, 3, country="US", kind="shipping"),
            address(7, 4, country="FR", kind="shipping"),
        ),
    }  # fmt: skip
    anywhere = rule("time_zone", "time_zone", "country", "state", reads_of="address")
    billing = rule("time_zone", "time_zone", "country", "state", reads_of="address",
                   where=[{"field": "kind", "op": "eq", "value": "billing"}])  # fmt: skip
    assert values_of(told(engine, rows, anywhere), "time_zone") == {
        "1": "Europe/Berlin", "2": None, "3": None, "4": "Europe/Paris", "5": None,
    }  # fmt: skip
    assert values_of(told(engine, rows, billing), "time_zone") == {
        "1": "Europe/Berlin", "2": "Europe/Berlin", "3": "Europe/Berlin", "4": None, "5": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("events", "may"),
    [
        ([("granted", 1)], True),
        ([], False),
        ([("granted", 1), ("withdrawn", 2)], False),
        ([("withdrawn", 1), ("granted", 2)], True),
        # A tie and an unknown are a no (I23), and so are another purpose, another channel's no, and bare words.
        ([("granted", 1), ("withdrawn", 1)], False),
        ([("granted", 1), ("unknown", 2)], False),
        ([("granted", 1, {"purpose": "marketing"})], False),
        ([("granted", 2), ("withdrawn", 1, {"channel": "phone"})], False),
        ([("granted", 1, {"evidence": None})], False),
    ],
)
def test_under_consent_only_who_said_yes_last(engine, canonical, events, may) -> None:
    given = [
        consent(n, 1, decision, day, **(more[0] if more else {})) for n, (decision, day, *more) in enumerate(events)
    ]
    rows = {"customer": canonical("customer", customer(1, country="DE")), "consent": canonical("consent", *given)}
    asks = rule("time_zone", "time_zone", "country", lawful_basis="consent", purpose="profiling")
    assert values_of(told(engine, rows, asks), "time_zone") == {"1": "Europe/Berlin" if may else None}


def test_what_a_contact_agreed_to_is_not_the_customers_word(engine, canonical) -> None:
    said = canonical("consent", {**consent(1, 1, "granted"), "contact_id": "crm.p:1"})
    rows = {"customer": canonical("customer", customer(1, country="DE")), "consent": said}
    asks = rule("time_zone", "time_zone", "country", lawful_basis="consent", purpose="profiling")
    assert values_of(told(engine, rows, asks), "time_zone") == {"1": None}


def test_consent_is_that_of_the_customer_a_contact_belongs_to(engine, canonical) -> None:
    people = [
        {"contact_id": f"crm.p:{n}", "customer_id": f"crm.a:{n}", "name": "Jo", "email": "j@x.de"} for n in (1, 2)
    ]
    rows = {"contact": canonical("contact", *people), "consent": canonical("consent", consent(1, 1, "granted"))}
    asks = rule("job_title", "service", "email", entity="contact", lawful_basis="consent", purpose="profiling")
    asked = []
    found = told(engine, rows, asks, job_title_told=lambda texts: asked.append(texts) or Cleaned("CFO"))
    assert values_of(found, "job_title", "contact") == {"1": "CFO", "2": None}
    assert asked == [("j@x.de",)]


def test_what_others_say_is_tidied_like_what_a_source_says(engine, canonical) -> None:
    rows = {"customer": canonical("customer", customer(1, industry="01.1"), customer(2, industry="62"))}
    found = told(engine, rows, rule("segment", "code_list", "industry", arguments={"list": "industry"}))
    assert values_of(found, "segment") == {"1": "Agriculture", "2": "Information"}


@pytest.mark.parametrize(
    ("field", "said", "value", "refused"),
    [
        ("country", "Germany", "DE", 0), ("country", "ZZ", None, 1), ("country", "Atlantis", None, 1),
        ("phone", "+49 30 901820", "+4930901820", 0), ("phone", "030 901820", None, 1),
        ("email", "Jo@X.example", "jo@x.example", 0), ("email", "none", None, 1),
        ("time_zone", "europe/berlin", "Europe/Berlin", 0), ("time_zone", "CEST+1", None, 1),
        ("language", "German", "de", 0), ("segment", "mid\x00dle", "middle", 0), ("segment", "\ud800", None, 1),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_value_of_its_field_is_refused_and_counted(
    engine, canonical, field, said, value, refused
) -> None:
    rows = {"customer": canonical("customer", customer(1, website="x.example"))}
    found = told(engine, rows, rule(field, "service", "website"), **{f"{field}_told": lambda _: Cleaned(said)})
    assert values_of(found, field) == {"1": value}
    assert [(r.told, r.refused) for r in found.rules] == [(int(value is not None), refused)]
    assert len(found.values) == int(value is not None)


def test_the_same_is_asked_once_and_nobody_is_asked_about_nothing(engine, canonical) -> None:
    rows = [customer(n, website=["x.example", "y.example", None][n % 3]) for n in range(9)]
    rows.append(customer(9, website="z.example", segment="known"))
    asked: list[Any] = []
    service = rule("segment", "service", "website")
    told(engine, {"customer": canonical("customer", *rows)}, service,
         segment_told=lambda texts: asked.append(texts) or Cleaned(None))  # fmt: skip
    assert sorted(asked) == [("x.example",), ("y.example",)]


def test_a_plan_without_rules_adds_nothing(engine, canonical) -> None:
    found = told(engine, {"customer": canonical("customer", customer(1, country="DE"))})
    assert (found.rows, found.values, found.rules) == ({}, [], ())
