"""Every code that people could meet has words, and no words are left of codes that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from migration_assets.control import UNMERGED
from migration_assets.domain.back_test import Reason as BackTestReason
from migration_assets.domain.bill_parity import REJECTED
from migration_assets.plan.billing_models import Cause
from migration_assets.stages.identities.decide import Reason as Doubt
from migration_assets.stages.shadow.signed import STATUSES
from migration_assets.wiring.words import CAUSE, NOT_MADE_AGAIN, STATUS, WHY, several, with_code


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (WHY, {*get_args(Doubt), UNMERGED}),
        (STATUS, set(STATUSES)),
        (CAUSE, {*get_args(Cause), REJECTED}),
        (NOT_MADE_AGAIN, set(get_args(BackTestReason))),
    ],
)
def test_each_code_has_words_of_its_own(words: Mapping[str, str], codes: set[Any]) -> None:
    assert set(words) == codes
    assert len(set(words.values())) == len(words) and not any("_" in said for said in words.values())


def test_a_code_that_is_written_back_is_shown_beside_its_words() -> None:
    assert with_code(CAUSE, "tax_at") == "taxed by line or by invoice (tax_at)"
    assert with_code(CAUSE, "new_rule") == "new_rule"
    assert several(NOT_MADE_AGAIN, "header amount") == (
        "the lines do not add up to what the header says (header); a line comes to another amount (amount)"
    )
