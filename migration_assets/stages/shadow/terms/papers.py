"""What the old system wrote down, with whose it is: everything that its side is told from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.calendar import is_zone
from migration_assets.engine.mapping import source_id
from migration_assets.plan.billing_records import DAY
from migration_assets.stages.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.plan.models import Plan

NAMED: tuple[RecordName, ...] = ("contracts", "items", "receivables", "seats")
_PAID: tuple[RecordName, ...] = ("contracts", "receivables")


@dataclass(frozen=True)
class Named:
    """Names that records give, told as the target's side tells them.

    `keys`: of the rows of each kind of record, row (key), key (`system.table:id`) and, of contracts, begins: the local
    time at which one begins, where its column has a time of day. `payers`: row (key) and customer who pays, where
    somebody is named. `contacts`: the `system.table` of contacts that seats name; none where they name none.
    """

    keys: Mapping[RecordName, ir.Table]
    payers: Mapping[RecordName, ir.Table]
    contacts: str | None = None


@dataclass(frozen=True)
class Going:
    """Who goes on to the target, whoever pays or sits somewhere: customers (customer_id, key; erased), contacts
    (contact_id, key)."""

    customers: ir.Table
    contacts: ir.Table


@dataclass(frozen=True)
class Papers:
    """`records`: also those that were rejected or left out. `whose`: row (key) and customer of contracts and
    receivables. `worth`: contract_id (key), yearly_minor and currency of what it is billed."""

    records: Mapping[RecordName, ir.Table]
    whose: Mapping[RecordName, ir.Table]
    named: Named
    going: Going
    worth: ir.Table


def named(
    engine: DuckDBEngine,
    plan: Plan,
    legacy: LegacyBilling,
    raw: Callable[[str], ir.Table],
    identities: ir.Table,
) -> Named:
    """Names out of raw rows by `system.table`. `identities`: customer_id (key), identity_id, of every customer row."""
    owners, reads = Owners(engine, plan, raw), legacy.reads
    keys = {r: engine.cached(_keys(plan, legacy, raw, r)) for r in NAMED if r in reads}
    payers = {
        r: engine.cached(_led(owners.along(reads[r].table, column), identities))
        for r in _paid(legacy)
        if (column := reads[r].fields["payer"].column) is not None
    }
    seats = reads.get("seats")
    contact = seats.fields.get("contact") if seats else None
    column = contact.column if contact else None
    table = plan.source_table(seats.table).references.get(column) if seats and column else None
    return Named(keys, payers, table)


def _paid(legacy: LegacyBilling) -> Collection[RecordName]:
    return [r for r in _PAID if r in legacy.reads and "payer" in legacy.reads[r].fields]


def _keys(plan: Plan, legacy: LegacyBilling, raw: Callable[[str], ir.Table], record: RecordName) -> ir.Table:
    read = legacy.reads[record]
    rows = raw(read.table)
    key = ibis.literal(f"{read.table}:") + source_id(rows, plan.source_table(read.table).key)
    if record != "contracts":
        return rows.select(row="_row", key=key)
    first = read.fields["first_day"]
    whole = first.column is None or first.exclusive or first.codes is not None
    begins = ibis.null("timestamp(6)") if whole or first.column is None else _local_time(rows[first.column])
    return rows.select(row="_row", key=key, begins=begins)


def _local_time(raw: ir.Value) -> ir.Value:
    """A local time of day as it is written, of a column that may have one."""
    kind = raw.type()
    if kind.is_string():
        text = raw.strip()
        return text.re_search(DAY).ifelse(text, ibis.null("string")).try_cast("timestamp(6)")
    return raw.cast("timestamp(6)") if kind.is_timestamp() and kind.timezone is None else ibis.null("timestamp(6)")


def _led(named: ir.Table, identities: ir.Table) -> ir.Table:
    led = identities.select(_member="customer_id", _identity="identity_id")
    known = named.left_join(led, named["_customer"] == led["_member"])
    told = known.select(row="_row", customer=known["_identity"].coalesce(known["_customer"]))
    return told.filter(told["customer"].notnull())


def known_zones(engine: DuckDBEngine, contracts: ir.Table) -> list[str]:
    """Zones of contracts that there are."""
    names = engine.arrow(contracts.select("zone").distinct()).column(0).to_pylist()
    return sorted(z for z in names if z is not None and is_zone(z))


def in_known_zone(engine: DuckDBEngine, zones: list[str], **columns: pa.Array) -> ir.Table:
    """zone (key) and columns beside it, one value for each zone."""
    return engine.table(pa.table({"zone": pa.array(zones, pa.string()), **columns}))
