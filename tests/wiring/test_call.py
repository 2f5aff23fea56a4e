"""Which instant T a stage works for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from migration_assets.wiring.call import StageCall
from migration_assets.wiring.workspace import Workspace

TAGGED, FROZEN, FIXED, TAKEN = (datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 5))


def call(*, tag: bool = False, record: tuple[str, str] | None = None, fixed: bool = False) -> StageCall:
    """A stage of plan version `d` on snapshot `s`; `record`: snapshot and plan version of the last real record."""
    frozen = None if record is None else SimpleNamespace(snapshot=record[0], plan_digest=record[1], as_of=FROZEN)
    workspace: Any = SimpleNamespace(
        plan=SimpleNamespace(name="p", digest="d", file=SimpleNamespace(as_of=FIXED if fixed else None)),
        control=SimpleNamespace(real_record=lambda _: frozen),
        taken_at=lambda _: TAKEN,
        instant_of=lambda snapshot: Workspace.instant_of(workspace, snapshot),
    )
    nothing: Any = None
    return StageCall(
        workspace, nothing, "_all", {"cutover/as_of": TAGGED.isoformat()} if tag else {}, print, "", nothing
    )


@pytest.mark.parametrize(
    ("given", "instant"),
    [
        ({"tag": True, "record": ("s", "d"), "fixed": True}, TAGGED),
        ({"record": ("s", "d")}, FROZEN),
        ({"record": ("s", "d"), "fixed": True}, FROZEN),
        # The plan was changed: what it says goes before what was frozen, and that before the snapshot's time.
        ({"record": ("s", "older"), "fixed": True}, FIXED),
        ({"record": ("s", "older")}, FROZEN),
        ({"record": ("older", "d")}, TAKEN),
        ({"record": ("older", "d"), "fixed": True}, FIXED),
        ({}, TAKEN),
    ],
)
def test_the_instant_is_the_runs_or_the_frozen_or_the_plans_or_the_snapshots(
    given: dict[str, Any], instant: datetime
) -> None:
    assert call(**given).instant_of("s") == instant
