"""Models of enrichment.yaml: values that no source has, and who says so."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from migration_assets.domain.predicates import Predicate
from migration_assets.plan.frozen import Model, Name, Number, Sentence


class EnrichmentRule(Model):
    """Fill one field where no source has a value; a value that a source has is never replaced, and no rule reads what
    another one filled.

    `reads`: fields in the order in which the enricher takes them, of the entity itself or, for customers, of the
    entity `reads_of` (then a value counts only if all rows that are read agree). `where`: conditions on the rows that
    are read. `source`, `confidence` (0 to 1) and `lawful_basis` say who says so, how sure that is, and why it may be
    kept; they are recorded with every value, and so is T. Under `consent` only customers whose last word on `purpose`
    is yes get a value. Taking the rule off takes its values back.
    """

    rule: Name
    entity: Literal["customer", "contact", "address"]
    field: str
    enricher: str
    reads: Annotated[tuple[str, ...], Field(min_length=1)]
    reads_of: Literal["contact", "address"] | None = None
    where: tuple[Predicate, ...] = ()
    arguments: dict[str, Any] = Field(default_factory=dict)
    source: Sentence
    confidence: Annotated[Number, Field(gt=0, le=1)]
    lawful_basis: Literal["consent", "contract", "legitimate_interest", "legal_obligation"]
    purpose: Literal["marketing", "product_news", "profiling", "research"] | None = None
    reason: Annotated[str, Field(min_length=8)]

    @model_validator(mode="after")
    def _purpose_goes_with_consent(self) -> EnrichmentRule:
        if (self.lawful_basis == "consent") != (self.purpose is not None):
            raise ValueError(
                "`purpose` says what was consented to: it goes with lawful_basis consent, and only with it"
            )
        return self


class Enrichment(Model):
    """enrichment.yaml, which a plan need not have: values that no source has, from rules that name where they are
    from."""

    rules: tuple[EnrichmentRule, ...]
