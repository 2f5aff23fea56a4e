"""What the old system's raw records write down of contracts, issued invoices and seats.

Contracts: an over one is in no period any more, so none is told of it; otherwise `domain.legacy.periods.running` says
which contains T. Whoever pays, sits somewhere or has a login, and does not go on to the target, is not to be found
there; `lost` names such fields. What a record does not say so that it can be read is in `unread`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
from ibis import _

from migration_assets.domain.calendar import local_day
from migration_assets.stages.shadow.legacy.contracts import units_of
from migration_assets.stages.shadow.terms.form import CONTRACT, INVOICE, SEAT, Form
from migration_assets.stages.shadow.terms.papers import Papers, in_known_zone, known_zones
from migration_assets.stages.shadow.terms.placed import day_after, local, placed
from migration_assets.stages.shadow.terms.running import running

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_records import RecordName

# Beside the fields of its form: raw row, key (`system.table:id`), name (as the old system has it), whose it is, which
# fields cannot be read or asked of this one, which are lost with somebody else, and what is at stake.
BESIDE = ("row", "key", "name", "customer_id", "unread", "unasked", "lost", "at_stake_minor", "stake_currency")
_PERIOD = " period_starts_at period_ends_at"
_MOST, _MOST_MONTHS = 10**14, 1200


def old_contracts(engine: DuckDBEngine, papers: Papers, rules: Rules, as_of: datetime) -> ir.Table:
    """One row for each contract."""
    rows = _named(engine, papers, "contracts")
    # No period is told of an interval that no calendar has.
    rows = rows.mutate(months=rows["months"].between(1, _MOST_MONTHS).ifelse(rows["months"], ibis.null("int64")))
    zones = known_zones(engine, rows)
    days = in_known_zone(engine, zones, today=pa.array([local_day(as_of, z) for z in zones], pa.date32()))
    met = rows.left_join(days, "zone").drop("zone").rename(zone="zone_right")
    told = engine.cached(_paid(papers, "contracts", met))
    told = running(engine, told, rules)
    told = told.mutate(
        starts_at=told["begins"].coalesce(local(told["first_day"])),
        ends_at=day_after(told["last_day"]),
        trial_ends_at=day_after(told["trial_last_day"]),
        period_starts_at=local(told["period_first"]),
        period_ends_at=local(told["period_until"]),
        unasked=told["period_first"].isnull().ifelse(_PERIOD, ""),
        name=told["contract_id"],
    )
    at = placed(engine, told, ("starts_at", "ends_at", "trial_ends_at", "period_starts_at", "period_ends_at"))
    worth = _worth(papers)
    at = at.left_join(worth, at["contract_id"] == worth["_contract"])
    at = at.mutate(
        currency=at["currency"].upper(),
        unread=_unread(at, CONTRACT, ("months", "zone")) + at["zone"].isnull().ifelse("zone ", ""),
    )
    return _as(engine, at, CONTRACT)


def old_invoices(engine: DuckDBEngine, papers: Papers, exponents: Callable[[str], int]) -> ir.Table:
    """One row for each issued invoice; its period where it is one of a contract."""
    rows = _named(engine, papers, "receivables")
    units = units_of(engine, rows, exponents)
    rows = rows.left_join(units, "currency").drop("currency_right")
    rows = engine.cached(_paid(papers, "receivables", rows))
    exact = rows["total"].between(-_MOST, _MOST).ifelse(rows["total"], ibis.null(rows["total"].type())) * rows["unit"]
    total = (exact == exact.floor()).ifelse(exact, ibis.null(exact.type())).cast("int64")
    known = rows.left_join(_billed(engine, papers), "invoice_id").drop("invoice_id_right")
    at = placed(engine, known.mutate(total_minor=total), ("period_starts_at", "period_ends_at"))
    told = at.mutate(
        issued=ibis.literal(True),
        name=at["invoice_id"],
        currency=at["currency"].upper(),
        # What is due on the day it bears need not be told twice.
        due_on=at["due_on"].coalesce(at["issued_on"]),
        unasked=at["period_starts_at"].isnull().ifelse(_PERIOD, ""),
        unread=_unread(at, INVOICE)
        + at["period_unread"].fill_null("")
        + at["total_minor"].isnull().ifelse("total ", ""),
        yearly_minor=at["total_minor"],
        yearly_currency=at["currency"],
    )
    return _as(engine, told.drop("total").rename(total="total_minor"), INVOICE)


def old_seats(engine: DuckDBEngine, papers: Papers) -> ir.Table:
    """One row for each seat. Of an erased customer no login is left."""
    rows = _named(engine, papers, "seats")
    met = rows.left_join(_items(engine, papers), "item_id").drop("item_id_right")
    going = papers.going
    erased = going.customers.filter(_.erased).select(_erased="customer_id")
    prefix = ibis.literal(f"{papers.named.contacts}:")
    met = engine.cached(met.mutate(contact=prefix + met["contact"]))
    there = going.contacts.select(_there="contact_id")
    met = met.left_join(there, met["contact"] == there["_there"])
    met = met.left_join(erased, met["customer_id"] == erased["_erased"])
    worth = _worth(papers)
    met = engine.cached(met.left_join(worth, met["contract_id"] == worth["_contract"]))
    no_login = met["holder"].notnull() & met["_erased"].notnull()
    no_contact = met["contact"].notnull() & met["_there"].isnull()
    told = met.mutate(
        name=met["seat_id"],
        contact=no_contact.ifelse(ibis.null("string"), met["contact"]),
        holder=no_login.ifelse(ibis.null("string"), as_login(met["holder"])),
        lost=no_contact.ifelse(" contact", "") + no_login.ifelse(" holder", ""),
        unasked=ibis.literal(""),
        unread=_unread(met, SEAT),
    )
    return _as(engine, told, SEAT)


def as_login(holder: ir.StringValue) -> ir.StringValue:
    """A login as it is compared: what nobody sees, and capitals, tell no two persons apart."""
    return holder.re_replace(r"[\s\pZ\pC]+", "").lower().nullif("")


def _named(engine: DuckDBEngine, papers: Papers, record: RecordName) -> ir.Table:
    return engine.cached(papers.records[record].join(papers.named.keys[record], "row"))


def _paid(papers: Papers, record: RecordName, rows: ir.Table) -> ir.Table:
    """With customer_id, payer (the customer, where nobody else pays) and whether one was lost who does not go on."""
    own = papers.whose[record].select(row="row", customer_id="customer")
    told = rows.drop("payer").left_join(own, "row").drop("row_right")
    told = told.mutate(customer=told["customer_id"])
    if record not in papers.named.payers:
        return told.mutate(payer=told["customer_id"], lost=ibis.literal(""))
    named = papers.named.payers[record].select(row="row", _payer="customer")
    going = papers.going.customers.select(_going="customer_id")
    told = told.left_join(named, "row").drop("row_right")
    told = told.left_join(going, told["_payer"] == going["_going"])
    gone = told["_payer"].notnull() & told["_going"].isnull()
    payer = told["_going"].coalesce(told["customer_id"])
    return told.mutate(payer=payer, lost=gone.ifelse(" payer", "")).drop("_payer", "_going")


def _billed(engine: DuckDBEngine, papers: Papers) -> ir.Table:
    """invoice_id (key), zone, and the half-open period as local times, of invoices of contracts."""
    records = papers.records
    if "invoices" not in records:
        empty = {"invoice_id": pa.string(), "zone": pa.string(), "period_unread": pa.string()}
        local_time = {"period_starts_at": pa.timestamp("us"), "period_ends_at": pa.timestamp("us")}
        return engine.table(pa.schema({**empty, **local_time}).empty_table())
    zones = known_zones(engine, records["contracts"])
    placed_in = records["contracts"].filter(_.zone.isin(zones or [""])).select("contract_id", "zone")
    rows = records["invoices"].join(_once(placed_in, "contract_id"), "contract_id")
    told = rows.select(
        "invoice_id",
        "zone",
        period_starts_at=local(rows["first_day"]),
        period_ends_at=day_after(rows["last_day"]),
        period_unread=_missing(rows, ("first_day", "last_day")),
    )
    return _once(told.filter(told["invoice_id"].notnull()), "invoice_id")


def _items(engine: DuckDBEngine, papers: Papers) -> ir.Table:
    """item_id (key), its key as item, contract_id and customer_id."""
    keys = papers.named.keys["items"].select("row", item="key")
    owned = papers.whose["contracts"].select("row", customer_id="customer")
    own = papers.records["contracts"].select("contract_id", "row").join(owned, "row").drop("row")
    rows = papers.records["items"].select("item_id", "contract_id", "row").join(keys, "row").drop("row")
    met = rows.left_join(own, "contract_id").drop("contract_id_right")
    return engine.cached(_once(met.filter(met["item_id"].notnull()), "item_id"))


def _once(rows: ir.Table, key: str) -> ir.Table:
    """One row for each key: what the old system has twice is nobody's mistake of a seat or an invoice."""
    return rows.group_by(key).aggregate(**{c: rows[c].min() for c in rows.columns if c != key})


def _worth(papers: Papers) -> ir.Table:
    return papers.worth.select(_contract="contract_id", yearly_minor="yearly_minor", yearly_currency="currency")


def _unread(rows: ir.Table, form: Form, beside: Collection[str] = ()) -> ir.StringValue:
    """Names of raw fields that the form needs and that could not be read, each with a blank behind it."""
    needed = {n for f in form.fields.values() if f.record == form.record for n in f.reads}
    return _missing(rows, sorted(needed | set(beside)))


def _missing(rows: ir.Table, names: Collection[str]) -> ir.StringValue:
    padded = ibis.literal(" ") + rows["unreadable"]
    found = [padded.contains(f" {n} ").ifelse(f"{n} ", "") for n in names]
    whole = found[0]
    for each in found[1:]:
        whole = whole + each
    return (rows["unreadable"] == "").ifelse("", whole)


def _as(engine: DuckDBEngine, rows: ir.Table, form: Form) -> ir.Table:
    told = rows.mutate(at_stake_minor=rows["yearly_minor"].fill_null(0).abs(), stake_currency=rows["yearly_currency"])
    types = {n: f.type for n, f in form.fields.items()}
    return engine.cached(told.select(*BESIDE, **{n: told[n].cast(t) for n, t in types.items()}))
