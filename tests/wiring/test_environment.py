"""Setting a plan up and finding it again: folders, databases, `.env`, and what Dagster makes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from dotenv import dotenv_values

import migration_assets
from migration_assets.connectors.databases import connect, database_url, drop_database
from migration_assets.domain.errors import Misconfigured
from migration_assets.wiring.environment import Environment, current, embedded_server, known_plan, plan_name, prepare

REPOSITORY = Path(migration_assets.__path__[0]).parent
FAST = {"fsync": "off"}


@pytest.fixture
def plan() -> str:
    """A plan name of the test's own: all tests share one server."""
    return f"p_{uuid4().hex[:12]}"


@pytest.fixture
def root(tmp_path: Path, plan: str) -> Path:
    """A project's root with one plan; as odd a folder name as people have."""
    made = tmp_path / "Ann's # pläne"
    (made / "plans" / plan).mkdir(parents=True)
    (made / "plans" / plan / "plan.yaml").touch()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, made)
    return made


@pytest.fixture
def own(server: str, plan: str) -> Iterator[dict[str, str]]:
    """The process environment of somebody who brings a server: the session's plays it."""
    yield {"CUTOVER_DATABASE_URL": server}
    for database in ("dagster", "control"):
        drop_database(server, f"{plan}_{database}")


def test_set_up_makes_folders_databases_and_variables(root: Path, plan: str, own: dict[str, str]) -> None:
    made = prepare(root, plan, own)
    assert made.plan_home == root / ".cutover" / plan
    assert all(folder.is_dir() for folder in (made.store, made.logs, made.reports))
    assert made.plan_home.stat().st_mode & 0o077 == 0
    for name in ("dagster", "control"):
        with connect(database_url(made.server_url, f"{plan}_{name}")) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (f"{plan}_{name}",)
    assert made.dagster_url.startswith("postgresql+psycopg2://")
    assert made.control_url == made.database("control")
    assert made.control_url.startswith("postgresql+psycopg://")
    assert {"CUTOVER_PLAN": plan, "DAGSTER_HOME": str(root)}.items() <= made.exports.items()


def test_what_was_set_up_is_found_again(root: Path, plan: str, own: dict[str, str]) -> None:
    made = prepare(root, f"plans/{plan}", own)
    assert current(root, {}, plan) == made, "the server's URL is remembered in .env"
    assert current(root, {**own, "CUTOVER_PLAN": plan}) == made
    before = (root / ".env").stat().st_mtime_ns
    assert prepare(root, plan, own) == made
    assert (root / ".env").stat().st_mtime_ns == before


def test_env_file_is_private_and_the_users_lines_stay(root: Path, plan: str, own: dict[str, str]) -> None:
    (root / ".env").write_text("CRM_PASSWORD=geheim\nCUTOVER_PLAN=other\n")
    made = prepare(root, plan, own)
    with (root / ".env").open("a") as more:
        more.write("ERP_TOKEN='x y'\n")
    prepare(root, plan, own)
    assert (root / ".env").stat().st_mode & 0o777 == 0o600
    read = dotenv_values(root / ".env")
    assert made.exports.items() <= read.items()
    assert (read["CRM_PASSWORD"], read["ERP_TOKEN"]) == ("geheim", "x y")
    assert (root / ".env").read_text().count("CUTOVER_DAGSTER_URL") == 1


def test_a_plan_may_name_variables_of_the_process_and_of_the_env_file(
    root: Path, plan: str, own: dict[str, str]
) -> None:
    (root / ".env").write_text("CRM_PASSWORD=file\nERP_TOKEN=file\n")
    variables = prepare(root, plan, {**own, "CRM_PASSWORD": "shell"}).variables
    assert (variables["CRM_PASSWORD"], variables["ERP_TOKEN"]) == ("shell", "file")


def test_no_password_shows_in_what_is_printed(root: Path, plan: str, own: dict[str, str]) -> None:
    made = prepare(root, plan, own)
    password = str(urlsplit(made.server_url).password)
    assert password not in repr(made) and password not in str(made)
    assert password in (root / ".env").read_text()


def test_before_set_up_the_remedy_is_named(root: Path, plan: str, own: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="has not been set up") as refused:
        current(root, own, plan)
    assert f"cutover run --plan plans/{plan}" in refused.value.remedy
    assert not (root / ".cutover").exists()


def test_a_plan_that_is_not_there_makes_no_databases(root: Path, own: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="There is no plan"):
        prepare(root, "acmee", own)
    assert not (root / ".cutover").exists()


def test_the_home_can_be_moved_and_is_remembered(root: Path, plan: str, own: dict[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "state"
    made = prepare(root, plan, {**own, "CUTOVER_HOME": str(elsewhere)})
    assert made.store == elsewhere / plan / "store"
    assert current(root, {}, plan).home == elsewhere
    assert not (root / ".cutover").exists()


def test_a_copied_root_does_not_use_the_originals_home(root: Path, plan: str, own: dict[str, str]) -> None:
    prepare(root, plan, own)
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    assert current(copy, {}, plan).home == copy / ".cutover"


@pytest.mark.parametrize("given", ["acme", "plans/acme", "plans/acme/", "./plans/acme", "plans/../plans/acme"])
def test_a_plan_is_named_by_name_or_folder(given: str, tmp_path: Path) -> None:
    assert plan_name(tmp_path, given) == "acme"
    assert plan_name(tmp_path, str(tmp_path / "plans" / "acme")) == "acme"


@pytest.mark.parametrize(
    "given",
    ["", ".", "..", "plans/", "../acme", "plans/../../acme", "/etc/plans/acme", "plans/a/b", "Acme", "1st", "a-b",
     "acme\n", "a b", "%2e%2e", "../../etc", "a" * 49, "postgres", "plans/postgres", "akmé", "a;b", "a\x00b"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not name a plan"):
        plan_name(tmp_path, given)


def plans_of(folder: Path, *names: str) -> Path:
    """A root with plans of these names."""
    for name in names:
        (folder / "plans" / name).mkdir(parents=True)
        (folder / "plans" / name / "plan.yaml").touch()
    return folder


@pytest.mark.parametrize(
    ("given", "says", "remedy"),
    [
        ("acmee", "There is no plan acmee in ", "Did you mean 'acme'? There are acme, telco."),
        ("plans/nowhere", "There is no plan nowhere in ", "given with --plan. There are acme, telco."),
        ("plans/empty", "is no plan: it has no plan.yaml", "There are acme, telco."),
        ("/elsewhere", "'/elsewhere' does not name a plan: it leads out of ", "There are acme, telco."),
        ("tests/plans/acme", "where plans are looked for", "Give plans/<name>. There are acme, telco."),
        ("Acme", "may be called so", "begins with a letter, and is not `postgres`. There are acme, telco."),
    ],
)
def test_a_plan_that_is_not_there_is_told_with_where_it_was_looked_for_and_which_there_are(
    tmp_path: Path, given: str, says: str, remedy: str
) -> None:
    root = plans_of(tmp_path, "telco", "acme")
    (root / "plans" / "empty").mkdir()
    with pytest.raises(Misconfigured) as refused:
        known_plan(root, given)
    assert says in refused.value.message and str(root / "plans") in refused.value.message
    assert remedy in refused.value.remedy


def test_a_root_without_plans_says_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        known_plan(tmp_path, "acme")
    assert refused.value.remedy.endswith("No plan is there yet: a plan is a folder with a plan.yaml.")


def test_a_plan_that_is_there_is_named(tmp_path: Path) -> None:
    assert known_plan(plans_of(tmp_path, "acme"), "plans/acme") == "acme"


def test_a_database_name_that_would_be_cut_is_refused() -> None:
    environment = Environment(Path(), "p" * 48, Path(), "postgresql://u@localhost/postgres")
    assert environment.dagster_url.endswith("_dagster")
    with pytest.raises(Misconfigured, match="longer than 63"):
        environment.database("d" * 20)


def test_an_env_file_of_somebody_else_is_told(root: Path, plan: str, own: dict[str, str]) -> None:
    (root / ".env").mkdir()
    with pytest.raises(Misconfigured, match=r"\.env cannot be read"):
        prepare(root, plan, own)


@pytest.fixture
def open_root(plan: str) -> Iterator[Path]:
    """A root that any account may pass through, with an embedded server of its own."""
    made = Path(tempfile.mkdtemp(prefix="cutover-environment-"))
    made.chmod(0o711)
    for name in (plan, "other"):
        (made / "plans" / name).mkdir(parents=True)
        (made / "plans" / name / "plan.yaml").touch()
    yield made
    found = embedded_server(made, {})
    assert found is not None
    found.stop()
    shutil.rmtree(made)


def test_without_a_server_of_ones_own_the_embedded_one_serves_all_plans(open_root: Path, plan: str) -> None:
    first = prepare(open_root, plan, {}, FAST)
    second = prepare(open_root, "other", {}, FAST)
    assert first.server_url == second.server_url
    assert first.control_url != second.control_url
    assert current(open_root, {}, plan) == first
    assert current(open_root, {}, "other") == second
    assert embedded_server(open_root, {"CUTOVER_DATABASE_URL": first.server_url}) is None
    assert "CUTOVER_DATABASE_URL" not in first.exports


DAGSTER = """
from dagster import DagsterInstance, asset, materialize
from dagster._core.telemetry_upload import uploading_logging_thread
@asset
def one():
    print("printed by the asset")
    return 1
with uploading_logging_thread(), DagsterInstance.get() as instance:
    done = materialize([one], instance=instance)
    print(done.run_id, type(instance.event_log_storage).__name__, instance.telemetry_enabled, instance.nux_enabled)
    print(instance.get_concurrency_config().run_queue_config.max_concurrent_runs)
"""


def test_dagster_keeps_its_history_in_the_plans_database_and_writes_nothing_to_the_root(
    root: Path, plan: str, own: dict[str, str]
) -> None:
    made = prepare(root, plan, own)
    before = sorted(path.name for path in root.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", DAGSTER], cwd=root, env={**os.environ, **made.exports}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run, *rest = done.stdout.split()[-5:]
    assert rest == ["PostgresEventLogStorage", "False", "False", "2"]
    with connect(database_url(made.server_url, f"{plan}_dagster")) as connection:
        assert connection.execute("SELECT status FROM runs WHERE run_id = %s", (run,)).fetchone() == ("SUCCESS",)
    assert sorted(path.name for path in root.iterdir()) == before
    assert list((made.logs / "compute").rglob("*.out")) and list((made.logs / "artifacts").rglob("one"))
