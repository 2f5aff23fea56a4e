"""Decisions of persons hold while the rows they name are one customer."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from migration_assets.plan.identity_models import SurvivorDecision
from migration_assets.stages.cleanse.decisions import chosen_of, decided

IDENTITY = {"crm.a:1": "crm.a:1", "erp.c:1": "crm.a:1", "erp.c:2": "erp.c:2"}


def decision(customer: str, value_from: str, line: int = 2, field: str = "phone") -> SurvivorDecision:
    return SurvivorDecision(
        field=field, customer=customer, value_from=value_from, reason="Asked.", approved_by="dpo",
        approved_on=date(2026, 6, 1), row=line,
    )  # fmt: skip


def test_a_decision_may_name_the_customer_by_any_of_its_rows() -> None:
    for customer in ("crm.a:1", "erp.c:1"):
        chosen = chosen_of([decision(customer, "erp.c:1")], IDENTITY, {("erp.c:1", "phone")})
        assert (chosen.of("phone"), chosen.of("email"), chosen.stale) == (["erp.c:1"], [], ())


@pytest.mark.parametrize(
    ("customer", "value_from", "reason"),
    [
        ("crm.a:9", "erp.c:1", "customer_gone"),
        ("crm.a:1", "erp.c:9", "row_gone"),
        ("crm.a:1", "erp.c:2", "parted"),
        ("crm.a:1", "crm.a:1", "no_value"),
    ],
)
def test_a_decision_that_no_longer_holds_decides_nothing_and_says_why(customer, value_from, reason) -> None:
    chosen = chosen_of([decision(customer, value_from, 5)], IDENTITY, {("erp.c:1", "phone"), ("erp.c:2", "phone")})
    assert not chosen.of("phone")
    assert [(s.reason, s.line) for s in chosen.stale] == [(reason, 5)]


def test_two_decisions_about_one_value_contradict_each_other() -> None:
    valued = {("crm.a:1", "phone"), ("erp.c:1", "phone")}
    both = [decision("crm.a:1", "erp.c:1", 2), decision("erp.c:1", "crm.a:1", 3)]
    chosen = chosen_of(both, IDENTITY, valued)
    assert not chosen.of("phone")
    assert sorted((s.reason, s.line) for s in chosen.stale) == [("contradicted", 2), ("contradicted", 3)]


def test_each_cohort_minds_its_own_customers_and_one_tells_of_those_that_are_nowhere(engine, canonical) -> None:
    rows = canonical("customer", {"customer_id": "crm.a:1", "phone": "+1"}, {"customer_id": "erp.c:1"})
    known = engine.table(pa.table({"customer_id": list(IDENTITY), "identity_id": list(IDENTITY.values())}))
    given = [decision("erp.c:1", "crm.a:1"), decision("erp.c:2", "erp.c:2", 3), decision("crm.a:9", "crm.a:9", 4)]
    here = decided(engine, given, rows, known, also_lost=False)
    assert (here.of("phone"), here.stale) == (["crm.a:1"], ())
    told = decided(engine, given, rows, known, also_lost=True)
    assert [(s.customer_id, s.reason, s.line) for s in told.stale] == [("crm.a:9", "customer_gone", 4)]
