"""A folder of certificates: made the same way twice, and nothing of it changed unseen."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from accounts_in_code import bill, certificate, difference, known, line, pairs

from migration_assets.stages.certificate.page import page
from migration_assets.stages.certificate.sealed import (
    LIST,
    as_text,
    digest_of,
    faults,
    file_name,
    sealed,
    summary,
    summary_rows,
)

TEN = bill(0, line(1000, 190))
DIFFERS = known(pairs([TEN], [bill(0, line(1001, 190))], [difference(0, "round_at", 1, "signed")]))


def folder() -> dict[str, str]:
    """Two certificates as they are built."""
    contents = [certificate(known(pairs([TEN], [TEN]))), certificate(DIFFERS, row="crm.a#2")]
    files: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for content in contents:
        shown = page(content)
        files |= {f"{content['certificate']}.json": as_text(content), f"{content['certificate']}.html": shown}
        rows += summary_rows(content, shown)
    return files | {LIST: summary(rows)}


def found(files: Mapping[str, str]) -> list[str]:
    return faults(files.keys(), files.__getitem__, page)


def test_certificates_as_they_were_built_have_no_fault_and_are_the_same_bytes_again() -> None:
    assert found(folder()) == [] and folder() == folder()
    assert sorted(folder()) == ["crm.a-1.html", "crm.a-1.json", "crm.a-2.html", "crm.a-2.json", LIST]


def test_a_digest_depends_on_everything_but_itself() -> None:
    content = certificate(known())
    assert digest_of(content) == content["digest"] == digest_of({**content, "digest": "other"})
    assert digest_of({**content, "snapshot": "S2"}) != content["digest"]


def changed(name: str, old: str, new: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def change(files: dict[str, str]) -> dict[str, str]:
        assert old in files[name]
        return {**files, name: files[name].replace(old, new)}

    return change


def without(name: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda files: {n: text for n, text in files.items() if n != name}


def resealed(files: dict[str, str]) -> dict[str, str]:
    """A certificate that was written anew, digest, page and all, by somebody who forgot the list."""
    content = sealed({**json.loads(files["crm.a-2.json"]), "outcome": "equal"})
    return {**files, "crm.a-2.json": as_text(content), "crm.a-2.html": page(content)}


def renamed(files: dict[str, str]) -> dict[str, str]:
    ends = ("json", "html")
    return {**files, **{f"crm.a-1.{e}": files[f"crm.a-2.{e}"] for e in ends}}


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (changed("crm.a-2.json", "Finance", "Nobody"), "crm.a-2.json is not what its digest says"),
        (changed("crm.a-2.html", "+0.01", "+0.00"), "crm.a-2.html does not show what crm.a-2.json says"),
        (changed(LIST, "signed", "equal"), f"{LIST} does not say what the certificates say"),
        (without("crm.a-1.json"), "crm.a-1.json is missing"),
        (without("crm.a-1.html"), "crm.a-1.html is missing"),
        (without(LIST), f"{LIST} is missing"),
        (lambda files: {**files, "crm.a-3.json": "{}"}, f"crm.a-3.json is not listed in {LIST}"),
        (lambda files: {**files, "crm.a-1.json": "{"}, "crm.a-1.json is no certificate"),
        (lambda files: {**files, "crm.a-1.json": "[1]"}, "crm.a-1.json is no certificate"),
        (resealed, f"{LIST} does not say what the certificates say"),
        (renamed, "crm.a-1.json is the certificate of another"),
        (changed(LIST, "crm.a-1,", "../crm,"), f"{LIST} names 1 certificates that can be no files"),
        (lambda files: {**files, LIST: "certificate\n"}, f"{LIST} lists no certificate"),
    ],
)
def test_what_was_changed_is_named(tamper: Callable[[dict[str, str]], dict[str, str]], fault: str) -> None:
    assert fault in found(tamper(folder()))


def test_the_list_says_what_differs_in_money_and_who_signed() -> None:
    (row,) = [r for r in csv.DictReader(io.StringIO(folder()[LIST])) if r["certificate"] == "crm.a-2"]
    assert (row["outcome"], row["currency"], row["before"], row["after"], row["difference"]) == (
        "signed", "EUR", "11.90", "11.91", "0.01",
    )  # fmt: skip
    assert (row["bills"], row["bills_rounding"], row["bills_equal"], row["signed_by"]) == ("1", "1", "0", "Finance")


def test_who_has_no_row_has_a_certificate_that_says_so() -> None:
    assert [file_name(None), file_name(None, 1), file_name(None, 2)] == ["nobody", "no-row-1", "no-row-2"]
    nobody = certificate(known(), customer={"key": None, "row": None, "members": []})
    assert "belong to nobody" in page(nobody)
    stranger = certificate(known(), customer={"key": "crm.a:9", "row": None, "members": []})
    assert "crm.a:9" in page(stranger) and "no row of theirs" in page(stranger)
