"""What stands in a plan is taken for what it is: "yes" is no true, true is no 1, and a number is no day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from migration_assets.domain.predicates import Predicate
from migration_assets.engine.enrichers.registry import ENRICHERS
from migration_assets.engine.rules.registry import REGISTRY
from migration_assets.plan.billing_models import Billing, TaxRow
from migration_assets.plan.catalog_models import Catalog
from migration_assets.plan.enrichment_models import Enrichment
from migration_assets.plan.identity_models import SurvivorDecision
from migration_assets.plan.models import Cohorts, GeoRow, PlanFile, TargetSchema
from migration_assets.quality.rules import RULE_TYPES
from migration_assets.quality.suite import Suite

READ = (PlanFile, Catalog, Cohorts, TargetSchema, Enrichment, Billing, Suite, Predicate)
GIVEN = ("yes", "on", "1", "0", "true", "5.0", "86400", "20260101", 1, 0, 86400, True, False)
# Values of these types are never made of a value of another one.
KEPT = (bool, int, dt.date)


def models() -> list[type[BaseModel]]:
    """Every model that is read from YAML or JSON, with those within it."""
    found: dict[type[BaseModel], None] = {}
    waiting: list[Any] = [*READ, *(e.arguments for e in (*REGISTRY.values(), *ENRICHERS.values()))]
    waiting += RULE_TYPES.values()
    while waiting:
        model = waiting.pop()
        if model not in found:
            found[model] = None
            waiting += [m for f in model.model_fields.values() for m in models_in(f.annotation)]
    return list(found)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


FIELDS = [(model, name) for model in models() for name in model.model_fields]


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | tuple | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif not isinstance(value, BaseModel):
        yield value


def adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = field.annotation
    for part in field.metadata:
        annotation = Annotated[annotation, part]
    return TypeAdapter(annotation)


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{m.__name__}.{n}" for m, n in FIELDS])
def test_no_value_is_taken_for_one_of_another_type(model: type[BaseModel], name: str) -> None:
    fits = adapter(model.model_fields[name])
    for given in GIVEN:
        for wrapped in (given, [given], {"USD": given}):
            try:
                made = fits.validate_python(wrapped)
            except ValidationError:
                continue
            for leaf in leaves(made):
                assert not isinstance(leaf, KEPT) or type(leaf) is type(given), (wrapped, made)
                assert not (isinstance(leaf, float) and isinstance(given, bool)), (wrapped, made)


def test_the_walk_reaches_what_is_written_deep_inside() -> None:
    reached = {f"{m.__name__}.{n}" for m, n in FIELDS}
    assert {"Split.newest_first", "SourceTable.may_be_empty", "Matching.merge_at", "CohortRule.wave"} <= reached
    assert {"AcceptedDifference.expires_on", "Service.required", "Rule.pii", "NotBefore.strict"} <= reached


@pytest.mark.parametrize("cell", ["yes", "1", "True", "on", "t", ""])
def test_a_cell_says_true_or_false_and_nothing_like_it(cell: str) -> None:
    row = {"product": "*", "region": "*", "reason": "Sold everywhere."}
    assert (GeoRow(**row, allowed="true").allowed, GeoRow(**row, allowed="false").allowed) == (True, False)
    with pytest.raises(ValidationError, match="true or false"):
        GeoRow(**row, allowed=cell)


@pytest.mark.parametrize("cell", ["0", "86400", "20260101", "2026-1-1", "2026-01-01T00:00:00", "1.1.2026"])
def test_a_cell_with_a_day_is_written_as_one(cell: str) -> None:
    assert TaxRow(country="DE", valid_from="2026-01-31", percent="19").valid_from == dt.date(2026, 1, 31)
    with pytest.raises(ValidationError, match="a day such as"):
        TaxRow(country="DE", valid_from=cell, percent="19")
    with pytest.raises(ValidationError, match="a day such as"):
        SurvivorDecision(field="f", customer="c", value_from="v", reason="r", approved_by="a", approved_on=cell)
