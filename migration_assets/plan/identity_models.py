"""Models of who is who: what ties rows, whose value survives, who has to agree, and what persons decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from migration_assets.domain.predicates import Predicate
from migration_assets.plan.frozen import Day, Model, Name, Number, Sentence


class IdentityKey(Model):
    """Rows of one entity that agree on all these canonical fields (none of them missing) are one identity.

    `shared_by_at_most`: values that more rows of one system share are nobody's own, such as a made-up number or the
    mailbox of a shop. They tie nobody: each of these rows stands alone, unless something else ties it. How many are set
    aside is told with `customer_identities`, and its table `crowds` names them.

    `told_apart_at_most`: the share of a key's groups (customers that share its values) in which other evidence may tell
    somebody from the first: another verified tax number, birth date or name. Where it is more the key does not
    identify, and `customer_identities` stops; fewer than five such strangers never stop it, whatever their share.
    """

    name: Name
    entity: Literal["customer", "contact"]
    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    shared_by_at_most: Annotated[StrictInt, Field(ge=2, le=10**9)] = 100
    told_apart_at_most: Annotated[Number, Field(ge=0, le=1)] = 0.5
    reason: str


class IdentityLink(Model):
    """A column of one source table that holds the key of the same customer in another."""

    name: Name
    table: str
    column: str
    to_table: str
    reason: str


class Matching(Model):
    """Look for customers that are alike, people and companies apart. Pairs whose probability is at least `merge_at` are
    merged by machine, unless both were billed, both have the same plan, or have different verified tax numbers; those,
    and pairs from `review_from`, wait for a person. Below, they are two customers."""

    merge_at: Annotated[Number, Field(gt=0.5, le=1)] = 0.99
    review_from: Annotated[Number, Field(ge=0.1, lt=1)] = 0.5

    @model_validator(mode="after")
    def _in_order(self) -> Matching:
        if self.review_from > self.merge_at:
            raise ValueError("review_from is at most merge_at")
        return self


class SurvivorRule(Model):
    """Whose value these fields of a customer get when several rows are one customer. A missing value never wins.

    `priority`: the first row in the order of systems. `most_recent`: the row that its source changed last; a row
    without that time counts as oldest. `most_complete`: the row with most values, among these fields, or in the whole
    record when the rule names one field. `longest`: the longest text. `weighted_average`: of amounts, each row counted
    as often as `weights` says of its system (once when it says nothing), half a unit rounded to the even one. `manual`:
    a person decides, in decisions/survivors.csv; until then as `priority`, and the conflict is listed.

    `systems`: an order of systems for these fields alone; systems it leaves out come after, in the plan's order. It
    also settles ties; then the plan's order does, then the lowest key.
    """

    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    strategy: Literal["priority", "most_recent", "most_complete", "longest", "weighted_average", "manual"]
    systems: tuple[str, ...] = ()
    weights: dict[str, Annotated[StrictInt, Field(ge=1, le=1000)]] = Field(default_factory=dict)
    reason: Annotated[str, Field(min_length=8)]

    @model_validator(mode="after")
    def _weights_fit(self) -> SurvivorRule:
        if bool(self.weights) != (self.strategy == "weighted_average"):
            raise ValueError("weights and the strategy weighted_average go together")
        return self


class Review(Model):
    """How pairs in doubt are reviewed. `four_eyes`: an answer is in force only when a second person has given it too:
    always, or from so much at stake, as currency -> amount in major units (text); a currency that is not named counts
    from nothing. `compare_in`: the currency in which stakes are compared, by the latest rate of `exchange_rate` up to
    T, so that cases can be put in order; without it each counts by its own major units. Stakes are never added up."""

    four_eyes: StrictBool | dict[str, Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]] = False
    compare_in: str | None = None


class Identity(Model):
    """Which rows are surely the same customer. `priority`: systems in the order in which their values win.

    `never_merge`: rows where one of these holds are merged with nobody they are like (`keys`), and neither is what
    `links` tie to them; the links themselves hold, because a declared reference is the same customer. Erased rows need
    not be named: what the target holds for one customer with them shares their fate, and what is like them waits for a
    person. `matching` absent means that only keys and links tie.

    `survivorship`: which value wins, for the fields it names; of the others the first present value in the order of
    `priority`. Whatever the rules, given and family name (and whether it is a person or a company) come with the name,
    the state with its country, and a credit limit counts only in the currency that survived.
    """

    keys: tuple[IdentityKey, ...] = ()
    links: tuple[IdentityLink, ...] = ()
    priority: tuple[str, ...] = ()
    never_merge: tuple[Predicate, ...] = ()
    matching: Matching | None = None
    survivorship: tuple[SurvivorRule, ...] = ()
    review: Review = Review()


class SurvivorDecision(Model):
    """One row of decisions/survivors.csv (optional): whose value one field of one customer gets, where the plan leaves
    it to a person (`manual`). `customer` and `value_from` are canonical keys (`crm.accounts:17`) of rows that are that
    customer; the value itself stays where it is. A decision whose rows are no longer one customer is listed.
    """

    field: str
    customer: Annotated[str, Field(min_length=1)]
    value_from: Annotated[str, Field(min_length=1)]
    reason: Sentence
    approved_by: Sentence
    approved_on: Day
    row: int = 0
