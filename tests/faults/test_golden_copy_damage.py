"""A golden copy that is no longer what was taken is refused, whatever was done to it, before anything is made of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from faulty_world import COHORT, STEPS, Undisturbed, World
from forked import forked
from steps import reconcile, resume, run_steps

from migration_assets.connectors.databases import database_url, drop_database, ensure_database
from migration_assets.demo import fill, generate
from migration_assets.domain.errors import GoldenCopyAltered
from migration_assets.plan.load import load_plan
from migration_assets.stages.golden_copy.export import open_sources, take_golden_copy
from migration_assets.stages.golden_copy.manifest import verify_golden_copy
from migration_assets.wiring.stage_names import GLOBAL_STAGES

REPOSITORY = Path(__file__).resolve().parents[2]
SNAPSHOT = "20260630T120000Z-abcdef"
COUNT = 500


@pytest.fixture(scope="module")
def taken(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The demo company of 100 customers, copied: the snapshot's folder and the digest that was recorded of it."""
    names = {kind: f"damage_{kind}_{uuid4().hex[:8]}" for kind in ("legacy_crm", "legacy_erp")}
    for name in names.values():
        ensure_database(server, name)
    urls = {kind: database_url(server, name, "psycopg") for kind, name in names.items()}
    fill(generate(100, seed=7), crm_url=urls["legacy_crm"], erp_url=urls["legacy_erp"])
    plan, folder = load_plan(REPOSITORY / "plans/acme"), tmp_path_factory.mktemp("copies")
    sources = open_sources(plan, lambda _, system: urls[str(system.database)])
    manifest = take_golden_copy(plan, sources, folder, SNAPSHOT, datetime(2026, 6, 30, 12, tzinfo=UTC))
    yield folder / SNAPSHOT, manifest.digest
    for name in names.values():
        drop_database(server, name)


def flip(file: Path, dice: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    _rewrite(file, bytes(content))


def truncate(file: Path, dice: random.Random) -> None:
    content = file.read_bytes()
    _rewrite(file, content[: dice.randrange(len(content))])


def lengthen(file: Path, dice: random.Random) -> None:
    _rewrite(file, file.read_bytes() + bytes([dice.randrange(256)]))


def swap(file: Path, dice: random.Random) -> None:
    """With another file of other content."""
    mine = file.read_bytes()
    others = [p for p in sorted(file.parent.iterdir()) if p.read_bytes() != mine]
    other = dice.choice(others)
    theirs = other.read_bytes()
    _rewrite(other, mine)
    _rewrite(file, theirs)


def remove(file: Path, _: random.Random) -> None:
    file.unlink()


def _rewrite(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (flip, truncate, lengthen, swap, remove)


@pytest.mark.postgres
@pytest.mark.parametrize("seed", [pytest.param(s, marks=() if s < 50 else pytest.mark.faults) for s in range(COUNT)])
def test_a_damage_is_refused(taken: tuple[Path, str], tmp_path: Path, seed: int) -> None:
    whole, digest = taken
    dice, folder = random.Random(seed), tmp_path / SNAPSHOT
    shutil.copytree(whole, folder, copy_function=lambda old, new: Path(new).hardlink_to(old))
    damage, file = DAMAGES[seed % len(DAMAGES)], dice.choice(sorted(folder.iterdir()))
    damage(file, dice)
    with pytest.raises(GoldenCopyAltered):
        verify_golden_copy(folder, digest=digest)
        pytest.fail(f"{damage.__name__} of {file.name} was not found")
    assert verify_golden_copy(whole, digest=digest).digest == digest, "the copy itself was left alone"


@pytest.mark.pipeline
@pytest.mark.parametrize("damage", [flip, pytest.param(truncate, marks=pytest.mark.faults)])
def test_a_damaged_copy_stops_run_and_reconcile_before_anything_is_loaded(
    faulty: World, undisturbed: Undisturbed, damage: Callable[[Path, random.Random], None]
) -> None:
    faulty.reset()
    once = len(GLOBAL_STAGES)
    assert forked(run_steps, faulty.environment, STEPS[:once]).answer[0] == "done"
    before, snapshot = faulty.rows(), faulty.store.current_snapshot()
    assert before in undisturbed.rows and snapshot is not None
    damage(faulty.store.golden_file(snapshot, "telco.customers"), random.Random(1))
    answer = forked(resume, faulty.environment, COHORT).answer
    assert (answer["exit_code"], answer["global"]["stopped_at"], answer["rows_written"]) == (2, "golden_copy", 0)
    assert "differs from its manifest" in answer["global"]["reason"] and "->" in answer["global"]["reason"]
    code, said = forked(reconcile, faulty.environment, COHORT).answer
    assert code == 2 and "differs from its manifest" in said
    assert faulty.rows() == before
