"""`cohort_plan`: families, cohorts, the frozen migration record, and every row laid out with its cohort. Global."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.cohorts.assign import planned_cohorts
from migration_assets.stages.cohorts.families import members
from migration_assets.stages.cohorts.layout import Layout
from migration_assets.stages.owners import Owners
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.stage import StageOutput, StageSpec
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import ibis.expr.types as ir


def specs(workspace: Workspace) -> list[StageSpec]:
    return [
        StageSpec(
            name="cohort_plan",
            group="prepare",
            description="Which customers move together and when; freezes snapshot, as_of and plan digest.",
            kinds=frozenset({"duckdb", "parquet"}),
            compute=_plan_cohorts,
            suite=workspace.suites["cohort_plan"],
            deps=[dg.AssetKey("customer_identities")],
            gates=["customer_identities"],
            by_cohort=False,
        )
    ]


def _plan_cohorts(call: StageCall) -> StageOutput:
    customers = call.rows("standardized_parties", "customer")
    identities = call.rows("customer_identities", "identities")
    owners = Owners(call.engine, call.plan, call.golden())
    placed = members(call.engine, call.plan, customers, identities, owners)
    file = call.file("cohort_plan", "members")
    call.engine.write(placed, file, order_by=["customer_id"])
    cohorts = (*(c.name for c in planned_cohorts(call.plan.cohorts.cohorts)), UNASSIGNED)
    layout = Layout(call.engine, call.golden(), owners, call.engine.read(file))
    rows, laid_out = _lay_out(call, layout, cohorts)
    balance = call.file("cohort_plan", "laid_out")
    call.engine.write(call.engine.table(laid_out_table(laid_out)), balance, order_by=["table"])
    _freeze(call, file, rows)
    sizes = _sizes(call, file)
    listed = [(name, sizes.get(name, 0), rows[name]) for name in cohorts]
    metadata = {
        "cohorts": len(cohorts),
        "what moves when": markdown_table(("cohort", "customer rows", "source rows"), listed),
    }
    return StageOutput({"members": file, "laid_out": balance}, metadata)


def _sizes(call: StageCall, members_file: Path) -> dict[str, int]:
    rows = call.engine.read(members_file)
    counted = rows.group_by("cohort").aggregate(n=rows.count())
    return {r["cohort"] or "": r["n"] for r in call.engine.arrow(counted).to_pylist()}


def laid_out_table(rows: Mapping[str, tuple[int, int]]) -> pa.Table:
    """Table `laid_out`, one row for each table: table, rows there are, rows that the cohorts got of them."""
    return pa.table(
        {
            "table": pa.array(rows, pa.string()),
            "there_rows": pa.array([there for there, _ in rows.values()], pa.int64()),
            "cohort_rows": pa.array([given for _, given in rows.values()], pa.int64()),
        }
    )


def _lay_out(
    call: StageCall, layout: Layout, cohorts: tuple[str, ...]
) -> tuple[dict[str, int], dict[str, tuple[int, int]]]:
    """Write each source table and the standardized parties by cohort. Returns source rows by cohort, and for each table
    how many rows there are and how many the cohorts got."""
    total = dict.fromkeys(cohorts, 0)
    balance: dict[str, tuple[int, int]] = {}
    golden = call.golden()
    for table in call.plan.source_tables:
        call.say(f"laying out {table}")
        files = {c: call.workspace.store.file("cohort_plan", c, table) for c in cohorts}
        written = call.engine.write_partitions(layout.rows_with_cohort(table), "_cohort", files, order_by=["_row"])
        total = {c: total[c] + written[c] for c in cohorts}
        balance[table] = (call.engine.count(golden(table)), sum(written.values()))
    return total, balance | lay_out_parties(call, layout, cohorts)


def lay_out_parties(call: StageCall, layout: Layout, cohorts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Write the standardized parties by cohort. Returns for each table how many rows there are, and how many the
    cohorts got."""
    balance: dict[str, tuple[int, int]] = {}
    for name in (*call.plan.entities_of("cleansed_customers"), "notes"):
        files = {c: call.workspace.store.file("cohort_plan", c, f"party.{name}") for c in cohorts}
        parties = call.rows("standardized_parties", name)
        rows = _with_cohort(call, layout, parties)
        written = call.engine.write_partitions(rows, "_cohort", files, order_by=["source_table", "source_row"])
        balance[f"party.{name}"] = (call.engine.count(parties), sum(written.values()))
    return balance


def _with_cohort(call: StageCall, layout: Layout, rows: ir.Table) -> ir.Table:
    """Canonical rows and the cohort of the source row each was made from."""
    parts = []
    for table in call.plan.source_tables:
        system, _, name = table.partition(".")
        mine = rows.filter((rows["source_system"] == system) & (rows["source_table"] == name))
        cohort = layout.cohort_of_row(table)
        parts.append(mine.inner_join(cohort, mine["source_row"] == cohort["_row"]).drop("_row"))
    return call.engine.union(parts)


def _freeze(call: StageCall, members_file: Path, rows: dict[str, int]) -> None:
    """Freeze the migration record and make the cohorts known as partitions."""
    sizes = _sizes(call, members_file)
    control, plan = call.workspace.control, call.plan
    record = control.freeze_record(
        plan=plan.name,
        snapshot=call.snapshot,
        as_of=call.as_of,
        plan_digest=plan.digest,
        strategy=plan.file.strategy,
        now=datetime.now(UTC),
        trial=call.is_dry_run,
    )
    planned = {c.name: c for c in planned_cohorts(plan.cohorts.cohorts)}
    # What belongs to nobody moves last: its orphans matter to no customer, and the pilot comes first.
    last = 1 + max(c.wave for c in planned.values()), 1 + len(planned)
    placed = [(n, (planned[n].wave, planned[n].position) if n in planned else last) for n in rows]
    control.set_cohorts(record, [(name, *place, sizes.get(name, 0), rows[name]) for name, place in placed])
    call.set_cohorts(list(rows))
