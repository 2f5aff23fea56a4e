"""The look of a text value: its form (integer, date, e-mail ...) and its character pattern.

Forms are Ibis expressions; patterns are made from distinct values outside the engine, as bytes, because that is ten
times cheaper than replacing by regular expression. Nothing here counts rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What Python's str.strip() takes off, as a character class that RE2 and Java read alike.
WHITE = r"[\p{Z}\x09-\x0d\x1c-\x1f\x{85}]"
PATTERN_CHARACTERS = 64
_PLACEHOLDER = r"(?i:null|\\n|#?n/a|--?|\?|tbd|undefined)"
_BOOLEAN = r"(?i:true|false|yes|no|[ynft])"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(\.{_LABEL})+"
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
UUID_PATTERN = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

_TIME = r"[ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?"
_DAY_FIRST = r"(1[3-9]|2[0-9]|3[01])"
_MONTH = r"(0?[1-9]|1[0-2])"
_SEPARATOR = r"[-/.]"
_YEAR = rf"[0-9]{{4}}({_TIME})?"

_NUMERIC = r"^\s*[-+]?[.0-9][-0-9.,/]*([ T][0-9]{1,2}:[-+0-9:.Z ]*)?\s*$"
# In this order; the first that fits is the form. Only for values that are made as _NUMERIC says.
_NUMERIC_FORMS = {
    "integer": r"[+-]?(0|[1-9][0-9]{0,17})",
    "decimal": r"[+-]?[0-9]{0,18}\.[0-9]{1,10}",
    "digits": r"[0-9]+",
    "date_ymd": rf"[0-9]{{4}}{_SEPARATOR}[0-9]{{1,2}}{_SEPARATOR}[0-9]{{1,2}}",
    "timestamp": rf"[0-9]{{4}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}{_TIME}",
    "date_dmy": rf"{_DAY_FIRST}{_SEPARATOR}{_MONTH}{_SEPARATOR}{_YEAR}",
    "date_mdy": rf"{_MONTH}{_SEPARATOR}{_DAY_FIRST}{_SEPARATOR}{_YEAR}",
    "date_ambiguous": rf"{_MONTH}{_SEPARATOR}{_MONTH}{_SEPARATOR}{_YEAR}",
    "date_impossible": rf"[0-9]{{1,2}}{_SEPARATOR}[0-9]{{1,2}}{_SEPARATOR}{_YEAR}",
    "decimal_grouped": r"[+-]?[0-9]{1,3}(,[0-9]{3}){1,5}(\.[0-9]{1,10})?",
    "decimal_comma": r"[+-]?([0-9]{1,3}(\.[0-9]{3}){1,5}|[0-9]{1,18}),[0-9]{1,10}",
}
# Forms of a date whose order is plain.
DATED = ("date_ymd", "timestamp", "date_dmy", "date_mdy")
FAMILY = {
    "integer": "number",
    "decimal": "number",
    "decimal_grouped": "number",
    "decimal_comma": "number",
    "digits": "digits",
    "date_ymd": "date",
    "timestamp": "date",
    "date_dmy": "date",
    "date_mdy": "date",
    "date_ambiguous": "date",
    "date_impossible": "date",
    "boolean": "boolean",
    "email": "email",
    "uuid": "uuid",
    "text": "text",
}
# A column is of the family that at least this share of its values has; otherwise it is text.
FAMILY_SHARE = 0.9


def form_of(value: ir.StringValue) -> ir.StringValue:
    """The form of a text: a key of FAMILY, or `blank`, or `placeholder` (a word that stands for no value)."""
    numeric = ibis.cases(*((_is(value, p), form) for form, p in _NUMERIC_FORMS.items()), else_="text")
    return ibis.cases(
        (value.re_search(f"^{WHITE}*$"), "blank"),
        (_is(value, _PLACEHOLDER), "placeholder"),
        (value.re_search(_NUMERIC), numeric),
        (value.contains("@") & _is(value, _EMAIL), "email"),
        ((value.length() >= 36) & _is(value, _UUID), "uuid"),
        ((value.length() <= 8) & _is(value, _BOOLEAN), "boolean"),
        else_="text",
    )


def _is(value: ir.StringValue, pattern: str) -> ir.BooleanValue:
    """The whole value but for spaces around it: stripping first would cost more than all the patterns together."""
    return value.re_search(rf"^\s*({pattern})\s*$")


def is_plain(value: ir.StringValue) -> ir.BooleanValue:
    """Visible ASCII, no space at either end: such a value needs no look at encoding, space or control characters."""
    return value.re_search(r"^[!-~]([ -~]*[!-~])?$")


def number_of(value: ir.StringValue, form: ir.StringValue) -> ir.DecimalValue:
    """The exact number of a text in one of the number forms, else null."""
    bare = value.strip()
    plain = ibis.cases(
        (form.isin(["integer", "decimal"]), bare),
        (form == "decimal_grouped", bare.replace(",", "")),
        (form == "decimal_comma", bare.replace(".", "").replace(",", ".")),
        else_=None,
    )
    # Casting to 18 digits takes a twentieth of the time that casting to 38 takes.
    short = plain.re_search(r"^[+-]?[0-9]{0,9}(\.[0-9]{1,8})?$")
    return ibis.cases(
        (short, plain.cast("decimal(18, 8)").cast("decimal(38, 10)")),
        (plain.notnull(), plain.cast("decimal(38, 10)")),
        else_=None,
    )


def moment_of(value: ir.StringValue, form: ir.StringValue) -> ir.TimestampValue:
    """The moment (UTC) of a text in a date form whose order is plain, null when there is no such day."""
    branches = [(form == plain, _iso(value.strip(), plain)) for plain in DATED]
    return within_calendar(ibis.cases(*branches, else_=None).try_cast("timestamp"))


def moment_written_as(value: ir.StringValue, form: str) -> ir.TimestampValue:
    """The same for a column whose values are known to have one form of DATED; null for those that have not."""
    return within_calendar(_iso(value.strip(), form).try_cast("timestamp"))


def within_calendar(moment: ir.TimestampValue | ir.DateValue) -> ir.TimestampValue:
    """A moment or day as a moment, null outside the years 1 to 9999: engines know others, and infinity."""
    ends = ("0001-01-01", "9999-12-31" if moment.type().is_date() else "9999-12-31 23:59:59.999999")
    first, last = (ibis.literal(end).cast(moment.type()) for end in ends)
    return ibis.ifelse(moment.between(first, last), moment, ibis.null(moment.type())).cast("timestamp")


def _iso(bare: ir.StringValue, form: str) -> ir.StringValue:
    if form == "date_ymd":
        return bare.replace("/", "-").replace(".", "-")
    if form == "timestamp":
        return bare.replace("/", "-")
    parts = rf"^([0-9]{{1,2}}){_SEPARATOR}([0-9]{{1,2}}){_SEPARATOR}([0-9]{{4}})"
    first, second, year = (bare.re_extract(parts, k) for k in (1, 2, 3))
    day, month = (first, second) if form == "date_dmy" else (second, first)
    return year + "-" + month + "-" + day


def content_type(form_rows: Mapping[str, int], *, zero_one: bool = False) -> str:
    """The content of a text column from the rows per form; `zero_one`: its numbers are exactly 0 and 1.

    `empty` when there is no value; `integer`, `decimal` (also `decimal_comma`, `decimal_grouped`), `digits` (an
    identifier of digits), `date_ymd`, `date_dmy`, `date_mdy`, `date_ambiguous`, `date_mixed`, `timestamp`, `boolean`,
    `email`, `uuid`, `text`.
    """
    counts = {f: n for f, n in form_rows.items() if f in FAMILY and n}
    present = sum(counts.values())
    if not present:
        return "empty"
    by_family: dict[str, int] = {}
    for form, n in counts.items():
        by_family[FAMILY[form]] = by_family.get(FAMILY[form], 0) + n
    if counts.get("digits") and by_family["digits"] + counts.get("integer", 0) >= FAMILY_SHARE * present:
        return "digits"
    family = max(by_family, key=lambda f: (by_family[f], f))
    # A list of codes may well have `Yes` and `No` among them: only nothing else makes it a yes-or-no column.
    if by_family[family] < (1 if family == "boolean" else FAMILY_SHARE) * present:
        return "text"
    if family == "number":
        return "boolean" if zero_one else _number_content(counts)
    return _date_content(counts) if family == "date" else family


def _number_content(counts: Mapping[str, int]) -> str:
    forms = {f for f in counts if FAMILY[f] == "number"}
    if forms == {"integer"}:
        return "integer"
    written = sorted(forms - {"integer"})
    return written[0] if len(written) == 1 else "decimal"


def _date_content(counts: Mapping[str, int]) -> str:
    orders = {f for f in counts if FAMILY[f] == "date"} - {"date_impossible"}
    if len(orders) == 2 and "date_ambiguous" in orders and orders & {"date_dmy", "date_mdy"}:
        orders = orders - {"date_ambiguous"}
    return orders.pop() if len(orders) == 1 else "date_mixed"


def family_of(content: str) -> str:
    """The family of forms that a value of this content has."""
    if content == "date_mixed":
        return "date"
    return FAMILY.get(content, "text")


_PIECE = 65_536


# --- patterns ----------------------------------------------------------------------------------------------------


def patterns(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each text as its character pattern: A upper case, a other letter or mark, 9 numeral, the rest as it stands.

    Of a long text the first 64 characters.
    """
    return pa.chunked_array([_patterns(piece) for piece in _pieces(values)], pa.large_string())


def runs_collapsed(shapes: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same patterns with every run of A, a or 9 as one character."""
    return pa.chunked_array([_runs_collapsed(piece) for piece in _pieces(shapes)], pa.large_string())


def may_vary_in_case(shapes: pa.ChunkedArray) -> bool:
    """Whether values of these (distinct) patterns could differ only in case or in space around them."""
    folded = pc.utf8_trim_whitespace(pc.utf8_lower(shapes))
    cut = pc.any(pc.greater_equal(pc.utf8_length(shapes), PATTERN_CHARACTERS)).as_py()
    return bool(cut) or pc.count_distinct(folded).as_py() < len(shapes)


def _patterns(texts: pa.Array) -> pa.Array:
    cut = pc.utf8_slice_codeunits(texts, 0, PATTERN_CHARACTERS)
    offsets, data = _buffers(cut)
    plain = _from_buffers(cut, offsets, np.frombuffer(data.tobytes().translate(_ASCII), dtype=np.uint8))
    foreign = pc.invert(pc.fill_null(pc.string_is_ascii(cut), True))
    if not pc.any(foreign).as_py():
        return plain
    mapped = pa.array([v.translate(_CLASSES) for v in cut.filter(foreign).to_pylist()], plain.type)
    return pc.replace_with_mask(plain, foreign, mapped)


def _runs_collapsed(texts: pa.Array) -> pa.Array:
    offsets, data = _buffers(texts)
    if not len(data):
        return texts
    keep = np.ones(len(data), dtype=bool)
    keep[1:] = (data[1:] != data[:-1]) | ~_RUNS[data[1:]]
    keep[offsets[:-1][offsets[:-1] < len(data)]] = True
    kept_before = np.zeros(len(data) + 1, dtype=np.int64)
    np.cumsum(keep, out=kept_before[1:])
    return _from_buffers(texts, kept_before[offsets], data[keep])


class _Classes(dict[int, str]):
    """Character -> its class, learnt as it is asked."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))
        # A mark is part of a letter: left standing it would show half of a name in many scripts.
        shown = "A" if category in ("Lu", "Lt") else {"L": "a", "M": "a", "N": "9"}.get(category[0], chr(code))
        self[code] = shown
        return shown


_CLASSES = _Classes()
_ASCII = bytes(ord(_CLASSES[i]) if i < 128 else i for i in range(256))


_RUNS = np.isin(np.arange(256), np.frombuffer(b"Aa9", dtype=np.uint8))


def _pieces(values: pa.ChunkedArray) -> list[pa.Array]:
    """The texts in slices small enough that the work on one of them takes little memory."""
    chunks = pc.cast(values, pa.large_string()).chunks
    return [c.slice(at, _PIECE) for c in chunks for at in range(0, len(c), _PIECE)]


def _buffers(texts: pa.Array) -> tuple[Any, Any]:
    """Offsets (from 0) and bytes of the texts."""
    _, raw_offsets, raw = texts.buffers()
    offsets = np.frombuffer(raw_offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(raw, dtype=np.uint8) if raw is not None else np.empty(0, dtype=np.uint8)
    return offsets - offsets[0], data[offsets[0] : offsets[-1]]


def _from_buffers(like: pa.Array, offsets: Any, data: Any) -> pa.Array:
    valid = pc.is_valid(like).buffers()[1] if like.null_count else None
    return pa.Array.from_buffers(
        pa.large_string(), len(like), [valid, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data.tobytes())]
    )
