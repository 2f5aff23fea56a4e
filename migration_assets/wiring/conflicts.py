"""What others have changed in the target, as loads find it and persons decide it. Its values are only in the target."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migration_assets.connectors.private_files import secret_key
from migration_assets.control import ConflictQueue
from migration_assets.domain.errors import Misconfigured
from migration_assets.stages.identities.queued import four_eyes_of
from migration_assets.stages.load.conflicts import Settlement
from migration_assets.stages.reconcile.left import Words

if TYPE_CHECKING:
    from migration_assets.control import Settled, TargetConflict
    from migration_assets.wiring.workspace import Workspace


def conflicts_in(workspace: Workspace) -> ConflictQueue:
    """The plan's queue, with the second person it asks for."""
    return ConflictQueue(workspace.control, workspace.plan.name, four_eyes_of(workspace.plan.file))


def settlement_of(workspace: Workspace, *, repair: bool) -> Settlement:
    """How a load settles what others have changed."""
    return Settlement(conflicts_in(workspace).words(), repair, _seal(workspace))


def words_of(workspace: Workspace) -> Words:
    """What a reconciliation has to know of it."""
    return Words(conflicts_in(workspace).words(), _seal(workspace))


def _seal(workspace: Workspace) -> Callable[[str | None], str]:
    """Values as they are stored: digests under the key of this home, so that nobody can try values out."""
    file = workspace.environment.answers_key
    key = secret_key(file)
    if key is None:
        raise Misconfigured(
            f"{file} is not a key that can be read",
            "Run as the account that owns it. If it is damaged, remove it: what was decided about changes in the "
            "target is asked once more, and so are services.",
        )
    return lambda text: "-" if text is None else hmac.new(key, text.encode(), "sha256").hexdigest()


def conflicts_of(workspace: Workspace, *, everything: bool) -> list[dict[str, Any]]:
    """Conflicts as plain data, the most money first; no value of either side."""
    return [_plain(c) for c in conflicts_in(workspace).conflicts(everything=everything)]


def settle(workspace: Workspace, conflict: int, answer: Settled, *, by: str, reason: str) -> dict[str, Any]:
    """Answer a conflict; what the answer did, and the conflict as it is then."""
    queue = conflicts_in(workspace)
    effect = queue.decide(conflict, answer, by=by, reason=reason, now=datetime.now(UTC))
    (now,) = (c for c in queue.conflicts(everything=True) if c.conflict_id == conflict)
    return {"effect": effect, **_plain(now)}


def _plain(c: TargetConflict) -> dict[str, Any]:
    return {
        "conflict": c.conflict_id,
        "cohort": c.cohort,
        "table": c.table_name,
        "target_id": c.target_id,
        "column": c.column_name,
        "currency": c.currency,
        "amount_minor": c.amount_minor,
        "open": c.open,
        "answer": c.answer,
        "decided_by": c.decided_by,
        "seconded_by": c.seconded_by,
        "proposed": c.proposed,
        "proposed_by": c.proposed_by,
    }
