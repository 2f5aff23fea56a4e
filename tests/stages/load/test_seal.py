"""The seal of a cohort: what a load does not look at again, and what makes it look at everything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from target_world import World, copy_of, membership, order, sourced, tiny_plan, utc, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.conflicts import Settlement
from migration_assets.stages.load.order import LoadResult
from migration_assets.stages.load.part import PartLoad
from migration_assets.stages.load.whole import WholeLoad
from migration_assets.stages.rollback.take_back import RollbackOrder, roll_back

PLAN = tiny_plan()


def rows_of_table(engine: DuckDBEngine, records: list[dict[str, str]]) -> Any:
    return engine.table(pa.Table.from_pylist(records))


Load = Callable[..., LoadResult]


@pytest.fixture
def load(engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path) -> Load:
    """Loads the pilot, or another cohort, with a folder for what it was loaded from."""

    def load(rows: World, cohort: str = "pilot", plan: Any = PLAN, **given: Any) -> LoadResult:
        asked = {"kept_folder": tmp_path / "loaded", "settlement": given.pop("settlement", Settlement())}
        return load_cohort(engine, target, plan, order(cohort, **asked), rows.canonical(engine), **given)

    return load


@contextmanager
def looked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """How the loads of the block have looked at their rows."""
    seen: list[str] = []

    def told(kind: Any, name: str) -> None:
        run = kind.run

        def runs(self: Any) -> Any:
            done = run(self)
            if done is not None:
                seen.append(name)
            return done

        patched.setattr(kind, "run", runs)

    with monkeypatch.context() as patched:
        told(WholeLoad, "whole")
        told(PartLoad, "part")
        yield seen


def change(target: PostgresTarget, statement: str) -> None:
    with target.transaction() as c:
        c.execute(statement.encode())


def seals(target: PostgresTarget) -> list[str]:
    with target.transaction(read_only=True) as c:
        return [cohort for (cohort,) in c.execute("SELECT cohort FROM cutover.load_seal ORDER BY 1")]


def counts(result: LoadResult) -> list[tuple[Any, ...]]:
    return [(t.table, t.planned, t.inserted, t.updated, t.unchanged, t.found) for t in result.tables]


def test_a_load_of_the_same_is_over_at_once_and_counts_what_is_there(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world())
    with looked(monkeypatch) as seen:
        again = load(world())
    assert seen == [] and not again.recorded and again.rows_written == 0
    assert counts(again) == [
        ("customers", 6, 0, 0, 6, 6), ("subscriptions", 6, 0, 0, 6, 6),
        ("subscription_items", 12, 0, 0, 12, 12), ("entitlements", 6, 0, 0, 6, 6),
    ]  # fmt: skip


def test_rows_that_changed_or_came_are_all_that_is_copied(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world())
    later = world()
    later.one("customer", 3)["name"] = "Another"
    later.records["subscription_item"].append({**later.one("subscription_item", 31), "item_id": "erp.positions:39"})
    later.records["subscription_item"][-1] |= {"source_id": "39", "source_row": 39, "quantity": 7}
    with looked(monkeypatch) as seen:
        done = load(later)
        again = load(later)
    assert seen == ["part"] and again.rows_written == 0
    assert counts(done) == [
        ("customers", 6, 0, 1, 5, 6), ("subscriptions", 6, 0, 0, 6, 6),
        ("subscription_items", 13, 1, 0, 12, 13), ("entitlements", 6, 0, 0, 6, 6),
    ]  # fmt: skip
    assert (done.crosswalk.inserted, done.crosswalk.updated, done.crosswalk.unchanged) == (1, 1, 29)
    with target.transaction(read_only=True) as c:
        assert c.execute("SELECT count(*) FROM billing.customers WHERE name = 'Another'").fetchone() == (1,)
        assert c.execute("SELECT count(*) FROM billing.subscription_items WHERE quantity = 7").fetchone() == (1,)


def test_what_the_target_does_not_hold_is_no_change(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    load(world())
    later = world()
    for number, record in enumerate(later.records["customer"], 100):
        record.update(source_row=number, birth_date=None)
    with looked(monkeypatch) as seen:
        load(later)
    assert seen == []


def test_a_value_that_two_rows_swap_is_a_change(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of hashes in which each column stands by itself would be the same."""
    load(world())
    for entity in ("customer", "subscription", "subscription_item"):
        later = world()
        one, other = later.records[entity][2:4]
        for column in [c for c in one if c in ("name", "created_at", "billed_to_date_minor", "quantity", "starts_at")]:
            swapped = deepcopy(later)
            first, second = swapped.records[entity][2:4]
            first[column], second[column] = other[column], one[column]
            with looked(monkeypatch) as seen:
                assert load(swapped).rows_written == (0 if first[column] == second[column] else 2)
                assert load(later).rows_written == (0 if first[column] == second[column] else 2)
            assert seen == ([] if first[column] == second[column] else ["part", "part"])


def test_a_row_that_went_has_everything_compared(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    load(world())
    fewer = world()
    fewer.records["entitlement"].pop()
    with looked(monkeypatch) as seen:
        assert load(fewer).rows_removed == 1
        assert load(fewer).rows_written == 0
    assert seen == ["whole"]


@pytest.mark.parametrize(
    ("theirs", "written"),
    [
        ("UPDATE billing.customers SET name = 'Theirs' WHERE customer_number = 'C-00003'", 0),
        ("DELETE FROM billing.entitlements WHERE ctid = (SELECT min(ctid) FROM billing.entitlements)", 1),
        ("UPDATE billing.subscription_items SET quantity = 3 - quantity", 0),
    ],
)
def test_what_others_changed_is_found(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch, theirs: str, written: int
) -> None:
    load(world())
    change(target, theirs)
    with looked(monkeypatch) as seen:
        done = load(world())
    assert seen == ["whole"] and done.rows_written == written
    assert bool(done.conflicts) == (written == 0)
    # A conflict is told at each load until somebody has settled it.
    with looked(monkeypatch) as seen:
        assert load(world()).conflicts == done.conflicts
    assert seen == (["whole"] if done.conflicts else [])


def test_what_others_change_while_a_load_looks_is_found_by_the_next(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal that was made of what is there at the end would take it for ours."""
    load(world())
    change(target, "DELETE FROM cutover.load_seal")
    run = WholeLoad.run

    def disturbed(self: WholeLoad) -> LoadResult:
        done = run(self)
        change(target, "UPDATE billing.customers SET name = 'Theirs' WHERE customer_number = 'C-00003'")
        return done

    with monkeypatch.context() as patched:
        patched.setattr(WholeLoad, "run", disturbed)
        assert load(world()).conflicts == ()
    assert [c.column for c in load(world()).conflicts] == ["name"]


def test_rows_of_strangers_in_the_same_table_do_not_matter(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world())
    stranger = "gen_random_uuid(), 'X-1', 'Stranger', NULL, 'DE', 'company', NULL, NULL, now()"
    change(target, f"INSERT INTO billing.customers VALUES ({stranger})")
    load(world(range(11, 13)), "wave_1")
    with looked(monkeypatch) as seen:
        assert load(world()).rows_written == 0
        assert load(world(range(11, 13)), "wave_1").rows_written == 0
    assert seen == []


def test_a_stranger_for_one_of_ours_is_found(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has as many rows as before."""
    load(world())
    change(target, "DELETE FROM billing.entitlements WHERE ctid = (SELECT min(ctid) FROM billing.entitlements)")
    one = "SELECT gen_random_uuid(), customer_id, 'other', now(), NULL FROM billing.customers LIMIT 1"
    change(target, f"INSERT INTO billing.entitlements {one}")
    with looked(monkeypatch) as seen:
        assert load(world()).rows_written == 1
        again = load(world())
    assert seen == ["whole"] and again.rows_written == 0
    assert [t.found for t in again.tables] == [6, 6, 12, 6], "the stranger's row is not ours"


def test_another_plan_other_words_and_a_repair_look_at_everything(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    load(world())
    word = {("customers", "k", "name", "a", "b"): "source"}
    with looked(monkeypatch) as seen:
        load(world(), plan=PLAN.model_copy(update={"digest": "e" * 64}))
        load(world(), settlement=Settlement(words=word))  # type: ignore[arg-type]
        load(world(), settlement=Settlement(repair=True))
    assert seen == ["whole", "whole", "whole"]


def test_without_what_was_kept_everything_is_compared(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world())
    (kept,) = (tmp_path / "loaded").iterdir()
    kept.unlink()
    later = world()
    later.one("customer", 3)["name"] = "Another"
    with looked(monkeypatch) as seen:
        assert load(world()).rows_written == 0
        assert load(later).rows_written == 1
    assert seen == ["whole"]
    assert len(list((tmp_path / "loaded").iterdir())) == 1


def test_who_touches_other_cohorts_breaks_all_seals(load: Load, engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(world(), membership=membership(engine, {"pilot": range(1, 7), "wave_1": ()}))
    load(World({"customer": []}), "wave_1", membership=membership(engine, {"pilot": range(1, 7), "wave_1": ()}))
    assert seals(target) == ["pilot", "wave_1"]
    moved = membership(engine, {"pilot": range(1, 6), "wave_1": [6]})
    load(world(range(6, 7)), "wave_1", membership=moved)
    assert seals(target) == []


def test_a_rollback_breaks_all_seals(load: Load, target: PostgresTarget) -> None:
    load(world())
    load(world(range(11, 13)), "wave_1")
    assert seals(target) == ["pilot", "wave_1"]
    roll_back(target, PLAN, RollbackOrder(("wave_1",), "somebody", utc(2026, 2, 2)))
    assert seals(target) == []
    assert load(world()).rows_written == 0 and load(world(range(11, 13)), "wave_1").rows_written == 12 - 2


def test_an_id_that_comes_back_to_its_founder_is_not_taken_from_who_bears_it(
    load: Load, engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 bears the id of 1, which was merged into it and is in the source again, first without and then with a row."""
    merged = rows_of_table(engine, [{"entity": "customer", "key": "crm.accounts:2", "into_key": "crm.accounts:1"}])
    one, two = membership(engine, {"pilot": [1, 2]}, into={2: 1}), membership(engine, {"pilot": [2]})
    both = membership(engine, {"pilot": [1, 2]})

    def only(*numbers: int) -> World:
        left = world(range(1, 3))
        left.records["customer"] = [
            c | {"parent_id": None} for c in left.records["customer"] if c["source_row"] in numbers
        ]
        for entity in ("subscription", "subscription_item", "entitlement"):
            left.records[entity] = []
        return left

    load(only(1), redirects=merged, membership=one)
    load(only(2), membership=two)
    load(only(2), membership=both)
    done = load(only(1, 2), membership=both)
    assert done.rows_written == 1 and done.tables[0].found == 2


@pytest.mark.parametrize("kind", ["json", "tsvector", "money", "point", "text"])
def test_a_column_of_any_type_that_others_have_added_stops_nothing(
    load: Load, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    change(target, f"ALTER TABLE billing.customers ADD COLUMN extra {kind}")
    load(world())
    load(world(range(11, 13)), "wave_1")
    with looked(monkeypatch) as seen:
        assert load(world()).rows_written == 0
    assert seen == []
    change(target, "UPDATE billing.customers SET email = 'x@example.org' WHERE customer_number = 'C-00003'")
    with looked(monkeypatch) as seen:
        assert [c.column for c in load(world()).conflicts] == ["email"]
    assert seen == ["whole"]
    result = roll_back(target, PLAN, RollbackOrder(("wave_1",), "somebody", utc(2026, 2, 2)))
    assert all(p.holds for p in result.proof)


def _dump(target: PostgresTarget) -> dict[str, list[tuple[Any, ...]]]:
    """All that a load leaves, but for the seals."""
    queries = {
        **{f"billing.{t}": f"SELECT t::text FROM billing.{t} t" for t in PLAN.target.tables},
        "crosswalk": "SELECT t::text FROM cutover.crosswalk t",
        "ledger": "SELECT t::text FROM cutover.load_ledger t",
        "pre_image": "SELECT t::text FROM cutover.pre_image t",
        "row_change": "SELECT r.load_id, r.table_name, u.id, u.before, u.after FROM cutover.row_change r, "
        "unnest(coalesce(r.ids::text[], r.codes), r.before, r.after) u (id, before, after)",
        "cohort_state": "SELECT t::text FROM cutover.cohort_state t",
    }
    with target.transaction(read_only=True) as c:
        return {name: sorted(c.execute(q.encode()).fetchall(), key=str) for name, q in queries.items()}


def _step(draw: random.Random, rows: World) -> str | None:
    """Something that changes: the rows of the source, or the target by another hand."""
    kind = draw.choice(["change", "change", "swap", "add", "take", "theirs", "theirs_goes", "nothing"])
    if kind == "change":
        record = draw.choice(rows.records["customer"])
        record[draw.choice(["name", "email", "country"])] = draw.choice(["DE", "FR", "AT"])
    elif kind == "swap":
        one, other = draw.sample(rows.records["subscription"], 2)
        one["billed_to_date_minor"], other["billed_to_date_minor"] = (
            other["billed_to_date_minor"],
            one["billed_to_date_minor"],
        )
    elif kind == "add":
        number = 1000 + draw.randrange(500)
        if all(r["source_row"] != number for r in rows.records["subscription_item"]):
            like = draw.choice(rows.records["subscription_item"])
            rows.records["subscription_item"].append({**like, **sourced("erp.positions", number, "item_id")})
    elif kind == "take" and len(rows.records["subscription_item"]) > 1:
        rows.records["subscription_item"].pop(draw.randrange(len(rows.records["subscription_item"])))
    elif kind == "theirs":
        return f"UPDATE billing.customers SET country = 'US' WHERE customer_number = 'C-0000{draw.randint(1, 6)}'"
    elif kind == "theirs_goes":
        some = (
            f"SELECT entitlement_id FROM billing.entitlements ORDER BY md5(entitlement_id::text || '{draw.random()}')"
        )
        return f"DELETE FROM billing.entitlements WHERE entitlement_id = ({some} LIMIT 1)"
    return None


@pytest.mark.parametrize("seed", range(6))
def test_with_seals_all_ends_as_without_them(
    server: str, catalog_template: str, engine: DuckDBEngine, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    with copy_of(server, catalog_template) as sealed, copy_of(server, catalog_template) as plain:
        worlds = {"pilot": world(), "wave_1": world(range(11, 15))}
        for number in range(12):
            cohort = draw.choice(list(worlds))
            rows = worlds[cohort]
            for _ in range(draw.randint(0, 2)):
                theirs = _step(draw, rows)
                for each in (sealed, plain) if theirs else ():
                    change(each, theirs or "")
            settlement = Settlement(repair=draw.random() < 0.2)
            given = {"run_id": f"run-{number}", "settlement": settlement}
            one = load_cohort(
                engine, sealed, PLAN, order(cohort, kept_folder=tmp_path, **given), rows.canonical(engine)
            )
            two = load_cohort(engine, plain, PLAN, order(cohort, **given), rows.canonical(engine))
            assert (counts(one), one.conflicts, one.overwritten) == (counts(two), two.conflicts, two.overwritten)
            assert _dump(sealed) == _dump(plain), f"seed {seed}, load {number}"
