"""The control database: migration record, cohorts, verdicts, waivers, audit log. A plain client; Dagster is not known.

Beside the target's own rows, this is what says whether a cohort may go on. Rows being migrated are never stored here.
"""

from migration_assets.control.answers import Answer, Effect, Settled
from migration_assets.control.carry import CARRIED, carry_verdicts
from migration_assets.control.compared import compared_before
from migration_assets.control.conflicts import ConflictQueue, TargetConflict
from migration_assets.control.database import CHANGED_MEANWHILE, ControlDatabase
from migration_assets.control.kin import Kin, Kind, KinMemory
from migration_assets.control.migrate import migrate
from migration_assets.control.records import (
    AssetStatus,
    AuditState,
    Basis,
    Cohort,
    FailedCheck,
    MigrationRecord,
    Outcome,
    Standing,
    Verdict,
    Waiver,
    verdicts_of,
)
from migration_assets.control.reviews import UNMERGED, Case, Doubted, Reply, ReviewQueue
from migration_assets.control.ticks import Tick, TickLog, TickState

__all__ = [
    "CARRIED",
    "CHANGED_MEANWHILE",
    "UNMERGED",
    "Answer",
    "AssetStatus",
    "AuditState",
    "Basis",
    "Case",
    "Cohort",
    "ConflictQueue",
    "ControlDatabase",
    "Doubted",
    "Effect",
    "FailedCheck",
    "Kin",
    "KinMemory",
    "Kind",
    "MigrationRecord",
    "Outcome",
    "Reply",
    "ReviewQueue",
    "Settled",
    "Standing",
    "TargetConflict",
    "Tick",
    "TickLog",
    "TickState",
    "Verdict",
    "Waiver",
    "carry_verdicts",
    "compared_before",
    "migrate",
    "verdicts_of",
]
