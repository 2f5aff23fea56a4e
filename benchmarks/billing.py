"""Next bills and access of both systems, compared, at size: what it costs beside the least that could be done with the
same rows, and beside the readable rules.

Some thousand random contracts and customers, the same that tests hold the fast rules to the readable ones with, are
repeated until there are enough. Each step is a process of its own, so that CPU and peak memory are its own. The floor
spreads the same items over the same twelve cycles, and the same grants over their time, on both sides, sums them and
holds the sums against each other, in plain SQL on the same engine: nothing is decided there, nothing rounded, and no
calendar asked. usage: python -m benchmarks.billing [subscriptions]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from migration_assets.domain.access_parity import access_differences as readable_differences
from migration_assets.domain.bill_parity import bill_differences as readable_bill_differences
from migration_assets.domain.calendar import add_months
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.legacy import access as old_access
from migration_assets.domain.legacy import terms as old
from migration_assets.domain.legacy.invoices import invoices
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import access as new_access
from migration_assets.domain.target import terms as new
from migration_assets.domain.target.invoices import invoices_from
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.schema import schema_of
from migration_assets.plan.billing_models import Billing, LegacyFeature
from migration_assets.plan.load import load_plan
from migration_assets.stages.entitlements.derive import CatalogRows, granted_by_items, granted_by_overrides
from migration_assets.stages.entitlements.resolve import resolved
from migration_assets.stages.shadow.access_comparison import Granting, access_compared
from migration_assets.stages.shadow.comparison import Sides
from migration_assets.stages.shadow.forecast import Origins
from migration_assets.stages.shadow.in_parts import compared_in_parts
from migration_assets.stages.shadow.target.rows import TargetRows

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # the random contracts are the tests'

from held_rows import apart, held_rows
from legacy_records import records_of, tables
from random_access import GRANTS, Customer, canonical_rows, customer
from random_holders import Agreement, Holder, records_of_holders
from random_sold import T, random_sold
from told_twice import Sold, contract, subscription

ROOT = Path(__file__).resolve().parent.parent
AS_OF = datetime(T.year, T.month, T.day, 12, tzinfo=UTC)
# So many different contracts, and so many of them are told by the readable rules.
DIFFERENT, READABLE = 5_000, 10_000
SEED = 20261129
_IDS = {"contract_id", "item_id", "discount_id", "change_id", "customer", "override_id", "subscription_id", "id",
        "source_id", "scheduled_change_id", "customer_id", "entitlement_id"}  # fmt: skip
FEATURES = {f: LegacyFeature(feature=f) for f in ("seats", "storage", "sso")}
NOTHING_REJECTED = pa.schema([("table", pa.string()), ("row", pa.int64())]).empty_table()
NOTHING_BILLED = pa.schema([("customer_id", pa.string()), ("yearly_minor", pa.int64()), ("currency", pa.string())])


def contracts(count: int) -> list[Sold]:
    """Random contracts without usage, of which one in five has everything that bills can have: pauses, coupons,
    changes, items that come and go. The others have items, prices and taxes. None is paused for ever."""
    rng, for_ever = Random(SEED), T + timedelta(days=900)
    made = (replace(random_sold(rng), usage=()) for _ in range(count))
    ended = (replace(s, last_day=s.last_day or for_ever) if s.paused_on and not s.resumes_on else s for s in made)
    return [_plain(s) if n % 5 else s for n, s in enumerate(ended)]


def _plain(sold: Sold) -> Sold:
    parts = tuple(replace(p, first_day=None, last_day=None, price=p.price.partition(".")[0]) for p in sold.parts)
    return replace(sold, parts=parts, coupons=(), changes=(), paused_on=None, resumes_on=None, last_day=None)


def customers(subscriptions: int) -> list[Customer]:
    """Random customers who have about so many contracts; one in ten has overrides."""
    rng, found, held = Random(SEED), list[Customer](), 0
    while held < subscriptions:
        found.append(customer(rng, len(found), overrides=len(found) % 10 == 0))
        held += len(found[-1].contracts)
    return found


def holder(each: Customer) -> Holder:
    agreements = [
        Agreement(h.contract, "past_due" if h.grace_last_day else "active", h.grace_last_day) for h in each.held()
    ]
    return Holder(each.customer_id, tuple(agreements), each.overrides)


def make(folder: Path, subscriptions: int) -> str:
    """Both sides of both questions as Parquet, repeated."""
    times = max(1, subscriptions // DIFFERENT)
    facts = contracts(min(DIFFERENT, subscriptions))
    with DuckDBEngine() as engine:
        held = apart(subscription(s) for s in facts)
        origins = [(s.subscription_id, f"c{s.subscription_id[1:]}") for s in held]
        items = [(i.item_id, i.item_id.partition("-")[2]) for s in held for i in s.items]
        told: dict[str, Any] = {f"old.{k}": t for k, t in tables(engine, records_of(facts)).items()}
        told |= {f"new.{k}": t for k, t in vars(held_rows(engine, held)).items()}
        told |= {f"origin.{k}": engine.table(_pairs(v)) for k, v in (("contracts", origins), ("items", items))}
        people = customers(len(facts))
        told |= {f"granted.{k}": t for k, t in tables(engine, _records(people)).items()}
        told |= {f"held.{k}": t for k, t in _canonical(engine, people).items()}
        rows = {name: _repeated(engine, folder, name, table, times) for name, table in told.items()}
    billed = f"{rows['new.subscription']:,} subscriptions of {rows['new.subscription_item']:,} items"
    return f"{billed}; {rows['held.subscription']:,} of {rows['held.entitlement']:,} entitlements"


def _pairs(rows: Sequence[tuple[str, str]]) -> pa.Table:
    return pa.table({"id": [r[0] for r in rows], "source_id": [r[1] for r in rows]})


def _records(people: Sequence[Customer]) -> Mapping[str, Any]:
    return records_of_holders([holder(p) for p in people], GRANTS)


def _canonical(engine: DuckDBEngine, people: Sequence[Customer]) -> dict[str, Any]:
    """Subscriptions and the entitlements derived for them, as a load would write them."""
    rows = {e: _table(engine, e, given) for e, given in canonical_rows(people, GRANTS).items()}
    catalog = CatalogRows(rows["plan"], rows["product_feature"], rows["feature"], rows["geo_rule"])
    by_items = granted_by_items(
        engine, rows["subscription"], rows["subscription_item"], rows["scheduled_change"], catalog
    )
    by_overrides = granted_by_overrides(rows["entitlement_override"], catalog)
    due = rows["subscription"]["grace_ends_at"].notnull().ifelse("past_due", "active")
    return {
        "subscription": rows["subscription"].mutate(status=due),
        "entitlement": resolved(engine, engine.union([by_items, by_overrides])),
    }


def _table(engine: DuckDBEngine, entity: str, given: Sequence[Mapping[str, Any]]) -> Any:
    fields = (*ENTITIES[entity].fields, *PROVENANCE)
    rows = [{"source_system": "e", "source_table": "c", "source_id": str(n), **r} for n, r in enumerate(given)]
    columns = {f.name: [r.get(f.name) for r in rows] for f in fields}
    return engine.table(pa.table(columns, schema=schema_of(fields).to_pyarrow()))


def _repeated(engine: DuckDBEngine, folder: Path, name: str, table: Any, times: int) -> int:
    """The rows again and again, each time under ids of their own; what belongs to nobody once."""
    shared = name.endswith((".plans", ".prices", ".tax_rates", ".tax_rate", ".plan_price", ".grants"))
    columns = [f'"{c}" || \'~\' || n AS "{c}"' if c in _IDS and not shared else f'"{c}"' for c in table.columns]
    again = "" if shared else f" CROSS JOIN range({times}) r(n)"
    query = f"SELECT {', '.join(columns)} FROM ({engine.sql(table)}) t{again}"
    path = folder / f"{name}.parquet"
    engine.connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    row = engine.connection.execute(f"SELECT count(*) FROM '{path}'").fetchone()
    return int(row[0]) if row else 0


def _side(engine: DuckDBEngine, folder: Path, prefix: str) -> dict[str, Any]:
    return {p.stem.partition(".")[2]: engine.read(p) for p in sorted(folder.glob(f"{prefix}.*.parquet"))}


def _billing() -> Billing:
    found = load_plan(ROOT / "plans" / "acme").billing
    assert found is not None
    return found


def bills(engine: DuckDBEngine, folder: Path, _: int) -> str:
    """Twelve bills of both sides, compared, by Acme's rules."""
    billing, origin = _billing(), _side(engine, folder, "origin")
    assert billing.target is not None
    sides = Sides(
        _side(engine, folder, "old"),
        TargetRows(**_side(engine, folder, "new") | {"metered": engine.table(_no_usage())}),
        Origins(origin["contracts"], origin["items"]),
        engine.table(NOTHING_REJECTED),
    )
    found = compared_in_parts(engine, billing, billing.target, sides, AS_OF, exponent_of, {})
    row = engine.arrow(found.forecast.aggregate(n=found.forecast.legacy_bills.sum())).to_pylist()[0]
    return f"{row['n']:,} bills on each side, {engine.count(found.differences):,} differences with their cause"


def _no_usage() -> pa.Table:
    from held_rows import COLUMNS

    return pa.schema(COLUMNS["metered"].items()).empty_table()


def access(engine: DuckDBEngine, folder: Path, _: int) -> str:
    """Thirteen months of access of both sides, compared."""
    held, billing = _side(engine, folder, "held"), _billing()
    legacy = billing.legacy.model_copy(update={"features": FEATURES})
    sides = Granting(
        _side(engine, folder, "granted"), held["entitlement"], held["subscription"], engine.table(NOTHING_REJECTED)
    )
    found = access_compared(
        engine,
        billing.model_copy(update={"legacy": legacy}),
        sides,
        engine.table(NOTHING_BILLED.empty_table()),
        AS_OF,
    )
    row = engine.arrow(found.customers.aggregate(n=found.customers.legacy_spans.sum())).to_pylist()[0]
    return f"{row['n']:,} spans, {engine.count(found.differences):,} differences"


_FLOOR = (
    # Lines of both sides, summed for each bill.
    """CREATE TABLE old_sums AS SELECT contract_id AS id, cycle, sum(amount) AS amount, count(*) AS lines FROM (
         SELECT contract_id, cycle, (unit_price * quantity * 100)::BIGINT AS amount
         FROM '{f}/old.items.parquet' CROSS JOIN range(12) c(cycle)) GROUP BY ALL""",
    """CREATE TABLE new_sums AS SELECT source_id AS id, cycle, sum(amount) AS amount, count(*) AS lines FROM (
         SELECT subscription_id, cycle, (unit_price * quantity * 100)::BIGINT AS amount
         FROM '{f}/new.subscription_item.parquet' CROSS JOIN range(12) c(cycle))
         JOIN '{f}/origin.contracts.parquet' o ON o.id = subscription_id GROUP BY ALL""",
    """SELECT count(*) FILTER (a.amount IS DISTINCT FROM b.amount), sum(a.lines) + sum(b.lines)
         FROM old_sums a FULL JOIN new_sums b ON a.id = b.id AND a.cycle = b.cycle""",
    # Times of both sides, summed for each customer, feature and region.
    """CREATE TABLE old_spans AS SELECT customer, feature, coalesce(country, '*') AS region, sum(units) AS units,
         min(starts) AS starts, max(ends) AS ends, count(*) AS spans FROM (
         SELECT c.customer, g.feature, c.country, g."limit" * i.quantity AS units,
           greatest(c.first_day, i.first_day, DATE '2026-06-30') AS starts, least(c.last_day, i.last_day) AS ends
         FROM '{f}/granted.contracts.parquet' c JOIN '{f}/granted.items.parquet' i USING (contract_id)
         JOIN '{f}/granted.grants.parquet' g ON g.product = i.product) GROUP BY ALL""",
    """CREATE TABLE new_spans AS SELECT customer_id AS customer, feature_code AS feature, region,
         sum(limit_units) AS units,
         min(greatest(starts_at, TIMESTAMPTZ '2026-06-30')) AS starts, max(ends_at) AS ends, count(*) AS spans
         FROM '{f}/held.entitlement.parquet' GROUP BY ALL""",
    """SELECT count(*) FILTER (a.units IS DISTINCT FROM b.units), sum(a.spans) + sum(b.spans) FROM old_spans a
         FULL JOIN new_spans b ON a.customer = b.customer AND a.feature = b.feature AND a.region = b.region""",
)


def floor(engine: DuckDBEngine, folder: Path, _: int) -> str:
    """The same lines and times spread and summed on both sides, and nothing else."""
    sums = []
    for statement in _FLOOR:
        found = engine.connection.execute(statement.format(f=folder)).fetchone()
        if not statement.startswith("CREATE"):
            assert found is not None
            sums.append(found[1])
    return f"{sums[0]:,} lines and {sums[1]:,} times spread and summed"


def readable(_: DuckDBEngine, __: Path, subscriptions: int) -> str:
    """The readable rules, one contract and one customer after the other, on some of the same."""
    count = min(READABLE, subscriptions)
    rules, theirs = old.Rules(**_billing().legacy.rules.model_dump()), new.Rules()
    differ = 0
    for sold in islice(_again(contracts(min(DIFFERENT, count))), count):
        before = list(islice((b for b in invoices(contract(sold), rules) if b.issued_at >= AS_OF), 12))
        after = list(islice(invoices_from(subscription(sold), theirs, AS_OF), 12))
        differ += bool(readable_bill_differences(before, after, []))
    until, asked = add_months(AS_OF, 13), 0
    for each in _again(customers(min(DIFFERENT, count))):
        held = each.held()
        was = old_access.access(held, each.overrides, GRANTS, rules, AS_OF, until)
        # As many rules are asked on the other side; of whom the answers are is no matter to the clock.
        readable_differences(was, new_access.access(list(_rights(was)), {}, AS_OF, until))
        if (asked := asked + len(held)) >= count:
            break
    return f"{count:,} contracts ({differ:,} differ), {asked:,} contracts of customers"


def _again(made: Sequence[Any]) -> Iterator[Any]:
    while True:
        yield from made


def _rights(spans: Sequence[Any]) -> Iterator[new_access.Entitlement]:
    """Entitlements that say what the old system says."""
    for n, s in enumerate(spans):
        kind = "unlimited" if s.answer.allowed and s.answer.limit is None else "limited" if s.answer.allowed else "zero"
        yield new_access.Entitlement(
            str(n), None, s.feature, s.region, s.starts_at, s.ends_at, s.answer.allowed, kind, s.answer.limit,
            s.answer.overage, "override",
        )  # fmt: skip


STEPS: dict[str, Callable[[DuckDBEngine, Path, int], str]] = {
    "bills": bills,
    "access": access,
    "floor": floor,
    "readable": readable,
}


def step(name: str, folder: Path, subscriptions: int) -> int:
    """One step in this process: what it found and what it cost, as JSON."""
    started, used = time.monotonic(), time.process_time()
    if name == "make":
        said = make(folder, subscriptions)
    else:
        with DuckDBEngine(memory_limit="1800MB", spill_to=folder / "spill") as engine:
            said = STEPS[name](engine, folder, subscriptions)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    cost = {"cpu": time.process_time() - used, "wall": time.monotonic() - started, "peak_mb": peak, "said": said}
    sys.stdout.write(json.dumps(cost) + "\n")
    return 0


def measured(name: str, folder: Path, subscriptions: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.billing", name, str(folder), str(subscriptions)]
    done = subprocess.run(command, check=True, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    cost: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    figures = f"CPU {cost['cpu']:7.1f} s  wall {cost['wall']:6.1f} s  peak {cost['peak_mb']:5} MB"
    sys.stdout.write(f"{subscriptions:>9,} {name:9} {figures}  {cost['said']}\n")
    sys.stdout.flush()
    return cost


def main(subscriptions: int) -> int:
    """A tenth of the size, then the whole of it."""
    each: dict[int, dict[str, dict[str, Any]]] = {}
    for size in dict.fromkeys((max(1, subscriptions // 10), subscriptions)):
        with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
            measured("make", Path(name), size)
            steps = [s for s in STEPS if s != "readable" or size == subscriptions]
            each[size] = {s: measured(s, Path(name), size) for s in steps}
    ours = {size: sum(found[s]["cpu"] for s in ("bills", "access")) for size, found in each.items()}
    small, large = min(each), max(each)
    whole = each[large]
    per_row = {size: 1e6 * cpu / size for size, cpu in ours.items()}
    slow = 1e6 * whole["readable"]["cpu"] / min(READABLE, large)
    told = (
        f"per subscription: {per_row[small]:.1f} us at {small:,}, {per_row[large]:.1f} us at {large:,}",
        f"the readable rules: {slow:,.0f} us, {slow / per_row[large]:.0f} times as much",
        f"the floor: {whole['floor']['cpu']:.1f} CPU s; ours {ours[large]:.1f}, "
        f"{ours[large] / whole['floor']['cpu']:.1f} times as much",
        f"peak of ours: {max(whole[s]['peak_mb'] for s in ('bills', 'access')):,} MB",
    )
    sys.stdout.write("\n".join(told) + "\n")
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        step(given[0], Path(given[1]), int(given[2])) if len(given) == 3 else main(*map(int, given or ["1000000"]))
    )
