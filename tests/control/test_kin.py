"""What runs remember of rows that left the source, on a real server."""

from __future__ import annotations

from datetime import UTC, datetime

from migration_assets.control import ControlDatabase, Kin, KinMemory, migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE, OTHER = Kin("crm.a:1", "erp.c:7", "erased"), Kin("crm.a:2", "erp.c:8", "link")


def test_what_is_known_of_rows_that_left_stays_and_of_others_goes_when_it_is_found_no_more(database: str) -> None:
    migrate(database)
    memory, another = KinMemory(ControlDatabase(database), "acme"), KinMemory(ControlDatabase(database), "telco")
    assert memory.known() == ()
    memory.keep([OTHER, ONE], kept=[], snapshot="S1", now=NOW)
    another.keep([ONE], kept=[], snapshot="S1", now=NOW)
    assert memory.known() == (ONE, OTHER)
    found = Kin("crm.a:2", "erp.c:9", "link")
    memory.keep([found], kept=[ONE], snapshot="S2", now=NOW)
    assert memory.known() == (ONE, found)
    memory.keep([], kept=[], snapshot="S3", now=NOW)
    assert memory.known() == ()
    assert another.known() == (ONE,), "plans do not see each other"
