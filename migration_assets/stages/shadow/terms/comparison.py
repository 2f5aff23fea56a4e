"""What both sides write down of contracts, issued invoices and seats, and in which fields they differ (I2, I7, I8, I27,
I29, I33, I34).

Belongs here: which records are held against each other, and what each difference is called. Not here: Dagster, and how
either side is told. Of a login only that it differs is ever said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.legacy.terms import Rules
from migration_assets.stages.shadow.kept import rejected_rows
from migration_assets.stages.shadow.signed import UNSIGNED
from migration_assets.stages.shadow.terms.form import CONTRACT, FORMS, INVOICE, Form, compared_fields
from migration_assets.stages.shadow.terms.new import new_contracts, new_invoices, new_seats
from migration_assets.stages.shadow.terms.old import old_contracts, old_invoices, old_seats
from migration_assets.stages.shadow.terms.papers import Papers

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.plan.models import Plan

SAME, UNREAD = "same", "unread"
# In place of a field, where one side has no such record at all.
ABSENT, EXTRA = "not_in_target", "only_in_target"
# Names of the tables by form.
TABLES: Mapping[RecordName, str] = {
    "contracts": "contract_terms",
    "receivables": "invoice_terms",
    "seats": "seat_terms",
}
TERMS = pa.schema(
    [
        *((c, pa.string()) for c in ("key", "customer_id", "status", "fields")),
        ("at_stake_minor", pa.int64()),
        ("currency", pa.string()),
    ]
)
DIFFERENCES = pa.schema(
    [
        *((c, pa.string()) for c in ("record", "key", "customer_id", "field", "status")),
        ("at_stake_minor", pa.int64()),
        ("currency", pa.string()),
    ]
)


@dataclass(frozen=True)
class Writing:
    """What both sides are told from. `rows`: canonical rows by entity; `keys`: id and key (`system.table:id`) of those
    that the target gave an id of its own, by entity. `rejected`: table (system.table) and row of raw rows."""

    papers: Papers
    rows: Mapping[str, ir.Table]
    keys: Mapping[str, ir.Table]
    rejected: ir.Table


@dataclass(frozen=True)
class TermComparison:
    """`terms`: by name of its table, one row for each record; key: key. `fields`: those that differ, or could not be
    asked since a record cannot be read, with blanks between them. `differences`: one row for each record and field of
    status unsigned, rejected or unread. `compared`: fields that are compared, by record."""

    terms: Mapping[str, ir.Table]
    differences: ir.Table
    compared: Mapping[RecordName, Sequence[str]]


def no_terms_compared(engine: DuckDBEngine) -> TermComparison:
    """All tables without rows."""
    terms = {name: engine.table(TERMS.empty_table()) for name in TABLES.values()}
    return TermComparison(terms, engine.table(DIFFERENCES.empty_table()), {})


def terms_compared(
    engine: DuckDBEngine,
    plan: Plan,
    legacy: LegacyBilling,
    sides: Writing,
    as_of: datetime,
    exponents: Callable[[str], int],
) -> TermComparison:
    """What stands at T. What was rejected or left out on the way is told apart."""
    compared = {f.record: names for f in FORMS if (names := compared_fields(plan, legacy, f))}
    gone = rejected_rows(engine, legacy, sides.papers.records, sides.rejected, compared)
    rules, rows, keys = Rules(**legacy.rules.model_dump()), sides.rows, sides.keys
    found = dict(no_terms_compared(engine).terms)
    each: list[ir.Table] = []
    for form in (f for f in FORMS if f.record in compared):
        if form is CONTRACT:
            old, new = old_contracts(engine, sides.papers, rules, as_of), new_contracts(engine, rows, keys)
        elif form is INVOICE:
            old, new = old_invoices(engine, sides.papers, exponents), new_invoices(engine, rows, keys)
        else:
            old, new = old_seats(engine, sides.papers), new_seats(engine, rows, keys)
        beside = _Beside(form.record, compared[form.record], legacy.reads[form.record].table)
        terms = _held_against(
            engine, beside, _marked(engine, old, gone.get(form.record)), _read(engine, sides, form, old, new)
        )
        found[TABLES[form.record]] = engine.cached(_as(terms, TERMS))
        each.append(_differences(terms, form.record))
    differences = engine.union(each) if each else engine.table(DIFFERENCES.empty_table())
    return TermComparison(found, engine.cached(differences), compared)


@dataclass(frozen=True)
class _Beside:
    """Which record is compared, in which fields, and which raw table it is read from."""

    record: RecordName
    fields: Sequence[str]
    table: str


def _marked(engine: DuckDBEngine, old: ir.Table, gone: ir.Table | None) -> ir.Table:
    """With `gone`: whether its row was rejected or left out, and no other of its key goes on."""
    if gone is None:
        return old.mutate(gone=False)
    kept = engine.cached(old.anti_join(gone, "row"))
    lost = old.semi_join(gone, "row").anti_join(kept, "key").distinct(on="key", keep="first")
    return engine.cached(engine.union([kept.mutate(gone=False), lost.mutate(gone=True)]))


def _read(engine: DuckDBEngine, sides: Writing, form: Form, old: ir.Table, new: ir.Table) -> ir.Table:
    """The target's rows without those of raw rows that billing.yaml leaves out, of contracts and seats: it says what is
    billed and what is held, and not what there is. Whatever was issued has to be in it."""
    if form is INVOICE:
        return new
    raw = sides.papers.named.keys[form.record]
    return engine.cached(new.anti_join(raw.anti_join(old, "key"), "key"))


def _held_against(engine: DuckDBEngine, what: _Beside, old: ir.Table, new: ir.Table) -> ir.Table:
    """Both sides of each record: the columns of TERMS, and fields that were lost with somebody who does not go on."""
    right = new.rename({f"new_{c}": c for c in new.columns})
    met = engine.cached(old.outer_join(right, old["key"] == right["new_key"]))
    met = met.filter(met["key"].notnull() | _is_extra(met, what.table))
    there, told = met["new_key"].notnull(), met["key"].notnull() & ~met["gone"].fill_null(False)
    unasked = ibis.literal(" ") + met["unasked"].fill_null("") + " "
    # What cannot be read is missing; the rest of the record is held against the target all the same.
    lacking = met["unread"].fill_null("").strip() != ""
    differs = [
        (~met[f].identical_to(met[f"new_{f}"]) & ~unasked.contains(f" {f} ") & ~(lacking & met[f].isnull())).ifelse(
            f"{f} ", ""
        )
        for f in what.fields
    ]
    fields = _listed(differs)
    lost, unread = _of_these(met["lost"], what.fields), met["unread"].fill_null("").strip()
    seen = engine.cached(met.mutate(there=there, told=told, differing=fields.strip(), lost=lost, unread=unread))
    status, fields = _judged(seen)
    return engine.cached(
        seen.mutate(
            status=status,
            fields=fields,
            key=seen["name"].coalesce(seen["new_key"].replace(f"{what.table}:", "")),
            currency=seen["stake_currency"],
            at_stake_minor=seen["at_stake_minor"].fill_null(0),
        )
    )


def _of_these(names: ir.StringValue, fields: Sequence[str]) -> ir.StringValue:
    """Of names with blanks between them, those of fields that are compared."""
    padded = ibis.literal(" ") + names.fill_null("") + " "
    return _listed([padded.contains(f" {f} ").ifelse(f"{f} ", "") for f in fields]).strip()


def _listed(parts: Sequence[ir.StringValue]) -> ir.StringValue:
    return reduce(lambda a, b: a + b, parts)


def _judged(seen: ir.Table) -> tuple[ir.StringValue, ir.StringValue]:
    """The status of each record, and the fields it has it for."""
    told, there = seen["told"], seen["there"]
    unread, differs, lost = seen["unread"] != "", seen["differing"] != "", seen["lost"] != ""
    each = (
        (~told & there, UNSIGNED, ibis.literal(EXTRA)),
        (~told, REJECTED, ibis.literal(ABSENT)),
        (~there, UNSIGNED, ibis.literal(ABSENT)),
        (differs, UNSIGNED, seen["differing"]),
        (unread, UNREAD, seen["unread"]),
        (lost, REJECTED, seen["lost"]),
    )
    status = ibis.cases(*((holds, word) for holds, word, _ in each), else_=SAME)
    fields = ibis.cases(*((holds, fields) for holds, _, fields in each), else_="")
    return status, fields


def _is_extra(met: ir.Table, table: str) -> ir.BooleanValue:
    """Of rows that only the target has: those that came from this table of the old system, or from nowhere."""
    key = met["new_key"]
    ours = key.startswith(f"{table}:") | ~key.contains(":")
    return (ours & ~met["new_unissued"]).fill_null(False)


def _differences(terms: ir.Table, record: RecordName) -> ir.Table:
    apart = terms.filter(terms["status"] != SAME)
    each = apart.mutate(record=ibis.literal(record), field=apart["fields"].split(" ").unnest())
    return _as(each, DIFFERENCES)


def _as(rows: ir.Table, schema: pa.Schema) -> ir.Table:
    types = ibis.Schema.from_pyarrow(schema)
    return rows.select(**{c: rows[c].cast(types[c]) for c in schema.names})
