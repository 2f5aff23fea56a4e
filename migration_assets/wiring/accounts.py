"""The accounts of one cohort's customers, opened from what its stages left in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import BadInput, StageRefused
from migration_assets.domain.money import EXPONENTS, exponent_of
from migration_assets.plan.wording import listing, nearest, shown
from migration_assets.stages.certificate.accounts import Accounts, accounts, rules_of
from migration_assets.stages.certificate.cohort_rows import CohortRows, Found, cohort_rows, of_customer
from migration_assets.stages.shadow.forecast import origins
from migration_assets.stages.shadow.read_back import read_back
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.stage_names import TRANSFORMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from migration_assets.control import AssetStatus, MigrationRecord
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.stages.shadow.forecast import Origins
    from migration_assets.wiring.workspace import Workspace

# Who compares bills and access, by whether the target's side is told from what it holds.
STAGES = {False: "shadow_billing", True: "verified_billing"}
_LEFT = ("rejected", "excluded")


def require_billing(workspace: Workspace) -> Billing:
    """What the plan says of bills; BadInput where it says nothing."""
    billing = workspace.plan.billing
    if billing is None:
        raise BadInput(
            "the plan has no billing.yaml: nothing is known of bills", "docs/billing.md says how to fill it in."
        )
    return billing


def require_cohort(workspace: Workspace, record: MigrationRecord, cohort: str) -> None:
    """BadInput for a cohort that there is not."""
    known = [c.name for c in workspace.control.cohorts(record)]
    if cohort not in known:
        remedy = nearest(cohort, set(known), f"there are: {listing(known) or 'none'}")
        raise BadInput(f"there is no cohort {shown(cohort)}", remedy)


def standing_of(workspace: Workspace, cohort: str, assets: tuple[str, ...]) -> tuple[AssetStatus, ...]:
    """Where stages of a cohort stand, by what counts now."""
    return workspace.control.status(workspace.frozen_basis(), [cohort], assets, datetime.now(UTC))


def require_compared(workspace: Workspace, cohort: str, *, loaded: bool) -> None:
    """StageRefused when the bills of a cohort have not been compared under this plan, snapshot and instant."""
    needed = dict.fromkeys((*TRANSFORMED, STAGES[False], STAGES[loaded]))
    for stage in standing_of(workspace, cohort, tuple(needed)):
        if stage.state in ("never", "stale"):
            why = f"is stale: {stage.changed}" if stage.changed else "has not run"
            raise StageRefused(
                f"cohort `{cohort}`: {stage.asset} {why}, so nothing can be told of its bills",
                f"Run `cutover run --cohort {cohort}` first.",
            )


def open_accounts(
    workspace: Workspace, engine: DuckDBEngine, cohort: str, customer: str | None = None, *, loaded: bool = False
) -> Accounts:
    """The accounts of a cohort, or of one customer of it (a canonical key, as who-is-who made it). `loaded`: the
    target's side from the rows that it holds now, and not from those that would be loaded."""
    billing, record = require_billing(workspace), workspace.record()
    require_compared(workspace, cohort, loaded=loaded)
    whole = _rows(workspace, engine, billing, record, cohort, loaded)
    rows = whole if customer is None else of_customer(engine, whole, customer)
    exponents = partial(exponent_of, overrides=workspace.plan.file.currency_exponents)
    return accounts(engine, workspace.plan, billing, rows, record.as_of, exponents)


def heading_of(workspace: Workspace, cohort: str, *, loaded: bool) -> dict[str, Any]:
    """What an account stands on: plan, digest, snapshot, T, cohort, rules, and whether the target was read."""
    billing, record = require_billing(workspace), workspace.record()
    return {
        "plan": workspace.plan.name,
        "plan_digest": record.plan_digest,
        "snapshot": record.snapshot,
        "as_of": record.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "cohort": cohort,
        "target": "as it holds it now" if loaded else "as it would be loaded",
        "rules": rules_of(billing),
    }


def exponents_of(workspace: Workspace, account: Mapping[str, Any]) -> dict[str, int]:
    """Decimals of every currency that an account names and that there is."""
    overrides = workspace.plan.file.currency_exponents
    named = {m["currency"] for m in (*account["money"], *account["credits"])}
    named |= {i["currency"] for c in account["contracts"] for i in c["issued"]}
    known = sorted(c for c in named if c in overrides or c in EXPONENTS)
    return {currency: exponent_of(currency, overrides) for currency in known}


def _rows(
    workspace: Workspace, engine: DuckDBEngine, billing: Billing, record: MigrationRecord, cohort: str, loaded: bool
) -> CohortRows:
    golden, own = workspace.golden_rows(engine, record.snapshot), workspace.cohort_rows(engine, cohort)

    def raw(table: str) -> ir.Table:
        return golden(table) if workspace.plan.source_table(table).owner == "none" else own(table)

    def kept(asset: str, name: str) -> ir.Table:
        return workspace.rows(engine, asset, cohort, name)

    stage = STAGES[loaded]
    identities = workspace.rows(engine, "customer_identities", GLOBAL, "identities")
    made, known = _held(workspace, engine, billing, cohort, identities, loaded)
    return cohort_rows(
        engine,
        workspace.plan,
        billing,
        raw,
        made,
        known,
        _left_out(engine, [kept(asset, "dispositions") for asset in TRANSFORMED]),
        identities,
        Found(
            forecast=kept(stage, "forecast"),
            differences=kept(stage, "bill_differences"),
            back_test=kept(STAGES[False], "back_test"),
            access=kept(stage, "access"),
            access_differences=kept(stage, "access_differences"),
        ),
    )


def _held(
    workspace: Workspace, engine: DuckDBEngine, billing: Billing, cohort: str, identities: ir.Table, loaded: bool
) -> tuple[Mapping[str, ir.Table], Origins]:
    """Canonical rows by entity that the target holds, or would hold, and where they came from."""
    if loaded:
        back = read_back(
            engine, workspace.target, workspace.plan, billing.legacy, cohort, identities, workspace.work_folder
        )
        return back.rows, back.origins
    places = [("reference_data", GLOBAL), *((asset, cohort) for asset in TRANSFORMED)]
    made = {e: workspace.rows(engine, a, p, e) for a, p in places for e in _entities(workspace, a, p)}
    return made, origins(engine, made, billing.legacy)


def _left_out(engine: DuckDBEngine, dispositions: list[ir.Table]) -> ir.Table:
    fates = engine.union(dispositions)
    left = fates.filter(fates["disposition"].isin(_LEFT))
    place = left["source_system"] + "." + left["source_table"]
    return engine.cached(left.select("source_id", "rule", "reason", table=place, row="source_row"))


def _entities(workspace: Workspace, asset: str, partition: str) -> list[str]:
    return [e for e in ENTITIES if workspace.store.file(asset, partition, e).exists()]
