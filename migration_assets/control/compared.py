"""Whether a cohort had been looked at before: told from the history of verdicts, which is never thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from migration_assets.control.tables import VERDICT

if TYPE_CHECKING:
    from migration_assets.control.database import ControlDatabase


def compared_before(control: ControlDatabase, cohort: str, asset: str, run_id: str, since: datetime | None) -> bool:
    """Whether another run than this has stored a verdict of the asset for the cohort, after `since` or ever."""
    v = VERDICT.c
    query = sa.select(v.verdict_id).where(v.cohort == cohort, v.asset == asset, v.run_id != run_id)
    if since is not None:
        query = query.where(v.at > since)
    with control.begun() as connection:
        return connection.execute(query.limit(1)).first() is not None
