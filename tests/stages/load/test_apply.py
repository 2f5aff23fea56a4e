"""One load of one cohort: all or nothing, and nothing twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from target_world import PLAN_UUID, World, membership, order, products, rows, tiny_plan, utc, world

from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.errors import TargetRefused
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import load_suite
from migration_assets.stages.load import whole
from migration_assets.stages.load.apply import load_cohort, refuse_shared_ids
from migration_assets.stages.load.order import LoadResult, TableResult
from migration_assets.stages.load.plan import plan_load
from migration_assets.stages.load.shape import Shaper
from migration_assets.wiring.loading import loaded_table

EXPECTATIONS = Path(__file__).parents[3] / "expectations/loaded_target.yaml"
TABLES = ("products", "customers", "subscriptions", "subscription_items", "entitlements")


def counted(target: PostgresTarget) -> dict[str, int]:
    names = (*(f"billing.{t}" for t in TABLES), "cutover.crosswalk", "cutover.load_ledger", "cutover.pre_image")
    with target.transaction() as c:
        return {n: c.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}


def ask(target: PostgresTarget, query: str) -> list[tuple]:
    with target.transaction() as c:
        return c.execute(query).fetchall()


def test_first_load_writes_every_row_with_crosswalk_and_ledger(engine: DuckDBEngine, target: PostgresTarget) -> None:
    result = load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))
    assert [(t.table, t.inserted) for t in result.tables] == [
        ("customers", 6), ("subscriptions", 6), ("subscription_items", 12), ("entitlements", 6),
    ]  # fmt: skip
    assert result.rows_written == 30
    assert counted(target)["cutover.crosswalk"] == 30
    query = "SELECT table_name, inserted, run_id FROM cutover.load_ledger WHERE cohort = 'pilot' ORDER BY 1"
    ledger = ask(target, query)
    assert ledger == [
        ("crosswalk", 30, "run-1"), ("customers", 6, "run-1"), ("entitlements", 6, "run-1"),
        ("subscription_items", 12, "run-1"), ("subscriptions", 6, "run-1"),
    ]  # fmt: skip
    bits = ask(target, "SELECT name, email, created_at FROM billing.customers WHERE customer_number = 'C-00002'")
    assert bits == [('Ärger, "2" & Söhne\nGmbH', "", utc(2020, 1, 1, 2))]


def test_second_load_writes_nothing_anywhere(engine: DuckDBEngine, target: PostgresTarget) -> None:
    plan, canonical = tiny_plan(), world().canonical(engine)
    load_cohort(engine, target, plan, order(), canonical)
    before = counted(target), ask(target, "SELECT xmin, ctid FROM cutover.crosswalk ORDER BY target_id")
    again = load_cohort(engine, target, plan, order(snapshot="later", run_id="run-2"), canonical)
    assert again.rows_written == 0 and again.crosswalk.written == 0
    assert [t.unchanged for t in again.tables] == [6, 6, 12, 6]
    assert (counted(target), ask(target, "SELECT xmin, ctid FROM cutover.crosswalk ORDER BY target_id")) == before
    assert load_cohort(engine, target, plan, order("unassigned"), products(engine)).rows_written == 0


def test_every_count_is_taken_where_it_can_be_wrong(engine: DuckDBEngine, target: PostgresTarget) -> None:
    plan, canonical = tiny_plan(), world().canonical(engine)
    first = load_cohort(engine, target, plan, order(), canonical)
    again = load_cohort(engine, target, plan, order(), canonical)
    assert [(t.planned, t.inserted, t.found) for t in first.tables] == [(6, 6, 6), (6, 6, 6), (12, 12, 12), (6, 6, 6)]
    assert [(t.planned, t.unchanged, t.found) for t in again.tables] == [(6, 6, 6), (6, 6, 6), (12, 12, 12), (6, 6, 6)]
    other = load_cohort(engine, target, plan, order("wave_1"), world(range(11, 13)).canonical(engine))
    assert [(t.planned, t.found) for t in other.tables] == [(2, 2), (2, 2), (4, 4), (2, 2)]
    catalog = load_cohort(engine, target, plan, order("unassigned"), products(engine))
    assert [(t.planned, t.unchanged, t.found) for t in catalog.tables] == [(1, 1, 1)]


def failed(engine: DuckDBEngine, result: LoadResult, folder: Path) -> set[str]:
    """Checks of `loaded_target` that do not pass on what this load says of itself."""
    path = folder / "loaded.parquet"
    engine.write(engine.table(loaded_table(result)), path)
    return {r.check for r in run_suite(load_suite(EXPECTATIONS), {"loaded": path}) if not r.passed}


TRIGGERS = {
    # The target drops a row and says so to nobody: COPY reports five, and five are there.
    "swallows": ("BEFORE", "RETURN NULL;", (6, 5, 5), {"loaded_none_rejected"}),
    # The target takes a row, reports it written, and removes it again.
    "takes back": (
        "AFTER", "DELETE FROM billing.entitlements WHERE entitlement_id = NEW.entitlement_id; RETURN NULL;", (6, 6, 5),
        {"loaded_none_rejected", "loaded_counts_balance"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TRIGGERS)
def test_a_target_that_loses_a_row_is_found_out(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path, kind: str
) -> None:
    moment, body, counts, checks = TRIGGERS[kind]
    with target.transaction() as c:
        c.execute(f"CREATE FUNCTION billing.lose() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
                  f"AS $$ BEGIN {body} END $$")  # fmt: skip
        c.execute(f"CREATE TRIGGER lose {moment} INSERT ON billing.entitlements FOR EACH ROW WHEN (NEW.customer_id = "
                  f"'{_id_of_the_third(engine)}') EXECUTE FUNCTION billing.lose()")  # fmt: skip
    result = load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))
    lost = result.tables[-1]
    assert (lost.planned, lost.inserted, lost.found) == counts
    assert failed(engine, result, tmp_path) == checks


def _id_of_the_third(engine: DuckDBEngine) -> str:
    rows = plan_load(engine, tiny_plan(), world().canonical(engine)).tables[0].shaped
    return next(r["customer_id"] for r in engine.arrow(rows).to_pylist() if r["_surrogate"] == "crm.accounts#3")


def test_a_row_that_shaping_lost_is_found_out(
    engine: DuckDBEngine, target: PostgresTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the load writes or reports is wrong; only the canonical rows know."""
    shaped = Shaper.shaped
    monkeypatch.setattr(
        Shaper, "shaped", lambda *a, **k: shaped(*a, **k).filter(lambda t: ~t["_surrogate"].endswith("3"))
    )
    result = load_cohort(
        engine, target, tiny_plan(), order(), {"customer": world(range(2, 7)).canonical(engine)["customer"]}
    )
    assert [(t.planned, t.inserted, t.found) for t in result.tables] == [(5, 4, 4)]
    assert failed(engine, result, tmp_path) == {"loaded_none_rejected"}


def _counts(**changes: int) -> TableResult:
    given = {"planned": 6, "inserted": 3, "updated": 1, "unchanged": 2, "deleted": 0, "found": 6}
    return TableResult("customers", **{**given, **changes})


@pytest.mark.parametrize(
    ("counts", "checks"),
    [
        ({}, set()),
        ({"inserted": 2, "found": 5}, {"loaded_none_rejected"}),
        ({"unchanged": 1}, {"loaded_counts_balance"}),
        ({"inserted": 4, "found": 7}, {"loaded_counts_not_negative"}),
        ({"deleted": 1}, {"loaded_none_removed"}),
    ],
)
def test_each_check_of_the_counts_can_fail(
    engine: DuckDBEngine, tmp_path: Path, counts: dict[str, int], checks: set[str]
) -> None:
    result = LoadResult("pilot", (_counts(**counts),), TableResult("crosswalk", 6, 6, 0, 0))
    assert failed(engine, result, tmp_path) == checks


def test_no_table_or_one_that_was_not_counted_is_found_out(engine: DuckDBEngine, tmp_path: Path) -> None:
    record = TableResult("crosswalk", 6, 6, 0, 0)
    assert "tables_loaded" in failed(engine, LoadResult("pilot", (), record), tmp_path)
    assert "loaded_once" in failed(engine, LoadResult("pilot", (_counts(), _counts()), record), tmp_path)
    assert "loaded_complete" in failed(engine, LoadResult("pilot", (replace(_counts(), found=None),), record), tmp_path)


def test_a_changed_row_writes_exactly_that_row_and_keeps_the_old_one(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    changed = world()
    load_cohort(engine, target, tiny_plan(), order(), changed.canonical(engine))
    changed.one("subscription", 4)["billed_to_date_minor"] += 1
    result = load_cohort(engine, target, tiny_plan(), order(), changed.canonical(engine))
    assert (result.rows_written, [t.updated for t in result.tables]) == (1, [0, 1, 0, 0])
    query = "SELECT operation, table_name, row ->> 'billed_to_date_minor' FROM cutover.pre_image ORDER BY 2 DESC"
    kept = ask(target, query)
    assert kept == [("update", "subscriptions", "4000"), ("update", "crosswalk", None)]


def test_rows_the_cohort_no_longer_has_are_removed_and_kept_as_pre_images(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    fewer = world()
    load_cohort(engine, target, tiny_plan(), order(), fewer.canonical(engine))
    for entity in fewer.records:
        fewer.records[entity] = [r for r in fewer.records[entity] if str(r["source_row"])[0] != "6"]
    result = load_cohort(engine, target, tiny_plan(), order(), fewer.canonical(engine))
    assert [t.deleted for t in result.tables] == [1, 1, 2, 1]
    assert counted(target)["cutover.crosswalk"] == 25
    assert ask(target, "SELECT count(*) FROM cutover.pre_image WHERE operation = 'delete'") == [(10,)]


def test_a_load_that_dies_between_tables_leaves_nothing(
    engine: DuckDBEngine, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counted(target)
    load_table = whole.WholeLoad._table

    def dies(self: whole.WholeLoad, table: object, fresh: bool) -> object:
        if table.table == "entitlements":  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return load_table(self, table, fresh)  # type: ignore[arg-type]

    monkeypatch.setattr(whole.WholeLoad, "_table", dies)
    with pytest.raises(KeyboardInterrupt):
        load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))
    assert counted(target) == before


def test_a_dry_run_counts_and_writes_nothing(engine: DuckDBEngine, target: PostgresTarget) -> None:
    before = counted(target)
    result = load_cohort(engine, target, tiny_plan(), order(dry_run=True), world().canonical(engine))
    assert (result.rows_written, result.dry_run) == (30, True)
    assert counted(target) == before


def test_rows_that_are_there_without_a_crosswalk_are_taken_over_not_doubled(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan, canonical = tiny_plan(), world().canonical(engine)
    load_cohort(engine, target, plan, order(), canonical)
    with target.transaction() as c:
        c.execute("DELETE FROM cutover.crosswalk")
    result = load_cohort(engine, target, plan, order(), canonical)
    assert (result.rows_written, result.crosswalk.inserted) == (0, 30)


def test_another_loader_at_the_same_time_is_told_so(engine: DuckDBEngine, target: PostgresTarget) -> None:
    with target.transaction() as c:
        c.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cutover load {PLAN_UUID}"])
        with pytest.raises(TargetRefused, match="another load of this plan"):
            load_cohort(engine, target, tiny_plan(), order(lock_seconds=1), world().canonical(engine))


def test_two_cohorts_loaded_at_once_wait_for_each_other(target: PostgresTarget) -> None:
    refused: list[BaseException] = []

    def load(cohort: str, customers: range) -> None:
        try:
            with DuckDBEngine(memory_limit="500MB") as engine:
                load_cohort(engine, target, tiny_plan(), order(cohort), world(customers).canonical(engine))
        except BaseException as error:
            refused.append(error)

    threads = [threading.Thread(target=load, args=a) for a in (("a", range(1, 7)), ("b", range(11, 17)))]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert refused == [] and counted(target)["billing.customers"] == 12


def test_the_writer_cannot_change_the_schema_and_the_reader_cannot_write(target: PostgresTarget) -> None:
    for role, statement in (
        ("tiny_writer", "CREATE TABLE billing.mine ()"),
        ("tiny_writer", "DROP TABLE billing.customers"),
        ("tiny_writer", "DELETE FROM cutover.load_ledger"),
        ("tiny_reader", "DELETE FROM billing.customers"),
        ("tiny_reader", "SELECT * FROM cutover.pre_image"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), target.transaction(role=role) as c:
            c.execute(statement)
    with target.transaction(role="tiny_reader") as c:
        c.execute("SELECT * FROM billing.customers")


SECRET = "Wanda Geheim"
BREAKS = [
    ("subscription", "status", "Wanda Geheim", "subscriptions_status_code", "erp.contracts#3"),
    ("subscription", "currency", None, "currency", "erp.contracts#3"),
    ("subscription", "currency", "Wanda Geheim", "subscriptions_currency_currency", "erp.contracts#3"),
    ("subscription", "customer_id", "crm.accounts:99", "subscriptions_customer_id_fkey", "erp.contracts#3"),
    ("subscription", "starts_at", utc(2030, 1, 1), "subscriptions_starts_at_lt_ends_at", "erp.contracts#3"),
    ("customer", "customer_number", "C-00004", "customers_customer_number_key", "crm.accounts#"),
    ("customer", "parent_id", "crm.accounts:77", "customers_parent_id_fkey", "crm.accounts#3"),
    ("customer", "name", None, "name", "crm.accounts#3"),
    ("customer", "name", "Wanda\0Geheim", "customers", "crm.accounts#3"),
    ("entitlement", "customer_id", "crm.accounts:1", "overlap", "erp.contracts#"),
]


@pytest.mark.parametrize(("entity", "field", "value", "named", "surrogate"), BREAKS)
@pytest.mark.parametrize("loaded_before", [False, True])
def test_a_refusal_names_constraint_and_row_and_no_value(
    engine: DuckDBEngine, target: PostgresTarget, loaded_before: bool, entity: str, field: str, value: object,
    named: str, surrogate: str,
) -> None:  # fmt: skip
    broken = world()
    for record in broken.records["customer"]:
        record["name"] = f"{SECRET} {record['source_row']}"
    if loaded_before:
        load_cohort(engine, target, tiny_plan(), order(), broken.canonical(engine))
    before = counted(target)
    broken.one(entity, 3)[field] = value
    with pytest.raises(TargetRefused) as refused:
        load_cohort(engine, target, tiny_plan(), order(), broken.canonical(engine))
    text = str(refused.value)
    assert named in text and surrogate in text and "nothing was written" in text
    assert "Wanda" not in text and "Geheim" not in text and "C-0000" not in text
    # The driver's own error, with the row in its DETAIL, must not ride along into a log.
    assert refused.value.__suppress_context__ and refused.value.__cause__ is None
    assert counted(target) == before


def test_a_merged_row_and_references_to_it_lead_to_the_survivor(engine: DuckDBEngine, target: PostgresTarget) -> None:
    merged = world(range(1, 4))
    del merged.records["entitlement"]  # two of one customer would overlap
    merged.records["customer"] = [r for r in merged.records["customer"] if r["source_row"] != 3]
    redirects = _redirects(engine, "crm.accounts:3", "crm.accounts:1")
    load_cohort(engine, target, tiny_plan(), order(), merged.canonical(engine), redirects)
    ids = dict(ask(target, "SELECT source_id, target_id FROM cutover.crosswalk WHERE entity = 'customer'"))
    assert ids["3"] == ids["1"] != ids["2"]
    owners = ask(target, "SELECT count(*) FROM billing.subscriptions WHERE customer_id = (SELECT target_id FROM "
                         "cutover.crosswalk WHERE entity = 'customer' AND source_id = '1')")  # fmt: skip
    assert owners == [(2,)]


def test_ids_stay_when_the_survivor_changes_and_go_home_after_an_unmerge(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan, both = tiny_plan(), world(range(1, 3))
    del both.records["entitlement"]
    both.one("customer", 2)["parent_id"] = None

    def ids() -> dict[str, object]:
        return dict(ask(target, "SELECT source_id, target_id FROM cutover.crosswalk WHERE entity = 'customer'"))

    def without(number: int) -> dict:
        records = {e: [r for r in rs if e != "customer" or r["source_row"] != number] for e, rs in both.records.items()}
        return {e: rows(engine, e, rs) for e, rs in records.items()}

    one, two = (membership(engine, {"pilot": (1, 2)}, into=into) for into in ({2: 1}, {1: 2}))
    load_cohort(engine, target, plan, order(), without(2), _redirects(engine, "crm.accounts:2", "crm.accounts:1"), one)
    founder = ids()["1"]
    load_cohort(engine, target, plan, order(), without(1), _redirects(engine, "crm.accounts:1", "crm.accounts:2"), two)
    assert ids() == {"1": founder, "2": founder}
    assert ask(target, "SELECT customer_id, customer_number FROM billing.customers") == [(founder, "C-00002")]
    load_cohort(engine, target, plan, order(), both.canonical(engine), None, membership(engine, {"pilot": (1, 2)}))
    assert ids()["1"] == founder and ids()["2"] != founder
    numbers = dict(ask(target, "SELECT customer_number, customer_id FROM billing.customers"))
    assert numbers["C-00001"] == founder and len(numbers) == 2


def _redirects(engine: DuckDBEngine, key: str, into: str):
    import pyarrow as pa

    return engine.table(pa.table({"entity": ["customer"], "key": [key], "into_key": [into]}))


def test_an_unreachable_target_is_said_without_its_password() -> None:
    from migration_assets.domain.errors import Misconfigured

    target = PostgresTarget("postgresql+psycopg://u:hunter2@127.0.0.1:1/none")
    with pytest.raises(Misconfigured) as refused, target.transaction():
        pass
    assert "hunter2" not in str(refused.value)


def test_a_target_that_lost_a_table_is_refused(engine: DuckDBEngine, target: PostgresTarget) -> None:
    with target.transaction() as c:
        c.execute("DROP TABLE billing.entitlements")
    with pytest.raises(TargetRefused, match="entitlements"):
        load_cohort(engine, target, tiny_plan(), order(), world().canonical(engine))


def part(numbers: range) -> World:
    """Some of the six customers, with all that is theirs."""
    whole = world()
    theirs = {"subscription_item": lambda r: r["source_row"] // 10}
    return World(
        {
            e: [r for r in rs if theirs.get(e, lambda r: r["source_row"])(r) in numbers]
            for e, rs in whole.records.items()
        }
    )


def test_a_customer_that_leaves_for_another_cohort_keeps_everything_until_that_one_is_loaded(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan = tiny_plan()
    load_cohort(engine, target, plan, order("pilot"), world(range(1, 7)).canonical(engine))
    before = counted(target)
    now = membership(engine, {"pilot": range(1, 5), "base": range(5, 7)})
    stays = load_cohort(engine, target, plan, order("pilot"), part(range(1, 5)).canonical(engine), membership=now)
    assert stays.rows_written == 0, "nobody loses anything because another cohort may be blocked"
    assert stays.handed_over == 10, "two customers, each with a contract, two items and an entitlement"
    held = ask(target, "SELECT cohort, count(*) FROM cutover.crosswalk GROUP BY 1 ORDER BY 1")
    assert held == [("base", 10), ("pilot", 20)]
    smaller = part(range(5, 7))
    smaller.records["subscription_item"] = [i for i in smaller.records["subscription_item"] if i["source_row"] != 61]
    arrives = load_cohort(engine, target, plan, order("base"), smaller.canonical(engine), membership=now)
    assert arrives.rows_written == 1, "what the source no longer has goes when its new cohort is loaded"
    assert counted(target)["billing.customers"] == before["billing.customers"]


def test_a_customer_that_comes_from_another_cohort_is_not_doubled_and_leaves_nothing_behind(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan = tiny_plan()
    load_cohort(engine, target, plan, order("pilot"), part(range(1, 4)).canonical(engine))
    load_cohort(engine, target, plan, order("base"), part(range(4, 7)).canonical(engine))
    # Customer 4 turns out to be customer 1, whose family now moves with the pilot; its contract comes along.
    whole = part(range(1, 5))
    for entity in ("customer", "entitlement"):
        whole.records[entity] = [r for r in whole.records[entity] if r["source_row"] != 4]
    whole.one("subscription", 4)["customer_id"] = "crm.accounts:1"
    merged = engine.table(pa.table({"entity": ["customer"], "key": ["crm.accounts:4"], "into_key": ["crm.accounts:1"]}))
    now = membership(engine, {"pilot": range(1, 5), "base": range(5, 7)})
    load_cohort(engine, target, plan, order("pilot"), whole.canonical(engine), merged, membership=now)
    assert counted(target)["billing.customers"] == 5, "the merged customer's own row is gone"
    (one,) = ask(target, "SELECT target_id FROM cutover.crosswalk WHERE entity = 'customer' AND source_id = '1'")
    assert ask(target, "SELECT count(*) FROM billing.subscriptions WHERE customer_id = '" + str(one[0]) + "'") == [(2,)]
    left = load_cohort(engine, target, plan, order("base"), part(range(5, 7)).canonical(engine), membership=now)
    assert left.rows_written == 0


def test_after_an_unmerge_across_cohorts_the_id_stays_with_its_founder_whoever_is_loaded_first(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan, both = tiny_plan(), part(range(1, 3))
    del both.records["entitlement"]
    both.one("customer", 2)["parent_id"] = None
    merged = {e: [r for r in rs if e != "customer" or r["source_row"] == 1] for e, rs in both.records.items()}
    redirects = _redirects(engine, "crm.accounts:2", "crm.accounts:1")
    whole = {e: rows(engine, e, rs) for e, rs in merged.items()}
    load_cohort(
        engine, target, plan, order("pilot"), whole, redirects, membership(engine, {"pilot": range(1, 3)}, into={2: 1})
    )
    now = membership(engine, {"pilot": range(1, 2), "base": range(2, 3)})
    alone = {e: [r for r in rs if str(r["source_row"])[0] == "2"] for e, rs in both.records.items()}
    load_cohort(engine, target, plan, order("base"), {e: rows(engine, e, r) for e, r in alone.items()}, None, now)
    first = {e: [r for r in rs if str(r["source_row"])[0] == "1"] for e, rs in both.records.items()}
    load_cohort(engine, target, plan, order("pilot"), {e: rows(engine, e, r) for e, r in first.items()}, None, now)
    ids = dict(ask(target, "SELECT source_id, target_id FROM cutover.crosswalk WHERE entity = 'customer'"))
    assert ids["1"] != ids["2"]
    assert dict(ask(target, "SELECT customer_id, customer_number FROM billing.customers")) == {
        ids["1"]: "C-00001",
        ids["2"]: "C-00002",
    }


def test_what_another_cohort_still_has_of_a_merged_customer_is_led_to_the_survivor(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan, payer = tiny_plan(), part(range(3, 4))
    payer.one("customer", 3).update(parent_id="crm.accounts:1", payer_id="crm.accounts:1")
    load_cohort(engine, target, plan, order("pilot"), part(range(1, 3)).canonical(engine))
    load_cohort(engine, target, plan, order("base"), payer.canonical(engine))
    now = membership(engine, {"pilot": (1, 2), "base": (3,)}, into={1: 2})
    merged = part(range(1, 3))
    merged.records["customer"] = [merged.one("customer", 2) | {"parent_id": None}]
    for entity in ("subscription", "entitlement"):
        merged.records[entity] = [merged.one(entity, 2)]
    merged.records["subscription_item"] = merged.records["subscription_item"][2:]
    done = load_cohort(
        engine, target, plan, order("pilot"), merged.canonical(engine),
        _redirects(engine, "crm.accounts:1", "crm.accounts:2"), now,
    )  # fmt: skip
    assert done.rows_removed == 5, "the merged customer, and the contract that the cohort does not have any more"
    (second,) = ask(target, "SELECT target_id FROM cutover.crosswalk WHERE entity = 'customer' AND source_id = '2'")
    led = "SELECT parent_id, payer_id FROM billing.customers WHERE customer_number = 'C-00003'"
    assert ask(target, led) == [second * 2]
    payer.one("customer", 3).update(parent_id="crm.accounts:2", payer_id="crm.accounts:2")
    again = load_cohort(engine, target, plan, order("base"), payer.canonical(engine))
    assert (again.rows_written, again.crosswalk.written, again.conflicts) == (0, 0, ())


def test_two_rows_under_one_id_are_refused(engine: DuckDBEngine, target: PostgresTarget) -> None:
    """The net below: a record bent by hand would let two customers write into one row."""
    load_cohort(engine, target, tiny_plan(), order("pilot"), part(range(1, 3)).canonical(engine))
    with target.transaction() as connection:
        refuse_shared_ids(connection, "pilot")
        connection.execute(
            "UPDATE cutover.crosswalk SET founder = false, cohort = 'base', target_id = (SELECT target_id FROM "
            "cutover.crosswalk WHERE entity = 'customer' AND source_id = '1') "
            "WHERE entity = 'customer' AND source_id = '2'"
        )
        refuse_shared_ids(connection, "late")
        for cohort in ("pilot", "base"):
            with pytest.raises(
                TargetRefused, match=r"1 rows of customer in cohort base bear the id .* in cohort pilot"
            ):
                refuse_shared_ids(connection, cohort)


def test_what_was_in_a_cohort_that_is_no_longer_planned_is_handed_over_or_becomes_unassigned(
    engine: DuckDBEngine, target: PostgresTarget
) -> None:
    plan = tiny_plan()
    load_cohort(engine, target, plan, order("gone"), part(range(1, 4)).canonical(engine))
    now = membership(engine, {"pilot": range(1, 3)})  # of customer 3 the source has nothing any more
    load_cohort(engine, target, plan, order("unassigned"), {}, membership=now)
    held = dict(ask(target, "SELECT source_id, cohort FROM cutover.crosswalk WHERE entity = 'customer'"))
    assert held == {"1": "pilot", "2": "pilot", "3": "unassigned"}
    stays = load_cohort(engine, target, plan, order("pilot"), part(range(1, 3)).canonical(engine), membership=now)
    assert stays.rows_written == 0
    none = {e: rows(engine, e, []) for e in world().records}
    emptied = load_cohort(engine, target, plan, order("unassigned"), none, membership=now)
    assert emptied.rows_written == 5, "the customer, its contract, two items and what it entitles to"
    assert counted(target)["billing.customers"] == 2
