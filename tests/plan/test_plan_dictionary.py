"""The data dictionary: every field of the canonical model, with what the plan feeds it from."""

from __future__ import annotations

from pathlib import Path

from plan_folder import COLUMNS, CUSTOMERS, SUBSCRIPTIONS, load, pick, valid

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.dictionary import data_dictionary


def rows_of(text: str, entity: str) -> dict[str, list[str]]:
    """Cells of each field's row of one entity."""
    section = text.split(f"\n## {entity}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0]: cells for cells in rows[1:]}


def test_every_field_of_every_entity_has_type_meaning_and_sensitivity(tmp_path: Path) -> None:
    text = data_dictionary(load(tmp_path, valid()))
    for entity in ENTITIES.values():
        rows = rows_of(text, entity.name)
        assert list(rows) == [f.name for f in entity.fields]
        for field in entity.fields:
            assert field.type in rows[field.name][1] and rows[field.name][4] == field.sensitivity


def test_a_field_names_the_columns_that_feed_it_with_old_types(tmp_path: Path) -> None:
    text = data_dictionary(load(tmp_path, valid()), COLUMNS)
    assert rows_of(text, "customer")["country"][5] == "crm.accounts: country (string) by country"
    assert rows_of(text, "subscription")["customer_id"][5].startswith("crm.subs: account_id (int64)")
    assert rows_of(text, "customer")["customer_id"][5] == "crm.accounts key id"
    assert "crm.subs key id and the name of the column" in rows_of(text, "subscription_item")["item_id"][5]


def test_a_column_read_over_a_reference_is_named_with_its_type(tmp_path: Path) -> None:
    files = valid()
    pick(files, SUBSCRIPTIONS, field="plan_code")["columns"] = "account_id->country"
    text = data_dictionary(load(tmp_path, files), COLUMNS)
    assert rows_of(text, "subscription")["plan_code"][5] == "crm.subs: account_id-&gt;country (string) by lookup"


def test_where_rows_come_from_is_said_for_every_kind_of_entity(tmp_path: Path) -> None:
    text = data_dictionary(load(tmp_path, valid()))
    for said in ("from `catalog.yaml`", "from `geo.csv`", "derived by the program", "which this plan does not feed"):
        assert said in text


def test_a_plan_that_is_stricter_than_the_model_is_believed(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["sensitivity"] = "secret"
    assert rows_of(data_dictionary(load(tmp_path, files)), "customer")["country"][4] == "secret"
