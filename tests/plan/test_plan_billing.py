"""What billing.yaml may say, and what is wrong with it by file, line and remedy."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from billing_folder import ACME, Edit, bent, faults, tax_faults

from migration_assets.domain.back_test import Reason
from migration_assets.domain.legacy.terms import Rules
from migration_assets.plan.access_models import AcceptedAccess, Budget
from migration_assets.plan.billing_models import LegacyRules
from migration_assets.plan.billing_records import READS
from migration_assets.plan.check import check_plan
from migration_assets.plan.load import load_plan

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "billing.md").read_text(encoding="utf-8")
BOTH = {"value": "1", "column": "quantity"}
NONE = {"column": "used", "none": ["0"]}
WORD = {"column": "limit_value", "none": ["unlimited"]}
BUDGET = {"at_most_customers": 3, "reason": "Each is called.", "signed_by": "RevOps", "signed_on": "2026-06-01"}
SIGNED = {
    "feature": "seats",
    "kind": "loss",
    "at_most_customers": 3,
    "reason": "As was agreed.",
    "signed_by": "RevOps",
    "signed_on": "2026-06-01",
}


TIERS = {"table": "erp.subscription_items", "fields": {"price": "item_no", "unit_price": "unit_price"}}


def with_tiers(told: dict[str, Any], **more: str) -> None:
    """Reads items of which some have prices by tiers, and the tiers; `more`: other fields of items."""
    told["legacy"]["reads"]["tiers"] = TIERS
    fields = told["legacy"]["reads"]["items"]["fields"]
    fields["model"]["codes"]["TIE"] = "tiered"
    fields.update(more)


def prices(model: str) -> dict[str, Any]:
    fields = {"product": "item_no", "currency": "currency", "unit_price": "list_price"}
    return {"table": "erp.price_list", "fields": {**fields, "months": {"value": "1"}, "model": {"value": model}}}


def test_acmes_own_file_has_no_fault_and_counts_for_the_digest(tmp_path: Path) -> None:
    assert faults(tmp_path, lambda told: None) == []
    before = load_plan(tmp_path / "acme").digest
    with (tmp_path / "acme" / "billing.yaml").open("a", encoding="utf-8") as file:
        file.write("# one more remark\n")
    assert load_plan(tmp_path / "acme").digest != before


def test_a_hold_before_renewals_needs_what_tells_when_contracts_renew(tmp_path: Path) -> None:
    folder = bent(tmp_path, lambda told: told.pop("target"))
    with (folder / "plan.yaml").open("a", encoding="utf-8") as file:
        file.write("hold_before_renewal_days: 2\n")
    [fault] = [f for f in check_plan(load_plan(folder)) if f.file == "plan.yaml"]
    assert fault.field == "hold_before_renewal_days" and "when contracts renew" in fault.problem
    (folder / "billing.yaml").write_text((ACME / "billing.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert check_plan(load_plan(folder)) == ()


@pytest.mark.parametrize(
    ("edit", "field", "says"),
    [
        (lambda t: t["legacy"]["rules"].update(proration="30_360"), "legacy.rules.proration", "30e_360"),
        (lambda t: t["legacy"]["reads"]["items"].update(table="erp.subscription_item"), "table", "no table"),
        (lambda t: t["legacy"]["reads"].pop("items"), "legacy", "items"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].pop("unit_price"), "legacy", "unit_price"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(colour="x"), "legacy", "colour"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"]["kind"]["codes"].update(B="basic"), "kind", "basic"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(quantity=BOTH), "quantity", "both"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(kind="item_kind"), "kind", "base or add_on or usage"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(kind={"value": "basic"}), "kind", "basic"),
        (
            lambda t: t["legacy"]["reads"]["items"]["fields"]["model"]["codes"].update(TIE="tiered"),
            "model",
            "where `tiers` are",
        ),
        (lambda t: t["legacy"]["reads"].update(tiers=TIERS), "reads.tiers", "leave them out"),
        (with_tiers, "items.fields", "`price`, which tiers name it by"),
        (lambda t: t["legacy"]["reads"].update(prices=prices("package")), "prices.fields", "how many units"),
        (lambda t: t["legacy"]["reads"].update(prices=prices("per_item")), "model", "flat"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(model={"value": "volume"}), "model", "tiers"),
        (lambda t: t["legacy"]["features"]["API"].update(feature="api-call"), "features.API.feature", "api-calls"),
        (lambda t: t["legacy"]["features"]["STORAGE"]["units"].update(GB="1e9"), "units.GB", "no number"),
        (lambda t: t["legacy"]["reads"]["usage"]["fields"].update(used=NONE), "usage.fields.used.none", "where"),
        (lambda t: t["legacy"]["reads"]["grants"]["fields"].update(limit=WORD), "limit.none", "is no number"),
        (lambda t: t["target"]["rules"].update(proration="months"), "target.rules.proration", "seconds"),
        (lambda t: t["accepted"][0].update(cause="luck"), "accepted.0.cause", "proration"),
        (lambda t: t["accepted"][0].update(cause="unexplained"), "accepted.0", "named contracts"),
        (lambda t: t.update(accepted_access=[SIGNED | {"feature": "seat"}]), "accepted_access.0.feature", "seats"),
        (lambda t: t.update(accepted_access=[SIGNED | {"regions": ["*", "UK"]}]), "accepted_access.0.regions", "3166"),
        (lambda t: t.update(accepted_access=[SIGNED | {"expires_on": "2026-06-01"}]), "0.expires_on", "later day"),
        (lambda t: t.update(accepted_access=[SIGNED | {"at_most_customers": 0}]), "0.at_most_customers", "1"),
        (lambda t: t["legacy"]["reads"]["overrides"].update(table="erp.plans"), "reads.overrides.table", "`owner`"),
        (lambda t: t["legacy"]["reads"]["contracts"]["fields"].update(payer="le_code"), "payer", "`references`"),
        (lambda t: t["legacy"]["reads"]["receivables"]["fields"].update(payer={"value": "9"}), "payer", "names no"),
        (
            lambda t: t["legacy"]["reads"]["seats"]["fields"].update(contact="seat_id"),
            "seats.fields.contact",
            "contact",
        ),
        (lambda t: t["legacy"]["reads"]["seats"]["fields"].pop("item_id"), "legacy.reads.seats.fields", "item_id"),
        (lambda t: t.update(budget=BUDGET | {"at_most_customers": 0}), "budget.at_most_customers", "1"),
        (
            lambda t: t.update(budget=BUDGET | {"at_most_yearly_minor": {"EURO": 5}}),
            "at_most_yearly_minor.EURO",
            "4217",
        ),
        (lambda t: t.update(budget=BUDGET | {"signed_by": "TBD"}), "budget.signed_by", "name"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, edit: Edit, field: str, says: str) -> None:
    found = faults(tmp_path, edit)
    assert len(found) == 1
    assert found[0].row > 0 and found[0].remedy
    assert field in found[0].field
    assert says in f"{found[0].problem} {found[0].remedy}"


def renamed(t: dict[str, Any], record: str, old: str, new: str) -> None:
    fields = t["legacy"]["reads"][record]["fields"]
    fields[new] = fields.pop(old)


def test_a_mistyped_name_of_a_field_is_told_in_its_line_with_the_one_that_is_meant(tmp_path: Path) -> None:
    found = {f.field: f for f in faults(tmp_path, lambda t: renamed(t, "contracts", "contract_id", "contrat_id"))}
    typo = found["legacy.reads.contracts.fields.contrat_id"]
    lines = (tmp_path / "acme" / "billing.yaml").read_text(encoding="utf-8").splitlines()
    assert "contrat_id" in lines[typo.row - 1] and typo.remedy == "did you mean 'contract_id'?"
    assert "contracts need contract_id" in found["legacy.reads.contracts.fields"].problem


def test_every_mistyped_name_is_told_at_once_and_no_field_that_is_there_is_meant(tmp_path: Path) -> None:
    def edit(t: dict[str, Any]) -> None:
        renamed(t, "items", "first_day", "first_days")
        t["legacy"]["reads"]["discounts"]["fields"]["contract_ids"] = "x"

    remedies = {f.field.rpartition(".")[2]: f.remedy for f in faults(tmp_path, edit)}
    assert remedies["first_days"] == "did you mean 'first_day'?"
    assert remedies["contract_ids"].startswith("remove it; known are ")


def test_a_mistyped_kind_of_record_or_word_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    def edit(t: dict[str, Any]) -> None:
        t["legacy"]["reads"]["discount"] = t["legacy"]["reads"].pop("discounts")
        t["legacy"]["rules"]["rounding"] = "half-up"

    remedies = [f.remedy for f in faults(tmp_path, edit)]
    assert "did you mean 'discounts'?" in remedies and "did you mean 'half_up'?" in remedies


def test_prices_by_tiers_are_read_where_something_says_the_tiers(tmp_path: Path) -> None:
    assert faults(tmp_path, lambda t: with_tiers(t, price="item_no")) == []


def test_a_fixed_value_that_is_one_of_the_words_needs_no_codes(tmp_path: Path) -> None:
    assert faults(tmp_path, lambda t: t["legacy"]["reads"].update(prices=prices("flat"))) == []


def test_a_column_the_source_does_not_have_is_named_when_the_source_is_known(tmp_path: Path) -> None:
    columns = {"erp.tax_rates": {"country": "text", "valid_from": "date", "tax_percent": "numeric"}}
    (found,) = faults(tmp_path, lambda told: None, columns)
    assert found.field == "legacy.reads.tax_rates.fields.percent"
    assert "tax_pct" in found.problem


def test_a_condition_on_a_column_the_source_does_not_have_is_named(tmp_path: Path) -> None:
    there = ("invoice_id", "sub_id", "currency", "period_from", "period_to", "issue_date", "subtotal", "tax", "state")
    found = faults(tmp_path, lambda told: None, {"erp.invoices": dict.fromkeys(there, "text")})
    told = {f.field: f.problem for f in found if f.field.startswith("legacy.reads.invoices.")}
    assert told.keys() == {"legacy.reads.invoices.where.0.field"}
    assert "'status'" in told["legacy.reads.invoices.where.0.field"]


def test_a_table_of_balances_whose_rows_are_nobodys_is_named(tmp_path: Path) -> None:
    def edit(told: dict[str, Any]) -> None:
        told["legacy"]["reads"]["credits"]["table"] = "erp.exchange_rates"

    found = [f for f in faults(tmp_path, edit) if f.field == "legacy.reads.credits.table"]
    assert ["lead to no customer" in f.problem and "`owner`" in f.remedy for f in found] == [True]


def test_a_secret_column_is_not_read_though_the_source_is_not_known(tmp_path: Path) -> None:
    def edit_secret(told: dict[str, Any]) -> None:
        plan = tmp_path / "acme" / "plan.yaml"
        text = plan.read_text(encoding="utf-8")
        secret = text.replace("      invoices:\n", "      invoices:\n        secret: [sub_id, tax]\n")
        assert secret != text
        plan.write_text(secret, encoding="utf-8")

    found = faults(tmp_path, edit_secret)
    assert {f.field for f in found} == {
        "legacy.reads.invoices.where.1.field",
        "legacy.reads.invoices.fields.contract_id",
        "legacy.reads.invoices.fields.tax",
    }
    assert all("is secret" in f.problem for f in found)


@pytest.mark.parametrize(
    ("rows", "row", "says"),
    [
        ("DE,2021-01-01,19\nXX,2021-01-01,19\n", 3, "not a country"),
        ("DE,2021-01-01,19 %\n", 2, "no percentage"),
        ("DE,2021-01-01,999999\n", 2, "no percentage"),
        ("DE,2021-01-01,100.01\n", 2, "no percentage"),
        ("DE,2021-01-01,-1\n", 2, "no percentage"),
        ("DE,2021-02-30,19\n", 2, "must be a day"),
        ("DE,20210101,19\n", 2, "must be a day"),
        ("DE,2021-01-01,19\nDE,2021-01-01,16\n", 3, "line 2"),
        (None, 0, "what tax"),
    ],
)
def test_tax_rates_that_mean_nothing_are_named(tmp_path: Path, rows: str | None, row: int, says: str) -> None:
    (found,) = tax_faults(tmp_path, rows)
    assert found.row == row and says in found.problem and found.remedy


def test_what_the_page_tells_people_to_write_is_what_acme_has() -> None:
    written, steps, access, budget = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    has = yaml.safe_load((ACME / "billing.yaml").read_text(encoding="utf-8"))
    assert _within(yaml.safe_load(written), has)
    # Acme sells nothing by tiers, and has signed for no change of access.
    for record, said in yaml.safe_load(steps).items():
        assert set(said["fields"]) <= set(READS[record])
    assert [AcceptedAccess.model_validate(told).feature for told in yaml.safe_load(access)["accepted_access"]]
    assert Budget.model_validate(yaml.safe_load(budget)["budget"]).at_most_customers == 3


def _within(part: object, whole: object) -> bool:
    """Whether a part says nothing that the whole does not say."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    return part == whole


def test_the_page_explains_every_reason_and_names_the_rules_that_are_tried() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(get_args(Reason))
    (tried,) = re.findall(r"it tries (.+?), one at a time", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", tried)) == {f.name for f in dataclasses.fields(Rules)} - {"uplift_decimals"}


def test_the_page_names_only_fields_that_can_be_read() -> None:
    known = {field for fields in READS.values() for field in fields} | READS.keys() | LegacyRules.model_fields.keys()
    known |= {word for fields in READS.values() for told in fields.values() for word in told.means}
    named = {n for row in PAGE.splitlines() if row.startswith("| `") for n in re.findall(r"`(\w+)`", row)}
    assert named - known - set(get_args(Reason)) == {"exclusive", "where"}


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/billing.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
