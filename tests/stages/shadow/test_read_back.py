"""What is read back from the target, as bills and access are told from it: what is there now, whoever put it there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from target_world import tiny_plan, utc

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.read_back import ReadBack, read_back
from migration_assets.stages.shadow.target.holding import canonical

ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme").billing
assert ACME is not None
TABLES = {"contracts": "erp.contracts", "items": "erp.positions"}
LEGACY = ACME.legacy.model_copy(
    update={"reads": {r: ACME.legacy.reads[r].model_copy(update={"table": t}) for r, t in TABLES.items()}}  # type: ignore[index]
)
NUMBERS = range(1, 7)
# The second customer is who the first one is.
IDENTITIES = {
    "customer_id": [f"crm.accounts:{n}" for n in (*NUMBERS, 11)],
    "identity_id": [f"crm.accounts:{1 if n == 2 else n}" for n in (*NUMBERS, 11)],
}


def back(engine: DuckDBEngine, target: PostgresTarget) -> ReadBack:
    return read_back(engine, target, tiny_plan(), LEGACY, "pilot", engine.table(pa.table(IDENTITIES)))


def listed(engine: DuckDBEngine, table: Any) -> list[dict[str, Any]]:
    return list(engine.arrow(table).to_pylist())


def changed(target: PostgresTarget, statement: str) -> None:
    with target.transaction() as connection:
        connection.execute("SET search_path TO billing")
        connection.execute(statement.encode())


def test_the_rows_of_a_cohort_come_back_with_the_keys_that_both_sides_are_compared_by(
    engine: DuckDBEngine, loaded: PostgresTarget
) -> None:
    found = back(engine, loaded)
    entitlements = listed(engine, found.rows["entitlement"])
    assert sorted(e["entitlement_id"] for e in entitlements) == [f"erp.contracts:{n}/seats/0" for n in NUMBERS]
    assert {e["customer_id"] for e in entitlements} == {f"crm.accounts:{n}" for n in NUMBERS if n != 2}
    subscriptions = {s["subscription_id"]: s for s in listed(engine, found.rows["subscription"])}
    came_from = {r["id"]: r["source_id"] for r in listed(engine, found.origins.contracts) if r["id"] in subscriptions}
    assert sorted(came_from.values()) == [str(n) for n in NUMBERS]
    keys = {r["id"]: r["key"] for r in listed(engine, found.keys["subscription"]) if r["id"] in subscriptions}
    assert keys == {own: f"erp.contracts:{source}" for own, source in came_from.items()}
    first = next(subscriptions[own] for own, source in came_from.items() if source == "1")
    assert (first["starts_at"], first["ends_at"], first["tax_exempt"]) == (utc(2025, 1, 2, 1), utc(2026, 3, 1), False)
    # This target keeps no time zone, so nothing is known of one.
    assert first["time_zone"] is None
    items = listed(engine, found.rows["subscription_item"])
    assert {i["subscription_id"] for i in items} == set(subscriptions)
    assert {i["unit_price"] for i in items} == {Decimal("10.12345678"), Decimal("20.24691356")}


def test_an_entity_that_the_target_has_no_table_for_has_no_rows(engine: DuckDBEngine, loaded: PostgresTarget) -> None:
    found = back(engine, loaded)
    assert "discount" not in found.rows and "plan" not in found.rows
    assert engine.count(canonical(engine, "discount", found.rows.get("discount"))) == 0


def test_what_another_hand_changed_or_removed_or_put_there_is_what_is_there(
    engine: DuckDBEngine, loaded: PostgresTarget
) -> None:
    before = {i["item_id"]: i["unit_price"] for i in listed(engine, back(engine, loaded).rows["subscription_item"])}
    changed(loaded, "UPDATE subscription_items SET unit_price = 99 WHERE quantity = 2")
    changed(loaded, "DELETE FROM subscription_items WHERE quantity = 1")
    stranger = "00000000-0000-4000-8000-000000000001"
    stranger, whose = "00000000-0000-4000-8000-000000000001", "crm.accounts:3"
    changed(
        loaded,
        f"INSERT INTO entitlements SELECT '{stranger}', target_id, 'storage', now() FROM cutover.crosswalk "
        "WHERE entity = 'customer' AND source_id = '3'",
    )
    found = back(engine, loaded)
    after = {i["item_id"]: i["unit_price"] for i in listed(engine, found.rows["subscription_item"])}
    assert len(after) == len(before) // 2 and set(after.values()) == {Decimal(99)}
    held = {e["entitlement_id"]: e for e in listed(engine, found.rows["entitlement"])}
    assert (held[stranger]["feature_code"], held[stranger]["customer_id"]) == ("storage", whose)
