"""What both sides write down of contracts, invoices and seats: each field that is the same, and each that differs."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime

from terms_world import (
    INVOICE,
    SUBSCRIPTION,
    Slip,
    after,
    at,
    compared,
    new,
    old,
    together,
    world,
)


def test_what_is_written_down_alike_on_both_sides_is_the_same() -> None:
    found = compared(world())
    assert found.status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}
    assert not found.differences and len(list(csv.reader(io.StringIO(found.sheet)))) == 1


# What is changed in the target, the record it shows in, and the fields.
SLIPS: dict[str, tuple[Slip, str, str]] = {
    "another customer": (new("subscription", customer_id="cat"), "contracts", "customer"),
    "the payer is forgotten": (new("subscription", payer_id=None), "contracts", "payer"),
    "another payer": (new("subscription", payer_id="cat"), "contracts", "payer"),
    "another company of ours": (
        new("subscription", legal_entity_id="erp.legal_entities:US01"), "contracts", "legal_entity",
    ),
    "another currency": (new("subscription", currency="USD"), "contracts", "currency"),
    "a contract that is over": (new("subscription", status="canceled"), "contracts", "status"),
    "a start in UTC": (new("subscription", starts_at=at(2026, 1, 17)), "contracts", "starts_at"),
    "an end a day later": (new("subscription", ends_at=at(2026, 7, 31, 22)), "contracts", "ends_at"),
    "an end by winter time": (new("subscription", ends_at=at(2026, 7, 30, 23)), "contracts", "ends_at"),
    "no end": (new("subscription", ends_at=None), "contracts", "ends_at"),
    "a longer trial": (new("subscription", trial_ends_at=at(2026, 2, 28, 23)), "contracts", "trial_ends_at"),
    "a gap after the running period": (
        new("subscription", current_period_ends_at=at(2026, 7, 31, 22)), "contracts", "period_ends_at",
    ),
    "a period from a clamped day on": (
        new("subscription", current_period_starts_at=at(2026, 6, 27, 22)), "contracts", "period_starts_at",
    ),
    "another number": (new("invoice", number="DE-1-1"), "receivables", "number"),
    "an invoice that is void": (new("invoice", status="void"), "receivables", "issued"),
    "an invoice of somebody else": (new("invoice", customer_id="cat"), "receivables", "customer"),
    "an invoice that its payer does not get": (new("invoice", payer_id=None), "receivables", "payer"),
    "an invoice of another company of ours": (
        new("invoice", legal_entity_id="erp.legal_entities:US01"), "receivables", "legal_entity",
    ),
    "an invoice in dollars": (new("invoice", currency="USD"), "receivables", "currency"),
    "a cent more": (new("invoice", total_minor=11_901), "receivables", "total"),
    "issued a day later": (new("invoice", issued_on=date(2026, 3, 1)), "receivables", "issued_on"),
    "due a day later": (new("invoice", due_on=date(2026, 3, 15)), "receivables", "due_on"),
    "a period that overlaps": (
        new("invoice", period_starts_at=at(2026, 2, 26, 23)), "receivables", "period_starts_at",
    ),
    "a last day that is lost": (new("invoice", period_ends_at=at(2026, 3, 29, 22)), "receivables", "period_ends_at"),
    "an end an hour late after clocks went forward": (
        new("invoice", period_ends_at=at(2026, 3, 30, 23)), "receivables", "period_ends_at",
    ),
    "a seat of another item": (new("seat_assignment", item_id="erp.subscription_items:q"), "seats", "item"),
    "another contact": (new("seat_assignment", contact_id="crm.contacts:C-2"), "seats", "contact"),
    "another holder": (new("seat_assignment", holder="lee@example.com"), "seats", "holder"),
    "no holder": (new("seat_assignment", holder=None), "seats", "holder"),
    "a seat taken later": (new("seat_assignment", assigned_at=at(2026, 3, 1, 9, 30)), "seats", "assigned_at"),
    "a seat released": (new("seat_assignment", released_at=at(2026, 3, 2)), "seats", "released_at"),
}  # fmt: skip


def test_a_field_that_differs_is_named_with_its_record_and_nothing_else_is() -> None:
    found = compared(together([after(change) for change, _, _ in SLIPS.values()]))
    key = {"contracts": "k", "receivables": "i", "seats": "s"}
    expected = [(r, f"{key[r]}{n}", field, "unsigned") for n, (_, r, field) in enumerate(SLIPS.values())]
    assert found.differences == sorted(expected)
    assert {r["customer_id"] for r in found.rows} == {"ann"} and {r["currency"] for r in found.rows} == {"EUR"}
    stakes = {(r["record"], r["at_stake_minor"]) for r in found.rows}
    assert stakes == {("contracts", 24_000), ("receivables", 11_900), ("seats", 24_000)}


def test_no_value_of_either_side_is_told() -> None:
    told = ("another holder", "another customer", "another contact", "another number")
    found = compared(together([after(SLIPS[slip][0]) for slip in told]))
    assert len(found.differences) == len(told)
    everything = found.sheet + str(found.rows)
    assert not any(value in everything.lower() for value in ("kim", "lee", "c-1", "c-2", "de-1", "cat"))


# What may be written otherwise, and means the same.
ALIKE: dict[str, Slip] = {
    "small letters of a currency": old("contracts", currency="eur"),
    "capitals and what nobody sees in a login": new("seat_assignment", holder="KIM@example.com\u200b"),
    "due on the day it bears": lambda w: (
        old("receivables", due_on=None)(w), new("invoice", due_on=date(2026, 2, 28))(w),
    ),
    "who pays is whose it is": lambda w: (old("contracts", payer="7")(w), new("subscription", payer_id=None)(w)),
    "ended for canceled": lambda w: (
        old("contracts", status="over")(w),
        new("subscription", status="ended", current_period_starts_at=None, current_period_ends_at=None)(w),
    ),
    "a draft that the target has alone": lambda w: w.rows["invoice"].append(
        {**INVOICE, "invoice_id": "erp.invoices:d", "status": "draft", "number": "D"}
    ),
    "a contract of another system": lambda w: w.rows["subscription"].append(
        {**SUBSCRIPTION, "subscription_id": "crm.deals:1"}
    ),
    "a contract that begins at a time of day": lambda w: (
        old("contracts", begins=datetime(2026, 1, 17, 14, 30))(w),  # noqa: DTZ001 -- a local time
        new("subscription", starts_at=at(2026, 1, 17, 13, 30))(w),
    ),
}  # fmt: skip


def test_what_means_the_same_is_the_same() -> None:
    found = compared(together([after(change) for change in ALIKE.values()]))
    assert found.differences == [] and len(found.status["contract_terms"]) == len(ALIKE)
