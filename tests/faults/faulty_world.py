"""A small migration that can be broken off, and what it leaves behind: a telephone company of 30 customers, one cohort.

`World.state` is all that must be equal in the end, whatever happened on the way: rows of the target, crosswalk, ledger,
pre-images, files of the store and the verdicts that stand. Names of runs and the clock are left out, and so is the name
of the current snapshot; any other golden copy in the store has to be expected, and whole.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from telco_rows import telco_rows, write_telco
from world import add_plan, make_root

from migration_assets.connectors.databases import drop_database
from migration_assets.control import ControlDatabase, migrate
from migration_assets.stages.golden_copy.manifest import MANIFEST, verify_golden_copy
from migration_assets.stages.store import GLOBAL, Store
from migration_assets.wiring.environment import Environment, prepare
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES

COHORT = "everybody_01"
COHORTS = "cohorts:\n  - {name: everybody, wave: 0, buckets: 1, description: All of them.}\n"
TWO_COHORTS = """cohorts:
  - {name: pilot, wave: 0, where: [{field: status, op: eq, value: active}], limit: 10, description: First.}
  - {name: base, wave: 1, buckets: 1, description: Everybody else.}
"""


# Every stage in the order in which one runs after the other, and its partition.
def steps_of(cohorts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return (*((s, GLOBAL) for s in GLOBAL_STAGES), *((s, c) for c in cohorts for s in COHORT_STAGES))


STEPS = steps_of((COHORT,))
# Databases that a migration writes to.
_CHANGING = ("target", "control")
_RUN = re.compile(rb'"run_id": "[^"]*"')
# After a tick that was killed the next one looks at cohorts again of which an undisturbed one carries the report.
_CARRIED = re.compile(rb',\s*"unchanged_since": "[^"]*"')
# What differs from run to run without anybody's data being different.
_UNTOLD = ("snapshot", "loaded_at", "changed_at", "taken_back_at", "run_id", "plan_digest")
# What a load notes of rows lies in parts, in whatever order the server met them: compared row by row.
_ROWS_OF = {
    "cutover.row_change": "SELECT r.load_id, r.table_name, u.id, u.before, u.after FROM cutover.row_change r, "
    "unnest(coalesce(r.ids::text[], r.codes), r.before, r.after) u (id, before, after)"
}
State = dict[str, str]


@dataclass(frozen=True)
class Undisturbed:
    """A migration that nothing happened to: its end, the target's rows whenever a stage was done, and of each stage the
    seconds and effects that it took."""

    state: State
    rows: tuple[State, ...]
    took: dict[str, tuple[float, int]]


@dataclass(frozen=True)
class World:
    """One plan on one server, set up; nothing has run. Its databases and files go back to that with `reset`."""

    environment: Environment
    server: str
    source: Path
    cohorts: tuple[str, ...] = (COHORT,)

    @property
    def store(self) -> Store:
        return Store(self.environment.store)

    @property
    def control(self) -> ControlDatabase:
        return ControlDatabase(self.environment.control_url)

    def reset(self) -> None:
        """Nothing has run."""
        plan = self.environment.plan
        drop_database(self.server, f"{plan}_target")
        drop_database(self.server, f"{plan}_control")
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {plan}_control TEMPLATE {plan}_empty")
        shutil.rmtree(self.environment.plan_home)
        self.environment.store.mkdir(parents=True)
        self.environment.logs.mkdir()
        self.environment.reports.mkdir()

    def keep(self) -> None:
        """Remember everything as it is now, for `back`."""
        plan = self.environment.plan
        for name in _CHANGING:
            self._copy_database(f"{plan}_{name}", f"{plan}_kept_{name}")
        shutil.copytree(self.environment.plan_home, self._kept)

    def back(self) -> None:
        """Everything is again as it was when it was kept; the source alone is as it is."""
        plan = self.environment.plan
        for name in _CHANGING:
            self._copy_database(f"{plan}_kept_{name}", f"{plan}_{name}")
        shutil.rmtree(self.environment.plan_home)
        shutil.copytree(self._kept, self.environment.plan_home)

    @property
    def _kept(self) -> Path:
        return self.environment.plan_home.with_name(f"{self.environment.plan}_kept")

    def _copy_database(self, name: str, to: str) -> None:
        drop_database(self.server, to)
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {to} TEMPLATE {name}")

    # --- what is there -------------------------------------------------------------------------------------------

    def state(self, besides: int = 0) -> State:
        """All that has to be equal, name by name: a digest each. `besides`: how many golden copies there may be besides
        the current one, at most; those are whole, and what is in them is not compared."""
        there = self.golden_copies() - {self.store.current_snapshot()}
        assert len(there) <= besides, f"{sorted(map(str, there))} besides the current copy, {besides} at most expected"
        self.assert_copies_are_whole()
        files = {n: d for n, d in self.files().items() if not any(f"/{snapshot}/" in n for snapshot in there)}
        return {**self.rows(), **files, **self.verdicts()}

    def rows(self) -> State:
        """Every table of the target and of the record beside it; none when there is no such database."""
        try:
            connection = psycopg.connect(self.environment.database("target").replace("+psycopg", ""))
        except psycopg.OperationalError as error:
            assert "does not exist" in str(error), "nothing but a database that is not there yet may be amiss"
            return {}
        with connection:
            return {f"rows {name}": digest for name, digest in table_digests(connection).items()}

    def files(self) -> State:
        """Every file of the store; the current golden copy under no name of its own, every other one under its own."""
        found, current = {}, (self.store.current_snapshot() or "no snapshot").encode()
        for path in sorted(self.environment.store.rglob("*")):
            name = str(path.relative_to(self.environment.store)).replace(current.decode(), "SNAPSHOT")
            # What the last load had to do is no data: after a kill that is less than the whole. Nor is where a source's
            # transactions stood when it was read.
            data = path.name not in (MANIFEST, "current", "loaded.parquet") and path.parent.name != "marks"
            if path.is_file() and data:
                content = path.read_bytes()
                if path.suffix != ".parquet":
                    content = _CARRIED.sub(b"", _RUN.sub(b"", content.replace(current, b"SNAPSHOT")))
                found[f"file {name}"] = hashlib.sha256(content).hexdigest()
        return found

    def verdicts(self) -> State:
        """What stands of every stage, and whether it is about the current snapshot."""
        control, current = self.control, self.store.current_snapshot()
        return {
            f"verdict {partition} {asset} {v.check}": (
                f"{v.passed} {v.severity} {v.rows_checked} {'current' if v.snapshot == current else 'of another'}"
            )
            for asset, partition in steps_of(self.cohorts)
            for v in control.verdicts(partition, asset)
        }

    def left_over(self) -> list[str]:
        """Files that only a stage at work may have: hidden ones, and rows on their way."""
        home = self.environment.plan_home
        hidden = [p for p in self.environment.store.rglob(".*") if p.is_file()]
        on_their_way = [p for folder in ("spill", "work") for p in (home / folder).glob("held-*")]
        return [str(p.relative_to(home)) for p in (*hidden, *on_their_way)]

    def golden_copies(self) -> set[str | None]:
        """The snapshots whose folders are in place."""
        return {p.name for p in (self.environment.store / "golden_copy").glob("[!.]*Z-*")}

    def assert_copies_are_whole(self) -> None:
        """What is in place is as it was taken, the current copy and any other; and there is a current one, if any is
        said to be."""
        current = self.store.current_snapshot()
        assert current is None or current in self.golden_copies(), f"{current} is current, and not there"
        for snapshot in self.golden_copies():
            assert verify_golden_copy(self.store.golden(str(snapshot))).tables


def table_digests(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Table -> number and digest of its rows, of every table of ours in a target."""
    query = (
        "SELECT table_schema, table_name, array_agg(column_name::text ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1, 2"
    )
    digests = {}
    for schema, table, columns in connection.execute(query).fetchall():
        told = sql.SQL(", ").join(sql.Identifier(c) for c in columns if c not in _UNTOLD)
        plain = sql.SQL("SELECT {} FROM {}").format(told, sql.Identifier(schema, table))
        rows = sql.SQL(_ROWS_OF[f"{schema}.{table}"]) if f"{schema}.{table}" in _ROWS_OF else plain
        statement = sql.SQL("SELECT count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM ({}) t")
        count, digest = connection.execute(statement.format(rows)).fetchone() or (0, "")
        digests[f"{schema}.{table}"] = f"{count} {digest}"
    return digests


def differences(one: State, other: State) -> list[str]:
    """Names under which two states differ."""
    return sorted(n for n in {*one, *other} if one.get(n) != other.get(n))


@contextmanager
def opened_world(
    folder: Path, server: str, name: str, cohorts: str = COHORTS, named: tuple[str, ...] = (COHORT,)
) -> Iterator[World]:
    """The plan set up under that name, with these cohorts; its databases go when the block ends."""
    make_root(folder)
    add_plan(folder, "telco", name, cohorts)
    source = write_telco(folder / "customers.csv", telco_rows(30))
    environment = prepare(folder, name, {"CUTOVER_DATABASE_URL": server, "TELCO_CSV": str(source)})
    migrate(environment.control_url)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_empty TEMPLATE {name}_control")
    try:
        yield World(environment, server, source, named)
    finally:
        for database in ("dagster", "control", "target", "empty", *(f"kept_{c}" for c in _CHANGING)):
            drop_database(server, f"{name}_{database}")
