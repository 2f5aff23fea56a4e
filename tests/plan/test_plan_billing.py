"""What billing.yaml may say, and what is wrong with it by file, line and remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.check import check_plan
from migration_assets.plan.load import load_plan

ACME = Path(__file__).parents[2] / "plans" / "acme"
BOTH = {"value": "1", "column": "quantity"}
Edit = Callable[[dict[str, Any]], object]


def faults(tmp_path: Path, edit: Edit, columns: Mapping[str, Mapping[str, str]] | None = None) -> list[Fault]:
    folder = tmp_path / "acme"
    shutil.copytree(ACME, folder)
    told = yaml.safe_load((ACME / "billing.yaml").read_text(encoding="utf-8"))
    edit(told)
    (folder / "billing.yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    try:
        return [f for f in check_plan(load_plan(folder), columns=columns) if f.file == "billing.yaml"]
    except PlanFaults as e:
        return list(e.faults)


def test_acmes_own_file_has_no_fault_and_counts_for_the_digest(tmp_path: Path) -> None:
    assert faults(tmp_path, lambda told: None) == []
    before = load_plan(tmp_path / "acme").digest
    with (tmp_path / "acme" / "billing.yaml").open("a", encoding="utf-8") as file:
        file.write("# one more remark\n")
    assert load_plan(tmp_path / "acme").digest != before


@pytest.mark.parametrize(
    ("edit", "field", "says"),
    [
        (lambda t: t["legacy"]["rules"].update(proration="30_360"), "legacy.rules.proration", "30e_360"),
        (lambda t: t["legacy"]["reads"]["items"].update(table="erp.subscription_item"), "table", "no table"),
        (lambda t: t["legacy"]["reads"].pop("items"), "legacy", "items"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].pop("unit_price"), "legacy", "unit_price"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(colour="x"), "legacy", "colour"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"]["kind"]["codes"].update(B="basic"), "kind", "basic"),
        (lambda t: t["legacy"]["reads"]["items"]["fields"].update(quantity=BOTH), "quantity", "both"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, edit: Edit, field: str, says: str) -> None:
    found = faults(tmp_path, edit)
    assert len(found) == 1
    assert found[0].row > 0 and found[0].remedy
    assert field in found[0].field
    assert says in f"{found[0].problem} {found[0].remedy}"


def test_a_column_the_source_does_not_have_is_named_when_the_source_is_known(tmp_path: Path) -> None:
    columns = {"erp.tax_rates": {"country": "text", "valid_from": "date", "tax_percent": "numeric"}}
    (found,) = faults(tmp_path, lambda told: None, columns)
    assert found.field == "legacy.reads.tax_rates.fields.percent"
    assert "tax_pct" in found.problem
