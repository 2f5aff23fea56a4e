"""What goes into a profile and what comes out: plain data, and the Arrow shapes of its four tables.

Nothing is measured here, and nothing is worded for a reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

# (table, column) -> what the pipeline does with what it finds there. The column '' stands for the table as a whole.
Rules = Mapping[tuple[str, str], str]

SAMPLES = 5


@dataclass(frozen=True)
class Reference:
    """`column` holds values of `to_column`, the single-column key of `to_table`, whose rows stand in `path`.

    The path is that of the whole golden copy, not of a cohort: a parent in another cohort is no orphan.
    """

    column: str
    to_table: str
    to_column: str
    path: Path


@dataclass(frozen=True)
class ProfiledTable:
    """One source table as laid out for a cohort: `_row` first, then the raw columns.

    `name` is `system.table`; `personal` columns never show a value; `updated_at` names the column that tells when a
    row last changed, if the plan knows one.
    """

    name: str
    path: Path
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    personal: frozenset[str] = frozenset()
    home: str | None = None
    description: str = ""
    updated_at: str | None = None


@dataclass(frozen=True)
class Profile:
    """The four tables of a profile; their shapes are the schemas below.

    They hold no value of a personal column: only counts, lengths and character patterns.
    """

    tables: pa.Table
    columns: pa.Table
    relationships: pa.Table
    findings: pa.Table


COUNTED = pa.list_(pa.struct([("value", pa.string()), ("rows", pa.int64())]))

# Grain: one profiled table. `key_duplicates`: rows beyond the first of each complete key value; `key_nulls`: rows in
# which some key column is missing or blank; `duplicate_rows`: rows beyond the first of each set that agrees in every
# column but `_row`; `candidate_keys`: columns, or pairs as `a + b`, without missing or repeated values.
TABLES = pa.schema(
    [
        ("table", pa.string()),
        ("home", pa.string()),
        ("description", pa.string()),
        ("rows", pa.int64()),
        ("columns", pa.int64()),
        ("key", pa.list_(pa.string())),
        ("key_duplicates", pa.int64()),
        ("key_nulls", pa.int64()),
        ("duplicate_rows", pa.int64()),
        ("candidate_keys", pa.list_(pa.string())),
        ("newest_column", pa.string()),
        ("newest_at", pa.timestamp("us", tz="UTC")),
        ("age_days", pa.int64()),
    ]
)

# Grain: one column of a table, in the order of the source. `rows` = nulls + blanks + rows with a value;
# `distinct_values` counts the values as written, blanks included, null not. Numbers are exact decimals as text; the
# mean is rounded to 6 places; they are null unless the content is numbers.
# `top_values`: at most 10 that stand in several rows, or all of a column with at most 10.
# `patterns`: at most 5; `pattern_style` says whether a letter stands for one character (`exact`) or a run (`runs`).
# `formats`: rows per form of a text value (see `shapes`). A masked column has no values, no range and no statistics.
COLUMNS = pa.schema(
    [
        ("table", pa.string()),
        ("column", pa.string()),
        ("position", pa.int64()),
        ("type", pa.string()),
        ("content_type", pa.string()),
        ("masked", pa.bool_()),
        ("rows", pa.int64()),
        ("nulls", pa.int64()),
        ("blanks", pa.int64()),
        ("distinct_values", pa.int64()),
        ("is_unique", pa.bool_()),
        ("min_value", pa.string()),
        ("max_value", pa.string()),
        ("min_length", pa.int64()),
        ("max_length", pa.int64()),
        ("mean_length", pa.string()),
        ("top_values", COUNTED),
        ("patterns", COUNTED),
        ("pattern_style", pa.string()),
        ("distinct_patterns", pa.int64()),
        ("formats", COUNTED),
        ("sum", pa.string()),
        ("mean", pa.string()),
        ("p05", pa.string()),
        ("p25", pa.string()),
        ("p50", pa.string()),
        ("p75", pa.string()),
        ("p95", pa.string()),
        ("zeros", pa.int64()),
        ("negatives", pa.int64()),
    ]
)

# Grain: one column that points, or seems to point (`declared` false), at the key of another table.
# rows = nulls (missing or blank) + matched + orphans; `share` = matched / (matched + orphans), null when both are 0.
RELATIONSHIPS = pa.schema(
    [
        ("table", pa.string()),
        ("column", pa.string()),
        ("to_table", pa.string()),
        ("to_column", pa.string()),
        ("declared", pa.bool_()),
        ("rows", pa.int64()),
        ("nulls", pa.int64()),
        ("matched", pa.int64()),
        ("orphans", pa.int64()),
        ("share", pa.float64()),
    ]
)

# Grain: one quality measure that found something in a column, or in a table (`column` ''). `share` = rows / rows of
# the table. `sample_keys`: at most 5 surrogate keys `system.table#row`. `action`: what the pipeline does about it.
FINDINGS = pa.schema(
    [
        ("table", pa.string()),
        ("column", pa.string()),
        ("dimension", pa.string()),
        ("measure", pa.string()),
        ("rows", pa.int64()),
        ("share", pa.float64()),
        ("sample_keys", pa.list_(pa.string())),
        ("action", pa.string()),
    ]
)
