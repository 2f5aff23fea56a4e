"""Beginning a plan of one's own as README says: after each step the check says what is left, and in the end nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

import migration_assets
from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.wiring.checked import checked

REPOSITORY = Path(migration_assets.__path__[0]).parent
SOURCE = """sources:
  shop:
    kind: csv
    path: ${MY_DATA}
    tables:
      clients:
        read_from: clients.csv
        key: [id]
        home: customer
        owner: self
        personal: [company, mail]

"""
FEED = "feed,entity,system,table,where,unpivot,reason\nclients,customer,shop,clients,,,Each row is a customer.\n"
LEFT = "        left_behind: {discount: Discounts end with the move.}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the workshop's plan and somebody's file, after the two commands of README."""
    for part in ("plans/workshop", "expectations"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clients.csv").write_text("id;company;mail;discount\n1;Ann Ltd;a@x.example;3\n")
    section = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("### Begin a plan of your own\n")[2]
    commands = re.findall(r"^(?:cp|rm) .*$", section.partition("1. ")[0], re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    return tmp_path


def left(root: Path, **env: str) -> tuple[Fault, ...]:
    try:
        checked(root, "mine", env, here=True)
    except PlanFaults as found:
        return found.faults
    return ()


def replaced(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def test_each_step_is_checked_and_after_the_last_the_plan_holds(root: Path) -> None:
    plan = root / "plans" / "mine"
    fields = {(f.file, f.field) for f in left(root)}
    assert {("plan.yaml", "name"), ("plan.yaml", "uuid")} <= fields
    text = (plan / "plan.yaml").read_text(encoding="utf-8")
    old_uuid = re.findall(r"^uuid: (.*)$", text, re.MULTILINE)[0]
    sources = text[text.index("sources:\n") : text.index("target:\n")]
    replaced(plan / "plan.yaml", ("name: workshop\n", "name: mine\n"), (old_uuid, str(UUID(int=7))), (sources, SOURCE))
    assert {f.problem for f in left(root) if f.file == "plan.yaml"} >= {"the environment variable MY_DATA is not set"}
    env = {"MY_DATA": str(root / "data")}
    assert {f.file for f in left(root, **env)} >= {"mapping/feeds.csv", "controls.csv"}

    (plan / "mapping" / "feeds.csv").write_text(FEED, encoding="utf-8")
    head, count, *_ = (plan / "controls.csv").read_text(encoding="utf-8").splitlines()
    (plan / "controls.csv").write_text(f"{head}\n{count.replace('sheet.customers', 'shop.clients')}\n")
    files = {"plan.yaml", "mapping/customer.csv", "mapping/feeds.csv", "target.yaml"}
    assert {f.file for f in left(root, **env)} == files

    columns = ((",No,", ",id,"), (",Name,", ",company,"), (",Mail,", ",mail,"))
    own = (("customer,customers,", "customer,clients,"), (",sheet,customers,", ",shop,clients,"), (",sheet,", ",shop,"))
    replaced(plan / "mapping" / "customer.csv", *own, *columns)
    (silent,) = [f for f in left(root, **env) if f.file == "plan.yaml"]
    assert "nothing uses discount of shop.clients" in silent.problem and 'discount: "..."' in silent.remedy
    personal = "        personal: [company, mail]\n"
    replaced(plan / "plan.yaml", (personal, personal + LEFT))
    assert {(f.file, f.field) for f in left(root, **env)} == {("target.yaml", "tables.orders.entity")}

    text = (plan / "target.yaml").read_text(encoding="utf-8")
    (plan / "target.yaml").write_text(text[: text.index("  orders:\n")], encoding="utf-8")
    assert left(root, **env) == ()
