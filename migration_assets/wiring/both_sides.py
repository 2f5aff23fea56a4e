"""The next bills, the access, the balances and the terms of a cohort on both sides, and who would notice, for the
stages that compare them: before the load with rows that would be loaded, after it with rows that the target holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.domain.money import exponent_of
from migration_assets.stages.shadow.access_comparison import (
    AccessComparison,
    Granting,
    access_compared,
    no_access_compared,
)
from migration_assets.stages.shadow.access_listing import access_csv
from migration_assets.stages.shadow.balances.comparison import (
    Accounts,
    BalanceComparison,
    balances_compared,
    no_balances_compared,
)
from migration_assets.stages.shadow.balances.listing import balances_csv
from migration_assets.stages.shadow.balances.old_ledger import OWNED
from migration_assets.stages.shadow.churn import Guarded, excused, guarded, nobody
from migration_assets.stages.shadow.churn_listing import churn_csv
from migration_assets.stages.shadow.comparison import Comparison, Sides, nothing_compared
from migration_assets.stages.shadow.in_parts import compared_in_parts
from migration_assets.stages.shadow.legacy.reading import read_records
from migration_assets.stages.shadow.listing import differences_csv
from migration_assets.stages.shadow.target.holding import canonical, held_rows
from migration_assets.stages.shadow.terms.comparison import (
    TermComparison,
    Writing,
    no_terms_compared,
    terms_compared,
)
from migration_assets.stages.shadow.terms.listing import terms_csv
from migration_assets.stages.shadow.terms.papers import Going, Papers, named
from migration_assets.stages.shadow.whose import by_customer, customers_of
from migration_assets.stages.shadow.worth import yearly, yearly_of_contracts
from migration_assets.wiring.access_views import access_shown
from migration_assets.wiring.balance_views import balances_shown
from migration_assets.wiring.bill_views import bills_shown
from migration_assets.wiring.budgets import borne
from migration_assets.wiring.churn_views import churn_shown
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.term_views import terms_shown

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.stages.shadow.forecast import Origins
    from migration_assets.wiring.call import StageCall

Records = Mapping["RecordName", "ir.Table"]
# Dispositions of rows that do not become rows of the target.
_LEFT = ("rejected", "excluded")
_ORDERS = {
    "forecast": ["contract_id"],
    "bill_differences": ["contract_id", "cycle", "cause"],
    "access": ["customer_id"],
    "access_differences": ["customer_id", "feature", "region", "starts_at", "status"],
    "balances": ["customer_id", "currency", "measure"],
    "balance_differences": ["customer_id", "currency", "measure", "legal_entity", "age", "item"],
    "tie_out": ["legal_entity", "currency", "measure", "age"],
    "credits": ["customer_id", "currency", "turn", "expires_at"],
    "unread_records": ["record", "row"],
    "contract_terms": ["key"],
    "invoice_terms": ["key"],
    "seat_terms": ["key"],
    "term_differences": ["record", "key", "field"],
    "churn": ["customer_id"],
}
# Nobody may differ.
_MAY_BE_EMPTY = {
    "bill_differences",
    "access_differences",
    "balance_differences",
    "unread_records",
    "term_differences",
    "churn",
}


@dataclass(frozen=True)
class Held:
    """Canonical rows by entity that the target holds or would hold, and which contracts and items they came from.
    `keys`: id and key of their source rows, by entity, where the target gave them ids of its own."""

    rows: Mapping[str, ir.Table]
    origins: Origins
    keys: Mapping[str, ir.Table] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """Bills, access, balances and terms of a cohort on both sides, and who would notice. Differences of bills and
    access say whether the plan's budget excuses them (`excused`)."""

    bills: Comparison
    access: AccessComparison
    balances: BalanceComparison
    terms: TermComparison
    guard: Guarded


def old_records(call: StageCall, billing: Billing) -> Records:
    """The old system's records of the cohort, as billing.yaml reads them."""
    return read_records(call.engine, billing.legacy, lambda table: _raw(call, table))


def nothing(call: StageCall) -> Compared:
    """What is compared of a plan without billing.yaml."""
    engine = call.engine
    nothing = Compared(
        nothing_compared(engine),
        no_access_compared(engine),
        no_balances_compared(engine),
        no_terms_compared(engine),
        nobody(engine),
    )
    return _marked(call, nothing)


@dataclass(frozen=True)
class _Asked:
    """What every comparison of a cohort is given. `rejected`: table (system.table) and row of raw rows that do not
    become rows of the target; `identities`: customer_id (key), identity_id."""

    call: StageCall
    billing: Billing
    records: Records
    held: Held
    rejected: ir.Table
    identities: ir.Table

    @property
    def engine(self) -> DuckDBEngine:
        return self.call.engine

    @property
    def exponents(self) -> Callable[[str], int]:
        return partial(exponent_of, overrides=self.call.plan.file.currency_exponents)

    def raw(self, table: str) -> ir.Table:
        """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
        return _raw(self.call, table)


def both_sides(
    call: StageCall, asset: str, billing: Billing, records: Records, held: Held, proved: Mapping[str, bool]
) -> Compared:
    """`asset`: which of the stages asks. `proved`: contracts, and whether their issued invoices were made again."""
    identities = call.global_rows("customer_identities", "identities")
    asked = _Asked(call, billing, records, held, _rejected(call), identities)
    bills = _bills(asked, proved)
    owned = by_customer(call.engine, call.plan, billing.legacy, asked.raw, records, identities)
    worth = yearly(call.engine, bills.forecast, owned["contracts"])
    access = _access(asked, owned, worth)
    may = partial(borne, call, billing, asset)
    guard = guarded(call.engine, bills.differences, access.differences, owned["contracts"], worth, may)
    owners = [r for r in OWNED if r in records]
    whose = customers_of(call.engine, call.plan, billing.legacy, asked.raw, owners, identities)
    balances, terms = _balances(asked, whose), _terms(asked, whose, bills.forecast)
    return _marked(call, Compared(bills, access, balances, terms, guard))


def _marked(call: StageCall, found: Compared) -> Compared:
    """Differences with what the budget says of them."""
    bills, access = (
        call.engine.cached(excused(rows, found.guard)) for rows in (found.bills.differences, found.access.differences)
    )
    return replace(
        found, bills=replace(found.bills, differences=bills), access=replace(found.access, differences=access)
    )


def write_both(call: StageCall, asset: str, found: Compared) -> tuple[dict[str, Path], set[str]]:
    """Files of the tables, and those that may be without rows."""
    tables = {
        "forecast": found.bills.forecast,
        "bill_differences": found.bills.differences,
        "access": found.access.customers,
        "access_differences": found.access.differences,
        "balances": found.balances.balances,
        "balance_differences": found.balances.differences,
        "tie_out": found.balances.tie_out,
        "credits": found.balances.credits,
        "unread_records": found.balances.unread,
        **found.terms.terms,
        "term_differences": found.terms.differences,
        "churn": found.guard.churn,
    }
    files = {name: call.file(asset, name) for name in tables}
    written = {name: call.engine.write(rows, files[name], order_by=_ORDERS[name]) for name, rows in tables.items()}
    return files, _MAY_BE_EMPTY | {name for name, rows in written.items() if not rows}


def shown(call: StageCall, found: Compared, prefix: str = "") -> dict[str, Any]:
    """Metadata, and the sheets among the cohort's reports, whose names begin with `prefix`."""
    exponents = call.plan.file.currency_exponents
    bills = differences_csv(call.engine, found.bills.differences, exponents)
    access = access_csv(call.engine, found.access.differences)
    balances = balances_csv(call.engine, found.balances.differences, exponents)
    terms = terms_csv(call.engine, found.terms.differences, exponents)
    noticing = churn_csv(call.engine, found.guard.churn, exponents)
    return {
        **churn_shown(call.engine, found.guard, exponents),
        "who would notice": dg.MetadataValue.path(str(call.report(f"{prefix}churn.csv", noticing))),
        **bills_shown(call.engine, found.bills, exponents),
        "bills that differ": dg.MetadataValue.path(str(call.report(f"{prefix}bill_differences.csv", bills))),
        **access_shown(call.engine, found.access, exponents),
        "access that differs": dg.MetadataValue.path(str(call.report(f"{prefix}access_differences.csv", access))),
        **balances_shown(call.engine, found.balances, exponents),
        "balances that differ": dg.MetadataValue.path(str(call.report(f"{prefix}balance_differences.csv", balances))),
        **terms_shown(call.engine, found.terms),
        "terms that differ": dg.MetadataValue.path(str(call.report(f"{prefix}term_differences.csv", terms))),
    }


def _bills(asked: _Asked, proved: Mapping[str, bool]) -> Comparison:
    """The next bills of both sides; nothing where the plan does not say how the target bills."""
    call, target = asked.call, asked.billing.target
    if target is None:
        return nothing_compared(call.engine)
    call.say("making the next bills of both sides")
    rows = held_rows(call.engine, call.plan, asked.held.rows.get)
    sides = Sides(asked.records, rows, asked.held.origins, asked.rejected)
    return compared_in_parts(call.engine, asked.billing, target, sides, call.as_of, asked.exponents, proved)


def _access(asked: _Asked, owned: Records, worth: ir.Table) -> AccessComparison:
    """What customers may do on both sides; nothing where the plan names no feature of the old system."""
    if not asked.billing.legacy.features:
        return no_access_compared(asked.engine)
    asked.call.say("comparing what customers may do")
    rows = asked.held.rows
    entitlement, subscription = (canonical(asked.engine, e, rows.get(e)) for e in ("entitlement", "subscription"))
    sides = Granting(owned, entitlement, subscription, asked.rejected)
    return access_compared(asked.engine, asked.billing, sides, worth, asked.call.as_of)


def _balances(asked: _Asked, whose: Records) -> BalanceComparison:
    """What customers owe and what is theirs, on both sides."""
    asked.call.say("comparing balances")
    sides = Accounts(asked.records, whose, asked.held.rows, asked.rejected)
    return balances_compared(asked.engine, asked.billing.legacy, sides, asked.call.as_of, asked.exponents)


def _terms(asked: _Asked, whose: Records, forecast: ir.Table) -> TermComparison:
    """What is written down of contracts, invoices and seats, on both sides."""
    call, legacy = asked.call, asked.billing.legacy
    call.say("comparing what is written down of contracts, invoices and seats")
    papers = Papers(
        asked.records,
        whose,
        named(call.engine, call.plan, legacy, asked.raw, asked.identities),
        _going(call),
        yearly_of_contracts(call.engine, forecast, asked.records["contracts"]),
    )
    sides = Writing(papers, asked.held.rows, asked.held.keys, asked.rejected)
    return terms_compared(call.engine, call.plan, legacy, sides, call.as_of, asked.exponents)


def _going(call: StageCall) -> Going:
    """Customers and contacts of the cohort that go on to the target."""
    rows = {e: call.rows("cleansed_customers", e) for e in call.entities("cleansed_customers")}
    customers, contacts = (canonical(call.engine, e, rows.get(e)) for e in ("customer", "contact"))
    return Going(
        customers.select("customer_id", erased=(customers["status"] == "erased").fill_null(False)),
        contacts.select("contact_id"),
    )


def _rejected(call: StageCall) -> ir.Table:
    """Raw rows of the cohort that do not become rows of the target: table (system.table) and row."""
    fates = call.engine.union([call.rows(asset, "dispositions") for asset in TRANSFORMED])
    left = fates.filter(fates["disposition"].isin(_LEFT))
    return call.engine.cached(left.select(table=left["source_system"] + "." + left["source_table"], row="source_row"))


def _raw(call: StageCall, table: str) -> ir.Table:
    """The cohort's raw rows; of a table that belongs to no customer all of them, in every cohort."""
    shared = call.plan.source_table(table).owner == "none"
    return call.golden()(table) if shared else call.cohort_rows()(table)
