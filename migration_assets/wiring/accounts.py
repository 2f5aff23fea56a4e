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
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.stage_names import TRANSFORMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from migration_assets.control import AssetStatus, MigrationRecord
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.wiring.workspace import Workspace

STAGE = "shadow_billing"
# Tables of the stage, in the order of `Found`.
_FOUND = ("forecast", "bill_differences", "back_test", "access", "access_differences")
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


def require_compared(workspace: Workspace, cohort: str) -> None:
    """StageRefused when the bills of a cohort have not been compared under this plan, snapshot and instant."""
    for stage in standing_of(workspace, cohort, (*TRANSFORMED, STAGE)):
        if stage.state in ("never", "stale"):
            why = f"is stale: {stage.changed}" if stage.changed else "has not run"
            raise StageRefused(
                f"cohort `{cohort}`: {stage.asset} {why}, so nothing can be told of its bills",
                f"Run `cutover run --cohort {cohort}` first (`--dry-run` writes nothing to the target).",
            )


def open_accounts(workspace: Workspace, engine: DuckDBEngine, cohort: str, customer: str | None = None) -> Accounts:
    """The accounts of a cohort, or of one customer of it (a canonical key, as who-is-who made it)."""
    billing, record = require_billing(workspace), workspace.record()
    require_compared(workspace, cohort)
    whole = _rows(workspace, engine, billing, record, cohort)
    rows = whole if customer is None else of_customer(engine, whole, customer)
    exponents = partial(exponent_of, overrides=workspace.plan.file.currency_exponents)
    return accounts(engine, workspace.plan, billing, rows, record.as_of, exponents)


def heading_of(workspace: Workspace, cohort: str) -> dict[str, Any]:
    """What an account stands on: plan, digest, snapshot, T, cohort, rules."""
    billing, record = require_billing(workspace), workspace.record()
    return {
        "plan": workspace.plan.name,
        "plan_digest": record.plan_digest,
        "snapshot": record.snapshot,
        "as_of": record.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "cohort": cohort,
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
    workspace: Workspace, engine: DuckDBEngine, billing: Billing, record: MigrationRecord, cohort: str
) -> CohortRows:
    golden, own = workspace.golden_rows(engine, record.snapshot), workspace.cohort_rows(engine, cohort)

    def raw(table: str) -> ir.Table:
        return golden(table) if workspace.plan.source_table(table).owner == "none" else own(table)

    def kept(asset: str, name: str) -> ir.Table:
        return workspace.rows(engine, asset, cohort, name)

    made = {e: kept(asset, e) for asset in TRANSFORMED for e in _entities(workspace, asset, cohort)}
    fates = engine.union([kept(asset, "dispositions") for asset in TRANSFORMED])
    left = fates.filter(fates["disposition"].isin(_LEFT))
    place = left["source_system"] + "." + left["source_table"]
    return cohort_rows(
        engine,
        workspace.plan,
        billing,
        raw,
        made,
        engine.cached(left.select("source_id", "rule", "reason", table=place, row="source_row")),
        workspace.rows(engine, "customer_identities", GLOBAL, "identities"),
        Found(*(kept(STAGE, name) for name in _FOUND)),
    )


def _entities(workspace: Workspace, asset: str, cohort: str) -> list[str]:
    return [e for e in ENTITIES if workspace.store.file(asset, cohort, e).exists()]
