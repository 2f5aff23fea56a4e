"""The plan of the workshop: it holds, and the page that explains it says the same as it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import migration_assets
from migration_assets.plan.check import check_plan
from migration_assets.plan.comparison import left_behind
from migration_assets.plan.document import mapping_document
from migration_assets.plan.entries import with_entries
from migration_assets.plan.load import load_plan
from migration_assets.plan.source_models import SourceTable
from migration_assets.plan.yaml_file import read_yaml

REPOSITORY = Path(migration_assets.__path__[0]).parent
FOLDER = REPOSITORY / "plans" / "workshop"
PAGE = (REPOSITORY / "docs" / "text_to_rows.md").read_text(encoding="utf-8")


def test_the_plan_holds_on_the_columns_of_its_sample() -> None:
    header = (FOLDER / "sample" / "customers.tsv").read_text(encoding="utf-8").splitlines()[0].split("\t")
    assert check_plan(load_plan(FOLDER), columns={"sheet.customers": dict.fromkeys(header, "string")}) == ()


@pytest.mark.parametrize("table", ["customers", "orders"])
def test_what_the_page_tells_people_to_write_is_what_the_plan_has(table: str) -> None:
    (written,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    told = SourceTable.model_validate(read_yaml("plan.yaml", written).data["sources"]["sheet"]["tables"][table])
    has = load_plan(FOLDER).source_table(f"sheet.{table}")
    same = {"read_from", "key", "home", "owner", "references"}
    assert told.model_dump(include=same) == has.model_dump(include=same)
    if has.split is not None and told.split is not None:
        assert told.split.model_dump(exclude={"pattern"}) == has.split.model_dump(exclude={"pattern"})
        assert set(told.split.groups) <= set(has.split.groups)


def test_the_text_is_not_left_behind_and_what_no_field_takes_of_it_is() -> None:
    plan = load_plan(FOLDER)
    known = with_entries(plan, {"sheet.customers": dict.fromkeys(("No", "Name", "Mail", "Orders"), "string")})
    assert [(x.table, x.column) for x in left_behind(plan, known)] == [("sheet.orders", "work")]
    assert "the entries of Orders of customers" in mapping_document(plan)


def test_the_page_counts_as_the_sample_does() -> None:
    rows = (FOLDER / "sample" / "customers.tsv").read_text(encoding="utf-8").splitlines()[1:]
    entries = [e.strip() for row in rows for e in row.split("\t")[3].split(";") if e.strip()]
    assert (len(rows), len(entries), sum(e.startswith("W-") for e in entries)) == (12, 19, 18)
    assert "Twelve customers, nineteen entries" in PAGE and "eighteen orders" in PAGE
