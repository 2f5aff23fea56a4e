"""Feeds that share a table's rows each read what any of them reads, or say what they leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plan_folder import CUSTOMERS, FEEDS, faults, feed, load, pick, row, valid

WHERE = {op: json.dumps([{"field": "country", "op": op}]) for op in ("is_null", "not_null")}


def split(**leaves: str) -> dict[str, Any]:
    """The plan whose accounts come by two feeds, one for those with a country."""
    files = valid()
    pick(files, FEEDS, feed="accounts")["where"] = WHERE["not_null"]
    files[FEEDS].append(feed("homeless", "customer", "accounts", where=WHERE["is_null"]))
    files[CUSTOMERS] += [r | {"feed": "homeless"} for r in files[CUSTOMERS]]
    for name, columns in leaves.items():
        pick(files, FEEDS, feed=name)["leaves"] = columns
    return files


def without(files: dict[str, Any], field: str) -> dict[str, Any]:
    """The same, and the second feed has no such field."""
    files[CUSTOMERS].remove(pick(files, CUSTOMERS, feed="homeless", field=field))
    return files


def told(folder: Path, files: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(f.field, f.problem, f.row) for f in faults(folder, files) if f.file == FEEDS]


def read_by(feed_name: str, files: dict[str, Any]) -> dict[str, Any]:
    """The same, and this feed reads what stayed behind."""
    files[CUSTOMERS].append(row(feed_name, "customer", "accounts", "customer_number", "updated", "text"))
    del files["plan.yaml"]["sources"]["crm"]["tables"]["accounts"]["left_behind"]
    return files


def test_two_feeds_that_read_the_same_are_right(tmp_path: Path) -> None:
    assert faults(tmp_path, split()) == ()


def test_a_column_that_one_of_them_forgets_is_named_with_the_feed_that_reads_it(tmp_path: Path) -> None:
    files = read_by("accounts", split())
    (fault,) = faults(tmp_path, files)
    line = next(f.row for f in load(tmp_path, files).feeds if f.feed == "homeless")
    assert (fault.file, fault.field, fault.row) == (FEEDS, "leaves", line)
    assert "homeless does not read 'updated', which accounts reads" in fault.problem
    assert "mapping/customer.csv" in fault.remedy and "`leaves`" in fault.remedy


def test_what_it_leaves_on_purpose_is_no_fault(tmp_path: Path) -> None:
    files = read_by("accounts", split(homeless="updated"))
    assert faults(tmp_path, files) == ()
    assert {f.feed: f.leaves for f in load(tmp_path, files).feeds if f.leaves} == {"homeless": ("updated",)}


def test_a_condition_reads_its_column_too(tmp_path: Path) -> None:
    """The field is empty by right in every row that the condition chooses."""
    assert faults(tmp_path, without(split(), "country")) == ()


def test_a_list_that_says_what_is_not_so_is_told(tmp_path: Path) -> None:
    read = told(tmp_path / "a", split(homeless="name"))
    assert [(f, "is read by homeless" in p) for f, p, _ in read] == [("leaves", True)]
    alone = told(tmp_path / "b", split(homeless="updated"))
    words = "no other feed of customer from accounts that has a `where` reads 'updated'"
    assert [(f, p) for f, p, _ in alone] == [("leaves", words)]
    files = read_by("accounts", split(homeless="updated"))
    pick(files, FEEDS, feed="homeless")["where"] = ""
    whole = told(tmp_path / "c", files)
    assert [(f, p.partition(":")[0]) for f, p, _ in whole] == [("leaves", "homeless reads every row of accounts")]


def test_feeds_that_read_every_row_may_share_its_columns_out(tmp_path: Path) -> None:
    files = read_by("accounts", split())
    for name in ("accounts", "homeless"):
        pick(files, FEEDS, feed=name)["where"] = ""
    assert told(tmp_path, files) == []


def test_the_column_of_the_file_may_be_left_out(tmp_path: Path) -> None:
    whole = load(tmp_path / "a", valid())
    files = valid()
    text = "\n".join(
        ",".join([f["feed"], f["entity"], f["system"], f["table"], _quoted(f["where"]), f["unpivot"], f["reason"]])
        for f in files[FEEDS]
    )
    files[FEEDS] = f"feed,entity,system,table,where,unpivot,reason\n{text}\n"
    assert load(tmp_path / "b", files).feeds == whole.feeds


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
