"""What a preview says: as JSON, and as tables for people. Counts, keys of the plan and money; no row of a customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migration_assets.domain.shown_money import named_amount

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from migration_assets.preview.effect import Effect, Row
    from migration_assets.quality.results import CheckResult


@dataclass(frozen=True)
class OfCohort:
    """What a cohort gets otherwise, and the checks that fail now and did not by the other plan."""

    cohort: str
    effect: Effect
    failing: tuple[CheckResult, ...]


@dataclass(frozen=True)
class Preview:
    """`against`: what the other plan was called. `failing`: of what belongs to no cohort."""

    plan: str
    against: str
    snapshot: str
    as_of: datetime
    cohorts: tuple[OfCohort, ...]
    failing: tuple[CheckResult, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing would stop a run that the other plan lets pass."""
        return not any(r.blocks for r in (*self.failing, *(r for c in self.cohorts for r in c.failing)))

    def to_json(self) -> dict[str, Any]:
        """`checks`: what fails now and did not; money in minor units by currency."""
        return {
            "ok": self.ok,
            "plan": self.plan,
            "against": self.against,
            "snapshot": self.snapshot,
            "as_of": self.as_of.isoformat(),
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


def newly_failing(before: Sequence[CheckResult], after: Sequence[CheckResult]) -> tuple[CheckResult, ...]:
    """Checks that do not pass now and did before, or whose findings are more."""
    known = {(r.check, r.table): r.unexpected for r in before if not r.passed}
    return tuple(r for r in after if not r.passed and r.unexpected > known.get((r.check, r.table), -1))


def _check(result: CheckResult) -> dict[str, Any]:
    told = {"check": result.check, "table": result.table, "blocks": result.blocks, "rows": result.unexpected}
    return {**told, "amount_minor": dict(result.amount_minor)}


# --- for people ----------------------------------------------------------------------------------------------------


def print_preview(out: Console, preview: Preview, exponents: Mapping[str, int]) -> None:
    """Every cohort together, and then which checks would fail in which. `exponents`: named overrides of the plan."""
    out.print(
        f"Plan {preview.plan} as it is now against {preview.against}, on snapshot {preview.snapshot}, "
        f"{len(preview.cohorts)} cohorts. Nothing was written."
    )
    effects = [c.effect for c in preview.cohorts]
    parts = (
        _access_table([r for e in effects for r in e.access], exponents),
        _bill_table([r for e in effects for r in e.bills], exponents),
        _unbillable_table([r for e in effects for r in e.unbillable]),
        _row_table([r for e in effects for r in e.rows]),
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
    told = "would be stopped by it" if not preview.ok else "would pass as before"
    out.print(f"A run {told}.")


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
    for currency, s in sorted(sums.items()):
        money = [named_amount(s[c], currency, exponents) for c in ("more", "less", "before", "after")]
        table.add_row(currency, f"{s['contracts']:,}", f"{s['bills']:,}", *money)
    return table


def _unbillable_table(rows: Sequence[Row]) -> Any:
    return _counted("Contracts that the target cannot bill", "reason", rows, ("before", "after"))


def _row_table(rows: Sequence[Row]) -> Any:
    return _counted("Rows that would be loaded", "entity", rows, ("before", "after", "changed"))


def _counted(title: str, key: str, rows: Sequence[Row], columns: tuple[str, ...]) -> Any:
    if not rows:
        return None
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for r in rows:
        for column in columns:
            sums[r[key]][column] += r[column]
    table = _table(title, key, *columns)
    for name, s in sorted(sums.items()):
        table.add_row(name, *(f"{s[c]:,}" for c in columns))
    return table


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
