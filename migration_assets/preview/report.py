"""What a preview says: as JSON, and as tables for people. Counts, keys of the plan and money; no row of a customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from migration_assets.domain.shown_money import named_amount

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from migration_assets.preview.effect import Effect, Row
    from migration_assets.quality.results import CheckResult


@dataclass(frozen=True)
class OfCohort:
    """What a cohort gets otherwise, and the checks that fail now and did not by the other plan. `stopped`: whether one
    blocks by the other plan already."""

    cohort: str
    effect: Effect
    failing: tuple[CheckResult, ...]
    stopped: bool = False


@dataclass(frozen=True)
class Preview:
    """`against`: what the other plan was called. `rows`, `failing`: of what belongs to no cohort. `stopped`: whether a
    check blocks by the other plan already."""

    plan: str
    against: str
    snapshot: str
    as_of: datetime
    cohorts: tuple[OfCohort, ...]
    rows: tuple[Row, ...] = ()
    failing: tuple[CheckResult, ...] = ()
    stopped: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing would stop a run that the other plan lets pass."""
        return not stops([*self.failing, *(r for c in self.cohorts for r in c.failing)])

    def to_json(self) -> dict[str, Any]:
        """`checks`: what fails now and did not; money in minor units by currency."""
        return {
            "ok": self.ok,
            "plan": self.plan,
            "against": self.against,
            "snapshot": self.snapshot,
            "as_of": self.as_of.isoformat(),
            "stopped_before": self.stopped,
            "rows": list(self.rows),
            "checks": [_check(r) for r in self.failing],
            "cohorts": [
                {
                    "cohort": c.cohort,
                    **{part: list(getattr(c.effect, part)) for part in ("rows", "access", "bills", "unbillable")},
                    "checks": [_check(r) for r in c.failing],
                }
                for c in self.cohorts
            ],
        }


def stops(results: Sequence[CheckResult]) -> bool:
    """Whether one of the checks blocks."""
    return any(r.blocks for r in results)


def newly_failing(before: Sequence[CheckResult], after: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Checks that do not pass now and did before; or that block and only warned, or find more rows or more money."""
    known = {(r.check, r.table): r for r in before if not r.passed}
    return tuple(r for r in after if not r.passed and _worse(known.get((r.check, r.table)), r))


def _worse(before: CheckResult | None, after: CheckResult) -> bool:
    if before is None or (after.blocks and not before.blocks) or after.unexpected > before.unexpected:
        return True
    return any(minor > before.amount_minor.get(currency, 0) for currency, minor in after.amount_minor.items())


def _check(result: CheckResult) -> dict[str, Any]:
    told = {"check": result.check, "table": result.table, "blocks": result.blocks, "rows": result.unexpected}
    return {**told, "amount_minor": dict(result.amount_minor)}


# --- for people ----------------------------------------------------------------------------------------------------


def print_preview(out: Console, preview: Preview, exponents: Mapping[str, int]) -> None:
    """Every cohort together, and then which checks would fail in which. `exponents`: named overrides of the plan."""
    out.print(
        f"Plan {preview.plan} as it is now against {escape(preview.against)}, on snapshot {preview.snapshot}, "
        f"{len(preview.cohorts)} cohorts. Nothing was written."
    )
    effects = [c.effect for c in preview.cohorts]
    parts = (
        _access_table([r for e in effects for r in e.access], exponents),
        _bill_table([r for e in effects for r in e.bills], exponents),
        _unbillable_table([r for e in effects for r in e.unbillable]),
        _row_table([*preview.rows, *(r for e in effects for r in e.rows)]),
    )
    shown = [p for p in parts if p is not None]
    for table in shown:
        out.print(table)
    if not shown:
        out.print("No row, no entitlement and no bill of the target changes.")
    _print_checks(out, preview, exponents)


def _print_checks(out: Console, preview: Preview, exponents: Mapping[str, int]) -> None:
    failing = [("", r) for r in preview.failing] + [(c.cohort, r) for c in preview.cohorts for r in c.failing]
    if failing:
        table = _table("Checks that fail now and did not", "cohort", "check", "", "rows", "at stake")
        for cohort, r in failing:
            stops = "[bold red]blocks[/]" if r.blocks else "warns"
            table.add_row(cohort or "all", r.check, stops, f"{r.unexpected:,}", _money(r.amount_minor, exponents))
        out.print(table)
    out.print(_ending(preview))


def _ending(preview: Preview) -> str:
    if not preview.ok:
        return "A run would be stopped by it."
    if preview.stopped:
        return "A run would be stopped as by the other plan, and by nothing more."
    return "A run would pass as before."


def _access_table(rows: Sequence[Row], exponents: Mapping[str, int]) -> Any:
    if not rows:
        return None
    sums: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
    for r in rows:
        customers, yearly = sums.get((r["feature"], r["kind"]), (0, {}))
        sums[r["feature"], r["kind"]] = (customers + r["customers"], _added(yearly, r["yearly"]))
    table = _table("What customers may do", "feature", "", "customers", "billed in a year")
    for (feature, kind), (customers, yearly) in sorted(sums.items()):
        table.add_row(feature, kind, f"{customers:,}", _money(yearly, exponents))
    return table


def _bill_table(rows: Sequence[Row], exponents: Mapping[str, int]) -> Any:
    if not rows:
        return None
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for r in rows:
        for column in ("contracts", "bills", "more", "less", "before", "after"):
            sums[r["currency"]][column] += r[column]
    title = "The next twelve bills of the target"
    table = _table(title, "currency", "contracts", "bills", "more", "less", "before", "after")
    for currency, s in sorted((c, s) for c, s in sums.items() if s["bills"]):
        money = [named_amount(s[c], currency, exponents) for c in ("more", "less", "before", "after")]
        table.add_row(currency, f"{s['contracts']:,}", f"{s['bills']:,}", *money)
    return table if table.row_count else None


def _unbillable_table(rows: Sequence[Row]) -> Any:
    return _counted("Contracts that the target cannot bill", "reason", rows, ("before", "after"))


def _row_table(rows: Sequence[Row]) -> Any:
    return _counted("Rows that would be loaded", "entity", rows, ("before", "after", "changed"))


def _counted(title: str, key: str, rows: Sequence[Row], columns: tuple[str, ...]) -> Any:
    """Sums over cohorts, of what differs."""
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    differing = set()
    for r in rows:
        for column in columns:
            sums[r[key]][column] += r[column]
        if r["before"] != r["after"] or r.get("changed"):
            differing.add(r[key])
    table = _table(title, key, *columns)
    for name in sorted(differing):
        table.add_row(name, *(f"{sums[name][c]:,}" for c in columns))
    return table if differing else None


def _table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        numbers = column not in ("feature", "", "currency", "reason", "entity", "cohort", "check")
        table.add_column(column, justify="right" if numbers else "left")
    return table


def _added(sums: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {c: sums.get(c, 0) + more.get(c, 0) for c in sorted({*sums, *more})}


def _money(sums: Mapping[str, int], exponents: Mapping[str, int]) -> str:
    return ", ".join(named_amount(minor, currency, exponents) for currency, minor in sums.items())
