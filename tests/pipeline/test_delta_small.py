"""Ticks after the load of the telco plan, whose source is a file: in the order of a working day, each on the last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from telco_rows import Row, telco_rows, write_telco
from world import World

from migration_assets.control import CARRIED
from migration_assets.domain.errors import StageRefused
from migration_assets.wiring.delta import TickResult, run_tick

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

COHORTS = ("pilot", "base_01", "unassigned")
Write = Callable[[list[Row]], None]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The file as it is by now; each test changes it further."""
    return telco_rows()


@pytest.fixture(scope="module")
def loaded(small: World, telco_csv: Path) -> World:
    with pytest.raises(StageRefused, match="no migration record yet"):
        tick(small)
    assert small.migrate().ok
    return small


def tick(world: World, **more: Any) -> TickResult:
    return run_tick(world.runner, "tester", **more)


def names(world: World) -> dict[str, str]:
    return dict(world.target("select account_number, status from telecom.accounts"))


def rows_of(found: TickResult) -> dict[str, int]:
    [table] = found.to_json("small")["tables"]
    return {k: table[k] for k in ("inserted", "updated", "deleted", "late", "changed")}


def test_nothing_changed_nothing_happens(loaded: World) -> None:
    record = loaded.workspace.record()
    found = tick(loaded)
    assert (found.ok, found.tick.state, found.tables, found.summary) == (True, "quiet", (), None)
    assert loaded.workspace.record() == record
    thorough = tick(loaded, thorough=True)
    assert (thorough.tick.state, thorough.tick.thorough, loaded.workspace.record()) == ("quiet", True, record)
    assert thorough.tick.lag_seconds is not None


def test_a_changed_row_arrives_and_other_cohorts_keep_their_verdicts(
    loaded: World, telco_csv: Path, rows: list[Row]
) -> None:
    before = loaded.workspace.record()
    changed = next(i for i, r in enumerate(rows) if r["customerID"] == "1004-TESTS")
    cohort = cohort_of(loaded, "1004-TESTS")
    [other] = {"pilot", "base_01"} - {cohort}
    assert rows[changed]["PaymentMethod"] != "Credit card (automatic)"
    rows[changed]["PaymentMethod"] = "Credit card (automatic)"
    write_telco(telco_csv, rows)
    runs = {v.run_id for v in loaded.workspace.control.verdicts(other, "reconciliation")}
    found = tick(loaded)
    told = found.to_json("small")
    assert found.ok, told
    assert rows_of(found) == {"inserted": 0, "updated": 1, "deleted": 0, "late": 0, "changed": 1}
    assert ([c["cohort"] for c in told["cohorts"]], told["carried"]) == ([cohort, "unassigned"], [other])
    assert 0 < told["rows_written"] < 10
    after = loaded.workspace.record()
    assert (after.snapshot, after.as_of) == (told["snapshot"], before.as_of) and after.snapshot != before.snapshot
    control = loaded.workspace.control
    assert {v.run_id for v in control.verdicts(other, "reconciliation")} == runs
    assert control.standing(other, "verified_billing", loaded.workspace.frozen_basis(), datetime.now(UTC)).passed
    entry = control.last_audit(CARRIED, other)
    assert entry is not None and (entry.detail["from"], entry.detail["to"]) == (before.snapshot, after.snapshot)
    assert loaded.report(other)["unchanged_since"] == before.snapshot


def test_a_new_customer_gets_a_cohort_and_one_that_is_gone_is_gone(
    loaded: World, telco_csv: Path, rows: list[Row]
) -> None:
    new = {**rows[3], "customerID": "9000-TESTS"}
    gone = rows.pop(7)
    rows.append(new)
    write_telco(telco_csv, rows)
    found = tick(loaded)
    assert found.ok, found.to_json("small")
    assert rows_of(found) == {"inserted": 1, "updated": 0, "deleted": 1, "late": 0, "changed": 2}
    numbers = names(loaded)
    assert "9000-TESTS" in numbers and gone["customerID"] not in numbers and len(numbers) == 60
    assert cohort_of(loaded, "9000-TESTS") in COHORTS


def cohort_of(world: World, number: str) -> str:
    import pyarrow.parquet as pq

    members = pq.read_table(world.workspace.store.file("cohort_plan", "_all", "members")).to_pylist()
    return next(str(m["cohort"]) for m in members if str(m["customer_id"]).endswith(f":{number}"))
