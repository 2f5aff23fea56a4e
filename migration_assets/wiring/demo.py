"""Makes the demo's legacy systems real: generates Acme and fills its two databases."""

from __future__ import annotations

from collections.abc import Callable

from migration_assets.connectors.databases import VARIABLE as DATABASE_URL
from migration_assets.connectors.databases import databases_of, drop_database, ensure_database
from migration_assets.domain.errors import BadInput
from migration_assets.wiring.workspace import Workspace


def refuse_to_replace(workspace: Workspace) -> None:
    """BadInput when the server is the user's own and holds databases of these names: the demo would drop them."""
    names = {f"{workspace.environment.plan}_{d}" for d in ("target", "legacy_crm", "legacy_erp")}
    present = sorted(names & databases_of(workspace.environment.server_url))
    if present and workspace.environment.variables.get(DATABASE_URL):
        raise BadInput(
            f"your server has {', '.join(present)} already, and the demo would replace them",
            "If they are an earlier demo's, say so with --replace; else give the demo a server of its own.",
        )


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
