"""Makes the demo's legacy systems real: generates Acme and fills its two databases."""

from __future__ import annotations

from collections.abc import Callable

from migration_assets.connectors.databases import drop_database, ensure_database
from migration_assets.wiring.workspace import Workspace


def make_legacy_systems(
    workspace: Workspace, *, customers: int, seed: int, messy: bool, report: Callable[[str], None]
) -> None:
    """Fill `legacy_crm` and `legacy_erp`; the truth about planted defects goes where only tests and the drill look."""
    from migration_assets.demo import fill, generate

    environment = workspace.environment
    # The demo begins anew: what an earlier one loaded came from other legacy systems.
    drop_database(environment.server_url, f"{environment.plan}_target")
    for name in ("legacy_crm", "legacy_erp"):
        ensure_database(environment.server_url, f"{environment.plan}_{name}")
    report(f"making up {customers:,} customers")
    legacy = generate(customers=customers, seed=seed, messy=messy)
    fill(
        legacy,
        crm_url=environment.database("legacy_crm"),
        erp_url=environment.database("legacy_erp"),
        truth_path=environment.plan_home / "demo_truth.json",
        report=report,
    )
