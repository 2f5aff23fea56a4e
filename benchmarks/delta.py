"""The golden copy of a delta tick over a PostgreSQL source of 1,000,000 rows x 12 columns in which nothing, or 10,
1,000 or 100,000 rows were changed, or 1,000 deleted, beside a whole new golden copy of the same.

Each copy is made from the one before, and is a process of its own; CPU is that of client and server, peak memory the
client's. What ten rows cost (imports, plan, connections) is printed first and taken off in the ratios.

usage: python -m benchmarks.delta [rows]
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.extract import served
from benchmarks.measure import Cost, ServerClock, cost_of
from benchmarks.one_table import fill, opened, plan
from migration_assets.connectors.databases import database_url, ensure_database

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CHANGED = (10, 1_000, 100_000)
DELETED = 1_000


def marks_of(folder: Path, snapshot: str) -> Path:
    return folder / "marks" / f"{snapshot}.json"


def named(number: int) -> tuple[str, datetime]:
    """The snapshot with that number, and when it was taken."""
    from migration_assets.stages.golden_copy.manifest import snapshot_id

    at = BEGAN + timedelta(minutes=number)
    return snapshot_id(at, f"{number:06x}"), at


def whole(url: str, folder: Path, number: int) -> dict[str, int]:
    """A golden copy of everything."""
    from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy

    made, (snapshot, at) = plan(url), named(number)
    sources = open_sources(made, lambda *_: url)
    manifest = take_golden_copy(made, sources, folder / "copies", snapshot, at, marks=marks_of(folder, snapshot))
    return {"rows": manifest.tables["crm.accounts"].rows, "changed": 0}


def tick(url: str, folder: Path, number: int) -> dict[str, int]:
    """The next golden copy out of the last one there is."""
    from migration_assets.stages.golden_copy.delta import earlier_copy, take_delta
    from migration_assets.stages.golden_copy.export import open_sources
    from migration_assets.stages.golden_copy.manifest import read_manifest

    made, (snapshot, at) = plan(url), named(number)
    last = max((folder / "copies").iterdir())
    earlier = earlier_copy(last, read_manifest(last), marks_of(folder, last.name), made)
    sources = open_sources(made, lambda *_: url)
    found = take_delta(made, sources, earlier, snapshot, at, lambda name: marks_of(folder, name))
    if found is None:
        return {"rows": earlier.manifest.tables["crm.accounts"].rows, "changed": 0}
    return {"rows": found.manifest.tables["crm.accounts"].rows, "changed": sum(c.changed for c in found.changes)}


STEPS = {"whole": whole, "tick": tick}


def main(rows: int) -> int:
    with served() as (folder, admin):
        clock = ServerClock.of(admin)

        def step(name: str, size: int, number: int, said: str) -> Cost:
            place = folder / f"copies of {size}"
            place.mkdir(exist_ok=True)
            url = database_url(admin, f"bench_{size}", "psycopg")
            command = [sys.executable, "-m", "benchmarks.delta", name, url, str(place), str(number)]
            log = folder / "log"
            cost = cost_of(command, os.environ, clock, log)
            if cost.code:
                raise SystemExit(f"{said} failed:\n{log.read_text(errors='replace')[-2000:]}")
            told = json.loads(log.read_text().splitlines()[-1])
            sys.stdout.write(
                f"{said:26} CPU {cost.cpu:6.2f} s (client {cost.client:.2f}, server {cost.server:.2f})  wall "
                f"{cost.wall:6.2f} s  peak {cost.peak_mb:5} MB  {told['changed']:,} changed of {told['rows']:,}\n"
            )
            sys.stdout.flush()
            return cost

        for size in (10, rows):
            ensure_database(admin, f"bench_{size}")
            fill(database_url(admin, f"bench_{size}", "psycopg"), size)
        fixed = step("whole", 10, 1, "ten rows, whole").cpu
        step("whole", rows, 1, "the first copy")
        step("tick", rows, 2, "a tick, nothing changed")
        changes = [(f"{n:,} changed", _updated(rows, n)) for n in CHANGED if n <= rows]
        changes.append((f"{min(DELETED, rows // 10):,} deleted", _deleted(rows)))
        for number, (said, statement) in enumerate(changes, start=2):
            with opened(database_url(admin, f"bench_{rows}", "psycopg")) as connection:
                connection.execute(statement)
            # The number twice: a tick without changes has kept no copy; a whole one beside is not the next one's base.
            cost = step("tick", rows, number + 1, f"a tick, {said}")
            beside = step("whole", rows, 0, f"  whole, {said}")
            _forget(folder / f"copies of {rows}")
            sys.stdout.write(f"    {(cost.cpu - fixed) / (beside.cpu - fixed):.2f} x a whole new copy\n")
    return 0


def _updated(rows: int, count: int) -> bytes:
    """Rows from all over the table."""
    return f"UPDATE accounts SET name = name || '!', changed_at = now() WHERE id % {rows // count} = 0".encode()


def _deleted(rows: int) -> bytes:
    return f"DELETE FROM accounts WHERE id % {rows // min(DELETED, rows // 10)} = 1".encode()


def _forget(place: Path) -> None:
    """Remove the copy that was made beside."""
    shutil.rmtree(place / "copies" / named(0)[0])


if __name__ == "__main__":
    given = sys.argv[1:]
    if given and given[0] in STEPS:
        sys.stdout.write(json.dumps(STEPS[given[0]](given[1], Path(given[2]), int(given[3]))) + "\n")
        sys.exit(0)
    sys.exit(main(int(given[0]) if given else 1_000_000))
