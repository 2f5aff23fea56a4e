"""The generated documents: complete, true to the plan, and harmless whatever the plan's words are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from billing_folder import ACME, bent
from plan_folder import COLUMNS, CUSTOMERS, SERVICES, SUBSCRIPTIONS, load, pick, valid, write

from migration_assets.engine.rules import REGISTRY
from migration_assets.plan.billing_records import READS
from migration_assets.plan.comparison import LOSSES, compared_fields, left_behind, unmapped_fields
from migration_assets.plan.document import field_comparison, mapping_document
from migration_assets.plan.load import load_plan
from migration_assets.plan.markdown import cell


def test_every_mapping_row_stands_in_the_specification_with_who_vouches_for_it(tmp_path: Path) -> None:
    plan = load(tmp_path, valid())
    lines = mapping_document(plan).splitlines()
    assert (
        "| country | country | country |  | set aside | to target | crm | revops | CONFIRMED | internal | As agreed. |"
        in lines
    )
    for row in plan.mapping:
        assert any(line.startswith(f"| {row.field} | {', '.join(row.columns)} | {row.rule} |") for line in lines)
    assert any(plan.digest in line for line in lines)


def test_the_specification_shows_codes_exclusions_and_conditions(tmp_path: Path) -> None:
    text = mapping_document(load(tmp_path, valid()))
    assert "| mail=yes | mail |" in text
    assert "| no_audit | crm.audit | every row | Nobody needs the old log. |" in text
    assert "plan is present" in text


def test_a_rehearsal_says_so(tmp_path: Path) -> None:
    files = valid()
    files["plan.yaml"]["rehearsal"] = True
    assert "have not been confirmed" in mapping_document(load(tmp_path, files))


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    files = valid()
    files["codes/plans.csv"].append({"code": "C", "target": "basic_month", "reason": ""})
    pick(files, SUBSCRIPTIONS, field="billed_to_date_minor")["arguments"] = (
        '{"unit": "major", "currency": "EUR", "rounding": "half_up"}'
    )
    loss = {(c.entity, c.new): c.loss for c in compared_fields(load(tmp_path, files), COLUMNS)}
    assert loss["subscription", "plan_code"] == "the difference between B, C (all become basic_month)"
    assert loss["subscription_item", "product_code"] == "2 code(s) that mean no value"
    assert "rounded half_up" in loss["subscription", "billed_to_date_minor"]
    assert "set aside" in loss["customer", "country"]
    assert loss["subscription", "customer_id"] == "nothing"


def test_old_types_come_from_the_source(tmp_path: Path) -> None:
    plan = load(tmp_path, valid())
    types = {(c.entity, c.new): c.old_types for c in compared_fields(plan, COLUMNS)}
    assert types["subscription", "customer_id"] == ("int64",)
    assert types["subscription_item", "product_code"] == ("column name", "string")
    assert {c.old_types for c in compared_fields(plan) if c.new == "customer_id"} == {("",)}


def test_columns_that_stay_behind_and_fields_that_stay_empty_are_listed(tmp_path: Path) -> None:
    plan = load(tmp_path, valid())
    assert [(x.table, x.column) for x in left_behind(plan, COLUMNS)] == [
        ("crm.accounts", "updated"),
        ("crm.audit", "note"),
    ]
    assert ("customer", "email") in unmapped_fields(plan)
    assert ("customer", "country") not in unmapped_fields(plan)
    text = field_comparison(plan, COLUMNS)
    assert "| crm.audit | note | string | the exclusion no_audit leaves out every row |" in text
    assert re.search(r"\| crm.accounts \| updated \| timestamp.* \| Nobody asks when an account was changed. \|", text)
    assert "| crm.accounts | updated |  | Nobody asks when an account was changed. |" in field_comparison(plan)
    assert "Not known before the source is read: crm.accounts, crm.subs, crm.audit." in field_comparison(plan)
    some = field_comparison(plan, {"crm.audit": COLUMNS["crm.audit"]})
    assert "| crm.audit | note | string |" in some
    assert "Not known before the source is read: crm.accounts, crm.subs." in some


def test_words_of_a_plan_cannot_become_markup(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["reason"] = "<script>a|b</script> [x](javascript:1)\n# no `code`"
    text = mapping_document(load(tmp_path, files))
    assert "<script>" not in text
    assert "&lt;script&gt;a\\|b&lt;/script&gt; \\[x\\](javascript:1) # no \\`code\\`" in text


def test_invisible_characters_are_written_out() -> None:
    assert cell("a\u200bb\x1b") == "a\\\\u200bb\\\\x1b"


def test_every_rule_says_what_it_loses() -> None:
    assert set(LOSSES) == set(REGISTRY)


def test_documents_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    files = valid()
    before = load(tmp_path / "a", files)
    files[SERVICES].reverse()
    after = load(tmp_path / "b", files)
    assert mapping_document(before) == mapping_document(after)


def bills(folder: Path) -> str:
    """The section on bills of the mapping specification."""
    return mapping_document(load_plan(folder)).split("\n## Bills\n")[1].split("\n## ")[0]


def test_the_specification_says_how_each_side_bills_and_who_signed_what() -> None:
    text = bills(ACME)
    assert "was signed by Head of Finance on 2026-06-01" in text
    assert "| parts of a period | 30e_360 | seconds | yes: proration |" in text
    assert "| parts of the smallest coin | half_up | half_up |  |" in text
    assert "| proration | all | 500 minor units | for good | Parts of a period by the second" in text
    assert "| STORAGE | storage | GB is 1000000000; GiB is 1073741824 |  |" in text
    assert "| API | api-calls | call is 1 | API |" in text
    assert "| DE | 2021-01-01 | 19 |" in text


def test_the_specification_says_of_every_field_of_a_bill_where_it_is_read() -> None:
    plan, text = load_plan(ACME), bills(ACME)
    assert plan.billing is not None
    for record, read in plan.billing.legacy.reads.items():
        section = text.split(f"#### {record}\n")[1].split("\n### ")[0].split("\n#### ")[0]
        assert f"From {read.table}: " in section
        for name, told in read.fields.items():
            assert f"| {name} | {told.column} | " in section
        absent = [name for name in READS[record] if name not in read.fields]
        assert (f"Not read: {', '.join(absent)}." in section) == bool(absent)
    assert "| months | bill_interval | M is 1; Q is 3; Y is 12 | length of a billing period" in text
    assert "| limit | limit_value | -1: none | units that may be used" in text
    assert "From erp.invoices: status not in DRF, VOI and sub_id is present." in text


def test_fixed_values_last_days_and_signatures_for_a_while_are_shown(tmp_path: Path) -> None:
    def edit(told: dict[str, Any]) -> None:
        fields = told["legacy"]["reads"]["contracts"]["fields"]
        fields["zone"] = {"value": "Europe/Berlin"}
        fields["last_day"] = {"column": "end_date", "exclusive": True}
        told["accepted"][0].update(contracts=["S1", "S2"], expires_on="2027-01-01")
        told["accepted_access"] = [
            {"feature": "seats", "kind": "loss", "regions": ["DE"], "at_most_customers": 3, "reason": "Sold apart now.",
             "signed_by": "Head of RevOps", "signed_on": "2026-06-02"}
        ]  # fmt: skip

    text = bills(bent(tmp_path, edit))
    assert "| zone | the same for all: Europe/Berlin |  | " in text
    assert "| last_day | the day before end_date |  | " in text
    assert "| proration | S1, S2 | 500 minor units | before 2027-01-01 | " in text
    access = "| seats | loss | DE | all | 3 customers of a cohort | for good | Sold apart now. | Head of RevOps |"
    assert access in text


def test_a_plan_that_says_nothing_of_the_new_platform_or_of_bills_says_so(tmp_path: Path) -> None:
    def edit(told: dict[str, Any]) -> None:
        del told["target"], told["accepted"]

    folder = bent(tmp_path / "old", edit)
    (folder / "tax.csv").unlink()
    assert "| parts of a period | 30e_360 | not said |  |" in bills(folder)
    files = write(tmp_path / "none", valid())
    assert "The plan has no billing.yaml: nothing is proved about bills." in bills(files)
