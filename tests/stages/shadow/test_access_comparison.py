"""What became of each customer's access: the same at every instant, signed for, due to rejected rows, or explained by
nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from legacy_records import tables
from plan_in_code import plan_of
from random_entitlements import ENTITLEMENT, SUBSCRIPTION

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.access_models import AcceptedAccess
from migration_assets.plan.load import load_plan
from migration_assets.plan.source_models import SourceTable
from migration_assets.stages.shadow.access_comparison import DIFFERENCES, Granting, access_compared
from migration_assets.stages.shadow.access_listing import access_csv
from migration_assets.stages.shadow.whose import by_customer
from migration_assets.stages.shadow.worth import yearly

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
END = datetime(2027, 7, 30, 12, tzinfo=UTC)
ANN, BEN = "crm.accounts:A-1", "crm.accounts:A-2"
Row = dict[str, Any]
ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme").billing
assert ACME is not None


def contract(own: str, customer: str, **more: Any) -> Row:
    told = {"contract_id": own, "customer": customer, "status": "active", "zone": "UTC", "first_day": date(2025, 1, 1)}
    return {**told, "currency": "EUR", "months": 1, "anchor": date(2025, 1, 1), "country": "DE", **more}


def item(own: str, contract_id: str, product: str = "PRO", quantity: int = 1, **more: Any) -> Row:
    return {
        "item_id": own,
        "contract_id": contract_id,
        "product": product,
        "quantity": quantity,
        "kind": "base",
        **more,
    }


def grant(product: str = "PRO", feature: str = "SEATS", limit: str | None = "10", overage: str = "block") -> Row:
    number = None if limit is None else Decimal(limit)
    told = {"product": product, "feature": feature, "limit": number, "overage": overage, "for_each_unit": False}
    return {**told, "unit": {"SEATS": "seat", "STORAGE": "GB"}.get(feature)}


def right(own: str, customer: str, limit: str | None = "10", feature: str = "seats", **more: Any) -> Row:
    told = {"entitlement_id": own, "customer_id": customer, "subscription_id": "s", "feature_code": feature}
    kind = "unlimited" if limit is None else "limited"
    told |= {"region": "DE", "starts_at": datetime(2025, 1, 1, tzinfo=UTC), "allowed": True, "limit_kind": kind}
    number = None if limit is None else Decimal(limit)
    return {**told, "limit_units": number, "overage": "block", "granted_by": "plan", **more}


def compare(
    records: Mapping[str, list[Row]],
    held: Sequence[Row],
    accepted: Sequence[AcceptedAccess] = (),
    rejected: Sequence[tuple[str, int]] = (),
    worth: Mapping[str, int] | None = None,
) -> tuple[dict[str, Row], list[Row]]:
    """Customers by key, and differences."""
    billing = ACME.model_copy(update={"accepted_access": tuple(accepted)})
    with DuckDBEngine() as engine:
        left = {"table": [t for t, _ in rejected], "row": [r for _, r in rejected]}
        known = {"customer_id": list(worth or {}), "yearly_minor": list((worth or {}).values())}
        schema = pa.schema([("customer_id", pa.string()), ("yearly_minor", pa.int64()), ("currency", pa.string())])
        sides = Granting(
            tables(engine, {"grants": [grant()], **records}),
            engine.table(pa.Table.from_pylist(list(held), pa.schema(ENTITLEMENT.items()))),
            engine.table(pa.schema(SUBSCRIPTION.items()).empty_table()),
            engine.table(pa.table(left, pa.schema([("table", pa.string()), ("row", pa.int64())]))),
        )
        found = access_compared(
            engine,
            billing,
            sides,
            engine.table(pa.table({**known, "currency": ["EUR"] * len(known["customer_id"])}, schema)),
            AS_OF,
        )
        customers = {r["customer_id"]: r for r in engine.arrow(found.customers).to_pylist()}
        order = ["customer_id", "feature", "region", "starts_at", "status"]
        return customers, engine.arrow(found.differences.order_by(order)).to_pylist()


def told(differences: Sequence[Row]) -> list[tuple[Any, ...]]:
    return [(d["customer_id"], d["feature"], d["region"], d["kind"], d["status"]) for d in differences]


def signed(kind: str = "loss", at_most: int = 9, **more: Any) -> AcceptedAccess:
    about = {"feature": "seats", "kind": kind, "at_most_customers": at_most, "reason": "agreed"}
    return AcceptedAccess.model_validate({**about, "signed_by": "RevOps", "signed_on": "2026-06-01", **more})


ONE = {"contracts": [contract("1", ANN)], "items": [item("1", "1")]}
TWO = {"contracts": [contract("1", ANN), contract("2", BEN)], "items": [item("1", "1"), item("2", "2")]}


def test_who_may_do_the_same_throughout_does_not_differ_and_is_counted() -> None:
    customers, differences = compare(ONE, [right("e", ANN)], worth={ANN: 1200})
    assert differences == []
    ann = customers[ANN]
    assert (ann["legacy_spans"], ann["target_spans"], ann["unanswerable"], ann["yearly_minor"]) == (1, 1, None, 1200)
    assert not any(ann[f"{s}_{k}"] for s in ("signed", "unsigned", "rejected") for k in ("loss", "gain", "change"))


def test_every_change_point_of_thirteen_months_counts_and_nothing_after_it() -> None:
    """Access that ends in the target a day before the window does is lost for a day."""
    (loss,) = compare(ONE, [right("e", ANN, ends_at=datetime(2027, 7, 29, tzinfo=UTC))])[1]
    assert (loss["kind"], loss["starts_at"], loss["ends_at"]) == ("loss", datetime(2027, 7, 29, tzinfo=UTC), END)
    assert compare(ONE, [right("e", ANN, ends_at=END)])[1] == []


def test_a_right_of_somebody_else_is_a_loss_of_one_and_a_gain_of_the_other() -> None:
    customers, differences = compare(ONE, [right("e", BEN)], worth={ANN: 500})
    assert told(differences) == [(ANN, "seats", "DE", "loss", "unsigned"), (BEN, "seats", "DE", "gain", "unsigned")]
    assert [d["yearly_minor"] for d in differences] == [500, None]
    assert (customers[ANN]["unsigned_loss"], customers[BEN]["unsigned_gain"]) == (1, 1)


def test_what_holds_anywhere_holds_in_a_region_that_only_the_other_side_names() -> None:
    anywhere = {"contracts": [contract("1", ANN, country=None)], "items": [item("1", "1")]}
    # The target says it for Germany, too: nobody gains there what they had everywhere.
    assert (
        compare(anywhere, [right("a", ANN, region="*"), right("d", ANN, region="DE", granted_by="override")])[1] == []
    )
    (gain,) = compare(ONE, [right("a", ANN, region="*")])[1]
    assert (gain["region"], gain["kind"]) == ("*", "gain")
    (loss,) = compare(anywhere, [right("d", ANN)])[1]
    assert (loss["region"], loss["kind"]) == ("*", "loss")


def test_a_policy_counts_past_a_limit_and_nowhere_else() -> None:
    (change,) = compare(ONE, [right("e", ANN, overage="bill")])[1]
    assert (change["kind"], change["before_overage"], change["after_overage"]) == ("change", "block", "bill")
    free = {**ONE, "grants": [grant(limit=None)]}
    assert compare(free, [right("e", ANN, None, overage="bill")])[1] == []


def test_a_feature_that_the_plan_does_not_compare_is_no_gain() -> None:
    assert compare(ONE, [right("e", ANN), right("f", ANN, feature="telepathy")])[1] == []


def test_what_a_rejected_row_gave_is_told_apart_from_what_nothing_explains() -> None:
    table = ACME.legacy.reads["contracts"].table
    customers, differences = compare(TWO, [right("e", ANN)], rejected=[(table, 1)])
    assert told(differences) == [(BEN, "seats", "DE", "loss", "rejected")]
    assert customers[BEN]["rejected_loss"] == 1 and customers[BEN]["unsigned_loss"] == 0
    # What is not due to the rejected row is still nobody's to sign away with it.
    _, differences = compare(TWO, [right("e", ANN, "9")], rejected=[(table, 1)])
    assert told(differences) == [(ANN, "seats", "DE", "loss", "unsigned"), (BEN, "seats", "DE", "loss", "rejected")]


def test_a_rejected_part_of_a_contract_costs_what_it_gave_and_no_more() -> None:
    seat = {
        "items": [item("1", "1"), item("2", "1", "SEAT", kind="add_on")],
        "grants": [grant(), grant("SEAT", limit="5")],
    }
    rejected = [(ACME.legacy.reads["items"].table, 1)]
    (loss,) = compare({**ONE, **seat}, [right("e", ANN)], rejected=rejected)[1]
    assert (loss["status"], loss["before_limit_units"], loss["after_limit_units"]) == ("rejected", 15, 10)


def test_of_whom_the_old_system_cannot_tell_nothing_is_guessed_unless_the_row_is_not_moved() -> None:
    odd = {"contracts": [contract("1", ANN), contract("2", ANN, zone="Mars/Base")], "items": [item("1", "1")]}
    customers, differences = compare(odd, [])
    assert (customers[ANN]["unanswerable"], differences) == ("unknown_zone", [])
    customers, differences = compare(odd, [], rejected=[(ACME.legacy.reads["contracts"].table, 1)])
    assert customers[ANN]["unanswerable"] is None
    assert told(differences) == [(ANN, "seats", "DE", "loss", "unsigned")]


@pytest.mark.parametrize(
    ("accepted", "status"),
    [
        ((), "unsigned"),
        ((signed(),), "signed"),
        ((signed(kind="gain"),), "unsigned"),
        ((signed(feature="storage"),), "unsigned"),
        ((signed(regions=["DE"]),), "signed"),
        ((signed(regions=["FR", "*"]),), "unsigned"),
        ((signed(customers=[ANN, BEN]),), "signed"),
        ((signed(expires_on="2026-07-01"),), "signed"),
        # The day on which it expires is the first on which it counts no more, and it is the day of T.
        ((signed(expires_on="2026-06-30"),), "unsigned"),
        # Two customers lose: what was signed for one is not what happens.
        ((signed(at_most=1),), "unsigned"),
        ((signed(at_most=2),), "signed"),
    ],
)
def test_a_loss_is_signed_for_up_to_what_was_signed_and_no_further(
    accepted: Sequence[AcceptedAccess], status: str
) -> None:
    customers, differences = compare(TWO, [], accepted)
    assert [(d["status"], d["signed_by"]) for d in differences] == [
        (status, "RevOps" if status == "signed" else None)
    ] * 2
    assert customers[ANN][f"{status}_loss"] == 1


def test_what_is_signed_of_named_customers_is_signed_of_no_other() -> None:
    _, differences = compare(TWO, [], [signed(customers=[BEN])])
    assert told(differences) == [(ANN, "seats", "DE", "loss", "unsigned"), (BEN, "seats", "DE", "loss", "signed")]


def test_the_sheet_begins_with_losses_that_nobody_signed_for_of_the_largest_customer() -> None:
    _, differences = compare(
        TWO, [right("g", "crm.accounts:A-3", None)], [signed(customers=[ANN])], worth={ANN: 900, BEN: 100}
    )
    with DuckDBEngine() as engine:
        sheet = list(
            csv.DictReader(
                io.StringIO(access_csv(engine, engine.table(pa.Table.from_pylist(differences, DIFFERENCES))))
            )
        )
    assert [(r["customer_id"][-1], r["kind"], r["status"]) for r in sheet] == [
        ("2", "loss", "unsigned"),
        ("3", "gain", "unsigned"),
        ("1", "loss", "signed"),
    ]
    assert (sheet[0]["before"], sheet[0]["after"]) == ("up to 10, then block", "nothing")
    assert sheet[1]["after"] == "without limit"


def test_a_contract_is_whose_row_it_leads_to_is_and_not_whose_the_mapping_says() -> None:
    sources = {
        "erp.customers": SourceTable(read_from="customers", key=["no"], owner="self"),
        "erp.contracts": SourceTable(read_from="contracts", key=["id"], owner="no", references={"no": "erp.customers"}),
    }
    plan = plan_of(sources)
    reads = {"contracts": ACME.legacy.reads["contracts"].model_copy(update={"table": "erp.contracts"})}
    legacy = ACME.legacy.model_copy(update={"reads": reads})
    raw = {
        "erp.customers": pa.table({"_row": [0, 1], "no": ["C1", "C2"]}),
        "erp.contracts": pa.table({"_row": [0, 1, 2, 3], "id": list("abcd"), "no": ["C1", "C2", "C9", None]}),
    }
    identities = pa.table({"customer_id": ["erp.customers:C1", "erp.customers:C2"], "identity_id": [ANN, ANN]})
    rows = [contract(own, "whoever") for own in "abcd"]
    with DuckDBEngine() as engine:
        records = {"contracts": tables(engine, {"contracts": rows})["contracts"]}
        found = by_customer(
            engine, plan, legacy, lambda table: engine.table(raw[table]), records, engine.table(identities)
        )
        whose = {r["contract_id"]: r["customer"] for r in engine.arrow(found["contracts"]).to_pylist()}
    assert whose == {"a": ANN, "b": ANN, "c": "erp.customers:C9", "d": None}


def test_a_customer_is_worth_what_is_billed_in_a_year_in_the_currency_of_most() -> None:
    forecast = pa.table(
        {"contract_id": ["1", "2", "3"], "currency": ["EUR", "EUR", "JPY"], "legacy_minor": [1200, 12_000, 50]}
    )
    contracts = [contract("1", ANN), contract("2", ANN, months=12), contract("3", ANN, currency="JPY")]
    with DuckDBEngine() as engine:
        records = tables(engine, {"contracts": contracts})
        (row,) = engine.arrow(yearly(engine, engine.table(forecast), records["contracts"])).to_pylist()
    assert row == {"customer_id": ANN, "currency": "EUR", "yearly_minor": 2200}
