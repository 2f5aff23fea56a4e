"""How every stage runs: ask the gate, compute, check, store the verdict, report. One function makes them all assets.

A stage's own `assets.py` gives its name, its place in the graph and a `compute` function; nothing else differs.

Annotations are real here, not text: Dagster reads those of the asset function to find its resource.
"""

import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from migration_assets.connectors.private_files import make_folder, write_private
from migration_assets.control import verdicts_of
from migration_assets.domain.errors import CutoverError
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.call import StageCall
from migration_assets.wiring.checks import check_results, check_specs
from migration_assets.wiring.cohort_states import readers_told
from migration_assets.wiring.disk import disk_refusal
from migration_assets.wiring.failed_reconciliation import aftermath
from migration_assets.wiring.left_runs import marked
from migration_assets.wiring.partitions import COHORTS
from migration_assets.wiring.progress import Told, tell
from migration_assets.wiring.stage_names import COHORT_STAGES
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    from migration_assets.control import Basis
    from migration_assets.quality.results import CheckResult
    from migration_assets.quality.suite import Suite

OWNERS = ["team:migration"]

# Failure metadata that tells the command line which exit code the error asks for.
EXIT_CODE = "exit code"


@dataclass(frozen=True)
class StageOutput:
    """What a stage wrote: files for the checks to look at, and metadata for people. No personal data in metadata.

    `stands` is False for a dry run: its verdict opens no gate. `publish` puts checked rows where others see them, and
    gives more metadata: it is called only when no critical check has failed. `basis`: what the verdict is about, where
    that is not what the stage stands on (a golden copy that is not the current one yet). `looked_since`: the last
    withdrawal of verdicts that was before what the verdict is about; else the last one before the stage began.
    """

    tables: Mapping[str, Path | Sequence[Path]]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    may_be_empty: Collection[str] = ()
    stands: bool = True
    publish: Callable[[], Mapping[str, Any]] = dict
    basis: "Basis | None" = None
    looked_since: int | None = None


@dataclass(frozen=True)
class StageSpec:
    """One stage as the graph knows it. `gates`: assets whose stored verdict must stand before this one may run;
    `closing`: metadata that can be told only when its own verdict is stored."""

    name: str
    group: str
    description: str
    kinds: frozenset[str]
    compute: Callable[[StageCall], StageOutput]
    suite: "Suite"
    deps: Sequence[dg.AssetKey] = ()
    gates: Sequence[str] = ()
    by_cohort: bool = True
    static_metadata: Mapping[str, Any] = field(default_factory=dict)
    closing: Callable[[StageCall], Mapping[str, Any]] = lambda _: {}


def with_all_gates(specs: Sequence[StageSpec]) -> list[StageSpec]:
    """The stages, each gated by whatever is upstream of it, however far: what failed up there stops it too."""
    direct = {s.name: s.gates for s in specs}

    def upstream(name: str) -> list[str]:
        return [g for gate in direct[name] for g in (*upstream(gate), gate)]

    return [replace(s, gates=tuple(dict.fromkeys(upstream(s.name)))) for s in specs]


def stage_asset(spec: StageSpec) -> dg.AssetsDefinition:
    """The stage as a software-defined asset with one check for each rule of its suite."""
    partitions = COHORTS if spec.by_cohort else None

    @dg.asset(
        name=spec.name,
        group_name=spec.group,
        description=spec.description,
        kinds=set(spec.kinds),
        owners=OWNERS,
        deps=list(spec.deps),
        partitions_def=partitions,
        check_specs=check_specs(spec.name, spec.suite, partitions),
        metadata=dict(spec.static_metadata),
        tags={"cutover/scope": "cohort" if spec.by_cohort else "global"},
    )
    def stage(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
        partition = context.partition_key if spec.by_cohort else GLOBAL
        began, ended = time.monotonic(), "stopped"
        try:
            result = _run(context, workspace, spec, partition)
            ended = _ended(result)
            return result
        except CutoverError as e:
            # Trying again cannot help: an input or a verdict has to change first.
            raise dg.Failure(description=str(e), metadata={EXIT_CODE: e.exit_code}, allow_retries=False) from None
        except Exception as e:
            if (stopped := interruption(e)) is not None:
                raise stopped from None
            if refused := disk_refusal(e, workspace.environment.home):
                raise dg.Failure(
                    description=str(refused), metadata={EXIT_CODE: refused.exit_code}, allow_retries=False
                ) from None
            told = unexpected(e, workspace.environment.logs / "errors" / f"{context.run.run_id}-{spec.name}.txt")
            # Without its cause: a driver's text may quote rows, and Dagster keeps what it is given.
            raise dg.Failure(description=told) from None
        finally:
            tell(Told(partition, spec.name, ended, time.monotonic() - began))

    return stage


def _ended(result: dg.MaterializeResult) -> str:
    """How a stage ended, in words, as far as its checks say."""
    bad = [r for r in result.check_results or () if not r.passed and r.severity == dg.AssetCheckSeverity.ERROR]
    return "critical checks failed: " + ", ".join(str(r.check_name) for r in bad) if bad else "done"


def interruption(error: BaseException) -> dg.DagsterExecutionInterruptedError | None:
    """The interruption that an error came of: an engine that is interrupted in a query says so in its own way."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, dg.DagsterExecutionInterruptedError):
        found = found.__cause__ or found.__context__
    return found


def unexpected(error: Exception, file: Path) -> str:
    """What may be told of an error nobody planned for: its type and place. The rest goes to a file of the owner's."""
    kept = f"the whole text, which may hold personal data, is in {file}"
    try:
        make_folder(file.parent)
        write_private(file, "".join(traceback.format_exception(error)))
    except OSError as other:
        kept = f"the whole text could not be written to {file}: {other.strerror}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "migration_assets" in f.filename]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}; {kept}"


def _run(
    context: dg.AssetExecutionContext, workspace: Workspace, spec: StageSpec, partition: str
) -> dg.MaterializeResult:
    marked(context.instance, context.run)
    with _locked(workspace, spec, partition):
        with workspace.engine(alone=not spec.by_cohort) as engine:
            call = StageCall(
                workspace, engine, partition, context.run.tags, _say(context, spec, partition), context.run.run_id,
                context.instance,
            )  # fmt: skip
            done = _looked(context, call, spec)
        after = aftermath(call, spec.name) if done.held_back else {}
    return dg.MaterializeResult(metadata={**done.metadata, **after}, check_results=check_results(done.results))


@dataclass(frozen=True)
class _Looked:
    """What a stage has found, its verdict stored. `held_back`: it holds the cohort back, in earnest."""

    results: "tuple[CheckResult, ...]"
    metadata: Mapping[str, Any]
    held_back: bool


def _looked(context: dg.AssetExecutionContext, call: StageCall, spec: StageSpec) -> _Looked:
    workspace = call.workspace
    call.say("started")
    began = workspace.control.last_withdrawal()
    _ask_gates(call, spec)
    output = spec.compute(call)
    results = checked(call, spec.suite, output)
    basis, now = output.basis or call.basis, datetime.now(UTC)
    found = verdicts_of(call.partition, spec.name, basis, results, call.run_id, now)
    held_back = workspace.control.holds_back(found, now)
    published = {} if held_back else output.publish()
    told = readers_told(call, spec.name, held_back=held_back) if output.stands else nullcontext()
    with told:
        if output.stands:
            # Only now, when what the verdict lets through is where it belongs. What is about a copy that is not current
            # replaces nothing: it is history.
            standing = basis.snapshot == workspace.store.current_snapshot() or not call.is_global
            looked_since = began if output.looked_since is None else output.looked_since
            workspace.control.save_verdicts(found, current=standing, looked_since=looked_since)
    _tag_run(context, workspace)
    # What is about more than this run stands first.
    metadata = {**spec.closing(call), **output.metadata, **published}
    return _Looked(results, metadata, held_back and output.stands)


@contextmanager
def _locked(workspace: Workspace, spec: StageSpec, partition: str) -> Iterator[None]:
    """A global stage has the phase alone; cohort stages share it, and each has its cohort alone."""
    with workspace.control.phase_lock(shared=spec.by_cohort):
        if not spec.by_cohort:
            yield
            return
        with workspace.control.cohort_lock(partition):
            yield


def _say(context: dg.AssetExecutionContext, spec: StageSpec, partition: str) -> Callable[[str], None]:
    """Progress goes to the run's own log and to the terminal that started the run, if there is one."""

    def say(message: str) -> None:
        context.log.info(message)
        tell(Told(partition, spec.name, message))

    return say


def _ask_gates(call: StageCall, spec: StageSpec) -> None:
    """A blocking check stops its own run only; the stored verdict stops every later one too."""
    if not spec.gates:
        return
    basis, now = call.basis, datetime.now(UTC)
    # A dry run has neither loaded the reference data for good nor anything to reconcile: it brings its own.
    unwritten = frozenset({"reference_data"}) if call.is_dry_run else frozenset()
    for gate in (g for g in spec.gates if g not in unwritten):
        cohort = call.partition if gate in COHORT_STAGES else GLOBAL
        call.workspace.control.require_passed(cohort, [gate], basis, now=now)


def checked(call: StageCall, suite: "Suite", output: StageOutput) -> "tuple[CheckResult, ...]":
    """What the rules of a suite find in what a stage wrote."""
    from migration_assets.engine.held_folder import HeldFolder
    from migration_assets.quality.run import run_suite

    may_be_empty = set(output.may_be_empty)
    if call.partition == UNASSIGNED:
        # What belongs to no customer may well be nothing at all.
        may_be_empty |= set(output.tables)
    with HeldFolder(call.workspace.spill_folder) as folder:
        results = run_suite(suite, output.tables, may_be_empty=may_be_empty, partition=call.partition, spill_to=folder)
    for r in results:
        if not r.passed:
            call.say(f"check {r.check} failed: {r.detail}")
    return results


def _tag_run(context: dg.AssetExecutionContext, workspace: Workspace) -> None:
    record = workspace.control.current_record(workspace.plan.name)
    if record is not None:
        tags = {"cutover/snapshot": record.snapshot, "cutover/plan_digest": record.plan_digest[:16]}
        context.instance.add_run_tags(context.run.run_id, tags)
