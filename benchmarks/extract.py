"""A golden copy of a PostgreSQL table of 1,000,000 rows x 12 columns, beside dlt's extraction of the same table into
Parquet files, by its usual backend and by its fastest one.

dlt lives in an environment of its own (`pip install "dlt[postgres,parquet,sql_database]"`): DLT_PYTHON names its
interpreter; without it that peer is left out. Each extraction is a process of its own; CPU is that of client and
server, and ratios are of what is left when what ten rows cost (imports, plan, connections) is taken off. What was
extracted is read again, and every value and type of 20,000 rows compared with what the server says it is.

usage: python -m benchmarks.extract [rows]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.measure import Cost, ServerClock, cost_of
from benchmarks.one_table import fill, opened, plan
from migration_assets.connectors.databases import database_url, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

COMPARED = 20_000
BACKENDS = ("sqlalchemy", "pyarrow")
# A table each, of one value that is easily spoilt.
RARER = {
    "numeric": "12345678901.0000000001",
    "numeric(38,18)": "12345678901234567890.000000000000000001",
    "uuid": "6f1d9c1a-0f8e-4f5e-9a3b-1c2d3e4f5a6b",
    "time": "23:59:59.000001",
    "interval": "P1Y2M3DT4H5M6.000007S",
    "jsonb": '{"price": 1.10, "no": 12345678901234567890}',
    "bytea": "\\x00ff",
    "char(5)": "ab   ",
}
# Runs in an environment that has dlt and nothing of ours. What is refused is said, and the next table taken.
DLT = """
import sys, dlt
from dlt.sources.sql_database import sql_table
url, backend, folder, *tables = sys.argv[1:]
for table in tables:
    place = dlt.destinations.filesystem(bucket_url=f"file://{folder}/{table}")
    pipeline = dlt.pipeline("bench", pipelines_dir=f"{folder}/state_{table}", destination=place, dataset_name="copy")
    try:
        pipeline.run(sql_table(credentials=url, table=table, backend=backend), loader_file_format="parquet")
    except Exception as refused:
        while refused.__cause__ or refused.__context__:
            refused = refused.__cause__ or refused.__context__
        print("refused", table, " ".join(str(refused).split()))
"""


def ours(url: str, folder: Path, tables: Sequence[str]) -> None:
    """A golden copy of each table, with its manifest of digests."""
    from migration_assets.domain.errors import CutoverError
    from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy

    for table in tables:
        made = plan(url, table)
        sources = open_sources(made, lambda *_: url)
        try:
            take_golden_copy(made, sources, folder / table, "20260101T000000Z-abcdef", datetime(2026, 1, 1, tzinfo=UTC))
        except CutoverError as refused:
            sys.stdout.write(f"refused {table} {refused.message}\n")


def main(rows: int) -> int:
    with served() as (folder, admin):
        clock = ServerClock.of(admin)
        ten, many = (_filled(admin, f"bench_{n}", n) for n in (10, rows))
        ways = ("ours", *(f"dlt, {b}" for b in BACKENDS if os.environ.get("DLT_PYTHON")))
        if len(ways) == 1:
            sys.stdout.write("dlt is left out: DLT_PYTHON names no interpreter that has it\n")
        spent = {}
        for way in ways:
            fixed = _extracted(way, ten, folder / f"{way} ten", clock, ["accounts"]).cpu
            cost = _extracted(way, many, folder / way, clock, ["accounts"])
            spent[way] = cost.cpu - fixed
            sys.stdout.write(
                f"{way:16} CPU {cost.cpu:6.1f} s (client {cost.client:.1f}, server {cost.server:.1f}), ten rows "
                f"{fixed:.1f}  wall {cost.wall:6.1f} s  peak {cost.peak_mb:5} MB\n"
            )
            told = [*_inexact(many, "accounts", folder / way), *_spoilt(many, way, folder / f"{way} rarer", clock)]
            for line in told or ["every type and value is the server's"]:
                sys.stdout.write(f"    {line}\n")
            sys.stdout.flush()
        for way in ways[1:]:
            sys.stdout.write(f"{way} takes {spent[way] / spent['ours']:.1f} x our CPU (goal 3)\n")
    return 0


@contextmanager
def served() -> Iterator[tuple[Path, str]]:
    """A folder, and a server of its own in it: the administrator's URL."""
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        server = EmbeddedServer(Path(name) / "postgres")
        try:
            yield Path(name), server.start()
        finally:
            server.stop()


def _filled(admin: str, name: str, rows: int) -> str:
    ensure_database(admin, name)
    url = database_url(admin, name, "psycopg")
    fill(url, rows)
    with opened(url) as connection:
        for number, (kind, value) in enumerate(RARER.items()):
            connection.execute(f"CREATE TABLE rarer_{number} AS SELECT 1 AS id, '{value}'::{kind} AS v".encode())
    return url


def _extracted(way: str, url: str, place: Path, clock: ServerClock, tables: Sequence[str]) -> Cost:
    place.mkdir()
    command = [sys.executable, "-m", "benchmarks.extract", "ours", url, str(place), *tables]
    if way != "ours":
        theirs = url.replace("+psycopg:", "+psycopg2:")
        command = [os.environ["DLT_PYTHON"], "-c", DLT, theirs, way.removeprefix("dlt, "), str(place), *tables]
    log = place / "log"
    cost = cost_of(command, {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"}, clock, log)
    if cost.code:
        raise SystemExit(f"{way} failed:\n{log.read_text(errors='replace')[-2000:]}")
    return cost


def _spoilt(url: str, way: str, place: Path, clock: ServerClock) -> list[str]:
    """The rarer types that were refused or are others."""
    tables = {f"rarer_{number}": kind for number, kind in enumerate(RARER)}
    _extracted(way, url, place, clock, list(tables))
    said = [line.split(" ", 2)[1:] for line in (place / "log").read_text().splitlines() if line.startswith("refused ")]
    refused = {table: f"{tables[table]}: refused, {why[:110]}" for table, why in said}
    return [
        line for t, kind in tables.items() for line in ([refused[t]] if t in refused else _inexact(url, t, place, kind))
    ]


def _inexact(url: str, table: str, place: Path, kind: str = "") -> list[str]:
    """Columns whose values are not the server's, each with how many and one of them."""
    with opened(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        cursor = connection.execute(f"SELECT * FROM {table} WHERE id <= %s ORDER BY id".encode(), [COMPARED])
        names = [c.name for c in cursor.description or ()]
        truth = cursor.fetchall()
        connection.execute("SET intervalstyle = 'iso_8601'")
        texts = connection.execute(
            f"SELECT {', '.join(f'{n}::text' for n in names)} FROM {table} WHERE id <= %s ORDER BY id".encode(),
            [COMPARED],
        ).fetchall()
    found = {row["id"]: row for row in _read(sorted((place / table).rglob("*.parquet")), names)}
    told = []
    for number, name in enumerate(names):
        values = [found.get(row[0], {}).get(name) for row in truth]
        expected = zip(truth, texts, values, strict=True)
        wrong = [(t[number], v) for row, t, v in expected if not _is_exact(row[number], t[number], v)]
        if wrong:
            is_now = f"{wrong[0][0]} has become {wrong[0][1]!r}"
            told.append(f"{kind or name}: {len(wrong):,} of {len(truth):,} are others: {is_now}")
    return told


def _read(files: Sequence[Path], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows that are compared. dlt's own tables lie beside them."""
    import pyarrow.parquet as pq

    for file in files:
        if set(names) <= set(pq.read_schema(file).names):
            yield from (r for r in pq.read_table(file, columns=list(names)).to_pylist() if r["id"] <= COMPARED)


def _is_exact(expected: object, text: object, value: object) -> bool:
    """The server's value in its own type, or its own text. An instant is one in whatever zone it is told, and none
    without; a span of months is no number of days."""
    if isinstance(expected, datetime) and isinstance(value, datetime):
        return expected == value and (expected.tzinfo is None) == (value.tzinfo is None)
    if isinstance(expected, dict) and isinstance(value, str):
        return bool(json.loads(value, parse_float=Decimal) == json.loads(str(text), parse_float=Decimal))
    if isinstance(value, str) and value == text:
        return True
    return type(expected) is type(value) and expected == value and not isinstance(expected, timedelta)


if __name__ == "__main__":
    given = sys.argv[1:]
    if given and given[0] == "ours":
        ours(given[1], Path(given[2]), given[3:])
        sys.exit(0)
    sys.exit(main(int(given[0]) if given else 1_000_000))
