"""Every field of every row: what the target holds now against what the canonical rows say it should hold.

Every row is compared by its digest, which is exact to the microsecond and the last decimal and keeps missing and empty
apart; those that differ are read back and compared field by field with IS DISTINCT FROM. Nothing is sampled and nothing
is assumed from the load.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.load.schema import canonical_field
from migration_assets.stages.reconcile.left import Words, left_alone

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.canonical.model import Field
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan, TargetTable
    from migration_assets.stages.reconcile.sides import BothSides, Compared

# One row per missing or extra row, and per changed field. Key: table, key, column. `surrogate` is the source row
# (`system.table#row`), missing for extra rows. `expected` and `found` are both values of a changed field, as far as
# they may be told (`told`). `amount_minor` is the money at stake, where the row holds any.
DIFFERENCES = ibis.schema(
    {
        "table": "string",
        "key": "string",
        "column": "string",
        "kind": "string",
        "surrogate": "string",
        "expected": "string",
        "found": "string",
        "currency": "string",
        "amount_minor": "int64",
    }
)


@dataclass(frozen=True)
class TableCounts:
    """How one target table compares, in rows. `changed` counts rows, however many of their fields differ."""

    table: str
    expected: int
    found: int
    missing: int
    extra: int
    changed: int

    @property
    def ok(self) -> bool:
        return not (self.missing or self.extra or self.changed)


@dataclass(frozen=True)
class RowsResult:
    """Counts of every table that has or should have rows of the cohort, and the exact list (DIFFERENCES). `left`:
    fields that differ by right, because others changed them since and the plan or a person says that they stay."""

    tables: tuple[TableCounts, ...]
    differences: ir.Table
    left: int = 0

    @property
    def ok(self) -> bool:
        return all(t.ok for t in self.tables)


_NO_WORDS = Words()


def compare_rows(engine: DuckDBEngine, plan: Plan, sides: BothSides, words: Words = _NO_WORDS) -> RowsResult:
    """Compare both sides of each table; tables with no rows on either side are left out. `words`: what persons have
    decided about differences."""
    results = [_compare(engine, plan.target.tables[side.expected.table], side, words) for side in sides.tables]
    nothing = engine.table(DIFFERENCES.to_pyarrow().empty_table())
    differences = engine.cached(engine.union([nothing, *(r.lines for r in results if r.lines is not None)]))
    counts = tuple(r.counts for r in results if r.counts.expected or r.counts.found)
    return RowsResult(counts, differences, sum(r.left for r in results))


@dataclass(frozen=True)
class _Result:
    counts: TableCounts
    lines: ir.Table | None = None
    left: int = 0


def _compare(engine: DuckDBEngine, table: TargetTable, side: Compared, words: Words) -> _Result:
    whole = TableCounts(side.expected.table, engine.count(side.expected.rows), side.count, 0, 0, 0)
    if not side.differs and engine.count(_bent(side)) == 0:
        return _Result(whole)
    key = side.expected.key
    values = [c for c in side.expected.columns if c != key]
    asked = side.expected.rows.semi_join(side.off, [(key, "key")])
    left = asked.rename({f"e_{c}": c for c in side.expected.columns})
    right = side.found.rename({f"f_{c}": c for c in side.expected.columns})
    joined = left.outer_join(right, left[f"e_{key}"] == right[f"f_{key}"])
    missing, extra = joined[f"f_{key}"].isnull(), joined[f"e_{key}"].isnull()
    differs = [~joined[f"e_{c}"].identical_to(joined[f"f_{c}"]) for c in values]
    off = engine.cached(joined.filter(reduce(lambda a, b: a | b, differs, missing | extra)))
    bent = engine.cached(_bent(side).anti_join(off.filter(off[f"f_{key}"].isnull()), [("key", f"e_{key}")]))
    if engine.count(off) + engine.count(bent) == 0:
        return _Result(whole)
    lines = engine.cached(engine.union([_listed(side, table, off, values), bent]))
    by_right = left_alone(engine, table, side, words)
    if by_right is None:
        return _Result(_counted(engine, whole, lines), lines)
    open_ = engine.cached(lines.anti_join(by_right, [("key", "_key"), ("column", "_column")]))
    return _Result(_counted(engine, whole, open_), open_, engine.count(lines) - engine.count(open_))


def _counted(engine: DuckDBEngine, whole: TableCounts, lines: ir.Table) -> TableCounts:
    """The rows behind the list, by kind."""
    rows = lines.select("kind", "key").distinct()
    by_kind = engine.arrow(rows.group_by("kind").aggregate(rows=rows.count())).to_pylist()
    return replace(whole, **{line["kind"]: line["rows"] for line in by_kind})


def _bent(side: Compared) -> ir.Table:
    """A line for each row that lies in the target under its own id, and whose record in the crosswalk says another."""
    key, rows = side.expected.key, side.expected.whole.filter(side.expected.whole["_bent"])
    return rows.select(
        table=ibis.literal(side.expected.table),
        key=rows[key],
        column=ibis.literal(key),
        kind=ibis.literal("changed"),
        surrogate=rows["_surrogate"],
        expected=ibis.null("string"),
        found=ibis.null("string"),
        currency=ibis.null("string"),
        amount_minor=ibis.null("int64"),
    ).cast(DIFFERENCES)


def _listed(side: Compared, table: TargetTable, off: ir.Table, values: list[str]) -> ir.Table:
    """The exact list of what differs, with the source row and the money at stake."""
    key, money, currency = side.expected.key, _columns_of(table, "money"), _columns_of(table, "currency")
    missing, extra = off[f"f_{key}"].isnull(), off[f"e_{key}"].isnull()
    parts = [
        _lines(off.filter(missing), "e", key, "missing", "", _largest(off, "e", money), currency),
        _lines(off.filter(extra), "f", key, "extra", "", _largest(off, "f", money), currency),
    ]
    both = off.filter(~missing & ~extra)
    for column in values:
        changed = both.filter(~both[f"e_{column}"].identical_to(both[f"f_{column}"]))
        stake = _gap(column) if column in money else ibis.null("int64")
        field = canonical_field(ENTITIES[table.entity], table.columns[column])
        parts.append(_lines(changed, "e", key, "changed", column, stake, currency, field))
    lines = ibis.union(*parts)
    places = side.expected.surrogates.select(_key="key", surrogate="surrogate")
    led = lines.left_join(places, [("key", "_key")]).mutate(table=ibis.literal(side.expected.table))
    return led.select(*DIFFERENCES.names).cast(DIFFERENCES)


def _lines(
    rows: ir.Table,
    side: str,
    key: str,
    kind: str,
    column: str,
    stake: ir.Value,
    currency: list[str],
    field: Field | None = None,
) -> ir.Table:
    return rows.select(
        key=rows[f"{side}_{key}"],
        column=ibis.literal(column),
        kind=ibis.literal(kind),
        expected=ibis.null("string") if field is None else told(field, rows[f"e_{column}"]),
        found=ibis.null("string") if field is None else told(field, rows[f"f_{column}"]),
        currency=rows[f"{side}_{currency[0]}"] if currency else ibis.null("string"),
        amount_minor=stake.cast("int64"),
    )


# Fields whose values name nobody and hold no free text.
_TELLABLE = (
    "key", "reference", "code", "country", "currency", "integer", "money", "decimal", "boolean", "date", "instant",
)  # fmt: skip


def told(field: Field, value: ir.Value) -> ir.StringValue:
    """What a list for people may say of a value: the value where it is nobody's and no free text, a digest of free
    text, by which equal ones can be told, and of personal data nothing but that it differs."""
    if field.sensitivity in ("personal", "secret"):
        return ibis.literal("differs")
    text = value.cast("string")
    shown = text if field.type in _TELLABLE else ibis.literal("digest ") + text.hexdigest("md5").left(12)
    return shown.fill_null("(missing)")


def _columns_of(table: TargetTable, kind: str) -> list[str]:
    entity = ENTITIES[table.entity]
    return [c for c, name in table.columns.items() if canonical_field(entity, name).type == kind]


def _largest(off: ir.Table, side: str, money: list[str]) -> ir.Value:
    """The largest amount of the row: its total, where it has one."""
    amounts = [off[f"{side}_{c}"].abs().fill_null(0) for c in money]
    return ibis.greatest(*amounts) if amounts else ibis.null("int64")


def _gap(column: str) -> ir.Value:
    return (ibis._[f"e_{column}"].fill_null(0) - ibis._[f"f_{column}"].fill_null(0)).abs()
