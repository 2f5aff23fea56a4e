"""Profiling: what every column and table of a cohort holds, measured in few set-based queries.

Here are the facts (types, counts, ranges, top values, patterns). Whether a fact is good or bad is `quality`; how
tables hang together is `relations`; how it is shown is `report`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.stages.profile import quality, relations
from migration_assets.stages.profile.cells import Column, Source, batches, cells, opened
from migration_assets.stages.profile.facts import ColumnFacts
from migration_assets.stages.profile.model import (
    COLUMNS,
    FINDINGS,
    RELATIONSHIPS,
    TABLES,
    Profile,
    ProfiledTable,
    Rules,
)
from migration_assets.stages.profile.names import newest_rank
from migration_assets.stages.profile.shapes import content_type, family_of, may_vary_in_case, patterns, runs_collapsed

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

TOP_VALUES = 10
TOP_PATTERNS = 5
TOP_RUNS = 50
SHOWN_CHARACTERS = 200
QUANTILES = {
    "p05": Decimal("0.05"),
    "p25": Decimal("0.25"),
    "p50": Decimal("0.5"),
    "p75": Decimal("0.75"),
    "p95": Decimal("0.95"),
}
# Exact patterns are shown when the five most frequent stand for at least half of the values, else runs.
EXACT_SHARE = 0.5
_MEAN_PLACES = Decimal("0.000001")
_NO_VALUE = ("blank", "placeholder")

Row = dict[str, Any]


def profile_tables(
    engine: DuckDBEngine,
    tables: Sequence[ProfiledTable],
    *,
    rules: Rules | None = None,
    as_of: datetime | None = None,
) -> Profile:
    """Profile the tables of one cohort.

    Without `as_of` neither ages nor dates in the future are known, and those measures are left out. The four tables
    of the answer are described in `model`; order is that of the tables and columns given, findings by share.
    """
    sources = opened(engine, tables)
    facts: dict[int, ColumnFacts] = {}
    found: list[quality.Found] = []
    links: list[relations.Link] = []
    for batch in batches(sources):
        with cells(engine, batch) as table:
            measured = _measured(engine, table, [c for _, c in batch])
            found += quality.cell_findings(engine, table, measured, as_of)
            links += relations.coverage(engine, table, measured, sources)
        facts |= {f.column.index: f for f in measured}
    facts |= {c.index: _empty(c) for s in sources for c in s.columns if c.index not in facts}
    keys = relations.key_facts(engine, sources, facts)
    found += quality.orphan_findings(links)
    found = quality.with_more_samples(engine, sources, found)
    found += quality.table_findings(engine, sources, facts, keys)
    return Profile(
        tables=pa.Table.from_pylist([_table_row(s, facts, keys[s.table.name], as_of) for s in sources], TABLES),
        columns=pa.Table.from_pylist([dict(facts[i].row) for i in sorted(facts)], COLUMNS),
        relationships=pa.Table.from_pylist([relations.row_of(k) for k in links], RELATIONSHIPS),
        findings=pa.Table.from_pylist(quality.finding_rows(found, sources, rules), FINDINGS),
    )


def _measured(engine: DuckDBEngine, table: ir.Table, columns: Sequence[Column]) -> list[ColumnFacts]:
    summary = {r["column"]: r for r in engine.arrow(_summary(table)).to_pylist()}
    forms = _forms(engine, table)
    shapes = _shapes(engine, table)
    points = _quantiles(engine, table)
    tops = _top_values(engine, table, summary)
    return [
        _facts(c, summary[c.index], forms.get(c.index, {}), shapes.get(c.index), points.get(c.index, {}), tops)
        for c in columns
    ]


def _summary(t: ir.Table) -> ir.Table:
    present = t.value.notnull() & ~t.form.fill_null("text").isin(_NO_VALUE)
    zero = ibis.literal(0)
    length = t.value.length()
    shown = ibis.ifelse(present, t.value.substr(0, SHOWN_CHARACTERS), ibis.null("string"))
    return t.group_by("column").aggregate(
        rows=t.n.sum(),
        nulls=ibis.ifelse(t.value.isnull(), t.n, zero).sum(),
        blanks=ibis.ifelse(t.form == "blank", t.n, zero).sum(),
        distinct_values=t.value.count(),
        most=t.n.max(where=t.value.notnull()),
        min_length=length.min(),
        max_length=length.max(),
        characters=(length * t.n).sum(),
        min_value=shown.min(),
        max_value=shown.max(),
        numbers=ibis.ifelse(t.number.notnull(), t.n, zero).sum(),
        min_number=t.number.min(),
        max_number=t.number.max(),
        sum=(t.number * t.n.cast("decimal(38, 0)")).sum(),
        zeros=ibis.ifelse(t.number == zero, t.n, zero).sum(),
        negatives=ibis.ifelse(t.number < zero, t.n, zero).sum(),
        min_moment=t.moment.min(),
        max_moment=t.moment.max(),
    )


def _forms(engine: DuckDBEngine, t: ir.Table) -> dict[int, dict[str, tuple[int, int]]]:
    """Per column and form of its texts: rows, and the first row."""
    grouped = t.filter(t.form.notnull(), t.value.notnull()).group_by("column", "form")
    forms: dict[int, dict[str, tuple[int, int]]] = {}
    for r in engine.arrow(grouped.aggregate(n=lambda x: x.n.sum(), row=lambda x: x.row.min())).to_pylist():
        forms.setdefault(r["column"], {})[r["form"]] = (int(r["n"]), r["row"])
    return forms


@dataclass(frozen=True)
class _Shapes:
    """Patterns of one column, most frequent first, as (pattern, rows, first row)."""

    exact: tuple[tuple[str, int, int], ...]
    runs: tuple[tuple[str, int, int], ...]
    distinct: int
    may_vary_in_case: bool


def _shapes(engine: DuckDBEngine, t: ir.Table) -> dict[int, _Shapes]:
    worded = t.filter(t.shape.notnull(), ~t.form.isin(_NO_VALUE))
    grouped = worded.group_by("column", "shape").aggregate(
        n=lambda x: x.n.sum().cast("int64"), row=lambda x: x.row.min()
    )
    exact = engine.arrow(grouped)
    runs = exact.set_column(exact.schema.get_field_index("shape"), "shape", runs_collapsed(exact["shape"]))
    folded = runs.group_by(["column", "shape"]).aggregate([("n", "sum"), ("row", "min")])
    folded = folded.rename_columns({"n_sum": "n", "row_min": "row"})
    return {column: _of_column(exact, folded, column) for column in pc.unique(exact["column"]).to_pylist()}


def _of_column(exact: pa.Table, runs: pa.Table, column: int) -> _Shapes:
    own = exact.filter(pc.equal(exact["column"], column))
    own_runs = runs.filter(pc.equal(runs["column"], column))
    return _Shapes(_most(own, TOP_PATTERNS), _most(own_runs, TOP_RUNS), len(own), may_vary_in_case(own["shape"]))


def _most(shapes: pa.Table, limit: int) -> tuple[tuple[str, int, int], ...]:
    first = shapes.take(pc.select_k_unstable(shapes, limit, [("n", "descending"), ("shape", "ascending")]))
    return tuple((r["shape"], r["n"], r["row"]) for r in first.to_pylist())


def _quantiles(engine: DuckDBEngine, t: ir.Table) -> dict[int, dict[str, Decimal]]:
    """Per column of numbers, the least number that at least this share of the rows does not exceed."""
    numbers = t.filter(t.number.notnull()).select("column", "number", "n")
    up_to = ibis.cumulative_window(group_by=numbers.column, order_by=numbers.number)
    running = numbers.mutate(up_to=numbers.n.sum().over(up_to))
    totals = numbers.group_by("column").aggregate(total=numbers.n.sum())
    joined = running.join(totals, "column")
    reached = {
        name: joined.number.min(where=joined.up_to * 100 >= joined.total * int(share * 100))
        for name, share in QUANTILES.items()
    }
    rows = engine.arrow(joined.group_by("column").aggregate(**reached)).to_pylist()
    return {r.pop("column"): r for r in rows}


def _top_values(engine: DuckDBEngine, t: ir.Table, summary: Mapping[int, Row]) -> dict[int, list[Row]]:
    few = [c for c, s in summary.items() if s["distinct_values"] <= TOP_VALUES]
    repeated = t.filter(t.value.notnull(), t.form.fill_null("text") != "blank", (t.n > 1) | t.column.isin(few or [-1]))
    order = ibis.row_number().over(group_by=repeated.column, order_by=[ibis.desc(repeated.n), repeated.value])
    ranked = repeated.select("column", value=repeated.value.substr(0, SHOWN_CHARACTERS), rows=repeated.n, place=order)
    tops: dict[int, list[Row]] = {}
    for r in engine.arrow(ranked.filter(ranked.place < TOP_VALUES).order_by("column", "place")).to_pylist():
        tops.setdefault(r["column"], []).append({"value": r["value"], "rows": r["rows"]})
    return tops


# --- from counts to facts ----------------------------------------------------------------------------------------


def _facts(
    column: Column,
    s: Row,
    forms: Mapping[str, tuple[int, int]],
    shapes: _Shapes | None,
    points: Mapping[str, Decimal],
    tops: Mapping[int, list[Row]],
) -> ColumnFacts:
    content = _content(column, s, forms)
    masked = column.name in column.table.personal or content == "email"
    row = _counts(column, s, content, masked) | _pattern_fields(shapes, s, masked)
    row["formats"] = _counted(sorted(((f, n) for f, (n, _) in forms.items()), key=lambda p: (-p[1], p[0])))
    if not masked:
        row |= _ranges(content, s) if family_of(content) != "number" else _statistics(column, s, points)
        row["top_values"] = [_unless_email(v) for v in tops.get(column.index, [])]
    low, high = _fences(points)
    newest = s["max_moment"].replace(tzinfo=UTC) if s["max_moment"] else None
    seen = shapes or _Shapes((), (), 0, False)
    return ColumnFacts(column, content, row, forms, seen.runs, low, high, newest, seen.may_vary_in_case)


def _content(column: Column, s: Row, forms: Mapping[str, tuple[int, int]]) -> str:
    if column.kind == "text":
        zero_one = s["distinct_values"] == 2 and (s["min_number"], s["max_number"]) == (0, 1)
        return content_type({f: n for f, (n, _) in forms.items()}, zero_one=zero_one)
    if s["nulls"] == s["rows"]:
        return "empty"
    if column.kind == "number":
        return "integer" if column.type.startswith(("int", "uint")) else "decimal"
    if column.kind == "moment":
        return "date_ymd" if column.type == "date" else "timestamp"
    return "decimal" if column.kind == "float" else "boolean" if column.kind == "boolean" else "text"


def _counts(column: Column, s: Row, content: str, masked: bool) -> Row:
    rows, nulls, blanks = int(s["rows"]), int(s["nulls"]), int(s["blanks"])
    written = rows - nulls
    return _described(column) | {
        "content_type": content,
        "masked": masked,
        "rows": rows,
        "nulls": nulls,
        "blanks": blanks,
        "distinct_values": int(s["distinct_values"]),
        "is_unique": nulls + blanks == 0 and s["most"] == 1,
        "min_length": s["min_length"] if column.kind == "text" else None,
        "max_length": s["max_length"] if column.kind == "text" else None,
        "mean_length": _rounded(Decimal(int(s["characters"] or 0)) / written)
        if written and column.kind == "text"
        else None,
    }


def _pattern_fields(shapes: _Shapes | None, s: Row, masked: bool) -> Row:
    if shapes is None:
        return {"patterns": [], "distinct_patterns": 0}
    present = int(s["rows"]) - int(s["nulls"]) - int(s["blanks"])
    exact = not masked and sum(n for _, n, _ in shapes.exact) >= EXACT_SHARE * present
    chosen = shapes.exact if exact else shapes.runs[:TOP_PATTERNS]
    return {
        "patterns": _counted([(p, n) for p, n, _ in chosen]),
        "pattern_style": "exact" if exact else "runs",
        "distinct_patterns": shapes.distinct,
    }


def _ranges(content: str, s: Row) -> Row:
    if family_of(content) == "date" and s["min_moment"] is not None:
        days = content != "timestamp" and _is_midnight(s["min_moment"]) and _is_midnight(s["max_moment"])
        return {k: _moment_text(s[m], days) for k, m in (("min_value", "min_moment"), ("max_value", "max_moment"))}
    return {k: None if s[k] is None else _unless_email({"value": s[k]})["value"] for k in ("min_value", "max_value")}


def _statistics(column: Column, s: Row, points: Mapping[str, Decimal]) -> Row:
    """Of a text column, over its values that are numbers. Of a number column over all values or not at all: a sum
    that leaves out the largest (see `cells.LARGEST`) or NaN would be a wrong sum."""
    if not s["numbers"] or (column.kind != "text" and s["numbers"] < s["rows"] - s["nulls"]):
        return {}
    return {
        "min_value": _plain(s["min_number"]),
        "max_value": _plain(s["max_number"]),
        "sum": _plain(s["sum"]),
        "mean": _rounded(s["sum"] / Decimal(int(s["numbers"]))),
        "zeros": int(s["zeros"]),
        "negatives": int(s["negatives"]),
    } | {name: _plain(point) for name, point in points.items()}


def _fences(points: Mapping[str, Decimal]) -> tuple[Decimal | None, Decimal | None]:
    """Three interquartile ranges beyond the quartiles; none when the middle half is one number."""
    spread = points["p75"] - points["p25"] if points else Decimal(0)
    if not spread:
        return None, None
    return points["p25"] - 3 * spread, points["p75"] + 3 * spread


def _empty(column: Column) -> ColumnFacts:
    zeros = dict.fromkeys(("rows", "nulls", "blanks", "distinct_values", "distinct_patterns"), 0)
    masked = column.name in column.table.personal
    row = _described(column) | zeros | {"content_type": "empty", "masked": masked, "is_unique": False}
    return ColumnFacts(column, "empty", row | {"top_values": [], "patterns": [], "formats": []})


def _described(column: Column) -> Row:
    return {"table": column.table.name, "column": column.name, "position": column.position, "type": column.type}


def _table_row(
    source: Source, facts: Mapping[int, ColumnFacts], keys: relations.KeyFacts, as_of: datetime | None
) -> Row:
    newest = _newest(source, facts)
    return {
        "table": source.table.name,
        "home": source.table.home,
        "description": source.table.description,
        "rows": source.rows,
        "columns": len(source.columns),
        "key": list(source.table.key),
        "key_duplicates": keys.duplicates,
        "key_nulls": keys.nulls,
        "duplicate_rows": keys.duplicate_rows,
        "candidate_keys": list(keys.candidates),
        "newest_column": newest.column.name if newest else None,
        "newest_at": newest.newest if newest else None,
        "age_days": (as_of - newest.newest).days if newest and newest.newest and as_of else None,
    }


def _newest(source: Source, facts: Mapping[int, ColumnFacts]) -> ColumnFacts | None:
    """The column that tells best when the table was last written: the declared one, else by its name."""
    dated = [facts[c.index] for c in source.columns if facts[c.index].newest and c.name not in source.table.personal]
    ranked = [(newest_rank(f.column.name, source.table.updated_at), f.column.position, f) for f in dated]
    best = min((r for r in ranked if r[0] is not None), key=lambda r: (r[0] or 0, r[1]), default=None)
    return best[2] if best else None


# --- text of numbers and moments ---------------------------------------------------------------------------------


def _counted(pairs: Sequence[tuple[str, int]]) -> list[Row]:
    return [{"value": v, "rows": int(n)} for v, n in pairs]


def _unless_email(entry: Row) -> Row:
    """The entry, with a value that holds an e-mail address shown as its pattern: also keys and notes hold them."""
    return (
        entry | {"value": patterns(pa.chunked_array([[entry["value"]]]))[0].as_py()} if "@" in entry["value"] else entry
    )


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rounded(number: Decimal) -> str:
    return _plain(number.quantize(_MEAN_PLACES))


def _is_midnight(moment: datetime) -> bool:
    return moment.time().isoformat() == "00:00:00"


def _moment_text(moment: datetime, days: bool) -> str:
    return moment.date().isoformat() if days else moment.isoformat(sep=" ")
