"""The next bills, the access, the balances and the terms of a cohort on both sides, and who would notice, for the
stages that compare them: before the load with rows that would be loaded, after it with rows that the target holds."""

from __future__ import annotations

from collections.abc import Mapping
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
from migration_assets.wiring.churn_views import churn_shown
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.term_views import terms_shown

if TYPE_CHECKING:
    from pathlib import Path

    import ibis.expr.types as ir

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


def both_sides(call: StageCall, billing: Billing, records: Records, held: Held, proved: Mapping[str, bool]) -> Compared:
    """`proved`: contracts, and whether their issued invoices were made again."""
    bills = _bills(call, billing, records, held, proved)
    identities = call.global_rows("customer_identities", "identities")
    owned = by_customer(call.engine, call.plan, billing.legacy, lambda table: _raw(call, table), records, identities)
    worth = yearly(call.engine, bills.forecast, owned["contracts"])
    access = _access(call, billing, owned, held, worth)
    guard = guarded(call.engine, bills.differences, access.differences, owned["contracts"], worth, billing.budget)
    owners = [r for r in OWNED if r in records]
    whose = customers_of(call.engine, call.plan, billing.legacy, lambda table: _raw(call, table), owners, identities)
    balances = _balances(call, billing, records, whose, held)
    terms = _terms(call, billing, records, whose, held, bills.forecast)
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


def _bills(call: StageCall, billing: Billing, records: Records, held: Held, proved: Mapping[str, bool]) -> Comparison:
    """The next bills of both sides; nothing where the plan does not say how the target bills."""
    if billing.target is None:
        return nothing_compared(call.engine)
    call.say("making the next bills of both sides")
    rows = held_rows(call.engine, call.plan, held.rows.get)
    sides = Sides(records, rows, held.origins, _rejected(call))
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    return compared_in_parts(call.engine, billing, billing.target, sides, call.as_of, exponents, proved)


def _access(call: StageCall, billing: Billing, owned: Records, held: Held, worth: ir.Table) -> AccessComparison:
    """What customers may do on both sides; nothing where the plan names no feature of the old system."""
    if not billing.legacy.features:
        return no_access_compared(call.engine)
    call.say("comparing what customers may do")
    entitlement, subscription = (canonical(call.engine, e, held.rows.get(e)) for e in ("entitlement", "subscription"))
    sides = Granting(owned, entitlement, subscription, _rejected(call))
    return access_compared(call.engine, billing, sides, worth, call.as_of)


def _balances(call: StageCall, billing: Billing, records: Records, whose: Records, held: Held) -> BalanceComparison:
    """What customers owe and what is theirs, on both sides."""
    call.say("comparing balances")
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    sides = Accounts(records, whose, held.rows, _rejected(call))
    return balances_compared(call.engine, billing.legacy, sides, call.as_of, exponents)


def _terms(
    call: StageCall, billing: Billing, records: Records, whose: Records, held: Held, forecast: ir.Table
) -> TermComparison:
    """What is written down of contracts, invoices and seats, on both sides."""
    call.say("comparing what is written down of contracts, invoices and seats")
    identities = call.global_rows("customer_identities", "identities")
    papers = Papers(
        records,
        whose,
        named(call.engine, call.plan, billing.legacy, lambda table: _raw(call, table), identities),
        _going(call),
        yearly_of_contracts(call.engine, forecast, records["contracts"]),
    )
    exponents = partial(exponent_of, overrides=call.plan.file.currency_exponents)
    sides = Writing(papers, held.rows, held.keys, _rejected(call))
    return terms_compared(call.engine, call.plan, billing.legacy, sides, call.as_of, exponents)


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
