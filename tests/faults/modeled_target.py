"""The real target that the dictionaries are a model of: a small plan on the real server, to be loaded and read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pyarrow as pa
from load_model import OWNERS, Words
from psycopg import sql
from source_model import COHORTS, Source
from target_model import TABLES, Row, Target
from target_model import Source as SourceRow
from target_world import TARGET, membership, order, rows, sourced, tiny_plan

from migration_assets.connectors.postgres_target import PostgresTarget, connection_arguments
from migration_assets.connectors.row_digests import digest_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import TargetSchema, TargetTable
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.catalog import apply_schema
from migration_assets.stages.load.conflicts import Settlement, plain_seal
from migration_assets.stages.load.order import LoadResult
from migration_assets.stages.load.schema import HASH_FORM, column_types, desired_schema
from migration_assets.stages.rollback.take_back import RollbackOrder, RollbackResult, roll_back

PLAN = tiny_plan(
    target=TargetSchema(
        schema_name="billing",
        roles=TARGET.roles,
        tables={
            "subscription_items": TargetTable(
                entity="subscription_item", columns={c: c for c in ("item_id", "subscription_id", "quantity")}
            ),
            "customers": TargetTable(
                entity="customer",
                columns={c: c for c in ("customer_id", "name", "email", "country")},
                owned_by={"email": "target", "country": "source"},
            ),
            "subscriptions": TargetTable(
                entity="subscription",
                columns={c: c for c in ("subscription_id", "customer_id", "currency", "billed_to_date_minor")},
            ),
        },
    )
)
assert {c: o for c, o in OWNERS.items() if o in ("target", "source")} == PLAN.target.tables["customers"].owned_by
_TYPES = {table: column_types(declared) for table, declared in PLAN.target.tables.items()}
_RECORD = (
    "load_seal",
    "crosswalk",
    "load_ledger",
    "pre_image",
    "row_change",
    "taken_back",
    "reserved_id",
    "cohort_state",
)
AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """The target as it is read: rows, record (id, status, founder, cohort, digest), reserved ids, which cohorts are
    there, rows the ledger says the loads of each number inserted, updated and deleted, and which loads are taken."""

    rows: dict[str, dict[str, Row]]
    record: dict[SourceRow, tuple[str, str, bool, str, str | None]]
    reserved: dict[int, tuple[str, bool]]
    applied: dict[str, str]
    ledger: dict[int, dict[str, list[int]]]
    taken: dict[int, int]


def expected(target: Target) -> dict[str, Any]:
    """What is to be read of a target that is as the model says, but for the ledger's counts."""
    digests = {
        s: None if not e.stands else HASH_FORM + digest_of(dict(e.loaded), _TYPES[_table(s)])
        for s, e in target.record.items()
    }
    return {
        "rows": target.rows,
        "record": {
            s: (e.target_id, "loaded" if e.stands else "merged", e.founder, e.cohort, digests[s])
            for s, e in target.record.items()
        },
        "reserved": target.reserved,
        "applied": dict.fromkeys(target.applied, "applied"),
        "taken": {c.number: c.taken for c in target.changes if c.taken},
    }


def _table(source: SourceRow) -> str:
    return next(t for t, (entity, _, _) in TABLES.items() if entity == source[0])


class ModeledTarget:
    """One database that is emptied for each history, and one connection by which the test and others look and write."""

    def __init__(self, url: str, kept: Path) -> None:
        """`kept`: where loads keep hashes of what they loaded, so that the next one goes by its seal."""
        self.target, self.kept = PostgresTarget(url), kept
        apply_schema(self.target, desired_schema(PLAN))
        self.connection = psycopg.connect(**connection_arguments(url), autocommit=True)

    def close(self) -> None:
        self.connection.close()

    def empty(self) -> None:
        names = [sql.Identifier("billing", t) for t in TABLES] + [sql.Identifier("cutover", t) for t in _RECORD]
        self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))

    # --- loads and rollbacks ---

    def load(
        self, source: Source, cohort: str, words: Words, run: str, target: PostgresTarget | None = None, **more: Any
    ) -> LoadResult:
        """Load the cohort; `target`: by another connection. `repair` and `before_commit` as in `load_cohort`."""
        sealed = {(t, i, c, plain_seal(ours), plain_seal(theirs)): w for (t, i, c, ours, theirs), w in words.items()}
        settlement = Settlement(words=sealed, repair=more.pop("repair", False))  # type: ignore[arg-type]
        with DuckDBEngine(memory_limit="512MB", threads=1) as engine:
            asked = order(cohort, run_id=run, settlement=settlement, kept_folder=self.kept)
            return load_cohort(
                engine, target or self.target, PLAN, asked,
                _canonical(engine, source, cohort), _redirects(engine, source, cohort), _members(engine, source),
                **more,
            )  # fmt: skip

    def take_back(
        self, source: Source, cohorts: Collection[str], *, preserve: bool, target: PostgresTarget | None = None
    ) -> RollbackResult:
        erased = frozenset(f"crm.accounts:{n}" for n in source.erased)
        policy = "preserve" if preserve else "refuse"
        said = RollbackOrder(tuple(sorted(cohorts)), "anna", AT, policy, erased)  # type: ignore[arg-type]
        return roll_back(target or self.target, PLAN, said)

    # --- what others do ---

    def put(self, table: str, target_id: str, column: str, value: str) -> None:
        self._run(
            "UPDATE {} SET {} = {} WHERE {} = {}",
            sql.Identifier("billing", table), sql.Identifier(column), sql.Literal(value),
            sql.Identifier(TABLES[table][1]), sql.Literal(target_id),
        )  # fmt: skip

    def insert(self, table: str, row: Row) -> None:
        columns, values = (sql.SQL(", ").join(map(kind, each)) for kind, each in _sides(row))
        self._run("INSERT INTO {} ({}) VALUES ({})", sql.Identifier("billing", table), columns, values)

    def delete(self, gone: Iterable[tuple[str, str]]) -> None:
        for table, target_id in gone:
            key = sql.Identifier(TABLES[table][1])
            self._run("DELETE FROM {} WHERE {} = {}", sql.Identifier("billing", table), key, sql.Literal(target_id))

    def _run(self, statement: str, *parts: sql.Composable) -> None:
        assert self.connection.execute(sql.SQL(statement).format(*parts)).rowcount == 1  # type: ignore[arg-type]

    # --- what is there ---

    def seen(self) -> Seen:
        with self.connection.transaction():
            return Seen(
                rows={t: {row[TABLES[t][1]]: row for row in self._texts(t)} for t in TABLES},
                record={
                    (entity, int(n)): (i, status, founder, cohort, digest)
                    for entity, n, i, status, founder, cohort, digest in self._ask(
                        "SELECT entity, source_id, target_id::text, status, founder, cohort, row_hash FROM crosswalk"
                    )
                },
                reserved={
                    int(n): (i, status == "loaded")
                    for n, i, status in self._ask("SELECT source_id, target_id::text, status FROM reserved_id")
                },
                applied=dict(self._ask("SELECT cohort, state FROM cohort_state")),
                ledger=self._ledger(),
                taken=dict(self._ask("SELECT load_id, rollback_id FROM taken_back")),
            )

    def _texts(self, table: str) -> list[Row]:
        columns = list(PLAN.target.tables[table].columns)
        texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c)) for c in columns)
        query = sql.SQL("SELECT {} FROM {}").format(texts, sql.Identifier("billing", table))
        return [dict(zip(columns, row, strict=True)) for row in self.connection.execute(query)]

    def _ledger(self) -> dict[int, dict[str, list[int]]]:
        found: dict[int, dict[str, list[int]]] = {}
        for number, table, *counts in self._ask(
            "SELECT load_id, table_name, inserted, updated, deleted FROM load_ledger WHERE run_id <> 'rollback'"
        ):
            of_load = found.setdefault(number, {t: [0, 0, 0] for t in TABLES})
            if table in TABLES:
                of_load[table] = counts
        return found

    def _ask(self, query: str) -> list[Any]:
        table = query.split("FROM ")[1]
        return self.connection.execute(query.replace(table, f"cutover.{table}").encode()).fetchall()


@contextmanager
def modeled(url: str) -> Any:
    with TemporaryDirectory() as folder:
        found = ModeledTarget(url, Path(folder))
        try:
            yield found
        finally:
            found.close()


def _sides(row: Row) -> tuple[tuple[Any, Iterable[str]], tuple[Any, Iterable[str]]]:
    return (sql.Identifier, row), (sql.Literal, row.values())


def _canonical(engine: DuckDBEngine, source: Source, cohort: str) -> dict[str, Any]:
    here = sorted(n for n, i in source.into.items() if source.cohort[i] == cohort)
    customers, contracts, items = [], [], []
    for n in here:
        own, whose = source.values[n], source.into[n]
        named = {c: own[c] for c in ("name", "email", "country")}
        if n == whose:
            customers.append(sourced("crm.accounts", n, "customer_id", kind="company", status="active", **named))
        billed = {"currency": "EUR", "billed_to_date_minor": int(own["billed"])}
        led = {"customer_id": f"crm.accounts:{whose}"}
        contracts.append(sourced("erp.contracts", n, "subscription_id", **led, **billed))
        item = n * 10 + 1
        led = {"subscription_id": f"erp.contracts:{n}"}
        items.append(sourced("erp.positions", item, "item_id", **led, quantity=int(own["quantity"])))
    made = {"customer": customers, "subscription": contracts, "subscription_item": items}
    return {entity: rows(engine, entity, records) for entity, records in made.items()}


def _redirects(engine: DuckDBEngine, source: Source, cohort: str) -> Any:
    merged = [(n, i) for n, i in sorted(source.into.items()) if n != i and source.cohort[i] == cohort]
    keys = {
        "entity": ["customer"] * len(merged),
        "key": [f"crm.accounts:{n}" for n, _ in merged],
        "into_key": [f"crm.accounts:{i}" for _, i in merged],
    }
    return engine.table(pa.table(keys, schema=pa.schema(dict.fromkeys(keys, pa.string()))))


def _members(engine: DuckDBEngine, source: Source) -> Any:
    placed: dict[str | None, list[int]] = {c: [n for n in source.into if source.cohort_of(n) == c] for c in COHORTS}
    return membership(engine, placed, into=source.into)
