"""What a reconciliation found, for machines and for people: JSON, CSV, HTML. Ranked by money, largest first.

JSON, CSV and the discrepancy page name rows by target id and surrogate key only, and hold no personal value. The
spot-check page is the one place with values of people: it belongs in the reports folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from migration_assets.domain.money import NO_OVERRIDES, written
from migration_assets.domain.shown_money import Amount, in_major, named_amount, shown_amount
from migration_assets.stages.reconcile.balance import Balance
from migration_assets.stages.reconcile.money import Kind, Tie
from migration_assets.stages.reconcile.rows import DIFFERENCES, RowsResult
from migration_assets.stages.reconcile.spot_check import RowPair, SpotCheck

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import AfterFailure

_SHOWN = 500
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}
th,td{border-bottom:1px solid #d9dee3;padding:.3rem .6rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bad{background:#ffe9e6}.ok{color:#1a7f37}.no{color:#b42318;font-weight:600}
code{font-size:.92em}details{margin:.3rem 0}.wide{overflow-x:auto}
"""


@dataclass(frozen=True)
class CohortReport:
    """Everything the reconciliation of one cohort found."""

    cohort: str
    rows: RowsResult
    balance: Balance
    ties: tuple[Tie, ...]
    spot: SpotCheck | None = None

    @property
    def unexplained(self) -> int:
        """Source rows without their one disposition, target rows that differ, and controls that do not tie."""
        differing = sum(t.missing + t.extra + t.changed for t in self.rows.tables)
        return self.balance.unexplained + differing + sum(not tie.ok for tie in self.ties)

    @property
    def ok(self) -> bool:
        return self.unexplained == 0


# What the plan's word for rows whose comparison fails means, for the page.
IF_OPEN: Mapping[AfterFailure, str] = {
    "stay": "By the plan (stay), the rows stay in the target as they are. `cutover status` tells how it is.",
    "hide": "By the plan (hide), readers of the target do not see this cohort's rows until a comparison passes, "
    "unless somebody signed for what differs. `cutover status` tells how it is.",
    "roll_back": "By the plan (roll_back), rows that were compared for the first time, and that nobody has worked "
    "with, are taken back at once; else readers do not see them until a comparison passes, unless somebody signed for "
    "what differs. `cutover status` tells how it is.",
}


# --- for machines ------------------------------------------------------------------------------------------------


def cohort_json(report: CohortReport) -> dict[str, Any]:
    """One cohort. `money` holds the sums, `controls` how many rows each control saw, `controls_off` those that do not
    tie, of whatever kind; each of them counts in `unexplained`."""
    return {
        "cohort": report.cohort,
        "sources": [
            {
                "table": s.table,
                "read": s.read,
                "loaded": s.loaded,
                "merged": s.merged,
                "rejected": s.rejected,
                "excluded": s.excluded,
            }
            for s in report.balance.sources
        ],
        "targets": [
            {
                "table": t.table,
                "expected": t.expected,
                "found": t.found,
                "missing": t.missing,
                "extra": t.extra,
                "changed": t.changed,
            }
            for t in report.rows.tables
        ],
        "money": [_money(tie) for tie in report.ties if tie.kind == "sum" and tie.saw_rows],
        "controls": [_control(tie) for tie in report.ties],
        "controls_off": [_control_off(tie) for tie in report.ties if not tie.ok],
        "unexplained": report.unexplained,
    }


def _money(tie: Tie) -> dict[str, Any]:
    amounts = {
        "source": tie.source,
        "rejected": tie.rejected,
        "excluded": tie.excluded,
        "waived": tie.waived,
        "target": tie.target,
        "difference": tie.difference,
    }
    named = {f"{name}_minor": whole(amount) for name, amount in amounts.items()}
    return {"measure": tie.measure, "currency": tie.currency, **named}


def _control(tie: Tie) -> dict[str, Any]:
    seen = {"source_rows": tie.source_rows, "target_rows": tie.target_rows, "unreadable": tie.unreadable}
    return {"measure": tie.measure, "kind": tie.kind, "currency": tie.currency, **seen}


def _control_off(tie: Tie) -> dict[str, Any]:
    off = {"difference": str(tie.difference), "unreadable": tie.unreadable}
    return {"measure": tie.measure, "kind": tie.kind, "currency": tie.currency, **off}


def whole(amount: Decimal) -> int | str:
    """A whole number where it is one; else exact digits as text, since JSON's numbers are floats to most readers."""
    return int(amount) if amount == amount.to_integral_value() else format(amount.normalize(), "f")


def ranked(
    engine: DuckDBEngine, report: CohortReport, exponents: Mapping[str, int] = NO_OVERRIDES
) -> list[dict[str, Any]]:
    """Every difference (rows.DIFFERENCES), most money first, each currency by its own major units; amounts of different
    currencies are never added. `exponents`: named overrides of the plan."""
    ordered = report.rows.differences.order_by(["table", "key", "column"]).select(*DIFFERENCES.names)
    lines: list[dict[str, Any]] = engine.arrow(ordered).to_pylist()
    return sorted(lines, key=lambda line: _rank(line, exponents))


def _rank(line: Mapping[str, Any], exponents: Mapping[str, int]) -> Decimal:
    """Of a code that is no currency the minor units count: nobody knows that it is less."""
    minor = line["amount_minor"]
    if minor is None:
        return Decimal(1)
    major = in_major(minor, line["currency"], exponents)
    return -(Decimal(minor) if major is None else major)


def discrepancy_csv(lines: Iterable[dict[str, Any]], exponents: Mapping[str, int] = NO_OVERRIDES) -> str:
    """The exact list as CSV, one line per missing or extra row and per changed field; `amount`: in major units with its
    currency."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=["rank", *DIFFERENCES.names, "amount"], lineterminator="\n")
    writer.writeheader()
    for rank, line in enumerate(lines, start=1):
        writer.writerow({"rank": rank, **line, "amount": _stake(line, exponents)})
    return out.getvalue()


def _stake(line: Mapping[str, Any], exponents: Mapping[str, int]) -> str:
    minor = line["amount_minor"]
    return "" if minor is None else named_amount(minor, line["currency"], exponents)


# --- for people --------------------------------------------------------------------------------------------------


def discrepancy_html(
    about: Mapping[str, str],
    report: CohortReport,
    lines: Sequence[dict[str, Any]],
    reasons: Sequence[dict[str, Any]] = (),
    exponents: Mapping[str, int] = NO_OVERRIDES,
    if_open: str = "",
) -> str:
    """A page to work through: what ties, what does not, and which rows, by money. No values of rows.

    `about`: what it is of (plan, snapshot, T); `reasons`: rows not loaded as themselves, by table and rule;
    `exponents`: named overrides of the plan; `if_open`: what becomes of the rows where something is open.
    """
    said = ", ".join(f"{name} <code>{escape(value)}</code>" for name, value in about.items())
    verdict = '<span class="ok">ties out</span>' if report.ok else f'<span class="no">{report.unexplained} open</span>'
    return _page(
        f"Reconciliation of {report.cohort}",
        f"<p>{said}: {verdict}.</p>",
        "" if report.ok or not if_open else f"<p>{escape(if_open)}</p>",
        _lines(lines, exponents),
        _sources(report),
        _reasons(reasons),
        _targets(report),
        _ties(report, exponents),
    )


def _sources(report: CohortReport) -> str:
    heads = ("source table", "read", "loaded", "merged", "rejected", "excluded", "unexplained")
    rows = [
        (s.table, s.read, s.loaded, s.merged, s.rejected, s.excluded, s.unexplained) for s in report.balance.sources
    ]
    return "<h2>Every source row</h2>" + _table(heads, rows, lambda row: bool(row[-1]))


def _reasons(reasons: Sequence[dict[str, Any]]) -> str:
    heads = ("source table", "disposition", "rule", "rows")
    rows = [(r["table"], r["disposition"], r["rule"], r["rows"]) for r in reasons]
    return "<h2>Rows not loaded as themselves</h2>" + (_table(heads, rows, lambda _: False) if rows else "<p>None.</p>")


def _targets(report: CohortReport) -> str:
    heads = ("target table", "expected", "found", "missing", "extra", "changed")
    rows = [(t.table, t.expected, t.found, t.missing, t.extra, t.changed) for t in report.rows.tables]
    return "<h2>Every target row</h2>" + _table(heads, rows, lambda row: any(row[3:]))


def tie_amounts(tie: Tie, exponents: Mapping[str, int]) -> tuple[Amount, ...]:
    """What a control counted, for people: source, rejected, excluded, waived, target and difference. Money is in major
    units of the control's currency; rows and days are numbers."""
    amounts = (tie.source, tie.rejected, tie.excluded, tie.waived, tie.target, tie.difference)
    # A control that saw no row has no currency, and nothing to show in one.
    money = tie.kind == "sum" and bool(tie.currency)
    return tuple(shown_amount(a, tie.currency, exponents) if money else Amount(written(a)) for a in amounts)


# What a control adds up.
IN_WORDS: Mapping[Kind, str] = {
    "count": "rows",
    "sum": "money",
    "day_sum": "days",
    "midnight_sum": "days that begin at midnight",
    "number_sum": "numbers",
    "text_sum": "texts",
    "code_count": "rows by code",
    "linked_count": "rows that lead to another",
}


def _ties(report: CohortReport, exponents: Mapping[str, int]) -> str:
    heads = (
        "control", "of", "currency", "source", "rejected", "excluded", "waived", "target", "difference", "unreadable",
        "source rows", "target rows",
    )  # fmt: skip
    rows = [
        (
            t.measure,
            IN_WORDS[t.kind],
            t.currency,
            *tie_amounts(t, exponents),
            t.unreadable,
            t.source_rows,
            t.target_rows,
        )
        for t in report.ties
    ]
    off = {(t.measure, t.currency) for t in report.ties if not t.ok}
    words = "<p>Money is in major units of its currency.</p>"
    return "<h2>Control totals</h2>" + words + _table(heads, rows, lambda row: (row[0], row[2]) in off)


def _lines(lines: Sequence[dict[str, Any]], exponents: Mapping[str, int]) -> str:
    if not lines:
        return "<h2>Differences</h2><p>None.</p>"
    heads = (
        "#", "table", "target id", "column", "what", "should be", "is", "source row", "money at stake",
    )  # fmt: skip
    told = ("table", "key", "column", "kind", "expected", "found", "surrogate")
    rows = [
        (n, *("" if line[c] is None else line[c] for c in told), Amount(_stake(line, exponents)))
        for n, line in enumerate(lines[:_SHOWN], start=1)
    ]
    more = f"<p>{len(lines) - _SHOWN} more in the CSV file.</p>" if len(lines) > _SHOWN else ""
    words = (
        "<p>The most money first, each currency by its own major units; rows without money last. Of personal data it "
        "is said only that it differs, of free text a digest.</p>"
    )
    return f"<h2>Differences ({len(lines)})</h2>" + words + _table(heads, rows, lambda _: False) + more


def spot_check_html(cohort: str, spot: SpotCheck) -> str:
    """The sample side by side. Personal data: for the reports folder only."""
    summary = (
        f"<p>{spot.customers} customers drawn with seed <code>{escape(spot.seed)}</code>, and {spot.suspects} more of "
        f"whom a row differs: {spot.rows:,} rows, {spot.fields:,} fields, {spot.differing:,} differ. What differs "
        "comes first. This page holds personal data.</p>"
    )
    cards = (
        f"<h2>{escape(card.customer)}</h2>"
        + "".join(map(_row_pair, sorted(card.rows, key=lambda row: not row.problem)))
        for card in spot.cards
    )
    return _page(f"Spot check of {cohort}", summary, *cards)


def _row_pair(row: RowPair) -> str:
    mark = f' <span class="no">{escape(row.problem)}</span>' if row.problem else ' <span class="ok">equal</span>'
    legacy = _table(("legacy field", "value"), [(c, _shown(v)) for c, v in row.legacy], lambda _: False)
    fields = [(f.column, _shown(f.expected), _shown(f.found)) for f in row.fields]
    target = _table(("target field", "should be", "is"), fields, lambda f: f[1] != f[2])
    opened = " open" if row.problem else ""
    title = f"{escape(row.table)} <code>{escape(row.surrogate)}</code>{mark}"
    return f"<details{opened}><summary>{title}</summary>{target}{legacy if row.legacy else ''}</details>"


def _shown(value: object) -> str:
    """Missing, empty and blank text told apart by eye."""
    if value is None:
        return "(missing)"
    return f"“{value}”" if (isinstance(value, str) and value != value.strip()) or value == "" else str(value)


def _page(title: str, *parts: str) -> str:
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], bad: Any) -> str:
    rows = list(rows)
    numbers = [bool(rows) and all(isinstance(r[i], int | Amount) for r in rows) for i in range(len(heads))]
    head = "".join(f"<th{_right(n)}>{escape(h)}</th>" for h, n in zip(heads, numbers, strict=True))
    lines = []
    for row in rows:
        cells = "".join(f"<td{_right(isinstance(v, int | Amount))}>{_cell(v)}</td>" for v in row)
        lines.append(f"<tr{' class=bad' if bad(row) else ''}>{cells}</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>'


def _right(number: bool) -> str:
    return ' class="n"' if number else ""


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
