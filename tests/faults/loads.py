"""Loads of a tiny cohort of 30 customers into a real target, and what the target holds before and after.

Two loads: a first one into an empty target, and a second one in which rows came, changed and went. Whatever happens to
either, the target is as it was before or as it is after, and the load says rightly which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from faulty_world import table_digests
from target_world import World as Rows
from target_world import copy_of, order, products, template, tiny_plan, world

from migration_assets.connectors.patient import PatientConnection
from migration_assets.connectors.postgres_target import PostgresTarget, connection_arguments
from migration_assets.domain.errors import Misconfigured, TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.order import LoadResult
from migration_assets.stages.load.schema import desired_schema

PLAN = tiny_plan()
State = dict[str, str]


def first_rows() -> Rows:
    return world(range(1, 31))


def second_rows() -> Rows:
    """Customers came and went, and of those that stayed some changed."""
    rows = world(range(3, 34))
    for n in range(5, 15):
        rows.one("customer", n)["name"] = f"Another name of {n}"
        rows.one("subscription", n)["billed_to_date_minor"] += 1
    return rows


@dataclass(frozen=True)
class Case:
    """A load to be disturbed: the database it begins with, its rows, and the target before and after."""

    name: str
    database: str
    rows: Callable[[], Rows]
    before: State
    after: State


def load(target: PostgresTarget, rows: Rows, run: str = "run-1", **changes: Any) -> LoadResult:
    """The cohort, by an engine of its own."""
    with DuckDBEngine(memory_limit="512MB", threads=1) as engine:
        return load_cohort(engine, target, PLAN, order(run_id=run, **changes), rows.canonical(engine))


def state_of(target: PostgresTarget) -> State:
    with psycopg.connect(**connection_arguments(target.url)) as connection:
        return table_digests(connection)


@contextmanager
def cases(server: str) -> Iterator[dict[str, Case]]:
    """Both loads, each undisturbed once."""
    with template(server) as (empty, target), template(server) as (loaded, second):
        apply_schema(target, desired_schema(PLAN))
        apply_schema(second, desired_schema(PLAN))
        with DuckDBEngine(memory_limit="512MB") as engine:
            for each in (target, second):
                load_cohort(engine, each, PLAN, order("unassigned"), products(engine))
        load(second, first_rows())
        with copy_of(server, loaded) as copy:
            load(copy, second_rows(), "run-2")
            after = state_of(copy)
        yield {
            "first": Case("first", empty, first_rows, state_of(target), state_of(second)),
            "second": Case("second", loaded, second_rows, state_of(second), after),
        }


def assert_all_or_nothing(
    case: Case, target: PostgresTarget, disturbed: PostgresTarget, ready: Callable[[], None] = lambda: None
) -> bool:
    """Load through the disturbed connection: applied or not, and rightly said; then, when the server is ready, once
    more undisturbed to the same end. Returns whether the disturbed load was applied."""
    applied, said = True, ""
    try:
        load(disturbed, case.rows(), "run-2")
    except TargetRefused as refused:
        applied, said = False, str(refused)
        assert "nothing was written" in said and "->" in said, said
    except Misconfigured as refused:
        # Before there was a connection.
        applied, said = False, str(refused)
        assert "cannot be reached" in said and "->" in said, said
    ready()
    seen = state_of(target)
    assert seen == (case.after if applied else case.before), said or "it was said to be applied"
    again = load(target, case.rows(), "run-3")
    assert state_of(target) == case.after
    assert not applied or again.rows_written == 0
    return applied


# --- what goes wrong at a call -----------------------------------------------------------------------------------


class Strike:
    """Counts the calls to a database and does something at one of them, once: before it is made, or after."""

    def __init__(self, number: int, does: Callable[[psycopg.Connection[Any]], None], *, after: bool = False) -> None:
        self.calls, self.struck = 0, False
        self._number, self._does, self._after = number, does, after

    def around(self, connection: psycopg.Connection[Any], call: Callable[[], Any]) -> Any:
        self.calls += 1
        now = self.calls == self._number and not self.struck
        self.struck = self.struck or now
        if now and not self._after:
            self._does(connection)
        result = call()
        if now and self._after:
            self._does(connection)
        return result


@dataclass(frozen=True)
class StruckTarget(PostgresTarget):
    """A target whose connections count their calls, all with one count."""

    strike: Strike | None = None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        strike = self.strike
        assert strike is not None

        class Counted(PatientConnection[tuple[Any, ...]]):
            def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
                return strike.around(self, lambda: super(Counted, self).wait(gen, interval, timeout))

        Counted.patience = self.patience
        return Counted.connect(**connection_arguments(self.url, self.patience))


def lose(connection: psycopg.Connection[Any]) -> None:
    """The connection is gone, and whoever used it hears of it."""
    connection.pgconn.finish()
    raise psycopg.OperationalError("lost by a test")


def end_session(connection: psycopg.Connection[Any]) -> None:
    """The server ends this session, from another one."""
    own = connection.pgconn.backend_pid
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [own])
