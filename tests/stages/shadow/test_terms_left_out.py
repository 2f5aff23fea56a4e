"""Records that are rejected, lost with somebody, left out, or cannot be read, and fields that nobody compares."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from terms_world import (
    ACME,
    CONTRACT,
    INVOICE,
    SEAT,
    SUBSCRIPTION,
    at,
    compared,
    new,
    old,
    world,
)

from migration_assets.plan.models import Plan


def test_a_rejected_row_is_told_apart_and_a_lost_one_is_not() -> None:
    told = world()
    told.rows["subscription"].clear()
    assert compared(told).differences == [("contracts", "k", "not_in_target", "unsigned")]
    rejected = replace(told, rejected=(("erp.subscriptions", 0),))
    assert compared(rejected).differences == [("contracts", "k", "not_in_target", "rejected")]
    there = replace(world(), rejected=(("erp.subscriptions", 0),))
    assert compared(there).differences == [("contracts", "k", "only_in_target", "unsigned")]


def test_what_only_the_target_has_is_told_also_where_nobody_knows_where_it_came_from() -> None:
    stranger = "00000000-0000-4000-8000-000000000001"
    told = world()
    told.rows["invoice"].append({**INVOICE, "invoice_id": stranger, "number": "X"})
    told.rows["subscription"].append({**SUBSCRIPTION, "subscription_id": "erp.subscriptions:kx"})
    assert compared(told).differences == [
        ("contracts", "kx", "only_in_target", "unsigned"),
        ("receivables", stranger, "only_in_target", "unsigned"),
    ]


def test_what_billing_yaml_leaves_out_is_not_compared_unless_it_is_an_issued_invoice() -> None:
    told = world()
    told.rows["subscription"].append({**SUBSCRIPTION, "subscription_id": "erp.subscriptions:free"})
    told.rows["seat_assignment"].append({**SEAT, "seat_assignment_id": "erp.seat_assignments:t"})
    told.rows["invoice"].append({**INVOICE, "invoice_id": "erp.invoices:void", "number": "V"})
    left_out = {
        "contracts": [{"contract_id": "free"}],
        "seats": [{"seat_id": "t"}],
        "receivables": [{"invoice_id": "void"}],
    }
    found = compared(replace(told, unread=left_out))
    assert found.differences == [("receivables", "void", "only_in_target", "unsigned")]


def test_rows_of_one_key_that_were_rejected_are_one_contract_and_hide_none_that_goes_on() -> None:
    told = world()
    told.records["contracts"].append({**CONTRACT, "months": 12})
    both = replace(told, rejected=(("erp.subscriptions", 0), ("erp.subscriptions", 1)))
    told.rows["subscription"].clear()
    assert compared(both).differences == [("contracts", "k", "not_in_target", "rejected")]
    one = replace(told, rows=world().rows, rejected=(("erp.subscriptions", 1),))
    assert compared(one).status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}


def test_whoever_does_not_go_on_is_missing_for_that_reason() -> None:
    told = world()
    new("subscription", payer_id=None)(told)
    new("invoice", payer_id=None)(told)
    new("seat_assignment", contact_id=None)(told)
    gone = replace(told, customers=(("ann", False),), contacts=())
    assert compared(gone).differences == [
        ("contracts", "k", "payer", "rejected"),
        ("receivables", "i", "payer", "rejected"),
        ("seats", "s", "contact", "rejected"),
    ]
    # Somebody else in their place is nobody's explanation.
    new("seat_assignment", contact_id="crm.contacts:C-9")(told)
    assert ("seats", "s", "contact", "unsigned") in compared(gone).differences


def test_what_was_lost_is_only_told_of_a_field_that_is_compared() -> None:
    """The target keeps nobody who pays, and no contact of a seat: nothing of them can be missing there."""
    kept = {
        name: table.model_copy(update={"columns": {c: f for c, f in table.columns.items() if f not in _NOT_KEPT}})
        for name, table in ACME.target.tables.items()
    }
    plan = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": kept})})
    told = replace(world(), plan=plan, customers=(("ann", False),), contacts=())
    new("subscription", payer_id=None)(told)
    new("invoice", payer_id=None)(told)
    new("seat_assignment", contact_id=None)(told)
    found = compared(told)
    assert found.differences == []
    assert found.status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}


_NOT_KEPT = ("payer_id", "contact_id")


def test_of_an_erased_customer_the_target_has_no_login() -> None:
    told = replace(world(), customers=(("ann", True), ("ben", False)))
    assert compared(told).differences == [("seats", "s", "holder", "unsigned")]
    new("seat_assignment", holder=None)(told)
    assert compared(told).differences == [("seats", "s", "holder", "rejected")]


def test_a_record_that_cannot_be_read_is_told_and_nothing_is_guessed() -> None:
    told = world()
    old("contracts", unreadable="last_day tax_exempt ", last_day=None)(told)
    old("receivables", total=Decimal("119.001"))(told)
    old("seats", unreadable="assigned_at ", assigned_at=None)(told)
    assert compared(told).differences == [
        ("contracts", "k", "last_day", "unread"),
        ("receivables", "i", "total", "unread"),
        ("seats", "s", "assigned_at", "unread"),
    ]
    # What the terms are not told from does not matter to them.
    other = world()
    old("contracts", unreadable="tax_exempt ")(other)
    assert compared(other).differences == []
    unplaced = world()
    old("contracts", zone="Mars/Olympus")(unplaced)
    assert ("contracts", "k", "zone", "unread") in compared(unplaced).differences


def test_what_can_be_read_of_a_record_is_held_against_the_target_all_the_same() -> None:
    told = world()
    old("receivables", total=Decimal("119.001"), number="Z-9")(told)
    assert compared(told).differences == [("receivables", "i", "number", "unsigned")]


def test_an_invoice_of_no_contract_has_no_period_that_is_compared() -> None:
    told = world()
    told.records["invoices"].clear()
    new("invoice", period_starts_at=None, period_ends_at=None)(told)
    assert compared(told).differences == []


def _without(record: str, *fields: str, **told: Any) -> Plan:
    billing = ACME.billing
    assert billing is not None
    read = billing.legacy.reads[record]  # type: ignore[index]
    kept = {n: f for n, f in read.fields.items() if n not in fields}
    kept |= {n: read.fields[n].model_copy(update={"column": None, "value": v}) for n, v in told.items()}
    reads = {**billing.legacy.reads, record: read.model_copy(update={"fields": kept})}
    legacy = billing.legacy.model_copy(update={"reads": reads})
    return ACME.model_copy(update={"billing": billing.model_copy(update={"legacy": legacy})})


def test_only_what_a_raw_column_says_is_compared() -> None:
    """A fixed value, as of a file that has no days, says nothing of one contract."""
    told = replace(world(), plan=_without("contracts", "payer", "last_day", first_day="2026-01-01"))
    new("subscription", payer_id=None, ends_at=None, starts_at=at(2020, 1, 1))(told)
    assert compared(told).differences == []
    new("subscription", customer_id="cat")(told)
    assert [d[2] for d in compared(told).differences] == ["customer"]


def test_what_the_target_does_not_keep_is_not_compared() -> None:
    seats = ACME.target.tables["seat_assignments"]
    columns = {c: f for c, f in seats.columns.items() if f != "holder"}
    tables = {**ACME.target.tables, "seat_assignments": seats.model_copy(update={"columns": columns})}
    plan = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": tables})})
    told = replace(world(), plan=plan)
    new("seat_assignment", holder=None)(told)
    assert compared(told).differences == []
    none = {n: t for n, t in tables.items() if t.entity != "seat_assignment"}
    bare = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": none})})
    told.rows["seat_assignment"].clear()
    assert compared(replace(told, plan=bare)).status["seat_terms"] == []
