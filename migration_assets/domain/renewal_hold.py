"""The hold before renewals: who renews soon after the move waits for it, since a renewal while both systems change
places is billed twice or not at all when anything goes wrong (I3)."""

from __future__ import annotations

from datetime import datetime, timedelta

from migration_assets.domain.calendar import Period


def held_period(as_of: datetime, days: int) -> Period | None:
    """Who renews in this period does not move at instant T: so many times 24 hours from T on. None without any."""
    return Period(as_of, as_of + timedelta(days=days)) if days > 0 else None
