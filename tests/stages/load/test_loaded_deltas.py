"""What ticks have loaded is what a whole reload of the same source would give, with the same crosswalk.

Histories of a tiny source, made up from a seed: rows inserted, changed and deleted, stamped alike, late, earlier or not
at all; transactions that are open while a copy is taken; contracts and customers that change hands and cohorts. After
each tick, which loads the cohorts whose rows are others than before, another target, a copy of this one from before
the tick, gets every cohort out of a whole new golden copy: rows and crosswalk are the same. A failing case's id is its
seed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from sqlalchemy.engine import make_url
from target_world import World, copy_of, membership, order, rows, sourced, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Plan
from migration_assets.plan.source_models import SourceTable
from migration_assets.stages.golden_copy.manifest import Manifest
from migration_assets.stages.load.apply import load_cohort

sys.path.insert(0, str(Path(__file__).parents[1] / "golden_copy"))

from copied_history import History

# In the order in which they move; the last one is nobody's.
COHORTS = ("pilot", "base", "late", "unassigned")
TICKS = 3
CUSTOMERS = range(1, 9)
DDL = """
CREATE TABLE accounts (id int PRIMARY KEY, name text, cohort text, changed timestamptz);
CREATE TABLE contracts (id int PRIMARY KEY, account int, billed bigint, changed timestamptz);
CREATE TABLE positions (id int PRIMARY KEY, contract int, quantity int, changed timestamptz);
INSERT INTO accounts SELECT n, 'Ann ' || n, (ARRAY['pilot', 'base', 'late'])[1 + n % 3], '2026-01-01Z'
  FROM generate_series(1, 6) n;
INSERT INTO contracts SELECT n, n, n * 100, '2026-01-01Z' FROM generate_series(1, 6) n;
INSERT INTO positions SELECT n * 10 + k, n, k, '2026-01-01Z' FROM generate_series(1, 6) n, generate_series(1, 2) k;
"""
# What {...} stands for: numbers of customers, cohorts, and stamps that say little about when a row was written.
DRAWN = {
    "n": lambda dice: dice.choice(CUSTOMERS),
    "m": lambda dice: dice.choice(CUSTOMERS),
    "cohort": lambda dice: repr(dice.choice(COHORTS[:3])),
    "some": lambda dice: dice.randint(0, 4),
    "at": lambda dice: dice.choice(
        ["'2025-06-01Z'", "'2026-01-01Z'", "'2026-01-01Z'", "'2026-01-02Z'", "NULL", "now()"]
    ),
}
STATEMENTS = (
    "INSERT INTO accounts VALUES ({n}, 'New {some}', {cohort}, {at}) "
    "ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name",
    "UPDATE accounts SET name = 'Bo {some}', changed = {at} WHERE id = {n}",
    "UPDATE accounts SET name = 'Cy {some}' WHERE id = {n}",
    "UPDATE accounts SET cohort = {cohort}, changed = {at} WHERE id = {n}",
    "UPDATE accounts SET cohort = {cohort} WHERE id IN ({n}, {m})",
    "DELETE FROM accounts WHERE id = {n} AND (SELECT count(*) FROM accounts) > 2",
    "INSERT INTO contracts VALUES ({n}, {m}, {some}, {at}) ON CONFLICT (id) DO UPDATE SET account = EXCLUDED.account",
    "UPDATE contracts SET account = {m} WHERE id = {n}",
    "UPDATE contracts SET billed = billed + {some}, changed = {at} WHERE id = {n}",
    "DELETE FROM contracts WHERE id = {n}",
    "DELETE FROM positions WHERE contract = {n}",
    "UPDATE positions SET quantity = {some}, changed = {at} WHERE contract = {n}",
    "UPDATE positions SET contract = {m} WHERE id = {n} * 10 + 1",
    "INSERT INTO positions VALUES ({n} * 10 + {some} + 3, {m}, {some}, {at}) ON CONFLICT DO NOTHING",
    "DELETE FROM accounts WHERE id = {n} AND (SELECT count(*) FROM accounts) > 2; "
    "INSERT INTO accounts VALUES ({n}, 'Back', {cohort}, '2025-01-01Z') ON CONFLICT DO NOTHING",
)


def plan() -> Plan:
    """The tiny plan, whose two systems are tables of one database here."""
    tiny = tiny_plan()
    stamped = {"updated_at": "changed", "may_be_empty": True}

    def dated(tables: dict[str, SourceTable]) -> dict[str, SourceTable]:
        return {name: table.model_copy(update=stamped) for name, table in tables.items()}

    sources = {n: s.model_copy(update={"tables": dated(s.tables)}) for n, s in tiny.file.sources.items()}
    return tiny.model_copy(update={"file": tiny.file.model_copy(update={"sources": sources})})


@dataclass(frozen=True)
class Laid:
    """One golden copy's rows by table, and the cohort in which each lies."""

    accounts: dict[int, dict[str, Any]]
    contracts: dict[int, dict[str, Any]]
    positions: dict[int, dict[str, Any]]

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Laid:
        def by_id(table: str) -> dict[int, dict[str, Any]]:
            found = pq.read_table(folder / manifest.snapshot / manifest.tables[table].file).to_pylist()
            return {row["id"]: row for row in found}

        return cls(by_id("crm.accounts"), by_id("erp.contracts"), by_id("erp.positions"))

    def cohort(self, contract: int | None) -> str:
        """Where a contract lies, and what is below it."""
        owner = self.contracts[contract]["account"] if contract in self.contracts else None
        return str(self.accounts[owner]["cohort"]) if owner in self.accounts else "unassigned"

    def own(self, cohort: str) -> list[Any]:
        """All that a load of the cohort is made from. The numbers of rows are left out: a tick takes these along, and
        so runs rather more cohorts."""
        parts = (
            [a for a in self.accounts.values() if a["cohort"] == cohort],
            [c for n, c in self.contracts.items() if self.cohort(n) == cohort],
            [p for p in self.positions.values() if self.cohort(p["contract"]) == cohort],
        )
        return [[{k: v for k, v in row.items() if k != "_row"} for row in part] for part in parts]

    def canonical(self, engine: DuckDBEngine, cohort: str) -> dict[str, Any]:
        like = world(range(1, 2))
        customer, subscription, item, right = (
            like.records[e][0] for e in ("customer", "subscription", "subscription_item", "entitlement")
        )
        mine = {n: c for n, c in self.contracts.items() if self.cohort(n) == cohort and c["account"] in self.accounts}
        made = World(
            {
                "customer": [
                    customer | sourced("crm.accounts", n, "customer_id", customer_number=f"C-{n:05}", name=a["name"])
                    for n, a in self.accounts.items()
                    if a["cohort"] == cohort
                ],
                "subscription": [
                    subscription
                    | sourced("erp.contracts", n, "subscription_id", billed_to_date_minor=c["billed"])
                    | {"customer_id": f"crm.accounts:{c['account']}"}
                    for n, c in mine.items()
                ],
                "subscription_item": [
                    item
                    | sourced("erp.positions", n, "item_id", quantity=p["quantity"])
                    | {"subscription_id": f"erp.contracts:{p['contract']}"}
                    for n, p in self.positions.items()
                    if p["contract"] in mine
                ],
                "entitlement": [
                    right
                    | sourced("erp.contracts", n, "entitlement_id", feature_code=f"seats of {n}")
                    | {"entitlement_id": f"erp.contracts:{n}/seats/0", "customer_id": f"crm.accounts:{c['account']}"}
                    for n, c in mine.items()
                ],
            }
        )
        return {entity: rows(engine, entity, records) for entity, records in made.records.items()}

    def load(self, engine: DuckDBEngine, target: PostgresTarget, cohort: str, run: str) -> tuple[str, ...]:
        """Load one cohort; the others that were given rows by it."""
        placed = {c: [n for n, a in self.accounts.items() if a["cohort"] == c] for c in COHORTS}
        lie = {n: self.cohort(n) for n in self.contracts}
        who = membership(engine, placed, contracts=lie)
        asked = order(cohort, run_id=run)
        return load_cohort(engine, target, plan(), asked, self.canonical(engine, cohort), None, who).receivers

    def load_all(self, engine: DuckDBEngine, target: PostgresTarget, cohorts: Sequence[str], run: str) -> None:
        """These cohorts in turn, then those that were given rows after they had passed, until there is none."""
        wanted = [c for c in COHORTS if c in cohorts]
        for again in range(4):
            received: set[str] = set()
            for cohort in wanted:
                received = (received - {cohort}) | set(self.load(engine, target, cohort, f"{run}/{again}"))
            wanted = [c for c in COHORTS if c in received]
            if not wanted:
                return
        pytest.fail(f"{wanted} are given rows again and again")


def content(target: PostgresTarget) -> dict[str, list[Any]]:
    """Every row of every table, and the crosswalk but for what says which load wrote it last."""
    asked = {
        table: f"SELECT t::text FROM billing.{table} t ORDER BY 1"
        for table in ("products", "customers", "subscriptions", "subscription_items", "entitlements")
    }
    asked["crosswalk"] = (
        "SELECT entity, source_system, source_table, source_id, target_id::text, status, founder, row_hash, cohort "
        "FROM cutover.crosswalk ORDER BY 1, 2, 3, 4"
    )
    with target.transaction(read_only=True) as connection:
        return {name: connection.execute(query).fetchall() for name, query in asked.items()}


def check_is_the_source(target: PostgresTarget, laid: Laid) -> None:
    """Told without the code of the load: whose row is there, and with what."""
    with target.transaction(read_only=True) as connection:
        customers = connection.execute("SELECT customer_number, name FROM billing.customers").fetchall()
        billed = connection.execute(
            "SELECT customer_number, billed_to_date_minor FROM billing.subscriptions JOIN billing.customers "
            "USING (customer_id)"
        ).fetchall()
        items = connection.execute("SELECT quantity FROM billing.subscription_items").fetchall()
    owned = {n: c for n, c in laid.contracts.items() if c["account"] in laid.accounts}
    assert sorted(customers) == sorted((f"C-{n:05}", a["name"]) for n, a in laid.accounts.items())
    assert sorted(billed) == sorted((f"C-{c['account']:05}", c["billed"]) for c in owned.values())
    assert sorted(q for (q,) in items) == sorted(
        p["quantity"] for p in laid.positions.values() if p["contract"] in owned
    )


@contextmanager
def writers(url: str) -> Iterator[list[psycopg.Connection[Any]]]:
    """Transactions that are open; those still open in the end are given up."""
    open_: list[psycopg.Connection[Any]] = []
    try:
        yield open_
    finally:
        for connection in open_:
            connection.close()


def live(dice: random.Random, url: str, open_: list[psycopg.Connection[Any]]) -> None:
    """A while in the source. What was open is committed, late, and some of what happens now stays open."""
    while open_:
        with open_.pop() as late:
            late.commit()
    for _ in range(dice.randint(0, 5)):
        statement = dice.choice(STATEMENTS).format(**{name: draw(dice) for name, draw in DRAWN.items()})
        connection = psycopg.connect(url)
        connection.execute("SET lock_timeout = '50ms'")
        with suppress(psycopg.errors.LockNotAvailable):
            connection.execute(statement)
            if dice.random() < 0.25:
                open_.append(connection)
                continue
            connection.commit()
        connection.close()


@pytest.mark.parametrize(
    "seed", [pytest.param(s, id=f"seed {s}", marks=() if s < 2 else pytest.mark.faults) for s in range(50)]
)
def test_what_ticks_load_is_what_a_whole_reload_gives(
    engine: DuckDBEngine, server: str, database: str, catalog_template: str, tmp_path: Path, seed: int
) -> None:
    dice, url = random.Random(seed), database.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DDL)
    with copy_of(server, catalog_template) as target, writers(url) as open_:
        history = History(plan(), database, tmp_path / "golden_copy")
        before = Laid.of(history.folder, history.manifest)
        before.load_all(engine, target, COHORTS, "first")
        for tick in range(TICKS):
            live(dice, url, open_)
            history.tick()
            now = Laid.of(history.folder, history.manifest)
            whole = history.whole()
            reload = Laid.of(history.folder.parent / "whole", whole)
            touched = {c for c in COHORTS if now.own(c) != before.own(c)}
            with copy_of(server, str(make_url(target.url).database)) as other:
                reload.load_all(engine, other, COHORTS, f"reload {tick}")
                now.load_all(engine, target, sorted(touched | ({"unassigned"} if touched else set())), f"tick {tick}")
                assert content(target) == content(other), f"tick {tick} of {sorted(touched)}"
            check_is_the_source(target, now)
            before = now
