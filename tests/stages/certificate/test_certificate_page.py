"""The page of an account: what a controller reads, and nothing that a stranger wrote runs."""

from __future__ import annotations

import re
from typing import Any

from accounts_in_code import apart, bill, certificate, difference, known, line, pairs

from migration_assets.stages.certificate.bill_tables import causes_of, runs_of
from migration_assets.stages.certificate.page import page, reasons

TEN = bill(0, line(1000, 190))
SIGNED = [difference(0, "round_at", 1, "signed")]


def months(count: int) -> list[Any]:
    return [bill(n, line(1000, 190, month=7 + n)) for n in range(count)]


def test_a_difference_is_shown_in_major_units_with_its_cause_and_who_signed() -> None:
    shown = page(certificate(known(pairs([TEN], [bill(0, line(1001, 190))], SIGNED))))
    for words in ("11.90", "11.91", "+0.01", "round_at", "Finance, 2026-06-01", "One rounding for an invoice."):
        assert words in shown
    assert "Differs only as signed for" in shown


def test_bills_that_say_the_same_are_shown_once() -> None:
    content = certificate(known(pairs(months(4), months(4))))
    bills = content["contracts"][0]["bills"]
    assert [len(run) for run in runs_of(bills)] == [4]
    shown = page(content)
    assert "4 bills alike" in shown and shown.count("<td>recurring</td>") == 1


def test_a_bill_that_says_something_else_begins_a_run_of_its_own() -> None:
    after = months(4)
    after[2] = bill(2, line(1001, 190, month=9))
    found = pairs(months(4), after, [difference(2, "round_at", 1, "signed")])
    assert [len(run) for run in runs_of(certificate(known(found))["contracts"][0]["bills"])] == [2, 1, 1]


def test_causes_add_up_to_the_whole_difference() -> None:
    after = [bill(0, line(1001, 190)), bill(1, line(1001, 191, month=8))]
    rows = [*SIGNED, difference(1, "round_at", 1, "signed"), difference(1, "tax_at", 1)]
    content = certificate(known(pairs(months(2), after, rows)))
    causes = causes_of(content)
    assert sum(minor for _, minor in causes.values()) == content["money"][0]["difference_minor"] == 3
    assert [(k[1:], v) for k, v in causes.items()] == [
        (("unsigned", "tax_at", ""), (1, 1)),
        (("rounding", "round_at", "Finance"), (2, 2)),
    ]


def test_why_somebody_has_to_look_is_said_in_words() -> None:
    found = known(
        pairs([TEN], [bill(0, line(1001, 190))], [difference(0, "unexplained", 1)]),
        access=[apart("loss", "unsigned"), apart("gain", "signed")],
        proved=False,
    )
    assert reasons(certificate(found)) == [
        "Contract S-1: the old rules do not make its last invoices.",
        "Contract S-1: 1 bills to come differ, unexplained.",
        "What may be done, seats anywhere: loss, unsigned.",
    ]
    assert reasons(certificate(known(pairs([TEN], [TEN])))) == []


def test_a_total_says_that_it_is_with_tax_and_stands_below_the_sum_of_its_parts() -> None:
    shown = page(certificate(known(pairs([TEN], [TEN]))))
    assert "sum of the lines" in shown and "total with tax" in shown


def test_what_strangers_wrote_is_text_and_nothing_is_fetched() -> None:
    evil = "<script>alert(1)</script>\"'&"
    customer = {"key": f"crm.a:{evil}", "row": "crm.a#1", "members": [], "name": evil}
    content = certificate(known(pairs([TEN], [TEN])), customer=customer, cohort=evil)
    content["contracts"][0]["contract"] = evil
    content["contracts"][0]["rows_left_out"] = [{"row": evil, "key": evil, "rule": evil, "reason": evil}]
    content["access"]["features"][0]["feature"] = evil
    shown = page(content)
    assert "&lt;script&gt;" in shown and "<script" not in shown
    assert not re.findall(r"(?:src|href)=|url\(|@import", shown) and "default-src 'none'" in shown


def test_every_place_of_the_page_is_filled() -> None:
    assert not re.findall(r"\$[a-z_]+", page(certificate(known(pairs([TEN], [TEN])))))
