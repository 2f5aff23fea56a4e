"""Which rows were left out and why, told from a real control database and the tables that stages write."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from migration_assets.control import Basis, verdicts_of
from migration_assets.domain.errors import BadInput
from migration_assets.stages.canonical import DISPOSITIONS
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.rejected import rejected_of
from migration_assets.wiring.rejected_views import print_rejected
from migration_assets.wiring.stage_names import TRANSFORMED
from migration_assets.wiring.workspace import Workspace

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEADS_NOWHERE = "customer_id leads to a row that does not exist or is no customer's"
PASSED: Any = SimpleNamespace(
    check="rows", severity="critical", passed=True, evaluated=True, rows_checked=1, unexpected=0, sample_keys=(),
    detail="", amount_minor={},
)  # fmt: skip
Fate = tuple[str, int, str, str, str]
PILOT: tuple[Fate, ...] = (
    ("subs", 1, "loaded", "", ""),
    ("subs", 2, "rejected", "orphan", LEADS_NOWHERE),
    ("subs", 3, "rejected", "orphan", LEADS_NOWHERE),
    ("bills", 4, "rejected", "unknown_currency", "currency: unknown_currency"),
    ("bills", 5, "merged", "mailbox", ""),
)
REST: tuple[Fate, ...] = (
    ("subs", 6, "rejected", "orphan", LEADS_NOWHERE),
    ("subs", 7, "excluded", "test_account", "Made by sales."),
)


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    """Two cohorts of one plan that all stages have looked at; `pilot` and `unassigned` left rows out."""
    ran: Workspace = made()
    ran.__dict__["suites"] = {}
    control = ran.control
    record = control.freeze_record(plan="coded", snapshot="S1", as_of=NOW, plan_digest="p1", strategy="waves", now=NOW)
    control.set_cohorts(record, [("pilot", 0, 0, 5, 5), ("unassigned", 9, 0, 0, 2)])
    for cohort, fates in (("pilot", PILOT), ("unassigned", REST)):
        for asset in TRANSFORMED:
            wrote(ran, cohort, asset, fates if asset == "transformed_billing" else ())
    return ran


def wrote(workspace: Workspace, cohort: str, asset: str, fates: tuple[Fate, ...], snapshot: str = "S1") -> None:
    """A stage that has run for a cohort: its dispositions, and the verdict on them."""
    put(workspace, cohort, asset, fates)
    basis = Basis(snapshot, "p1", NOW, {})
    workspace.control.save_verdicts(verdicts_of(cohort, asset, basis, [PASSED], "run", NOW))


def put(workspace: Workspace, partition: str, asset: str, fates: tuple[Fate, ...]) -> None:
    rows = [
        {"source_system": "erp", "source_table": table, "source_row": row, "source_id": f"K{row}"}
        | {"disposition": disposition, "rule": rule, "reason": reason, "into_key": None}
        for table, row, disposition, rule, reason in fates
    ]
    with workspace.engine() as engine:
        table = engine.table(pa.Table.from_pylist(rows, schema=DISPOSITIONS.to_pyarrow()))
        engine.write(table, workspace.store.file(asset, partition, "dispositions"))


def counted(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(r["table"], r["disposition"], r["rule"], r["rows"]) for r in found["reasons"]]


def test_rows_are_counted_over_all_cohorts_by_table_and_reason_what_may_be_mended_first(workspace: Workspace) -> None:
    found = rejected_of(workspace)
    assert counted(found) == [
        ("erp.bills", "rejected", "unknown_currency", 1),
        ("erp.subs", "rejected", "orphan", 3),
        ("erp.subs", "excluded", "test_account", 1),
    ]
    assert (found["total"], found["missing"], found["snapshot"]) == (5, [], "S1") and "rows" not in found
    assert [bool(r["remedy"]) for r in found["reasons"]] == [True, True, False]


def test_one_cohort_or_one_reason_is_told_alone(workspace: Workspace) -> None:
    assert counted(rejected_of(workspace, cohort="unassigned", reason="orphan")) == [
        ("erp.subs", "rejected", "orphan", 1)
    ]
    assert counted(rejected_of(workspace, reason="duplicate_key")) == [], "there are none, and there might be"


def test_each_row_is_named_by_its_source_key(workspace: Workspace) -> None:
    found = rejected_of(workspace, reason="orphan", rows=True, limit=2)
    assert found["total"] == 3
    assert found["rows"] == [
        {
            "table": "erp.subs", "key": f"K{row}", "row": f"erp.subs#{row}", "cohort": "pilot",
            "disposition": "rejected", "rule": "orphan", "reason": LEADS_NOWHERE,
        }
        for row in (2, 3)
    ]  # fmt: skip


def test_rows_of_reference_data_are_told_with_those_of_nobody(workspace: Workspace) -> None:
    put(workspace, GLOBAL, "reference_data", (("users", 9, "rejected", "orphan", LEADS_NOWHERE),))
    assert ("erp.users", "rejected", "orphan", 1) in counted(rejected_of(workspace))
    assert "erp.users" not in str(rejected_of(workspace, cohort="pilot"))


def test_what_a_stage_wrote_of_an_older_snapshot_is_not_told_and_missed(workspace: Workspace) -> None:
    wrote(workspace, "pilot", "transformed_billing", PILOT, snapshot="S0")
    found = rejected_of(workspace)
    assert found["missing"] == [{"cohort": "pilot", "stage": "transformed_billing"}]
    assert counted(found) == [("erp.subs", "rejected", "orphan", 1), ("erp.subs", "excluded", "test_account", 1)]


def test_a_plan_that_is_being_mended_does_not_hide_what_is_wrong_with_it(workspace: Workspace) -> None:
    assert workspace.plan.digest != "p1"
    assert rejected_of(workspace)["total"] == 5


@pytest.mark.parametrize(
    ("asked", "said", "remedy"),
    [
        ({"cohort": "pilott"}, "no cohort 'pilott'", "did you mean 'pilot'?"),
        ({"reason": "orfan"}, "left out for the reason 'orfan'", "did you mean 'orphan'?"),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_nearest(
    workspace: Workspace, asked: dict[str, str], said: str, remedy: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        rejected_of(workspace, cohort=asked.get("cohort"), reason=asked.get("reason"))
    assert refused.value.remedy == remedy


def test_before_a_run_there_is_nothing_to_tell(made: Callable[..., Workspace]) -> None:
    with pytest.raises(BadInput, match="no run to tell of"):
        rejected_of(made())


def printed(found: dict[str, Any]) -> str:
    out = Console(file=io.StringIO(), width=200, highlight=False)
    print_rejected(out, found)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_what_helps_is_said_once_for_each_reason_and_field(workspace: Workspace) -> None:
    text = printed(rejected_of(workspace))
    assert text.count("  orphan: ") == 1 and "the rule of currency in mapping/" in text and "--rows" in text
    assert "2 of 3 rows are shown" in printed(rejected_of(workspace, reason="orphan", rows=True, limit=2))
    assert "No row was rejected" in printed(rejected_of(workspace, cohort="pilot", reason="duplicate_key"))
    wrote(workspace, "pilot", "transformed_billing", PILOT, snapshot="S0")
    assert "Not complete: of pilot" in printed(rejected_of(workspace))
