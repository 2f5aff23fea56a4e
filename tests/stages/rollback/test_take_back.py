"""Cohorts are taken back on a real server: what was before is there again, to the letter, and nothing else moved."""

from __future__ import annotations

from typing import Any

import psycopg
import pyarrow as pa
import pytest
from taken_world import ask, content, crosswalk, take_back, told
from target_world import World, membership, order, tiny_plan, utc, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import BadInput, TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.load.order import LoadResult
from migration_assets.stages.rollback.loads import rolled_back
from migration_assets.stages.rollback.obstacles import ChangedSince
from migration_assets.stages.rollback.undo import write_rows

OF_SIX = 30


def load(engine: DuckDBEngine, target: PostgresTarget, cohort: str, made: World, **more: Any) -> LoadResult:
    return load_cohort(engine, target, tiny_plan(), order(cohort), made.canonical(engine), **more)


def part(numbers: range) -> World:
    """A world without the child that its first customer has."""
    made = world(numbers)
    made.records["customer"] = [c | {"parent_id": None} for c in made.records["customer"]]
    return made


def redirects(engine: DuckDBEngine, key: int, into: int) -> Any:
    names = {"entity": ["customer"], "key": [f"crm.accounts:{key}"], "into_key": [f"crm.accounts:{into}"]}
    return engine.table(pa.table(names))


def test_after_a_first_load_nothing_of_the_cohort_is_left(engine: DuckDBEngine, target: PostgresTarget) -> None:
    before = content(target)
    load(engine, target, "pilot", world())
    ids = crosswalk(target)
    done = take_back(target, "pilot")
    assert content(target) == before
    assert (done.rows("goes"), done.rows("restored", "returns"), done.crosswalk) == (OF_SIX, 0, (OF_SIX, 0, 0))
    assert all(p.holds and p.as_recorded for p in done.proof)
    load(engine, target, "pilot", world())
    assert crosswalk(target) == ids, "a later load gives the same ids"


def test_the_ledger_keeps_what_was_and_says_what_was_taken_back(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    was = ask(target, "SELECT * FROM cutover.load_ledger ORDER BY load_id, table_name")
    done = take_back(target, "pilot")
    now = ask(target, "SELECT * FROM cutover.load_ledger ORDER BY load_id, table_name")
    assert now[: len(was)] == was
    own = f"SELECT table_name, deleted, run_id FROM cutover.load_ledger WHERE load_id = {done.rollback_id} ORDER BY 1"
    assert ask(target, own) == [
        ("crosswalk", 30, "rollback"), ("customers", 6, "rollback"), ("entitlements", 6, "rollback"),
        ("subscription_items", 12, "rollback"), ("subscriptions", 6, "rollback"),
    ]  # fmt: skip
    taken = ask(target, "SELECT load_id, rollback_id, cohort, actor FROM cutover.taken_back")
    assert taken == [(done.loads[0], done.rollback_id, "pilot", "anna")]
    with target.transaction() as connection:
        assert set(rolled_back(connection)) == {"pilot"}
    load(engine, target, "pilot", world())
    with target.transaction() as connection:
        assert rolled_back(connection) == {}


def test_after_a_second_load_with_changes_both_are_taken_back(engine: DuckDBEngine, target: PostgresTarget) -> None:
    before = content(target)
    load(engine, target, "pilot", world())
    load(engine, target, "pilot", changed())
    done = take_back(target, "pilot")
    assert content(target) == before
    assert len(done.loads) == 2


def changed() -> World:
    """Customer 6 left with all that is theirs, 7 came, and two rows are others."""
    made = world(range(1, 8))
    made.records["customer"] = [c for c in made.records["customer"] if c["source_row"] != 6]
    for entity in ("subscription", "entitlement"):
        made.records[entity] = [r for r in made.records[entity] if r["source_row"] != 6]
    made.records["subscription_item"] = [i for i in made.records["subscription_item"] if i["source_row"] // 10 != 6]
    made.one("subscription", 1).update(billed_to_date_minor=-5, ends_at=utc(2027, 1, 1, 7))
    made.one("customer", 3).update(name='Anders & Söhne \\ "neu"\r\n', email=None)
    return made


def test_rows_of_other_cohorts_are_not_touched(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "base", part(range(11, 14)))
    load(engine, target, "pilot", part(range(1, 4)))
    load(engine, target, "base", part(range(11, 15)))
    others = [r for r in crosswalk(target) if r[-1] != "pilot"]
    done = take_back(target, "pilot")
    assert crosswalk(target) == others
    assert ask(target, "SELECT count(*) FROM billing.customers WHERE customer_number >= 'C-00011'") == [(4,)]
    assert ask(target, "SELECT count(*) FROM billing.customers") == [(4,)]
    assert all(p.before.rest == p.after.rest and p.as_recorded for p in done.proof)


def test_a_merge_is_taken_back_with_its_redirect_and_what_it_led(engine: DuckDBEngine, target: PostgresTarget) -> None:
    """Customer 3 of the base names 1 as its payer; 1 is merged into 2, and 3 is led to 2. Then the merge comes back."""
    payer = part(range(3, 4))
    payer.one("customer", 3).update(payer_id="crm.accounts:1")
    load(engine, target, "pilot", part(range(1, 3)))
    load(engine, target, "base", payer)
    merged = part(range(2, 3))
    now = membership(engine, {"pilot": (1, 2), "base": (3,)}, into={1: 2})
    load(engine, target, "pilot", merged, redirects=redirects(engine, 1, 2), membership=now)
    (two,) = ask(target, "SELECT target_id FROM cutover.crosswalk WHERE entity = 'customer' AND source_id = '2'")
    assert ask(target, "SELECT payer_id FROM billing.customers WHERE customer_number = 'C-00003'") == [two]
    with pytest.raises(TargetRefused, match=r"other cohorts stand on what pilot brought: base \(1 rows\)") as refused:
        take_back(target, "pilot")
    assert "`cutover rollback --cohort base` then `cutover rollback --cohort pilot`" in refused.value.remedy
    take_back(target, "base", "pilot")
    assert ask(target, "SELECT count(*) FROM billing.customers") == [(0,)]
    reserved = ask(target, "SELECT source_id, target_id, status FROM cutover.reserved_id ORDER BY 1")
    assert reserved == [("1", *two, "merged"), ("2", *two, "loaded")]


def test_a_reference_that_was_led_in_a_row_of_another_cohort_is_led_back(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    """The base has brought 1, 2 and 3 (who pays by 1); the pilot takes 1 and 2 over and merges them."""
    both = part(range(1, 4))
    both.one("customer", 3).update(payer_id="crm.accounts:1")
    load(engine, target, "base", both)
    before = content(target)
    merged = part(range(2, 3))
    now = membership(engine, {"pilot": (1, 2), "base": (3,)}, into={1: 2})
    load(engine, target, "pilot", merged, redirects=redirects(engine, 1, 2), membership=now)
    assert content(target) != before
    done = take_back(target, "pilot")
    assert content(target) == before
    assert done.received == ("base",), "its rows came back, and it has to be loaded again"


def test_what_was_taken_over_goes_back_to_the_cohort_that_had_it(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "base", part(range(11, 14)))
    before = content(target)
    came = part(range(11, 12))
    came.one("subscription", 11).update(billed_to_date_minor=77)
    now = membership(engine, {"pilot": (11,), "base": (12, 13)})
    load(engine, target, "pilot", came, membership=now)
    assert ("customer", "11", "pilot") in ask(target, "SELECT entity, source_id, cohort FROM cutover.crosswalk")
    take_back(target, "pilot")
    assert content(target) == before


def test_what_another_cohort_was_given_stays_with_it(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "base", part(range(11, 12)))
    load(engine, target, "pilot", part(range(1, 3)))
    now = membership(engine, {"pilot": (1,), "base": (2, 11)})
    load(engine, target, "pilot", part(range(1, 2)), membership=now)
    load(engine, target, "base", World(_together(part(range(11, 12)), part(range(2, 3)))), membership=now)
    done = take_back(target, "pilot")
    assert done.rows("theirs") == 5
    held = ask(target, "SELECT source_id, cohort FROM cutover.crosswalk WHERE entity = 'customer' ORDER BY 1")
    assert held == [("11", "base"), ("2", "base")]
    assert ask(target, "SELECT customer_number FROM billing.customers ORDER BY 1") == [("C-00002",), ("C-00011",)]
    again = load(engine, target, "pilot", part(range(1, 2)), membership=now)
    assert again.rows_written == 5
    take_back(target, "base")
    take_back(target, "pilot")
    assert ask(target, "SELECT count(*) FROM cutover.crosswalk") == [(0,)]


def _together(one: World, other: World) -> dict[str, list[dict[str, Any]]]:
    return {entity: one.records[entity] + other.records[entity] for entity in one.records}


def test_a_row_that_somebody_else_changed_stops_it(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    told(target, "UPDATE billing.subscriptions SET status = 'paused' WHERE billed_to_date_minor = 2000")
    told(
        target,
        "DELETE FROM billing.entitlements WHERE customer_id = (SELECT customer_id FROM billing.customers "
        "WHERE customer_number = 'C-00004')",
    )
    before = content(target)
    with pytest.raises(ChangedSince) as refused:
        take_back(target, "pilot")
    assert content(target) == before
    assert "1 of entitlements removed by somebody else, 1 of subscriptions changed" in str(refused.value)
    assert [(r.table, r.source) for r in refused.value.rows] == [
        ("entitlements", "erp.contracts:4/seats/0"), ("subscriptions", "erp.contracts:2"),
    ]  # fmt: skip
    assert "Söhne" not in str(refused.value)


def test_a_row_that_somebody_else_changed_can_be_kept(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    told(target, "UPDATE billing.subscriptions SET status = 'paused' WHERE billed_to_date_minor = 2000")
    done = take_back(target, "pilot", changed_since="preserve")
    assert ask(target, "SELECT status FROM billing.subscriptions") == [("paused",)]
    # Customer 2, whose contract it is, and customer 1, whose child that is, have to stay for it.
    kept = ask(target, "SELECT customer_number FROM billing.customers ORDER BY 1")
    assert kept == [("C-00001",), ("C-00002",)]
    assert ask(target, "SELECT entity, source_id FROM cutover.crosswalk ORDER BY 1, 2") == [
        ("customer", "1"), ("customer", "2"), ("subscription", "2"),
    ]  # fmt: skip
    assert [r.what for r in done.kept] == ["changed by somebody else"]
    assert done.rows("kept") == 3
    assert all(p.holds for p in done.proof)
    again = load(engine, target, "pilot", world())
    assert again.rows_written == OF_SIX - 3, "the next load finds what was kept"
    assert [(c.table, c.column, c.asked) for c in again.conflicts] == [("subscriptions", "status", True)]
    take_back(target, "pilot")
    assert ask(target, "SELECT status FROM billing.subscriptions") == [("paused",)], "as it was before that load"


def test_rows_that_no_load_brought_are_not_torn_off(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    told(
        target,
        "INSERT INTO billing.subscriptions SELECT gen_random_uuid(), customer_id, 'active', 'EUR', now() "
        "FROM billing.customers WHERE customer_number = 'C-00005'",
    )
    with pytest.raises(ChangedSince, match="1 of customers needed by rows that no load brought"):
        take_back(target, "pilot")
    done = take_back(target, "pilot", changed_since="preserve")
    assert ask(target, "SELECT customer_number FROM billing.customers") == [("C-00005",)]
    by_table = {p.table: p for p in done.proof}
    assert not by_table["subscriptions"].as_recorded, "a row there is nobody's that the ledger knows"
    assert by_table["customers"].as_recorded


def test_rows_that_other_cohorts_point_at_stay_until_these_are_taken_back(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    child = part(range(11, 12))
    child.one("customer", 11).update(parent_id="crm.accounts:1")
    load(engine, target, "pilot", part(range(1, 3)))
    load(engine, target, "base", child)
    before = content(target)
    with pytest.raises(TargetRefused, match=r"base \(1 rows\)"):
        take_back(target, "pilot")
    assert content(target) == before
    take_back(target, "base")
    take_back(target, "pilot")
    assert ask(target, "SELECT count(*) FROM billing.customers") == [(0,)]


def test_a_dry_run_does_all_and_leaves_all(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    before, ledger = content(target), ask(target, "SELECT count(*) FROM cutover.load_ledger")
    done = take_back(target, "pilot", dry_run=True)
    assert done.rows("goes") == OF_SIX
    assert (content(target), ask(target, "SELECT count(*) FROM cutover.load_ledger")) == (before, ledger)
    assert take_back(target, "pilot").rows("goes") == OF_SIX


@pytest.mark.parametrize("cohort", ["base", "nobody"])
def test_what_is_not_there_cannot_be_taken_back(engine: DuckDBEngine, target: PostgresTarget, cohort: str) -> None:
    load(engine, target, "pilot", world())
    with pytest.raises(BadInput, match=f"no load of {cohort}"):
        take_back(target, cohort)
    take_back(target, "pilot")
    with pytest.raises(BadInput, match="no load of pilot"):
        take_back(target, "pilot")


def test_a_load_that_noted_nothing_is_not_guessed_at(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    told(target, "DELETE FROM cutover.row_change WHERE table_name = 'entitlements'")
    with pytest.raises(TargetRefused, match="have not noted which rows they inserted"):
        take_back(target, "pilot")


def test_an_erased_customer_does_not_come_back(engine: DuckDBEngine, target: PostgresTarget) -> None:
    """The base had brought 11; the pilot took it over and removed it, because it was erased meanwhile."""
    load(engine, target, "base", part(range(11, 13)))
    now = membership(engine, {"pilot": (1, 11), "base": (12,)})
    load(engine, target, "pilot", World(_together(part(range(1, 2)), part(range(11, 12)))), membership=now)
    load(engine, target, "pilot", part(range(1, 2)), membership=membership(engine, {"pilot": (1, 11), "base": (12,)}))
    assert ask(target, "SELECT customer_number FROM billing.customers ORDER BY 1") == [("C-00001",), ("C-00012",)]
    done = take_back(target, "pilot", erased=frozenset({"crm.accounts:11"}), dry_run=True)
    assert done.rows("erased") == 5
    assert done.rows("returns") == 0
    assert take_back(target, "pilot").rows("returns") == 5, "without an erasure it comes back to the base"


def test_an_heir_bears_the_same_id_again(engine: DuckDBEngine, target: PostgresTarget) -> None:
    """Customer 2 bears the id minted from 1, who left the source; taken back and loaded again it still does."""
    merged = part(range(1, 2))
    both = membership(engine, {"pilot": (1, 2)}, into={2: 1})
    load(engine, target, "pilot", merged, redirects=redirects(engine, 2, 1), membership=both)
    alone = part(range(2, 3))
    load(engine, target, "pilot", alone, membership=membership(engine, {"pilot": (2,)}))
    ids = crosswalk(target)
    assert [r[6] for r in ids if r[0] == "customer"] == [False], "it is not its own founder"
    take_back(target, "pilot")
    assert crosswalk(target) == []
    load(engine, target, "pilot", alone, membership=membership(engine, {"pilot": (2,)}))
    assert crosswalk(target) == ids


def test_nobody_else_writes_while_it_goes_on_and_everybody_reads(
    engine: DuckDBEngine, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they wrote between the look and the writing would be gone, and the proof would not see it."""
    load(engine, target, "pilot", world())
    tried = []

    def meanwhile(*given: Any) -> None:
        write_rows(*given)
        with pytest.raises(psycopg.errors.LockNotAvailable), target.transaction() as c:
            c.execute("SET LOCAL lock_timeout = '100ms'")
            c.execute("UPDATE billing.products SET name = 'Theirs'")
        assert ask(target, "SELECT count(*) FROM billing.customers") == [(6,)]
        tried.append(True)

    monkeypatch.setattr("migration_assets.stages.rollback.take_back.write_rows", meanwhile)
    assert take_back(target, "pilot").rows("goes") == OF_SIX and tried == [True]


def test_it_does_not_wait_for_ever_for_those_who_write(engine: DuckDBEngine, target: PostgresTarget) -> None:
    load(engine, target, "pilot", world())
    before = content(target)
    with target.transaction() as c:
        c.execute("UPDATE billing.products SET name = name")
        with pytest.raises(TargetRefused, match="others have been writing to the target for 1 seconds"):
            take_back(target, "pilot", lock_seconds=1)
    assert content(target) == before
