"""A seeded sample of customers, legacy record and target record side by side, for a person to look at (C9).

The cards hold personal data: they go to a file in the reports folder and nowhere else. Only the counts are metadata.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.ownership import owner_column

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.reconcile.sides import BothSides, Compared

CUSTOMER = "customer"
# So many differing rows are followed up to their customers.
_LOOKED_UP = 10_000


@dataclass(frozen=True)
class FieldPair:
    """One field: what should be there and what is."""

    column: str
    expected: object
    found: object

    @property
    def ok(self) -> bool:
        return self.expected == self.found


@dataclass(frozen=True)
class RowPair:
    """One target row, and the raw legacy row it came from. `problem`: missing, extra, changed or nothing."""

    table: str
    surrogate: str
    legacy: tuple[tuple[str, object], ...]
    fields: tuple[FieldPair, ...]
    problem: str


@dataclass(frozen=True)
class Card:
    """One customer of the sample, with every row of the target that leads to it."""

    customer: str
    rows: tuple[RowPair, ...]


@dataclass(frozen=True)
class SpotCheck:
    """What the sample showed. Counts only, apart from `cards`; the same seed gives the same customers.

    `suspects` are customers that were not drawn: a row that leads to them differs. Cards with a difference come first.
    """

    seed: str
    customers: int
    suspects: int
    rows: int
    fields: int
    differing: int
    cards: tuple[Card, ...] = field(repr=False, default=())


def spot_check(
    engine: DuckDBEngine,
    plan: Plan,
    sides: BothSides,
    differences: ir.Table,
    raw: Mapping[str, ir.Table],
    seed: str,
    size: int,
) -> SpotCheck:
    """Pick `size` customers by a hash of the seed and their target id, and pair what both sides have of them; before
    them as many at most of those to whom a row of `differences` (rows.DIFFERENCES) leads.

    `raw`: `system.table` -> raw rows with `_row`, for the legacy side. The seed is the snapshot and the cohort.
    """
    drawn = _sample(engine, sides, seed, size)
    suspects = _suspects(engine, plan, sides, differences, size, set(drawn))
    chosen = {**suspects, **drawn}
    pairs = _pairs(engine, plan, sides, chosen)
    legacy = _legacy(engine, raw, {p.surrogate for _, p in pairs})
    cards = tuple(
        Card(
            surrogate,
            tuple(
                RowPair(p.table, p.surrogate, legacy.get(p.surrogate, ()), p.fields, p.problem)
                for owner, p in pairs
                if owner == key
            ),
        )
        for key, surrogate in chosen.items()
    )
    # What a person has to look at comes first.
    cards = tuple(sorted(cards, key=lambda card: not any(row.problem for row in card.rows)))
    rows = [row for card in cards for row in card.rows]
    return SpotCheck(
        seed=seed,
        customers=len(drawn),
        suspects=len(suspects),
        rows=len(rows),
        fields=sum(len(row.fields) for row in rows),
        differing=sum(not f.ok for row in rows for f in row.fields),
        cards=cards,
    )


def _sample(engine: DuckDBEngine, sides: BothSides, seed: str, size: int) -> dict[str, str]:
    """Target id -> surrogate of the customers chosen, in the order they were drawn."""
    side = next((s for s in sides.tables if s.expected.entity == CUSTOMER), None)
    if side is None or size == 0:
        return {}
    named = side.expected.surrogates
    lot = (ibis.literal(f"{seed}|") + named.key).hexdigest("md5")
    drawn = engine.arrow(named.mutate(lot=lot).order_by("lot").limit(size)).to_pylist()
    return {row["key"]: row["surrogate"] for row in drawn}


def _suspects(
    engine: DuckDBEngine, plan: Plan, sides: BothSides, differences: ir.Table, size: int, drawn: set[str]
) -> dict[str, str]:
    """Target id -> surrogate of customers not drawn to whom differing rows lead, at most `size`; from children up."""
    listed = engine.arrow(differences.select("table", "key").distinct().order_by("table", "key").limit(_LOOKED_UP))
    wanted: dict[str, set[str]] = {}
    entity_of = {side.expected.table: side.expected.entity for side in sides.tables}
    for line in listed.to_pylist():
        wanted.setdefault(entity_of[line["table"]], set()).add(line["key"])
    for side in reversed(sides.tables):
        owner, keys = owner_column(plan.target, side.expected.table), wanted.get(side.expected.entity)
        if side.expected.entity == CUSTOMER or owner is None or not keys:
            continue
        theirs = engine.table(pa.table({"_key": pa.array(sorted(keys), pa.string())}))
        for rows in (side.expected.rows, side.found):
            up = rows.semi_join(theirs, [(side.expected.key, "_key")]).select(parent=owner[0]).distinct()
            parents = engine.arrow(up)["parent"].to_pylist()
            wanted.setdefault(owner[1], set()).update(p for p in parents if p is not None)
    customers = next((s for s in sides.tables if s.expected.entity == CUSTOMER), None)
    found = sorted(wanted.get(CUSTOMER, set()) - drawn)[:size]
    places = _places(engine, customers, set(found)) if customers is not None and found else {}
    return {key: places.get(key, key) for key in found}


def _pairs(engine: DuckDBEngine, plan: Plan, sides: BothSides, chosen: Mapping[str, str]) -> list[tuple[str, RowPair]]:
    """Every row that leads to a chosen customer, with that customer's target id. Tables come parents first, so a row's
    customer is known by its parent's."""
    owners: dict[str, dict[str, str]] = {CUSTOMER: {key: key for key in chosen}}
    pairs: list[tuple[str, RowPair]] = []
    for side in sides.tables:
        table, entity, key = side.expected.table, side.expected.entity, side.expected.key
        owner = (key, CUSTOMER) if entity == CUSTOMER else owner_column(plan.target, table)
        if ENTITIES[entity].origin == "catalog" or owner is None or not owners.get(owner[1]):
            continue
        column, parents = owner[0], owners[owner[1]]
        expected = _of(engine, side.expected.rows, column, parents, key)
        found = _of(engine, side.read(column, parents), column, parents, key)
        places = _places(engine, side, {*expected, *found})
        for row_key in sorted({*expected, *found}):
            row = expected.get(row_key) or found[row_key]
            customer = parents[row[column]]
            owners.setdefault(entity, {})[row_key] = customer
            pairs.append((customer, _pair(table, places.get(row_key, ""), expected.get(row_key), found.get(row_key))))
    return pairs


def _of(
    engine: DuckDBEngine, rows: ir.Table, column: str, parents: Mapping[str, str], key: str
) -> dict[str, dict[str, Any]]:
    wanted = engine.table(pa.table({"_owner": list(parents)}))
    found = engine.arrow(rows.semi_join(wanted, [(column, "_owner")])).to_pylist()
    return {row[key]: row for row in found}


def _places(engine: DuckDBEngine, side: Compared, keys: set[str]) -> dict[str, str]:
    named = side.expected.surrogates
    wanted = engine.table(pa.table({"_key": pa.array(sorted(keys), pa.string())}))
    found = engine.arrow(named.semi_join(wanted, [("key", "_key")])).to_pylist()
    return {row["key"]: row["surrogate"] for row in found}


def _pair(table: str, surrogate: str, expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> RowPair:
    columns = list(expected or found or {})
    fields = tuple(FieldPair(c, (expected or {}).get(c), (found or {}).get(c)) for c in columns)
    changed = "" if all(f.ok for f in fields) else "changed"
    problem = "missing" if found is None else "extra" if expected is None else changed
    return RowPair(table, surrogate, (), fields, problem)


def _legacy(
    engine: DuckDBEngine, raw: Mapping[str, ir.Table], surrogates: Iterable[str]
) -> dict[str, tuple[tuple[str, object], ...]]:
    """Raw rows by surrogate, as (column, value) pairs."""
    wanted: dict[str, list[int]] = {}
    for surrogate in surrogates:
        table, _, row = surrogate.partition("#")
        if table in raw and row.isdigit():
            wanted.setdefault(table, []).append(int(row))
    found: dict[str, tuple[tuple[str, object], ...]] = {}
    for table, numbers in wanted.items():
        listed = engine.table(pa.table({"_wanted": numbers}))
        rows = raw[table].semi_join(listed, [("_row", "_wanted")])
        for row in engine.arrow(rows).to_pylist():
            found[f"{table}#{row['_row']}"] = tuple((c, v) for c, v in row.items() if c != "_row")
    return found
