"""Which contracts of the old system are forecast, and why others are not: whole tables of records at once.

Belongs here: what has to be known before anything can be billed. Not here: which cycles, and how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.calendar import is_zone, local_day, midnight
from migration_assets.domain.money import MoneyError
from migration_assets.plan.billing_records import READS
from migration_assets.stages.shadow.reasons import UNKNOWN_CURRENCY, UNKNOWN_ZONE, UNREADABLE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import ReadType, RecordName

Records = Mapping["RecordName", "ir.Table"]

_DAY = timedelta(days=1)
_ARROW: Mapping[ReadType, pa.DataType] = {
    "text": pa.string(),
    "day": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "number": pa.decimal128(38, 10),
    "integer": pa.int64(),
    "flag": pa.bool_(),
}


def record(engine: DuckDBEngine, records: Records, name: RecordName) -> ir.Table:
    """One kind of record; without rows where the old system has none of it."""
    if name in records:
        return records[name]
    fields = [(field, _ARROW[known.type]) for field, known in READS[name].items()]
    return engine.table(pa.schema([*fields, ("unreadable", pa.string())]).empty_table())


def readable(rows: ir.Table) -> ir.Table:
    """Rows of which everything could be read."""
    return rows.filter(rows["unreadable"] == "")


def contracts_to_bill(
    engine: DuckDBEngine, records: Records, as_of: datetime, exponents: Callable[[str], int]
) -> tuple[ir.Table, ir.Table]:
    """Contracts that may still be billed, and those that cannot be because something is not known.

    The first: contract_id, currency, unit (minor units in a major one), zone, starts_on (the first local day whose
    beginning is not before `as_of`), months, anchor, ends_on (the last day on which a period may begin), country,
    tax_inclusive, tax_exempt, paused_on, resumes_on. The second: contract_id, reason (`unreadable`, `unknown_zone`,
    `unknown_currency`). Key of both: contract_id.
    """
    every = records["contracts"]
    every = every.filter(every["status"].isnull() | (every["status"] != "over"))
    zones = _zones(engine, every, as_of)
    units = units_of(engine, every, exponents)
    lost = _with_lost_parts(engine, records).mutate(lost=True)
    told = every.left_join(zones, "zone").drop("zone_right").left_join(units, "currency").drop("currency_right")
    told = told.left_join(lost, "contract_id").drop("contract_id_right")
    known = engine.cached(told.mutate(reason=_reason(told)).left_join(_cancelled(engine, records), "contract_id"))
    unbillable = known.filter(known["reason"].notnull()).select("contract_id", "reason")
    billable = known.filter(known["reason"].isnull()).select(
        "contract_id",
        "currency",
        "unit",
        "zone",
        "starts_on",
        "months",
        "anchor",
        "country",
        "paused_on",
        "resumes_on",
        ends_on=ibis.least(known["last_day"], known["cancelled_on"]),
        tax_inclusive=known["tax_inclusive"].fill_null(False),
        tax_exempt=known["tax_exempt"].fill_null(False),
    )
    return billable, unbillable


def _reason(told: ir.Table) -> ir.Value:
    unreadable = (told["unreadable"] != "") | told["lost"].notnull() | (told["months"] < 1)
    return ibis.cases(
        (unreadable, UNREADABLE),
        (told["starts_on"].isnull(), UNKNOWN_ZONE),
        (told["unit"].isnull(), UNKNOWN_CURRENCY),
    )


def _with_lost_parts(engine: DuckDBEngine, records: Records) -> ir.Table:
    """Contracts of which an item, a discount or a change cannot be read."""
    names: tuple[RecordName, ...] = ("items", "discounts", "changes")
    parts = [record(engine, records, name) for name in names]
    return engine.union([p.filter(p["unreadable"] != "").select("contract_id") for p in parts]).distinct()


def _cancelled(engine: DuckDBEngine, records: Records) -> ir.Table:
    """The last day before a scheduled cancellation acts."""
    changes = record(engine, records, "changes")
    cancels = changes.filter((changes["kind"] == "cancel") & changes["first_day"].notnull())
    days = cancels.group_by("contract_id").aggregate(first_day=cancels["first_day"].min())
    return days.select("contract_id", cancelled_on=(days["first_day"] - ibis.interval(days=1)).cast("date"))


def _zones(engine: DuckDBEngine, contracts: ir.Table, as_of: datetime) -> ir.Table:
    names = [z for z in _values(engine, contracts, "zone") if is_zone(z)]
    days = pa.array([_first_day(as_of, zone) for zone in names], pa.date32())
    return engine.table(pa.table({"zone": pa.array(names, pa.string()), "starts_on": days}))


def _first_day(as_of: datetime, zone: str) -> date:
    """The first local day that does not begin before the instant."""
    day = local_day(as_of, zone) - _DAY
    while midnight(day, zone) < as_of:
        day += _DAY
    return day


def units_of(engine: DuckDBEngine, rows: ir.Table, exponents: Callable[[str], int]) -> ir.Table:
    """currency (key) of the rows, as far as it is one, and unit: minor units in a major one."""
    known: dict[str, int] = {}
    for currency in _values(engine, rows, "currency"):
        try:
            known[currency] = 10 ** exponents(currency)
        except MoneyError:
            continue
    columns = {"currency": pa.array(list(known), pa.string()), "unit": pa.array(list(known.values()), pa.int64())}
    return engine.table(pa.table(columns))


def _values(engine: DuckDBEngine, rows: ir.Table, column: str) -> list[str]:
    found = engine.arrow(rows.select(column).filter(rows[column].notnull()).distinct())
    return sorted(found.column(0).to_pylist())
