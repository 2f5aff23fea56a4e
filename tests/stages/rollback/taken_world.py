"""What the rollback's tests share: whole contents of a target, read without the code that is tested."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from target_world import tiny_plan

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.stages.rollback.take_back import RollbackOrder, RollbackResult, roll_back

TABLES = ("products", "customers", "subscriptions", "subscription_items", "entitlements")
AT = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)


def content(target: PostgresTarget, *, record: bool = True) -> dict[str, list[str]]:
    """Every row of every table as text, in order; with `record`, the crosswalk too."""
    names = [f"billing.{t}" for t in TABLES] + (["cutover.crosswalk"] if record else [])
    with target.transaction() as c:
        return {n: [r for (r,) in c.execute(f"SELECT t::text FROM {n} t ORDER BY 1").fetchall()] for n in names}


def crosswalk(target: PostgresTarget) -> list[Any]:
    """The crosswalk without what says when and by which load a row was written."""
    return ask(
        target,
        "SELECT entity, source_system, source_table, source_id, target_id::text, status, founder, row_hash, cohort "
        "FROM cutover.crosswalk ORDER BY 1, 2, 3, 4",
    )


def ask(target: PostgresTarget, query: str) -> list[tuple[Any, ...]]:
    with target.transaction() as c:
        return c.execute(query).fetchall()


def told(target: PostgresTarget, statement: str) -> None:
    """What another system does in the target."""
    with target.transaction() as c:
        c.execute(statement)


def take_back(target: PostgresTarget, *cohorts: str, **changes: Any) -> RollbackResult:
    order = RollbackOrder(cohorts, "anna", AT, **changes)
    return roll_back(target, tiny_plan(), order)
