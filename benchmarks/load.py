"""Loading customers of 12 columns: the first time, again with nothing changed, and again with one row of a hundred
changed, beside a bare COPY of the same rows into a keyed table, rows written one by one, and dlt's merge.

Ours mints ids, keeps crosswalk, ledger and pre-images, and compares before it writes; a COPY does none of it. dlt lives
in an environment of its own: DLT_PYTHON names its interpreter; without it that peer is left out. Each step is a process
of its own; CPU is that of client and server. The server's own tidying is asked for once, after the first load,
and told apart: left to itself it falls into whichever step is under way a minute later. Ratios are of what is left when
what ten rows cost (imports, plan, schema) is taken off.

usage: python -m benchmarks.load [rows] [rows of the slow peers]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import psycopg

from benchmarks.measure import Cost, ServerClock, cost_of
from migration_assets.connectors.databases import database_url, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer
from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan

ROOT = Path(__file__).resolve().parent.parent
# Target column -> what makes it of the row's number `i` and version `v`.
COLUMNS = {
    "customer_id": "'crm.accounts:' || i",
    "customer_number": "'A-' || lpad(i::VARCHAR, 9, '0')",
    "kind": "CASE WHEN i % 3 = 0 THEN 'company' ELSE 'person' END",
    "name": "'Customer ' || md5(i::VARCHAR) || CASE WHEN v > 0 THEN ' II' ELSE '' END",
    "email": "CASE WHEN i % 10 > 0 THEN 'c' || i || '@example.org' END",
    "phone": "'+4930' || (10000000 + i)",
    "country": "CASE i % 4 WHEN 0 THEN 'DE' WHEN 1 THEN 'FR' WHEN 2 THEN 'US' ELSE 'JP' END",
    "currency": "CASE i % 4 WHEN 2 THEN 'USD' WHEN 3 THEN 'JPY' ELSE 'EUR' END",
    "credit_limit_minor": "(i * 7919) % 100000000",
    "birth_date": "CASE WHEN i % 3 > 0 THEN DATE '1950-01-01' + (i % 20000)::INTEGER END",
    "status": "CASE WHEN i % 20 = 0 THEN 'churned' ELSE 'active' END",
    "created_at": "TIMESTAMPTZ '2015-01-01 00:00:00+00' + to_microseconds(i * 263000123)",
}
LOADED_AT = datetime(2026, 6, 1, tzinfo=UTC)
PEER_TYPES = {"credit_limit_minor": "bigint", "birth_date": "date", "created_at": "timestamptz"}


def plan() -> Plan:
    """Acme's plan with one table of 12 columns."""
    acme = load_plan(ROOT / "plans" / "acme")
    accounts = acme.target.tables["accounts"]
    kept = {c: f for c, f in accounts.columns.items() if f in COLUMNS}
    table = accounts.model_copy(update={"columns": kept, "unique": (), "checks": (), "no_overlap": ()})
    return acme.model_copy(update={"target": acme.target.model_copy(update={"tables": {"accounts": table}})})


def rows(folder: Path, count: int, *, changed: bool = False) -> Path:
    """Canonical customers as Parquet; with `changed` one of a hundred has another name."""
    import duckdb

    path = folder / f"customers_{count}{'_changed' if changed else ''}.parquet"
    fields = {f.name for f in ENTITIES["customer"].fields}
    values = ", ".join(f"{made} AS {column}" for column, made in COLUMNS.items())
    rest = ", ".join(f"NULL AS {f}" for f in sorted(fields - set(COLUMNS)))
    provenance = (
        "'crm' AS source_system, 'accounts' AS source_table, i::VARCHAR AS source_id, i AS source_row, "
        "NULL::TIMESTAMPTZ AS source_updated_at"
    )
    version = "CASE WHEN i % 100 = 7 THEN 1 ELSE 0 END" if changed else "0"
    numbered = f"SELECT range + 1 AS i, {version} AS v FROM (SELECT range, range + 1 AS i FROM range({count}))"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY (SELECT {values}, {rest}, {provenance} FROM ({numbered})) TO '{path}'")
        written = f"COPY (SELECT {', '.join(COLUMNS)} FROM '{path}') TO '{path.with_suffix('.csv')}'"
        connection.execute(f"{written} (FORMAT csv, HEADER false)")
    return path


# --- what is measured ----------------------------------------------------------------------------------------------


def ours(url: str, path: Path) -> dict[str, int]:
    """One guarded load; how many rows it wrote."""
    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.load.apply import load_cohort
    from migration_assets.stages.load.catalog import apply_schema
    from migration_assets.stages.load.order import LoadOrder
    from migration_assets.stages.load.schema import desired_schema

    target, made = PostgresTarget(url), plan()
    with DuckDBEngine(memory_limit="512MB", spill_to=path.parent / "spill") as engine:
        apply_schema(target, desired_schema(made))
        canonical = {"customer": engine.read(path)}
        kept = Path(os.environ["KEPT"])
        order = LoadOrder("bench", "S1", "bench", LOADED_AT, work_folder=path.parent, kept_folder=kept)
        result = load_cohort(engine, target, made, order, canonical)
    return {"written": result.rows_written}


def copied(url: str, path: Path) -> dict[str, int]:
    """A bare COPY of rows that lie as CSV already, into a keyed table."""
    with psycopg.connect(_plain(url)) as connection:
        _peer_table(connection)
        with connection.cursor() as cursor:
            with path.with_suffix(".csv").open("rb") as file, cursor.copy("COPY peer FROM STDIN (FORMAT csv)") as copy:
                while block := file.read(1 << 20):
                    copy.write(block)
            return {"written": cursor.rowcount}


def one_by_one(url: str, path: Path) -> dict[str, int]:
    """INSERT ... ON CONFLICT DO UPDATE with executemany."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=list(COLUMNS))
    kept = ", ".join(f"{c} = EXCLUDED.{c}" for c in list(COLUMNS)[1:])
    statement = (
        f"INSERT INTO peer VALUES ({', '.join(['%s'] * len(COLUMNS))}) ON CONFLICT (customer_id) DO UPDATE SET {kept}"
    )
    with psycopg.connect(_plain(url)) as connection:
        _peer_table(connection)
        with connection.cursor() as cursor:
            cursor.executemany(statement.encode(), zip(*(table[c].to_pylist() for c in COLUMNS), strict=True))
    return {"written": table.num_rows}


# Runs in an environment that has dlt and nothing of ours.
DLT = """
import json, sys, dlt, pyarrow.parquet as pq
url, path, columns, folder = sys.argv[1:5]
rows = pq.read_table(path, columns=columns.split(","))
place = dlt.destinations.postgres(url)
pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=place, dataset_name="peer_dlt")
pipeline.run(rows, table_name="customers", write_disposition="merge", primary_key="customer_id")
with pipeline.sql_client() as client:
    print(json.dumps({"written": client.execute_sql("SELECT count(*) FROM customers")[0][0]}))
"""


def _peer_table(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    columns = ", ".join(f"{c} {PEER_TYPES.get(c, 'text')}" for c in COLUMNS)
    connection.execute("DROP TABLE IF EXISTS peer")
    connection.execute(f"CREATE TABLE peer ({columns}, PRIMARY KEY (customer_id))".encode())


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


STEPS = {"ours": ours, "copied": copied, "one_by_one": one_by_one}


# --- side by side --------------------------------------------------------------------------------------------------


def main(count: int, few: int) -> int:
    """Print every step's cost, and the ratios that matter."""
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        folder = Path(name)
        server = EmbeddedServer(folder / "postgres")
        admin = server.start()
        try:
            _run(admin, "ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
            return _measured(folder, admin, count, few)
        finally:
            server.stop()


def _measured(folder: Path, admin: str, count: int, few: int) -> int:
    clock = ServerClock.of(admin)
    ten, small, many = (_made(folder, n) for n in (10, few, count))
    ten_changed, changed = (_made(folder, n, changed=True) for n in (10, count))

    def step(name: str, database: str, path: Path, said: str) -> Cost:
        ensure_database(admin, database)
        kept = {**os.environ, "KEPT": str(folder / database)}
        command = [sys.executable, "-m", "benchmarks.load", name, database_url(admin, database, "psycopg"), str(path)]
        return _told(said, cost_of(command, kept, clock, folder / "log"), folder / "log")

    fixed = {name: step(name, f"bench_ten_{name}", ten, f"{name}: ten rows").cpu for name in ("copied", "one_by_one")}
    copy = step("copied", "bench_copy", many, f"bare COPY of {count:,}").cpu - fixed["copied"]
    # What few rows cost is taken off each by itself: a load that has nothing to do builds fewer queries.
    kinds = (
        ("the first time", ten, many, 3),
        ("nothing changed", ten, many, 0.5),
        ("1 % changed", ten_changed, changed, 1),
    )
    first = 0.0
    for said, little, much, goal in kinds:
        base = step("ours", "bench_ten_ours", little, f"ours, {said}: ten rows").cpu
        first = first or base
        cost = step("ours", "bench_ours", much, f"ours, {said}")
        sys.stdout.write(f"    {(cost.cpu - base) / copy:.2f} x the COPY (goal {goal})\n")
        if said == "the first time":
            before = clock.seconds()
            _run(database_url(admin, "bench_ours", "psycopg"), "VACUUM (ANALYZE)")
            sys.stdout.write(f"    the server tidies up after it: CPU {clock.seconds() - before:.1f} s\n")
    mine = step("ours", "bench_few", small, f"ours, {few:,} the first time").cpu - first
    each = step("one_by_one", "bench_few_peer", small, f"executemany of {few:,}").cpu - fixed["one_by_one"]
    sys.stdout.write(f"    {each / mine:.1f} x ours (goal 4)\n")
    if (python := os.environ.get("DLT_PYTHON")) is not None:
        theirs = [_dlt(python, folder, admin, path, clock) for path in (ten, small)]
        sys.stdout.write(f"    {(theirs[1] - theirs[0]) / mine:.1f} x ours (goal 4)\n")
    else:
        sys.stdout.write("dlt is left out: DLT_PYTHON names no interpreter that has it\n")
    return 0


def _run(url: str, *statements: LiteralString) -> None:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _made(folder: Path, count: int, *, changed: bool = False) -> Path:
    """`rows`, made in another process: what this one holds would count as every step's peak."""
    command = [sys.executable, "-m", "benchmarks.load", "rows", str(folder), str(count), "changed" if changed else ""]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def _dlt(python: str, folder: Path, admin: str, path: Path, clock: ServerClock) -> float:
    database = f"bench_dlt_{path.stem}"
    ensure_database(admin, database)
    url = _plain(database_url(admin, database, "psycopg"))
    command = [python, "-c", DLT, url, str(path), ",".join(COLUMNS), str(folder / database)]
    return _told(f"dlt merge of {path.stem}", cost_of(command, os.environ, clock, folder / "log"), folder / "log").cpu


def _told(said: str, cost: Cost, log: Path) -> Cost:
    text = log.read_text(errors="replace")
    if cost.code:
        raise SystemExit(f"{said} failed:\n{text[-2000:]}")
    lines = [line for line in text.splitlines() if line.startswith("{")]
    written = f"  {json.loads(lines[-1])['written']:,} rows written" if lines else ""
    sys.stdout.write(
        f"{said:32} CPU {cost.cpu:6.1f} s (client {cost.client:.1f}, server {cost.server:.1f})  "
        f"wall {cost.wall:6.1f} s  peak {cost.peak_mb:5} MB{written}\n"
    )
    sys.stdout.flush()
    return cost


if __name__ == "__main__":
    given = sys.argv[1:]
    if given and given[0] == "rows":
        sys.stdout.write(f"{rows(Path(given[1]), int(given[2]), changed=bool(given[3]))}\n")
        sys.exit(0)
    if given and given[0] in STEPS:
        sys.stdout.write(json.dumps(STEPS[given[0]](given[1], Path(given[2]))) + "\n")
        sys.exit(0)
    numbers = [int(a) for a in given]
    sys.exit(main(*(numbers + [1_000_000, 100_000][len(numbers) :])))
