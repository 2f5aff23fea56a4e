"""A whole migration beside the peer's script, on the same rows and the same server.

The peer is what a competent engineer writes in an afternoon with pandas and SQLAlchemy; it lies outside this
repository, in the folder that CUTOVER_PEERS names (default ../shared/peers). usage: python -m benchmarks.end_to_end
[customers] [rounds]
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Cost, ServerClock, cost_of
from migration_assets.connectors.databases import database_url, drop_database, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(os.environ.get("CUTOVER_PEERS", ROOT.parent / "shared" / "peers"))


def main(customers: int, rounds: int) -> int:
    """Print the cost of both, round by round, and the median ratios."""
    if not (PEERS / "naive_migrate.py").exists():
        sys.stdout.write(f"skipped: no peer in {PEERS}; set CUTOVER_PEERS to a folder with naive_migrate.py\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        folder = Path(name)
        root = root_of(folder / "root")
        server = EmbeddedServer(root / ".cutover" / "postgres")
        admin = server.start()
        try:
            return _rounds(folder, root, admin, customers, rounds)
        finally:
            server.stop()


def _rounds(folder: Path, root: Path, admin: str, customers: int, rounds: int) -> int:
    clock = ServerClock.of(admin)
    ensure_database(admin, "bench_source")
    source = database_url(admin, "bench_source", "psycopg")
    plain = source.replace("postgresql+psycopg://", "postgresql://")
    made = cost_of(
        [sys.executable, str(PEERS / "naive_data.py"), plain, str(customers)], os.environ, clock, folder / "data"
    )
    if made.code:
        sys.stdout.write((folder / "data").read_text())
        return 1
    pairs = [(_ours(folder, root, admin, clock), _peer(folder, admin, clock, source)) for _ in range(rounds)]
    for ours, peer in pairs:
        _print("cutover", ours)
        _print("peer, executemany", peer)
    cpu = statistics.median(peer.cpu / ours.cpu for ours, peer in pairs)
    peak = statistics.median(ours.peak_mb for ours, _ in pairs)
    sys.stdout.write(
        f"{customers:,} customers, {3 * customers:,} subscriptions, {rounds} round(s): the peer takes {cpu:.1f} x our "
        f"CPU (client and server); our peak is {peak} MB\n"
    )
    return max(max(o.code, p.code) for o, p in pairs)


def _ours(folder: Path, root: Path, admin: str, clock: ServerClock) -> Cost:
    for name in ("bench_target", "naive_control", "naive_dagster"):
        drop_database(admin, name)
    shutil.rmtree(root / ".cutover" / "naive", ignore_errors=True)
    ensure_database(admin, "bench_target")
    environment = {
        **os.environ,
        "BENCH_SOURCE_URL": database_url(admin, "bench_source", "psycopg"),
        "BENCH_TARGET_URL": database_url(admin, "bench_target", "psycopg"),
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, "-m", "migration_assets.cli", "run", "--plan", "plans/naive", "--json"]
    return checked(cost_of(command, environment, clock, folder / "ours", folder=root), folder / "ours")


def _peer(folder: Path, admin: str, clock: ServerClock, source: str) -> Cost:
    drop_database(admin, "bench_peer")
    ensure_database(admin, "bench_peer")
    target = database_url(admin, "bench_peer", "psycopg")
    environment = {**os.environ, "NAIVE_LOAD": "executemany"}
    command = [sys.executable, str(PEERS / "naive_migrate.py"), source, target]
    return checked(cost_of(command, environment, clock, folder / "peer"), folder / "peer")


def checked(cost: Cost, log: Path) -> Cost:
    if cost.code:
        sys.stdout.write(log.read_text(errors="replace")[-4000:])
    return cost


def root_of(folder: Path) -> Path:
    """A project root of its own: the code and suites of this one, and only the benchmark's plan."""
    folder.mkdir(parents=True)
    for name in ("migration_assets", "expectations"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "benchmarks" / "plans", folder / "plans")
    return folder


def _print(who: str, cost: Cost) -> None:
    sys.stdout.write(
        f"{who:20} CPU {cost.cpu:7.1f} s (client {cost.client:.1f}, server {cost.server:.1f})  "
        f"wall {cost.wall:6.1f} s  peak {cost.peak_mb:5} MB\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*(given + [200_000, 3][len(given) :])))
