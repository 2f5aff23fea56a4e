"""Every kind of fault between the files of a plan: bend one place of a valid plan, and read what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plan_folder import (
    COLUMNS,
    CUSTOMERS,
    FEEDS,
    SERVICES,
    SUBSCRIPTIONS,
    control,
    faults,
    feed,
    load,
    pick,
    row,
    valid,
    write,
)

from migration_assets.domain.errors import PlanFaults
from migration_assets.plan.check import check_plan, load_checked_plan

Files = dict[str, Any]
Bend = Callable[[Files], None]


def test_a_valid_plan_has_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, valid()) == ()


def test_a_plan_to_run_on_is_read_and_checked(tmp_path: Path) -> None:
    assert load_checked_plan(write(tmp_path, valid())).name == "small"
    files = valid()
    files["plan.yaml"]["currency_exponents"] = {"BTC": 9}
    with pytest.raises(PlanFaults, match="exponent is out of range") as e:
        load_checked_plan(write(tmp_path, files))
    assert e.value.exit_code == 2


def test_raw_columns_are_taken_on_trust_until_the_source_is_known(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="name")["columns"] = "no_such_column"
    plan = load(tmp_path, files)
    assert check_plan(plan) == ()
    assert [f.field for f in check_plan(plan, columns=COLUMNS)] == ["columns", "sources.crm.tables.accounts"]


def table(name: str, **changes: Any) -> Bend:
    return lambda f: f["plan.yaml"]["sources"]["crm"]["tables"][name].update(changes)


def crm(**changes: Any) -> Bend:
    def bend(f: Files) -> None:
        f["plan.yaml"]["sources"]["crm"] = {
            k: v for k, v in (f["plan.yaml"]["sources"]["crm"] | changes).items() if v is not None
        }

    return bend


def plan(**changes: Any) -> Bend:
    return lambda f: f["plan.yaml"].update(changes)


def identity(**changes: Any) -> Bend:
    return lambda f: f["plan.yaml"]["identity"].update(changes)


def cell(file: str, by: dict[str, str], **changes: str) -> Bend:
    return lambda f: pick(f, file, **by).update(changes)


def arguments(file: str, field: str, **values: Any) -> Bend:
    return cell(file, {"field": field}, arguments=json.dumps(values))


def add(file: str, *rows: dict[str, str]) -> Bend:
    return lambda f: f[file].extend(rows)


def drop(file: str, **by: str) -> Bend:
    return lambda f: f[file].remove(pick(f, file, **by))


def catalog(part: str, index: int, **changes: Any) -> Bend:
    return lambda f: f["catalog.yaml"][part][index].update(changes)


def catalog_add(part: str, **entry: Any) -> Bend:
    return lambda f: f["catalog.yaml"][part].append(entry)


FIRST, LAST = {"up_to": 10, "unit_price": "5"}, {"unit_price": "4"}


def price(unit_price: str | None = None, **changes: Any) -> Bend:
    """The first price, told in another way."""
    return catalog("prices", 0, unit_price=unit_price, **changes)


def geo(product: str, region: str) -> dict[str, str]:
    return {"product": product, "region": region, "allowed": "false", "reason": "No."}


def grant(**changes: Any) -> Bend:
    def bend(f: Files) -> None:
        f["catalog.yaml"]["products"][1]["grants"][0].update(changes)

    return bend


def login_grant(**changes: Any) -> Bend:
    return lambda f: f["catalog.yaml"]["products"][0]["grants"][0].update(changes)


def cohorts(*rules: dict[str, Any]) -> Bend:
    return lambda f: f["cohorts.yaml"].update(cohorts=list(rules))


def target(name: str, **changes: Any) -> Bend:
    return lambda f: f["target.yaml"]["tables"][name].update(changes)


def target_columns(name: str, **changes: str | None) -> Bend:
    def bend(f: Files) -> None:
        columns = f["target.yaml"]["tables"][name]["columns"] | changes
        f["target.yaml"]["tables"][name]["columns"] = {k: v for k, v in columns.items() if v is not None}

    return bend


def both(*bends: Bend) -> Bend:
    return lambda f: [bend(f) for bend in bends] and None


CONSENT = {"consent_id": "id", "account_id": "customer_id", "purpose": "purpose", "channel": "channel",
           "decision": "decision", "decided_at": "decided_at"}  # fmt: skip


def contacts_consents(on_error: str = "", **columns: str) -> Bend:
    """Consents that name a contact, and a table for them with these columns as well."""

    def bend(f: Files) -> None:
        f[FEEDS].append(feed("events", "consent", "subs"))
        given = row("events", "consent", "subs", "contact_id", "account_id", "reference", on_error=on_error)
        f["mapping/consent.csv"] = [given | {"arguments": json.dumps({"table": "crm.accounts"})}]
        f["target.yaml"]["tables"]["consents"] = {"entity": "consent", "columns": CONSENT | columns}

    return bend


PILOT = {"name": "pilot", "wave": 0, "customers": ["1"]}
REST = {"name": "rest", "wave": 1, "buckets": 2}
KEY = {"name": "k", "entity": "customer", "fields": ["email"], "reason": "Same."}
LINK = {"name": "x", "table": "crm.accounts", "column": "id", "to_table": "crm.accounts", "reason": "Same."}
MASKED = {"rule": "late", "table": "crm.subs", "reason": "Too old to keep."}
BILLED = {"measure": "billed"}
PLAN_ROW = {"field": "plan_code"}

# (id, bend, file, field of the fault, words of its problem)
FAULTS: list[tuple[str, Bend, str, str, str]] = [
    # sources
    ("url_malformed", crm(url="${crm}"), "plan.yaml", "sources.crm.url", "not a name in capitals"),
    ("url_password", crm(url="postgresql://u:hunter2@h/db"), "plan.yaml", "sources.crm.url", "holds a password"),
    ("key_twice", table("accounts", key=["id", "id"]), "plan.yaml", "sources.crm.tables.accounts.key", "twice"),
    ("key_unknown", table("accounts", key=["idd"]), "plan.yaml", "sources.crm.tables.accounts.key", "no column 'idd'"),
    ("key_secret", table("accounts", secret=["id"]), "plan.yaml", "sources.crm.tables.accounts.key", "is secret"),
    (
        "updated_unknown",
        table("accounts", updated_at="at"),
        "plan.yaml",
        "sources.crm.tables.accounts.updated_at",
        "'at'",
    ),
    (
        "personal_unknown",
        table("accounts", personal=["nam"]),
        "plan.yaml",
        "sources.crm.tables.accounts.personal",
        "nam",
    ),
    (
        "reference_table",
        table("subs", references={"account_id": "crm.acounts"}),
        "plan.yaml",
        "sources.crm.tables.subs.references.account_id",
        "'crm.acounts' is not a table",
    ),
    (
        "reference_composite",
        table("accounts", key=["id", "name"]),
        "plan.yaml",
        "sources.crm.tables.subs.references.account_id",
        "key of several columns",
    ),
    (
        "owner_no_reference",
        table("subs", owner="plan"),
        "plan.yaml",
        "sources.crm.tables.subs.owner",
        "not a column of",
    ),
    ("owner_to_nobody", table("accounts", owner="none"), "plan.yaml", "sources.crm.tables.subs.owner", "no customer"),
    (
        "owner_circle",
        table("subs", references={"account_id": "crm.subs"}),
        "plan.yaml",
        "sources.crm.tables.subs.owner",
        "in a circle: crm.subs -> crm.subs",
    ),
    ("owner_self", table("subs", owner="self"), "plan.yaml", "sources.crm.tables.subs.owner", "feeds no customer"),
    ("home_missing", table("subs", home=None), "plan.yaml", "sources.crm.tables.subs.home", "is missing"),
    ("home_unknown", table("subs", home="subscripton"), "plan.yaml", "sources.crm.tables.subs.home", "not an entity"),
    (
        "home_not_fed",
        table("subs", home="invoice"),
        "plan.yaml",
        "sources.crm.tables.subs.home",
        "no feed makes invoice",
    ),
    ("neither_fed_nor_excluded", plan(exclusions=[]), "plan.yaml", "sources.crm.tables.audit", "neither fed"),
    # exclusions, identity
    ("exclusion_table", plan(exclusions=[MASKED | {"table": "crm.sub"}]), "plan.yaml", "exclusions.0.table", "crm.sub"),
    ("exclusion_twice", plan(exclusions=[MASKED | {"table": "crm.audit"}] * 2), "plan.yaml", "exclusions.1", "twice"),
    (
        "exclusion_column",
        plan(exclusions=[MASKED | {"where": [{"field": "x", "op": "is_null"}]}]),
        "plan.yaml",
        "exclusions.0.where",
        "no column 'x'",
    ),
    ("identity_field", identity(keys=[KEY | {"fields": ["mail"]}]), "plan.yaml", "identity.keys.0.fields", "'mail'"),
    ("identity_twice", identity(keys=[KEY, KEY]), "plan.yaml", "identity.keys.1", "twice"),
    ("link_table", identity(links=[LINK | {"table": "crm.x"}]), "plan.yaml", "identity.links.0.table", "not a table"),
    (
        "link_no_customer",
        identity(links=[LINK | {"to_table": "crm.subs"}]),
        "plan.yaml",
        "identity.links.0.to_table",
        "feeds no customer",
    ),
    ("link_column", identity(links=[LINK | {"column": "x"}]), "plan.yaml", "identity.links.0.column", "no column 'x'"),
    (
        "four_eyes_currency",
        identity(review={"four_eyes": {"euro": "5"}}),
        "plan.yaml",
        "identity.review.four_eyes.euro",
        "'euro' is no currency",
    ),
    (
        "four_eyes_amount",
        identity(review={"four_eyes": {"EUR": "5.005"}}),
        "plan.yaml",
        "identity.review.four_eyes.EUR",
        "more decimals",
    ),
    (
        "compare_in_currency",
        identity(review={"compare_in": "EURO"}),
        "plan.yaml",
        "identity.review.compare_in",
        "no currency",
    ),
    (
        "compare_in_without_rates",
        identity(review={"compare_in": "EUR"}),
        "plan.yaml",
        "identity.review.compare_in",
        "nothing feeds exchange_rate",
    ),
    ("priority_unknown", identity(priority=["crn"]), "plan.yaml", "identity.priority", "'crn' is not a source"),
    ("priority_twice", identity(priority=["crm", "crm"]), "plan.yaml", "identity.priority", "twice"),
    (
        "never_merge_field",
        identity(never_merge=[{"field": "knd", "op": "is_null"}]),
        "plan.yaml",
        "identity.never_merge.0",
        "no field 'knd'",
    ),
    (
        "never_merge_code",
        identity(never_merge=[{"field": "kind", "op": "eq", "value": "robot"}]),
        "plan.yaml",
        "identity.never_merge.0",
        "'robot' is no code",
    ),
    ("exponent_code", plan(currency_exponents={"btc": 8}), "plan.yaml", "currency_exponents.btc", "not a currency"),
    ("exponent_range", plan(currency_exponents={"BTC": 9}), "plan.yaml", "currency_exponents.BTC", "out of range"),
    # feeds
    ("feed_entity", cell(FEEDS, {"feed": "items"}, entity="item"), FEEDS, "entity", "'item' is not an entity"),
    ("feed_catalog", add(FEEDS, feed("p", "feature", "subs")), FEEDS, "entity", "comes from the catalog"),
    ("feed_derived", add(FEEDS, feed("e", "entitlement", "subs")), FEEDS, "entity", "made by the program"),
    ("feed_system", cell(FEEDS, {"feed": "items"}, system="erp"), FEEDS, "system", "'erp' is not a source"),
    ("feed_table", cell(FEEDS, {"feed": "items"}, table="sub"), FEEDS, "table", "no table 'sub'"),
    ("feed_where", cell(FEEDS, {"feed": "subs"}, where='[{"field": "x", "op": "is_null"}]'), FEEDS, "where", "'x'"),
    ("feed_unpivot", cell(FEEDS, {"feed": "items"}, unpivot="mail|chatt"), FEEDS, "unpivot", "no column 'chatt'"),
    ("feed_unpivot_twice", cell(FEEDS, {"feed": "items"}, unpivot="mail|mail"), FEEDS, "unpivot", "twice"),
    ("feed_twice", add(FEEDS, feed("subs", "subscription", "subs")), FEEDS, "feed", "subs stands here twice"),
    ("feed_without_rows", add(FEEDS, feed("more", "customer", "accounts")), FEEDS, "feed", "no mapping row belongs"),
    (
        "row_without_feed",
        add(CUSTOMERS, row("accnts", "customer", "accounts", "website", "name", "website")),
        CUSTOMERS,
        "feed",
        "'accnts' is not a feed",
    ),
    (
        "row_other_table",
        cell(CUSTOMERS, {"field": "country"}, table="subs"),
        CUSTOMERS,
        "table",
        "differs from its feed",
    ),
    ("required_unmapped", drop(CUSTOMERS, field="status"), FEEDS, "feed", "customer.status is not mapped"),
    # mapping rows
    ("field_unknown", cell(CUSTOMERS, {"field": "country"}, field="contry"), CUSTOMERS, "field", "no field 'contry'"),
    ("field_key", cell(CUSTOMERS, {"field": "country"}, field="customer_id"), CUSTOMERS, "field", "is the key"),
    (
        "field_twice",
        add(CUSTOMERS, row("accounts", "customer", "accounts", "name", "name", "text", sensitivity="personal")),
        CUSTOMERS,
        "field",
        "is mapped already, in line 3",
    ),
    ("rule_unknown", cell(CUSTOMERS, {"field": "country"}, rule="contry"), CUSTOMERS, "rule", "no rule 'contry'"),
    ("rule_type", cell(CUSTOMERS, {"field": "country"}, rule="date"), CUSTOMERS, "rule", "date cannot give country"),
    (
        "money_by_copy",
        cell(SUBSCRIPTIONS, {"field": "billed_to_date_minor"}, rule="copy", arguments=""),
        SUBSCRIPTIONS,
        "rule",
        "copy cannot give billed_to_date_minor",
    ),
    (
        "arguments_unknown",
        arguments(CUSTOMERS, "country", lang="de"),
        CUSTOMERS,
        "arguments.lang",
        "'lang' is not known",
    ),
    (
        "arguments_missing",
        arguments(SUBSCRIPTIONS, "billed_to_date_minor", currency="EUR"),
        SUBSCRIPTIONS,
        "arguments.unit",
        "is missing",
    ),
    (
        "arguments_value",
        arguments(SUBSCRIPTIONS, "starts_at", zone="Europe/Berln"),
        SUBSCRIPTIONS,
        "arguments.zone",
        "is not an IANA time zone",
    ),
    ("arity", cell(CUSTOMERS, {"field": "country"}, columns="country|name"), CUSTOMERS, "columns", "not take 2"),
    (
        "money_no_currency",
        arguments(SUBSCRIPTIONS, "billed_to_date_minor", unit="major"),
        SUBSCRIPTIONS,
        "arguments",
        "need a currency",
    ),
    (
        "money_two_currencies",
        cell(SUBSCRIPTIONS, {"field": "billed_to_date_minor"}, columns="fee|plan"),
        SUBSCRIPTIONS,
        "arguments",
        "not both",
    ),
    ("column_unknown", cell(CUSTOMERS, {"field": "country"}, columns="land"), CUSTOMERS, "columns", "no column 'land'"),
    ("column_secret", table("accounts", secret=["country"]), CUSTOMERS, "columns", "'country' is secret"),
    (
        "lookup_no_reference",
        cell(SUBSCRIPTIONS, PLAN_ROW, columns="plan->id"),
        SUBSCRIPTIONS,
        "columns",
        "'plan' is no column of the references of crm.subs",
    ),
    (
        "lookup_unknown",
        cell(SUBSCRIPTIONS, PLAN_ROW, columns="account_id->nam"),
        SUBSCRIPTIONS,
        "columns",
        "crm.accounts has no column 'nam'",
    ),
    (
        "lookup_secret",
        both(table("accounts", secret=["country"]), cell(SUBSCRIPTIONS, PLAN_ROW, columns="account_id->country")),
        SUBSCRIPTIONS,
        "columns",
        "'country' is secret",
    ),
    (
        "lookup_in_condition",
        arguments(SUBSCRIPTIONS, "plan_code", list="plans", when=[{"field": "account_id->nam", "op": "not_null"}]),
        SUBSCRIPTIONS,
        "arguments",
        "no column 'nam'",
    ),
    (
        "lookup_as_reference",
        cell(SUBSCRIPTIONS, {"field": "customer_id"}, columns="account_id->id"),
        SUBSCRIPTIONS,
        "columns",
        "another row's column",
    ),
    ("lookup_as_key", table("subs", key=["account_id->id"]), "plan.yaml", "sources.crm.tables.subs.key", "no column"),
    ("column_not_unpivoted", cell(CUSTOMERS, {"field": "country"}, columns="_value"), CUSTOMERS, "columns", "unpivots"),
    (
        "when_column",
        arguments(CUSTOMERS, "country", when=[{"field": "x", "op": "is_null"}]),
        CUSTOMERS,
        "arguments",
        "no column 'x'",
    ),
    ("assumed", cell(CUSTOMERS, {"field": "country"}, status="ASSUMED"), CUSTOMERS, "status", "nobody has confirmed"),
    (
        "sensitivity",
        cell(CUSTOMERS, {"field": "name"}, sensitivity="internal"),
        CUSTOMERS,
        "sensitivity",
        "is personal",
    ),
    ("record", cell(CUSTOMERS, {"field": "name"}, system_of_record="erp"), CUSTOMERS, "system_of_record", "'erp'"),
    (
        "required_set_aside",
        cell(CUSTOMERS, {"field": "name"}, on_error="set_aside"),
        CUSTOMERS,
        "on_error",
        "a row without it is rejected",
    ),
    # references
    (
        "reference_unknown",
        arguments(SUBSCRIPTIONS, "customer_id", table="crm.acounts"),
        SUBSCRIPTIONS,
        "arguments.table",
        "not a table",
    ),
    (
        "reference_entity",
        arguments(SUBSCRIPTIONS, "customer_id", table="crm.subs"),
        SUBSCRIPTIONS,
        "arguments.table",
        "crm.subs feeds subscription, subscription_item, not customer",
    ),
    (
        "reference_parts",
        cell(SUBSCRIPTIONS, {"field": "customer_id"}, columns="account_id|id"),
        SUBSCRIPTIONS,
        "columns",
        "has 1 part",
    ),
    (
        "reference_fixed",
        cell(
            SUBSCRIPTIONS,
            {"field": "customer_id"},
            rule="constant",
            columns="",
            arguments='{"value": "crm.accounts:1"}',
        ),
        SUBSCRIPTIONS,
        "rule",
        "constant cannot lead to a customer",
    ),
    # code lists and fixed values
    ("list_missing", arguments(SUBSCRIPTIONS, "plan_code", list="plan"), SUBSCRIPTIONS, "arguments.list", "'plan'"),
    ("list_empty", lambda f: f["codes/plans.csv"].clear(), "codes/plans.csv", "", "has no codes"),
    (
        "list_twice",
        add("codes/plans.csv", {"code": "B", "target": "basic_month", "reason": ""}),
        "codes/plans.csv",
        "code",
        "'B' stands in line 2 already",
    ),
    (
        "list_not_in_catalog",
        cell("codes/plans.csv", {"code": "B"}, target="basic_mont"),
        "codes/plans.csv",
        "target",
        "'basic_mont' is not in catalog.plan",
    ),
    (
        "list_not_a_code",
        cell(CUSTOMERS, {"field": "status"}, rule="lookup", columns="name", arguments='{"list": "plans"}'),
        "codes/plans.csv",
        "target",
        "is no code of status",
    ),
    (
        "list_not_boolean",
        add(
            SUBSCRIPTIONS,
            row("subs", "subscription", "subs", "tax_exempt", "plan", "lookup", arguments={"list": "plans"}),
        ),
        "codes/plans.csv",
        "target",
        "true or false",
    ),
    (
        "constant_not_in_catalog",
        cell(SERVICES, {"field": "product_code"}, rule="constant", columns="", arguments='{"value": "maill"}'),
        SERVICES,
        "arguments.value",
        "catalog.product",
    ),
    (
        "constant_not_a_code",
        arguments(SUBSCRIPTIONS, "interval", value="week"),
        SUBSCRIPTIONS,
        "arguments.value",
        "'week' is no code",
    ),
    (
        "constant_not_a_currency",
        arguments(SUBSCRIPTIONS, "currency", value="EURO"),
        SUBSCRIPTIONS,
        "arguments.value",
        "'EURO' is not a currency",
    ),
    (
        "constant_not_a_number",
        arguments(SERVICES, "quantity", value="one"),
        SERVICES,
        "arguments.value",
        "whole number",
    ),
    (
        "constant_not_a_country",
        cell(CUSTOMERS, {"field": "country"}, rule="constant", columns="", arguments='{"value": "UK"}'),
        CUSTOMERS,
        "arguments.value",
        "not a country",
    ),
    (
        "constant_not_an_instant",
        cell(SUBSCRIPTIONS, {"field": "starts_at"}, rule="constant", columns="", arguments='{"value": "soon"}'),
        SUBSCRIPTIONS,
        "arguments.value",
        "not an instant",
    ),
    # catalog
    (
        "product_twice",
        catalog_add("products", code="mail", name="M", kind="add_on"),
        "catalog.yaml",
        "products.2",
        "already",
    ),
    ("code_form", catalog("products", 0, code="../x"), "catalog.yaml", "products.0.code", "'../x' is not a code"),
    (
        "plan_product",
        catalog("plans", 0, product="basik"),
        "catalog.yaml",
        "plans.0.product",
        "'basik' is not a product",
    ),
    ("plan_add_on", catalog("plans", 0, product="mail"), "catalog.yaml", "plans.0.product", "is sold as add_on"),
    ("price_product", catalog("prices", 0, product="x"), "catalog.yaml", "prices.0.product", "not a product"),
    ("price_currency", catalog("prices", 0, currency="EUX"), "catalog.yaml", "prices.0.currency", "not a currency"),
    (
        "price_twice",
        catalog_add("prices", product="basic", interval="month", currency="EUR", unit_price="1"),
        "catalog.yaml",
        "prices.1",
        "already",
    ),
    ("feature_unit", catalog("features", 1, unit="furlong"), "catalog.yaml", "features.1.unit", "not a unit"),
    (
        "quota_without_unit",
        catalog("features", 1, unit=None, units={"GiB": "1"}),
        "catalog.yaml",
        "features.1.unit",
        "missing for a quota",
    ),
    ("switch_with_unit", catalog("features", 0, unit="seat"), "catalog.yaml", "features.0.unit", "has no unit"),
    (
        "price_twice",
        lambda f: f["catalog.yaml"]["prices"].append({**f["catalog.yaml"]["prices"][0], "model": "per_seat"}),
        "catalog.yaml",
        "prices.1",
        "already",
    ),
    (
        "price_too_long",
        catalog("prices", 0, unit_price="0.123456789"),
        "catalog.yaml",
        "prices.0.unit_price",
        "no number that fits",
    ),
    ("price_code", catalog("prices", 0, code="of 2019"), "catalog.yaml", "prices.0.code", "is not a code"),
    ("no_tiers", price(model="volume"), "catalog.yaml", "prices.0", "nothing says its tiers"),
    ("tiers_unasked", catalog("prices", 0, tiers=[LAST]), "catalog.yaml", "prices.0.tiers", "never asked"),
    (
        "tiers_and_price",
        price("1", model="tiered", tiers=[LAST]),
        "catalog.yaml",
        "prices.0.unit_price",
        "said by tiers",
    ),
    ("no_unit_price", price(model="flat"), "catalog.yaml", "prices.0", "what a unit costs"),
    ("no_package", catalog("prices", 0, model="package"), "catalog.yaml", "prices.0", "how many units"),
    ("package_unasked", catalog("prices", 0, package_size=3), "catalog.yaml", "prices.0.package_size", "never asked"),
    ("closed", price(model="tiered", tiers=[FIRST]), "catalog.yaml", "prices.0.tiers.0", "nothing says what unit 11"),
    ("open", price(model="tiered", tiers=[LAST, LAST]), "catalog.yaml", "prices.0.tiers.0", "another tier follows"),
    (
        "tiers_cross",
        price(model="tiered", tiers=[FIRST, FIRST, LAST]),
        "catalog.yaml",
        "prices.0.tiers.1.up_to",
        "unit 10 is in a tier before",
    ),
    (
        "fee_too_long",
        price(model="tiered", tiers=[{**LAST, "fee": "0.123456789"}]),
        "catalog.yaml",
        "prices.0.tiers.0.fee",
        "no number that fits",
    ),
    (
        "limit_not_exact",
        catalog("features", 1, units={"GiB": "1/3"}),
        "catalog.yaml",
        "products.1.grants.0.limit",
        "no number that fits",
    ),
    ("limit_too_long", grant(limit="1" * 21), "catalog.yaml", "products.1.grants.0.limit", "no number that fits"),
    ("factor", catalog("features", 1, units={"GiB": "0.0"}), "catalog.yaml", "features.1.units.GiB", "not a factor"),
    ("grant_feature", grant(feature="storge"), "catalog.yaml", "products.1.grants.0.feature", "not a feature"),
    (
        "grant_twice",
        lambda f: f["catalog.yaml"]["products"][0].update(grants=[{"feature": "login"}] * 2),
        "catalog.yaml",
        "products.0.grants.1",
        "granted twice",
    ),
    ("limited_without_limit", grant(limit=None), "catalog.yaml", "products.1.grants.0.limit", "is missing"),
    ("limited_without_unit", grant(unit=None), "catalog.yaml", "products.1.grants.0.unit", "is missing"),
    ("limit_of_unlimited", grant(limit_kind="unlimited"), "catalog.yaml", "products.1.grants.0.limit", "is given"),
    ("grant_unit", grant(unit="TB"), "catalog.yaml", "products.1.grants.0.unit", "'TB' is no unit of storage"),
    (
        "quota_unsaid",
        grant(limit_kind="none", limit=None),
        "catalog.yaml",
        "products.1.grants.0.limit_kind",
        "how much",
    ),
    (
        "switch_limited",
        login_grant(limit_kind="limited", limit="1"),
        "catalog.yaml",
        "products.0.grants.0.limit_kind",
        "is a switch",
    ),
    # what a product meters
    (
        "meters_of_an_add_on",
        catalog("products", 1, meters="storage"),
        "catalog.yaml",
        "products.1.meters",
        "mail is sold as add_on",
    ),
    (
        "meters_unknown",
        catalog_add("products", code="traffic", name="T", kind="usage", meters="storge"),
        "catalog.yaml",
        "products.2.meters",
        "'storge' is not a feature",
    ),
    (
        "meters_a_switch",
        catalog_add("products", code="logins", name="L", kind="usage", meters="login"),
        "catalog.yaml",
        "products.2.meters",
        "login is a switch",
    ),
    # geo
    ("geo_product", cell("geo.csv", {"region": "CU"}, product="mial"), "geo.csv", "product", "'mial' is not a product"),
    ("geo_region", cell("geo.csv", {"region": "CU"}, region="XX"), "geo.csv", "region", "'XX' is not a region"),
    (
        "geo_twice",
        add("geo.csv", {"product": "mail", "region": "CU", "allowed": "true", "reason": "No."}),
        "geo.csv",
        "product",
        "in line 3 already",
    ),
    (
        "geo_nothing_granted",
        lambda f: f["catalog.yaml"]["products"][1].update(grants=[]),
        "geo.csv",
        "product",
        "mail grants nothing that could be forbidden",
    ),
    (
        "geo_zero_granted",
        grant(limit_kind="zero", limit=None, unit=None),
        "geo.csv",
        "product",
        "mail grants nothing that could be forbidden",
    ),
    (
        "geo_shadowed",
        add("geo.csv", geo("*", "CU"), geo("basic", "*")),
        "geo.csv",
        "product",
        "another row speaks before this one (lines 3, 5)",
    ),
    ("geo_default_shadowed", add("geo.csv", geo("mail", "*"), geo("basic", "*")), "geo.csv", "product", "(lines 4, 5)"),
    # cohorts
    ("cohort_twice", cohorts(PILOT, PILOT, REST), "cohorts.yaml", "cohorts.1.name", "'pilot' is a cohort"),
    ("cohort_is_bucket", cohorts(PILOT | {"name": "rest_02"}, REST), "cohorts.yaml", "cohorts.1.name", "'rest_02'"),
    ("cohort_reserved", cohorts(PILOT | {"name": "unassigned"}, REST), "cohorts.yaml", "cohorts.0.name", "is reserved"),
    (
        "cohort_customer_twice",
        cohorts(PILOT | {"customers": ["1", "1"]}, REST),
        "cohorts.yaml",
        "cohorts.0.customers",
        "twice",
    ),
    (
        "cohort_field",
        cohorts({"name": "a", "wave": 0, "where": [{"field": "land", "op": "is_null"}]}, REST),
        "cohorts.yaml",
        "cohorts.0.where.0",
        "no field 'land'",
    ),
    (
        "cohort_code",
        cohorts({"name": "a", "wave": 0, "where": [{"field": "status", "op": "in", "value": ["old"]}]}, REST),
        "cohorts.yaml",
        "cohorts.0.where.0",
        "'old' is no code",
    ),
    ("cohort_after_rest", cohorts(REST, PILOT), "cohorts.yaml", "cohorts.0", "later rules get none"),
    ("cohort_leaves_some", cohorts(PILOT), "cohorts.yaml", "cohorts.0", "left without a cohort"),
    ("cohort_limited_buckets", cohorts(REST | {"limit": 3}), "cohorts.yaml", "cohorts.0.limit", "whatever its limit"),
    # controls
    (
        "control_twice",
        add("controls.csv", control("accounts", "count", source="crm.subs", target="items")),
        "controls.csv",
        "measure",
        "in line 2 already",
    ),
    ("control_source", cell("controls.csv", BILLED, source="crm.sub"), "controls.csv", "source", "not a table of this"),
    ("control_column", cell("controls.csv", BILLED, source_column="feee"), "controls.csv", "source_column", "'feee'"),
    (
        "control_where",
        cell("controls.csv", BILLED, source_where='[{"field": "x", "op": "is_null"}]'),
        "controls.csv",
        "source_where",
        "no column 'x'",
    ),
    (
        "control_target",
        cell("controls.csv", BILLED, target="subs"),
        "controls.csv",
        "target",
        "not a table of the target",
    ),
    (
        "control_target_column",
        cell("controls.csv", BILLED, target_column="bill"),
        "controls.csv",
        "target_column",
        "'bill'",
    ),
    (
        "control_target_where",
        cell("controls.csv", BILLED, target_where='[{"field": "x", "op": "is_null"}]'),
        "controls.csv",
        "target_where",
        "no column 'x'",
    ),
    (
        "control_no_currency",
        cell("controls.csv", BILLED, source_currency=""),
        "controls.csv",
        "source_currency",
        "missing for a sum",
    ),
    (
        "control_no_unit",
        cell("controls.csv", BILLED, target_unit=""),
        "controls.csv",
        "target_unit",
        "missing for a sum",
    ),
    (
        "control_currency",
        cell("controls.csv", BILLED, source_currency="=EURO"),
        "controls.csv",
        "source_currency",
        "not a currency",
    ),
    (
        "control_unit",
        cell("controls.csv", BILLED, target_unit="major"),
        "controls.csv",
        "target_unit",
        "holds minor units",
    ),
    (
        "control_needless",
        cell("controls.csv", {"measure": "accounts"}, source_unit="major"),
        "controls.csv",
        "source_unit",
        "means nothing for a count",
    ),
    (
        "control_no_amount",
        cell("controls.csv", BILLED, target_column="status"),
        "controls.csv",
        "target_column",
        "holds code, not an amount",
    ),
    (
        "control_no_number",
        cell("controls.csv", {"measure": "started"}, kind="number_sum", target_column="billed_minor"),
        "controls.csv",
        "target_column",
        "holds money, not a number",
    ),
    (
        "control_no_text",
        cell("controls.csv", {"measure": "started"}, kind="text_sum", target_column="billed_minor"),
        "controls.csv",
        "target_column",
        "holds money, not text",
    ),
    (
        "control_no_days",
        cell("controls.csv", {"measure": "started"}, target_column="status"),
        "controls.csv",
        "target_column",
        "not days",
    ),
    (
        "control_half_signed",
        cell("controls.csv", {"measure": "started"}, signed_on=""),
        "controls.csv",
        "signed_by",
        "name and a day",
    ),
    (
        "control_signed_when",
        cell("controls.csv", {"measure": "started"}, signed_on="31.01.2026"),
        "controls.csv",
        "signed_on",
        "is not a day",
    ),
    # target
    ("target_entity", target("items", entity="item"), "target.yaml", "tables.items.entity", "'item' is not an entity"),
    (
        "target_not_fed",
        lambda f: f["target.yaml"]["tables"].update(invoices={"entity": "invoice", "columns": {"id": "invoice_id"}}),
        "target.yaml",
        "tables.invoices.entity",
        "nothing feeds invoice",
    ),
    (
        "target_twice",
        lambda f: f["target.yaml"]["tables"].update(more=f["target.yaml"]["tables"]["accounts"]),
        "target.yaml",
        "tables.more.entity",
        "customer has the table accounts already",
    ),
    ("target_field", target_columns("items", kind="knd"), "target.yaml", "tables.items.columns.kind", "no field 'knd'"),
    (
        "target_field_twice",
        target_columns("items", also="kind"),
        "target.yaml",
        "tables.items.columns.also",
        "more than one",
    ),
    (
        "target_key_first",
        target("accounts", columns={"kind": "kind", "id": "customer_id", "name": "name", "st": "status"}),
        "target.yaml",
        "tables.accounts.columns",
        "first column is not the key",
    ),
    (
        "target_required",
        target_columns("accounts", status=None),
        "target.yaml",
        "tables.accounts.columns",
        "required field status has no column",
    ),
    (
        "target_no_currency",
        target_columns("subscriptions", currency=None),
        "target.yaml",
        "tables.subscriptions.columns.billed_minor",
        "an amount without its currency",
    ),
    (
        "target_reference",
        lambda f: f["target.yaml"]["tables"].pop("plans"),
        "target.yaml",
        "tables.subscriptions.columns.plan_code",
        "points at plan, which has no table",
    ),
    (
        "target_widens_consent",
        contacts_consents(),
        "target.yaml",
        "tables.consents.columns",
        "contact_id, which says whom a row is about, is mapped and has no column",
    ),
    (
        "contact_of_consent_set_aside",
        contacts_consents("set_aside", contact="contact_id"),
        "mapping/consent.csv",
        "on_error",
        "without it the row would be about somebody else",
    ),
    ("target_lost", lambda f: f["target.yaml"]["tables"].pop("items"), "target.yaml", "tables", "would be lost"),
    ("target_unique", target("items", unique=[["knd"]]), "target.yaml", "tables.items.unique.0", "no column 'knd'"),
    ("target_unique_empty", target("items", unique=[[]]), "target.yaml", "tables.items.unique.0", "no set of columns"),
    (
        "target_check",
        target("items", checks=[{"left": "amount", "op": "gt", "right": 0}]),
        "target.yaml",
        "tables.items.checks.0",
        "no column 'amount'",
    ),
    (
        "target_overlap",
        target("items", no_overlap=[{"equal": ["id"], "starts": "kind", "ends": "to"}]),
        "target.yaml",
        "tables.items.no_overlap.0",
        "no column 'to'",
    ),
    (
        "target_overlap_type",
        target("items", no_overlap=[{"equal": ["id"], "starts": "kind", "ends": "kind"}]),
        "target.yaml",
        "tables.items.no_overlap.0",
        "'kind' is code",
    ),
    ("role_missing", lambda f: f["target.yaml"]["roles"].pop("reader"), "target.yaml", "roles.reader", "is missing"),
    (
        "roles_equal",
        lambda f: f["target.yaml"]["roles"].update(writer="owner"),
        "target.yaml",
        "roles",
        "not kept apart",
    ),
]


@pytest.mark.parametrize(("bend", "file", "field", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_bent_plan_is_told_where_and_why(tmp_path: Path, bend: Bend, file: str, field: str, words: str) -> None:
    files = valid()
    bend(files)
    found = faults(tmp_path, files)
    here = [f for f in found if f.file == file and f.field == field and words in f.problem]
    assert here, "\n".join(map(str, found)) or "no fault at all"
    assert here[0].row or field == "", "the fault names no line"
    assert here[0].remedy


def test_a_target_that_keeps_the_contact_of_a_consent_and_one_without_contacts_are_right(tmp_path: Path) -> None:
    for bend in (contacts_consents(contact="contact_id"), both(contacts_consents(), drop_contact)):
        files = valid()
        bend(files)
        assert not [f for f in faults(tmp_path, files) if "whom a row is about" in f.problem]


def drop_contact(files: Files) -> None:
    pick(files, "mapping/consent.csv", field="contact_id")["field"] = "evidence"


@pytest.mark.parametrize(
    "read_from", ["../secrets.csv", "/etc/passwd", "a/../../b.csv", "C:\\x.csv", "\\\\host\\x", "~/x"]
)
def test_a_file_below_the_path_cannot_lead_out_of_it(tmp_path: Path, read_from: str) -> None:
    files = valid()
    crm(kind="csv", url=None, path="${DIR}")(files)
    table("accounts", read_from=read_from)(files)
    found = faults(tmp_path, files)
    assert [f.problem for f in found if f.field.endswith("accounts.read_from")] == ["leads out of the system's path"]


def test_customers_of_two_systems_need_a_priority(tmp_path: Path) -> None:
    files = valid()
    sources = files["plan.yaml"]["sources"]
    sources["erp"] = {
        "kind": "sql",
        "database": "erp",
        "tables": {"debtors": {"read_from": "debtors", "key": ["id"], "home": "customer", "owner": "self"}},
    }
    files[FEEDS].append(feed("debtors", "customer", "debtors", system="erp"))
    files[CUSTOMERS] += [
        dict(r, feed="debtors", table="debtors", system="erp") for r in files[CUSTOMERS] if r["field"] != "country"
    ]
    found = faults(tmp_path, files, with_columns=False)
    assert [(f.field, f.remedy) for f in found] == [("identity.priority", "add erp where it belongs in the order")]


def fed_products(files: Files) -> None:
    """A table of the source brings the products, and catalog.yaml has none."""
    files["plan.yaml"]["sources"]["crm"]["tables"]["goods"] = {"read_from": "goods", "key": ["id"], "home": "product"}
    files[FEEDS].append(feed("goods", "product", "goods"))
    files["mapping/product.csv"] = [
        row("goods", "product", "goods", "product_code", "number", "copy"),
        row("goods", "product", "goods", "name", "name", "text"),
        row("goods", "product", "goods", "kind", "", "constant", arguments={"value": "one_off"}),
    ]
    files["catalog.yaml"]["products"] = []


def test_products_may_come_from_a_feed_and_then_only_the_source_knows_their_codes(tmp_path: Path) -> None:
    files = valid()
    fed_products(files)
    assert faults(tmp_path, files) == ()


@pytest.mark.parametrize(
    ("bend", "file", "words"),
    [
        (lambda f: catalog_add("products", code="x", name="X", kind="base")(f), "catalog.yaml", "a feed brings"),
        (drop("mapping/product.csv", field="product_code"), FEEDS, "product.product_code is not mapped"),
        (cell("mapping/product.csv", {"field": "product_code"}, rule="date"), "mapping/product.csv", "which is code"),
        (lambda f: f["target.yaml"]["tables"].pop("products"), "target.yaml", "product is fed but has no table"),
    ],
)
def test_a_feed_of_products_is_checked_like_any_other(tmp_path: Path, bend: Bend, file: str, words: str) -> None:
    files = valid()
    fed_products(files)
    bend(files)
    found = faults(tmp_path, files)
    assert [f for f in found if f.file == file and words in f.problem], found


def test_a_plan_without_products_is_one(tmp_path: Path) -> None:
    files = valid()
    files["catalog.yaml"] = {"features": files["catalog.yaml"]["features"]}
    said = {f.problem for f in faults(tmp_path, files) if f.file == "catalog.yaml"}
    assert said == set(), "nothing is wrong with the catalog itself"


def test_a_geo_row_about_what_is_metered_is_led_to_who_grants_it(tmp_path: Path) -> None:
    files = valid()
    catalog_add("products", code="traffic", name="Traffic", kind="usage", meters="storage")(files)
    add("geo.csv", geo("traffic", "KW"))(files)
    (fault,) = faults(tmp_path, files)
    assert (fault.file, fault.row, fault.remedy) == (
        "geo.csv",
        4,
        "storage is granted by mail: name those, or remove the row",
    )


def test_without_any_grant_no_geo_row_decides_anything(tmp_path: Path) -> None:
    files = valid()
    for product in files["catalog.yaml"]["products"]:
        product["grants"] = []
    assert [(f.row, f.field) for f in faults(tmp_path, files) if f.file == "geo.csv"] == [
        (2, "product"),
        (3, "product"),
    ]


def test_a_geo_row_that_decides_for_one_product_only_is_right(tmp_path: Path) -> None:
    """`basic` has no row of its own: the row for every product still decides for it."""
    files = valid()
    add("geo.csv", geo("*", "CU"), geo("mail", "*"))(files)
    assert faults(tmp_path, files) == ()


def test_a_control_rounds_only_what_can_have_a_fraction(tmp_path: Path) -> None:
    files = valid()
    pick(files, "controls.csv", measure="billed")["source_rounding"] = "half_up"
    assert faults(tmp_path, files) == ()
    pick(files, "controls.csv", measure="accounts")["source_rounding"] = "half_up"
    assert [f.field for f in faults(tmp_path, files)] == ["source_rounding"]


def test_a_rehearsal_may_run_on_assumptions(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["status"] = "ASSUMED"
    files["plan.yaml"]["rehearsal"] = True
    assert faults(tmp_path, files) == ()


def test_factors_and_countries_that_the_check_recommends_are_accepted(tmp_path: Path) -> None:
    files = valid()
    catalog("features", 1, units={"GiB": "1000/1024"})(files)
    pick(files, CUSTOMERS, field="country").update(rule="constant", columns="", arguments='{"value": "XK"}')
    table("accounts", left_behind={"country": "They are all there.", "updated": "Nobody asks for it."})(files)
    assert faults(tmp_path, files) == ()


def test_a_currency_of_the_plan_itself_is_known(tmp_path: Path) -> None:
    files = valid()
    arguments(SUBSCRIPTIONS, "currency", value="BTC")(files)
    assert faults(tmp_path, files) == ()


def test_a_table_whose_columns_are_not_known_is_taken_on_trust(tmp_path: Path) -> None:
    """Whether the source has the table at all is told by `take_golden_copy`, which asks it."""
    files = valid()
    pick(files, CUSTOMERS, field="name")["columns"] = "no_such_column"
    pick(files, SUBSCRIPTIONS, field="customer_id")["columns"] = "no_such_column"
    known = {name: columns for name, columns in COLUMNS.items() if name != "crm.accounts"}
    assert [f.file for f in check_plan(load(tmp_path, files), columns=known)] == [SUBSCRIPTIONS]


def test_all_faults_come_at_once_and_in_order(tmp_path: Path) -> None:
    files = valid()
    both(
        cell(CUSTOMERS, {"field": "country"}, rule="nope"),
        plan(currency_exponents={"BTC": 9}),
        catalog("prices", 0, product="x"),
    )(files)
    assert [f.file for f in faults(tmp_path, files)] == ["catalog.yaml", CUSTOMERS, "plan.yaml"]


def test_a_fault_of_a_mapping_row_names_its_line(tmp_path: Path) -> None:
    files = valid()
    pick(files, CUSTOMERS, field="country")["rule"] = "nope"
    (found,) = faults(tmp_path, files)
    assert (found.file, found.row) == (CUSTOMERS, 5)


def test_a_fault_of_plan_yaml_names_its_line(tmp_path: Path) -> None:
    files = valid()
    files["plan.yaml"]["currency_exponents"] = {"BTC": 9}
    (found,) = faults(tmp_path, files)
    lines = (tmp_path / "plan.yaml").read_text().splitlines()
    assert lines[found.row - 1].strip().startswith("BTC")
