"""One entity through a stage alone: what a changed mapping makes of its rows, with all others as they were.

It is the stages' own code that does it; only that nothing is done again that cannot have changed. Where the change
costs or gives rows, what hangs on them changes too, and the whole stage has to be run: None says so.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from migration_assets.domain.canonical import ENTITIES
from migration_assets.drill.clean import COHORT, Case
from migration_assets.plan.models import Plan
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.canonical import DISPOSITIONS, StageRows, stage_rows
from migration_assets.stages.entitlements.cohort import with_derived
from migration_assets.stages.entitlements.derive import CatalogRows
from migration_assets.stages.feeds import Mapping
from migration_assets.stages.references import NOTES
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.loading import load_rows, loaded_table, membership_of, merged_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.wiring.call import StageCall

_BEFORE = {
    "transformed_entitlements": ("reference_data", "cleansed_customers"),
    "transformed_billing": ("reference_data", "cleansed_customers", "transformed_entitlements"),
}
# What entitlements follow from.
_DERIVED_FROM = frozenset(
    {"subscription", "subscription_item", "scheduled_change", "entitlement_override", "seat_assignment"}
)


def transformed_alone(case: Case, stage: str, entity: str) -> frozenset[str] | None:
    """Map and settle one entity of a cohort stage, and what is derived from it. Returns the tables that hold something
    else now, or None when rows are there or gone that were not."""
    with case.workspace.engine() as engine:
        call = case.bench.call(engine, COHORT)
        feeds = Mapping(engine, call.plan, call.cohort_rows(), call.as_of, call.golden())
        made = stage_rows(feeds, [entity], call.upstream(*_BEFORE[stage], stage), feeds.entity)
        if _keys(call, made.rows[entity], entity) != _keys(call, call.rows(stage, entity), entity):
            return None
        rows = dict(made.rows)
        if entity in _DERIVED_FROM:
            rows = _derived(call, feeds, stage, made)
        order = {name: [ENTITIES[name].key.name] for name in rows}
        tables = {
            **rows,
            "notes": _notes(call, stage, entity, made),
            "dispositions": _claims(call, stage, entity, made),
        }
        order |= {"notes": ["entity", "source_table", "source_row", "field"]}
        order |= {"dispositions": ["source_system", "source_table", "source_row"]}
        for name, table in tables.items():
            # Kept first: some of them read the file that they are about to replace.
            engine.write(engine.cached(table), call.file(stage, name), order_by=order[name])
    return frozenset(n for n in tables if differs(case, stage, COHORT, n))


def _keys(call: StageCall, rows: ir.Table, entity: str) -> set[str]:
    key = ENTITIES[entity].key.name
    return set(call.engine.arrow(rows.select(key))[key].to_pylist())


def _derived(call: StageCall, feeds: Mapping, stage: str, made: StageRows) -> dict[str, ir.Table]:
    catalog = CatalogRows(
        **{e: call.global_rows("reference_data", e) for e in ("plan", "product_feature", "feature", "geo_rule")}
    )
    others = {e: call.rows(stage, e) for e in call.entities(stage) if e != "entitlement"}
    whole = with_derived(
        feeds, StageRows({**others, **made.rows}), catalog, call.rows("cleansed_customers", "customer")
    )
    return {e: whole.rows[e] for e in (*made.rows, "entitlement", "seat_assignment") if e in whole.rows}


def _notes(call: StageCall, stage: str, entity: str, made: StageRows) -> ir.Table:
    before = call.rows(stage, "notes")
    return call.engine.union(
        [before.filter(before["entity"] != entity).cast(NOTES), *(n.cast(NOTES) for n in made.notes)]
    )


def _claims(call: StageCall, stage: str, entity: str, made: StageRows) -> ir.Table:
    before = call.rows(stage, "dispositions")
    home = [t for t, declared in call.plan.source_tables.items() if declared.home == entity]
    others = before.filter(~(before["source_system"] + "." + before["source_table"]).isin(home or [""]))
    return call.engine.union([others.cast(DISPOSITIONS), *(d.cast(DISPOSITIONS) for d in made.dispositions)])


def differs(case: Case, asset: str, partition: str, table: str, columns: str = "*") -> bool:
    """Whether a table of this case holds something else than on the clean copy, in these columns."""
    ours = case.workspace.store.file(asset, partition, table)
    theirs = case.clean.workspace.store.file(asset, partition, table)
    if not theirs.exists() or ours.samefile(theirs):
        return not theirs.exists()
    one, other = (f"SELECT {columns} FROM read_parquet('{_quoted(f)}')" for f in (ours, theirs))
    with duckdb.connect() as connection:
        query = f"SELECT 1 FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})) LIMIT 1"
        return bool(connection.execute(query).fetchall())


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def load_reference(case: Case, entities: Collection[str]) -> None:
    """Load these entities of the reference data into the target, where everything else stands already."""
    with case.workspace.engine() as engine:
        call = case.bench.call(engine, GLOBAL)
        load_rows(call, UNASSIGNED, {e: call.file("reference_data", e) for e in entities})


def load_alone(case: Case, stage_of: dict[str, str]) -> None:
    """Load these entities (entity -> asset) of the cohort into the target, where everything else stands already."""
    with case.workspace.engine() as engine:
        call = case.bench.call(engine, COHORT)
        files = {entity: call.file(asset, entity) for entity, asset in stage_of.items()}
        result = load_rows(call, COHORT, files, merged_rows(call), membership_of(call))
        engine.write(engine.table(loaded_table(result)), call.file("loaded_target", "loaded"), order_by=["table"])


def tables_of(plan: Plan, entities: Collection[str]) -> set[str]:
    """Tables of the target that hold these entities."""
    return {name for name, t in plan.target.tables.items() if t.entity in entities}
