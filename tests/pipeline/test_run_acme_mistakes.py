"""Mistakes of Acme's plan, and what stops them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from world import World, change

from migration_assets.wiring.results import Summary

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_list_price_for_the_contracted_one_and_swapped_dates_stop_a_cohort_before_it_is_loaded(
    acme: World, acme_run: Summary
) -> None:
    mapping: Path = acme.workspace.plan.folder / "mapping"
    with signed_otherwise(acme):
        # Else the plan is refused at once: what is left behind is used, and nothing uses the contracted price.
        change(acme.workspace.plan.folder / "plan.yaml", "          list_price: ", "          unit_price: ")
        change(mapping / "subscription_item.csv", "unit_price,erp,subscription_items,unit_price,",
               "unit_price,erp,subscription_items,list_price,")  # fmt: skip
        change(mapping / "invoice.csv", "issued_on,erp,invoices,issue_date,", "issued_on,erp,invoices,due_date ,")
        change(mapping / "invoice.csv", "due_on,erp,invoices,due_date,", "due_on,erp,invoices,issue_date,")
        change(mapping / "invoice.csv", "invoices,due_date ,", "invoices,due_date,")
        pilot = acme.reopened().migrate("pilot").cohorts["pilot"]
    assert pilot.stopped_at == "shadow_billing"
    assert {"shadow_billing.bills_same_or_signed", "shadow_billing.invoices_same"} <= set(pilot.failed_checks)
    assert pilot.rows_written == 0


def test_what_every_stage_takes_for_right_is_caught_by_the_control_totals(acme: World, acme_run: Summary) -> None:
    with signed_otherwise(acme):
        change(acme.workspace.plan.folder / "codes" / "consent_decision.csv", "N,withdrawn", "N,granted")
        wrong = acme.reopened().migrate("pilot")
        assert wrong.cohorts["pilot"].stopped_at == "reconciliation", wrong.to_json("acme")
        report = acme.report("pilot")
    assert report["differences"] == [], "every stage agrees with itself"
    assert {c["measure"] for c in report["controls_off"]} == {
        "consents_granted", "consents_withdrawn", "consents_by_decision.granted", "consents_by_decision.withdrawn",
    }  # fmt: skip


@contextmanager
def signed_otherwise(acme: World) -> Iterator[None]:
    """What the block writes into the plan's files is undone."""
    folder = acme.workspace.plan.folder
    files = {f: f.read_bytes() for f in folder.rglob("*.*")}
    try:
        yield
    finally:
        for file, content in files.items():
            file.write_bytes(content)
