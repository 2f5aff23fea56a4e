"""`cutover document`: what the load will make of the target stands in the mapping specification."""

from __future__ import annotations

from pathlib import Path

import migration_assets
from migration_assets.plan.load import load_plan
from migration_assets.stages.load.schema import desired_schema
from migration_assets.wiring.documents import documents, target_tables
from migration_assets.wiring.source_columns import KnownColumns

REPOSITORY = Path(migration_assets.__path__[0]).parent
PLAN = load_plan(REPOSITORY / "plans" / "telco")


def test_every_column_constraint_and_index_of_the_target_is_listed() -> None:
    desired = desired_schema(PLAN)
    text = target_tables(desired)
    for made in desired.tables:
        section = text.split(f"### {made.qualified}\n")[1].split("\n### ")[0]
        for column in made.columns:
            kind = column.type.replace("[]", r"\[\]")  # as markdown has it
            assert f"| {column.name} | {kind} | {'not null' if column.required else ''} |" in section
        assert all(f"| {guard.name} | " in section for guard in (*made.constraints, *made.indexes, *made.policies))
        assert "PRIMARY KEY (" in section


def test_roles_are_listed_with_what_they_may_do() -> None:
    desired = desired_schema(PLAN)
    lines = {line.split(" | ")[1]: line for line in target_tables(desired).splitlines() if line.startswith("| ")}
    assert "own every table" in lines[desired.roles["owner"]]
    assert "SELECT INSERT UPDATE DELETE on " in lines[desired.roles["writer"]]
    assert "cutover.pre_image" in lines[desired.roles["writer"]]
    assert "SELECT on " in lines[desired.roles["reader"]]
    assert "cutover.pre_image" not in lines[desired.roles["reader"]], "it holds whole rows of personal data"


def test_the_pages_know_old_types_and_what_stays_behind_once_the_source_was_read() -> None:
    table = {"telco.customers": {"Churn": "character varying(3)", "Hobby": "text"}}
    known = documents(PLAN, KnownColumns("s", (), types=table, declared=table))
    assert list(known) == ["mapping", "fields", "dictionary"]
    assert "| telco.customers | Hobby | text |" in known["fields"]
    assert "character varying(3)" in known["fields"] and "character varying(3)" in known["dictionary"]
    assert "### telecom.accounts" in known["mapping"]
    assert "Not known before" in documents(PLAN, KnownColumns(None, ("telco.customers",)))["fields"]
