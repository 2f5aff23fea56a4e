"""Keys, and how tables hang together: duplicates, candidate keys, references that hold and references that dangle.

Judging them is `quality`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migration_assets.stages.profile.cells import ROW, Column, Source
from migration_assets.stages.profile.marks import Hit, hits, mark
from migration_assets.stages.profile.model import Reference
from migration_assets.stages.profile.names import is_identifier, refers_to
from migration_assets.stages.profile.shapes import WHITE

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.profile.facts import ColumnFacts

# A reference nobody declared is believed when its name says so and this share of its rows finds a parent.
LIKELY_SHARE = 0.9
# Pairs are looked for in tables of at least this many rows: in smaller ones nearly every pair is unique.
PAIR_ROWS = 10
PAIR_SAMPLE = 1000
PAIR_COLUMNS = 12
PAIRS_VERIFIED = 6

Facts = Mapping[int, "ColumnFacts"]


@dataclass(frozen=True)
class Link:
    """Coverage of one reference, declared or likely."""

    column: Column
    reference: Reference
    declared: bool
    rows: int
    matched: Hit
    orphans: Hit


@dataclass(frozen=True)
class KeyFacts:
    """Keys of one table; the counts are those of the schema TABLES. `hits` holds their examples."""

    candidates: tuple[str, ...]
    hits: Mapping[str, Hit]

    @property
    def duplicates(self) -> int:
        return self._rows("duplicate_key")

    @property
    def nulls(self) -> int:
        return self._rows("missing_key")

    @property
    def duplicate_rows(self) -> int:
        return self._rows("duplicate_row")

    def _rows(self, measure: str) -> int:
        return self.hits[measure].rows if measure in self.hits else 0


# --- references --------------------------------------------------------------------------------------------------


def coverage(
    engine: DuckDBEngine, cells: ir.Table, facts: Sequence[ColumnFacts], sources: Sequence[Source]
) -> list[Link]:
    """How far the values of each referring column are found among the keys they point at."""
    asked = [(f, r, declared) for f in facts for r, declared in _references(f, sources)]
    if not asked:
        return []
    frames: dict[Path, ir.Table] = {r.path: engine.read(r.path) for _, r, _ in asked}
    marks = [m for i, (f, r, _) in enumerate(asked) for m in _matched_or_not(cells, i, f, frames[r.path][r.to_column])]
    found = hits(engine, marks)
    none = Hit(0, ())
    links = [
        Link(f.column, r, declared, f.row["rows"], found.get(("matched", i), none), found.get(("orphan", i), none))
        for i, (f, r, declared) in enumerate(asked)
    ]
    return [k for k in links if k.declared or _is_likely(k)]


def row_of(link: Link) -> dict[str, Any]:
    """The link as a row of RELATIONSHIPS."""
    filled = link.matched.rows + link.orphans.rows
    return {
        "table": link.column.table.name,
        "column": link.column.name,
        "to_table": link.reference.to_table,
        "to_column": link.reference.to_column,
        "declared": link.declared,
        "rows": link.rows,
        "nulls": link.rows - filled,
        "matched": link.matched.rows,
        "orphans": link.orphans.rows,
        "share": link.matched.rows / filled if filled else None,
    }


def _matched_or_not(cells: ir.Table, subject: int, facts: ColumnFacts, key: ir.Value) -> Iterable[ir.Table]:
    own = cells.filter(
        cells.column == facts.column.index, cells.value.notnull(), cells.form.fill_null("text") != "blank"
    )
    keys = key.cast("string").name("value").as_table().distinct()
    for measure, joined in (("matched", own.semi_join(keys, "value")), ("orphan", own.anti_join(keys, "value"))):
        yield mark(joined, measure, subject, joined.n, joined.row)


def _references(facts: ColumnFacts, sources: Sequence[Source]) -> list[tuple[Reference, bool]]:
    column = facts.column
    declared = [r for r in column.table.references if r.column == column.name]
    if declared:
        return [(r, True) for r in declared]
    if column.kind not in ("text", "number") or facts.content in ("empty", "decimal"):
        return []
    own_key = column.table.key == (column.name,)
    return [
        (Reference(column.name, table, key, path), False)
        for table, (key, path) in sorted(_known_keys(sources).items())
        if table != column.table.name and not own_key and refers_to(column.name, table, key)
    ]


def _known_keys(sources: Sequence[Source]) -> dict[str, tuple[str, Path]]:
    """Single-column keys: over all customers where a declared reference says where they are, else of this cohort."""
    here = {s.table.name: (s.table.key[0], s.table.path) for s in sources if len(s.table.key) == 1}
    return here | {r.to_table: (r.to_column, r.path) for s in sources for r in s.table.references}


def _is_likely(link: Link) -> bool:
    filled = link.matched.rows + link.orphans.rows
    return filled > 0 and link.matched.rows >= LIKELY_SHARE * filled


# --- keys --------------------------------------------------------------------------------------------------------


def key_facts(engine: DuckDBEngine, sources: Sequence[Source], facts: Facts) -> dict[str, KeyFacts]:
    """Declared key, duplicate rows and candidate keys of every table; what is plain from the columns is not asked."""
    marks = [m for i, s in enumerate(sources) if s.rows for m in _key_marks(s, i, facts)]
    found = hits(engine, marks)
    pairs = _candidate_pairs(engine, sources, facts)
    answer: dict[str, KeyFacts] = {}
    for i, source in enumerate(sources):
        single = tuple(c.name for c in source.columns if facts[c.index].row["is_unique"])
        own = {measure: hit for (measure, subject), hit in found.items() if subject == i}
        answer[source.table.name] = KeyFacts(single + pairs.get(source.table.name, ()), own)
    return answer


def _key_marks(source: Source, subject: int, facts: Facts) -> Iterable[ir.Table]:
    own = {c.name: facts[c.index] for c in source.columns}
    key = [own[k] for k in source.table.key]
    frame = source.frame
    complete = all(f.row["nulls"] + f.row["blanks"] == 0 for f in key)
    if not complete:
        lacking = frame.filter(reduce(or_, (_is_missing(frame, f.column) for f in key)))
        yield mark(lacking, "missing_key", subject, lacking[ROW] * 0 + 1, lacking[ROW])
    if not any(f.row["is_unique"] for f in key):
        filled = frame.filter(*(~_is_missing(frame, f.column) for f in key))
        yield _repeated(filled, source.table.key, "duplicate_key", subject)
    if not any(f.row["is_unique"] for f in own.values()):
        yield _repeated(frame, tuple(own), "duplicate_row", subject)


def _is_missing(frame: ir.Table, column: Column) -> ir.BooleanValue:
    value = frame[column.name]
    return value.isnull() | value.re_search(f"^{WHITE}*$") if column.kind == "text" else value.isnull()


def _repeated(frame: ir.Table, columns: Sequence[str], measure: str, subject: int) -> ir.Table:
    """Values that stand in several rows; the first row is the example, the others are counted."""
    keys = {f"k{i}": frame[c] for i, c in enumerate(columns)}
    grouped = frame.group_by(**keys).aggregate(n=frame.count(), row=frame[ROW].min())
    repeated = grouped.filter(grouped.n > 1)
    return mark(repeated, measure, subject, repeated.n - 1, repeated.row)


def _candidate_pairs(engine: DuckDBEngine, sources: Sequence[Source], facts: Facts) -> dict[str, tuple[str, ...]]:
    promising = {i: _promising(engine, s, facts) for i, s in enumerate(sources) if s.rows >= PAIR_ROWS}
    asked = [(i, p) for i, pairs in promising.items() if sources[i].rows > PAIR_SAMPLE for p in pairs[:PAIRS_VERIFIED]]
    found = hits(engine, [_repeated(sources[i].frame, p, "pair", n) for n, (i, p) in enumerate(asked)])
    refuted = {pair for n, pair in enumerate(asked) if ("pair", n) in found}
    return {
        sources[i].table.name: tuple(" + ".join(p) for p in pairs[:PAIRS_VERIFIED] if (i, p) not in refuted)
        for i, pairs in promising.items()
    }


def _promising(engine: DuckDBEngine, source: Source, facts: Facts) -> list[tuple[str, str]]:
    """Pairs that could be a key: enough distinct values, one of them an identifier, unique in a sample of rows."""
    parts = sorted(
        (facts[c.index] for c in source.columns if _may_be_part(facts[c.index])),
        key=lambda f: (-f.row["distinct_values"], f.column.position),
    )[:PAIR_COLUMNS]
    pairs = [
        (a, b)
        for a, b in combinations(sorted(parts, key=lambda f: f.column.position), 2)
        if a.row["distinct_values"] * b.row["distinct_values"] >= source.rows and (_identifies(a) or _identifies(b))
    ]
    if not pairs:
        return []
    names = sorted({f.column.name for pair in pairs for f in pair})
    sample = engine.arrow(source.frame.select(names).limit(PAIR_SAMPLE)).to_pydict()
    named = [(a.column.name, b.column.name) for a, b in pairs]
    return [(a, b) for a, b in named if len(set(zip(sample[a], sample[b], strict=True))) == len(sample[a])]


def _may_be_part(f: ColumnFacts) -> bool:
    full = f.row["nulls"] + f.row["blanks"] == 0 and f.row["distinct_values"] > 1 and not f.row["is_unique"]
    return full and f.content not in ("decimal", "decimal_comma", "decimal_grouped", "timestamp", "boolean")


def _identifies(f: ColumnFacts) -> bool:
    table = f.column.table
    return (
        f.column.name in table.key
        or any(r.column == f.column.name for r in table.references)
        or is_identifier(f.column.name)
    )
