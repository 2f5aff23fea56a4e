"""What cannot be planted yet, because only time can bring it or the stage that should see it is not there."""

from __future__ import annotations

from migration_assets.drill.trap import Waits

_DELTA, _ROLLBACK, _GATE = "delta syncs", "rollback and unmerge after a load", "the cutover gate"

WAITING = (
    Waits("I2-over-time", "A period billed by the old system between two syncs and again by the new one.", _DELTA),
    Waits("I3-safety-window", "A renewal that falls between the last look at the source and the switch.", _GATE),
    Waits("I13-late", "An event before T that the old system records after T.", _DELTA),
    Waits("I17-retried-meanwhile", "An attempt that the old system makes after the load.", _DELTA),
    Waits("I22-rollback", "An erased record that a rollback or an unmerge brings back.", _ROLLBACK),
    Waits("I23-rollback", "A suppression that is lost by an unmerge or a rollback.", _ROLLBACK),
    Waits("I26-settled-meanwhile", "A payment on its way that both systems settle.", _DELTA),
    Waits("I30-drift", "A row of the target that somebody changed between two syncs.", _DELTA),
)
