"""A small valid plan that a test bends in one place: its files as plain data, and how to write them to a folder."""

from __future__ import annotations

import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import yaml

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.check import check_plan
from migration_assets.plan.identity_models import SurvivorDecision
from migration_assets.plan.load import FEEDS, SURVIVORS, columns_of, load_plan
from migration_assets.plan.models import CodeRow, Control, Feed, GeoRow, MappingRow, Plan

Rows = list[dict[str, str]]
SERVICES = "mapping/subscription_item.csv"
SUBSCRIPTIONS = "mapping/subscription.csv"
CUSTOMERS = "mapping/customer.csv"

# What a golden copy would say of the tables.
COLUMNS = {
    "crm.accounts": {"id": "int64", "name": "string", "country": "string", "updated": "timestamp[us, tz=UTC]"},
    "crm.subs": {"id": "int64", "account_id": "int64", "plan": "string", "started": "string", "mail": "string",
                 "chat": "string", "fee": "string"},
    "crm.audit": {"id": "int64", "note": "string"},
}  # fmt: skip

_HEADERS = {FEEDS: Feed, "controls.csv": Control, "geo.csv": GeoRow, SURVIVORS: SurvivorDecision}

GIGABYTES = {"GB": "1000000000", "GiB": "1073741824"}


def feed(name: str, entity: str, table: str, **more: str) -> dict[str, str]:
    return {"feed": name, "entity": entity, "system": "crm", "table": table, "where": "", "unpivot": "",
            "reason": "As agreed."} | more  # fmt: skip


def row(feed_name: str, entity: str, table: str, field: str, columns: str, rule: str, **more: Any) -> dict[str, str]:
    arguments = more.pop("arguments", None)
    return {"entity": entity, "feed": feed_name, "field": field, "system": "crm", "table": table, "columns": columns,
            "rule": rule, "arguments": json.dumps(arguments) if arguments else "", "on_error": "",
            "status": "CONFIRMED", "direction": "to_target", "system_of_record": "crm", "owner": "revops",
            "sensitivity": "internal", "reason": "As agreed."} | more  # fmt: skip


def control(measure: str, kind: str, **more: str) -> dict[str, str]:
    return dict.fromkeys(columns_of(Control), "") | {"measure": measure, "kind": kind, "owner": "finance"} | more


def _customer(field: str, columns: str, rule: str, **more: Any) -> dict[str, str]:
    return row("accounts", "customer", "accounts", field, columns, rule, **more)


def _subscription(field: str, columns: str, rule: str, **more: Any) -> dict[str, str]:
    return row("subs", "subscription", "subs", field, columns, rule, **more)


def _item(field: str, columns: str, rule: str, **more: Any) -> dict[str, str]:
    return row("items", "subscription_item", "subs", field, columns, rule, **more)


VALID: dict[str, Any] = {
    "plan.yaml": {
        "name": "small",
        "uuid": "5b7a9a52-4c2e-4a05-8a9e-0f4f0e0a1c11",
        "title": "Small",
        "owner": "revops",
        "sources": {
            "crm": {
                "kind": "sql",
                "url": "${CRM_URL}",
                "tables": {
                    "accounts": {
                        "read_from": "public.accounts",
                        "key": ["id"],
                        "home": "customer",
                        "owner": "self",
                        "left_behind": {"updated": "Nobody asks when an account was changed."},
                    },
                    "subs": {
                        "read_from": "public.subs",
                        "key": ["id"],
                        "home": "subscription",
                        "owner": "account_id",
                        "references": {"account_id": "crm.accounts"},
                    },
                    "audit": {"read_from": "public.audit", "key": ["id"]},
                },
            }
        },
        "target": {"database": "target"},
        "exclusions": [{"rule": "no_audit", "table": "crm.audit", "reason": "Nobody needs the old log."}],
        "identity": {
            "keys": [{"name": "same_mail", "entity": "customer", "fields": ["email"], "reason": "One address."}],
            "links": [
                {"name": "self", "table": "crm.accounts", "column": "id", "to_table": "crm.accounts", "reason": "Same."}
            ],
            "priority": ["crm"],
            "never_merge": [{"field": "kind", "op": "eq", "value": "person"}],
        },
        "currency_exponents": {"BTC": 8},
    },
    "catalog.yaml": {
        "products": [
            {"code": "basic", "name": "Basic", "kind": "base", "grants": [{"feature": "login"}]},
            {
                "code": "mail",
                "name": "Mail",
                "kind": "add_on",
                "grants": [{"feature": "storage", "limit_kind": "limited", "limit": "10", "unit": "GiB"}],
            },
        ],
        "plans": [{"code": "basic_month", "product": "basic", "name": "Basic", "interval": "month"}],
        "prices": [{"product": "basic", "interval": "month", "currency": "EUR", "unit_price": "9.90"}],
        "features": [
            {"code": "login", "name": "Log in", "kind": "switch"},
            {"code": "storage", "name": "Storage", "kind": "quota", "unit": "byte", "units": GIGABYTES},
        ],
    },
    "cohorts.yaml": {
        "cohorts": [
            {"name": "pilot", "wave": 0, "where": [{"field": "status", "op": "eq", "value": "active"}], "limit": 5},
            {"name": "rest", "wave": 1, "buckets": 2},
        ]
    },
    "target.yaml": {
        "schema_name": "billing",
        "roles": {"owner": "owner", "writer": "writer", "reader": "reader"},
        "tables": {
            "products": {
                "entity": "product",
                "columns": {"product_code": "product_code", "name": "name", "kind": "kind"},
            },
            "plans": {
                "entity": "plan",
                "columns": {"code": "plan_code", "product_code": "product_code", "name": "name", "every": "interval"},
            },
            "accounts": {
                "entity": "customer",
                "columns": {"id": "customer_id", "kind": "kind", "name": "name", "status": "status"},
            },
            "subscriptions": {
                "entity": "subscription",
                "columns": {
                    "id": "subscription_id",
                    "account_id": "customer_id",
                    "plan_code": "plan_code",
                    "status": "status",
                    "currency": "currency",
                    "every": "interval",
                    "starts_at": "starts_at",
                    "ends_at": "ends_at",
                    "billed_minor": "billed_to_date_minor",
                },
                "unique": [["account_id", "plan_code"]],
                "checks": [{"left": "starts_at", "op": "lt", "right": "ends_at"}],
                "no_overlap": [{"equal": ["account_id"], "starts": "starts_at", "ends": "ends_at"}],
                "left_empty": {"ends_at": "Contracts of this company never end."},
            },
            "items": {
                "entity": "subscription_item",
                "columns": {
                    "id": "item_id",
                    "subscription_id": "subscription_id",
                    "product_code": "product_code",
                    "kind": "kind",
                    "quantity": "quantity",
                    "currency": "currency",
                },
            },
        },
    },
    FEEDS: [
        feed("accounts", "customer", "accounts"),
        feed("subs", "subscription", "subs", where='[{"field": "plan", "op": "not_null"}]'),
        feed("items", "subscription_item", "subs", unpivot="mail|chat"),
    ],
    CUSTOMERS: [
        _customer("kind", "", "constant", arguments={"value": "company"}),
        _customer("name", "name", "text", sensitivity="personal"),
        _customer("status", "", "constant", arguments={"value": "active"}),
        _customer("country", "country", "country"),
    ],
    SUBSCRIPTIONS: [
        _subscription("customer_id", "account_id", "reference", arguments={"table": "crm.accounts"}),
        _subscription("plan_code", "plan", "lookup", arguments={"list": "plans"}),
        _subscription("status", "", "constant", arguments={"value": "active"}),
        _subscription("currency", "", "constant", arguments={"value": "EUR"}),
        _subscription("interval", "", "constant", arguments={"value": "month"}),
        _subscription("starts_at", "started", "timestamp"),
        _subscription("billed_to_date_minor", "fee", "money", arguments={"unit": "major", "currency": "EUR"}),
    ],
    SERVICES: [
        _item("subscription_id", "id", "reference", arguments={"table": "crm.subs"}),
        _item("product_code", "_name|_value", "lookup", arguments={"list": "services"}),
        _item("kind", "", "constant", arguments={"value": "add_on"}),
        _item("quantity", "", "constant", arguments={"value": 1}),
        _item("currency", "", "constant", arguments={"value": "EUR"}),
    ],
    "codes/plans.csv": [{"code": "B", "target": "basic_month", "reason": ""}],
    "codes/services.csv": [
        {"code": "mail=yes", "target": "mail", "reason": ""},
        {"code": "mail=no", "target": "-", "reason": ""},
        {"code": "chat=no", "target": "-", "reason": ""},
    ],
    "geo.csv": [
        {"product": "*", "region": "*", "allowed": "true", "reason": "Everywhere,"},
        {"product": "mail", "region": "CU", "allowed": "false", "reason": "but not there."},
    ],
    "controls.csv": [
        control("accounts", "count", source="crm.accounts", target="accounts"),
        control("billed", "sum", source="crm.subs", source_column="fee", source_unit="major", source_currency="=EUR",
                source_where='[{"field": "plan", "op": "eq", "value": "B"}]', target="subscriptions",
                target_column="billed_minor", target_unit="minor", target_currency="currency"),
        control("started", "day_sum", source="crm.subs", source_column="started", target="subscriptions",
                target_column="starts_at", signed_by="Fin Ance", signed_on="2026-01-31"),
    ],
}  # fmt: skip


def valid() -> dict[str, Any]:
    """A fresh copy of the valid plan's files, to be bent."""
    return copy.deepcopy(VALID)


def write(folder: Path, files: dict[str, Any]) -> Path:
    """Write files: a list of rows as CSV, a dict as YAML, text and bytes as they are. None: no file."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else as_text(name, content).encode())
    return folder


def as_text(name: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return as_csv(name, content)
    # Through JSON, since YAML would write an object that is used twice as an alias.
    return yaml.safe_dump(json.loads(json.dumps(content)), sort_keys=False)


def as_csv(name: str, rows: Rows) -> str:
    model = _HEADERS.get(name, CodeRow if name.startswith("codes/") else MappingRow)
    out = io.StringIO()
    writer = csv.DictWriter(out, columns_of(model), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def load(folder: Path, files: dict[str, Any]) -> Plan:
    return load_plan(write(folder, files))


def load_faults(folder: Path, files: dict[str, Any]) -> tuple[Fault, ...]:
    """Faults of reading the files; none when they can be read."""
    try:
        load(folder, files)
    except PlanFaults as e:
        return e.faults
    return ()


def faults(folder: Path, files: dict[str, Any], *, with_columns: bool = True) -> tuple[Fault, ...]:
    """Faults of a plan that can be read."""
    return check_plan(load(folder, files), columns=COLUMNS if with_columns else None)


def pick(files: dict[str, Any], name: str, **by: str) -> dict[str, str]:
    """The one row of a CSV with these cells."""
    (found,) = (r for r in files[name] if all(r[k] == v for k, v in by.items()))
    return found
