"""Runs of whole cohorts spread into bills that can be compared with those of the readable rules."""

from __future__ import annotations

from collections import defaultdict

from migration_assets.domain.bill import Bill, Line
from migration_assets.domain.calendar import Period
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.runs import Bills, expanded


def bills_of(engine: DuckDBEngine, made: Bills) -> dict[str, list[Bill]]:
    """Bills by subscription, oldest first; each cycle stands in one run, and positions count from 0."""
    lines: defaultdict[tuple[str, int], list[tuple[int, Line]]] = defaultdict(list)
    for row in engine.arrow(expanded(made.schedules, made.runs, made.lines)).to_pylist():
        covers = Period(row["starts_at"], row["ends_at"])
        line = Line(row["kind"], row["item_id"], covers, row["amount_minor"], row["tax_minor"])
        lines[row["subscription_id"], row["cycle"]].append((row["position"], line))
    calendar = {(r["schedule_id"], r["cycle"]): r for r in engine.arrow(made.schedules).to_pylist()}
    bills: defaultdict[str, dict[int, Bill]] = defaultdict(dict)
    for run in engine.arrow(made.runs).to_pylist():
        for cycle in range(run["from_cycle"], run["until_cycle"]):
            own, days = run["subscription_id"], calendar[run["schedule_id"], cycle]
            placed = sorted(lines[own, cycle], key=lambda p: p[0])
            assert [position for position, _ in placed] == list(range(len(placed)))
            covers = Period(days["starts_at"], days["ends_at"])
            assert cycle not in bills[own]
            found = tuple(line for _, line in placed)
            bills[own][cycle] = Bill(own, cycle, covers.starts_at, covers, run["currency"], found)
    return {own: [of_one[cycle] for cycle in sorted(of_one)] for own, of_one in bills.items()}
