"""Cleaning the distinct inputs of a rule in Python and joining the answers back: never a call per row.

Values that a cheap pattern proves to be clean already, and answers equal to their input, are not kept: a row without
an answer in the map has its value unchanged. That keeps the map small where the data is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from migration_assets.engine.rules.outcome import (
    Cleaned,
    Cleaner,
    Natural,
    Outcome,
    Rounded,
    Shortcut,
    Texts,
    null_like,
    present,
    rendered,
)
from migration_assets.engine.schema import DECIMAL, INSTANT

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from migration_assets.engine.api import Engine

_CHUNK = 20_000
# Columns of what a rule remarks on a value that stays.
_REMARK = ("remark", "suggested")

IBIS: dict[Natural, str] = {
    "text": "string",
    "integer": "int64",
    "decimal": DECIMAL,
    "date": "date",
    "instant": INSTANT,
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Answers:
    """What the cleaner said, in the engine: distinct inputs `k0, k1, ...` with `value` and `error`, and with what
    `Rounded` says where the cleaner may round.

    `table` is None when there was nothing to say. Column names carry a prefix of their own, so that the maps of several
    fields can stand side by side.
    """

    table: Any
    prefix: str
    cleaner: Cleaner
    shortcut: Shortcut | None
    matches_missing: bool
    takes_missing: bool

    def joined_to(self, rows: ir.Table, columns: Sequence[ir.Value]) -> ir.Table:
        """The rows with the map's columns beside them; every row exactly once."""
        if self.table is None:
            return rows
        given = [rendered(c) for c in columns]
        if self.shortcut is not None:
            # Rows with an answer of their own need no text made of them; the first key of the map is never null.
            covered = self.shortcut(columns)[0]
            given = [covered.ifelse(null_like(g), g) for g in given]
        pairs = [(g, self.table[f"{self.prefix}k{i}"]) for i, g in enumerate(given)]
        equal = [g.identical_to(k) if self.matches_missing else g == k for g, k in pairs]
        return rows.left_join(self.table, equal)

    def outcome(self, rows: ir.Table, columns: Sequence[ir.Value], asked: ir.BooleanValue) -> Outcome:
        """What the rule answers for each row. `asked`: rows the rule is about."""
        told, known = self._told(rows)
        if self.shortcut is not None:
            covered, answer = self.shortcut(columns)
            return replace(told, value=covered.ifelse(answer, told.value))
        if self.cleaner.gives != "text" or self.takes_missing:
            return told
        given = rendered(columns[0])
        kept = (asked & present(columns[0])).ifelse(given, null_like(given))
        return replace(told, value=known.ifelse(told.value, kept))

    def remark(self, rows: ir.Table) -> dict[str, ir.StringValue]:
        """`remark` and `suggested` of each row, where the rule can have any."""
        if self.table is None or self.cleaner.remark is None:
            return {}
        return {name: rows[f"{self.prefix}{name}"] for name in _REMARK}

    def _told(self, rows: ir.Table) -> tuple[Outcome, ir.BooleanValue]:
        """What the map says of each row, and whether it knows it; without a map it knows none."""
        import ibis

        if self.table is None:
            return Outcome(ibis.null(IBIS[self.cleaner.gives]), ibis.null("string")), ibis.literal(False)
        names = ("value", "error", *(Rounded._fields if self.cleaner.rounded else ()))
        said = Outcome(**{name: rows[f"{self.prefix}{name}"] for name in names})
        return said, rows[f"{self.prefix}known"].notnull()


def answers_of(
    engine: Engine,
    rows: ir.Table,
    columns: Sequence[ir.Value],
    cleaner: Cleaner,
    asked: ir.BooleanValue,
    *,
    prefix: str,
    takes_missing: bool = False,
) -> Answers:
    """Run the cleaner over the distinct inputs among the asked rows and put its answers into the engine."""
    shortcut = cleaner.shortcut(engine, rows, columns) if cleaner.shortcut else None
    # The first column is the value, the others say how to read it.
    wanted = asked if takes_missing else asked & present(columns[0])
    if shortcut is not None:
        wanted = wanted & ~shortcut(columns)[0]
    if cleaner.unchanged and len(columns) == 1:
        wanted = wanted & ~_spared(cleaner, cleaner.unchanged, rendered(columns[0]))
    inputs = {f"k{i}": rendered(c) for i, c in enumerate(columns)}
    table = _answered(engine, rows.filter(wanted).select(**inputs).distinct(), cleaner, prefix, takes_missing)
    return Answers(table, prefix, cleaner, shortcut, takes_missing or len(columns) > 1, takes_missing)


def _spared(cleaner: Cleaner, unchanged: str, text: ir.StringValue) -> ir.BooleanValue:
    plain = text.re_search(unchanged)
    return plain if cleaner.suspected is None else plain & ~cleaner.suspected(text)


def _answered(engine: Engine, inputs: ir.Table, cleaner: Cleaner, prefix: str, takes_missing: bool) -> ir.Table | None:
    """The map of these inputs; those that an expression can answer at once are not asked one by one."""
    inputs = engine.cached(inputs) if cleaner.in_bulk else inputs
    answered = cleaner.in_bulk(engine, inputs) if cleaner.in_bulk else None
    if answered is None:
        frame = _answers(engine, inputs, cleaner, prefix, takes_missing)
        return engine.table(frame) if frame.num_rows else None
    judged = engine.cached(answered)
    asked = judged.filter(~judged["_covered"]).drop("_covered", "_answer")
    single = engine.table(_answers(engine, asked, cleaner, prefix, takes_missing))
    changed = judged.filter(judged["_covered"] & (judged["_answer"] != judged["k0"]))
    given = {f"{prefix}{c}": changed[c] for c in inputs.columns}
    said = {f"{prefix}value": changed["_answer"], f"{prefix}known": True}
    known = {**given, **said}
    at_once = changed.select(**{n: known.get(n) for n in single.columns}).cast(single.schema())
    return engine.cached(engine.union([single, at_once]))


def _answers(engine: Engine, distinct: ir.Table, cleaner: Cleaner, prefix: str, takes_missing: bool) -> pa.Table:
    import pyarrow as pa

    inputs = engine.arrow(distinct)
    width = len(inputs.column_names)
    schema = pa.schema(
        [(f"{prefix}k{i}", pa.string()) for i in range(width)]
        + [(f"{prefix}value", _arrow(cleaner)), (f"{prefix}error", pa.string())]
        + [(f"{prefix}{name}", pa.string()) for name in _beside(cleaner)]
        + [(f"{prefix}known", pa.bool_())]
    )
    return pa.Table.from_batches(list(_batches(inputs, cleaner, schema, takes_missing)), schema)


def _batches(inputs: pa.Table, cleaner: Cleaner, schema: pa.Schema, takes_missing: bool) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in inputs.to_batches(max_chunksize=_CHUNK):
        kept = []
        for given in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            value, error = cleaner.clean(given)
            told = (*_rounded(cleaner, given, value), *_remarked(cleaner, given, Cleaned(value, error)))
            changed = error is not None or value is None or value != given[0]
            if takes_missing or changed or any(told) or cleaner.gives != "text":
                kept.append((*given, _stored(value), error, *told, True))
        columns = list(zip(*kept, strict=True)) or [()] * len(schema)
        yield pa.record_batch([pa.array(c, type=f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _beside(cleaner: Cleaner) -> tuple[str, ...]:
    """What a cleaner may say beside value and error."""
    return (*(Rounded._fields if cleaner.rounded else ()), *(_REMARK if cleaner.remark else ()))


def _rounded(cleaner: Cleaner, given: Texts, value: Any) -> tuple[str | None, ...]:
    if cleaner.rounded is None:
        return ()
    found = None if value is None else cleaner.rounded(given, value)
    return (None,) * len(Rounded._fields) if found is None else found


def _remarked(cleaner: Cleaner, given: Texts, cleaned: Cleaned) -> tuple[str | None, ...]:
    if cleaner.remark is None:
        return ()
    return cleaner.remark(given, cleaned) or (None, None)


def _stored(value: Any) -> Any:
    return value.quantize(Decimal("1e-8")) if isinstance(value, Decimal) else value


def _arrow(cleaner: Cleaner) -> pa.DataType:
    import pyarrow as pa

    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "decimal": pa.decimal128(28, 8),
        "date": pa.date32(),
        "instant": pa.timestamp("us", tz="UTC"),
        "boolean": pa.bool_(),
    }[cleaner.gives]
