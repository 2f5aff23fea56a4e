"""What the target holds is asked by canonical key."""

from __future__ import annotations

import pytest

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.stages.identities.loaded import ids_in_target, rows_of_ids

ONE = "00000000-0000-4000-8000-000000000001"
_CROSSWALK = """
CREATE SCHEMA cutover;
CREATE TABLE cutover.crosswalk (entity text, source_system text, source_table text, source_id text, target_id uuid,
  founder boolean);
INSERT INTO cutover.crosswalk VALUES
  ('customer', 'crm', 'accounts', '1:2/a', '00000000-0000-4000-8000-000000000001', false),
  ('customer', 'erp', 'customers', '7', '00000000-0000-4000-8000-000000000001', true),
  ('contact', 'crm', 'accounts', '9', '00000000-0000-4000-8000-000000000009', true)"""


@pytest.fixture
def target(database: str) -> PostgresTarget:
    return PostgresTarget(database)


def test_a_target_without_a_record_knows_nobody(target: PostgresTarget) -> None:
    assert ids_in_target(target, ["crm.accounts:1"]) == {}


def test_customers_are_found_by_their_key_and_nothing_else_is(target: PostgresTarget) -> None:
    with target.transaction() as connection:
        connection.execute(_CROSSWALK)
    found = ids_in_target(target, ["crm.accounts:1:2/a", "erp.customers:7", "crm.accounts:9", "crm.accounts:8"])
    assert found == {"crm.accounts:1:2/a": ONE, "erp.customers:7": ONE}
    assert ids_in_target(target, []) == {}


def test_all_rows_of_an_id_are_found_its_founder_first(target: PostgresTarget) -> None:
    assert rows_of_ids(target, [ONE]) == {}
    with target.transaction() as connection:
        connection.execute(_CROSSWALK)
    assert list(rows_of_ids(target, [ONE, "no id"])) == ["erp.customers:7", "crm.accounts:1:2/a"]
    assert rows_of_ids(target, ["no id"]) == {}
