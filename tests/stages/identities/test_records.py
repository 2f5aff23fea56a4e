"""Records are compared by what they say, not by how somebody typed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.rules.companies import trading_name
from migration_assets.stages.identities.records import records


def one(table: Any) -> dict[str, Any]:
    (row,) = table.to_pylist()
    return row


def person(**fields: Any) -> dict[str, Any]:
    return {"customer_id": "crm.accounts:1", "kind": "person", "name": "x", "status": "active", **fields}


def test_case_marks_and_punctuation_do_not_tell_people_apart(
    engine: DuckDBEngine, canonical: Callable[..., Any]
) -> None:
    rows = [
        person(customer_id=f"crm.accounts:{i}", given_name=given, family_name=family, tax_id=tax)
        for i, (given, family, tax) in enumerate(
            [("JOSÉ  María", "O'Neill-Šmid", "12-34 5a"), ("José María", "o neill smid", "12345A")]
        )
    ]
    a, b = records(engine, "person", canonical("customer", *rows), None).to_pylist()
    assert {**a, "unique_id": ""} == {**b, "unique_id": ""}
    assert (a["given_name"], a["family_name"], a["tax_id"]) == ("jose maria", "o neill smid", "12345A")


@pytest.mark.parametrize(
    ("line", "street", "number"),
    [
        ("Hauptstraße 12a", "hauptstraße", "12a"),
        ("12 High Street", "high street", "12"),
        ("Im Winkel", "im winkel", None),
        ("1600, Pennsylvania Ave.", "pennsylvania ave", "1600"),
        (None, None, None),
    ],
)
def test_a_line_is_street_and_number_in_either_order(
    engine: DuckDBEngine, canonical: Callable[..., Any], line: str | None, street: str | None, number: str | None
) -> None:
    address = {"address_id": "a", "customer_id": "crm.accounts:1", "kind": "billing", "line1": line, "country": "DE"}
    row = one(records(engine, "person", canonical("customer", person()), canonical("address", address)))
    assert (row["street"], row["house_number"]) == (street, number)


def test_the_billing_address_is_compared_and_else_the_next_there_is(
    engine: DuckDBEngine, canonical: Callable[..., Any]
) -> None:
    def address(key: str, kind: str, owner: int) -> dict[str, Any]:
        return {
            "address_id": key, "customer_id": f"crm.accounts:{owner}", "kind": kind, "city": f"{kind} {key}",
            "country": "DE",
        }  # fmt: skip

    addresses = canonical(
        "address", address("1", "shipping", 1), address("2", "billing", 1), address("3", "shipping", 2),
        address("4", "billing", 1),
    )  # fmt: skip
    customers = canonical("customer", *(person(customer_id=f"crm.accounts:{n}") for n in (1, 2, 3)))
    found = records(engine, "person", customers, addresses).to_pylist()
    assert [r["city"] for r in found] == ["billing 2", "shipping 3", None]


def test_a_company_is_compared_without_its_legal_form(engine: DuckDBEngine, canonical: Callable[..., Any]) -> None:
    company = person(kind="company", name="Müller & Söhne GmbH & Co. KG", website="Mueller.example")
    row = one(records(engine, "company", canonical("customer", company), None))
    assert (row["trading_name"], row["website"]) == ("muller sohne", "mueller.example")


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("Acme, Inc.", "Acme"),
        ("Acme Ltd", "Acme"),
        ("Tiffany & Co.", "Tiffany"),
        ("Foo Pty Ltd", "Foo"),
        ("GmbH", "GmbH"),
        ("Day Spa", "Day Spa"),
        ("Rossi S.p.A.", "Rossi"),
    ],
)
def test_trailing_legal_forms_go_and_something_stays(name: str, bare: str) -> None:
    assert trading_name(name) == bare


def test_only_records_of_the_kind_are_given(engine: DuckDBEngine, canonical: Callable[..., Any]) -> None:
    both = canonical("customer", person(), person(customer_id="crm.accounts:2", kind="company"))
    assert one(records(engine, "company", both, None))["unique_id"] == "crm.accounts:2"
