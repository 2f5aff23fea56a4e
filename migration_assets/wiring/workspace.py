"""One plan and where its state lives, as one object: what a stage needs from outside, handed to it as a resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.domain.errors import StageRefused
from migration_assets.stages.store import Store

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import PostgresTarget
    from migration_assets.control import Basis, ControlDatabase, MigrationRecord
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan
    from migration_assets.plan.source_models import SourceSystem
    from migration_assets.quality.suite import Suite
    from migration_assets.stages.feeds import RawTables
    from migration_assets.wiring.environment import Environment


@dataclass(frozen=True)
class Workspace:
    """A plan at home: its environment, store, control database, sources and target."""

    plan: Plan
    environment: Environment

    @property
    def root(self) -> Path:
        """The project's root folder, where plans/ and expectations/ are."""
        return self.environment.root

    @cached_property
    def store(self) -> Store:
        return Store(self.environment.store)

    @cached_property
    def control(self) -> ControlDatabase:
        from migration_assets.control import ControlDatabase

        return ControlDatabase(self.environment.control_url)

    def engine(self, *, alone: bool = False) -> DuckDBEngine:
        """A fresh engine; the caller closes it. `alone`: nothing else runs beside it, as in the global phase, which has
        all customers in hand at once."""
        from migration_assets.engine.duckdb import DuckDBEngine

        return DuckDBEngine(memory_limit="1GB" if alone else "512MB", spill_to=self.spill_folder)

    def location(self, system: SourceSystem) -> str:
        """URL or path of one legacy system, with the plan's variables filled in."""
        from migration_assets.plan.environment import resolve

        if system.database:
            return self.environment.database(system.database)
        return resolve(system.url or system.path or "", self.environment.variables)

    @cached_property
    def target_url(self) -> str:
        from migration_assets.plan.environment import resolve

        target = self.plan.file.target
        if target.database:
            return self.environment.database(target.database)
        return resolve(target.url or "", self.environment.variables)

    @property
    def target(self) -> PostgresTarget:
        """Client of the target database."""
        from migration_assets.connectors.postgres_target import PostgresTarget

        return PostgresTarget(self.target_url)

    def make_target_database(self) -> None:
        """Create the target database where it is one of the plan's own; a target named by URL has to be there."""
        from migration_assets.connectors.databases import ensure_database

        name = self.plan.file.target.database
        if name:
            ensure_database(self.environment.server_url, f"{self.plan.name}_{name}")

    @property
    def spill_folder(self) -> Path:
        """Where engines and checks put what does not fit their memory, each into a folder of its own."""
        return self.environment.plan_home / "spill"

    @property
    def work_folder(self) -> Path:
        """Where a load keeps its files while it runs; never in the store."""
        folder = self.environment.plan_home / "work"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    @property
    def kept_folder(self) -> Path:
        """Where loads keep hashes of what they loaded, for the next ones. Whoever removes it loses time, no more."""
        return self.environment.plan_home / "loaded"

    def record(self) -> MigrationRecord:
        """The frozen migration record; StageRefused when there is none or the plan has changed since."""
        record = self.control.current_record(self.plan.name)
        if record is None:
            raise StageRefused(
                "no migration record yet",
                "Materialize the global assets up to cohort_plan first (job `global_phase`, or `cutover run`).",
            )
        if record.plan_digest != self.plan.digest:
            raise StageRefused(
                "the plan has changed since cohort_plan froze the migration record",
                "Materialize the global assets again (job `global_phase`, or `cutover run`), then the cohorts.",
            )
        return record

    def taken_at(self, snapshot: str) -> datetime:
        """When a snapshot of the golden copy was taken."""
        from migration_assets.stages.golden_copy.manifest import read_manifest

        return read_manifest(self.store.golden(snapshot)).taken_at

    def instant_of(self, snapshot: str) -> datetime:
        """T of a snapshot: what a run that was not a trial froze for it under this plan, or what the plan says, or the
        snapshot's time. A plan that was changed since may fix another one."""
        record = self.control.real_record(self.plan.name)
        frozen = record.as_of if record is not None and record.snapshot == snapshot else None
        if record is not None and frozen is not None and record.plan_digest == self.plan.digest:
            # What has been loaded since stands on it.
            return frozen
        return self.plan.file.as_of or frozen or self.taken_at(snapshot)

    def golden_rows(self, engine: DuckDBEngine, snapshot: str) -> RawTables:
        """Raw rows of the whole golden copy, by `system.table`."""
        return lambda table: engine.read(self.store.golden_file(snapshot, table))

    def cohort_rows(self, engine: DuckDBEngine, cohort: str) -> RawTables:
        """Raw rows of one cohort, by `system.table`."""
        return lambda table: engine.read(self.store.file("cohort_plan", cohort, table))

    def rows(self, engine: DuckDBEngine, asset: str, partition: str, table: str) -> ir.Table:
        """Rows that a stage wrote."""
        return engine.read(self.store.file(asset, partition, table))

    @cached_property
    def suites(self) -> Mapping[str, Suite]:
        """Expectations by asset, for the entities that this plan feeds."""
        from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES
        from migration_assets.wiring.suites import suite_of

        return {asset: suite_of(self.root, self.plan, asset) for asset in (*GLOBAL_STAGES, *COHORT_STAGES)}

    def basis(self, snapshot: str, as_of: datetime) -> Basis:
        """What verdicts are about now: this snapshot and instant under the plan and the rules as they are."""
        return self._basis(snapshot, self.plan.digest, as_of)

    def basis_of(self, record: MigrationRecord) -> Basis:
        """What verdicts of a run were about, by the rules as they are: the plan is the one that the run was about."""
        return self._basis(record.snapshot, record.plan_digest, record.as_of)

    def _basis(self, snapshot: str, plan_digest: str, as_of: datetime) -> Basis:
        from migration_assets.control import Basis

        return Basis(snapshot, plan_digest, as_of, {asset: suite.digest for asset, suite in self.suites.items()})

    def frozen_basis(self) -> Basis:
        """What cohorts' verdicts are about; StageRefused when there is no record or the plan has changed since."""
        return self.basis_of(self.record())


def open_workspace(environment: Environment) -> Workspace:
    """The workspace of the environment's plan; PlanFaults when its files do not hold."""
    from migration_assets.wiring.own_plan import load_own_plan

    return Workspace(load_own_plan(environment.plan_folder), environment)
