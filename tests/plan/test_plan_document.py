"""The generated documents: complete, true to the plan, and harmless whatever the plan's words are."""

from __future__ import annotations

from pathlib import Path

from plan_folder import COLUMNS, CUSTOMERS, SERVICES, SUBSCRIPTIONS, load, pick, valid

from migration_assets.engine.rules import REGISTRY
from migration_assets.plan.comparison import LOSSES, compared_fields, left_behind, unmapped_fields
from migration_assets.plan.document import field_comparison, mapping_document
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
    assert "| crm.audit | note | string |" in text
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
