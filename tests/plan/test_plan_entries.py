"""Tables made of the entries of a text: what a plan may say of them, and what is said when it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_folder import COLUMNS, faults, feed, load, load_faults, row, valid

from migration_assets.plan.check import check_plan
from migration_assets.plan.entries import read_from, with_entries

ORDERS = "mapping/sales_order.csv"
PATTERN = r"(?P<number>SO-\d+) (?P<day>\d{4}-\d\d-\d\d) (?P<total>[\d.]+)"


def files(split: dict[str, Any] | None = None, **table: Any) -> dict[str, Any]:
    """The valid plan with the orders that accounts keep in their name."""
    bent = valid()
    bent["plan.yaml"]["sources"]["crm"]["tables"]["orders"] = {
        "read_from": "accounts",
        "split": {"column": "name", "separator": ";", "pattern": PATTERN} | (split or {}),
        "key": ["id", "position"],
        "home": "sales_order",
        "owner": "id",
        "references": {"id": "crm.accounts"},
    } | table  # fmt: skip
    fields = ("order_id", "customer_id", "number", "status", "currency", "total_minor", "ordered_on")
    columns = {name: name for name in fields}
    bent["target.yaml"]["tables"]["orders"] = {"entity": "sales_order", "columns": columns}
    bent["mapping/feeds.csv"].append(feed("orders", "sales_order", "orders"))
    bent[ORDERS] = [
        _order("customer_id", "id", "reference", arguments={"table": "crm.accounts"}),
        _order("number", "number", "trim"),
        _order("status", "", "constant", arguments={"value": "fulfilled"}),
        _order("currency", "", "constant", arguments={"value": "EUR"}),
        _order("total_minor", "total", "money", arguments={"unit": "major", "currency": "EUR"}),
        _order("ordered_on", "day", "date"),
    ]
    return bent


def _order(field: str, columns: str, rule: str, **more: Any) -> dict[str, str]:
    return row("orders", "sales_order", "orders", field, columns, rule, **more)


@pytest.mark.parametrize("with_columns", [True, False])
def test_a_table_of_entries_is_a_source_table_like_any_other(tmp_path: Path, with_columns: bool) -> None:
    assert faults(tmp_path, files(), with_columns=with_columns) == ()


def test_its_columns_follow_from_the_plan(tmp_path: Path) -> None:
    known = with_entries(load(tmp_path, files({"carry": ["country"]})), COLUMNS)
    assert known["crm.orders"] == {
        "id": "int64", "country": "string", "position": "int64", "entry": "string", "fits": "bool", "number": "string",
        "day": "string", "total": "string",
    }  # fmt: skip
    assert known["crm.subs"] == COLUMNS["crm.subs"]


@pytest.mark.parametrize("with_columns", [True, False])
def test_a_column_that_no_group_gives_is_told_with_the_nearest(tmp_path: Path, with_columns: bool) -> None:
    bent = files()
    bent[ORDERS][1]["columns"] = "nummber"
    (fault,) = faults(tmp_path, bent, with_columns=with_columns)
    assert (fault.file, fault.row, fault.field) == (ORDERS, 3, "columns")
    assert fault.remedy == "did you mean 'number'?"


@pytest.mark.parametrize(
    ("split", "table", "field", "problem", "remedy"),
    [
        ({"column": "nmae"}, {}, "split.column", "no column 'nmae'", "did you mean 'name'?"),
        ({"column": "updated"}, {}, "split.column", "which is no text", "holds the entries"),
        ({"carry": ["contry"]}, {}, "split.carry", "no column 'contry'", "did you mean 'country'?"),
        ({"carry": ["Id"]}, {}, "split.carry", "two columns 'Id'", "over a reference"),
        ({}, {"read_from": "acounts"}, "read_from", "is not a table of crm", "did you mean 'accounts'?"),
        ({}, {"read_from": "public.accounts"}, "read_from", "is not a table of crm", "as this plan does"),
        ({}, {"read_from": "orders"}, "read_from", "is made of entries itself", "one pattern"),
        ({}, {"key": ["id"]}, "key", "and its place in the text", "write [id, position]"),
        ({}, {"secret": ["entry"]}, "secret", "nothing is read", "under `secret` of crm.accounts"),
        ({"pattern": PATTERN.replace("<day>", "<Position>")}, {}, "split.pattern", "two columns 'Position'", "group"),
    ],
)
def test_what_does_not_hold_is_said_with_its_place(
    tmp_path: Path, split: dict[str, Any], table: dict[str, Any], field: str, problem: str, remedy: str
) -> None:
    found = [f for f in faults(tmp_path, files(split, **table)) if f.file == "plan.yaml"]
    (told,) = [f for f in found if f.field == f"sources.crm.tables.orders.{field}" and problem in f.problem]
    assert remedy in told.remedy and told.row > 0


def test_a_key_with_a_name_of_ours_is_told_at_the_key(tmp_path: Path) -> None:
    bent = files(key=["position", "position"], references={}, owner="none")
    bent["plan.yaml"]["sources"]["crm"]["tables"]["accounts"]["key"] = ["position"]
    found = {(f.field, f.problem.partition(":")[0]) for f in faults(tmp_path, bent, with_columns=False)}
    assert ("sources.crm.tables.orders.key", "there would be two columns 'position'") in found


@pytest.mark.parametrize("said", [[], ["entry"], ["entry", "country", "number"]])
def test_what_is_personal_in_the_text_is_personal_in_its_entries(tmp_path: Path, said: list[str]) -> None:
    bent = files({"carry": ["country"]}, personal=said)
    bent["plan.yaml"]["sources"]["crm"]["tables"]["accounts"]["personal"] = ["name", "country"]
    found = [(f.field, f.problem.partition(":")[0]) for f in faults(tmp_path, bent)]
    missing = ", ".join(sorted({"country", "entry"} - set(said)))
    assert found == ([("sources.crm.tables.orders.personal", missing)] if missing else [])


def test_a_secret_text_is_never_cut(tmp_path: Path) -> None:
    bent = files()
    bent["plan.yaml"]["sources"]["crm"]["tables"]["accounts"]["secret"] = ["name"]
    told = {f.field: f.problem for f in faults(tmp_path, bent)}
    assert told["sources.crm.tables.orders.split.column"] == "'name' is secret: it is never read"


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ({"pattern": r"SO-(\d+)"}, "has no named group"),
        ({"pattern": r"(?P<a>x)(?=y)"}, "cannot look around"),
        ({"pattern": r"(?P<a>x"}, "no regular expression"),
        ({"pattern": r"(?P<_row>\d+)"}, "begins with a letter"),
        ({"separator": ""}, "separator"),
        ({"separator": "\x00"}, "NUL"),
        ({"seperator": ";"}, "seperator"),
    ],
)
def test_what_no_engine_could_do_is_refused_when_the_plan_is_read(
    tmp_path: Path, split: dict[str, Any], problem: str
) -> None:
    (told, *_) = load_faults(tmp_path, files(split))
    assert told.file == "plan.yaml" and told.row > 0 and problem in f"{told.field} {told.problem}"


def test_a_copy_whose_text_was_cut_otherwise_is_another_one(tmp_path: Path) -> None:
    first = load(tmp_path / "a", files())
    same = load(tmp_path / "b", files(description="In words."))
    assert read_from(first, "crm.accounts") == "public.accounts"
    assert read_from(first, "crm.orders") == read_from(same, "crm.orders") != "accounts"
    others = [{"separator": ","}, {"newest_first": True}, {"pattern": "(?P<number>.*)"}, {"carry": ["country"]}]
    told = {read_from(load(tmp_path / str(n), files(s)), "crm.orders") for n, s in enumerate(others)}
    assert len(told | {read_from(first, "crm.orders")}) == 5


def test_whatever_the_source_says_a_table_of_entries_has_the_columns_of_the_plan(tmp_path: Path) -> None:
    stale = {**COLUMNS, "crm.orders": {"id": "int64", "position": "int64", "entry": "string"}}
    assert check_plan(load(tmp_path, files()), columns=stale) == ()
