"""The clean copy: a small Acme without faults, taken through every stage once, and copies of it to plant faults in.

The copy lives in the home of the state, under a plan name of its own, with databases of that prefix; the user's plans
are not touched. It is made anew by each drill and removed at its end; what a killed drill left behind goes at the start
of the next one.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from migration_assets.connectors.databases import connect, databases_of, drop_database, ensure_database, own_server
from migration_assets.connectors.private_files import make_folder
from migration_assets.domain.errors import BadInput, CutoverError
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.wiring.bench import Bench, Judged
from migration_assets.wiring.environment import HOME, Environment, embedded_server, prepare, variables
from migration_assets.wiring.scratch import scratch
from migration_assets.wiring.stage_names import COHORT_STAGES, GLOBAL_STAGES
from migration_assets.wiring.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from migration_assets.demo import Legacy

PLAN = "cutover_drill"
COHORT = "drill_01"
# The target before the cohort was loaded, and with everything in it.
EMPTY, FULL = f"{PLAN}_empty", f"{PLAN}_full"
_COHORTS = "cohorts:\n  - {name: drill, wave: 0, buckets: 1, description: Everybody.}\n"
Say = Callable[[str], None]


class CleanCopyRefused(CutoverError):
    """The clean copy did not pass: nothing can be said about faults planted in it."""


@dataclass(frozen=True)
class Clean:
    """The clean copy: its workspace, its stages, and what their checks said, by asset and partition."""

    workspace: Workspace
    bench: Bench
    judged: Mapping[tuple[str, str], Judged] = field(repr=False)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Checks that block although nothing is wrong, as `asset/check`."""
        return tuple(f"{j.asset}/{check}" for j in self.judged.values() for check in j.blocking)

    def case(self) -> Case:
        """A fresh copy to plant a fault in; the one before is gone."""
        environment, folder = self.workspace.environment, self.workspace.environment.plan_home / "case"
        shutil.rmtree(folder, ignore_errors=True)
        return Case(self, Workspace(self.workspace.plan, scratch(environment, environment.plan_folder, folder)))


@dataclass(frozen=True)
class Case:
    """A copy with one fault. Its files share their content with the clean copy until they are replaced."""

    clean: Clean
    workspace: Workspace

    @property
    def bench(self) -> Bench:
        return self.clean.bench.of(self.workspace)

    def with_plan(self, workspace: Workspace) -> Case:
        return Case(self.clean, workspace)

    def moved(self, files: Path | Sequence[Path]) -> Path | list[Path]:
        """Where files of the clean copy lie in this one."""
        if isinstance(files, Path):
            return self.workspace.store.root / files.relative_to(self.clean.workspace.store.root)
        return [self.workspace.store.root / f.relative_to(self.clean.workspace.store.root) for f in files]

    def target(self, template: str) -> str:
        """Make the target as it was at that point, and return its URL."""
        environment = self.workspace.environment
        clone_database(environment.server_url, template, f"{PLAN}_target")
        return self.workspace.target_url

    def control(self) -> None:
        """Make the control database as the clean copy left it, without what a case before this one asked."""
        clone_database(self.workspace.environment.server_url, f"{PLAN}_known", f"{PLAN}_control")


@contextmanager
def clean_copy(
    root: Path, env: Mapping[str, str], seed: int, say: Say, until: str = COHORT_STAGES[-1]
) -> Iterator[Clean]:
    """Make the clean copy, up to a stage of the cohort, and remove it at the end. One drill at a time in one home."""
    # Also what `.env` says: the drill works where the user's plans live.
    env = variables(root, env)
    home = (root / (env.get(HOME) or ".cutover")).resolve()
    make_folder(home, passable=True)
    with _alone(home):
        _remove(root, env, home)
        environment = _set_up(root, env, home)
        try:
            yield _prepared(environment, seed, say, until)
        finally:
            _remove(root, env, home)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The lock goes with the process, however that ends."""
    with (home / f"{PLAN}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"another drill is running in {home}", f"Wait for it, or give this one a home of its own with {HOME}."
            ) from None
        yield


def _set_up(root: Path, env: Mapping[str, str], home: Path) -> Environment:
    """Acme's files under the drill's own name and with one cohort, and its databases."""
    if (root / "plans" / PLAN).exists():
        raise BadInput(
            f"a plan of yours is called {PLAN}", "Give it another name: the drill's databases have this one."
        )
    own = home / PLAN / "root"
    make_folder(own)
    shutil.copytree(root / "expectations", own / "expectations")
    shutil.copytree(root / "plans" / "acme", own / "plans" / PLAN)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(root / name, own)
    file = own / "plans" / PLAN / "plan.yaml"
    text = file.read_text(encoding="utf-8").replace("name: acme\n", f"name: {PLAN}\n", 1)
    # One customer is enough to look at by eye, and nobody looks at these.
    file.write_text(text.replace("spot_check: 50\n", "spot_check: 1\n", 1), encoding="utf-8")
    (own / "plans" / PLAN / "cohorts.yaml").write_text(_COHORTS, encoding="utf-8")
    return prepare(own, PLAN, {**env, HOME: str(home)})


def _prepared(environment: Environment, seed: int, say: Say, until: str) -> Clean:
    from migration_assets.control import migrate
    from migration_assets.definitions import stage_specs
    from migration_assets.demo import fill
    from migration_assets.drill.company import company

    migrate(environment.control_url)
    workspace = open_workspace(environment)
    say("making up a clean company")
    legacy: Legacy = company(seed)
    for name in ("legacy_crm", "legacy_erp"):
        ensure_database(environment.server_url, f"{PLAN}_{name}")
    fill(legacy, crm_url=environment.database("legacy_crm"), erp_url=environment.database("legacy_erp"))
    bench = Bench(workspace, {s.name: s for s in stage_specs(workspace)})
    return Clean(workspace, bench, _run_all(workspace, bench, say, until))


def _run_all(workspace: Workspace, bench: Bench, say: Say, until: str) -> dict[tuple[str, str], Judged]:
    """Every stage in the order of a migration; the target is kept as it is before and after the cohort's load."""
    judged: dict[tuple[str, str], Judged] = {}
    url = workspace.environment.server_url

    def run(asset: str, partition: str) -> None:
        say(f"clean copy: {asset} of {partition}")
        judged[asset, partition] = bench.run(asset, partition)

    for asset in GLOBAL_STAGES:
        run(asset, "_all")
    clone_database(url, f"{PLAN}_target", EMPTY)
    clone_database(url, f"{PLAN}_control", f"{PLAN}_known")
    stages = COHORT_STAGES[: COHORT_STAGES.index(until) + 1]
    for asset in stages:
        run(asset, COHORT)
    if until == COHORT_STAGES[-1]:
        for asset in stages:
            run(asset, UNASSIGNED)
        clone_database(url, f"{PLAN}_target", FULL)
    return judged


def clone_database(server_url: str, template: str, name: str) -> None:
    """A database like the template, in place of what had its name; sessions in either are ended."""
    drop_database(server_url, name)
    with connect(server_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (template,),
        )
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'.encode())


def _remove(root: Path, env: Mapping[str, str], home: Path) -> None:
    """Everything of the drill's own: databases and files."""
    if not (home / PLAN).exists():
        return
    server, own = embedded_server(root, env), own_server(env)
    url = server.start() if server is not None else str(own)
    for name in sorted(n for n in databases_of(url) if n.startswith(f"{PLAN}_")):
        drop_database(url, name)
    with connect(url, autocommit=True) as connection:
        # Roles belong to the whole server; the drill's begin with its name.
        for (role,) in connection.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (f"{PLAN}_",)):
            connection.execute(f'DROP ROLE "{role}"'.encode())
    shutil.rmtree(home / PLAN)
