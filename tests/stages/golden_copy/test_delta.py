"""A copy made from the one before is what a whole new one would be, row for row, whatever happened in between.

The histories are made up: rows inserted, changed, deleted, moved away and back, stamped late, alike or not at all, and
written by a transaction that was open while a copy was taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import psycopg
import pytest
from copied_history import BEGIN, History, Numbers
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from migration_assets.connectors.postgres_source import PostgresSnapshot
from migration_assets.domain.errors import DeltaUnbalanced, GoldenCopyAltered
from migration_assets.plan.models import Plan, PlanFile
from migration_assets.stages.golden_copy.changes import TableChanges
from migration_assets.stages.golden_copy.delta import Delta, differences
from migration_assets.stages.golden_copy.manifest import Manifest

TABLES = {
    "accounts": {"read_from": "accounts", "key": ["id"], "updated_at": "changed", "secret": ["card"]},
    "seats": {"read_from": "seats", "key": ["account", "no"], "may_be_empty": True},
    # Nothing says that these keys are unique, and a view has no transactions of its own.
    "notes": {"read_from": "notes", "key": ["id"], "may_be_empty": True},
    "shown": {"read_from": "shown", "key": ["id"]},
    "tags": {"read_from": "accounts", "split": {"column": "tags", "separator": ";"}, "key": ["id", "position"]},
}
DDL = """
DROP VIEW IF EXISTS shown; DROP TABLE IF EXISTS accounts, seats, notes;
CREATE TABLE accounts (id text PRIMARY KEY, name text, amount numeric(12,2), score float8, card text,
  tags text, changed timestamptz);
CREATE TABLE seats (account text NOT NULL, no int NOT NULL, held bool, PRIMARY KEY (account, no));
CREATE TABLE notes (id int, said text);
CREATE VIEW shown AS SELECT id, upper(name) AS name FROM accounts;
INSERT INTO accounts SELECT 'a' || n, 'Ann ' || n, n, n / 3.0, 'hush', 'x;y', '2026-01-01Z'
  FROM generate_series(1, 9) n;
INSERT INTO seats SELECT 'a' || n, n, true FROM generate_series(1, 5) n;
INSERT INTO notes VALUES (1, 'one'), (1, 'one'), (2, NULL), (NULL, 'none');
"""


def plan(url: str, tables: Mapping[str, Any] = TABLES) -> Plan:
    file = PlanFile.model_validate(
        {
            "name": "tiny",
            "uuid": UUID(int=1),
            "title": "Tiny",
            "owner": "me",
            "sources": {"crm": {"kind": "sql", "url": url, "tables": tables}},
            "target": {"database": "target"},
        }
    )
    return Plan.model_construct(folder=Path("plans/tiny"), digest="d" * 64, file=file)


def digests(manifest: Manifest) -> dict[str, str]:
    return {name: entry.sha256 for name, entry in manifest.tables.items()}


def assert_kept(before: Numbers, after: Numbers) -> None:
    """Rows have the numbers they had, and new ones none that anybody has."""
    for table, numbers in after.items():
        assert len(set(numbers.values())) == len(numbers)
        had = before.get(table, {})
        both = numbers.keys() & had.keys()
        assert {k: numbers[k] for k in both} == {k: had[k] for k in both}


@contextmanager
def history(database: str, **more: Any) -> Iterator[History]:
    with TemporaryDirectory() as folder, psycopg.connect(database.replace("+psycopg", "")) as connection:
        connection.execute(DDL)
        connection.commit()
        yield History(plan(database), database, Path(folder) / "golden_copy", **more)


def changes(delta: Delta | None) -> dict[str, tuple[int, int, int, int]]:
    """inserted, updated, deleted, late of every table that changed."""
    assert delta is not None
    return {c.table.partition(".")[2]: (c.inserted, c.updated, c.deleted, c.late) for c in delta.changes if c.changed}


NAME = st.sampled_from(["a1", "a2", "a5", "a9", "a10", "b", "é", "", "z z"])
STAMP = st.sampled_from(["2025-12-31Z", "2026-01-01Z", "2026-01-02Z", None])
STATEMENT = st.one_of(
    st.tuples(
        st.just(
            "INSERT INTO accounts VALUES (%s, %s, 1.5, 0.1, 'c', %s, %s) ON CONFLICT (id) DO UPDATE "
            "SET name = EXCLUDED.name, changed = EXCLUDED.changed, tags = EXCLUDED.tags"
        ),
        st.tuples(NAME, NAME, st.sampled_from(["", "p", "p;q"]), STAMP),
    ),
    st.tuples(st.just("UPDATE accounts SET name = %s WHERE id = %s"), st.tuples(NAME, NAME)),
    st.tuples(st.just("UPDATE accounts SET score = %s WHERE id = %s"), st.tuples(st.sampled_from([0.0, -0.0]), NAME)),
    st.tuples(st.just("UPDATE accounts SET card = 'other' WHERE id = %s"), st.tuples(NAME)),
    st.tuples(st.just("UPDATE accounts SET id = id || 'x' WHERE id = %s AND id <> 'b'"), st.tuples(NAME)),
    st.tuples(st.just("DELETE FROM accounts WHERE id = %s AND id <> 'a3'"), st.tuples(NAME)),
    st.tuples(st.just("DELETE FROM seats WHERE no = %s"), st.tuples(st.integers(1, 6))),
    st.tuples(
        st.just("INSERT INTO seats VALUES (%s, %s, false) ON CONFLICT DO NOTHING"),
        st.tuples(NAME, st.integers(1, 6)),
    ),
    st.tuples(st.just("TRUNCATE seats"), st.just(())),
    st.tuples(st.just("INSERT INTO notes VALUES (%s, %s)"), st.tuples(st.integers(1, 3), NAME)),
    st.tuples(st.just("DELETE FROM notes WHERE said = %s"), st.tuples(NAME)),
    st.tuples(st.just("VACUUM (FREEZE) accounts"), st.just(())),
)
# A step: a statement, done at once or by a transaction that is begun now and committed after the next copy; or a copy.
STEP = st.one_of(st.none(), st.tuples(STATEMENT, st.booleans()))


def live(told: History, steps: list[Any]) -> None:
    """Live through a history; after each copy, compare it with a whole one of the same state."""
    url = told.url.replace("+psycopg", "")
    open_: list[psycopg.Connection[Any]] = []
    try:
        for step in [*steps, None, None]:
            if step is not None:
                (statement, values), late = step
                if late and not statement.startswith(("VACUUM", "TRUNCATE")):
                    connection = psycopg.connect(url)
                    connection.execute("SET lock_timeout = '50ms'")
                    open_.append(connection)
                    with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.UniqueViolation):
                        connection.execute(statement, values)
                    continue
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("SET lock_timeout = '50ms'")
                    with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.UniqueViolation):
                        connection.execute(statement, values)
                continue
            before, had = told.rows(), told.numbers()
            delta = told.tick()
            whole = told.rows_of_whole()
            assert told.rows() == whole
            assert (delta is None) == (before == whole)
            assert_kept(had, told.numbers())
            while open_:
                connection = open_.pop()
                with suppress(psycopg.errors.InFailedSqlTransaction):
                    connection.commit()
                connection.close()
    finally:
        for connection in open_:
            connection.close()


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture], "print_blob": True}


HISTORIES = 25


@pytest.mark.parametrize(
    "number", [pytest.param(n, id=f"seed {n}", marks=() if n == 0 else pytest.mark.faults) for n in range(20)]
)
def test_a_delta_is_what_a_whole_copy_would_be(database: str, number: int) -> None:
    """So many histories of each seed."""

    @seed(number)
    @settings(max_examples=HISTORIES, database=None, **COMMON)
    @given(steps=st.lists(STEP, min_size=1, max_size=10 if number == 0 else 16))
    def each(steps: list[Any]) -> None:
        lived.append(len(steps))
        with history(database) as told:
            live(told, steps)

    lived: list[int] = []
    each()
    assert len(lived) >= HISTORIES, "none was left out"


def test_each_kind_of_change_is_counted_once(database: str) -> None:
    with history(database) as told:
        told.run("UPDATE accounts SET name = 'Bo', changed = '2026-02-01Z' WHERE id = 'a1'")
        told.run("UPDATE accounts SET name = 'Cy' WHERE id = 'a2'")
        told.run("DELETE FROM accounts WHERE id = 'a3'")
        told.run("INSERT INTO accounts (id, changed) VALUES ('n1', '2026-02-01Z'), ('n2', '2026-01-01Z'), ('n3', NULL)")
        told.run("DELETE FROM notes WHERE id = 1")
        seen = told.look()
        assert seen["crm.shown"] is None
        # What is under way elsewhere on the server makes a look believe less, never more.
        assert (seen["crm.accounts"] or 0) >= 5 and (seen["crm.notes"] or 0) >= 2
        # Of the accounts: one new on time, one changed on time, one gone; two new and one changed that no stamp tells.
        assert changes(told.tick()) == {
            "accounts": (1, 1, 1, 3),
            "notes": (0, 0, 2, 0),
            "shown": (3, 2, 1, 0),
            "tags": (0, 0, 2, 0),
        }
        assert told.tick() is None and told.falls_quiet()


def test_a_table_with_few_changes_is_not_read_whole(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with history(database) as told:
        assert told.falls_quiet()
        told.run("UPDATE accounts SET name = 'Bo' WHERE id = 'a1'")
        told.run("DELETE FROM accounts WHERE id = 'a3'")
        told.run("DELETE FROM seats WHERE no = 1")
        whole, read = PostgresSnapshot.export, list[str]()

        def export(self: PostgresSnapshot, read_from: str, *rest: Any, **more: Any) -> int:
            read.append(read_from)
            return whole(self, read_from, *rest, **more)

        monkeypatch.setattr(PostgresSnapshot, "export", export)
        assert set(changes(told.tick())) == {"accounts", "seats", "shown", "tags"}
        assert read == ["shown"], "a view cannot tell which of its rows are new"


def test_zero_and_minus_zero_are_not_the_same(database: str) -> None:
    score = "UPDATE accounts SET score = %s WHERE id = 'a1'"
    with history(database) as told:
        live(told, [((score, (0.0,)), False), None, ((score, (-0.0,)), False), None, ((score, (0.0,)), False)])


def test_a_key_that_is_printed_otherwise_than_it_is_ordered_is_read_whole(database: str) -> None:
    """Cast to text, by which it is ordered, a single address has a mask that it is not printed with."""
    with history(database) as told:
        told.run("ALTER TABLE seats ALTER account TYPE inet USING ('10.0.0.' || no)::inet")
        told.run("INSERT INTO seats VALUES ('10.0.0.1/24', 1), ('10.0.0.10', 1)")
        told.tick()
        assert told.falls_quiet()
        told.run("DELETE FROM seats WHERE no = 2")
        told.run("INSERT INTO seats VALUES ('10.0.0.3/24', 3)")
        assert changes(told.tick()) == {"seats": (1, 0, 1, 0)}
        assert told.rows() == told.rows_of_whole()


def test_a_table_with_another_key_comes_in_its_order_and_keeps_no_numbers_but_by_that_key(database: str) -> None:
    with history(database) as told:
        told.run("INSERT INTO seats VALUES ('a0', 9)")
        assert told.tick() is not None
        told.plan = plan(database, {**TABLES, "seats": {**TABLES["seats"], "key": ["no"]}})
        assert told.tick() is not None
        assert told.rows() == told.rows_of_whole()
        before = told.numbers()
        told.run("DELETE FROM seats WHERE no = 2")
        assert told.tick() is not None
        assert told.rows() == told.rows_of_whole()
        assert_kept(before, told.numbers())


def test_what_was_committed_late_is_found(database: str) -> None:
    """Its stamp, and its transaction, are older than what the copy before has seen."""
    with history(database) as told, psycopg.connect(database.replace("+psycopg", "")) as slow:
        slow.execute("INSERT INTO accounts (id, changed) VALUES ('late', '2026-01-01 10:00Z')")
        told.run("INSERT INTO accounts (id, changed) VALUES ('soon', '2026-01-01 11:00Z')")
        assert changes(told.tick())["accounts"] == (1, 0, 0, 0)
        slow.commit()
        assert changes(told.tick())["accounts"] == (0, 0, 0, 1)
        assert told.rows() == told.rows_of_whole()


def test_files_that_did_not_change_are_shared(database: str) -> None:
    with history(database) as told:
        first = told.folder / told.manifest.snapshot
        told.run("DELETE FROM seats WHERE no = 1")
        assert told.tick() is not None
        second = told.folder / told.manifest.snapshot
        same = {p.name for p in second.iterdir() if (first / p.name).stat().st_ino == p.stat().st_ino}
        assert same == {f"crm.{name}.parquet" for name in ("accounts", "notes", "shown", "tags")}
        assert all(p.stat().st_mode & 0o377 == 0 for p in second.glob("*.parquet"))
        assert sorted(p.name for p in told.folder.iterdir()) == [first.name, second.name]


def test_rows_that_are_not_secret_alone_count(database: str) -> None:
    """A secret column is never read, so that its change is none."""
    with history(database) as told:
        told.run("UPDATE accounts SET card = 'new' WHERE id = 'a1'")
        assert (told.look()["crm.accounts"] or 0) >= 1
        assert told.tick() is None
        assert told.falls_quiet(), "the mark is of now, so that the next look is quiet"


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE accounts ADD COLUMN extra int DEFAULT 7",
        "ALTER TABLE accounts DROP COLUMN name CASCADE; ALTER TABLE accounts ADD COLUMN name text DEFAULT 'same';"
        "CREATE VIEW shown AS SELECT id, upper(name) AS name FROM accounts",
        "ALTER TABLE seats RENAME TO old; CREATE TABLE seats (LIKE old INCLUDING ALL); INSERT INTO seats TABLE old",
        "ALTER TABLE accounts ALTER COLUMN amount TYPE numeric(14,4)",
    ],
)
def test_a_table_that_was_made_anew_is_read_whole(database: str, statement: str) -> None:
    """A default that is given to rows that are there writes none of them."""
    with history(database) as told:
        told.run(statement)
        told.tick()
        assert told.rows() == told.rows_of_whole()


def test_without_marks_everything_is_read_and_compared(database: str) -> None:
    with history(database) as told:
        told.marks(told.manifest.snapshot).write_text("{", encoding="utf-8")
        assert set(told.look().values()) == {None}
        assert told.tick() is None
        assert told.falls_quiet(), "there are marks again"


def test_a_look_that_is_thorough_believes_no_mark(database: str) -> None:
    with history(database, thorough=True) as told:
        assert set(told.look().values()) == {None}
        told.run("DELETE FROM seats WHERE no = 1")
        assert changes(told.tick()) == {"seats": (0, 0, 1, 0)}


def test_changes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(DeltaUnbalanced, match="make 10, and the source has 11"):
        TableChanges("crm.a", 9, 11, inserted=1, updated=5, deleted=1, late_inserted=1, late_updated=0).balanced()


def test_nothing_is_left_behind_when_a_tick_fails(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with history(database) as told:
        told.run("DELETE FROM accounts WHERE id = 'a1'")
        told.run("DELETE FROM seats WHERE no = 1")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "link", full)
        monkeypatch.setattr("shutil.copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            told.tick()
        assert [p.name for p in told.folder.iterdir()] == [told.manifest.snapshot]
        monkeypatch.undo()
        assert told.tick() is not None
        assert told.rows() == told.rows_of_whole()


@pytest.mark.parametrize("thorough", [False, True])
def test_what_was_written_since_a_copy_is_told_and_nothing_is_kept(
    database: str, tmp_path: Path, thorough: bool
) -> None:
    with history(database, thorough=thorough) as told:
        place = told.folder.parent

        def written(name: str) -> dict[str, tuple[int, int, int, int]]:
            work = tmp_path / name
            work.mkdir()
            found = differences(told.plan, told.sources(), told.earlier(), BEGIN, work)
            assert all(c.changed for c in found)
            return {c.table: (c.inserted, c.updated, c.deleted, c.late) for c in found}

        before = sorted(place.rglob("*"))
        assert written("quiet") == {}
        told.run("UPDATE accounts SET name = 'Eve' WHERE id = 'a2'")
        told.run("DELETE FROM seats WHERE no = 5")
        told.run("UPDATE notes SET said = said")
        expected = {"crm.accounts": (0, 0, 0, 1), "crm.shown": (0, 1, 0, 0), "crm.seats": (0, 0, 1, 0)}
        assert written("written") == expected == written("again"), "and is found again the next time"
        assert sorted(place.rglob("*")) == before
        assert changes(told.tick()) == {k.removeprefix("crm."): v for k, v in expected.items()}


def test_a_copy_that_was_altered_is_compared_with_nothing(database: str, tmp_path: Path) -> None:
    with history(database) as told:
        told.run("UPDATE accounts SET name = 'Eve' WHERE id = 'a2'")
        file = told.folder / told.manifest.snapshot / told.manifest.tables["crm.seats"].file
        file.chmod(0o600)
        file.write_bytes(file.read_bytes()[:-1] + b"x")
        with pytest.raises(GoldenCopyAltered):
            differences(told.plan, told.sources(), told.earlier(), BEGIN, tmp_path)


@pytest.mark.parametrize(
    ("column", "otherwise"),
    [
        ("kind mood DEFAULT 'glad'", "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'"),
        ("kinds mood[] DEFAULT '{glad}'", "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'"),
        (
            "twice int GENERATED ALWAYS AS (no * 2) VIRTUAL",
            "ALTER TABLE seats ALTER COLUMN twice SET EXPRESSION AS (no * 3)",
        ),
    ],
)
def test_what_changes_values_without_touching_a_row_is_found(database: str, column: str, otherwise: str) -> None:
    with history(database) as told:
        told.run("CREATE TYPE mood AS ENUM ('glad', 'sad')")
        told.run(f"ALTER TABLE seats ADD COLUMN {column}")
        told.tick()
        assert told.falls_quiet()
        told.run(otherwise)
        assert changes(told.tick()) == {"seats": (0, 5, 0, 0)}
        assert told.rows() == told.rows_of_whole()
