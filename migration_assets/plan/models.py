"""The files of a plan as frozen models: one class per file or row, unknown keys refused.

What plan.yaml says of sources and of who is who, and enrichment.yaml, have modules of their own beside this one.

A validator here looks at one object alone. Reading the files is `plan.load`; whether they fit each other, the
canonical model and the rule registry is `plan.check`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, model_validator

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import Sensitivity, Stage
from migration_assets.domain.ownership import Owner
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.billing_models import Billing, TaxRow
from migration_assets.plan.catalog_models import Catalog
from migration_assets.plan.enrichment_models import EnrichmentRule
from migration_assets.plan.frozen import CellFlag, Column, Instant, Model, Name, OwnDatabase, Sentence, Why
from migration_assets.plan.identity_models import Identity, SurvivorDecision
from migration_assets.plan.modes import MODES, Mode, Strategy
from migration_assets.plan.source_models import Exclusion, SourceSystem, SourceTable
from migration_assets.plan.sync_models import Sync

# --- plan.yaml ---------------------------------------------------------------------------------------------------


class Target(Model):
    """Where the rows go: a `database` on the plan's own server, or any SQLAlchemy `url`. Its tables: target.yaml.

    `package_rows`: a cohort that is loaded for the first time and has more rows than this is loaded in packages of so
    many, each a transaction; readers do not see it before the last one.
    """

    database: OwnDatabase | None = None
    url: str | None = None
    package_rows: Annotated[StrictInt, Field(ge=1)] = 1_000_000

    @model_validator(mode="after")
    def _one_place(self) -> Target:
        if (self.database is None) == (self.url is None):
            raise ValueError("the target is named by exactly one of database and url")
        return self


class Rollback(Model):
    """How a cohort is taken back. `changed_since`: what becomes of rows that somebody else changed since they were
    loaded: they stop the rollback (refuse), or stay as they are now (preserve)."""

    changed_since: Literal["refuse", "preserve"] = "refuse"


AfterFailure = Literal["stay", "hide", "roll_back"]


class PlanFile(Model):
    """plan.yaml. `uuid`: of no other plan, since ids in the target are made from it. `as_of` absent means the
    snapshot's own time. A rehearsal may run on ASSUMED rows. `strategy`: wave by wave (`phased`); the
    same while both systems live (`parallel`: the target is kept in step); all cohorts or none (`big_bang`); the first
    wave, and then all others or none, kept in step (`hybrid`). Otherwise nothing follows the sources without `sync`.
    `after_failed_reconciliation`: what becomes of the rows of a cohort that are in the target when the comparison with
    the source (`reconciliation` or `verified_billing`) fails: they `stay` as they are; or readers do not see them until
    one passes (`hide`); or they are taken back at once, as `cutover rollback` does it, if it is the first comparison of
    the cohort and nobody has worked with it, and else hidden (`roll_back`).
    `hold_before_renewal_days`: a cohort is not loaded for the first time while a contract of it renews within so many
    days from T on; 0 holds nobody. What renews when is told by billing.yaml."""

    name: Name
    uuid: UUID
    title: str
    description: str = ""
    rehearsal: StrictBool = False
    strategy: Strategy = "phased"
    as_of: Instant | None = None
    owner: str
    sources: Annotated[dict[Name, SourceSystem], Field(min_length=1)]
    target: Target
    exclusions: tuple[Exclusion, ...] = ()
    identity: Identity = Identity()
    currency_exponents: dict[str, StrictInt] = Field(default_factory=dict)
    spot_check: Annotated[StrictInt, Field(ge=1)] = 50
    rollback: Rollback = Rollback()
    after_failed_reconciliation: AfterFailure = "stay"
    hold_before_renewal_days: Annotated[StrictInt, Field(ge=0, le=366)] = 0
    sync: Sync | None = None


# --- mapping -----------------------------------------------------------------------------------------------------


class Feed(Model):
    """One row of mapping/feeds.csv: one source table makes rows of one entity.

    `where`: predicates on raw columns; rows that do not hold make no row of this entity (they are accounted for by
    the table's home entity). `unpivot`: columns that become rows, one each, as the pseudo-columns `_name` and
    `_value`. The source id is the table's key, plus `/<_name>` when unpivoted. Where feeds of one entity share the rows
    of a table by `where`, each reads what any of them reads, but for the columns that it `leaves` behind on purpose (a
    column that the file need not have).
    """

    feed: Name
    entity: str
    system: Name
    table: Name
    where: tuple[Predicate, ...] = ()
    unpivot: tuple[Column, ...] = ()
    leaves: tuple[Column, ...] = ()
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


# --- geo.csv -----------------------------------------------------------------------------------------------------


class GeoRow(Model):
    """One row of geo.csv: whether what a product grants may be used where the service is used.

    The most specific row wins (both named, then product, then region, then neither); `*` is every product or region.
    It decides about what products grant. A row that no grant can ever come to is a fault: one about a product that
    grants nothing, which a metered product often does, or one for every product that other rows speak before.
    """

    product: str
    region: str
    allowed: CellFlag
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
    wave: Annotated[StrictInt, Field(ge=0, le=10_000)]
    customers: tuple[str, ...] = ()
    where: tuple[Predicate, ...] = ()
    buckets: Annotated[StrictInt, Field(ge=0, le=500)] = 0
    limit: Annotated[StrictInt, Field(ge=0, le=10**9)] = 0
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


# --- controls.csv ------------------------------------------------------------------------------------------------


class Control(Model):
    """One row of controls.csv: a total finance takes on the raw source and on the target, independent of the mapping.

    `kind`: count (rows), sum (exact decimal sum of the column times 10**exponent of its currency when `source_unit`
    is major), day_sum (sum of days since 1970-01-01: catches swapped or shifted dates), midnight_sum (the same of
    instants of the target that are midnight somewhere, in any zone from UTC-11 to UTC+12, against days of the source;
    with `source_unit` last_day the source writes the last day that counts, and the target when it is over), number_sum
    (exact sum of numbers that are no money: pieces, attempts, calls), text_sum (sum of a number made from each text:
    catches one that is not letter for letter the same), code_count (rows by code: `codes` says what each code of the
    source is in the target, in finance's own words and not by the lists of the plan; `(erased)` stands for rows that
    lost what they say because another row of their customer was erased), linked_count (rows whose
    `source_column` leads, by the table's `references`, to a row that goes on, against rows that lead anywhere). Sums
    of money are by currency: `source_currency`/`target_currency` name a column, or a fixed code as `=USD`.
    `source_rounding` (a column that the file need not have, like `codes`): each row's amount is rounded to minor units
    before it is added, because finance agreed that the target holds no finer ones; a control without it, beside this
    one, states the exact total. Of a table that a rule of the plan leaves out as a whole every row counts: the control
    says that what replaces it (the catalog, say) holds the same.
    """

    measure: Name
    kind: Literal["count", "sum", "day_sum", "midnight_sum", "number_sum", "text_sum", "code_count", "linked_count"]
    source: str
    source_column: str = ""
    source_unit: Literal["major", "minor", "last_day", ""] = ""
    source_currency: str = ""
    source_rounding: Literal["half_up", "half_even", ""] = ""
    source_where: tuple[Predicate, ...] = ()
    target: str
    target_column: str = ""
    target_unit: Literal["major", "minor", ""] = ""
    target_currency: str = ""
    target_where: tuple[Predicate, ...] = ()
    codes: dict[str, str] = Field(default_factory=dict)
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
    right: str | StrictInt


class TargetTable(Model):
    """One table of the target. `columns`: target column -> canonical field, in order; the first is the key.

    Types, not-null, code lists and foreign keys follow from the canonical model. `unique`: further unique sets.
    `left_empty`: column -> why it may be empty in every row. Any other column of a table that is fed is filled by a
    mapping row or an enrichment rule. `owned_by`: whose word counts for a column that somebody else has changed in the
    target since it was loaded: `source`, `target`, `most_recent` (by `changed_at`, a column in which both sides say
    when the row changed), or `person`; for money, currencies, quantities and dates of contracts always a person. Where
    nothing is said a load leaves what others changed and asks, and `cutover reconcile --repair` puts it back.
    """

    entity: str
    columns: Annotated[dict[Name, str], Field(min_length=1)]
    unique: tuple[tuple[str, ...], ...] = ()
    checks: tuple[Compare, ...] = ()
    no_overlap: tuple[NoOverlap, ...] = ()
    left_empty: dict[Column, Why] = Field(default_factory=dict)
    owned_by: dict[Column, Owner] = Field(default_factory=dict)
    changed_at: str = ""
    comment: str = ""


class TargetSchema(Model):
    """target.yaml. Roles are created when missing: owner owns and loads, writer writes rows, reader reads those of
    cohorts that are not hidden (names are prefixed with the plan's name)."""

    schema_name: Name
    roles: dict[Literal["owner", "writer", "reader"], Name]
    tables: Annotated[dict[Name, TargetTable], Field(min_length=1)]


# --- the whole ---------------------------------------------------------------------------------------------------


class Plan(Model):
    """A whole plan as read by `plan.load`.

    `digest` is the SHA-256 over all its files by name and content; the order of rows in a CSV does not count.
    Feeds, mapping, codes, geo rules, tax rates, controls and decisions are sorted: sorting a file changes nothing here.
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
    tax: tuple[TaxRow, ...] = ()
    lines: dict[str, dict[str, int]] = Field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.file.name

    def source_table(self, qualified: str) -> SourceTable:
        """The declaration of `system.table`."""
        system, _, table = qualified.partition(".")
        return self.file.sources[system].tables[table]

    @property
    def mode(self) -> Mode:
        """What the plan's strategy means."""
        return MODES[self.file.strategy]

    @property
    def source_tables(self) -> dict[str, SourceTable]:
        """Every declared table by `system.table`, in the order of the plan."""
        return {f"{s}.{t}": decl for s, system in self.file.sources.items() for t, decl in system.tables.items()}

    @property
    def replaced_tables(self) -> frozenset[str]:
        """Source tables that a rule leaves out as a whole, since something else stands for them."""
        return frozenset(e.table for e in self.file.exclusions if e.takes_every_row)

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
