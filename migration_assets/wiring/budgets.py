"""Whether the plan bears those whom nobody signed for: as many as a cohort may have, and all cohorts of a wave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.stages.shadow.budget import Share, as_rows, bears, kept_share, together

if TYPE_CHECKING:
    from migration_assets.control import Basis, MigrationRecord
    from migration_assets.plan.access_models import Budget
    from migration_assets.plan.billing_models import Billing
    from migration_assets.wiring.call import StageCall
    from migration_assets.wiring.workspace import Workspace

_SHARE = "wave_share"
# Stages that ask whether a cohort may go on.
_ASKING = ("shadow_billing", "verified_billing")


def borne(call: StageCall, billing: Billing, asset: str, share: Share) -> tuple[bool, str]:
    """Whether this cohort may go on with those hit unsigned, and why not where that is the wave's doing.

    The share of each cohort is kept beside the asset's rows. Cohorts of a wave run side by side: each adds its own and
    sums up under one lock, so that two cannot both be the last that fits.
    """
    if billing.budget is None and billing.wave_budget is None:
        return False, ""
    told = "" if billing.wave_budget is None else _of_wave(call, billing.wave_budget, asset, share)
    own = billing.budget is None or bears(billing.budget, share)
    return own and not told, told


def _of_wave(call: StageCall, budget: Budget, asset: str, share: Share) -> str:
    """Why the wave's budget does not bear what is known of the wave by now; empty where it does."""
    control, store, engine = call.workspace.control, call.workspace.store, call.engine
    record = call.workspace.record()
    cohorts = control.cohorts(record)
    wave = next(c.wave for c in cohorts if c.name == call.partition)
    basis = _text(record)
    with control.wave_lock(wave):
        engine.write(engine.table(as_rows(share, basis)), call.file(asset, _SHARE), order_by=["currency"])
        files = [store.file(asset, c.name, _SHARE) for c in cohorts if c.wave == wave]
        whole = together(kept_share(file, basis) for file in files if file.exists())
    if not share.number or bears(budget, whole):
        return ""
    call.say(f"wave {wave}: {whole.number} customers are hit unsigned by now, more than its budget bears")
    return f"wave {wave} is over its budget: {whole.number:,} customers of its cohorts by now"


def carry_share(workspace: Workspace, cohort: str, before: Basis, after: Basis) -> None:
    """Let what a cohort takes of its wave's budget count on the next snapshot too, as its verdicts do."""
    for asset in _ASKING:
        file = workspace.store.file(asset, cohort, _SHARE)
        if file.exists():
            rows = as_rows(kept_share(file, _text(before)), _text(after))
            with workspace.engine() as engine:
                engine.write(engine.table(rows), file, order_by=["currency"])


def _text(basis: Basis | MigrationRecord) -> str:
    """What a share is about: the same for every cohort of one migration record."""
    return f"{basis.snapshot} {basis.as_of.isoformat()} {basis.plan_digest}"
