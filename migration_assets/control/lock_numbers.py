"""Numbers of the control database's advisory locks: any will do, as long as no two are the same."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """What each lock keeps to one at a time. COHORT and WAVE are first keys, the second is the name's hash."""

    MIGRATING = 7_301_001
    PHASE = 7_301_002
    RECORDS = 7_301_003
    AUDIT = 7_301_004
    # Two verdicts of one asset and cohort at once would leave two sets current.
    VERDICTS = 7_301_005
    COHORT = 7_301_006
    REVIEWS = 7_301_007
    KIN = 7_301_008
    WAVE = 7_301_009
    DELTA = 7_301_010
    CONFLICTS = 7_301_011
