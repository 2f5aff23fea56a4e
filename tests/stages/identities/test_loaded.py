"""What the target holds is asked by canonical key."""

from __future__ import annotations

import pytest

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.stages.identities.loaded import ids_in_target

_CROSSWALK = """
CREATE SCHEMA cutover;
CREATE TABLE cutover.crosswalk (entity text, source_system text, source_table text, source_id text, target_id uuid);
INSERT INTO cutover.crosswalk VALUES
  ('customer', 'crm', 'accounts', '1:2/a', '00000000-0000-4000-8000-000000000001'),
  ('customer', 'erp', 'customers', '7', '00000000-0000-4000-8000-000000000001'),
  ('contact', 'crm', 'accounts', '9', '00000000-0000-4000-8000-000000000009')"""


@pytest.fixture
def target(database: str) -> PostgresTarget:
    return PostgresTarget(database)


def test_a_target_without_a_record_knows_nobody(target: PostgresTarget) -> None:
    assert ids_in_target(target, ["crm.accounts:1"]) == {}


def test_customers_are_found_by_their_key_and_nothing_else_is(target: PostgresTarget) -> None:
    with target.transaction() as connection:
        connection.execute(_CROSSWALK)
    one = "00000000-0000-4000-8000-000000000001"
    found = ids_in_target(target, ["crm.accounts:1:2/a", "erp.customers:7", "crm.accounts:9", "crm.accounts:8"])
    assert found == {"crm.accounts:1:2/a": one, "erp.customers:7": one}
    assert ids_in_target(target, []) == {}
