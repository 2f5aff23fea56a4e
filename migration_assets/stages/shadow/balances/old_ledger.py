"""The ledger as the old system's raw records say it.

Only whole minor units count, and nothing is rounded: a record of which something cannot be read, or whose amount is no
amount of its currency, is in no sum and is listed instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.calendar import is_zone, local_day, midnight
from migration_assets.stages.shadow.balances.ledger import Ledger, ledger_of
from migration_assets.stages.shadow.balances.old_discounts import standing_discounts
from migration_assets.stages.shadow.legacy.changes import unchanged
from migration_assets.stages.shadow.legacy.contracts import readable, units_of
from migration_assets.stages.shadow.legacy.scales import WIDE
from migration_assets.stages.shadow.legacy.steps import BY_UNIT, Steps, tiers_told
from migration_assets.stages.shadow.reasons import UNKNOWN_CURRENCY, UNKNOWN_ZONE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import RecordName

Records = Mapping["RecordName", "ir.Table"]
Exponents = Callable[[str], int]

# Records whose rows belong to a customer by themselves; what settles an invoice belongs to the invoice's.
OWNED: tuple[RecordName, ...] = ("contracts", "receivables", "payments", "credit_memos", "credits")
# Records whose amounts are balances, with those amounts; what a contract bills is not asked of its invoices' lines.
_AMOUNTS: Mapping[RecordName, tuple[str, ...]] = {
    "receivables": ("total", "open"),
    "payments": ("amount",),
    "applications": ("amount",),
    "refunds": ("amount",),
    "disputes": ("amount",),
    "write_offs": ("amount",),
    "credit_memos": ("amount", "applied"),
    "credits": ("balance",),
    "revenue": ("amount",),
}
# Records that become rows of the target, so that their rows may be rejected on the way.
MOVED: tuple[RecordName, ...] = ("contracts", "items", "lines", *_AMOUNTS)
# Contracts that are billed, or will be again when a pause is over.
_RECURRING = ("active", "past_due", "paused")
# Larger ones are a mistake of the record, and would not fit the sum.
_MOST, _MOST_UNITS, _MOST_PRICE = 10**14, 10**7, 10**9
_SCALE = 10**10
_DAY = timedelta(days=1)
_GIVEN_BACK: tuple[tuple[RecordName, str], ...] = (("refunds", "settled"), ("disputes", "lost"))
UNREAD = pa.schema([("record", pa.string()), ("row", pa.int64()), ("why", pa.string())])


@dataclass(frozen=True)
class OldLedger:
    """`recorded`: invoices, with what the old system itself says is open of them as open_minor; None where the plan
    reads none. `unread`: record, row, why, of what is in no sum."""

    ledger: Ledger
    recorded: ir.Table | None
    unread: ir.Table


def old_ledger(
    engine: DuckDBEngine,
    records: Records,
    whose: Mapping[RecordName, ir.Table],
    as_of: datetime,
    exponents: Exponents,
    rules: Rules,
) -> OldLedger:
    """`whose`: row (key) and customer of the raw rows of records that are somebody's (`OWNED`). `rules`: by which it is
    counted how many periods of a discount are left."""
    money = [r for r in (*_AMOUNTS, "contracts") if r in records]
    currencies = engine.union([records[r].select("currency").distinct() for r in money])
    units = units_of(engine, currencies, exponents)
    owned = {r: _owned(rows, whose.get(r)) if r in OWNED else rows for r, rows in records.items()}
    told = {r: engine.cached(_in_minor(owned[r], units, _AMOUNTS[r])) for r in money if r in _AMOUNTS}
    if "credits" in told:
        told["credits"] = engine.cached(_lapsing(engine, told["credits"]))
    tables = _settling({r: rows.filter(_.why == "") for r, rows in told.items()}, owned.get("lines"))
    tables["recurring"] = _recurring(engine, owned, units, as_of)
    if "discounts" in records:
        tables["discounts"] = standing_discounts(engine, records, rules, as_of, exponents)
    issued = tables.get("invoices")
    recorded = None if issued is None else issued.mutate(open_minor=_.open_minor.fill_null(0))
    return OldLedger(ledger_of(engine, tables), recorded, engine.cached(_unread(engine, told)))


def _owned(rows: ir.Table, whose: ir.Table | None) -> ir.Table:
    """Records with the customer whose they are as customer_id."""
    if whose is None:
        return rows.mutate(customer_id=ibis.null("string"))
    return rows.left_join(whose.select(row="row", customer_id="customer"), "row").drop("row_right")


def _in_minor(rows: ir.Table, units: ir.Table, amounts: tuple[str, ...]) -> ir.Table:
    """Records with each amount in minor units, and `why` they are in no sum; an empty text where they are."""
    told = rows.left_join(units, "currency").drop("currency_right")
    exact = {a: _within(told[a], _MOST) * told["unit"] for a in amounts}
    whole = {a: (e == e.floor()).ifelse(e, ibis.null(e.type())).cast("int64") for a, e in exact.items()}
    lost = ibis.or_(*(told[a].notnull() & whole[a].isnull() for a in amounts))
    why = ibis.cases(
        (told["unreadable"] != "", told["unreadable"].strip()),
        (told["unit"].isnull(), UNKNOWN_CURRENCY),
        (lost, "not_whole_minor_units"),
        else_="",
    )
    return told.mutate(**{f"{a}_minor": minor for a, minor in whole.items()}, why=why)


def _small(value: ir.Value, most: int) -> ir.BooleanValue:
    return value.between(-most, most).fill_null(True)


def _within(value: ir.Value, most: int) -> ir.Value:
    return value.between(-most, most).ifelse(value, ibis.null(value.type()))


def _lapsing(engine: DuckDBEngine, credits: ir.Table) -> ir.Table:
    """Credits with expires_at, the instant at which their last day is over."""
    pairs = engine.arrow(credits.select("zone", "last_day").filter(_.zone.notnull() & _.last_day.notnull()).distinct())
    known = [(p["zone"], p["last_day"]) for p in pairs.to_pylist() if is_zone(p["zone"])]
    ends = {
        "zone": pa.array([zone for zone, _ in known], pa.string()),
        "last_day": pa.array([day for _, day in known], pa.date32()),
        "expires_at": pa.array([midnight(day + _DAY, zone) for zone, day in known], pa.timestamp("us", tz="UTC")),
    }
    told = credits.left_join(engine.table(pa.table(ends)), ["zone", "last_day"]).drop("zone_right", "last_day_right")
    unplaced = (told["why"] == "") & told["last_day"].notnull() & told["expires_at"].isnull()
    return told.mutate(why=unplaced.ifelse(UNKNOWN_ZONE, told["why"]))


def _settling(told: Mapping[RecordName, ir.Table], lines: ir.Table | None) -> dict[str, ir.Table]:
    """Tables of the ledger that single records say."""
    found: dict[str, ir.Table] = {}
    if "receivables" in told:
        found["invoices"] = told["receivables"]
    if "payments" in told:
        found["payments"] = told["payments"].filter(_.status == "received").mutate(amount_minor=_.amount_minor)
    if "applications" in told:
        found["applications"] = told["applications"]
        if "payments" in told:
            nothing_came = told["payments"].filter(_.status != "received")
            found["applications"] = told["applications"].anti_join(nothing_came, "payment_id")
    key = ("payment_id", "currency", "amount_minor")
    back = [told[r].filter(_.status == s).select(key) for r, s in _GIVEN_BACK if r in told]
    if back:
        found["given_back"] = ibis.union(*back) if len(back) > 1 else back[0]
    if "write_offs" in told:
        found["written_off"] = told["write_offs"]
    if "credit_memos" in told:
        memos = told["credit_memos"]
        found["credited"] = memos.filter(_.invoice_id.notnull()).mutate(amount_minor=_.applied_minor)
        found["memos"] = memos.mutate(amount_minor=_.amount_minor - _.applied_minor)
    if "credits" in told:
        found["credits"] = told["credits"].mutate(amount_minor=_.balance_minor)
    if "revenue" in told and lines is not None:
        deferred = told["revenue"].filter(~_.recognized.fill_null(False))
        own = lines.filter(_.line_id.notnull()).select("line_id", "invoice_id")
        found["deferred"] = deferred.join(own, "line_id")
    return found


def _recurring(engine: DuckDBEngine, records: Records, units: ir.Table, as_of: datetime) -> ir.Table:
    """What contracts that run at T bill in a year for what recurs, before discounts; each item rounded for one period
    as it would be billed, half a minor unit up."""
    contracts = readable(records["contracts"]).filter(_.status.isin(_RECURRING) & (_.months > 0))
    days = _today(engine, contracts, as_of)
    running = contracts.join(days, "zone").join(units, "currency")
    running = running.filter(_runs(running["first_day"], running["last_day"], running["today"]))
    own = running.select("contract_id", "customer_id", "legal_entity", "currency", "months", "unit", "today")
    items = readable(records["items"]).filter(_.kind != "usage")
    met = _full_prices(engine, items, records).join(own, "contract_id")
    met = met.filter(_runs(met["first_day"], met["last_day"], met["today"]))
    period = engine.whole(met["total"] * met["unit"], ibis.literal(_SCALE), "half_up")
    return met.mutate(amount_minor=(period * 12).cast("int64") // met["months"])


def _full_prices(engine: DuckDBEngine, items: ir.Table, records: Records) -> ir.Table:
    """Items with what all of it costs for a period: contract_id, first_day, last_day, total (in 10**-10 major ones)."""
    own = ("contract_id", "first_day", "last_day")
    price = (_within(items["unit_price"], _MOST_PRICE) * _SCALE).cast(WIDE)
    by_unit = items.mutate(total=(price * _within(items["quantity"], _MOST_UNITS)).cast(WIDE))
    stepped = items.filter(items["model"].notin(BY_UNIT))
    if not engine.count(stepped.limit(1)):
        return by_unit.select(*own, "total")
    stepped = stepped.filter(_small(stepped["unit_price"], _MOST_PRICE) & _small(stepped["quantity"], _MOST_UNITS))
    tiers = tiers_told(engine, records)
    large = tiers.filter(~(_small(tiers["unit_price"], _MOST_PRICE) & _small(tiers["fee"], _MOST_PRICE)))
    known = Steps(unchanged(engine), tiers.anti_join(large, "price")).full_prices(stepped)
    return engine.union(
        [
            by_unit.filter(items["model"].isin(BY_UNIT)).select(*own, "total"),
            stepped.join(known, "row").select(*own, "total"),
        ]
    )


def _today(engine: DuckDBEngine, contracts: ir.Table, as_of: datetime) -> ir.Table:
    zones = engine.arrow(contracts.select("zone").distinct()).column(0).to_pylist()
    known = sorted(z for z in zones if z is not None and is_zone(z))
    days = pa.array([local_day(as_of, zone) for zone in known], pa.date32())
    return engine.table(pa.table({"zone": pa.array(known, pa.string()), "today": days}))


def _runs(first: ir.DateValue, last: ir.DateValue, today: ir.DateValue) -> ir.BooleanValue:
    return (first.isnull() | (first <= today)) & (last.isnull() | (last >= today))


def _unread(engine: DuckDBEngine, told: Mapping[RecordName, ir.Table]) -> ir.Table:
    lost = [rows.filter(_.why != "").mutate(record=ibis.literal(r)).select(*UNREAD.names) for r, rows in told.items()]
    return engine.union(lost) if lost else engine.table(UNREAD.empty_table())
