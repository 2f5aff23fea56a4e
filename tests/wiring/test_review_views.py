"""What `cutover review` prints: money by currency, who waits for whom, and nothing that the terminal would obey."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from migration_assets.wiring.review_views import (
    answer_in_words,
    print_both,
    print_cases,
    print_export,
    print_import,
    print_merges,
    print_unmerge,
)

CASE = {
    "case": 7, "a": "crm.a:1", "b": "crm.a:2", "rank": "100", "evidence": "likeness", "probability": 0.71,
    "stakes": [{"currency": "EUR", "stake_minor": 123_450}, {"currency": "JPY", "stake_minor": 5_000}],
    "reason": "unsure", "open": True, "needs_two": True, "answer": None, "decided_by": None, "seconded_by": None,
    "proposed": None, "proposed_by": None,
}  # fmt: skip


def plan_file(compare_in: str | None = None) -> Any:
    review = SimpleNamespace(compare_in=compare_in)
    return SimpleNamespace(currency_exponents={}, identity=SimpleNamespace(review=review))


def printed(show: Callable[..., None], *given: Any) -> str:
    out = Console(file=io.StringIO(), width=200, highlight=False)
    show(out, *given)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_each_currency_stands_for_itself_and_the_order_is_explained() -> None:
    text = printed(print_cases, [CASE], plan_file())
    assert "1,234.50 EUR" in text and "5,000 JPY" in text
    assert "each currency by its own major units" in text
    assert "compared in EUR" in printed(print_cases, [CASE], plan_file("EUR"))
    assert "Nothing waits" in printed(print_cases, [], plan_file())


def test_what_waits_for_a_second_person_says_for_what_and_since_whom() -> None:
    waiting = CASE | {"proposed": "same", "proposed_by": "kim"}
    text = printed(print_cases, [waiting, CASE], plan_file())
    assert "waits for a second person: same (kim)" in text and "1 wait for a second person" in text


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, ""),
        ({"open": False}, "not found any more"),
        ({"answer": "same", "decided_by": "kim"}, "same (kim)"),
        ({"answer": "same", "decided_by": "kim", "seconded_by": "lee"}, "same (kim and lee)"),
    ],
)
def test_an_answer_names_everybody_who_gave_it(answers: dict[str, Any], words: str) -> None:
    assert answer_in_words(CASE | answers) == words


def test_a_case_tells_fields_reasons_and_what_a_merge_brings_together() -> None:
    held = {
        "members": ["crm.a:1"], "subscriptions": [{"status": "active", "plan": "basic", "count": 2}],
        "recurring_year": [{"currency": "KWD", "amount_minor": 1_500}],
        "open_invoices": [{"currency": "EUR", "count": 3, "amount_minor": 900}], "contact_rows": 4,
    }  # fmt: skip
    case = CASE | {
        "fields": [{"field": "name", "a": "[red]Ann[/]", "b": None}],
        "weights": [{"words": "same name: speaks 32 to 1 for one customer"}],
        "key": {"name": "mailbox", "fields": ["email", "name"], "reason": "Same mailbox."},
        "holdings": dict.fromkeys(("a", "b", "merged"), held),
        "against": [{"words": "both have been billed"}],
        "already_one": False,
    }
    text = printed(print_both, case, plan_file())
    for told in (
        "[red]Ann[/]", "speaks 32 to 1", "same email and name", "2 active: basic", "1.500 KWD", "3: 9.00 EUR",
        "Against a merge: both have been billed.", "none yet",
    ):  # fmt: skip
        assert told in text, told


@pytest.mark.parametrize(
    ("effect", "said"),
    [("planned", "Nothing was decided"), ("proposed", "second person"), ("decided", "`cutover run` goes by it")],
)
def test_an_unmerge_says_whether_it_was_done(effect: str, said: str) -> None:
    done = {
        "customer": "crm.a:1", "parts": [["crm.a:1", "erp.c:7"], ["crm.a:2"]], "effect": effect,
        "pairs": [{}, {}], "stays_together": [{"a": "crm.a:1", "b": "erp.c:7", "rule": "account"}],
    }  # fmt: skip
    text = printed(print_unmerge, done)
    assert said in text and "2 pairs" in text and "crm.a:1 and erp.c:7 stay together" in text


def test_a_merge_is_told_with_its_evidence_and_who_decided_it() -> None:
    tie = {"a": "crm.a:1", "b": "crm.a:2", "kind": "key", "rule": "mailbox", "probability": 1.0, "decided": []}
    alike = tie | {"kind": "likeness", "rule": "likeness", "probability": 0.9931}
    decided = {"case": 7, "by": "kim", "seconded_by": "lee", "at": "2026-03-01T12:00:00+00:00"}
    told = tie | {"kind": "decision", "rule": "decision", "decided": [decided]}
    members = [{"key": "crm.a:[b]1", "row": "crm.a#11"}, {"key": "crm.a:2", "row": None}]
    merge = {"customer": "crm.a:[b]1", "target_id": "11f0-a", "members": members, "ties": [tie, alike, told]}
    text = printed(print_merges, {"total": 3, "merges": [merge]})
    for said in (
        "crm.a:[b]1  (crm.a#11)", "11f0-a", "key mailbox", "likeness 0.9931", "kim and lee (case 7, 2026-03-01)",
        "1 of 3 are shown, 2 more are not: --limit 3 shows all",
    ):  # fmt: skip
        assert said in text, said
    assert "No customer" in printed(print_merges, {"total": 0, "merges": []})


def test_a_sheet_that_went_out_or_came_back_is_counted() -> None:
    assert "no file was written" in printed(print_export, {"file": None, "cases": 0})
    assert "3 cases are in a.xlsx" in printed(print_export, {"file": "a.xlsx", "cases": 3})
    assert "in a?.xlsx" in printed(print_export, {"file": "a\udcff.xlsx", "cases": 3})
    counts = {"decided": 1, "proposed": 2, "reopened": 3, "withdrawn": 5, "left": 4}
    assert "1 decided, 2 wait for a second person, 3 open again, 5 proposals withdrawn, 4 left" in printed(
        print_import, counts
    )
