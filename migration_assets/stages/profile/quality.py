"""The four-part quality checklist: completeness, accuracy, consistency, validity, as small named measures.

**Completeness** counts what is not there:
  `missing` null; `blank` empty or nothing but white space; `placeholder` a word that stands for no value (`NULL`,
  `N/A`, `-`, `?`, `TBD` ...; not `NA`, which is a surname and Namibia); `missing_key` rows with a key column missing
  or blank.
**Validity** counts values that cannot be what the column holds:
  `bad_email` not of an e-mail's form, in a column of e-mails; `bad_phone` letters, or not 7 to 15 digits, in a column
  named so in which most values have digits; `impossible_date` a date's form but no such day, or a
  day outside the years 1 to 9999; `unlike_column` not of the form (number, date, uuid ...) that at least 90 % of the
  column's values have; `not_finite` NaN or infinity;
  `mojibake` signs of UTF-8 read as another encoding, or the replacement character; `control_character` invisible or
  control characters other than tab and line ends; `surrounding_space` white space before or after a value.
**Consistency** counts values that disagree with others:
  `case_variant` differs from a more frequent spelling of the same value only in case or surrounding space;
  `minority_format` a date order or number style other than the column's most frequent one, or a code of another
  pattern where at least three quarters share one; `orphan` points at a row that is nowhere in the golden copy;
  `duplicate_key` rows beyond the first of a key; `duplicate_row` rows beyond the first of equal rows.
**Accuracy** counts values that are well formed but hard to believe:
  `outlier` further than three interquartile ranges outside the middle half (at least 20 numbers, 10 of them
  different, no identifiers); `negative_amount` below zero in a column named as an amount, price or quantity;
  `future_date` after `as_of` where the name does not speak of a plan or an end; `implausible_date` before 1900 or
  after 2200; `inverted_dates` an end before its start.

A value may be counted by several measures. Nothing here says how a finding is mended: that is the plan's rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.stages.profile.cells import ROW, Column, Source
from migration_assets.stages.profile.marks import Hit, hits, mark
from migration_assets.stages.profile.model import SAMPLES, Rules
from migration_assets.stages.profile.names import date_pairs, is_amount, is_email, is_identifier, is_phone, is_planned
from migration_assets.stages.profile.shapes import DATED, FAMILY, WHITE, moment_written_as, within_calendar

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.profile.facts import ColumnFacts
    from migration_assets.stages.profile.relations import Facts, KeyFacts, Link

DIMENSIONS = ("completeness", "validity", "consistency", "accuracy")
MEASURES = {
    "missing": "completeness",
    "blank": "completeness",
    "placeholder": "completeness",
    "missing_key": "completeness",
    "bad_email": "validity",
    "bad_phone": "validity",
    "impossible_date": "validity",
    "unlike_column": "validity",
    "not_finite": "validity",
    "mojibake": "validity",
    "control_character": "validity",
    "surrounding_space": "validity",
    "case_variant": "consistency",
    "minority_format": "consistency",
    "orphan": "consistency",
    "duplicate_key": "consistency",
    "duplicate_row": "consistency",
    "outlier": "accuracy",
    "negative_amount": "accuracy",
    "future_date": "accuracy",
    "implausible_date": "accuracy",
    "inverted_dates": "accuracy",
}
NO_RULE = "No rule maps this column: the value stays in the golden copy."
NO_TABLE_RULE = "No rule of its own: each row gets its disposition in the stage that reads it."

_PHONE = r"^([^0-9A-Za-z]*[0-9]){7,15}[^0-9A-Za-z]*((x|ext\.?) *[0-9]{1,6})?$"
_MOJIBAKE = r"[ÂÃÐÑ][\x{80}-\x{bf}]|â€|ï»¿|\x{fffd}"
_INVISIBLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\p{Cf}]"
_EDGE_SPACE = f"^{WHITE}|{WHITE}$"
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_OUTLIER_ROWS, _OUTLIER_VALUES = 20, 10
_CODE_SHARE, _CODE_ROWS = 0.75, 10


@dataclass(frozen=True)
class Found:
    """What one measure counted in one column (None: in the table as a whole)."""

    table: str
    column: str | None
    measure: str
    hit: Hit


# --- columns, from their cells -----------------------------------------------------------------------------------


def cell_findings(
    engine: DuckDBEngine, cells: ir.Table, facts: Sequence[ColumnFacts], as_of: datetime | None
) -> list[Found]:
    """Everything that can be said of a value without looking at the rest of its row."""
    flagged = [(m, cells.filter(flag)) for m, flag in _flags(cells, facts, as_of)]
    marks = [mark(t, m, t.column, t.n, t.row) for m, t in flagged]
    marks += _case_variants(cells, facts)
    columns = {f.column.index: f.column for f in facts}
    found = [_found(columns[c], m, hit) for (m, c), hit in hits(engine, marks).items()]
    return found + [_found(f.column, "minority_format", h) for f in facts if (h := _minority_format(f)).rows]


def _flags(t: ir.Table, facts: Sequence[ColumnFacts], as_of: datetime | None) -> Iterable[tuple[str, ir.BooleanValue]]:
    """One condition per measure, only for the columns it makes sense for."""
    texts = [f for f in facts if f.column.kind == "text"]
    worded = _among(t, texts) & ~t.form.isin(("blank", "placeholder"))
    yield "missing", t.value.isnull()
    if texts:
        yield "blank", t.form == "blank"
        yield "placeholder", t.form == "placeholder"
        yield "bad_email", worded & (t.form != "email") & _among(t, [f for f in texts if _holds_email(f)])
        yield "bad_phone", worded & ~t.value.re_search(_PHONE) & _among(t, [f for f in texts if _holds_phone(f)])
        yield "unlike_column", worded & _unlike(t, texts)
        odd = worded & ~t.plain
        yield "mojibake", odd & t.value.re_search(_MOJIBAKE)
        yield "control_character", odd & t.value.re_search(_INVISIBLE)
        yield "surrounding_space", odd & t.value.re_search(_EDGE_SPACE)
    moments = [f for f in facts if f.column.kind == "moment"]
    if texts or moments:
        no_such_day = worded & _impossible_date(t)
        yield "impossible_date", no_such_day | (_among(t, moments) & t.value.notnull() & t.moment.isnull())
    floats = [f for f in facts if f.column.kind == "float"]
    if floats:
        yield "not_finite", _among(t, floats) & t.value.lower().isin(("nan", "inf", "-inf", "infinity", "-infinity"))
    yield from _accuracy_flags(t, facts, as_of)


def _accuracy_flags(
    t: ir.Table, facts: Sequence[ColumnFacts], as_of: datetime | None
) -> Iterable[tuple[str, ir.BooleanValue]]:
    for f in facts:
        if f.low is not None and f.high is not None and _may_have_outliers(f):
            yield "outlier", _among(t, [f]) & ((t.number < f.low) | (t.number > f.high))
    amounts = [f for f in facts if f.family == "number" and is_amount(f.column.name)]
    if amounts:
        yield "negative_amount", _among(t, amounts) & (t.number < 0)
    dated = [f for f in facts if f.family == "date"]
    if dated:
        yield "implausible_date", _among(t, dated) & ~t.moment.year().between(_FIRST_YEAR, _LAST_YEAR)
    past = [f for f in dated if not is_planned(f.column.name)]
    if past and as_of is not None:
        yield "future_date", _among(t, past) & (t.moment > _instant(as_of))


def _among(t: ir.Table, facts: Sequence[ColumnFacts]) -> ir.BooleanValue:
    return t.column.isin([f.column.index for f in facts] or [-1])


def _instant(moment: datetime) -> ir.TimestampScalar:
    return ibis.literal(moment.astimezone(UTC).replace(tzinfo=None), "timestamp")


def _holds_email(f: ColumnFacts) -> bool:
    return f.family == "email" or (is_email(f.column.name) and f.family == "text")


def _holds_phone(f: ColumnFacts) -> bool:
    """Named so, and most values have digits: `PhoneService` says yes or no."""
    shown = sum(n for _, n, _ in f.runs)
    return is_phone(f.column.name) and sum(n for pattern, n, _ in f.runs if "9" in pattern) * 2 > shown


def _impossible_date(t: ir.Table) -> ir.BooleanValue:
    ordered = t.form.isin(DATED)
    return (t.form == "date_impossible") | (ordered & t.moment.isnull())


def _unlike(t: ir.Table, texts: Sequence[ColumnFacts]) -> ir.BooleanValue:
    """Another family than the column's; e-mails and dates have measures of their own."""
    unlike: ir.BooleanValue = ibis.literal(False)
    for family in ("number", "digits", "date", "uuid"):
        columns = [f for f in texts if f.family == family and f.content != "empty"]
        fitting = [form for form, of in FAMILY.items() if of == family] + (["integer"] if family == "digits" else [])
        if columns:
            unlike = unlike | (_among(t, columns) & ~t.form.isin(fitting))
    return unlike


def _may_have_outliers(f: ColumnFacts) -> bool:
    table, name = f.column.table, f.column.name
    named = name in table.key or is_identifier(name) or any(r.column == name for r in table.references)
    enough = f.row["rows"] - f.row["nulls"] >= _OUTLIER_ROWS and f.row["distinct_values"] >= _OUTLIER_VALUES
    return f.family == "number" and enough and not named


def _case_variants(cells: ir.Table, facts: Sequence[ColumnFacts]) -> list[ir.Table]:
    texts = [f for f in facts if f.may_vary_in_case and f.family in ("text", "email", "boolean")]
    if not texts:
        return []
    own = cells.filter(_among(cells, texts), cells.value.notnull(), ~cells.form.isin(("blank", "placeholder")))
    # Stripping is dear, and hardly any value needs it.
    bare = ibis.ifelse(own.plain, own.value, own.value.strip())
    folded = own.mutate(folded=bare.lower())
    several = folded.group_by("column", "folded").aggregate(spellings=folded.count())
    several = several.filter(several.spellings > 1)
    variants = folded.semi_join(several, ["column", "folded"])
    place = ibis.row_number().over(
        group_by=[variants.column, variants.folded], order_by=[ibis.desc(variants.n), variants.value]
    )
    lesser = variants.mutate(place=place).filter(lambda t: t.place > 0)
    return [mark(lesser, "case_variant", lesser.column, lesser.n, lesser.row)]


def _minority_format(f: ColumnFacts) -> Hit:
    if f.family in ("date", "number") and f.column.kind == "text":
        return _lesser(_styles(f))
    if f.family in ("text", "digits") and f.runs:
        (pattern, most, _), *_ = f.runs
        present = sum(n for form, (n, _) in f.forms.items() if form in FAMILY)
        code_like = not any(c.isspace() for c in pattern) and ("9" in pattern or "a" not in pattern)
        if code_like and present >= _CODE_ROWS and present > most >= _CODE_SHARE * present:
            return Hit(present - most, tuple(sorted(row for _, _, row in f.runs[1 : SAMPLES + 1])))
    return Hit(0, ())


def _styles(f: ColumnFacts) -> list[tuple[int, int]]:
    """(rows, first row) per way of writing the same thing."""
    own = {form: hit for form, hit in f.forms.items() if FAMILY.get(form) == f.family and form != "date_impossible"}
    if f.family == "number":
        plain = [own.pop(form) for form in ("integer", "decimal") if form in own]
        return [*own.values(), (sum(n for n, _ in plain), min((r for _, r in plain), default=0))]
    ordered = {"date_dmy", "date_mdy"} & own.keys()
    if len(ordered) == 1 and "date_ambiguous" in own:
        (n, row), (more, other), form = own[order := next(iter(ordered))], own.pop("date_ambiguous"), order
        own[form] = (n + more, min(row, other))
    return list(own.values())


def _lesser(styles: Sequence[tuple[int, int]]) -> Hit:
    _, *others = sorted(styles, key=lambda s: (-s[0], s[1])) or [(0, 0)]
    filled = [s for s in others if s[0]]
    return Hit(sum(n for n, _ in filled), tuple(sorted(row for _, row in filled)[:SAMPLES]))


# --- tables ------------------------------------------------------------------------------------------------------


def table_findings(
    engine: DuckDBEngine, sources: Sequence[Source], facts: Facts, keys: Mapping[str, KeyFacts]
) -> list[Found]:
    """Findings about rows as a whole: keys, duplicates, pairs of dates."""
    found = [Found(table, None, measure, hit) for table, k in keys.items() for measure, hit in k.hits.items()]
    marks = [m for s in sources if s.rows for m in _inverted(s, facts)]
    columns = {c.index: c for s in sources for c in s.columns}
    return found + [_found(columns[c], m, hit) for (m, c), hit in hits(engine, marks).items()]


def with_more_samples(engine: DuckDBEngine, sources: Sequence[Source], found: Sequence[Found]) -> list[Found]:
    """Cells know the first row of each value only; here findings about few values get the next rows of them too."""
    columns = {(s.table.name, c.name): (s.frame, c) for s in sources for c in s.columns}
    lacking = {
        i: columns[f.table, f.column]
        for i, f in enumerate(found)
        if f.column is not None and len(f.hit.samples) < min(SAMPLES, f.hit.rows)
    }
    marks = [_same_value(frame, c.name, found[i], i) for i, (frame, c) in lacking.items()]
    more = {i: hit.samples for (_, i), hit in hits(engine, marks).items()}
    return [replace(f, hit=Hit(f.hit.rows, more.get(i, f.hit.samples))) for i, f in enumerate(found)]


def _same_value(frame: ir.Table, column: str, found: Found, subject: int) -> ir.Table:
    value = frame[column]
    if found.measure == "missing":
        same = frame.filter(value.isnull())
    else:
        known = frame.filter(frame[ROW].isin(found.hit.samples)).select(same=value).distinct()
        same = frame.semi_join(known, [value == known.same])
    first = same.select(row=same[ROW]).order_by("row").limit(SAMPLES)
    return mark(first, found.measure, subject, first.row * 0 + 1, first.row)


def orphan_findings(links: Sequence[Link]) -> list[Found]:
    """References that dangle; only declared ones, since a likely one may be chance."""
    return [_found(k.column, "orphan", k.orphans) for k in links if k.declared and k.orphans.rows]


def _inverted(source: Source, facts: Facts) -> Iterable[ir.Table]:
    dated = {c.name: facts[c.index] for c in source.columns if facts[c.index].content in DATED}
    for start, end in date_pairs(tuple(dated)):
        frame = source.frame
        wrong = frame.filter(_moment(frame, dated[end]) < _moment(frame, dated[start]))
        yield mark(wrong, "inverted_dates", dated[end].column.index, wrong[ROW] * 0 + 1, wrong[ROW])


def _moment(frame: ir.Table, f: ColumnFacts) -> ir.TimestampValue:
    value = frame[f.column.name]
    if f.column.kind == "text":
        return moment_written_as(value, f.content)
    return within_calendar(value)


# --- wording -----------------------------------------------------------------------------------------------------


def finding_rows(found: Sequence[Found], sources: Sequence[Source], rules: Rules | None) -> list[dict[str, Any]]:
    """Findings as rows of FINDINGS, the largest share first; what is merely missing comes last, since only the plan
    knows whether it has to be there."""
    sizes = {s.table.name: s.rows for s in sources}
    rows = [
        {
            "table": f.table,
            "column": f.column or "",
            "dimension": MEASURES[f.measure],
            "measure": f.measure,
            "rows": f.hit.rows,
            "share": f.hit.rows / sizes[f.table],
            "sample_keys": [f"{f.table}#{row}" for row in f.hit.samples],
            "action": _action(f, rules),
        }
        for f in found
    ]
    return sorted(rows, key=lambda r: (r["measure"] == "missing", -r["share"], r["table"], r["column"], r["measure"]))


def _action(f: Found, rules: Rules | None) -> str:
    if rules is None:
        return ""
    return rules.get((f.table, f.column or "")) or (NO_RULE if f.column else NO_TABLE_RULE)


def _found(column: Column, measure: str, hit: Hit) -> Found:
    return Found(column.table.name, column.name, measure, hit)
