"""What the stages of a cohort read, as one digest each: equal digests, equal rows, and nothing to do again.

A cohort reads its own laid-out rows, what is known of who its customers are, reference data, tables that belong to no
customer, tables that its mapping looks things up in, and which of its references lead nowhere. Row numbers of the
golden copy are part of the rows: reports and fates name rows by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.connectors.golden_parquet import literal, quoted
from migration_assets.engine.rules import registry
from migration_assets.plan.lookups import ARROW, lookups_of
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.golden_copy.manifest import file_digest, read_manifest
from migration_assets.stages.store import GLOBAL

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.golden_copy.manifest import Manifest
    from migration_assets.wiring.workspace import Workspace

# Two sums of 64 bits of each row's digest: rows in any order, each as often as it is there.
_ROWS = "count(*), sum(md5_number_lower({0}::VARCHAR)::HUGEINT), sum(md5_number_upper({0}::VARCHAR)::HUGEINT)"


def inputs_of(workspace: Workspace, snapshot: str, cohorts: Collection[str]) -> dict[str, str]:
    """SHA-256 of everything that the stages of each of these cohorts read, as it lies there now."""
    manifest = read_manifest(workspace.store.golden(snapshot))
    shared = _shared(workspace, manifest)
    with workspace.engine(alone=True) as engine:
        own = {c: [*shared, *_laid_out(workspace, c)] for c in cohorts}
        for place, told in (
            ("identities", _identities(workspace, engine)),
            *_orphans(workspace, engine, snapshot, cohorts),
        ):
            for cohort in cohorts:
                own[cohort].append(f"{place} {told.get(cohort, 'none')}")
    return {cohort: hashlib.sha256("\n".join(lines).encode()).hexdigest() for cohort, lines in own.items()}


def _shared(workspace: Workspace, manifest: Manifest) -> list[str]:
    """Reference data, and tables of which every cohort may read any row."""
    folder = workspace.store.folder("reference_data", GLOBAL)
    tables = sorted(tables_for_all(workspace.plan, manifest))
    return [
        *(f"reference_data {p.name} {file_digest(p)}" for p in sorted(folder.glob("*.parquet"))),
        *(f"source {t} {manifest.tables[t].sha256}" for t in tables),
    ]


def tables_for_all(plan: Plan, manifest: Manifest) -> set[str]:
    """Source tables that a cohort reads rows of that are not its own: those that belong to no customer, those that a
    mapping looks values up in, and those where a rule learns from a whole column of texts."""
    declared = plan.source_tables
    found = {t for t, d in declared.items() if d.owner == "none"}
    for feed in plan.feeds:
        for name in lookups_of(plan, feed):
            table = f"{feed.system}.{feed.table}"
            for via in name.split(ARROW)[:-1]:
                table = declared[table].references[via]
                found.add(table)
    parties = set(plan.entities_of("cleansed_customers"))
    for row in (r for r in plan.mapping if r.entity not in parties and registry.get(r.rule).learns is not None):
        table = f"{row.system}.{row.table}"
        if any(manifest.tables[table].columns.get(c, "string") == "string" for c in row.columns):
            found.add(table)
    return found


def _laid_out(workspace: Workspace, cohort: str) -> Iterator[str]:
    for path in sorted(workspace.store.folder("cohort_plan", cohort).glob("*.parquet")):
        yield f"rows {path.name} {file_digest(path)}"


def _identities(workspace: Workspace, engine: DuckDBEngine) -> dict[str, str]:
    """By cohort: who its customers are, and with whom they move. Rows of customers that left the source count as those
    of `unassigned`, which tells of them."""
    files = [
        workspace.store.file(a, GLOBAL, t)
        for a, t in (("customer_identities", "identities"), ("cohort_plan", "members"))
    ]
    identities, members = map(_read, files)
    return _told(
        engine,
        f"SELECT coalesce(m.cohort, '{UNASSIGNED}'), {_ROWS.format('(i, m)')} FROM {identities} i"
        f" LEFT JOIN {members} m USING (customer_id) GROUP BY 1",
    )


def _orphans(
    workspace: Workspace, engine: DuckDBEngine, snapshot: str, cohorts: Collection[str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """For each reference the values that lead nowhere, by cohort: what is new elsewhere may make them lead there."""
    plan, store = workspace.plan, workspace.store
    for table, declared in plan.source_tables.items():
        files = {str(store.file("cohort_plan", c, table)): c for c in sorted(cohorts)}
        listed = ", ".join(literal(Path(f)) for f in files)
        for column, to in sorted(declared.references.items()):
            if len(plan.source_table(to).key) != 1:
                continue
            value, key = f"t.{quoted(column)}::VARCHAR", f"g.{quoted(plan.source_table(to).key[0])}::VARCHAR"
            rows, sums = f"read_parquet([{listed}], filename = true) t", _ROWS.format(f"t.{quoted(column)}")
            told = _told(
                engine,
                f"SELECT t.filename, {sums} FROM {rows}"
                f" WHERE {value} IS NOT NULL AND {value} NOT IN"
                f" (SELECT {key} FROM {_read(store.golden_file(snapshot, to))} g WHERE {key} IS NOT NULL) GROUP BY 1",
            )
            yield f"orphans {table}.{column}", {files[f]: digest for f, digest in told.items()}


def _told(engine: DuckDBEngine, query: str) -> dict[str, str]:
    rows = engine.connection.execute(query).fetchall()
    return {str(name): " ".join(map(str, sums)) for name, *sums in rows}


def _read(path: Path) -> str:
    return f"read_parquet({literal(path)})"
