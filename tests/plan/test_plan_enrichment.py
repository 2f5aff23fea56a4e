"""What enrichment.yaml may say: fields that may be told at all, by enrichers there are, on somebody's word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_folder import faults, load, load_faults, valid

from migration_assets.plan.comparison import unmapped_fields
from migration_assets.plan.dictionary import data_dictionary
from migration_assets.plan.document import mapping_document

ZONE: dict[str, Any] = {
    "rule": "zone_of_country", "entity": "customer", "field": "time_zone", "enricher": "time_zone",
    "reads": ["country"], "source": "tz database", "confidence": "0.9", "lawful_basis": "contract",
    "reason": "Invoices are due at local midnight.",
}  # fmt: skip
SERVICE = {"url": "${REGISTER}", "sends": ["land"], "answer": "/industry"}


def files_with(*rules: dict[str, Any]) -> dict[str, Any]:
    files = valid()
    files["enrichment.yaml"] = {"rules": list(rules)}
    files["codes/kinds.csv"] = [
        {"code": "A", "target": "person", "reason": ""},
        {"code": "B", "target": "robot", "reason": ""},
    ]
    return files


def test_a_plan_need_not_add_values(tmp_path: Path) -> None:
    assert load(tmp_path, valid()).enrichment == ()


def test_a_rule_is_read_with_all_it_says_and_belongs_to_the_digest(tmp_path: Path) -> None:
    plan = load(tmp_path / "with", files_with(ZONE))
    (rule,) = plan.enrichment
    assert (rule.rule, rule.reads, rule.confidence, rule.lawful_basis) == (
        "zone_of_country",
        ("country",),
        0.9,
        "contract",
    )
    assert plan.digest != load(tmp_path / "without", files_with(ZONE) | {"enrichment.yaml": None}).digest
    assert faults(tmp_path / "with", files_with(ZONE)) == ()


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"enricher": "timezone"}, "enricher", "no enricher 'timezone'"),
        ({"field": "timezone"}, "field", "customer has no field 'timezone'"),
        ({"field": "status"}, "field", "customer.status is required"),
        ({"field": "customer_id"}, "field", "is required"),
        ({"field": "currency"}, "field", "only ever what a source says"),
        ({"field": "tax_id"}, "field", "only ever what a source says"),
        ({"field": "credit_limit_minor"}, "field", "only ever what a source says"),
        ({"field": "parent_id"}, "field", "only ever what a source says"),
        ({"field": "email"}, "enricher", "time_zone cannot give email, which is email"),
        ({"reads": ["land"]}, "reads", "customer has no field 'land'"),
        ({"reads": ["time_zone"]}, "reads", "is missing wherever it is to be filled"),
        ({"reads": ["country", "state", "phone"]}, "reads", "does not read 3 field(s)"),
        ({"where": [{"field": "land", "op": "is_null"}]}, "where.0", "no field 'land'"),
        ({"where": [{"field": "country", "op": "eq", "value": "Germany"}]}, "where.0", "is not a country"),
        ({"arguments": {"strict": True}}, "arguments.strict", "is not known here"),
        ({"reads_of": "address"}, "reads_of", "feeds no address"),
        ({"lawful_basis": "consent", "purpose": "profiling"}, "purpose", "feeds no consent"),
        ({"entity": "contact", "field": "language"}, "entity", "feeds no contact"),
        ({"enricher": "code_list", "arguments": {"list": "zones"}}, "arguments", "no code list codes/zones.csv"),
        ({"enricher": "service", "field": "industry", "arguments": SERVICE | {"sends": ["a", "b"]}}, "arguments",
         "sends 2 keys for 1 fields"),
        ({"enricher": "service", "field": "industry", "arguments": SERVICE | {"token": "abc"}}, "arguments.token",
         "never stands in a plan"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_place(tmp_path: Path, changes: dict[str, Any], field: str, problem: str) -> None:
    found = [f for f in faults(tmp_path, files_with(ZONE | changes)) if f.field == f"rules.0.{field}"]
    assert found and problem in found[0].problem, faults(tmp_path, files_with(ZONE | changes))
    assert found[0].file == "enrichment.yaml" and found[0].row > 0 and found[0].remedy


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"confidence": "1.1"}, "confidence"), ({"confidence": 0}, "confidence"), ({"confidence": "nan"}, "confidence"),
        ({"lawful_basis": "curiosity"}, "lawful_basis"), ({"source": ""}, "source"), ({"reason": "why"}, "reason"),
        ({"entity": "subscription"}, "entity"), ({"only_missing": False}, "only_missing"), ({"reads": []}, "reads"),
    ],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    assert [f.field for f in load_faults(tmp_path, files_with(ZONE | changes))] == [f"rules.0.{field}"]


@pytest.mark.parametrize("changes", [{"lawful_basis": "consent"}, {"purpose": "profiling"}])
def test_a_purpose_goes_with_consent(tmp_path: Path, changes: dict[str, Any]) -> None:
    (fault,) = load_faults(tmp_path, files_with(ZONE | changes))
    assert "goes with lawful_basis consent" in fault.problem


def test_one_value_stands_on_one_word(tmp_path: Path) -> None:
    other = ZONE | {"rule": "zone_of_someone"}
    told = {(f.field, f.problem) for f in faults(tmp_path / "a", files_with(ZONE, other))}
    assert told == {("rules.1.field", "customer.time_zone is filled by the rule 'zone_of_country' already")}
    language = ZONE | {"field": "language", "enricher": "language_of_country"}
    told = {(f.field, f.problem) for f in faults(tmp_path / "b", files_with(ZONE, language))}
    assert told == {("rules.1.rule", "'zone_of_country' stands here twice")}


def test_a_column_that_only_a_rule_fills_is_not_empty(tmp_path: Path) -> None:
    files = files_with(ZONE)
    files["target.yaml"]["tables"]["accounts"]["columns"]["zone"] = "time_zone"
    assert faults(tmp_path / "filled", files) == ()
    (told,) = faults(tmp_path / "empty", {k: v for k, v in files.items() if k != "enrichment.yaml"})
    assert told.field == "tables.accounts.columns.zone"


def test_an_address_has_nobody_else_to_read(tmp_path: Path) -> None:
    files = files_with(ZONE | {"entity": "address", "field": "state", "reads_of": "contact", "reads": ["language"]})
    told = [f.problem for f in faults(tmp_path, files) if f.field == "rules.0.reads_of"]
    assert "rows of address have no contact of their own to read" in told


def test_the_documents_tell_on_whose_word_a_value_stands(tmp_path: Path) -> None:
    plan = load(tmp_path, files_with(ZONE))
    assert ("customer", "time_zone") not in unmapped_fields(plan) and ("customer", "language") in unmapped_fields(plan)
    assert "where missing: customer.country by enricher time_zone (tz database)" in data_dictionary(plan)
    assert "| zone_of_country | customer.time_zone | customer.country | time_zone | tz database | 0.9 | contract |" in (
        mapping_document(plan)
    )
