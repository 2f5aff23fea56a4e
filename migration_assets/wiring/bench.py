"""Runs stages one by one, as the graph does it, but without a run of Dagster's: no gates, locks, verdicts or history.

For whoever wants to know what a stage finds, not to migrate anything: the drill, and the preview of a changed plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from migration_assets.wiring.call import StageCall
from migration_assets.wiring.stage import StageOutput, StageSpec, checked
from migration_assets.wiring.tags import NEW_SNAPSHOT

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.quality.results import CheckResult
    from migration_assets.quality.suite import Suite
    from migration_assets.wiring.workspace import Workspace

RUN_ID = "bench"
Tables = Mapping[str, Path | Sequence[Path]]


@dataclass(frozen=True)
class Judged:
    """What a stage's checks said. `tables`: what they looked at; `may_be_empty`: which of these may have no rows."""

    asset: str
    results: tuple[CheckResult, ...]
    tables: Tables = field(repr=False, default_factory=dict)
    may_be_empty: frozenset[str] = frozenset()

    @property
    def blocking(self) -> tuple[str, ...]:
        """Names of the checks that stop what is downstream."""
        return tuple(r.check for r in self.results if r.blocks)


@dataclass(frozen=True)
class Bench:
    """The stages of one workspace. An instance of Dagster's is only there because stages make partitions known to it;
    it lives in memory."""

    workspace: Workspace
    specs: Mapping[str, StageSpec]

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.ephemeral()

    def of(self, workspace: Workspace) -> Bench:
        """The same stages, with the same checks, where another workspace is."""
        return Bench(workspace, self.specs)

    def run(self, asset: str, partition: str) -> Judged:
        """Compute, check, and publish unless a check blocks; errors are the stage's own."""
        return self._run(asset, partition, {NEW_SNAPSHOT: "true"} if asset == "golden_copy" else {}, publish=True)

    def look(self, asset: str, partition: str, tags: Mapping[str, str]) -> Judged:
        """Compute and check, and publish nothing."""
        return self._run(asset, partition, tags, publish=False)

    def _run(self, asset: str, partition: str, tags: Mapping[str, str], *, publish: bool) -> Judged:
        spec = self.specs[asset]
        with self.workspace.engine() as engine:
            call = self.call(engine, partition, tags)
            output = spec.compute(call)
            results = checked(call, spec.suite, output)
            judged = Judged(asset, results, output.tables, frozenset(output.may_be_empty))
            if publish and not judged.blocking:
                output.publish()
        return judged

    def call(self, engine: DuckDBEngine, partition: str, tags: Mapping[str, str] | None = None) -> StageCall:
        """What a stage is given."""
        return StageCall(self.workspace, engine, partition, tags or {}, lambda _: None, RUN_ID, self._instance)

    def check(
        self, asset: str, partition: str, tables: Tables, may_be_empty: Collection[str], touched: Collection[str]
    ) -> Judged:
        """Ask the checks of a stage again, of tables as they are now: those that read one of the tables touched."""
        suite = touching(self.specs[asset].suite, touched)
        if suite is None:
            return Judged(asset, ())
        needed = suite.tables
        given = {name: files for name, files in tables.items() if name in needed}
        with self.workspace.engine() as engine:
            output = StageOutput(given, may_be_empty=may_be_empty)
            return Judged(asset, checked(self.call(engine, partition), suite, output))


def touching(suite: Suite, tables: Collection[str]) -> Suite | None:
    """The rules of a suite that read one of the tables; None where there are none."""
    rules = tuple(r for r in suite.rules if set(tables) & set(r.reads()))
    return suite.model_copy(update={"rules": rules}) if rules else None
