"""A cohort of more rows than one transaction is to write: package by package, and readers see all of it or nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from target_world import LOADED_AT, World, copy_of, membership, order, tiny_plan, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.hidden import hidden_cohorts
from migration_assets.stages.load.order import LoadOrder, LoadResult
from migration_assets.stages.load.package import next_package
from migration_assets.stages.load.schema import role_names
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back
from migration_assets.wiring.status import taken_back

PLAN = tiny_plan()
ROWS = 30


def asked(folder: Path, size: int, **changes: Any) -> LoadOrder:
    return order(kept_folder=folder / "loaded", package_rows=size, **changes)


def shown(target: PostgresTarget) -> dict[str, int]:
    """Rows of each table that a reader sees."""
    tables = ("customers", "subscriptions", "subscription_items", "entitlements")
    with target.transaction(role=role_names(PLAN)["reader"], read_only=True) as c:
        return {t: c.execute(f"SELECT count(*) FROM billing.{t}".encode()).fetchone()[0] for t in tables}  # type: ignore[index]


def there(target: PostgresTarget) -> dict[str, list[Any]]:
    """All rows, whoever wrote them and when; crosswalk, and what each load has noted, added up."""
    queries = {
        **{t: f"SELECT t::text FROM billing.{t} t" for t in PLAN.target.tables},
        "crosswalk": "SELECT entity, source_system, source_table, source_id, target_id, status, founder, row_hash, "
        "cohort FROM cutover.crosswalk",
        "ledger": "SELECT table_name, sum(inserted), sum(updated), sum(deleted) FROM cutover.load_ledger GROUP BY 1",
        "row_change": "SELECT r.table_name, u.id, u.before, u.after FROM cutover.row_change r, "
        "unnest(coalesce(r.ids::text[], r.codes), r.before, r.after) u (id, before, after)",
        "seal": "SELECT t::text FROM cutover.load_seal t",
        "states": "SELECT cohort, state FROM cutover.cohort_state",
        "hidden": "SELECT t::text FROM cutover.hidden_row t",
    }
    with target.transaction(role=role_names(PLAN)["owner"], read_only=True) as c:
        return {name: sorted(c.execute(q.encode()).fetchall(), key=str) for name, q in queries.items()}


def packages(target: PostgresTarget) -> int:
    with target.transaction(read_only=True) as c:
        query = "SELECT count(DISTINCT load_id) FROM cutover.load_ledger WHERE cohort = 'pilot'"
        return int(c.execute(query.encode()).fetchone()[0])  # type: ignore[index]


class Killed(Exception):
    """Stands for whatever ends a process."""


def dying_after(number: int) -> Any:
    """A `before_commit` that lets so many packages through."""
    seen: list[LoadResult] = []

    def tell(result: LoadResult) -> None:
        if len(seen) == number:
            raise Killed
        seen.append(result)

    return tell


@pytest.mark.parametrize("size", [1, 4, 7, 29, 30])
def test_packages_end_as_one_transaction_does(
    server: str, catalog_template: str, engine: DuckDBEngine, tmp_path: Path, size: int
) -> None:
    with copy_of(server, catalog_template) as whole, copy_of(server, catalog_template) as parts:
        one = load_cohort(engine, whole, PLAN, asked(tmp_path / "a", ROWS), world().canonical(engine))
        many = load_cohort(engine, parts, PLAN, asked(tmp_path / "b", size), world().canonical(engine))
        assert many == replace(one, crosswalk=many.crosswalk)
        assert (many.crosswalk.inserted, many.outstanding) == (ROWS, 0)
        assert there(parts) == there(whole)
        assert packages(whole) == 1 and (packages(parts) > 1) == (size < ROWS)
        assert shown(parts) == shown(whole)
        assert len(list((tmp_path / "b" / "loaded").iterdir())) == 1


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_what_is_killed_between_packages_is_hidden_and_gone_on_with(
    server: str, catalog_template: str, engine: DuckDBEngine, tmp_path: Path, killed_after: int
) -> None:
    with copy_of(server, catalog_template) as whole, copy_of(server, catalog_template) as parts:
        load_cohort(engine, whole, PLAN, asked(tmp_path / "a", ROWS), world().canonical(engine))
        killed = dying_after(killed_after)
        with pytest.raises(Killed):
            load_cohort(engine, parts, PLAN, asked(tmp_path / "b", 7), world().canonical(engine), before_commit=killed)
        assert packages(parts) == killed_after
        assert set(shown(parts).values()) == {0}
        with parts.transaction(read_only=True) as c:
            assert hidden_cohorts(c) == {"pilot": ("incomplete",)}
            assert c.execute("SELECT state FROM cutover.cohort_state WHERE cohort = 'pilot'").fetchone() == ("applied",)
        with DuckDBEngine() as another:
            done = load_cohort(
                another, parts, PLAN, asked(tmp_path / "b", 7, run_id="run-2"), world().canonical(another)
            )
        assert done.rows_written == ROWS - sum(p for p in _written(parts, "run-1"))
        assert [(t.planned, t.found) for t in done.tables] == [(6, 6), (6, 6), (12, 12), (6, 6)]
        assert [t.inserted + t.unchanged for t in done.tables] == [6, 6, 12, 6]
        assert there(parts) == there(whole) and shown(parts) == shown(whole)
        again = load_cohort(engine, parts, PLAN, asked(tmp_path / "b", 7), world().canonical(engine))
        assert not again.recorded and packages(parts) == 5


def _written(target: PostgresTarget, run: str) -> list[int]:
    with target.transaction(read_only=True) as c:
        query = "SELECT inserted FROM cutover.load_ledger WHERE run_id = %s AND cohort = 'pilot' AND table_name <> %s"
        return [n for (n,) in c.execute(query.encode(), [run, "crosswalk"])]


@pytest.mark.parametrize("lost", ["kept", "edited", "deleted", "plan", "source", "size"])
def test_what_does_not_fit_ends_in_one_transaction(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path, lost: str
) -> None:
    """Hashes that are gone, a package that others have changed, another plan, a source that has changed."""
    with pytest.raises(Killed):
        load_cohort(engine, target, PLAN, asked(tmp_path, 7), world().canonical(engine), before_commit=dying_after(2))
    rows, plan, size = world(), PLAN, 7
    statement = "SELECT"
    if lost == "kept":
        for file in (tmp_path / "loaded").iterdir():
            file.unlink()
    elif lost == "edited":
        statement = "UPDATE billing.customers SET country = 'FR' WHERE customer_number = 'C-00003'"
    elif lost == "deleted":
        statement = (
            "DELETE FROM billing.subscription_items WHERE ctid = (SELECT min(ctid) FROM billing.subscription_items)"
        )
    elif lost == "plan":
        plan = PLAN.model_copy(update={"digest": "e" * 64})
    elif lost == "source":
        rows.one("customer", 2)["name"] = "Another"
    else:
        size = 1000
    with target.transaction() as c:
        c.execute(statement.encode())
    done = load_cohort(engine, target, plan, asked(tmp_path, size), rows.canonical(engine))
    assert packages(target) == 3 and done.outstanding == 0
    assert [t.found for t in done.tables] == [6, 6, 12, 6] and len(done.conflicts) == (lost == "edited")
    assert shown(target) == {"customers": 6, "subscriptions": 6, "subscription_items": 12, "entitlements": 6}


def test_what_a_cohort_is_handed_comes_with_it_in_one_transaction(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    """Packages only insert: rows that are in the target for another cohort are compared."""
    before = membership(engine, {"pilot": (), "wave_1": range(1, 7)})
    load_cohort(engine, target, PLAN, order("wave_1"), world().canonical(engine), membership=before)
    now = membership(engine, {"pilot": range(1, 7), "wave_1": ()})
    done = load_cohort(engine, target, PLAN, asked(tmp_path, 7), world().canonical(engine), membership=now)
    assert done.rows_written == 0 and done.handed_over == ROWS and packages(target) == 1
    assert shown(target)["subscription_items"] == 12


def test_a_row_the_target_refuses_leaves_the_packages_before_it_hidden(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    bad = world()
    bad.one("subscription_item", 61)["quantity"] = -1
    with pytest.raises(TargetRefused, match="positions#61"):
        load_cohort(engine, target, PLAN, asked(tmp_path, 7), bad.canonical(engine))
    assert packages(target) > 0 and set(shown(target).values()) == {0}
    load_cohort(engine, target, PLAN, asked(tmp_path, 7), world().canonical(engine))
    assert shown(target)["subscription_items"] == 12


@pytest.mark.parametrize("seed", range(20))
def test_packages_have_parents_first_and_everything_once(engine: DuckDBEngine, seed: int) -> None:
    """Customers under customers and payers in circles; each row comes once, and never before what it points at."""
    draw = random.Random(seed)
    rows = world(range(1, 15))
    for record in rows.records["customer"]:
        for column in ("parent_id", "payer_id"):
            record[column] = draw.choice([None, f"crm.accounts:{draw.randint(1, 14)}"])
    left = rows.canonical(engine)
    came: dict[str, set[str]] = {entity: set() for entity in left}
    outstanding = sum(map(len, rows.records.values()))
    while outstanding:
        package, remain = next_package(engine, PLAN.target, left, draw.randint(1, 9))
        records = {e: engine.arrow(t).to_pylist() for e, t in package.items()}
        size = sum(map(len, records.values()))
        assert size and remain == outstanding - size
        keys = {"customer": "customer_id", "subscription": "subscription_id"}
        keys |= {"subscription_item": "item_id", "entitlement": "entitlement_id"}
        for entity in PLAN.target.tables.values():
            for record in records.get(entity.entity, ()):
                assert record[keys[entity.entity]] not in came[entity.entity]
        for entity_name, found in records.items():
            came[entity_name] |= {r[keys[entity_name]] for r in found}
        for customer in records["customer"]:
            assert {customer["parent_id"], customer["payer_id"]} - {None} <= came["customer"]
        for contract in records["subscription"]:
            assert contract["customer_id"] in came["customer"]
        for item in records["subscription_item"]:
            assert item["subscription_id"] in came["subscription"]
        left = {e: t.anti_join(package[e], keys[e]) for e, t in left.items()}
        left = {e: engine.cached(t) for e, t in left.items()}
        outstanding = remain
    assert {e: len(k) for e, k in came.items()} == {e: len(r) for e, r in rows.records.items()}


def test_an_empty_cohort_needs_no_package(engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path) -> None:
    nothing = World({"customer": [], "subscription": []})
    assert load_cohort(engine, target, PLAN, asked(tmp_path, 1), nothing.canonical(engine)).rows_written == 0


def killed_first(engine: DuckDBEngine, target: PostgresTarget, folder: Path, rows: World, size: int) -> None:
    with pytest.raises(Killed):
        load_cohort(engine, target, PLAN, asked(folder, size), rows.canonical(engine), before_commit=dying_after(1))


def test_packages_of_a_source_that_is_another_by_now_do_not_stay(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    """Not one key of the first package is in the source any more."""
    killed_first(engine, target, tmp_path, world(), 4)
    other = world(range(101, 107)).canonical(engine)
    plan = PLAN.model_copy(update={"digest": "e" * 64})
    done = load_cohort(engine, target, plan, asked(tmp_path, 4), other)
    assert done.rows_removed == 4 and [t.found for t in done.tables] == [6, 6, 12, 6]
    assert shown(target)["customers"] == 6


def test_a_row_of_an_earlier_package_that_went_is_removed(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    killed_first(engine, target, tmp_path, world(), 4)
    fewer = world()
    for entity, records in fewer.records.items():
        fewer.records[entity] = [r for r in records if not str(r["source_row"]).startswith("3")]
    done = load_cohort(engine, target, PLAN, asked(tmp_path, 4), fewer.canonical(engine))
    assert done.rows_removed == 1 and [t.found for t in done.tables] == [5, 5, 10, 5]
    assert shown(target)["customers"] == 5


def test_half_a_cohort_that_another_one_gets_stays_hidden(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    killed_first(engine, target, tmp_path, world(), 8)
    now = membership(engine, {"wave_1": range(1, 7), "wave_2": range(11, 13)})
    late = world(range(11, 13)).canonical(engine)
    load_cohort(engine, target, PLAN, order("wave_2"), late, membership=now)
    assert shown(target) == {"customers": 2, "subscriptions": 2, "subscription_items": 4, "entitlements": 2}
    with target.transaction(read_only=True) as c:
        assert hidden_cohorts(c) == {"wave_1": ("incomplete",)}
    load_cohort(engine, target, PLAN, order("wave_1"), world().canonical(engine), membership=now)
    assert shown(target) == {"customers": 8, "subscriptions": 8, "subscription_items": 16, "entitlements": 8}


def test_a_later_package_that_is_refused_says_what_is_there(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    bad = world()
    bad.one("subscription_item", 61)["quantity"] = -1
    with pytest.raises(TargetRefused, match=r"^package 4: .*21 rows of the packages before it") as told:
        load_cohort(engine, target, PLAN, asked(tmp_path, 7), bad.canonical(engine))
    assert "--resume" in told.value.remedy


def test_what_others_take_from_an_earlier_package_is_missing_in_the_count(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    seen: list[LoadResult] = []

    def meddled(result: LoadResult) -> None:
        if len(seen) == 1:
            with target.transaction() as c:
                c.execute("SET LOCAL lock_timeout = '2s'")
                c.execute("DELETE FROM billing.customers WHERE customer_number = 'C-00006'")
        seen.append(result)

    lonely = world()
    for entity in ("subscription", "subscription_item", "entitlement"):
        lonely.records[entity] = [r for r in lonely.records[entity] if not str(r["source_row"]).startswith("6")]
    done = load_cohort(engine, target, PLAN, asked(tmp_path, 6), lonely.canonical(engine), before_commit=meddled)
    assert (done.tables[0].planned, done.tables[0].found) == (6, 5)


def test_half_a_cohort_that_was_taken_back_counts_as_taken_back(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path
) -> None:
    """It never had a verdict; `--resume` must not bring it again."""
    killed_first(engine, target, tmp_path, world(), 8)
    never_checked: Any = SimpleNamespace(target=target, control=SimpleNamespace(ever_checked=lambda _: frozenset()))
    assert taken_back(never_checked, ["pilot"]) == set()
    result = roll_back(target, PLAN, RollbackOrder(("pilot",), "anna", LOADED_AT))
    assert result.rows("goes") == 8 and all(p.holds for p in result.proof)
    assert taken_back(never_checked, ["pilot", "wave_1"]) == {"pilot"}
    with target.transaction(read_only=True) as c:
        assert hidden_cohorts(c) == {}
