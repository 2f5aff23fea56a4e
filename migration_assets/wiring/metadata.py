"""What people see of a stage in the UI: row counts, what became of the rows, what was changed. Counts only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.domain.shown_money import Amount

if TYPE_CHECKING:
    from pathlib import Path

    from migration_assets.engine.duckdb import DuckDBEngine


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A markdown table; numbers get thousands separators and stand right, as amounts do."""
    numeric = [bool(rows) and all(isinstance(r[i], int | Amount) for r in rows) for i in range(len(header))]
    head = "| " + " | ".join(header) + " |\n|" + "|".join("---:" if n else "---" for n in numeric) + "|"
    body = "\n".join("| " + " | ".join(_cell(v) for v in row) + " |" for row in rows)
    return dg.MetadataValue.md(f"{head}\n{body}" if rows else f"{head}\n| none |" + " |" * (len(header) - 1))


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def row_counts(written: Mapping[str, int], *, partitioned: bool) -> dict[str, Any]:
    """Rows by table, and their sum as the count that Dagster plots over time."""
    entities = {n: c for n, c in written.items() if n not in ("notes", "dispositions", "fates")}
    total = sum(entities.values())
    return {
        "dagster/partition_row_count" if partitioned else "dagster/row_count": total,
        "rows by table": markdown_table(("table", "rows"), list(entities.items())),
    }


def _rejections(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rules that rejected rows, those with the most first, in one line."""
    by_rule: Counter[str] = Counter()
    for r in rows:
        if r["disposition"] == "rejected":
            by_rule[r["rule"]] += r["rows"]
    named = [f"{rule} {n:,}" for rule, n in sorted(by_rule.items(), key=lambda i: (-i[1], i[0]))]
    return ", ".join(named) or "none was rejected"


def stage_account(engine: DuckDBEngine, notes: Path, dispositions: Path) -> dict[str, Any]:
    """What became of the source rows, and which rules changed, defaulted or set aside how many values."""
    fate = engine.read(dispositions)
    by_fate = fate.group_by(["source_system", "source_table", "disposition", "rule"]).aggregate(rows=fate.count())
    listed = by_fate.order_by(["source_system", "source_table", "disposition", "rule"])
    noted = engine.read(notes)
    by_rule = noted.group_by(["entity", "field", "rule", "action", "reason"]).aggregate(values=noted.count())
    changed = by_rule.order_by([by_rule["values"].desc(), "entity", "field", "rule", "action", "reason"]).limit(60)
    counts = dict.fromkeys(("loaded", "merged", "rejected", "excluded"), 0)
    rows = engine.arrow(listed).to_pylist()
    for r in rows:
        counts[r["disposition"]] += r["rows"]
    return {
        **{f"rows {d}": n for d, n in counts.items()},
        "why rows were rejected": _rejections(rows),
        "what became of the rows": markdown_table(
            ("table", "disposition", "rule", "rows"),
            [(f"{r['source_system']}.{r['source_table']}", r["disposition"], r["rule"], r["rows"]) for r in rows],
        ),
        "values touched, by rule": markdown_table(
            ("field", "rule", "action", "reason", "values"),
            [
                (f"{r['entity']}.{r['field']}", r["rule"], r["action"], r["reason"] or "", r["values"])
                for r in engine.arrow(changed).to_pylist()
            ],
        ),
    }
