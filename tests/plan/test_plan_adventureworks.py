"""The plan for the public AdventureWorks LT files: no faults, and what it says of the files is so.

The files are not part of this repository: ADVENTUREWORKS_DIR names their folder, or it lies beside it.
"""

from __future__ import annotations

import csv
import os
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from migration_assets.connectors.opening import open_source
from migration_assets.plan.check import check_plan
from migration_assets.plan.comparison import left_behind
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("ADVENTUREWORKS_DIR") or ROOT / "../shared/data/adventureworks_lt")

Rows = list[dict[str, str]]
KEY = {"person_by_mailbox": ("email", "given_name", "family_name", "company_name")}
COLUMN = {"email": "EmailAddress", "given_name": "FirstName", "family_name": "LastName", "company_name": "CompanyName"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(ROOT / "plans/adventureworks")


@pytest.fixture(scope="module")
def files() -> dict[str, Rows]:
    """Rows of the tables these tests look at, as a plain reader finds them."""
    if not FOLDER.is_dir():
        pytest.skip("the AdventureWorks files are not here: set ADVENTUREWORKS_DIR to the folder with SalesLT.*.csv")
    names = ("Customer", "CustomerAddress", "Address", "SalesOrderHeader", "SalesOrderDetail")
    found = {}
    for name in names:
        with (FOLDER / f"SalesLT.{name}.csv").open(newline="", encoding="utf-8-sig") as file:
            found[name] = list(csv.DictReader(file))
    return found


def test_the_plan_has_no_faults(plan: Plan) -> None:
    assert check_plan(plan) == ()


def test_its_columns_are_those_of_the_files(plan: Plan, files: dict[str, Rows]) -> None:
    system = plan.file.sources["aw"]
    with open_source("csv", str(FOLDER), system.options).snapshot() as snapshot:
        columns = {
            name: {c.name: c.type for c in snapshot.columns(declared.read_from) if c.name not in declared.secret}
            for name, declared in plan.source_tables.items()
        }
    assert check_plan(plan, columns=columns) == ()
    behind = {x.column for x in left_behind(plan, columns) if x.table == "aw.order_lines"}
    assert behind == {"rowguid"}, "every figure of a line moves"
    behind = {x.column for x in left_behind(plan, columns) if x.table == "aw.addresses"}
    assert behind == {"rowguid", "ModifiedDate"}, "what is read over a reference is not left behind"


def test_passwords_are_declared_as_never_to_be_read(plan: Plan, files: dict[str, Rows]) -> None:
    telling = {c for c in files["Customer"][0] if "password" in c.lower()}
    assert telling == set(plan.source_table("aw.customers").secret) == {"PasswordHash", "PasswordSalt"}


def test_rows_that_the_key_ties_agree_in_all_but_their_own_number(plan: Plan, files: dict[str, Rows]) -> None:
    """Why the plan may merge them: the same person, written down twice."""
    assert {k.name: k.fields for k in plan.file.identity.keys} == KEY
    together = defaultdict(list)
    for row in files["Customer"]:
        together[tuple(row[COLUMN[f]] for f in KEY["person_by_mailbox"])].append(row)
    assert Counter(map(len, together.values())) == {1: 33, 2: 407}
    differ = {c for one, *others in together.values() for other in others for c in one if one[c] != other[c]}
    assert differ == {"CustomerID", "rowguid"}
    assert len({row["EmailAddress"] for row in files["Customer"]}) == len(together) == 440


def test_its_code_lists_cover_the_files(plan: Plan, files: dict[str, Rows]) -> None:
    known = {name: {c.code for c in codes} for name, codes in plan.codes.items()}
    assert {row["AddressType"] for row in files["CustomerAddress"]} == known["address_kind"]
    assert {row["Status"] for row in files["SalesOrderHeader"]} <= known["order_status"]


def test_every_order_names_an_address_of_its_own_customer(files: dict[str, Rows]) -> None:
    theirs = {(row["CustomerID"], row["AddressID"]) for row in files["CustomerAddress"]}
    for column in ("BillToAddressID", "ShipToAddressID"):
        assert {(row["CustomerID"], row[column]) for row in files["SalesOrderHeader"]} <= theirs


def test_subtotals_are_not_what_the_lines_make(files: dict[str, Rows]) -> None:
    """The finding on the source that the checks report; should the files be mended, this says so."""
    made: dict[str, Decimal] = defaultdict(Decimal)
    for row in files["SalesOrderDetail"]:
        made[row["SalesOrderID"]] += (
            int(row["OrderQty"]) * Decimal(row["UnitPrice"]) * (1 - Decimal(row["UnitPriceDiscount"]))
        )
    said = {row["SalesOrderID"]: Decimal(row["SubTotal"]) for row in files["SalesOrderHeader"]}
    assert (sum(said.values()), sum(made.values())) == (Decimal("865433.1171"), Decimal("708690.153058"))
    assert [order for order in said if said[order] == made[order]] == []
