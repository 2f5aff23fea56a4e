"""What becomes of a row whose parent did not make it: it shares the parent's fate, or is an orphan.

A required reference to a row that is not there takes its row along: excluded when the parent was excluded, rejected
otherwise. So does one that says whom its row is about (`Field.about`): what a contact agreed to is nobody else's word.
Any other optional one is set aside: the field is left empty and a note lists it. Nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical.model import Entity, Field
from migration_assets.engine.notes import NOTE_COLUMNS

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Why a key of an entity is not among the rows that go on. Key: entity, key.
FATES = ibis.schema({"entity": "string", "key": "string", "disposition": "string", "rule": "string"})

# Rows that share the fate of a parent. Key: source_system, source_table, source_row.
LOST = ibis.schema(
    {
        "entity": "string",
        "key": "string",
        "source_system": "string",
        "source_table": "string",
        "source_row": "int64",
        "source_id": "string",
        "disposition": "string",
        "rule": "string",
        "reason": "string",
    }
)

NOTES = ibis.schema(NOTE_COLUMNS)


@dataclass(frozen=True)
class Settled:
    """Rows whose references all lead somewhere, those that were lost (LOST), and notes on values set aside (NOTES)."""

    rows: ir.Table
    lost: ir.Table
    notes: ir.Table


def settle(
    engine: DuckDBEngine, entity: Entity, rows: ir.Table, parents: Mapping[str, ir.Table], fates: ir.Table
) -> Settled:
    """Check every reference of the rows against `parents` (entity -> table with one column `key`).

    References to an entity that is not in `parents` are left as they are: the plan feeds no such entity.
    """
    fields = [f for f in entity.references if f.references in parents and f.references != entity.name]
    if not fields:
        return Settled(rows, empty(engine, LOST), empty(engine, NOTES))
    checked = engine.cached(reduce(lambda t, f: _with_parent(t, f, parents[str(f.references)]), fields, rows))
    needed = [f for f in fields if f.takes_row_along]
    whole = reduce(lambda a, f: a & ~_dangles(checked, f), needed, ibis.literal(True))
    optional = [f for f in fields if not f.takes_row_along]
    kept = checked.filter(whole)
    emptied = {f.name: _dangles(kept, f).ifelse(ibis.null("string"), kept[f.name]) for f in optional}
    return Settled(
        rows=engine.cached(kept.mutate(**emptied).select(*rows.columns)),
        lost=_lost(engine, entity, checked.filter(~whole), needed, fates),
        notes=_set_aside(engine, entity, kept, optional),
    )


def _with_parent(rows: ir.Table, field: Field, parents: ir.Table) -> ir.Table:
    found = parents.select(**{f"_parent_{field.name}": parents["key"]})
    return rows.left_join(found, rows[field.name] == found[f"_parent_{field.name}"])


def _dangles(rows: ir.Table, field: Field) -> ir.BooleanValue:
    return rows[field.name].notnull() & rows[f"_parent_{field.name}"].isnull()


def _lost(engine: DuckDBEngine, entity: Entity, rows: ir.Table, needed: list[Field], fates: ir.Table) -> ir.Table:
    """One row for each lost row, by its first dangling reference in the entity's order."""
    if not needed:
        return empty(engine, LOST)
    culprit = ibis.cases(*((_dangles(rows, f), ibis.literal(f.name)) for f in needed), else_=ibis.null("string"))
    towards = ibis.cases(*((_dangles(rows, f), rows[f.name]) for f in needed), else_=ibis.null("string"))
    parent = ibis.cases(*((_dangles(rows, f), ibis.literal(f.references)) for f in needed), else_=ibis.null("string"))
    named = rows.mutate(_field=culprit, _towards=towards, _entity=parent)
    # A key can have had several rows with a fate each; one that was rejected may be mended, so it counts for all.
    each = fates.group_by(["entity", "key"]).aggregate(
        _fate=fates["disposition"].max(),
        _fate_rule=fates["rule"].argmax(ibis.struct({"disposition": fates["disposition"], "rule": fates["rule"]})),
    )
    fate = each.rename(_fate_entity="entity", _fate_key="key")
    joined = named.left_join(fate, [named["_entity"] == fate["_fate_entity"], named["_towards"] == fate["_fate_key"]])
    excluded = (joined["_fate"] == "excluded").fill_null(False)
    lost = joined.select(
        entity=ibis.literal(entity.name),
        key=joined[entity.key.name],
        source_system=joined["source_system"],
        source_table=joined["source_table"],
        source_row=joined["source_row"],
        source_id=joined["source_id"],
        disposition=excluded.ifelse("excluded", "rejected"),
        rule=joined["_fate"]
        .isnull()
        .ifelse(ibis.literal("orphan"), excluded.ifelse(joined["_fate_rule"], ibis.literal("parent_rejected"))),
        reason=joined["_field"]
        + joined["_fate"]
        .isnull()
        .ifelse(
            ibis.literal(" leads to a row that does not exist or is no customer's"),
            excluded.ifelse(ibis.literal(" leads to an excluded row"), ibis.literal(" leads to a rejected row")),
        ),
    )
    return engine.cached(lost.cast(LOST))


def _set_aside(engine: DuckDBEngine, entity: Entity, rows: ir.Table, optional: list[Field]) -> ir.Table:
    parts = [_reference_note(entity, rows.filter(_dangles(rows, f)), f) for f in optional]
    return engine.cached(engine.union(parts)) if parts else empty(engine, NOTES)


def _reference_note(entity: Entity, rows: ir.Table, field: Field) -> ir.Table:
    return set_aside_note(entity.name, rows, field.name, "reference_missing")


def set_aside_note(entity: str, rows: ir.Table, field: str, reason: str) -> ir.Table:
    """Notes (NOTES) that a value of these canonical rows was set aside."""
    return rows.select(
        entity=ibis.literal(entity),
        feed=ibis.null("string"),
        source_system=rows["source_system"],
        source_table=rows["source_table"],
        source_id=rows["source_id"],
        source_row=rows["source_row"],
        field=ibis.literal(field),
        rule=ibis.literal("reference"),
        action=ibis.literal("set_aside"),
        reason=ibis.literal(reason),
        old_value=rows[field].cast("string"),
        new_value=ibis.null("string"),
    ).cast(NOTES)


def empty(engine: DuckDBEngine, schema: ibis.Schema) -> ir.Table:
    """No rows of that shape."""
    return engine.table(schema.to_pyarrow().empty_table())
