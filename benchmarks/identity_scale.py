"""Who is who at size: what cleaning, exact matching, Splink alone and the whole stage cost on the same customers.

Each step is a process of its own, so that CPU and peak memory are its own; each reads what the one before it wrote. The
peer is Splink as its manual has one use it: one hand-made model over the cleaned customers of both systems, trained,
predicted and clustered, nothing minded. usage: python -m benchmarks.identity_scale [customers]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.end_to_end import ROOT
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.identities.facts import facts_of
from migration_assets.stages.identities.likely import likely_pairs
from migration_assets.stages.identities.resolve import AskLikeness, resolve_identities
from migration_assets.stages.identities.standing import Standing

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
PARTIES = ("customer", "contact", "address", "tax_registration")


def generate(folder: Path, customers: int) -> str:
    """Both legacy systems as raw Parquet, as a golden copy has them."""
    from migration_assets.demo import generate as generated

    legacy = generated(customers, as_of=AS_OF)
    for name, table in legacy.tables.items():
        plain = pa.table({c: _plain(table[c]) for c in table.column_names})
        plain = plain.append_column("_row", pa.array(np.arange(1, plain.num_rows + 1)))
        pq.write_table(plain, folder / f"{name}.parquet", compression="zstd")
    return f"{legacy.tables['crm.accounts'].num_rows + legacy.tables['erp.customers'].num_rows:,} customer rows"


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


class _World:
    """An engine over the folder, and the plan that reads it."""

    def __init__(self, folder: Path, engine: DuckDBEngine) -> None:
        self.folder, self.engine = folder, engine
        self.plan: Plan = load_plan(ROOT / "plans" / "acme")
        self.feeds = Mapping(engine, self.plan, self.raw, AS_OF)

    def raw(self, table: str) -> ir.Table:
        return self.engine.read(self.folder / f"{table}.parquet")

    def party(self, name: str) -> ir.Table:
        return self.engine.read(self.folder / f"party.{name}.parquet")


def clean(world: _World) -> str:
    """Names, phones, e-mails, addresses and tax numbers of all parties in standard form."""
    written = {}
    for name in PARTIES:
        path = world.folder / f"party.{name}.parquet"
        written[name] = world.engine.write(world.feeds.entity(name).rows, path)
    return f"{sum(written.values()):,} rows"


def exact(world: _World) -> str:
    """Links and keys of the plan, and what a machine has to mind."""
    return _resolved(world, None)


def stage(world: _World) -> str:
    """The whole of `customer_identities` after cleaning: links, keys, likeness, facts, decisions."""
    spill = world.folder / "spill"

    def alike(rows: Standing) -> pa.Table:
        customers, addresses = world.party("customer"), world.party("address")
        return likely_pairs(world.engine, customers, addresses, rows, floor=0.5, spill_to=spill).pairs

    return _resolved(world, alike)


def _resolved(world: _World, alike: AskLikeness | None) -> str:
    found = resolve_identities(
        world.engine,
        world.plan.file.identity,
        world.party("customer"),
        world.raw,
        ask=lambda asked: facts_of(world.feeds, world.party("tax_registration"), asked),
        alike=alike,
        merge_at=0.99,
    )
    ids = found.identities
    counted = world.engine.arrow(ids.aggregate(rows=ids.count(), customers=ids["identity_id"].nunique())).to_pylist()[0]
    doubts = world.engine.count(found.doubts)
    return f"{counted['rows']:,} rows are {counted['customers']:,} customers; {doubts:,} pairs for a person"


def splink(world: _World) -> str:
    """Splink alone, with settings by hand over the cleaned customers."""
    import splink.comparison_library as cl
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    rows = world.party("customer")
    names = ("name", "email", "phone", "tax_id", "country")
    table = world.engine.arrow(rows.select("kind", unique_id="customer_id", **{n: n for n in names}))
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.JaroWinklerAtThresholds("name", [0.95, 0.88]).configure(term_frequency_adjustments=True),
            cl.EmailComparison("email"),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
            cl.ExactMatch("tax_id"),
            cl.ExactMatch("country"),
        ],
        blocking_rules_to_generate_predictions=[block_on(n) for n in ("email", "phone", "tax_id", "name")],
    )
    api = DuckDBAPI(connection=world.engine.connection)
    linker = Linker(api.register(table), settings)
    linker.training.estimate_probability_two_random_records_match([block_on("email", "name")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    # By e-mail only: among pairs of one name something is always alike or always different, and Splink breaks off.
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("email"))
    pairs = linker.inference.predict(threshold_match_probability=0.5)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, 0.99)
    frame = clusters.as_duckdbpyrelation().aggregate("count(distinct cluster_id) as n").fetchall()
    return f"{table.num_rows:,} rows are {frame[0][0]:,} customers"


STEPS = {"clean": clean, "exact": exact, "splink": splink, "stage": stage}


def step(name: str, folder: Path, customers: int) -> int:
    """One step in this process; says what it found and what it cost."""
    started = time.monotonic()
    if name == "generate":
        said = generate(folder, customers)
    else:
        # Splink's own defaults compare all pairs that share a name: it does not come through on what we live on.
        limit = "12GB" if name == "splink" else "1GB"
        with DuckDBEngine(memory_limit=limit, spill_to=folder / "spill") as engine:
            said = STEPS[name](_World(folder, engine))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost = f"CPU {usage.ru_utime + usage.ru_stime:7.1f} s  wall {time.monotonic() - started:6.1f} s"
    sys.stdout.write(f"{name:10} {cost}  peak {usage.ru_maxrss // 1024:5} MB  {said}\n")
    return 0


def main(customers: int) -> int:
    """Every step in turn."""
    with tempfile.TemporaryDirectory(prefix="cutover-bench-") as name:
        for each in ("generate", *STEPS):
            command = [sys.executable, "-m", "benchmarks.identity_scale", each, name, str(customers)]
            if code := subprocess.run(command, check=False, env=dict(os.environ)).returncode:
                return code
    return 0


if __name__ == "__main__":
    given: list[Any] = sys.argv[1:]
    sys.exit(
        step(given[0], Path(given[1]), int(given[2])) if len(given) == 3 else main(*map(int, given or [1_000_000]))
    )
