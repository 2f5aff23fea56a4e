"""The registry: cheap to import, complete, and readable where a plan is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migration_assets.domain.errors import BadInput
from migration_assets.engine.rules import NAMES, REGISTRY, get, rules_reference

CONTRACT = (
    "copy constant trim case text repair date timestamp integer decimal money boolean lookup coalesce join split "
    "default phone email country state currency language time_zone person_name company_name website tax_id reference "
    "quantity months_before_as_of as_of address_part address_text street postal_code extract line_amount "
    "exact_line_amount"
)


def test_the_registry_holds_exactly_the_agreed_rules() -> None:
    assert set(CONTRACT.split()) == set(NAMES) == set(REGISTRY)


def test_importing_it_loads_no_data_library() -> None:
    code = (
        "import sys; from migration_assets.engine.rules import REGISTRY; "
        "heavy = ('ibis', 'duckdb', 'pyarrow', 'pandas', 'phonenumbers', 'ftfy', 'babel'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_every_function_it_names_exists_and_is_described(name: str) -> None:
    rule = get(name)
    parts = [p for p in (rule.expression, rule.cleaner) if p]
    assert parts
    assert all((rule.load(p).__doc__ or "").strip() for p in parts)
    assert rule.doc.endswith(".")
    assert rule.produces


def test_only_rules_that_know_the_unit_or_a_whole_number_give_money() -> None:
    assert {r.name for r in REGISTRY.values() if "money" in r.produces} == {
        "money", "line_amount", "constant"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "columns", "arguments", "problem"),
    [
        ("copy", 2, {}, "takes 1 column(s), not 2"),
        ("coalesce", 0, {}, "takes 1 or more column(s), not 0"),
        ("phone", 3, {}, "takes 1-2 column(s), not 3"),
        ("copy", 1, {"to": "x"}, "to: Extra inputs are not permitted"),
        ("case", 1, {"to": "shout"}, "to: Input should be 'upper', 'lower' or 'title'"),
        ("split", 1, {"separator": ";", "part": 0}, "part: part counts from 1 (or from -1, backwards)"),
        ("timestamp", 1, {"zone": "Berlin"}, "zone: 'Berlin' is not an IANA time zone"),
        ("date", 1, {"order": "dmy", "formats": ["%Y"]}, "arguments: give order or formats, not both"),
        ("date", 1, {"formats": ["%Q"]}, "formats: '%Q': %Q is not a format directive this rule knows"),
        ("date", 1, {"formats": ["%d.%m."]}, "formats: '%d.%m.' has no year"),
        ("money", 1, {"unit": "major"}, "currency: amounts in major units need a currency"),
        ("money", 2, {"unit": "major", "currency": "EUR"}, "currency: name a currency or a currency column, not both"),
        ("money", 1, {"currency": "EUR"}, "unit: Field required"),
        ("decimal", 1, {"decimal_separator": ",", "grouping_separator": ","}, "are the same character"),
        ("boolean", 1, {"true": ["Y"], "false": ["y"]}, "true and false share ['y']"),
        ("constant", 0, {"value": 1.5}, "value"),
        ("quantity", 1, {"to": "GB", "unit": "TB"}, "unit 'TB' is neither 'GB' nor in factors"),
        ("quantity", 1, {"to": "GB", "factors": {"TB": "1e3"}}, "must be an exact positive number"),
        ("quantity", 2, {"to": "GB", "unit": "GB"}, "unit: name a unit or a unit column, not both"),
        ("reference", 1, {"table": "accounts"}, "table"),
        ("extract", 1, {"pattern": r"(?=x)(a)"}, "pattern: a pattern cannot look around, refer back"),
        ("extract", 1, {"pattern": r"(a)\1"}, "pattern: a pattern cannot look around, refer back"),
        ("extract", 1, {"pattern": r"a{2000}(b)"}, "repeats a thousand times at most"),
        ("extract", 1, {"pattern": "(abc"}, "is no regular expression"),
        ("extract", 1, {"pattern": "abc"}, "pattern has no such group"),
        ("address_text", 2, {"parts": ["city"]}, "parts: 1 parts for 2 column(s)"),
        ("address_text", 2, {"parts": ["line1", "street"]}, "line1 is street and house_number"),
        ("timestamp", 1, {"order": "infer", "formats": ["%Y"]}, "arguments: give order or formats, not both"),
        ("copy", 1, {"when": [{"field": "x", "op": "like"}]}, "when.0.op"),
        ("default", 1, {"value": "x", "conditions": []}, "conditions: Extra inputs are not permitted"),
    ],
)
def test_wrong_mappings_are_told_in_plain_words(
    rule: str, columns: int, arguments: dict[str, object], problem: str
) -> None:
    problems = get(rule).problems(columns, arguments)
    assert any(problem in p for p in problems), problems
    assert "pydantic" not in "".join(problems)


def test_right_mappings_have_no_problems() -> None:
    assert get("money").problems(2, {"unit": "major"}) == []
    assert get("default").problems(1, {"value": 0, "if": [{"field": "x", "op": "is_null"}]}) == []


def test_unknown_rules_and_arguments_are_bad_input_with_a_remedy() -> None:
    with pytest.raises(BadInput, match="use one of: copy, constant"):
        get("eval")
    with pytest.raises(BadInput, match="rule split: separator: Field required; part: Field required"):
        get("split").parse({})


def test_the_reference_has_a_row_for_every_rule() -> None:
    lines = rules_reference().splitlines()
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2:]] == list(NAMES)
    assert all(line.count(" | ") == 4 for line in lines[2:])
