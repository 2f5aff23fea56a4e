"""Reviewing on a real control database: what is shown of a case, a spreadsheet out and back, merges taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import load_workbook
from review_world import DOUBTS, NAMES, NOW, account, case_of, put_table

from migration_assets.control import Doubted
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.errors import BadInput
from migration_assets.engine.schema import schema_of
from migration_assets.stages.identities.resolve import DOUBTS as DOUBTS_SCHEMA
from migration_assets.stages.identities.resolve import TIES
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring import review, review_sheet
from migration_assets.wiring.unmerge import parting, unmerge
from migration_assets.wiring.workspace import Workspace


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    return made()


def decisions(workspace: Workspace) -> dict[tuple[str, str], bool]:
    return dict(review.queue_of(workspace).decisions())


# --- one case ------------------------------------------------------------------------------------------------------


def test_a_case_shows_what_each_holds_what_both_would_hold_and_what_stands_against(workspace: Workspace) -> None:
    shown = review.both_of(workspace, case_of(workspace, 1), "kim")
    held = shown["holdings"]
    assert held["a"]["subscriptions"] == [{"status": "active", "plan": "basic", "count": 1}]
    assert held["merged"] == {
        "members": [account(1), account(2)],
        "subscriptions": [
            {"status": "active", "plan": "basic", "count": 2}, {"status": "ended", "plan": "plus", "count": 1},
        ],
        "recurring_year": [{"currency": "EUR", "amount_minor": 14_400}],
        "invoiced_year": [{"currency": "EUR", "amount_minor": 1_230}],
        "open_invoices": [{"currency": "EUR", "count": 2, "amount_minor": 530}],
        "credit": [],
    }  # fmt: skip
    assert [a["reason"] for a in shown["against"]] == ["two_payers", "same_plan_twice"]
    assert shown["key"] == {"name": "mailbox", "fields": ["email"], "reason": "Same mailbox."}
    assert shown["stakes"] == [{"currency": "EUR", "stake_minor": 8400}]


def test_a_duplicate_of_an_erased_row_is_shown_with_what_apart_would_give_back_to_it(workspace: Workspace) -> None:
    keys = [account(n) for n in (1, 2, 3)]
    columns = pa.schema(dict.fromkeys(("customer_id", "identity_id"), pa.string()))
    identities = [{"customer_id": key, "identity_id": keys[0]} for key in keys]
    put_table(workspace, "customer_identities", "identities", identities, columns)
    pairs = [{"a": keys[0], "b": key, "rule": "target", "probability": 1.0} for key in keys[1:]]
    put_table(workspace, "customer_identities", "ties", [{**pair, "kind": "target"} for pair in pairs], TIES)
    put_table(workspace, "customer_identities", "doubts", [{**p, "reason": "erased"} for p in pairs], DOUBTS_SCHEMA)
    doubted = [Doubted(keys[0], key, "target", 1.0, "erased", {"EUR": 8400}) for key in keys[1:]]
    review.queue_of(workspace).put(doubted, "S1", NOW)
    case = next(c["case"] for c in review.cases_of(workspace, everything=False) if c["b"] == keys[1])
    shown = review.both_of(workspace, case, "kim")
    held = shown["holdings"]
    assert [held[side]["members"] for side in held] == [keys[:1], keys[1:2], keys[:2]], "3 is another question"
    assert held["b"]["recurring_year"] == [{"currency": "EUR", "amount_minor": 8_400}]
    assert held["a"]["recurring_year"] == [{"currency": "EUR", "amount_minor": 6_000}]
    assert shown["already_one"] and [a["reason"] for a in shown["against"]] == ["two_payers", "same_plan_twice"]


def test_likeness_is_told_field_by_field_for_this_pair_alone(workspace: Workspace) -> None:
    shown = review.both_of(workspace, case_of(workspace, 3), "kim")
    assert [w["words"] for w in shown["weights"]] == [
        "same given name: speaks 32 to 1 for one customer",
        "family name alike: speaks 4 to 1 for one customer",
    ]
    assert shown["key"] is None and shown["against"] == []


def test_who_looked_is_logged_and_nobody_looked_at_is(workspace: Workspace) -> None:
    review.both_of(workspace, case_of(workspace, 1), "kim")
    (entry,) = [e for e in workspace.control.audit_entries() if e.action == "review_viewed"]
    assert entry.actor == "kim" and not [n for n in NAMES.values() if n in str(entry)]


# --- a spreadsheet out and back --------------------------------------------------------------------------------------

Edit = Callable[[Any], None]


def exported(workspace: Workspace, tmp_path: Path) -> Path:
    file = tmp_path / "cases.xlsx"
    assert review_sheet.export(workspace, file, "kim")["cases"] == 2
    return file


def cell(sheet: Any, row: int, column: str) -> Any:
    return sheet.cell(row, review_sheet.COLUMNS.index(column) + 1)


def fill(file: Path, **cells: Any) -> Path:
    """`fill(file, answer2="same")`: column and row, as Excel counts."""
    book = load_workbook(file)
    for place, value in cells.items():
        cell(book["review"], int(place[-1]), place[:-1]).value = value
    book.save(file)
    return file


def test_answers_of_a_sheet_are_taken_over_as_those_of_whoever_imports_it(workspace: Workspace, tmp_path: Path) -> None:
    file = fill(exported(workspace, tmp_path), answer2=" Same ", reason2="-5 years with us", answer3="", reason3=None)
    done = review_sheet.import_(workspace, file, "lee")
    assert done == {"decided": 1, "proposed": 0, "withdrawn": 0, "reopened": 0, "left": 1}
    assert decisions(workspace) == {(account(1), account(2)): True}
    told = {e.action: (e.actor, e.detail) for e in workspace.control.audit_entries()}
    assert told["review_exported"] == ("kim", {"cases": 2}) and told["review_imported"] == ("lee", done)
    assert told["review_decided"][1]["reason"] == "-5 years with us"


def test_the_sheet_shows_both_sides_and_works_nothing_out(workspace: Workspace, tmp_path: Path) -> None:
    sheet = load_workbook(exported(workspace, tmp_path))["review"]
    shown = {c: cell(sheet, 2, c).value for c in review_sheet.COLUMNS}
    assert (shown["name a"], shown["name b"]) == (NAMES[1], NAMES[2])
    assert cell(sheet, 2, "name b").data_type == "s" and cell(sheet, 2, "name b").quotePrefix
    assert (shown["stake"], shown["evidence"], shown["why"]) == ("84.00 EUR", "mailbox", "both have been billed")


def test_what_is_to_be_answered_stays_in_sight_and_what_differs_stands_out(
    workspace: Workspace, tmp_path: Path
) -> None:
    sheet = load_workbook(exported(workspace, tmp_path))["review"]
    assert [c.value for c in sheet[1]][:5] == ["case", "why", "stake", "answer", "reason"]
    assert sheet.freeze_panes == "F2"
    widths = [sheet.column_dimensions[letter].width for letter in "ABCDE"]
    assert sum(widths) <= 100, "the rest has to have room beside it"
    shown = [c.value for c in sheet[1] if not sheet.column_dimensions[c.column_letter].hidden]
    assert shown[5:] == ["a", "b", "name a", "name b", "email a", "email b", "evidence", "probability"], "nothing empty"
    fills = {name: cell(sheet, 2, name).fill.start_color.rgb for name in ("name a", "name b", "email a", "answer")}
    assert fills["name a"] == fills["name b"] == "00FFF2CC" and fills["email a"] == "00000000"
    assert fills["answer"] == cell(sheet, 3, "reason").fill.start_color.rgb == "00E2F0D9"


def _swap_rows(book: Any) -> None:
    sheet = book["review"]
    rows = [[c.value for c in sheet[n]] for n in (2, 3)]
    for number, values in zip((3, 2), rows, strict=True):
        for place, value in enumerate(values, start=1):
            sheet.cell(number, place).value = value


def test_sorting_the_rows_does_no_harm(workspace: Workspace, tmp_path: Path) -> None:
    file = fill(exported(workspace, tmp_path), answer2="same", reason2="One.", answer3="apart", reason3="Two.")
    book = load_workbook(file)
    _swap_rows(book)
    book.save(file)
    review_sheet.import_(workspace, file, "lee")
    assert decisions(workspace) == {(account(1), account(2)): True, (account(3), account(4)): False}


def _set(column: str, value: Any, row: int = 2) -> Edit:
    return lambda book: setattr(cell(book["review"], row, column), "value", value)


def _copy_row(book: Any) -> None:
    for place, c in enumerate(book["review"][2], start=1):
        book["review"].cell(4, place).value = c.value


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (_set("case", "77"), "row 2: no such case went out"),
        (_set("a", "crm.a:9"), r"row 2, column G \(a\): it was edited"),
        (_set("fingerprint", "0" * 64), r"row 2, column \w+ \(fingerprint\): it was edited"),
        (_set("name b", "Ann Lee"), r"row 2, column \w+ \(name b\): it was edited, and is for reading only"),
        (_set("stake", None), r"row 2, column C \(stake\): it was edited"),
        (_set("why", "=1+1"), r"row 2, column B \(why\): it was edited"),
        (_set("phone a", "0", row=3), r"row 3, column \w+ \(phone a\): it was edited"),
        (_set("probability", 0.9), r"row 2, column \w+ \(probability\): it was edited"),
        (lambda book: book["review"].delete_rows(3), "its row is missing"),
        (_set("case", "78", row=4), "row 4: no such case went out"),
        (_copy_row, "row 4: case . stands in row 2 already"),
        (_set("answer", "maybe"), r"row 2, column D \(answer\): it is neither"),
        (_set("answer", "open"), r"row 2, column D \(answer\): it is neither"),
        (_set("reason", None), r"row 2, column E \(reason\): a decision needs a reason"),
        (_set("reason", " \n"), r"row 2, column E \(reason\): a decision needs a reason"),
        (_set("reason", "x" * 1_001), r"row 2, column E \(reason\): the reason has 1,001 characters"),
        (_set("reason", "Why.", row=3), r"row 3, column E \(reason\): a reason without an answer"),
        (_set("reason", "=1+1"), r"row 2, column E \(reason\): it is a formula"),
        (lambda book: book.remove(book["export"]), "none that was exported"),
        (lambda book: setattr(book["export"]["B1"], "value", "telco"), "of plan telco"),
        (lambda book: setattr(book["export"]["B2"], "value", "S0"), "stale: it is about snapshot S0"),
        (lambda book: book["export"].delete_rows(1, 2), "none that was exported"),
    ],
)
def test_a_sheet_that_is_not_as_it_went_out_is_refused_whole(
    workspace: Workspace, tmp_path: Path, edit: Edit, said: str
) -> None:
    file = fill(exported(workspace, tmp_path), answer2="same", reason2="Good.")
    book = load_workbook(file)
    edit(book)
    book.save(file)
    with pytest.raises(BadInput, match=said):
        review_sheet.import_(workspace, file, "lee")
    assert decisions(workspace) == {}


def _answered(workspace: Workspace) -> None:
    review.decide(workspace, case_of(workspace, 1), "apart", by="max", reason="Told so.")


def _other_evidence(workspace: Workspace) -> None:
    review.queue_of(workspace).put([replace(DOUBTS[0], probability=0.98), DOUBTS[1]], "S1", NOW)


def _other_stake(workspace: Workspace) -> None:
    review.queue_of(workspace).put([replace(DOUBTS[0], stakes={"EUR": 8401}), DOUBTS[1]], "S1", NOW)


def _gone(workspace: Workspace) -> None:
    review.queue_of(workspace).put(DOUBTS[1:], "S1", NOW)


def _new_snapshot(workspace: Workspace) -> None:
    workspace.store.make_current("S2")


def _customer_changed(workspace: Workspace) -> None:
    file = workspace.store.file("standardized_parties", GLOBAL, "customer")
    with workspace.engine() as engine:
        rows = engine.arrow(engine.read(file)).to_pylist()
    rows[0]["name"] = "Ann Lie"
    fields = (*ENTITIES["customer"].fields, *PROVENANCE)
    with workspace.engine() as engine:
        engine.write(engine.table(pa.Table.from_pylist(rows, schema=schema_of(fields).to_pyarrow())), file)


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (_answered, "does not wait any more"),
        (_gone, "does not wait any more"),
        (_other_evidence, "has changed since"),
        (_other_stake, "has changed since"),
        (_customer_changed, "has changed since"),
        (_new_snapshot, "there is a newer one, S2"),
    ],
)
def test_a_sheet_about_something_that_has_changed_is_stale(
    workspace: Workspace, tmp_path: Path, happened: Callable[[Workspace], None], said: str
) -> None:
    file = fill(exported(workspace, tmp_path), answer2="same", reason2="Good.", answer3="same", reason3="Good.")
    happened(workspace)
    before = decisions(workspace)
    with pytest.raises(BadInput, match=said):
        review_sheet.import_(workspace, file, "lee")
    assert decisions(workspace) == before


def test_a_sheet_asks_for_four_eyes_as_the_plan_does(made: Callable[..., Workspace], tmp_path: Path) -> None:
    workspace = made(four_eyes={"EUR": "84.00"})
    file = fill(exported(workspace, tmp_path), answer2="same", reason2="One.", answer3="apart", reason3="Two.")
    done = review_sheet.import_(workspace, file, "kim")
    assert done == {"decided": 1, "proposed": 1, "withdrawn": 0, "reopened": 0, "left": 0}
    assert decisions(workspace) == {(account(3), account(4)): False}
    with pytest.raises(BadInput, match="has changed since"):
        review_sheet.import_(workspace, file, "lee")
    again = tmp_path / "again.xlsx"
    assert review_sheet.export(workspace, again, "lee")["cases"] == 1
    assert "waits for a second person: same (kim)" in cell(load_workbook(again)["review"], 2, "so far").value
    fill(again, answer2="same", reason2="Indeed.")
    with pytest.raises(BadInput, match="four eyes"):
        review_sheet.import_(workspace, again, "kim")
    assert review_sheet.import_(workspace, again, "lee")["decided"] == 1


def test_with_nothing_to_answer_there_is_no_sheet(workspace: Workspace, tmp_path: Path) -> None:
    review.queue_of(workspace).put([], "S1", NOW)
    file = tmp_path / "none.xlsx"
    assert review_sheet.export(workspace, file, "kim") == {"file": None, "cases": 0} and not file.exists()


@pytest.mark.parametrize("name", ["cases.csv", "cases", "cases.xls"])
def test_an_export_that_is_called_like_something_else_is_refused_and_not_on_record(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BadInput, match=r"in a workbook \(\.xlsx\)") as refused:
        review_sheet.export(workspace, tmp_path / name, "kim")
    assert "Call it cases.xlsx" in refused.value.remedy
    assert not list(tmp_path.glob("cases*"))
    assert "review_exported" not in {e.action for e in workspace.control.audit_entries()}


# --- merges taken apart ----------------------------------------------------------------------------------------------


def test_what_links_tie_stays_together_and_all_else_comes_apart() -> None:
    way = parting(["f", "m", "n", "l"], [("f", "l")])
    assert way.parts == (("f", "l"), ("m",), ("n",))
    assert way.pairs == (("f", "m"), ("f", "n"), ("l", "m"), ("l", "n"), ("m", "n"))


def test_one_member_goes_with_what_is_linked_to_it_be_it_the_founder() -> None:
    assert parting(["f", "m", "n"], [], "m").parts == (("f", "n"), ("m",))
    assert parting(["f", "m", "n"], [], "f").pairs == (("f", "m"), ("f", "n"))
    assert parting(["f", "m", "n", "l"], [("m", "l")], "l").parts == (("f", "n"), ("m", "l"))


def test_what_only_links_tie_cannot_be_parted() -> None:
    with pytest.raises(BadInput, match="the source itself ties"):
        parting(["f", "m", "l"], [("m", "l"), ("f", "m")])


def test_an_unmerge_says_what_it_would_do_and_does_it_for_a_reason(workspace: Workspace) -> None:
    planned = unmerge(workspace, account(6), member=None, reason=None, by="kim")
    assert planned["parts"] == [[account(5), account(7)], [account(6)]] and planned["effect"] == "planned"
    assert planned["pairs"] == [
        {"a": account(5), "b": account(6), "evidence": "mailbox"},
        {"a": account(6), "b": account(7), "evidence": "over_others"},
    ]
    assert planned["stays_together"] == [{"a": account(5), "b": account(7), "rule": "account"}]
    assert decisions(workspace) == {}
    done = unmerge(workspace, account(6), member=None, reason="Two people.", by="kim")
    assert done == planned | {"effect": "decided"}
    assert decisions(workspace) == {(account(5), account(6)): False, (account(6), account(7)): False}


def test_an_unmerge_waits_for_a_second_person_where_the_plan_asks_for_one(made: Callable[..., Workspace]) -> None:
    workspace = made(four_eyes=True)
    assert unmerge(workspace, account(5), member=None, reason="Two.", by="kim")["effect"] == "proposed"
    assert decisions(workspace) == {}
    assert unmerge(workspace, account(5), member=None, reason="Two.", by="lee")["effect"] == "decided"
    assert len(decisions(workspace)) == 2


def test_an_unmerge_of_a_pair_that_somebody_proposed_to_be_one_does_not_say_that_it_is_done(
    made: Callable[..., Workspace],
) -> None:
    workspace = made(four_eyes=True)
    one = Doubted(account(5), account(6), "mailbox", 1.0, "unsure")
    review.queue_of(workspace).put([*DOUBTS, one], "S1", NOW)
    review.decide(workspace, case_of(workspace, 5), "same", by="max", reason="One.")
    done = unmerge(workspace, account(5), member=None, reason="Two.", by="kim")
    assert done["effect"] == "reopened" and decisions(workspace) == {}
    assert unmerge(workspace, account(5), member=None, reason="Two.", by="lee")["effect"] == "proposed"
    assert unmerge(workspace, account(5), member=None, reason="Two.", by="kim")["effect"] == "decided"
    assert len(decisions(workspace)) == 2


def test_rows_of_a_run_that_kept_no_ties_are_not_taken_for_unlinked(workspace: Workspace) -> None:
    workspace.store.file("customer_identities", GLOBAL, "ties").unlink()
    with pytest.raises(BadInput, match="not kept what tied"):
        unmerge(workspace, account(5), member=None, reason="Two.", by="kim")
    assert decisions(workspace) == {}


@pytest.mark.parametrize(
    ("customer", "member", "said"),
    [
        ("crm.a:404", None, "no such customer"),
        ("Cy", None, "no such customer"),
        ("crm.a:1", None, "nothing was merged"),
        ("crm.a:5", "crm.a:1", "no row of this customer"),
    ],
)
def test_an_unmerge_of_nobody_is_refused(workspace: Workspace, customer: str, member: str | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        unmerge(workspace, customer, member=member, reason="Two.", by="kim")
