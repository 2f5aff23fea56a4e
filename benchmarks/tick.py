"""A whole tick, from a look at the source to the last check, beside the whole first run: the end-to-end benchmark's
company, of whose customers none, 10, 1,000 or 100,000 were changed, or 1,000 deleted.

Each is a process of its own, `cutover run` and then `cutover delta`; CPU is that of client and server. Below each tick
is how long every stage took, over all cohorts. usage: python -m benchmarks.tick [customers] [buckets]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.end_to_end import PEERS, checked, root_of
from benchmarks.measure import Cost, ServerClock, cost_of
from migration_assets.connectors.databases import database_url, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

CHANGED = (10, 1_000, 100_000)
DELETED = 1_000


def main(customers: int, buckets: int) -> int:
    """Print the cost of the first run and of each tick after it."""
    if not (PEERS / "naive_data.py").exists():
        sys.stdout.write(f"skipped: no company in {PEERS}; set CUTOVER_PEERS to a folder with naive_data.py\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        root = root_of(Path(name) / "root")
        _more_cohorts(root, buckets)
        server = EmbeddedServer(root / ".cutover" / "postgres")
        admin = server.start()
        try:
            return _measured(Path(name), root, admin, customers)
        finally:
            server.stop()


def _more_cohorts(root: Path, buckets: int) -> None:
    """So many cohorts, each followed by itself: what a tick need not touch it leaves alone."""
    rule = f"cohorts:\n  - {{name: wave, wave: 1, buckets: {buckets}}}\n"
    (root / "plans" / "naive" / "cohorts.yaml").write_text(rule, encoding="utf-8")


def _measured(folder: Path, root: Path, admin: str, customers: int) -> int:
    clock, log = ServerClock.of(admin), folder / "log"
    for name in ("bench_source", "bench_target"):
        ensure_database(admin, name)
    source = database_url(admin, "bench_source", "psycopg")
    plain = source.replace("postgresql+psycopg://", "postgresql://")
    command = [sys.executable, str(PEERS / "naive_data.py"), plain, str(customers)]
    if cost_of(command, os.environ, clock, log).code:
        sys.stdout.write(log.read_text(errors="replace")[-4000:])
        return 1
    environment = {
        **os.environ,
        "BENCH_SOURCE_URL": source,
        "BENCH_TARGET_URL": database_url(admin, "bench_target", "psycopg"),
        "PYTHONPATH": str(root),
    }

    def step(said: str, told: str) -> Cost:
        given = [sys.executable, "-m", "migration_assets.cli", told, "--plan", "plans/naive", "--json"]
        began = datetime.now(UTC)
        cost = checked(cost_of(given, environment, clock, log, folder=root), log)
        _print(said, cost, log)
        _print_stages(database_url(admin, "naive_dagster", "psycopg"), began)
        return cost

    whole = step("the first run", "run")
    if whole.code:
        return whole.code
    ticks = [
        ("nothing changed", ""),
        *((f"{n:,} changed", _updated(customers, n)) for n in CHANGED if 2 * n <= customers),
    ]
    if customers >= DELETED:
        ticks.append((f"{DELETED:,} deleted", _deleted(customers)))
    for said, statement in ticks:
        if statement:
            with psycopg.connect(plain) as connection:
                connection.execute(statement.encode())
        cost = step(f"a tick, {said}", "delta")
        sys.stdout.write(f"    {cost.cpu / whole.cpu:.3f} x the first run\n")
        sys.stdout.flush()
        if cost.code:
            return cost.code
    return 0


def _updated(customers: int, count: int) -> str:
    """Customers from all over the table, and a contract of each."""
    every = customers // count
    return (
        f"UPDATE crm.customers SET name = name || 'x', updated_at = now() WHERE id % {every} = 0;"
        f"UPDATE crm.subscriptions SET quantity = quantity + 1, updated_at = now() WHERE id % {every} = 0 "
        f"AND id <= {customers} AND quantity >= 0"
    )


def _deleted(customers: int) -> str:
    """Contracts that nobody renewed."""
    return f"DELETE FROM crm.subscriptions WHERE id % {customers // DELETED} = 0 AND id <= {customers}"


def _print(said: str, cost: Cost, log: Path) -> None:
    told = _told(log)
    changed, ran = sum(t["changed"] for t in told.get("tables", ())), len(told.get("cohorts", ()))
    sys.stdout.write(
        f"{said:26} CPU {cost.cpu:7.1f} s (client {cost.client:.1f}, server {cost.server:.1f})  wall {cost.wall:6.1f} s"
        f"  peak {cost.peak_mb:5} MB  {changed:,} rows changed, {ran} cohorts ran, "
        f"{told.get('rows_written', 0):,} written\n"
    )
    sys.stdout.flush()


def _print_stages(dagster: str, since: datetime) -> None:
    """Seconds of every stage, all cohorts together, as Dagster's history has them."""
    query = (
        "SELECT step_key, extract(epoch FROM sum(CASE dagster_event_type WHEN 'STEP_START' THEN -1 ELSE 1 END "
        "* (timestamp - %(since)s::timestamp)))::float FROM event_logs WHERE timestamp >= %(since)s::timestamp AND "
        "dagster_event_type IN ('STEP_START', 'STEP_SUCCESS', 'STEP_FAILURE') GROUP BY 1 ORDER BY min(timestamp)"
    )
    with psycopg.connect(dagster.replace("postgresql+psycopg://", "postgresql://")) as connection:
        rows = connection.execute(query, {"since": since.replace(tzinfo=None)}).fetchall()
    sys.stdout.write("    " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in rows) + "\n")


def _told(log: Path) -> Mapping[str, Any]:
    """The object at the end of what was printed."""
    text = log.read_text(errors="replace")
    begins = 0 if text.startswith("{") else text.find("\n{")
    return json.loads(text[begins:]) if begins >= 0 else {}


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*(given + [20_000, 16][len(given) :])))
