"""One run of one stage: for which cohort, on which frozen record, and where the rows of the stages before it lie."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.connectors.private_files import make_folder, write_private
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import StageRefused
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.partitions import set_cohorts
from migration_assets.wiring.tags import ACTOR, AS_OF, DRY_RUN, TICK

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.control import Basis
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.stages.canonical import Upstream
    from migration_assets.stages.feeds import RawTables
    from migration_assets.wiring.workspace import Workspace

# Tables a stage writes beside its entities; a stage without trouble leaves them empty.
ACCOUNTS = frozenset({"notes", "dispositions", "fates"})


@dataclass(frozen=True)
class StageCall:
    """`partition` is a cohort, or `_all` for a global stage. `say` reports progress to the run's log."""

    workspace: Workspace
    engine: DuckDBEngine
    partition: str
    tags: Mapping[str, str]
    say: Callable[[str], None]
    run_id: str
    instance: dg.DagsterInstance

    @property
    def plan(self) -> Plan:
        return self.workspace.plan

    @property
    def is_global(self) -> bool:
        return self.partition == GLOBAL

    @property
    def actor(self) -> str:
        """Who started the run; Dagster's pages have no login, so there it is only known that it was one of them."""
        return self.tags.get(ACTOR, "dagster")

    @property
    def is_dry_run(self) -> bool:
        """Whether this run is to write nothing to the target's tables."""
        return self.tags.get(DRY_RUN) == "true"

    @property
    def is_tick(self) -> bool:
        """Whether this run is part of a delta tick."""
        return self.tags.get(TICK) == "true"

    @property
    def snapshot(self) -> str:
        """A global stage works on the current golden copy; a cohort on the snapshot its record froze."""
        if not self.is_global:
            return self.workspace.record().snapshot
        snapshot = self.workspace.store.current_snapshot()
        if snapshot is None:
            raise StageRefused("no golden copy yet", "Materialize golden_copy first, or use `cutover run`.")
        return snapshot

    @property
    def basis(self) -> Basis:
        """What a verdict is about, and what the verdicts upstream have to be about too."""
        return self.workspace.basis(self.snapshot, self.as_of)

    @property
    def as_of(self) -> datetime:
        """The instant T: what a cohort's record froze; for a global stage, that of the snapshot it works on."""
        return self.instant_of(self.snapshot) if self.is_global else self.workspace.record().as_of

    def instant_of(self, snapshot: str) -> datetime:
        """T of a global stage on a snapshot: the run's tag, or else what the workspace knows of it."""
        if AS_OF in self.tags:
            return datetime.fromisoformat(self.tags[AS_OF])
        return self.workspace.instant_of(snapshot)

    def file(self, asset: str, table: str) -> Path:
        """File of a table of this partition."""
        return self.workspace.store.file(asset, self.partition, table)

    def rows(self, asset: str, table: str) -> ir.Table:
        """Rows that an asset wrote for this partition."""
        return self.engine.read(self.file(asset, table))

    def global_rows(self, asset: str, table: str) -> ir.Table:
        """Rows that a global asset wrote."""
        return self.engine.read(self.workspace.store.file(asset, GLOBAL, table))

    def golden(self) -> RawTables:
        """Raw rows of the golden copy, by `system.table`."""
        return self.workspace.golden_rows(self.engine, self.snapshot)

    def cohort_rows(self) -> RawTables:
        """Raw rows of this cohort, by `system.table`."""
        return self.workspace.cohort_rows(self.engine, self.partition)

    @property
    def source_tables(self) -> tuple[str, ...]:
        """Source tables that can have rows of this cohort: those without an owner have theirs in `unassigned`."""
        everything = self.partition == UNASSIGNED
        return tuple(t for t, d in self.plan.source_tables.items() if everything or d.owner != "none")

    def entities(self, asset: str) -> tuple[str, ...]:
        """Entities whose rows an asset has written for this cohort (or globally, for reference data)."""
        partition = GLOBAL if asset == "reference_data" else self.partition
        folder = self.workspace.store.folder(asset, partition)
        return tuple(e for e in ENTITIES if (folder / f"{e}.parquet").exists())

    def files(self, *assets: str) -> dict[str, Path]:
        """Files of every entity that these assets have written, by entity: what a stage's checks may refer to."""
        partitions = {a: GLOBAL if a == "reference_data" else self.partition for a in assets}
        store = self.workspace.store
        return {e: store.file(a, partitions[a], e) for a in assets for e in self.entities(a)}

    def upstream(self, *assets: str) -> Upstream:
        """Keys, fates and redirects that the stages before this one leave behind."""
        from migration_assets.stages.canonical import Upstream

        parents, fates = {}, []
        for asset in assets:
            read = self.global_rows if asset == "reference_data" else self.rows
            for entity in self.entities(asset):
                rows = read(asset, entity)
                parents[entity] = rows.select(key=rows[ENTITIES[entity].key.name])
            fates.append(read(asset, "fates"))
        redirects = self.global_rows("customer_identities", "identities").select("customer_id", "identity_id")
        return Upstream(parents, self.engine.union(fates), redirects)

    def may_be_empty(self, entities: Iterable[str]) -> Collection[str]:
        """Tables that the plan allows to have no rows: those fed only by source tables it says may be empty."""
        return ACCOUNTS | {e for e in entities if self._fed_by_tables_that_may_be_empty(e)}

    def _fed_by_tables_that_may_be_empty(self, entity: str) -> bool:
        if entity not in ENTITIES:
            return False
        if ENTITIES[entity].origin == "catalog" and not self.plan.feeds_of(entity):
            # The catalog is the plan: what it does not list, it says is not there.
            return True
        feeds = self.plan.feeds_of(entity if entity != "entitlement" else "subscription_item")
        return bool(feeds) and all(self.plan.source_table(f"{f.system}.{f.table}").may_be_empty for f in feeds)

    def write_text(self, name: str, text: str) -> Path:
        """A small file beside the rows of the asset `reconciliation`, whole or not at all."""
        return _written(self.workspace.store.folder("reconciliation", self.partition) / name, text)

    def report(self, name: str, text: str) -> Path:
        """A file for people, closed to other accounts: `reports/<cohort>/<name>`."""
        path = self.workspace.environment.reports / self.partition / name
        make_folder(path.parent)
        write_private(path, text)
        return path

    def set_cohorts(self, names: Collection[str]) -> None:
        """Make exactly these cohorts known as Dagster partitions."""
        set_cohorts(self.instance, names)


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
