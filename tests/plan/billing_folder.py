"""Acme's plan with billing.yaml or tax.csv bent in one place, and what is wrong with it then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.check import check_plan
from migration_assets.plan.load import load_plan

ACME = Path(__file__).parents[2] / "plans" / "acme"
Edit = Callable[[dict[str, Any]], object]


def bent(tmp_path: Path, edit: Edit) -> Path:
    """The folder of a copy of Acme's plan whose billing.yaml was edited."""
    folder = tmp_path / "acme"
    shutil.copytree(ACME, folder)
    told = yaml.safe_load((ACME / "billing.yaml").read_text(encoding="utf-8"))
    edit(told)
    (folder / "billing.yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return folder


def faults(tmp_path: Path, edit: Edit, columns: Mapping[str, Mapping[str, str]] | None = None) -> list[Fault]:
    """Everything that is wrong with billing.yaml, and whatever keeps the plan from being read."""
    folder = bent(tmp_path, edit)
    try:
        return [f for f in check_plan(load_plan(folder), columns=columns) if f.file == "billing.yaml"]
    except PlanFaults as e:
        return list(e.faults)


def tax_faults(tmp_path: Path, rows: str | None) -> list[Fault]:
    """Everything that is wrong with tax.csv when it has these rows; with none, when it is not there."""
    folder = tmp_path / "acme"
    shutil.copytree(ACME, folder)
    if rows is None:
        (folder / "tax.csv").unlink()
    else:
        (folder / "tax.csv").write_text("country,valid_from,percent\n" + rows, encoding="utf-8")
    try:
        return [f for f in check_plan(load_plan(folder)) if f.file == "tax.csv"]
    except PlanFaults as e:
        return list(e.faults)
