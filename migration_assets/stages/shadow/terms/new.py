"""What the target's rows write down of the same: those that it would hold, or holds.

Keys are those of the old system's rows (`system.table:id`); a row of which nobody knows where it came from keeps its
id. A contract that nobody else pays for is paid by whose it is. `unissued` marks invoices that were never issued or
were taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.target.holding import canonical
from migration_assets.stages.shadow.terms.form import CONTRACT, INVOICE, SEAT, Form
from migration_assets.stages.shadow.terms.old import as_login

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

Rows = Mapping[str, "ir.Table"]
_STATUS = (("trialing", "trial"), ("canceled", "over"), ("ended", "over"))
_NO_INVOICE = ("draft", "void")


def new_contracts(engine: DuckDBEngine, rows: Rows, keys: Rows) -> ir.Table:
    """One row for each subscription. `keys`: id and key of rows of an entity that the target gave an id of its own."""
    own = _keyed(canonical(engine, "subscription", rows.get("subscription")), keys, "subscription", "subscription_id")
    told = own.mutate(
        key=own["subscription_id"],
        customer=own["customer_id"],
        payer=own["payer_id"].coalesce(own["customer_id"]),
        legal_entity=_source_id(own["legal_entity_id"]),
        currency=own["currency"].upper(),
        status=own["status"].cases(*_STATUS, else_=own["status"]),
        period_starts_at=own["current_period_starts_at"],
        period_ends_at=own["current_period_ends_at"],
    )
    return _as(engine, told, CONTRACT)


def new_invoices(engine: DuckDBEngine, rows: Rows, keys: Rows) -> ir.Table:
    """One row for each invoice."""
    own = _keyed(canonical(engine, "invoice", rows.get("invoice")), keys, "invoice", "invoice_id")
    told = own.mutate(
        key=own["invoice_id"],
        issued=own["status"].notin(_NO_INVOICE).fill_null(True),
        customer=own["customer_id"],
        payer=own["payer_id"].coalesce(own["customer_id"]),
        number=own["number"].strip(),
        legal_entity=_source_id(own["legal_entity_id"]),
        currency=own["currency"].upper(),
        total=own["total_minor"],
        due_on=own["due_on"].coalesce(own["issued_on"]),
    )
    return _as(engine, told, INVOICE)


def new_seats(engine: DuckDBEngine, rows: Rows, keys: Rows) -> ir.Table:
    """One row for each seat."""
    own = canonical(engine, "seat_assignment", rows.get("seat_assignment"))
    own = _keyed(own, keys, "seat_assignment", "seat_assignment_id")
    own = _keyed(own, keys, "subscription_item", "item_id")
    own = _keyed(own, keys, "contact", "contact_id")
    told = own.mutate(
        key=own["seat_assignment_id"], item=own["item_id"], contact=own["contact_id"], holder=as_login(own["holder"])
    )
    return _as(engine, told, SEAT)


def _keyed(rows: ir.Table, keys: Rows, entity: str, column: str) -> ir.Table:
    if entity not in keys:
        return rows
    known = keys[entity].select(_id="id", _key="key")
    met = rows.left_join(known, rows[column] == known["_id"])
    return met.mutate(**{column: met["_key"].coalesce(met[column])}).drop("_id", "_key")


def _source_id(key: ir.StringValue) -> ir.StringValue:
    return key.re_replace(r"^[^:]*:", "")


def _as(engine: DuckDBEngine, rows: ir.Table, form: Form) -> ir.Table:
    fields = {n: rows[n].cast(f.type) for n, f in form.fields.items()}
    unissued = ~rows["issued"] if "issued" in form.fields else ibis.literal(False)
    return engine.cached(rows.select(key="key", unissued=unissued, **fields))
