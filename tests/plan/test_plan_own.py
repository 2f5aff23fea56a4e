"""A plan is its folder's own: a copy that kept the name or the uuid is refused with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from plan_folder import valid, write

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.load import load_plan
from migration_assets.plan.own import require_own

UUID = "5b7a9a52-4c2e-4a05-8a9e-0f4f0e0a1c11"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write(tmp_path / "plans" / "small", valid())


def copied(small: Path, name: str, uuid: str) -> Path:
    """A plan beside it under a name of its own."""
    folder = small.with_name(name)
    shutil.copytree(small, folder)
    text = (folder / "plan.yaml").read_text(encoding="utf-8")
    assert text.count("name: small") == 1 and text.count(UUID) == 1
    text = text.replace("name: small", f"name: {name}").replace(UUID, uuid)
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return folder


def refused(folder: Path) -> tuple[Fault, ...]:
    with pytest.raises(PlanFaults) as told:
        require_own(load_plan(folder))
    return told.value.faults


def test_a_plan_alone_is_its_folders_own(small: Path) -> None:
    require_own(load_plan(small))


@pytest.mark.parametrize("uuid", [UUID, UUID.upper(), UUID.replace("-", ""), f"'{UUID}'", f"'{{{UUID}}}'"])
def test_two_plans_beside_each_other_with_one_uuid_are_refused_both(small: Path, uuid: str) -> None:
    copy = copied(small, "draft", uuid)
    for folder, other in ((small, "draft"), (copy, "small")):
        (fault,) = refused(folder)
        lines = (folder / "plan.yaml").read_text(encoding="utf-8").splitlines()
        assert (fault.file, fault.field) == ("plan.yaml", "uuid") and "uuid" in lines[fault.row - 1]
        assert f"'{other}'" in fault.problem and "uuid4" in fault.remedy


def test_another_uuid_is_no_fault_and_neither_is_a_plan_beside_it_that_is_broken(small: Path) -> None:
    copied(small, "draft", "0b0f0a5e-6f7e-4b55-8b44-7f4b6f3f8d11")
    copied(small, "broken", "none-yet")
    (copied(small, "worse", UUID) / "plan.yaml").write_bytes(b"\xff\xfe: [")
    (small.parent / "notes").mkdir()
    require_own(load_plan(small))


def test_a_broken_copy_with_the_same_uuid_is_found(small: Path) -> None:
    file = copied(small, "draft", UUID) / "plan.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\nsources: [", encoding="utf-8")
    assert [f.field for f in refused(small)] == ["uuid"]


def test_a_copy_that_kept_its_name_as_well_hears_of_both(small: Path) -> None:
    shutil.copytree(small, small.with_name("mine"))
    name, uuid = refused(small.with_name("mine"))
    assert (name.field, uuid.field) == ("name", "uuid") and name.row > 0
    assert "'mine'" in name.problem and "'small'" in name.problem and "`uuid` of its own" in name.remedy
