"""Column lineage follows the plan's own rows: the columns a rule reads, all of them, and none for a constant."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from plan_in_code import feed_of, field_of, plan_of

from migration_assets.domain.canonical import ENTITIES
from migration_assets.plan.models import TargetTable
from migration_assets.plan.source_models import SourceTable, Split
from migration_assets.wiring.lineage import (
    LINEAGE,
    ORIGINS,
    SCHEMA,
    entity_schema,
    golden_copy_lineage,
    legacy_columns,
    legacy_tables,
    mapping_lineage,
    same_columns,
    table_key,
    target_lineage,
)

ACCOUNTS = feed_of("accounts", "customer", "crm.accounts")
DEBTORS = feed_of("debtors", "customer", "erp.debtors")
CONTRACTS = feed_of("contracts", "subscription", "erp.contracts")
SERVICES = feed_of("services", "subscription_item", "erp.contracts", "mail", "chat")
PLAN = plan_of(
    {
        "crm.users": SourceTable(read_from="users", key=("login",), home="user", secret=("login",)),
        "crm.accounts": SourceTable(
            read_from="accounts", key=("id",), home="customer", owner="self", references={"keeper": "crm.users"},
            updated_at="changed", personal=("first", "last"), secret=("pin",), description="Who buys.",
        ),
        "erp.debtors": SourceTable(read_from="debtors", key=("branch", "number"), home="customer", owner="self"),
        "erp.contracts": SourceTable(
            read_from="contracts", key=("number",), home="subscription", owner="account",
            references={"account": "crm.accounts"},
        ),
    },
    feeds=(ACCOUNTS, DEBTORS, CONTRACTS, SERVICES),
    mapping=[
        field_of(ACCOUNTS, "name", "last first", "text"),
        field_of(ACCOUNTS, "status", "", "constant", value="active"),
        field_of(ACCOUNTS, "email", "mail", "email"),
        field_of(DEBTORS, "name", "title", "text"),
        field_of(DEBTORS, "status", "blocked", "lookup", list="states"),
        field_of(CONTRACTS, "customer_id", "account", "reference", table="crm.accounts"),
        field_of(CONTRACTS, "starts_at", "begins", "timestamp"),
        field_of(CONTRACTS, "ends_at", "begins months", "timestamp"),
        field_of(SERVICES, "subscription_id", "number", "reference", table="erp.contracts"),
        field_of(SERVICES, "product_code", "_name _value", "lookup", list="services"),
        field_of(SERVICES, "quantity", "seats _value", "integer"),
    ],
    target={
        "accounts": TargetTable(entity="customer", columns={"id": "customer_id", "title": "name", "state": "status"}),
        "contracts": TargetTable(entity="subscription", columns={"id": "subscription_id", "until": "ends_at"}),
    },
)  # fmt: skip


def lineage(metadata: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Column -> (asset, column) it comes from, in order."""
    deps = metadata[LINEAGE].deps_by_column
    return {c: [(d.asset_key.to_user_string(), d.column_name) for d in found] for c, found in deps.items()}


def golden(*columns: str) -> list[tuple[str, str]]:
    return [("golden_copy", column) for column in columns]


def lines(metadata: dict[str, Any]) -> list[str]:
    """Rows of the table that people read."""
    return metadata[ORIGINS].value.splitlines()[2:]


# --- legacy tables ---------------------------------------------------------------------------------------------------


def test_a_legacy_table_is_known_by_its_system_and_name() -> None:
    assert table_key("crm.accounts") == dg.AssetKey(["crm", "accounts"])


def test_the_columns_of_a_table_are_those_the_plan_names_without_secrets_and_pseudo_columns() -> None:
    assert legacy_columns(PLAN) == {
        "crm.users": [],
        "crm.accounts": ["changed", "first", "id", "keeper", "last", "mail"],
        "erp.debtors": ["blocked", "branch", "number", "title"],
        "erp.contracts": ["account", "begins", "chat", "mail", "months", "number", "seats"],
    }


def test_each_legacy_table_is_an_asset_that_marks_its_personal_columns() -> None:
    specs = {s.key.to_user_string(): s for s in legacy_tables(PLAN)}
    assert list(specs) == ["crm/users", "crm/accounts", "erp/debtors", "erp/contracts"]
    accounts = specs["crm/accounts"]
    assert (accounts.group_name, accounts.description, accounts.kinds) == ("legacy_crm", "Who buys.", {"postgres"})
    assert specs["erp/debtors"].description == "Table debtors of erp."
    tagged = {c.name: "personal" in c.tags for c in accounts.metadata[SCHEMA].columns}
    assert tagged == {"changed": False, "first": True, "id": False, "keeper": False, "last": True, "mail": False}


def test_the_golden_copy_takes_each_column_from_the_legacy_column_of_its_name() -> None:
    found = lineage(golden_copy_lineage(PLAN))
    assert found["erp.contracts.mail"] == [("erp/contracts", "mail")]
    assert found["crm.accounts.mail"] == [("crm/accounts", "mail")]
    assert sorted(found) == sorted(f"{t}.{c}" for t, columns in legacy_columns(PLAN).items() for c in columns)


# --- canonical columns -----------------------------------------------------------------------------------------------


def test_a_field_comes_from_every_column_its_rules_read_in_every_feed() -> None:
    found = lineage(mapping_lineage(PLAN, ["customer"]))
    assert found["customer.email"] == golden("crm.accounts.mail")
    assert found["customer.name"] == golden("crm.accounts.first", "crm.accounts.last", "erp.debtors.title")


def test_a_constant_comes_from_nowhere_and_adds_nothing_to_a_field_that_has_an_origin() -> None:
    constant_only = plan_of({"crm.accounts": PLAN.source_table("crm.accounts")}, feeds=[ACCOUNTS],
                            mapping=[field_of(ACCOUNTS, "status", "", "constant", value="active")])  # fmt: skip
    metadata = mapping_lineage(constant_only, ["customer"])
    assert lineage(metadata)["customer.status"] == []
    assert "| customer.status | a rule or a constant |" in lines(metadata)
    assert lineage(mapping_lineage(PLAN, ["customer"]))["customer.status"] == golden("erp.debtors.blocked")


def test_a_key_comes_from_the_key_columns_of_each_table_that_feeds_it() -> None:
    found = lineage(mapping_lineage(PLAN, ["customer", "subscription"]))
    assert found["customer.customer_id"] == golden("crm.accounts.id", "erp.debtors.branch", "erp.debtors.number")
    assert found["subscription.subscription_id"] == golden("erp.contracts.number")


def test_a_field_of_an_unpivoted_feed_comes_from_the_columns_that_became_rows() -> None:
    found = lineage(mapping_lineage(PLAN, ["subscription_item"]))
    assert found["subscription_item.product_code"] == golden("erp.contracts.chat", "erp.contracts.mail")
    assert found["subscription_item.quantity"] == golden(
        "erp.contracts.chat", "erp.contracts.mail", "erp.contracts.seats"
    )
    assert found["subscription_item.subscription_id"] == golden("erp.contracts.number"), "reads no cell of theirs"


def test_a_column_that_two_feeds_of_one_table_read_is_named_once() -> None:
    former = feed_of("former", "customer", "crm.accounts")
    twice = plan_of({"crm.accounts": PLAN.source_table("crm.accounts")}, feeds=[ACCOUNTS, former],
                    mapping=[field_of(f, "email", "mail", "email") for f in (ACCOUNTS, former)])  # fmt: skip
    found = lineage(mapping_lineage(twice, ["customer"]))
    assert found == {"customer.email": golden("crm.accounts.mail"), "customer.customer_id": golden("crm.accounts.id")}


def test_only_the_entities_asked_for_are_followed() -> None:
    found = lineage(mapping_lineage(PLAN, ["subscription"]))
    assert set(found) == {f"subscription.{f}" for f in ("customer_id", "starts_at", "ends_at", "subscription_id")}


def test_every_column_a_mapping_reads_is_one_that_the_golden_copy_has() -> None:
    known = set(lineage(golden_copy_lineage(PLAN)))
    found = lineage(mapping_lineage(PLAN, ["customer", "subscription", "subscription_item"]))
    read = {column for origins in found.values() for asset, column in origins if asset == "golden_copy"}
    assert read <= known
    assert known - read == {"crm.accounts.changed", "crm.accounts.keeper"}, "a stamp and a reference no rule reads"


def test_people_read_the_same_origins_as_a_table() -> None:
    metadata = mapping_lineage(PLAN, ["customer"])
    assert "| customer.email | golden_copy crm.accounts.mail |" in lines(metadata)
    assert len(lines(metadata)) == len(lineage(metadata))


# --- entitlements, which no mapping makes ----------------------------------------------------------------------------


def test_entitlements_come_from_the_entities_of_the_plan_that_grant_them() -> None:
    found = lineage(mapping_lineage(PLAN, ["subscription", "subscription_item"]))
    own = "transformed_entitlements"
    assert found["entitlement.limit_units"] == [(own, "subscription_item.quantity")]
    assert found["entitlement.customer_id"] == [(own, "subscription.customer_id")]
    assert found["entitlement.limit_kind"] == [], "this plan has no overrides"


def test_every_origin_of_an_entitlement_is_a_field_there_is() -> None:
    granting = ["subscription", "subscription_item", "entitlement_override"]
    found = {c: o for c, o in lineage(mapping_lineage(PLAN, granting)).items() if c.startswith("entitlement.")}
    assert all(found.values()) and ("transformed_entitlements", "entitlement_override.override_id") in found[
        "entitlement.entitlement_id"
    ]  # fmt: skip
    for name in [*found, *(column for origins in found.values() for _, column in origins)]:
        entity, _, field = name.partition(".")
        assert ENTITIES[entity].field(field).name == field


def test_a_plan_without_items_has_no_lineage_of_entitlements() -> None:
    assert not [c for c in lineage(mapping_lineage(PLAN, ["customer", "subscription"])) if c.startswith("entitlement.")]


# --- stages and target -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upstream", ["standardized_parties", "cleansed_customers"])
def test_a_stage_that_keeps_columns_takes_each_from_its_own_name_one_stage_earlier(upstream: str) -> None:
    found = lineage(same_columns(["customer", "contact"], upstream))
    assert found["contact.customer_id"] == [(upstream, "contact.customer_id")]
    assert set(found) == {f"{e}.{f.name}" for e in ("customer", "contact") for f in ENTITIES[e].fields}
    assert all(origin == [(upstream, column)] for column, origin in found.items())


def test_canonical_columns_say_what_they_need_and_which_are_personal() -> None:
    columns = {c.name: c for c in entity_schema(["customer"])[SCHEMA].columns}  # type: ignore[attr-defined]
    assert set(columns) == {f"customer.{f.name}" for f in ENTITIES["customer"].fields}
    key, name, website = (columns[f"customer.{f}"] for f in ("customer_id", "name", "website"))
    assert (key.type, key.constraints.unique, key.constraints.nullable) == ("key", True, False)
    assert (name.constraints.unique, name.constraints.nullable, "personal" in name.tags) == (False, False, True)
    assert (website.constraints.nullable, "personal" in website.tags) == (True, False)


def test_target_columns_come_from_the_field_the_plan_names_at_the_stage_that_makes_it() -> None:
    metadata = target_lineage(PLAN)
    assert lineage(metadata) == {
        "accounts.id": [("cleansed_customers", "customer.customer_id")],
        "accounts.title": [("cleansed_customers", "customer.name")],
        "accounts.state": [("cleansed_customers", "customer.status")],
        "contracts.id": [("transformed_entitlements", "subscription.subscription_id")],
        "contracts.until": [("transformed_entitlements", "subscription.ends_at")],
    }
    types = {c.name: c.type for c in metadata[SCHEMA].columns}  # type: ignore[attr-defined]
    assert types == {
        "accounts.id": "key", "accounts.title": "text", "accounts.state": "code", "contracts.id": "key",
        "contracts.until": "instant",
    }  # fmt: skip


def test_the_whole_way_of_a_target_column_names_the_legacy_columns_behind_its_field() -> None:
    found = lines(target_lineage(PLAN))
    assert "| accounts.title | customer.name | crm.accounts.last, crm.accounts.first, erp.debtors.title |" in found
    assert "| contracts.until | subscription.ends_at | erp.contracts.begins, erp.contracts.months |" in found


def test_an_entry_comes_from_the_text_it_stands_in() -> None:
    orders = feed_of("orders", "sales_order", "crm.orders")
    split = Split(column="history", separator=";", pattern="(?P<number>.+)", carry=("country",))
    entries = SourceTable(read_from="accounts", key=("id", "position"), home="sales_order", split=split)
    plan = plan_of(
        {"crm.accounts": SourceTable(read_from="accounts", key=("id",)), "crm.orders": entries},
        feeds=[orders],
        mapping=[field_of(orders, "number", "number", "trim"), field_of(orders, "status", "country", "copy")],
        target={"orders": TargetTable(entity="sales_order", columns={"id": "order_id", "no": "number"})},
    )
    assert legacy_columns(plan) == {"crm.accounts": ["country", "history", "id"]}
    assert [s.key for s in legacy_tables(plan)] == [table_key("crm.accounts")]
    copied = lineage(golden_copy_lineage(plan))
    assert {c: found for c, found in copied.items() if c.startswith("crm.orders.")} == {
        "crm.orders.id": [("crm/accounts", "id")],
        "crm.orders.position": [("crm/accounts", "history")],
        "crm.orders.number": [("crm/accounts", "history")],
        "crm.orders.country": [("crm/accounts", "country")],
    }
    assert "| orders.no | sales_order.number | crm.accounts.history |" in lines(target_lineage(plan))


def test_a_column_read_over_a_reference_comes_from_the_table_it_stands_in() -> None:
    lines = feed_of("lines", "subscription_item", "erp.lines")
    plan = plan_of(
        {
            "erp.lines": SourceTable(
                read_from="lines", key=("id",), home="subscription_item", references={"contract": "erp.contracts"}
            ),
            "erp.contracts": SourceTable(
                read_from="contracts", key=("number",), references={"account": "crm.accounts"}, secret=("pin",)
            ),
            "crm.accounts": SourceTable(read_from="accounts", key=("id",)),
        },
        feeds=[lines],
        mapping=[field_of(lines, "currency", "contract->account->money contract->money", "coalesce")],
    )
    deps = mapping_lineage(plan, ["subscription_item"])[LINEAGE].deps_by_column  # type: ignore[attr-defined]
    found = {d.column_name for d in deps["subscription_item.currency"]}
    assert found == {"crm.accounts.money", "erp.contracts.money"}
    assert legacy_columns(plan)["crm.accounts"] == ["id", "money"]
