"""The suites of expectations/ load, and say what the canonical model needs said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import PlanFaults
from migration_assets.quality.generated import EntriesDeclaration, SourceDeclaration, generated_suite
from migration_assets.quality.suite import Suite, load_suite

EXPECTATIONS = Path(__file__).parents[2] / "expectations"
FILES = sorted(EXPECTATIONS.glob("*.yaml"))
CANONICAL = ("reference_data", "cleansed_customers", "transformed_entitlements", "transformed_billing")
GOOD = """asset: demo
rules:
  - check: rows
    table: customer
    why: There should be customers.
    type: rows_exist
    severity: critical
"""


def suite(asset: str) -> Suite:
    return load_suite(EXPECTATIONS / f"{asset}.yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_suite_loads_and_is_named_after_its_asset(path: Path) -> None:
    assert load_suite(path).asset == path.stem


def _entities(asset: str) -> list[str]:
    return [n for n, e in ENTITIES.items() if e.stage == asset]


@pytest.mark.parametrize("asset", CANONICAL)
def test_every_required_field_and_key_of_a_stage_is_checked(asset: str) -> None:
    rules = {r.check: r for r in suite(asset).rules}
    for name in _entities(asset):
        needed = {f.name for f in ENTITIES[name].fields if f.required}
        assert needed <= set(rules[f"{name}_complete"].built.columns()), name
        assert rules[f"{name}_complete"].severity == "critical"
        assert rules[f"{name}_key_unique"].built.columns() == (ENTITIES[name].key.name,)


@pytest.mark.parametrize("asset", CANONICAL)
def test_every_reference_and_code_list_of_a_stage_is_checked(asset: str) -> None:
    rules = suite(asset).rules
    pointed = {
        (r.table, r.built.columns()[0], t) for r in rules if r.type == "references_exist" for t in r.built.others()
    }
    coded = {(r.table, c) for r in rules if r.type == "codes_valid" for c in r.built.columns()}
    for name in _entities(asset):
        for f in ENTITIES[name].fields:
            if f.references:
                assert (name, f.name, f.references.removeprefix("catalog.")) in pointed
            if f.codes:
                assert (name, f.name) in coded


@pytest.mark.parametrize("asset", CANONICAL)
def test_code_lists_of_a_suite_are_those_of_the_model(asset: str) -> None:
    for rule in suite(asset).rules:
        if rule.type == "codes_valid" and rule.table in ENTITIES:
            for column, codes in rule.kwargs["codes"].items():
                assert tuple(codes) == ENTITIES[rule.table].field(column).codes


def test_money_of_a_rule_is_an_amount_with_its_currency() -> None:
    for path in FILES:
        for rule in load_suite(path).rules:
            if rule.money and rule.table in ENTITIES:
                entity = ENTITIES[rule.table]
                # What a rule adds to rows at fault is in the unit of the amount that it looks at.
                added = rule.money.amount in rule.built.added()
                amount = rule.kwargs["amount"] if added else rule.money.amount
                assert entity.field(amount).type == "money"
                assert entity.field(rule.money.currency).type == "currency"


def test_rules_over_entities_that_a_plan_does_not_feed_are_dropped() -> None:
    whole = suite("transformed_billing")
    some = whole.for_entities({"customer", "invoice", "invoice_line"})
    assert some.tables <= {"customer", "invoice", "invoice_line", "notes", "dispositions"}
    assert {"invoice_lines_tie", "codes_known"} <= {r.check for r in some.rules}
    assert "invoice_applied_within_total" not in {r.check for r in some.rules}


def write(folder: Path, text: str) -> Path:
    path = folder / "demo.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_faults_of_a_file_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    text = (
        GOOD
        + """  - check: Bad Name
    table: customer
    why: Names are for machines too.
    type: rows_exist
    severity: critical
  - check: unknown_type
    table: customer
    why: There is no such rule type.
    type: run_my_sql
    severity: critical
  - check: unknown_column
    table: customer
    why: The customer has no such field.
    type: present
    kwargs: {columns: [shoe_size]}
    severity: critical
  - check: rows
    table: customer
    why: This name was used before.
    type: rows_exist
    severity: fatal
"""
    )
    with pytest.raises(PlanFaults) as caught:
        load_suite(write(tmp_path, text))
    found = {(f.row, f.field) for f in caught.value.faults}
    assert {(8, "check"), (13, "type"), (18, "rule"), (24, "check"), (24, "severity")} <= found
    assert all(f.file == "demo.yaml" and f.remedy for f in caught.value.faults)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- just\n- a list\n",
        "asset: demo\n",
        "asset: demo\nrules: []\n",
        "asset: demo\nrules: [x]\n",
        GOOD + "surprise: 1\n",
        GOOD.replace("type: rows_exist", "type: rows_exist\n    sql: select 1"),
        GOOD.replace("asset: demo", "asset: !!python/object/apply:os.system ['true']"),
        GOOD.replace("asset: demo", "asset: &a demo\nmay_be_empty: [*a]"),
        GOOD.replace("asset: demo", "asset: demo\nasset: again"),
        GOOD.replace("type: rows_exist", "type: rows_exist\n    type: present"),
        GOOD.replace("rows_exist", "compare").replace("severity", "kwargs: {left: kind, op: eq}\n    severity"),
        GOOD.replace("rows_exist", "expect_column_values_to_match_regex").replace(
            "severity", "kwargs: {column: kind, regex: '('}\n    severity"
        ),
        "asset: [" * 2_000,
        "\x00",
    ],
)
def test_a_bad_file_is_a_fault_of_the_plan(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlanFaults):
        load_suite(write(tmp_path, text))


def test_a_missing_or_unreadable_file_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanFaults):
        load_suite(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("asset: démo".encode("latin-1"))
    with pytest.raises(PlanFaults):
        load_suite(tmp_path / "latin.yaml")


AGAIN = "asset: other\nagain:\n  suite: demo\n  checks: [rows]\n"


def test_a_suite_asks_checks_of_another_again_in_that_ones_words(tmp_path: Path) -> None:
    demo = load_suite(write(tmp_path, GOOD))
    other = tmp_path / "other.yaml"
    other.write_text(AGAIN, encoding="utf-8")
    assert load_suite(other).rules == demo.rules and load_suite(other).asset == "other"
    own = GOOD.partition("rules:\n")[2].replace("check: rows", "check: more_rows")
    other.write_text(f"{AGAIN}rules:\n{own}", encoding="utf-8")
    assert [r.check for r in load_suite(other).rules] == ["rows", "more_rows"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (AGAIN.replace("[rows]", "[rows, rowss]"), "demo has no check 'rowss'"),
        (AGAIN.replace("[rows]", "[]"), "at least 1 item"),
        (AGAIN.replace("suite: demo", "suite: other"), "this suite itself"),
        (AGAIN.replace("suite: demo", "suite: third"), "asks checks again itself"),
        (AGAIN.replace("suite: demo", "suite: nobody"), "cannot be read"),
        (AGAIN.replace("suite: demo", "suite: ../demo"), "should match pattern"),
        (AGAIN + GOOD.replace("asset: demo\n", ""), "used twice"),
    ],
)
def test_what_cannot_be_asked_again_is_a_fault(tmp_path: Path, text: str, problem: str) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "third.yaml").write_text(AGAIN.replace("asset: other", "asset: third"), encoding="utf-8")
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PlanFaults, match=re.escape(problem)):
        load_suite(tmp_path / "other.yaml")


def test_two_suites_join_unless_they_share_a_check_name(tmp_path: Path) -> None:
    one = load_suite(write(tmp_path, GOOD))
    two = load_suite(write(tmp_path, GOOD.replace("check: rows", "check: more_rows")))
    assert [r.check for r in one.joined(two).rules] == ["rows", "more_rows"]
    with pytest.raises(ValueError, match="used twice"):
        one.joined(one)


def test_a_generated_suite_says_what_the_declarations_say() -> None:
    made = generated_suite(
        "golden_copy",
        [
            SourceDeclaration("crm.accounts", ("id",)),
            SourceDeclaration(
                "crm.contacts", ("id", "part"), {"account-id": ("crm.accounts", "id")}, may_be_empty=True
            ),
        ],
    )
    checks = {r.check: r for r in made.rules}
    assert made.may_be_empty == ("crm.contacts",)
    assert checks["crm_accounts_key_unique"].severity == "critical"
    assert checks["crm_contacts_account_id_exists"].reads() == {
        "crm.contacts": ("account-id",),
        "crm.accounts": ("id",),
    }


def test_a_table_of_entries_is_held_against_the_text_it_was_cut_from() -> None:
    made = EntriesDeclaration("crm.accounts", "history", ";", ("id",), "entry", "position", True, "fits")
    checks = {
        r.check: r
        for r in generated_suite(
            "golden_copy", [SourceDeclaration("crm.orders", ("id", "position"), entries=made)]
        ).rules
    }
    whole, fit = checks["crm_orders_entries_whole"], checks["crm_orders_entries_fit"]
    assert (whole.table, whole.severity, fit.table, fit.severity) == (
        "crm.accounts", "critical", "crm.orders", "warning",
    )  # fmt: skip
    assert whole.reads() == {"crm.accounts": ("id", "history"), "crm.orders": ("id", "entry", "position")}


def test_generated_names_that_meet_stay_apart() -> None:
    references = {"a b": ("crm.x", "id"), "a-b": ("crm.x", "id")}
    made = generated_suite("golden_copy", [SourceDeclaration("crm.y", ("id",), references)])
    names = [r.check for r in made.rules]
    assert len(set(names)) == len(names)
