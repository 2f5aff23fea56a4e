"""What the back-tests of the cohorts found, taken together: what `shadow_billing` left in the store, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.workspace import Workspace

_STAGE = "shadow_billing"


def back_test_of(workspace: Workspace, cohorts: Sequence[str]) -> dict[str, Any] | None:
    """Issued invoices and how many of them the declared rules make again; rules that told otherwise would make more in
    some cohort, best first, with how many more in each. None where no invoice was made again.

    Cohorts whose verdict is of another snapshot, plan, instant or of other rules are left out.
    """
    files = _files(workspace, cohorts)
    if not files:
        return None
    with workspace.engine() as engine:
        tested = [_counted(engine, back_test) for back_test, _ in files.values()]
        better = {cohort: _better(engine, rules) for cohort, (_, rules) in files.items()}
    invoices = sum(total for total, _ in tested)
    if not invoices:
        return None
    return {"invoices": invoices, "reproduced": sum(exact for _, exact in tested), "better_rules": _best(better)}


def _files(workspace: Workspace, cohorts: Sequence[str]) -> dict[str, tuple[Path, Path]]:
    control, store = workspace.control, workspace.store
    record = control.current_record(workspace.plan.name)
    if record is None:
        return {}
    basis = workspace.basis_of(record)
    stages = control.status(basis, cohorts, (_STAGE,), datetime.now(UTC))
    current = (s.cohort for s in stages if s.asset == _STAGE and s.state not in ("never", "stale"))
    files = {c: (store.file(_STAGE, c, "back_test"), store.file(_STAGE, c, "better_rules")) for c in current}
    return {cohort: both for cohort, both in files.items() if all(file.exists() for file in both)}


def _counted(engine: DuckDBEngine, file: Path) -> tuple[int, int]:
    """Invoices, and those that were made again."""
    rows = engine.read(file)
    return engine.count(rows), engine.count(rows.filter(rows["reproduced"]))


def _better(engine: DuckDBEngine, file: Path) -> dict[str, int]:
    return {r["rule"]: r["more"] for r in engine.arrow(engine.read(file)).to_pylist()}


def _best(better: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    rules: dict[str, dict[str, int]] = {}
    for cohort, more in better.items():
        for rule, count in more.items():
            rules.setdefault(rule, {})[cohort] = count
    return sorted(_told(rules.items()), key=lambda r: (-r["more"], r["rule"]))


def _told(rules: Iterable[tuple[str, dict[str, int]]]) -> list[dict[str, Any]]:
    return [{"rule": rule, "more": sum(cohorts.values()), "cohorts": cohorts} for rule, cohorts in rules]
