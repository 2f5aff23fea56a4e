"""A rehearsal does in copies what the rollback would do, and leaves nothing of them behind."""

from __future__ import annotations

import pytest
from taken_world import AT, ask, content, told
from target_world import order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.rollback import rehearsal
from migration_assets.stages.rollback.obstacles import ChangedSince
from migration_assets.stages.rollback.rehearsal import rehearse
from migration_assets.stages.rollback.take_back import RollbackOrder

ORDER = RollbackOrder(("pilot",), "anna", AT)
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"


@pytest.fixture
def loaded(engine: DuckDBEngine, target: PostgresTarget) -> PostgresTarget:
    load_cohort(engine, target, tiny_plan(), order("pilot"), world().canonical(engine))
    return target


def test_all_is_tried_and_the_target_is_only_read(loaded: PostgresTarget) -> None:
    before, schemas = content(loaded), ask(loaded, SCHEMAS)
    ledger = ask(loaded, "SELECT count(*) FROM cutover.load_ledger")
    tried = rehearse(loaded, tiny_plan(), ORDER)
    assert tried.result.rows("goes") == 30
    assert all(p.holds and p.as_recorded for p in tried.result.proof)
    assert tried.copied_rows > 60, "rows, crosswalk and the rest of the record"
    assert min(tried.copy_milliseconds, tried.rollback_milliseconds) > 0
    assert (content(loaded), ask(loaded, SCHEMAS)) == (before, schemas)
    assert ask(loaded, "SELECT count(*) FROM cutover.load_ledger") == ledger


def test_what_would_stop_the_rollback_stops_the_rehearsal(loaded: PostgresTarget) -> None:
    told(loaded, "UPDATE billing.customers SET name = 'X' WHERE customer_number = 'C-00003'")
    schemas = ask(loaded, SCHEMAS)
    with pytest.raises(ChangedSince, match="1 of customers changed by somebody else"):
        rehearse(loaded, tiny_plan(), ORDER)
    assert ask(loaded, SCHEMAS) == schemas


def test_foreign_keys_hold_in_the_copies_too(loaded: PostgresTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a rollback would tear a contract from its customer, the rehearsal is refused by the copy's own key."""
    torn = rehearsal.undo_loads

    def tear(connection, place, order):  # type: ignore[no-untyped-def]
        connection.execute(f"DELETE FROM {place.target}.customers")
        return torn(connection, place, order)

    monkeypatch.setattr(rehearsal, "undo_loads", tear)
    before, schemas = content(loaded), ask(loaded, SCHEMAS)
    with pytest.raises(Exception, match="foreign key constraint"):
        rehearse(loaded, tiny_plan(), ORDER)
    assert (content(loaded), ask(loaded, SCHEMAS)) == (before, schemas), "a failure leaves no copy behind"


def test_an_account_that_may_make_no_schema_is_told(server: str, loaded: PostgresTarget) -> None:
    told(loaded, "DROP ROLE IF EXISTS rehearsal_reader")
    told(loaded, "CREATE ROLE rehearsal_reader LOGIN PASSWORD 'reader'")
    try:
        url = loaded.url.replace(loaded.url.split("//")[1].split("@")[0], "rehearsal_reader:reader")
        with pytest.raises(TargetRefused, match="cannot be copied for a rehearsal: permission denied") as refused:
            rehearse(PostgresTarget(url), tiny_plan(), ORDER)
        assert "allowed to create schemas" in refused.value.remedy
    finally:
        told(loaded, "DROP ROLE rehearsal_reader")
