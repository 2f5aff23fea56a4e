"""billing.yaml as models: how the old system bills, which of its raw columns say so, and how the target bills.

Finance signs this file. It reads raw tables and never the mapping, so that a mistake in the mapping cannot agree with
itself: what a contract cost is told twice, once by the mapping and once here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from migration_assets.domain.bill_parity import UNEXPLAINED
from migration_assets.domain.money import InvoiceRounding
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.access_models import AcceptedAccess, Budget
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.frozen import Column, Day, Model

# Rules in which two systems may differ, by the target's names for them, and what no rule explains.
Cause = Literal["pause", "price_decimals", "proration", "rounding", "round_at", "tax_at", "unexplained"]


class ReadColumn(Model):
    """Where one field comes from: a raw column, or a fixed value that is the same for every record.

    `codes`: raw value -> what it means here; a raw value that is not listed cannot be read. Fields that mean one of a
    few words need it. `none`: raw values which say that there is none, as -1 for no limit. `exclusive`: the day is the
    first that counts no more, so that the last one is the day before.
    """

    column: Column | None = None
    value: str | None = None
    codes: Annotated[dict[str, str], Field(min_length=1)] | None = None
    none: tuple[str, ...] = ()
    exclusive: StrictBool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> ReadColumn:
        if (self.column is None) == (self.value is None):
            raise ValueError("a field comes from a column or is a fixed value: name exactly one of both")
        if self.value is not None and (self.codes is not None or self.none or self.exclusive):
            raise ValueError(
                "`codes`, `none` and `exclusive` are about a column: write what a fixed value means at once"
            )
        return self


class Read(Model):
    """One kind of record of the old system: which raw table holds it, which rows count, and where its fields are.

    `table`: `system.table`, as plan.yaml declares it. `where`: conditions on raw columns, which all hold of a row that
    counts. `fields`: by the names below; `field: column` is short for `field: {column: column}`.
    """

    table: str
    where: tuple[Predicate, ...] = ()
    fields: dict[str, ReadColumn]

    @model_validator(mode="before")
    @classmethod
    def _columns_may_be_named_alone(cls, data: object) -> object:
        """`field: column` is short for `field: {column: column}`."""
        if not isinstance(data, dict) or not isinstance(data.get("fields"), dict):
            return data
        fields = {f: {"column": c} if isinstance(c, str) else c for f, c in data["fields"].items()}
        return {**data, "fields": fields}


class LegacyRules(Model):
    """What the old system does where billing systems differ.

    - `proration`: what is owed for a part of a period. `30e_360`: every month counts as thirty days, so that a day
      costs a thirtieth of the month's price. `actual_days`: days are counted as they are in the calendar, so that ten
      of the 28 days of a February cost ten 28ths.
    - `rounding`: what becomes of the part of an amount that is smaller than a cent, or whatever the currency's smallest
      coin is. `half_up`: to the nearest cent, and half a cent makes a whole one. `half_down`: to the nearest cent, and
      half a cent is dropped. `half_even`: to the nearest cent, and from half a cent to the even one (2.5 is 2, 3.5 is
      4). `up`: whatever is left makes a whole cent. `down`: whatever is left is dropped. What is taken off is rounded
      as what is charged: half a cent of a discount of 2.5 cents makes it 3 with `half_up`.
    - `rounded_at`: which amounts are rounded. `line`: each line, and the invoice is what the rounded lines come to.
      `invoice`: the invoice as a whole; its lines are printed in whole cents that add up to it.
    - `taxed_at`: which tax is rounded. `line`: that of each line. `invoice`: that of the whole invoice; what its lines
      show adds up to it.
    - `pause`: what becomes of a period that a pause begins in. `extends`: its remaining days are used up after the
      pause, and the next period begins when they are over. `skips`: periods stay where they are; those that
      begin within the pause are not billed, and the days that were paid are lost.
    - `uplift_decimals`: decimals that a price has after an agreed increase, rounded with half of the last one up.
    """

    proration: Literal["30e_360", "actual_days"]
    rounding: InvoiceRounding
    rounded_at: Literal["line", "invoice"]
    taxed_at: Literal["line", "invoice"]
    pause: Literal["extends", "skips"]
    uplift_decimals: Annotated[StrictInt, Field(ge=0, le=10)] = 4


class LegacyFeature(Model):
    """What a feature of the old system is called in the target's catalog.

    `feature`: its code there. `units`: unit of the old system -> how many of the feature's own units it is, exact, as
    GB: "1000000000" where the catalog counts bytes; without any, as of a switch, limits stay as they are written.
    `metered_by`: products, as items name them, that bill what is used of it.
    """

    feature: str
    units: dict[str, str] = Field(default_factory=dict)
    metered_by: tuple[str, ...] = ()


class LegacyBilling(Model):
    """How the old system bills, and where its raw tables say what it bills from.

    `reads`: by kind of record; contracts and items are needed, others as far as the old system has them. `features`: by
    the code that grants, overrides and usage name a feature by; access is compared for those that are listed.
    """

    rules: LegacyRules
    reads: dict[RecordName, Read]
    features: dict[str, LegacyFeature] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _reads_what_bills_need(self) -> LegacyBilling:
        if missing := [r for r in ("contracts", "items") if r not in self.reads]:
            raise ValueError(f"{' and '.join(missing)} are needed: nothing is billed without them")
        return self


class TargetRules(Model):
    """What the new platform does where billing systems differ; it bills from the rows it holds.

    - `proration`: what is owed for a part of a period. `seconds`: elapsed seconds over those of the period. `days`:
      calendar days over those of the period. `30e_360`: every month counts as thirty days.
    - `rounding`: as the rule of the old system of that name.
    - `round_at`, `tax_at`: whether each `line` becomes whole minor units, or the `invoice`, to which lines then add up.
    - `pause`: `extend` moves the end of the paid period by the time of the pause; `skip` leaves periods where they are.
    - `price_decimals`: decimals that a price has after an agreed increase.
    """

    proration: Literal["seconds", "days", "30e_360"]
    rounding: InvoiceRounding
    round_at: Literal["line", "invoice"]
    tax_at: Literal["line", "invoice"]
    pause: Literal["extend", "skip"]
    price_decimals: Annotated[StrictInt, Field(ge=0, le=10)] = 4


class TaxRow(Model):
    """One row of tax.csv: the percentage that the new platform's tax engine charges for supplies to a country, from a
    day of the contract's calendar on, until the country's next row. `percent`: 19 is nineteen percent, from 0 to 100; 0
    is a rate, and a country without a row has none, which stops its bills (I18)."""

    country: str
    valid_from: Day
    percent: str
    row: int = 0


class TargetBilling(Model):
    """How the new platform bills. Its tax rates stand in tax.csv."""

    rules: TargetRules


class AcceptedDifference(Model):
    """Bills that may differ, because somebody who may decide so has signed for it.

    `cause`: a rule in which the two systems differ, by the target's name for it, or `unexplained`: whatever is left of
    the bills of the named contracts. `contracts`: as the old system names them; none: all. `at_most_minor`: what one
    invoice may differ by, in minor units of its currency, either way. `expires_on`: the first day on which it counts no
    more; none: for good. A difference that is larger than what was signed for is not accepted at all.
    """

    cause: Cause
    contracts: tuple[str, ...] = ()
    at_most_minor: Annotated[StrictInt, Field(ge=0, le=10**15)]
    reason: str
    signed_by: str
    signed_on: Day
    expires_on: Day | None = None

    @model_validator(mode="after")
    def _names_whose(self) -> AcceptedDifference:
        if self.cause == UNEXPLAINED and not self.contracts:
            raise ValueError("what is unexplained can be accepted of named contracts only: list them in `contracts`")
        if self.expires_on is not None and self.expires_on <= self.signed_on:
            raise ValueError("it would never count: `expires_on` is not after `signed_on`")
        return self


class Billing(Model):
    """billing.yaml, which a plan need not have: without it nothing is proved about bills.

    `signed_by`, `signed_on`: who in finance says that the old system bills so. `target`: without it the old system's
    rules are held against its invoices, and nothing is said of bills to come. `accepted`, `accepted_access`: what was
    signed for, of bills and of what customers may do. `budget`: how many customers of a cohort may differ unsigned,
    `wave_budget`: of all cohorts of a wave together; neither: nobody may.
    """

    signed_by: str
    signed_on: Day
    legacy: LegacyBilling
    target: TargetBilling | None = None
    accepted: tuple[AcceptedDifference, ...] = ()
    accepted_access: tuple[AcceptedAccess, ...] = ()
    budget: Budget | None = None
    wave_budget: Budget | None = None
