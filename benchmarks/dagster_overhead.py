"""What Dagster itself costs for 20 cohorts: assets and checks of the real graph's number that compute nothing.

The peer is the same functions called in a plain loop, so what is printed is the price of run history, check history
and lineage. usage: python -m benchmarks.dagster_overhead [cohorts] [checks per asset]

Annotations are real here, not text: Dagster reads those of an asset's function.
"""

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from benchmarks.end_to_end import ROOT
from migration_assets.connectors.databases import database_url, ensure_database
from migration_assets.connectors.embedded_postgres import EmbeddedServer

ASSETS = 6


def main(cohorts: int, checks: int) -> int:
    """Print CPU and wall seconds for each cohort, with and without Dagster."""
    import yaml

    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        server = EmbeddedServer(Path(name) / "postgres")
        admin = server.start()
        try:
            ensure_database(admin, "bench_dagster")
            os.environ["CUTOVER_DAGSTER_URL"] = database_url(admin, "bench_dagster", "psycopg2")
            os.environ["CUTOVER_DAGSTER_ARTIFACTS"] = os.environ["CUTOVER_DAGSTER_LOGS"] = name
            home = Path(name) / "home"
            home.mkdir()
            config = yaml.safe_load((ROOT / "dagster.yaml").read_text())
            (home / "dagster.yaml").write_text(yaml.safe_dump(config))
            os.environ["DAGSTER_HOME"] = str(home)
            bare, runs = _bare(cohorts), _with_dagster(cohorts, checks)
        finally:
            server.stop()
    sys.stdout.write(
        f"{cohorts} cohorts, {ASSETS} assets, {ASSETS * checks} checks each: Dagster costs {runs[0] / cohorts:.2f} "
        f"CPU s of the client and {runs[1] / cohorts:.2f} s wall a cohort; bare functions {bare[0] / cohorts:.5f}\n"
    )
    return 0


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.monotonic()
    work()
    return time.process_time() - cpu, time.monotonic() - wall


def _bare(cohorts: int) -> tuple[float, float]:
    def work() -> None:
        for _ in range(cohorts * ASSETS):
            _nothing()

    return _timed(work)


def _nothing() -> dict[str, int]:
    return {"rows": 0}


def _with_dagster(cohorts: int, checks: int) -> tuple[float, float]:
    for told in (dg.PreviewWarning, dg.BetaWarning):
        warnings.simplefilter("ignore", told)
    partitions = dg.DynamicPartitionsDefinition(name="cohort")
    job = dg.define_asset_job("all", selection="*")
    defs = dg.Definitions(
        assets=[_asset(f"asset_{i}", checks, partitions) for i in range(ASSETS)],
        jobs=[job],
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3_600, max_overflow=20)
        names = [f"cohort_{i:02d}" for i in range(cohorts)]
        instance.add_dynamic_partitions("cohort", names)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

        def work() -> None:
            for name in names:
                resolved = defs.resolve_job_def("all")
                assert resolved.execute_in_process(partition_key=name, instance=instance, run_config=quiet).success

        return _timed(work)


def _asset(name: str, checks: int, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    specs = [dg.AssetCheckSpec(f"check_{i}", asset=name, partitions_def=partitions) for i in range(checks)]

    @dg.asset(name=name, partitions_def=partitions, check_specs=specs)
    def asset() -> dg.MaterializeResult:
        found = _nothing()
        return dg.MaterializeResult(
            metadata=found, check_results=[dg.AssetCheckResult(check_name=s.name, passed=True) for s in specs]
        )

    return asset


if __name__ == "__main__":
    given = [int(a) for a in sys.argv[1:]]
    sys.exit(main(*(given + [20, 24][len(given) :])))
