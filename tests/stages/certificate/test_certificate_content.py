"""What an account comes to: bills beside each other, what each difference is called, and when somebody has to look."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from accounts_in_code import ROUNDING, UNTIL, apart, bill, difference, known, line, pairs, told

from migration_assets.domain.errors import StageRefused
from migration_assets.domain.legacy.credits import Credit
from migration_assets.domain.target.credits import CreditBalance
from migration_assets.stages.certificate.causes import class_of, signature_of, worst
from migration_assets.stages.certificate.content import OUTCOMES

TEN, ELEVEN = bill(0, line(1000, 190)), bill(0, line(1100, 190))


@pytest.mark.parametrize(
    ("cause", "status", "called"),
    [
        ("round_at", "signed", "rounding"),
        ("tax_at", "signed", "rounding"),
        ("proration", "signed", "signed"),
        ("unexplained", "signed", "signed"),
        ("rejected", "rejected", "rejected"),
        ("round_at", "unsigned", "unsigned"),
        ("unexplained", "unsigned", "unexplained"),
    ],
)
def test_a_difference_is_called_by_its_cause_and_whether_somebody_signed(cause: str, status: str, called: str) -> None:
    assert class_of(cause, status) == called


def test_the_worst_of_several_is_told_and_of_none_that_all_is_equal() -> None:
    assert worst(["rounding", "unexplained", "rejected"]) == "unexplained"
    assert worst([]) == "equal"


def test_a_signature_covers_a_cause_up_to_its_amount_for_its_contracts_and_until_it_expires() -> None:
    day = date(2026, 6, 30)
    limited = ROUNDING.model_copy(update={"contracts": ("S-2",), "expires_on": date(2026, 7, 1)})
    assert signature_of([ROUNDING], "S-1", "round_at", -5, day) == ROUNDING
    assert signature_of([ROUNDING], "S-1", "round_at", 6, day) is None
    assert signature_of([ROUNDING], "S-1", "tax_at", 1, day) is None
    assert signature_of([limited], "S-1", "round_at", 1, day) is None
    assert signature_of([limited], "S-2", "round_at", 1, day) == limited
    assert signature_of([limited], "S-2", "round_at", 1, date(2026, 7, 1)) is None


def test_lines_stand_beside_each_other_with_their_product_and_days_of_the_contract() -> None:
    after = bill(0, line(1001, 190))
    (made,) = told(known(pairs([TEN], [after], [difference(0, "round_at", 1, "signed")])))["contracts"][0]["bills"]
    (pair,) = made["lines"]
    assert (pair["kind"], pair["product"], pair["same"]) == ("recurring", "base", False)
    assert (pair["before"]["amount_minor"], pair["after"]["amount_minor"]) == (1000, 1001)
    # Midnight in UTC is two in the morning in Berlin.
    assert (made["before"]["starts_at"], made["before"]["from"]) == ("2026-07-01T00:00:00Z", "2026-07-01 02:00:00")
    assert (made["before"]["total_minor"], made["after"]["total_minor"], made["difference_minor"]) == (1190, 1191, 1)
    (due,) = made["due_to"]
    assert (due["cause"], due["class"], due["signed"]["by"], due["signed"]["on"]) == (
        "round_at", "rounding", "Finance", "2026-06-01",
    )  # fmt: skip


def test_a_bill_of_one_side_only_is_told_with_nothing_beside_it() -> None:
    (made,) = told(known(pairs([TEN], [], [difference(0, "unexplained", -1190)])))["contracts"][0]["bills"]
    assert made["after"] is None and made["lines"][0]["after"] is None
    assert (made["class"], made["difference_minor"]) == ("unexplained", -1190)


@pytest.mark.parametrize(
    "differences",
    [
        [],
        [difference(0, "round_at", 99, "signed")],
        [difference(0, "unexplained", 100), difference(0, "tax_at", 1)],
        # Signed, as the stage says, and by nobody that the plan names.
        [difference(0, "tax_at", 100, "signed")],
    ],
    ids=["none was found", "another amount", "more than there is", "signed by nobody"],
)
def test_bills_that_are_not_those_that_were_compared_are_refused(differences: list[dict[str, Any]]) -> None:
    with pytest.raises(StageRefused, match="contract S-1: its bills are not those"):
        pairs([TEN], [ELEVEN], differences)


def test_a_line_that_moves_without_money_is_not_passed_over() -> None:
    moved = bill(0, line(1000, 190, month=8))
    with pytest.raises(StageRefused):
        pairs([TEN], [moved])
    assert told(known(pairs([TEN], [moved], [difference(0, "unexplained", 0)])))["outcome"] == "open"


SIGNED = [difference(0, "round_at", 1, "signed")]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (known(pairs([TEN], [TEN])), "equal"),
        (known(pairs([TEN], [bill(0, line(1001, 190))], SIGNED)), "signed"),
        (known(pairs([TEN], [ELEVEN], [difference(0, "rejected", 100, "rejected")])), "rejected"),
        (known(pairs([TEN], [TEN]), proved=False), "unproved"),
        (known(legacy_reason="unreadable"), "unproved"),
        (known(unanswerable="negative"), "unproved"),
        (known(unreadable=["C-1"]), "unproved"),
        (known(pairs([TEN], [ELEVEN], [difference(0, "round_at", 100)])), "open"),
        (known(pairs([TEN], [ELEVEN], [difference(0, "unexplained", 100)])), "open"),
        (known(target_reason="price_model"), "open"),
        (known(access=[apart("loss", "signed")]), "signed"),
        (known(access=[apart("loss", "rejected")]), "rejected"),
        (known(access=[apart("loss", "unsigned")]), "open"),
        (known(access=[apart("gain", "unsigned")]), "open"),
        (known(pairs([TEN], [ELEVEN], [difference(0, "unexplained", 100)]), proved=False), "open"),
    ],
)
def test_what_an_account_comes_to(found: Any, outcome: str) -> None:
    assert outcome in OUTCOMES and told(found)["outcome"] == outcome


def test_money_is_summed_by_currency_and_never_over_two() -> None:
    dollars = replace(bill(1, line(500, month=8)), currency="USD")
    money = told(known(pairs([TEN, dollars], [TEN, dollars])))["money"]
    assert [(m["currency"], m["bills"], m["before_minor"], m["difference_minor"]) for m in money] == [
        ("EUR", 1, 1190, 0),
        ("USD", 1, 500, 0),
    ]


def credits(before: int, after: int) -> Any:
    return (
        [Credit("C-1", "EUR", before, 1, None, "UTC")],
        [CreditBalance("C-1", "EUR", after, 1, None)],
    )


def test_credit_is_taken_off_what_is_to_pay_and_is_no_difference_where_it_is_the_same() -> None:
    second = bill(1, line(1000, 190, month=8))
    found = told(known(pairs([TEN, second], [TEN, second]), credits(1500, 1500)))
    first, last = found["contracts"][0]["bills"]
    assert (first["before"]["credit_minor"], first["before"]["to_pay_minor"]) == (1190, 0)
    assert (last["after"]["credit_minor"], last["after"]["to_pay_minor"]) == (310, 880)
    assert found["outcome"] == "equal" and found["credits"][0]["before_minor"] == 1500


def test_a_bill_that_takes_more_credit_because_it_is_larger_is_no_difference_of_the_credit() -> None:
    found = told(known(pairs([TEN], [bill(0, line(1001, 190))], SIGNED), credits(5000, 5000)))
    (made,) = found["contracts"][0]["bills"]
    assert (made["before"]["credit_minor"], made["after"]["credit_minor"]) == (1190, 1191)
    assert made["credit_difference_minor"] == 0 and found["outcome"] == "signed"


def test_a_credit_that_is_another_in_the_target_is_unexplained_though_bills_are_equal() -> None:
    found = told(known(pairs([TEN], [TEN]), credits(500, 400)))
    (made,) = found["contracts"][0]["bills"]
    assert made["difference_minor"] == 0 and made["credit_difference_minor"] == 100
    assert (made["class"], found["outcome"]) == ("unexplained", "open")


def test_access_is_told_by_feature_and_region_with_limit_and_unit() -> None:
    (feature,) = told(known(access=[apart("loss", "unsigned")]))["access"]["features"]
    assert (feature["feature"], feature["region"], feature["unit"]) == ("seats", "*", "seat")
    assert feature["before"] == [
        {
            "starts_at": "2026-06-30T12:00:00Z", "ends_at": UNTIL.isoformat().replace("+00:00", "Z"),
            "allowed": True, "limit": "5", "overage": "block",
        }
    ]  # fmt: skip
    (loss,) = feature["differences"]
    assert (loss["kind"], loss["before"]["limit"], loss["after"]["limit"]) == ("loss", "5", "4")
