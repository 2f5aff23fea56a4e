"""Canonical rows -> rows of one target table, and their rows in the crosswalk. Pure Ibis: no connection, no file.

A canonical key becomes the UUIDv5 of (the plan's UUID, `entity|key`), unless the crosswalk says that this key has had
another id since an earlier load: survivors may change, ids do not. Such keys are *aliases*. Rows of the catalog keep
their codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis

from migration_assets.connectors.engine_digests import engine_digest
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import Entity, Field
from migration_assets.stages.load.schema import HASH_FORM, canonical_field, column_types

if TYPE_CHECKING:
    from uuid import UUID

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import TargetTable

# Keys whose target id is not minted from themselves. Key: entity, key.
ALIASES = ibis.schema({"entity": "string", "key": "string", "target_id": "string"})
# Source rows that went into another row. Key: entity, key.
REDIRECTS = ibis.schema({"entity": "string", "key": "string", "into_key": "string"})
# One row per source row that is in the target, itself or merged. Key: entity, source_system, source_table, source_id.
CROSSWALK = ibis.schema(
    {
        "entity": "string",
        "source_system": "string",
        "source_table": "string",
        "source_id": "string",
        "target_id": "string",
        "status": "string",
        "founder": "boolean",
        "row_hash": "string",
    }
)

_ENGINE_TYPES = {
    "integer": "int64",
    "money": "int64",
    "decimal": "decimal(28, 8)",
    "boolean": "boolean",
    "date": "date",
    "instant": "timestamp('UTC', 6)",
}


@dataclass(frozen=True)
class Aliases:
    """Aliases that some row of this load needs (ALIASES), and the entities whose keys they are."""

    rows: ir.Table
    entities: frozenset[str]


@dataclass(frozen=True)
class Shaper:
    """Gives ids. `aliases` is None when no row needs one, which is the usual case and costs nothing."""

    engine: DuckDBEngine
    namespace: UUID
    aliases: Aliases | None = None

    def shaped(self, table: TargetTable, canonical: ir.Table, *, recorded: bool) -> ir.Table:
        """Rows of one target table, its columns in its order, the first of them the key, and `_surrogate`
        (`system.table#row`); `recorded` rows also have what the crosswalk is made of: `_canonical_key`, `_founder` and
        `_row_hash`."""
        entity = ENTITIES[table.entity]
        fields = {column: canonical_field(entity, name) for column, name in table.columns.items()}
        led = self._with_aliases(entity, canonical, fields.values())
        values = {column: self._value(entity, led, field) for column, field in fields.items()}
        place = led["source_system"] + ibis.literal(".") + led["source_table"] + ibis.literal("#")
        row = ibis.coalesce(led["source_row"].cast("string"), ibis.literal("?"))
        record = self._record(table, entity, led, values) if recorded else {}
        return led.select(**values, _surrogate=place + row, **record)

    def _record(
        self, table: TargetTable, entity: Entity, led: ir.Table, values: Mapping[str, ir.Value]
    ) -> dict[str, ir.Value]:
        key, alias = led[entity.key.name], f"_alias_{entity.key.name}"
        given = values[next(iter(values))]
        founder = given == self._minted(entity.name, key) if alias in led.columns else ibis.literal(True)
        digest = ibis.literal(HASH_FORM) + engine_digest(values, column_types(table))
        return {"_canonical_key": key, "_founder": founder, "_row_hash": digest}

    def crosswalk(self, entity: str, shaped: ir.Table) -> ir.Table:
        """One crosswalk row (CROSSWALK, status loaded) per shaped row of the entity."""
        return shaped.select(
            **source_of(entity, shaped["_canonical_key"]),
            target_id=shaped[shaped.columns[0]],
            status=ibis.literal("loaded"),
            founder=shaped["_founder"],
            row_hash=shaped["_row_hash"],
        ).cast(CROSSWALK)

    def merged(self, redirects: ir.Table) -> ir.Table:
        """One crosswalk row (CROSSWALK, status merged) per redirect (REDIRECTS)."""
        ids = self.ids_of(redirects.select(entity="entity", key="into_key").distinct())
        ids = ids.select(_entity="entity", _into="key", _id="target_id")
        led = redirects.inner_join(ids, [("entity", "_entity"), ("into_key", "_into")])
        return led.select(
            **source_of(led.entity, led.key),
            target_id=led["_id"],
            status=ibis.literal("merged"),
            founder=ibis.literal(False),
            row_hash=ibis.null("string"),
        ).cast(CROSSWALK)

    def ids_of(self, keys: ir.Table) -> ir.Table:
        """Target id of each (entity, key): ALIASES for any keys."""
        minted = self.engine.uuid5(self.namespace, keys["entity"] + ibis.literal("|") + keys["key"])
        if self.aliases is None:
            return keys.select("entity", "key", target_id=minted)
        known = self.aliases.rows.select(_entity="entity", _key="key", _id="target_id")
        led = keys.mutate(_minted=minted).left_join(known, [("entity", "_entity"), ("key", "_key")])
        return self.engine.cached(led.select("entity", "key", target_id=ibis.coalesce(led["_id"], led["_minted"])))

    def _with_aliases(self, entity: Entity, rows: ir.Table, fields: Iterable[Field]) -> ir.Table:
        """The rows with a column `_alias_<field>` for each field whose ids can have aliases."""
        led = rows
        for field in fields:
            if self.aliases is not None and _id_entity(entity, field) in self.aliases.entities:
                known = self.aliases.rows.filter(self.aliases.rows.entity == _id_entity(entity, field))
                known = known.select(**{f"_key_{field.name}": "key", f"_alias_{field.name}": "target_id"})
                led = led.left_join(known, [(field.name, f"_key_{field.name}")])
        # Ibis 12 cannot join the computed columns of a join to anything: kept once, they are plain columns.
        return rows if led is rows else self.engine.cached(led)

    def _value(self, entity: Entity, rows: ir.Table, field: Field) -> ir.Value:
        value, target = rows[field.name], _id_entity(entity, field)
        if target is None:
            return value.cast(_ENGINE_TYPES.get(field.type, "string"))
        minted = self._minted(target, value)
        alias = f"_alias_{field.name}"
        return ibis.coalesce(rows[alias], minted) if alias in rows.columns else minted

    def _minted(self, entity: str, key: ir.Value) -> ir.StringValue:
        return self.engine.uuid5(self.namespace, ibis.literal(f"{entity}|") + key.cast("string"))


def _id_entity(entity: Entity, field: Field) -> str | None:
    """The entity whose id the field holds, or None where it holds a plain value or a catalog code."""
    name = entity.name if field.type == "key" else field.references if field.type == "reference" else None
    return None if name is None or ENTITIES[name].origin == "catalog" else name


def source_of(entity: str | ir.Value, key: ir.StringValue) -> dict[str, ir.Value]:
    """A canonical key `<system>.<table>:<id>` in its parts. Derived rows have one too, with an id of their own."""
    dot, colon = key.find("."), key.find(":")
    return {
        "entity": ibis.literal(entity) if isinstance(entity, str) else entity,
        "source_system": key.substr(0, dot),
        "source_table": key.substr(dot + 1, colon - dot - 1),
        "source_id": key.substr(colon + 1),
    }


def settled_aliases(
    shaper: Shaper, stored: ir.Table, live: Mapping[str, ir.Table], redirects: ir.Table | None
) -> Aliases | None:
    """Aliases that rows of this load need, or None when none does.

    `stored` (ALIASES): ids that were minted from another row than the one that bears them now; `live`: canonical rows
    by entity; `redirects` (REDIRECTS): rows merged now, which take the id of the row they went into. References were
    led to survivors long before, so hardly ever does a live row name a key that has an alias.
    """
    engine = shaper.engine
    sources = [stored, *([] if redirects is None else [redirects])]
    named = engine.union([s.select("entity") for s in sources]).distinct()
    entities = frozenset(engine.arrow(named)["entity"].to_pylist())
    if not entities:
        return None
    used = engine.cached(_used_keys(engine, live, redirects, entities))
    kept = engine.cached(stored.semi_join(used, ["entity", "key"]))
    if redirects is not None:
        kept = _with_merged(shaper, kept, redirects.semi_join(used, ["entity", "key"]))
    return Aliases(kept, entities) if engine.count(kept) else None


def _used_keys(
    engine: DuckDBEngine, live: Mapping[str, ir.Table], redirects: ir.Table | None, entities: frozenset[str]
) -> ir.Table:
    """Keys of these entities that this load is going to need an id for. Columns: entity, key."""
    parts = [
        rows.select(entity=ibis.literal(target), key=rows[field.name].cast("string"))
        for name, rows in live.items()
        for field in ENTITIES[name].fields
        if (target := _id_entity(ENTITIES[name], field)) in entities
    ]
    if redirects is not None:
        parts.append(redirects.select("entity", key="into_key"))
    if not parts:
        return engine.table(ALIASES.to_pyarrow().empty_table()).select("entity", "key")
    return engine.union(parts).distinct()


def _with_merged(shaper: Shaper, kept: ir.Table, redirects: ir.Table) -> ir.Table:
    """The aliases, and those of rows merged now, whose id is that of the row they went into."""
    engine = shaper.engine
    redirects = engine.cached(redirects)
    if engine.count(redirects) == 0:
        return kept
    into = Shaper(engine, shaper.namespace, _aliases(engine, kept)).merged(redirects)
    key = into.source_system + "." + into.source_table + ":" + into.source_id
    now = into.select(entity="entity", key=key, target_id="target_id").cast(ALIASES)
    return engine.cached(engine.union([kept.anti_join(now, ["entity", "key"]).cast(ALIASES), now]))


def _aliases(engine: DuckDBEngine, kept: ir.Table) -> Aliases | None:
    entities = frozenset(engine.arrow(kept.select("entity").distinct())["entity"].to_pylist())
    return Aliases(kept, entities) if entities else None
