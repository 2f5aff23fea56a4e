"""The graph as people review it: a small text file that changes only when somebody means it, and lineage by column."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from world import REPOSITORY

from migration_assets.definitions import build_definitions
from migration_assets.plan.load import load_plan
from migration_assets.wiring.environment import Environment
from migration_assets.wiring.workspace import Workspace

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
LINEAGE = "dagster/column_lineage"


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Acme's; no server is needed to make them."""
    environment = Environment(REPOSITORY, "acme", REPOSITORY / ".cutover", "postgresql://nobody@localhost/none")
    return build_definitions(Workspace(load_plan(REPOSITORY / "plans/acme"), environment))


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> dg.AssetGraph:
    return definitions.resolve_asset_graph()


def drawn(graph: dg.AssetGraph) -> str:
    """A paragraph for each asset: group, partitions, what it comes from, how many checks, how many of them block."""
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        checks = [graph.get_check_spec(check) for check in node.check_keys]
        lines.append(f"{key.to_user_string()}  [{node.group_name}]")
        if node.is_external:
            continue
        parts = node.partitions_def
        lines += [
            f"  partitions: {parts.name if isinstance(parts, dg.DynamicPartitionsDefinition) else 'none'}",
            f"  from: {', '.join(sorted(p.to_user_string() for p in node.parent_keys))}",
            f"  checks: {len(checks)}, blocking {sum(c.blocking for c in checks)}",
        ]
    return "\n".join(lines) + "\n"


def test_the_graph_is_the_one_that_was_reviewed(graph: dg.AssetGraph) -> None:
    found = drawn(graph)
    assert found == SNAPSHOT.read_text(encoding="utf-8"), f"if you meant it, write this to {SNAPSHOT.name}:\n{found}"


def test_dagster_serves_every_job_sensor_and_schedule(definitions: dg.Definitions) -> None:
    """What a code server does before it answers: names that clash show nowhere else."""
    served = definitions.get_repository_def()
    served.load_all_definitions()
    assert {"global_phase", "cohort_phase", "delta_tick"} <= {job.name for job in served.get_all_jobs()}
    assert [s.name for s in served.sensor_defs] and [s.name for s in served.schedule_defs]


def test_every_stage_has_owner_description_kinds_and_checks(graph: dg.AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.owners and node.description and node.kinds and node.check_keys, key.to_user_string()


def test_an_accounts_email_can_be_followed_from_the_target_to_the_old_systems(graph: dg.AssetGraph) -> None:
    chain = [("loaded_target", "accounts.email")]
    for asset in ("cleansed_customers", "standardized_parties", "golden_copy"):
        found = _comes_from(graph, *chain[-1])
        column = next(c for a, c in found if a == asset)
        chain.append((asset, column))
    assert [column for _, column in chain[:3]] == ["accounts.email", "customer.email", "customer.email"]
    golden = {c for a, c in _comes_from(graph, "standardized_parties", "customer.email") if a == "golden_copy"}
    assert golden == {"crm.accounts.email", "erp.customers.email"}
    legacy = {found for column in golden for found in _comes_from(graph, "golden_copy", column)}
    assert legacy == {("crm/accounts", "email"), ("erp/customers", "email")}


def test_every_column_that_lineage_names_is_there_upstream(graph: dg.AssetGraph) -> None:
    known = {key: graph.get(key).metadata for key in graph.get_all_asset_keys()}
    columns = {
        key: {c.name for c in metadata["dagster/column_schema"].columns}
        for key, metadata in known.items()
        if "dagster/column_schema" in metadata
    }
    for key, metadata in known.items():
        if LINEAGE not in metadata:
            continue
        for column, deps in metadata[LINEAGE].deps_by_column.items():
            for dep in deps:
                assert dep.asset_key in known, f"{key.to_user_string()} {column}: no asset {dep.asset_key}"
                if dep.asset_key in columns:
                    assert dep.column_name in columns[dep.asset_key], f"{key.to_user_string()} {column}: {dep}"


def _comes_from(graph: dg.AssetGraph, asset: str, column: str) -> list[tuple[str, str]]:
    deps = graph.get(dg.AssetKey(asset)).metadata[LINEAGE].deps_by_column[column]
    return [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]
