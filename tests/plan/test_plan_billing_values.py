"""What billing.yaml itself writes has to be something that can be meant: each case is one entry that cannot."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from billing_folder import Edit, bent, faults

from migration_assets.plan.check import check_plan, signed_ahead_faults
from migration_assets.plan.load import load_plan

Told = dict[str, Any]
UPLIFT = {"cause": "proration", "at_most_minor": 1, "reason": "As it was agreed.", "signed_by": "Head of Finance",
          "signed_on": "2026-06-01"}  # fmt: skip

ACCESS = {"feature": "seats", "kind": "loss", "at_most_customers": 3, "reason": "As it was agreed.",
          "signed_by": "Head of RevOps", "signed_on": "2026-07-02"}  # fmt: skip


def field(record: str, name: str, **told: Any) -> Edit:
    """Another way to tell one field."""
    return lambda t: t["legacy"]["reads"][record]["fields"].update({name: told})


def coded(record: str, name: str, **codes: str) -> Edit:
    """One more raw value of a field with codes."""
    return lambda t: t["legacy"]["reads"][record]["fields"][name]["codes"].update(codes)


def without(record: str, *names: str) -> Edit:
    def edit(t: Told) -> None:
        for name in names:
            t["legacy"]["reads"][record]["fields"].pop(name)

    return edit


def no_longer(*records: str) -> Edit:
    """A file that does not read some records."""

    def edit(t: Told) -> None:
        for record in records:
            t["legacy"]["reads"].pop(record)

    return edit


def accepted(**more: Any) -> Edit:
    return lambda t: t["accepted"][0].update(more)


FIELDS = "legacy.reads."


@pytest.mark.parametrize(
    ("edit", "place", "says", "remedy"),
    [
        (coded("contracts", "months", M="0"), "contracts.fields.months.codes.M", "'0' is out of range", "1 to 1200"),
        (coded("contracts", "months", M="-1"), "contracts.fields.months.codes.M", "out of range", "1 to 1200"),
        (coded("plans", "months", Q="one"), "plans.fields.months.codes.Q", "not a whole number", "1 to 1200"),
        (coded("prices", "months", Y="1.5"), "prices.fields.months.codes.Y", "not a whole number", "1 to 1200"),
        (field("contracts", "months", value="9999999"), "contracts.fields.months", "out of range", "1 to 1200"),
        (field("contracts", "country", value="XX"), "contracts.fields.country", "not a country", "ISO 3166-1"),
        (field("overrides", "country", value="Germany"), "overrides.fields.country", "not a country", "ISO 3166-1"),
        (field("contracts", "zone", value="Europe/Berln"), "contracts.fields.zone", "not a time", "'Europe/Berlin'"),
        (field("credits", "zone", value="Middle/Earth"), "credits.fields.zone", "not a time zone", "Europe/Berlin"),
        (field("contracts", "currency", value="EURO"), "contracts.fields.currency", "not a currency", "ISO 4217"),
        (field("prices", "currency", value="eur"), "prices.fields.currency", "not a currency", "ISO 4217"),
        (field("contracts", "anchor", value="32"), "contracts.fields.anchor", "not a day", "2026-01-31"),
        (field("contracts", "anchor", value="2026-02-30"), "contracts.fields.anchor", "not a day", "2026-01-31"),
        (field("seats", "assigned_at", value="2026-02-30T00:00:00Z"), "seats.fields.assigned_at", "not an", "offset"),
        (field("seats", "released_at", value="2026-02-03T00:00:00"), "seats.fields.released_at", "not an", "offset"),
        (field("seats", "seat_id", value="1"), "seats.fields.seat_id", "in common", "raw column"),
        (field("items", "quantity", value="-1"), "items.fields.quantity", "out of range", "at least 0"),
        (field("items", "quantity", value="many"), "items.fields.quantity", "not a whole number", "at least 0"),
        (field("items", "unit_price", value="1,50"), "items.fields.unit_price", "not a number", "write a number"),
        (field("contracts", "tax_exempt", value="maybe"), "contracts.fields.tax_exempt", "neither yes", "yes, t"),
        (coded("grants", "for_each_unit", I="item"), "fields.for_each_unit.codes.I", "neither yes nor no", "yes, t"),
        (field("discounts", "percent", value="101"), "discounts.fields.percent", "out of range", "from 0 to 100"),
        (field("tax_rates", "percent", value="999999"), "tax_rates.fields.percent", "out of range", "from 0 to 100"),
        (field("discounts", "cycles", value="0"), "discounts.fields.cycles", "out of range", "at least 1"),
        (field("grants", "limit", value="-1"), "grants.fields.limit", "out of range", "at least 0"),
        (field("usage", "unit", value=" "), "usage.fields.unit", "is blank", "leave the field out"),
        (field("items", "contract_id", value="S1"), "items.fields.contract_id", "in common", "raw column"),
        (field("contracts", "customer", value="C1"), "contracts.fields.customer", "in common", "raw column"),
        (field("items", "item_id", column=""), "items.fields.item_id.column", "at least 1 character", "change"),
        (field("items", "kind", column="item_kind", codes={}), "items.fields.kind.codes", "at least 1", "change"),
        (field("items", "kind", value="base", codes={"B": "base"}), "items.fields.kind", "about a column", "docs"),
        (field("discounts", "cycles", value="3", none=["-1"]), "discounts.fields.cycles", "about a column", "docs"),
        (coded("items", "kind", **{"B ": "base"}), "items.fields.kind.codes.B ", "is never met", "without blanks"),
        (field("contracts", "paused_on", column="paused_on", exclusive=True), "on.exclusive", "no last day", "out"),
        (field("grants", "unit", column="limit_unit", codes={"GB": "GB"}, none=["GB"]), "unit.none", "as well", "one"),
    ],
)  # fmt: skip
def test_a_value_that_the_field_cannot_have_is_named(
    tmp_path: Path, edit: Edit, place: str, says: str, remedy: str
) -> None:
    (found,) = faults(tmp_path, edit)
    assert found.row > 0 and found.field.startswith(FIELDS) and found.field.endswith(place)
    assert says in found.problem and remedy in found.remedy


def test_a_fault_of_a_code_stands_in_the_line_of_the_code(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, coded("plans", "months", Q="zero"))
    lines = (tmp_path / "acme" / "billing.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[found.row - 1].strip() == "Q: zero"


@pytest.mark.parametrize(
    ("currency", "amount", "says"),
    [
        ({"value": "EUR"}, "5.001", "the smallest coin of EUR"),
        ({"column": "currency", "codes": {"1": "JPY", "2": "KRW"}}, "5.1", "the smallest coin of JPY, KRW"),
        ({"column": "currency"}, "5.00001", "the smallest coin of any currency"),
        ({"value": "EUR"}, "5.000", ""),
        ({"value": "KWD"}, "5.001", ""),
    ],
)
def test_a_fixed_amount_is_no_finer_than_its_currency(tmp_path: Path, currency: Told, amount: str, says: str) -> None:
    def edit(t: Told) -> None:
        t["legacy"]["reads"]["contracts"]["fields"]["currency"] = currency
        t["legacy"]["reads"]["discounts"]["fields"]["amount"] = {"value": amount}

    found = faults(tmp_path, edit)
    assert [f.field for f in found] == (["legacy.reads.discounts.fields.amount"] if says else [])
    assert all(says in f.problem and "decimals" in f.remedy for f in found)


@pytest.mark.parametrize(
    ("edit", "place", "says"),
    [
        (no_longer("lines", "revenue"), "reads.invoices", "line by line"),
        (no_longer("lines", "invoices"), "reads.revenue", "which invoice revenue"),
        (
            no_longer("receivables", "applications", "write_offs", "payments", "refunds", "disputes"),
            "reads.revenue",
            "whose revenue",
        ),
        (no_longer("payments", "refunds", "disputes"), "reads.applications", "came in"),
        (no_longer("applications"), "reads.payments", "what a payment settles"),
        (no_longer("payments", "applications", "disputes"), "reads.refunds", "given back"),
        (no_longer("payments", "applications", "refunds"), "reads.disputes", "contested"),
        (
            no_longer("receivables", "applications", "payments", "refunds", "disputes", "revenue"),
            "reads.write_offs",
            "given up",
        ),
        (without("lines", "line_id"), "reads.lines.fields", "lines are named by"),
        (lambda t: t["legacy"]["reads"].pop("invoices"), "reads.lines", "which invoice"),
        (without("discounts", "percent", "amount"), "reads.discounts.fields", "how much a discount takes off"),
        (without("contracts", "country", "tax_exempt"), "reads.contracts.fields", "whose tax is charged"),
        (without("contracts", "paused_on"), "fields.resumes_on", "when one begins"),
        (without("changes", "percent"), "reads.changes.fields", "kind uplift"),
        (without("changes", "new_quantity"), "reads.changes.fields", "kind ramp"),
        (lambda t: t["legacy"]["reads"].pop("usage"), "features.API.metered_by", "what was used"),
    ],
)
def test_what_says_nothing_without_something_else_is_named(tmp_path: Path, edit: Edit, place: str, says: str) -> None:
    found = faults(tmp_path, edit)
    assert any(f.field.endswith(place) and says in f.problem and f.remedy for f in found)
    assert {f.problem for f in found if says not in f.problem} <= {f.problem for f in found if "metered" in f.field}


def test_changes_to_a_plan_need_plans_and_prices_only_where_bills_to_come_are_told(tmp_path: Path) -> None:
    def edit(t: Told) -> None:
        for record in ("plans", "prices"):
            t["legacy"]["reads"].pop(record)

    found = faults(tmp_path / "a", edit)
    assert {f.field for f in found} == {"legacy.reads.changes.fields.kind"}
    assert len(found) == 4 and all("leave the code out" in f.remedy for f in found)

    def draft(t: Told) -> None:
        edit(t)
        t.pop("target")
        t.pop("accepted")

    assert faults(tmp_path / "b", draft) == []


@pytest.mark.parametrize(
    ("edit", "place", "says", "remedy"),
    [
        (lambda f: f["API"].update(metered_by=["APIS"]), "API.metered_by", "codes/product.csv has no", "'API'"),
        (lambda f: f["MINUTES"].update(metered_by=["API"]), "metered_by", "is used of API already", "once"),
        (lambda f: f["API"].update(metered_by=["API", "API"]), "metered_by", "already", "once"),
        (lambda f: f["SSO"].update(units={"one": "1"}), "SSO.units", "is a switch", "quota"),
        (lambda f: f["SSO"].update(metered_by=["API2"]), "SSO.metered_by", "is a switch", "quota"),
        (lambda f: f.update({" API": dict(f.pop("API"))}), "features. API", "is never met", "raw value"),
    ],
)
def test_a_feature_that_nothing_can_be_billed_by_is_named(
    tmp_path: Path, edit: Edit, place: str, says: str, remedy: str
) -> None:
    found = faults(tmp_path, lambda t: edit(t["legacy"]["features"]))
    assert any(f.field.endswith(place) and says in f.problem and remedy in f.remedy for f in found)
    assert all("legacy.features" in f.field for f in found)


@pytest.mark.parametrize("signer", ["", " ", "-", "?", "TBD", "n/a", "x", "unknown"])
@pytest.mark.parametrize("place", ["", "accepted.0."])
def test_nobody_signs_for_nothing(tmp_path: Path, signer: str, place: str) -> None:
    (found,) = faults(tmp_path, lambda t: (t["accepted"][0] if place else t).update(signed_by=signer))
    assert found.field == f"{place}signed_by" and found.row > 0
    assert "nobody who can sign" in found.problem and "name the person" in found.remedy


@pytest.mark.parametrize(
    ("edit", "place", "says"),
    [
        (accepted(reason="ok"), "accepted.0.reason", "too little"),
        (accepted(at_most_minor=-1), "accepted.0.at_most_minor", "at least 0"),
        (accepted(at_most_minor=True), "accepted.0.at_most_minor", "whole number"),
        (accepted(at_most_minor=10**17), "accepted.0.at_most_minor", "at most"),
        (accepted(signed_on=20260601), "accepted.0.signed_on", "must be a day"),
        (accepted(signed_on="2026-06-31"), "accepted.0.signed_on", "must be a day"),
        (accepted(expires_on="2026-06-01"), "accepted.0", "never count"),
        (accepted(contracts=["S1", "S1"]), "accepted.0.contracts", "twice"),
        (accepted(contracts=[" S1"]), "accepted.0.contracts", "no contract"),
        (accepted(cause="rounding"), "accepted.0.cause", "the same rounding"),
        (accepted(cause="pause"), "accepted.0.cause", "the same pause"),
        (lambda t: t["accepted"].append(dict(UPLIFT)), "accepted.3", "was signed in line"),
        (lambda t: t.update(accepted_access=[{**ACCESS, "signed_by": "TBD"}]), "accepted_access.0.signed_by", "nobody"),
        (lambda t: t.update(accepted_access=[{**ACCESS, "reason": "-"}]), "accepted_access.0.reason", "too little"),
        (lambda t: t.update(accepted_access=[{**ACCESS, "signed_on": 0}]), "accepted_access.0.signed_on", "a day"),
        (lambda t: t.update(signed_on="soon"), "signed_on", "must be a day"),
        (lambda t: t["legacy"]["rules"].update(uplift_decimals=True), "legacy.rules.uplift_decimals", "whole number"),
        (lambda t: t.pop("target"), "accepted", "is never read"),
    ],
)
def test_a_signature_that_cannot_count_is_named(tmp_path: Path, edit: Edit, place: str, says: str) -> None:
    (found,) = faults(tmp_path, edit)
    assert found.field == place and found.row > 0 and found.remedy
    assert says in found.problem


def test_a_difference_may_be_signed_for_anew_with_another_last_day(tmp_path: Path) -> None:
    assert faults(tmp_path, lambda t: t["accepted"].append({**UPLIFT, "expires_on": "2027-01-01"})) == []


def test_a_signature_of_a_day_to_come_is_named_and_one_of_today_is_not(tmp_path: Path) -> None:
    plan = load_plan(bent(tmp_path, accepted(signed_on="2026-07-02")))
    assert signed_ahead_faults(plan, date(2026, 7, 2)) == ()
    (found,) = signed_ahead_faults(plan, date(2026, 7, 1))
    assert found.field == "accepted.0.signed_on" and found.row > 0
    assert "2026-07-02 has not come yet" in found.problem and "day on which it was signed" in found.remedy
    access = load_plan(bent(tmp_path / "access", lambda t: t.update(accepted_access=[ACCESS])))
    assert [f.field for f in signed_ahead_faults(access, date(2026, 7, 1))] == ["accepted_access.0.signed_on"]
    both = signed_ahead_faults(plan, date(2026, 5, 31))
    assert [f.field for f in both if "accepted" not in f.field] == ["signed_on"]


def test_tax_rates_that_nobody_reads_are_named(tmp_path: Path) -> None:
    plan = load_plan(bent(tmp_path, lambda t: (t.pop("target"), t.pop("accepted"))))
    (found,) = check_plan(plan)
    assert (found.file, found.row) == ("tax.csv", 0) and "never read" in found.problem


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        ("unit_price", "double", "not exact"),
        ("quantity", "bool", "no numbers"),
        ("start_date", "timestamp[us, tz=UTC]", "matter of a zone"),
        ("end_date", "int64", "no days"),
    ],
)
def test_a_column_of_a_type_that_is_never_read_is_named(tmp_path: Path, column: str, kind: str, says: str) -> None:
    names = ("sub_item_id", "sub_id", "item_no", "item_kind", "quantity", "price_model", "unit_price", "start_date")
    types = {**dict.fromkeys((*names, "end_date"), "string"), column: kind}
    (found,) = faults(tmp_path, lambda t: None, {"erp.subscription_items": types})
    assert found.field.startswith("legacy.reads.items.fields.") and found.row > 0
    assert kind in found.problem and says in found.problem and found.remedy


def test_a_column_of_local_times_holds_no_instants(tmp_path: Path) -> None:
    names = ("seat_id", "sub_item_id", "contact_id", "holder")
    types = {**dict.fromkeys(names, "string"), "assigned_at": "timestamp[us]", "released_at": "timestamp[us, tz=UTC]"}
    (found,) = faults(tmp_path, lambda t: None, {"erp.seat_assignments": types})
    assert found.field.endswith("seats.fields.assigned_at") and "matter of a zone" in found.problem


def test_a_column_that_codes_are_read_from_may_have_any_type(tmp_path: Path) -> None:
    edit = field("items", "quantity", column="quantity", codes={"True": "1"})
    names = ("sub_item_id", "sub_id", "item_no", "item_kind", "price_model", "unit_price", "start_date", "end_date")
    assert (
        faults(tmp_path, edit, {"erp.subscription_items": {**dict.fromkeys(names, "string"), "quantity": "bool"}}) == []
    )
