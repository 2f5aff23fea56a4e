"""Two PostgreSQL tables of 1,000,000 rows x 10 columns with 500 planted differences, compared; beside it the cost of
just reading both, and reladiff's hashdiff.

The differences are of five kinds, a hundred each: missing, extra, changed (among them a trailing space, one
microsecond, the letter O for a zero), amounts (among them 0.0001), and missing for something or something for missing
('' among them). reladiff is no dependency of this project: install it in an environment of its own and name its Python
in CUTOVER_RELADIFF. It cannot sort what it finds where values are missing (and then ends well with nothing found), so
that it is told not to.

usage: python -m benchmarks.reconcile [--rows N] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.end_to_end import ROOT
from benchmarks.measure import Cost, ServerClock, cost_of
from migration_assets.connectors.databases import database_url, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

_COLUMNS = ("account_no", "name", "email", "plan", "amount", "tax", "quantity", "valid_from", "updated_at")
_DATA = """
CREATE TABLE rows (
  id bigint PRIMARY KEY, account_no text NOT NULL, name text NOT NULL, email text, plan text NOT NULL,
  amount numeric(14,4) NOT NULL, tax numeric(9,2), quantity integer, valid_from timestamptz NOT NULL,
  updated_at timestamp);
SELECT setseed(0.42);
INSERT INTO rows SELECT i, 'AC' || lpad((i * 7919 % 10000019)::text, 8, '0'),
  (ARRAY['Müller GmbH', 'O''Brien & Sons', '北京公司', 'Smith, John', 'Łódź Sp. z o.o.'])[1 + (random() * 4)::int]
    || ' ' || i,
  CASE WHEN random() < 0.07 THEN NULL ELSE 'user' || i || '@ex' || (i % 977) || '.com' END,
  (ARRAY['basic', 'pro', 'team', 'enterprise'])[1 + (random() * 3)::int], (random() * 9999)::numeric(14,4),
  CASE WHEN random() < 0.2 THEN NULL ELSE (random() * 999)::numeric(9,2) END,
  CASE WHEN random() < 0.1 THEN NULL ELSE (random() * 500)::int END,
  timestamptz '2019-01-01 00:00+00' + (random() * 2e8) * interval '1 second',
  CASE WHEN random() < 0.15 THEN NULL ELSE timestamp '2024-01-01' + (random() * 5e7) * interval '1 second' END
FROM generate_series(1::bigint, {rows}) i;
"""
_CHANGED = (
    "plan = plan || 'x'", "name = name || '?'", "name = name || ' '",
    "valid_from = valid_from + interval '1 microsecond'",
    "account_no = overlay(account_no placing 'O' from 3 for 1)",
)  # fmt: skip
_AMOUNTS = ("amount = amount + 0.0001", "amount = amount - 0.01", "amount = -amount - 1", "amount = amount * 10 + 1")
# How many of each, what it does, and of which rows.
_MISSING = (
    (40, "email = NULL", "email IS NOT NULL"),
    (30, "tax = 0", "tax IS NULL"),
    (15, "email = ''", "email IS NULL"),
    (15, "updated_at = NULL", "updated_at IS NOT NULL"),
)


def main() -> int:
    """Print the cost of each way, the median ratios, and what each found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=("ours", "reading"))
    parser.add_argument("--urls", nargs=2)
    given = parser.parse_args()
    if given.side:
        found = _ours(*given.urls) if given.side == "ours" else _reading(*given.urls)
        sys.stdout.write(json.dumps(found) + "\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        server = EmbeddedServer(Path(name) / "postgres")
        admin = server.start()
        try:
            return _measured(Path(name), admin, given.rows, given.rounds)
        finally:
            server.stop()


def _measured(folder: Path, admin: str, rows: int, rounds: int) -> int:
    urls = [database_url(admin, name, "psycopg") for name in ("bench_left", "bench_right")]
    for name, url in zip(("bench_left", "bench_right"), urls, strict=True):
        ensure_database(admin, name)
        with _open(url) as connection:
            connection.execute(sql.SQL(_DATA.replace("{rows}", str(rows))))  # type: ignore[arg-type]
    truth = _planted(urls[1], rows, random.Random(7))
    for url in urls:
        with _open(url) as connection:
            connection.execute("VACUUM ANALYZE rows")
    ways = _ways(urls)
    clock = ServerClock.of(admin)
    taken: dict[str, list[Cost]] = {name: [] for name in ways}
    said = {}
    for _ in range(rounds):
        for name, (command, read) in ways.items():
            cost = cost_of(command, {**os.environ, "PYTHONPATH": str(ROOT)}, clock, folder / name)
            if cost.code:
                sys.stdout.write((folder / name).read_text(errors="replace")[-2_000:])
                return 1
            taken[name].append(cost)
            said[name] = read(folder / name)
    return _told(rows, taken, said, truth)


def _ways(urls: list[str]) -> dict[str, tuple[list[str], Callable[[Path], set[int] | None]]]:
    """Command of each way, and what it found, read from its output; None where it looks for nothing."""
    this = [sys.executable, "-m", "benchmarks.reconcile", "--urls", *urls, "--side"]
    ways: dict[str, tuple[list[str], Callable[[Path], set[int] | None]]] = {
        "ours": ([*this, "ours"], lambda log: {int(k) for k in json.loads(log.read_text())}),
        "reading": ([*this, "reading"], lambda _: None),
    }
    if python := os.environ.get("CUTOVER_RELADIFF"):
        plain = [u.replace("postgresql+psycopg://", "postgresql://") for u in urls]
        options = ["-k", "id", *(part for c in _COLUMNS for part in ("-c", c)), "--json", "--skip-sort-results"]
        command = [str(Path(python).with_name("reladiff")), plain[0], "rows", plain[1], "rows", *options]
        ways["reladiff"] = (command, _of_reladiff)
    return ways


def _of_reladiff(log: Path) -> set[int]:
    """It breaks its lines of JSON at the width of a terminal; the key comes first."""
    return {int(key) for key in re.findall(r'^\["[+-]", \["(\d+)"', log.read_text(), re.MULTILINE)}


def _told(rows: int, taken: dict[str, list[Cost]], said: dict[str, set[int] | None], truth: set[int]) -> int:
    for name, costs in taken.items():
        cpu, client, server = (
            statistics.median(getattr(c, what) for c in costs) for what in ("cpu", "client", "server")
        )
        found = said[name]
        words = "" if found is None else f"  {len(found & truth)} of {len(truth)} found, {len(found - truth)} false"
        peak = statistics.median(c.peak_mb for c in costs)
        sys.stdout.write(
            f"{name:9} CPU {cpu:7.2f} s (client {client:.2f}, server {server:.2f})  peak {peak:.0f} MB{words}\n"
        )
    for name in taken.keys() - {"ours"}:
        pairs = zip(taken[name], taken["ours"], strict=True)
        ratio = statistics.median(other.cpu / ours.cpu for other, ours in pairs)
        sys.stdout.write(f"{rows:,} rows: {name} takes {ratio:.2f} x our CPU (client and server)\n")
    return 0 if said["ours"] == truth else 1


def _open(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)


def _planted(url: str, rows: int, rng: random.Random) -> set[int]:
    """Keys of the rows that were made different, a hundred of each kind (fewer where there are few rows)."""
    each = min(100, rows // 20)
    ids = rng.sample(range(1, rows + 1), 5 * each)
    with _open(url) as c:
        for key in ids[:each]:
            c.execute("DELETE FROM rows WHERE id = %s", [key])
        for number, key in enumerate(ids[each : 2 * each]):
            c.execute(f"UPDATE rows SET {_CHANGED[number % len(_CHANGED)]} WHERE id = %s", [key])  # type: ignore[arg-type]
        for number, key in enumerate(ids[2 * each : 3 * each]):
            c.execute(f"UPDATE rows SET {_AMOUNTS[number % len(_AMOUNTS)]} WHERE id = %s", [key])  # type: ignore[arg-type]
        extra = [rows + 1 + n for n in range(each)]
        for new, old in zip(extra, ids[3 * each : 4 * each], strict=True):
            columns = ", ".join(_COLUMNS)
            c.execute(f"INSERT INTO rows SELECT %s, {columns} FROM rows WHERE id = %s", [new, old])  # type: ignore[arg-type]
        spent, emptied = {*ids[: 3 * each]}, set[int]()
        for share, change, where in _MISSING:
            free = (k for (k,) in c.execute(f"SELECT id FROM rows WHERE {where} ORDER BY md5(id::text)").fetchall())  # type: ignore[arg-type]
            keys = [k for k in free if k not in spent | emptied and k <= rows][: max(1, share * each // 100)]
            c.execute(f"UPDATE rows SET {change} WHERE id = ANY(%s)", [keys])  # type: ignore[arg-type]
            emptied |= set(keys)
    return {*ids[: 3 * each], *extra, *emptied}


def _ours(left: str, right: str) -> list[str]:
    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.connectors.row_digests import sides_of
    from migration_assets.stages.reconcile.buckets import differing

    table = sql.Identifier("rows")
    with (
        PostgresTarget(left).transaction(read_only=True) as one,
        PostgresTarget(right).transaction(read_only=True) as other,
    ):
        (about,) = one.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'rows'::regclass").fetchone() or (0,)
        sides = sides_of(one, other, (table, table), "id")
        return list(differing(*sides, about).keys)


def _reading(left: str, right: str) -> int:
    """Both tables read to nothing, the fastest way there is."""
    size = 0
    for url in (left, right):
        with (
            _open(url) as connection,
            connection.cursor() as cursor,
            cursor.copy("COPY rows TO STDOUT (FORMAT binary)") as copy,
        ):
            for block in copy:
                size += len(block)
    return size


if __name__ == "__main__":
    sys.exit(main())
