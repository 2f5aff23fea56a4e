"""The files of a plan as frozen models: one class per file or row, unknown keys refused.

A validator here looks at one object alone. Reading the files is `plan.load`; whether they fit each other, the
canonical model and the rule registry is `plan.check`.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import Sensitivity, Stage
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.billing_models import Billing

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Column = Annotated[str, Field(min_length=1)]
Sentence = Annotated[str, Field(min_length=1)]


def is_name(text: str) -> bool:
    """Whether a text can be a name: it is safe in file names, SQL identifiers and addresses as it stands."""
    return re.fullmatch(NAME_PATTERN[1:-1], text) is not None


def _not_the_programs(name: str) -> str:
    if name in ("dagster", "control"):
        raise ValueError("is where the program keeps its own state; give the database another name")
    return name


# A database on the plan's own server, `<plan>_<name>`.
OwnDatabase = Annotated[Name, AfterValidator(_not_the_programs)]


class Model(BaseModel):
    """Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- plan.yaml ---------------------------------------------------------------------------------------------------


class SourceTable(Model):
    """One table of a source, as the plan wants it read.

    `read_from`: table name in the database (`schema.table`), or file name or pattern below the system's path.
    `key`: columns that identify a row. `home`: the entity that accounts for the row (its disposition), or None when
    every row is excluded by a rule. `references`: column -> `system.table` whose (single-column) key it holds;
    customers that one row leads to, over its references and those of the mapping, are a family and move together.
    `owner`: how a row finds its customer: `self` (the row is a customer), `none` (reference data, no customer) or the
    name of a column in `references` that leads there, over other tables if need be.
    Columns of files stay text, exactly as written; rules of the mapping give them types.
    """

    read_from: str
    key: Annotated[tuple[Column, ...], Field(min_length=1)]
    home: str | None = None
    owner: str = "none"
    references: dict[str, str] = Field(default_factory=dict)
    updated_at: str | None = None
    secret: tuple[Column, ...] = ()
    personal: tuple[Column, ...] = ()
    may_be_empty: bool = False
    description: str = ""


class SourceSystem(Model):
    """One legacy system. `database` names one on the plan's own server; `url` is any SQLAlchemy URL; `path` a folder
    or file. `${NAME}` is an environment variable. `kind` says which connector reads it.

    `options` are the connector's own. Of csv: encoding, encoding_certain, delimiter, quote, escape, max_cell_bytes,
    max_bytes, and `missing`, spellings such as NULL that mean no value where a cell has one of them without quotes.
    """

    kind: Literal["sql", "csv", "excel", "jsonl"]
    database: OwnDatabase | None = None
    url: str | None = None
    path: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    tables: Annotated[dict[Name, SourceTable], Field(min_length=1)]
    description: str = ""

    @model_validator(mode="after")
    def _place_fits_kind(self) -> SourceSystem:
        if self.kind == "sql":
            if self.path is not None or (self.database is None) == (self.url is None):
                raise ValueError("a source of kind sql is named by exactly one of database and url, and by no path")
        elif self.path is None or self.database is not None or self.url is not None:
            raise ValueError(f"a source of kind {self.kind} is named by path alone")
        return self


class Stale(Model):
    """Rows whose `column` lies before the instant T less so many whole months; one without a value is not stale.

    A day is compared with the day of that instant, a time without offset is taken for UTC, text is read as an ISO date
    or time, and what is none is not stale either.
    """

    column: Column
    months: Annotated[int, Field(ge=1, le=1200)]


class Redundant(Model):
    """Rows that say the same as another row of their table: equal in all columns of `by`, where missing equals missing.
    One of them stays: the one whose key is lowest, or (`latest`) the one changed last.

    `by` left out means every column but the key, `updated_at` and what is secret. Rows of two customers are no copies
    of each other, and nothing is a copy of a row that another rule leaves out.
    """

    by: tuple[Column, ...] = ()
    keep: Literal["first", "latest"] = "first"


class Exclusion(Model):
    """A written rule that leaves rows out on purpose; each is counted in the reconciliation.

    It takes the rows for which everything holds that it says: `where`, `stale`, `redundant`. One that says none of them
    leaves out every row of the table; a mapping can still read its columns over a reference.
    """

    rule: Name
    table: str
    where: tuple[Predicate, ...] = ()
    stale: Stale | None = None
    redundant: Redundant | None = None
    reason: Annotated[str, Field(min_length=8)]

    @property
    def takes_every_row(self) -> bool:
        return not self.where and self.stale is None and self.redundant is None


class IdentityKey(Model):
    """Rows of one entity that agree on all these canonical fields (none of them missing) are one identity."""

    name: Name
    entity: Literal["customer", "contact"]
    fields: Annotated[tuple[str, ...], Field(min_length=1)]
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

    merge_at: Annotated[float, Field(gt=0.5, le=1)] = 0.99
    review_from: Annotated[float, Field(ge=0.1, lt=1)] = 0.5

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
    weights: dict[str, Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=dict)
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

    four_eyes: bool | dict[str, Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]] = False
    compare_in: str | None = None


class Identity(Model):
    """Which rows are surely the same customer. `priority`: systems in the order in which their values win.

    `never_merge`: rows where one of these holds are merged with nobody they are like (`keys`), and neither is what
    `links` tie to them; the links themselves hold, because a declared reference is the same customer. `matching`
    absent means that only keys and links tie.

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


class Target(Model):
    """Where the rows go: a `database` on the plan's own server, or any SQLAlchemy `url`. Its tables: target.yaml."""

    database: OwnDatabase | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Target:
        if (self.database is None) == (self.url is None):
            raise ValueError("the target is named by exactly one of database and url")
        return self


class PlanFile(Model):
    """plan.yaml. `as_of` absent means the snapshot's own time. A rehearsal may run on ASSUMED rows."""

    name: Name
    uuid: UUID
    title: str
    description: str = ""
    rehearsal: bool = False
    strategy: Literal["big_bang", "phased"] = "phased"
    as_of: AwareDatetime | None = None
    owner: str
    sources: Annotated[dict[Name, SourceSystem], Field(min_length=1)]
    target: Target
    exclusions: tuple[Exclusion, ...] = ()
    identity: Identity = Identity()
    currency_exponents: dict[str, int] = Field(default_factory=dict)
    spot_check: Annotated[int, Field(ge=1)] = 50

    @field_validator("as_of", mode="before")
    @classmethod
    def _as_of_is_written_out(cls, value: object) -> object:
        # A bare number would be taken for seconds since 1970: 20260101 is a day in August 1970.
        if isinstance(value, int | float):
            raise ValueError("must be an instant with its offset, such as 2026-01-01T00:00:00Z")
        return value


# --- decisions ---------------------------------------------------------------------------------------------------


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
    approved_on: date
    row: int = 0


# --- mapping -----------------------------------------------------------------------------------------------------


class Feed(Model):
    """One row of mapping/feeds.csv: one source table makes rows of one entity.

    `where`: predicates on raw columns; rows that do not hold make no row of this entity (they are accounted for by
    the table's home entity). `unpivot`: columns that become rows, one each, as the pseudo-columns `_name` and
    `_value`. The source id is the table's key, plus `/<_name>` when unpivoted.
    """

    feed: Name
    entity: str
    system: Name
    table: Name
    where: tuple[Predicate, ...] = ()
    unpivot: tuple[Column, ...] = ()
    reason: Sentence
    row: int = 0


class MappingRow(Model):
    """One row of mapping/<entity>.csv: how one field of one feed gets its value, and who vouches for it.

    `columns` are raw columns of the feed's table (or `_name`, `_value`, `_source_id`), in the order the rule takes
    them. `AddressID->City` is the column City of the row that AddressID, one of the table's `references`, points at:
    missing where there is no such row, where two have its key, or where an exclusion with a predicate leaves it out.
    `on_error` says what happens when a present value cannot be mended: `reject` the row, or `set_aside` the value
    (listed, field left empty). Blank means reject for required fields and set_aside for the rest.
    """

    entity: str
    feed: Name
    field: str
    system: Name
    table: Name
    columns: tuple[Column, ...]
    rule: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any]
    on_error: Literal["reject", "set_aside", ""] = ""
    status: Literal["ASSUMED", "CONFIRMED"]
    direction: Literal["to_target", "to_source", "both"]
    system_of_record: Sentence
    owner: Sentence
    sensitivity: Sensitivity
    reason: Sentence
    file: str = ""
    row: int = 0


class CodeRow(Model):
    """One row of codes/<list>.csv: a legacy code and what it becomes. `-` as target means: makes no row (feeds that
    unpivot) or no value."""

    code: str
    target: Annotated[str, Field(min_length=1)]
    reason: str = ""
    row: int = 0


# --- catalog.yaml, geo.csv ---------------------------------------------------------------------------------------


class Grant(Model):
    """What a product grants of one feature; see the canonical entity product_feature."""

    feature: str
    limit_kind: Literal["unlimited", "limited", "zero", "none"] = "none"
    limit: str | None = None
    unit: str | None = None
    per: Literal["item", "unit"] = "item"
    overage: Literal["block", "bill", "grace", "none"] = "none"


class Product(Model):
    code: str
    name: str
    kind: Literal["base", "add_on", "usage", "one_off"]
    description: str = ""
    grants: tuple[Grant, ...] = ()


class PlanOffer(Model):
    code: str
    product: str
    name: str
    interval: Literal["month", "quarter", "year"]
    retired: bool = False


class Price(Model):
    product: str
    interval: Literal["month", "quarter", "year"]
    currency: str
    unit_price: Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
    model: Literal["flat", "per_seat", "tiered", "volume", "package"] = "flat"


class Feature(Model):
    """`units`: other units in which sources state this feature's limits, each as a factor to `unit` (text, exact)."""

    code: str
    name: str
    kind: Literal["switch", "quota"]
    unit: str | None = None
    units: dict[str, str] = Field(default_factory=dict)


class Catalog(Model):
    """catalog.yaml: what the target sells, at which list price, and what owning it grants. Products may come from a
    feed instead; a target without a list of them has none."""

    products: tuple[Product, ...] = ()
    plans: tuple[PlanOffer, ...] = ()
    prices: tuple[Price, ...] = ()
    features: tuple[Feature, ...] = ()


class GeoRow(Model):
    """One row of geo.csv; the most specific row wins (both named, then product, then region, then neither)."""

    product: str
    region: str
    allowed: bool
    reason: str
    row: int = 0


# --- cohorts.yaml ------------------------------------------------------------------------------------------------


class CohortRule(Model):
    """How one wave chooses its customers, tried in order; the first rule that takes any member takes its family.

    `customers`: source ids. `where`: predicates on canonical customer fields. `buckets`: split what is left into that
    many cohorts `<name>_01` ... by a hash of the family. Exactly one of the three. `limit`: at most so many
    families; 0 is no limit, and buckets take all that are left.
    """

    name: Name
    wave: Annotated[int, Field(ge=0, le=10_000)]
    customers: tuple[str, ...] = ()
    where: tuple[Predicate, ...] = ()
    buckets: Annotated[int, Field(ge=0, le=500)] = 0
    limit: Annotated[int, Field(ge=0, le=10**9)] = 0
    description: str = ""

    @model_validator(mode="after")
    def _one_selector(self) -> CohortRule:
        if sum(map(bool, (self.customers, self.where, self.buckets))) != 1:
            raise ValueError("a cohort chooses by exactly one of customers, where and buckets")
        return self

    @property
    def cohort_names(self) -> tuple[str, ...]:
        """Names of the cohorts the rule makes: its own, or one for each bucket."""
        if not self.buckets:
            return (self.name,)
        width = max(2, len(str(self.buckets)))
        return tuple(f"{self.name}_{n:0{width}d}" for n in range(1, self.buckets + 1))


class Cohorts(Model):
    cohorts: Annotated[tuple[CohortRule, ...], Field(min_length=1)]


# --- enrichment.yaml ---------------------------------------------------------------------------------------------


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
    confidence: Annotated[float, Field(gt=0, le=1)]
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


# --- controls.csv ------------------------------------------------------------------------------------------------


class Control(Model):
    """One row of controls.csv: a total finance takes on the raw source and on the target, independent of the mapping.

    `kind`: count (rows), sum (exact decimal sum of the column times 10**exponent of its currency when `source_unit`
    is major), day_sum (sum of days since 1970-01-01: catches swapped or shifted dates). Sums are by currency:
    `source_currency`/`target_currency` name a column, or a fixed code as `=USD`. `source_rounding` (a column that
    the file need not have): each row's amount is rounded to minor units before it is added, because finance agreed
    that the target holds no finer ones; a control without it, beside this one, states the exact total.
    """

    measure: Name
    kind: Literal["count", "sum", "day_sum"]
    source: str
    source_column: str = ""
    source_unit: Literal["major", "minor", ""] = ""
    source_currency: str = ""
    source_rounding: Literal["half_up", "half_even", ""] = ""
    source_where: tuple[Predicate, ...] = ()
    target: str
    target_column: str = ""
    target_unit: Literal["major", "minor", ""] = ""
    target_currency: str = ""
    target_where: tuple[Predicate, ...] = ()
    owner: str
    signed_by: str = ""
    signed_on: str = ""
    row: int = 0


# --- target.yaml -------------------------------------------------------------------------------------------------


class NoOverlap(Model):
    """Rows with equal `equal` columns must not overlap in [starts, ends)."""

    equal: tuple[str, ...]
    starts: str
    ends: str


class Compare(Model):
    """A check constraint `left op right` between two columns, or a column and a whole number; missing passes."""

    left: str
    op: Literal["lt", "le", "gt", "ge", "eq", "ne"]
    right: str | int


class TargetTable(Model):
    """One table of the target. `columns`: target column -> canonical field, in order; the first is the key.

    Types, not-null, code lists and foreign keys follow from the canonical model. `unique`: further unique sets.
    """

    entity: str
    columns: Annotated[dict[Name, str], Field(min_length=1)]
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[Compare, ...] = ()
    no_overlap: tuple[NoOverlap, ...] = ()
    comment: str = ""


class TargetSchema(Model):
    """target.yaml. Roles are created when missing: owner owns, writer writes rows, reader reads (names are prefixed
    with the plan's name)."""

    schema_name: Name
    roles: dict[Literal["owner", "writer", "reader"], Name]
    tables: Annotated[dict[Name, TargetTable], Field(min_length=1)]


# --- the whole ---------------------------------------------------------------------------------------------------


class Plan(Model):
    """A whole plan as read by `plan.load`.

    `digest` is the SHA-256 over all its files by name and content; the order of rows in a CSV does not count.
    Feeds, mapping, codes, geo rules, controls and decisions are sorted, so that sorting a file changes nothing here.
    `lines`: for each YAML file, the line of each entry by its dotted path, so that a fault can name it.
    """

    folder: Path
    digest: str
    file: PlanFile
    feeds: tuple[Feed, ...]
    mapping: tuple[MappingRow, ...]
    codes: dict[str, tuple[CodeRow, ...]]
    catalog: Catalog
    geo: tuple[GeoRow, ...]
    cohorts: Cohorts
    controls: tuple[Control, ...]
    target: TargetSchema
    survivor_decisions: tuple[SurvivorDecision, ...] = ()
    enrichment: tuple[EnrichmentRule, ...] = ()
    billing: Billing | None = None
    lines: dict[str, dict[str, int]] = Field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.file.name

    def source_table(self, qualified: str) -> SourceTable:
        """The declaration of `system.table`."""
        system, _, table = qualified.partition(".")
        return self.file.sources[system].tables[table]

    @property
    def source_tables(self) -> dict[str, SourceTable]:
        """Every declared table by `system.table`, in the order of the plan."""
        return {f"{s}.{t}": decl for s, system in self.file.sources.items() for t, decl in system.tables.items()}

    def rows_of(self, feed: str) -> tuple[MappingRow, ...]:
        """Mapping rows of one feed."""
        return tuple(r for r in self.mapping if r.feed == feed)

    def feeds_of(self, entity: str) -> tuple[Feed, ...]:
        """Feeds that make rows of one entity."""
        return tuple(f for f in self.feeds if f.entity == entity)

    def entities_of(self, stage: Stage) -> tuple[str, ...]:
        """Entities with at least one feed whose stage it is, parents first."""
        fed = {f.entity for f in self.feeds}
        return tuple(n for n, e in ENTITIES.items() if e.stage == stage and n in fed)
