"""What every command asks of a plan before it opens it: it holds, it is its folder's own, and was signed by now."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import migration_assets
from migration_assets.domain.errors import PlanFaults
from migration_assets.wiring.checked import checked
from migration_assets.wiring.own_plan import load_own_plan

REPOSITORY = Path(migration_assets.__path__[0]).parent
SIGNED = "signed_on: 2026-06-01"


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """Acme's plan in a root of its own."""
    shutil.copytree(REPOSITORY / "expectations", tmp_path / "expectations")
    return Path(shutil.copytree(REPOSITORY / "plans" / "acme", tmp_path / "plans" / "acme"))


def signed(folder: Path, days: int) -> None:
    """The plan's rules were signed so many days from now."""
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    file = folder / "billing.yaml"
    text = file.read_text(encoding="utf-8")
    assert SIGNED in text
    file.write_text(text.replace(SIGNED, f"signed_on: {day}", 1), encoding="utf-8")


def test_a_plan_that_was_signed_today_is_opened(acme: Path) -> None:
    signed(acme, 0)
    assert load_own_plan(acme).name == "acme"


def test_a_plan_that_will_have_been_signed_is_refused_by_every_command(acme: Path) -> None:
    signed(acme, 2)
    with pytest.raises(PlanFaults, match="has not come yet"):
        load_own_plan(acme)
    with pytest.raises(PlanFaults, match="has not come yet"):
        checked(acme.parents[1], "acme", {}, here=False)


def test_a_copy_beside_it_with_the_same_uuid_is_refused_by_every_command(acme: Path) -> None:
    shutil.copytree(acme, acme.with_name("draft"))
    for folder in (acme, acme.with_name("draft")):
        with pytest.raises(PlanFaults, match="beside this one has the same"):
            load_own_plan(folder)
        with pytest.raises(PlanFaults, match="beside this one has the same"):
            checked(acme.parents[1], folder.name, {}, here=False)
