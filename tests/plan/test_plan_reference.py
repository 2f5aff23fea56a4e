"""The reference pages say of every key what it is and whether it has to be there; remedies lead to them."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from migration_assets.engine.rules import REGISTRY
from migration_assets.engine.rules.arguments import Money
from migration_assets.engine.rules.errors import OF_RULE
from migration_assets.plan.billing_models import LegacyRules
from migration_assets.plan.billing_records import READS
from migration_assets.plan.models import Target
from migration_assets.plan.reference import reference_pages
from migration_assets.plan.wording import problems


def section(page: str, name: str) -> str:
    return reference_pages()[page].split(f"# {name}\n", 1)[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("page", "name", "line"),
    [
        ("plan", "PlanFile", "| strategy | one of big_bang, phased, parallel, hybrid | phased |"),
        ("plan", "SourceTable", "| key | list of text | required |"),
        ("plan", "Feature", "| units | map of text to text |  |"),
        ("plan", "Feed", "| where | list of condition |  |"),
        (
            "plan",
            "Records",
            "| flag | y, yes, t, true or 1; n, no, f, false or 0; capitals or not; none counts as no |",
        ),
        (
            "plan",
            "contracts",
            "| months | integer | yes | length of a billing period: 1 for a month, 12 for a year | from 1 to 1200 |",
        ),
        ("plan", "items", "| first_day | day |  | its first day; none where it comes with the contract |  |"),
        ("rules", "money", "| unit | one of major, minor | required |"),
        ("rules", "default", "| if | list of condition |  |"),
        ("checks", "iso_listed", "| iso | one of country, currency | required |"),
    ],
)
def test_a_key_is_listed_with_what_it_is_and_its_default(page: str, name: str, line: str) -> None:
    assert line in section(page, name).splitlines()


def test_every_record_of_billing_is_there_with_every_field_and_every_word_it_may_mean() -> None:
    for record, fields in READS.items():
        lines = section("plan", record).split("\n#### ")[0].splitlines()
        for field, told in fields.items():
            (line,) = [text for text in lines if text.startswith(f"| {field} | {told.type} |")]
            written = line.rpartition(" | ")[2].removesuffix(" |")
            bounds = [str(bound) for bound in (told.least, told.most) if bound is not None]
            assert bool(written) == bool(told.means or told.standard or bounds)
            assert all(word in written for word in (*told.means, *bounds))


@pytest.mark.parametrize("rule", sorted(LegacyRules.model_fields))
def test_each_choice_of_the_old_system_is_explained(rule: str) -> None:
    told = section("plan", "LegacyRules").split(f"- `{rule}`: ", 1)[1].split("\n- ")[0]
    annotation = LegacyRules.model_fields[rule].annotation
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    assert [c for c in choices if f"`{c}`: " not in told] == []


def test_a_rule_says_columns_what_it_gives_and_its_errors() -> None:
    for name in REGISTRY:
        text = section("rules", name)
        assert "- columns: " in text and "- gives: " in text
        assert all(f"`{error}`" in text for error in OF_RULE.get(name, ()))


def test_places_that_the_program_writes_are_no_columns() -> None:
    assert "| row |" not in section("plan", "Control")


@pytest.mark.parametrize(
    ("model", "data", "page"),
    [(Target, {}, "docs/plan.md"), (Money, {"unit": "major", "default_if": [{"field": "x", "op": "is_null"}]},
                                    "docs/rules.md")],
)  # fmt: skip
def test_a_remedy_names_the_page_that_explains_the_model(model: type[BaseModel], data: Any, page: str) -> None:
    with pytest.raises(ValidationError) as e:
        model.model_validate(data)
    assert [remedy for _, _, remedy in problems(e.value, data, model)] == [f"see {page} for what belongs here"]
