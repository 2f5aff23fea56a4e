"""Frozen tables refuse every write and are read as before; the script that ends it leaves nothing behind."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest

from migration_assets.connectors.freeze_script import freeze_script
from migration_assets.domain.errors import BadInput

TABLES = ["public.accounts", 'Odd "table"']
WRITES = [
    "INSERT INTO accounts VALUES (2)",
    "UPDATE accounts SET id = 3",
    "DELETE FROM accounts",
    "DELETE FROM accounts WHERE id = 99",
    "TRUNCATE accounts",
    'INSERT INTO "Odd ""table""" VALUES (2)',
]


@pytest.fixture
def legacy(database: str) -> str:
    """A database with the two tables, one row each; its address as psycopg takes it."""
    url = database.replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        for name in ("accounts", '"Odd ""table"""'):
            connection.execute(f"CREATE TABLE {name} (id int)")
            connection.execute(f"INSERT INTO {name} VALUES (1)")
    return url


def run(url: str, script: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())


@pytest.mark.parametrize("write", WRITES)
def test_a_frozen_table_of_postgresql_refuses_every_write_of_everybody(legacy: str, write: str) -> None:
    run(legacy, freeze_script(legacy, TABLES))
    for setting in ("", "SET session_replication_role = replica;"):
        with (
            psycopg.connect(legacy, autocommit=True) as connection,
            pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="is frozen"),
        ):
            connection.execute(setting.encode())
            connection.execute(write.encode())
    with psycopg.connect(legacy) as connection:
        assert connection.execute("SELECT id FROM accounts").fetchall() == [(1,)]


def test_the_freeze_ends_without_a_trace(legacy: str) -> None:
    run(legacy, freeze_script(legacy, TABLES))
    run(legacy, freeze_script(legacy, TABLES, undo=True))
    run(legacy, freeze_script(legacy, TABLES, undo=True))
    for write in WRITES:
        run(legacy, write)
    with psycopg.connect(legacy) as connection:
        left = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'cutover_freeze'").fetchone()
    assert left == (0,)


def test_the_freeze_waits_for_who_is_writing(legacy: str) -> None:
    with psycopg.connect(legacy) as writer:
        writer.execute("INSERT INTO accounts VALUES (2)")
        frozen = threading.Thread(target=run, args=(legacy, freeze_script(legacy, ["accounts"])))
        frozen.start()
        frozen.join(0.3)
        assert frozen.is_alive()
        writer.commit()
        frozen.join(30)
    with psycopg.connect(legacy) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (2,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM accounts")


def test_a_table_that_is_not_there_freezes_nothing(legacy: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        run(legacy, freeze_script(legacy, ["accounts", "gone"]))
    run(legacy, WRITES[0])


def test_sqlite_refuses_writes_of_rows(tmp_path: Path) -> None:
    file = tmp_path / "crm.db"
    with sqlite3.connect(file) as connection:
        connection.executescript('CREATE TABLE "a b" (id int); INSERT INTO "a b" VALUES (1)')
        connection.executescript(freeze_script(f"sqlite:///{file}", ["a b"]))
        for write in ('INSERT INTO "a b" VALUES (2)', 'UPDATE "a b" SET id = 2', 'DELETE FROM "a b"'):
            with pytest.raises(sqlite3.IntegrityError, match="is frozen"):
                connection.execute(write)
        connection.executescript(freeze_script(f"sqlite:///{file}", ["a b"], undo=True))
        connection.execute('UPDATE "a b" SET id = 2')
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (0,)


def test_elsewhere_rights_are_taken_from_who_writes() -> None:
    url = "mysql+pymysql://reader@db/crm"
    script = freeze_script(url, ["sales.accounts"], writer="old app")
    assert "REVOKE INSERT, UPDATE, DELETE ON `sales`.`accounts` FROM `old app`;" in script
    undone = freeze_script(url, ["sales.accounts"], writer="old app", undo=True)
    assert "GRANT INSERT, UPDATE, DELETE ON `sales`.`accounts` TO `old app`;" in undone
    assert "FROM `app`@`%`;" in freeze_script(url, ["accounts"], writer="app@%")
    with pytest.raises(BadInput, match="from whom") as told:
        freeze_script(url, ["sales.accounts"])
    assert "--writer" in str(told.value.remedy)
