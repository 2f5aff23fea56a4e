"""Verdicts that go on standing on a new snapshot, because what they are about has not changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from migration_assets.control.database import as_row, current_verdicts
from migration_assets.control.standing import of_another_basis
from migration_assets.control.tables import VERDICT
from migration_assets.domain.errors import StageRefused

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase
    from migration_assets.control.records import Basis

CARRIED = "verdicts_carried"
_WHY = "rows unchanged"


def carry_verdicts(
    control: ControlDatabase,
    cohort: str,
    assets: Sequence[str],
    before: Basis,
    after: Basis,
    digest: str,
    actor: str,
    now: datetime,
) -> int:
    """Let what was found of a cohort on one snapshot stand on the next; returns how many verdicts.

    `digest`: of all that the stages read of the cohort, the same on both. The verdicts keep their time and their run;
    the audit log says that they were carried, and why. StageRefused when one of them is of another basis than `before`.
    """
    v = VERDICT.c
    with control.begun_for_verdicts() as connection:
        found = current_verdicts(connection, [cohort], assets)
        if strange := of_another_basis(before, found):
            raise StageRefused(f"what was found of cohort `{cohort}` is {strange[0]}", "Run the cohort again.")
        mine = (v.cohort == cohort) & v.asset.in_(assets) & v.current
        connection.execute(sa.update(VERDICT).where(mine).values(current=False))
        moved = [as_row(replace(one, snapshot=after.snapshot)) | {"current": True} for one in found]
        if moved:
            connection.execute(sa.insert(VERDICT), moved)
        detail = {"from": before.snapshot, "to": after.snapshot, "digest": digest, "why": _WHY, "verdicts": len(moved)}
        control.audit_within(connection, actor, CARRIED, cohort, detail, now=now)
    return len(moved)
