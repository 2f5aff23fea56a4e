"""What has to be made good after a rollback: by customer and currency, and never over currencies."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from migration_assets.domain.after_rollback import Document, Kind, Usage, statement

ANNA, BEN = "crm.accounts:1", "crm.accounts:2"


def made(customer: str, kind: Kind, amount: int, status: str = "open", currency: str = "EUR") -> Document:
    return Document(customer, kind, status, currency, amount)


def used(units: str, day: int, feature: str = "calls", contract: str = "erp.contracts:1") -> Usage:
    return Usage(ANNA, contract, feature, Decimal(units), datetime(2026, 7, day, tzinfo=UTC))


def test_where_the_new_system_did_nothing_nothing_is_owed() -> None:
    assert statement([], [], {"notes": 0}).is_empty


def test_what_was_invoiced_is_credited_less_what_the_new_system_credited_itself() -> None:
    (credit,) = statement(
        [made(ANNA, "invoice", 11_900), made(ANNA, "invoice", 100, "written_off"), made(ANNA, "credit_memo", 1_900),
         made(ANNA, "write_off", 100, "")], [], {},
    ).credits  # fmt: skip
    assert (credit.customer, credit.currency, credit.invoices) == (ANNA, "EUR", 2)
    assert (credit.invoiced_minor, credit.credited_minor, credit.credit_minor) == (12_000, 2_000, 10_000)


def test_money_that_was_received_is_returned_less_what_was_refunded() -> None:
    (credit,) = statement(
        [made(ANNA, "payment", 5_000, "settled"), made(ANNA, "payment", 700, "failed"),
         made(ANNA, "payment", 900, "charged_back"), made(ANNA, "refund", 2_000, "settled")], [], {},
    ).credits  # fmt: skip
    assert (credit.received_minor, credit.refunded_minor, credit.money_minor) == (5_000, 2_000, 3_000)


def test_a_customer_who_was_refunded_more_than_they_paid_owes_it() -> None:
    (credit,) = statement([made(ANNA, "refund", 2_000, "settled")], [], {}).credits
    assert credit.money_minor == -2_000


def test_currencies_and_customers_are_kept_apart() -> None:
    found = statement(
        [made(BEN, "invoice", 3), made(ANNA, "invoice", 2, currency="USD"), made(ANNA, "invoice", 1)], [], {}
    ).credits
    assert [(c.customer, c.currency, c.credit_minor) for c in found] == [
        (ANNA, "EUR", 1), (ANNA, "USD", 2), (BEN, "EUR", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status"),
    [("invoice", "draft"), ("invoice", "void"), ("payment", "pending"), ("payment", "failed"), ("refund", "pending")],
)
def test_what_was_never_issued_or_has_not_moved_is_not_credited(kind: Kind, status: str) -> None:
    assert statement([made(ANNA, kind, 100, status)], [], {}).credits == ()


def test_what_is_in_flight_is_told_apart_from_what_has_happened() -> None:
    stays = statement(
        [made(ANNA, "invoice", 1), made(ANNA, "invoice", 1, "void"), made(ANNA, "invoice", 1, "draft"),
         made(ANNA, "payment", 1, "pending")], [], {"seats": 4, "notes": 0},
    ).stays  # fmt: skip
    assert stays == (
        "2 invoices were issued: their numbers are used up, and customers have them",
        "1 invoices are drafts: delete them in the new system before the old one bills",
        "1 payments are pending: wait for them, or cancel them, before the old system collects",
        "4 rows of seats were made by the new system",
    )


def test_usage_is_carried_back_exactly_by_contract_and_feature() -> None:
    found = statement([], [used("0.1", 3), used("0.2", 1), used("5", 2, "seats"), used("1", 2, contract="x")], {}).usage
    assert [(u.contract, u.feature, u.events, u.units) for u in found] == [
        ("erp.contracts:1", "calls", 2, Decimal("0.3")), ("erp.contracts:1", "seats", 1, Decimal(5)),
        ("x", "calls", 1, Decimal(1)),
    ]  # fmt: skip
    assert (found[0].first_at.day, found[0].last_at.day) == (1, 3)
