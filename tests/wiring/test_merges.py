"""Which merges there are, and how a person names a customer: on a real control database, after a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from review_world import DOUBTS, NAMES, NOW, account, case_of, put_table

from migration_assets.control import Doubted
from migration_assets.domain.errors import BadInput
from migration_assets.stages.identities.resolve import TIES
from migration_assets.wiring import review
from migration_assets.wiring.merges import merges_of
from migration_assets.wiring.row_names import case_named
from migration_assets.wiring.unmerge import unmerge
from migration_assets.wiring.workspace import Workspace

IDENTITIES = pa.schema(dict.fromkeys(("customer_id", "identity_id"), pa.string()))
# Who went up in whom: 2 in 1 by likeness, 4 in 3 by a person, 6 and 7 in 5 by a key and a link.
FOUNDER = {2: 1, 4: 3, 6: 5, 7: 5}
TIED = (
    (1, 2, "likeness", "likeness", 0.993),
    (3, 4, "decision", "decision", 1.0),
    (5, 6, "key", "mailbox", 1.0),
    (5, 7, "link", "account", 1.0),
)


@pytest.fixture
def workspace(made: Callable[..., Workspace]) -> Workspace:
    merged = made()
    identities = [{"customer_id": account(n), "identity_id": account(FOUNDER.get(n, n))} for n in NAMES]
    put_table(merged, "customer_identities", "identities", identities, IDENTITIES)
    put_ties(merged, *TIED)
    return merged


def put_ties(workspace: Workspace, *ties: tuple[int, int, str, str, float]) -> None:
    rows = [dict(zip(TIES.names, (account(a), account(b), *told), strict=True)) for a, b, *told in ties]
    put_table(workspace, "customer_identities", "ties", rows, TIES)


def merges(workspace: Workspace, by: str | None = None, limit: int | None = None) -> dict[str, Any]:
    return merges_of(workspace, by=by, limit=limit)


def customers(found: dict[str, Any]) -> list[str]:
    return [m["customer"] for m in found["merges"]]


def test_each_customer_of_several_rows_is_named_with_its_rows_and_what_tied_them(workspace: Workspace) -> None:
    found = merges(workspace)
    assert found["total"] == 3 and customers(found) == [account(1), account(3), account(5)]
    assert found["merges"][2] == {
        "customer": account(5),
        "target_id": None,
        "members": [{"key": account(n), "row": f"crm.a#{10 + n}"} for n in (5, 6, 7)],
        "ties": [
            {"a": account(5), "b": account(6), "kind": "key", "rule": "mailbox", "probability": 1.0, "decided": []},
            {"a": account(5), "b": account(7), "kind": "link", "rule": "account", "probability": 1.0, "decided": []},
        ],
    }
    assert not [name for name in NAMES.values() if f"'{name}'" in str(found)], "keys only"


def test_what_only_the_source_ties_comes_last_and_the_least_sure_first(workspace: Workspace) -> None:
    put_ties(workspace, (1, 2, "link", "account", 1.0), (3, 4, "likeness", "likeness", 0.99), *TIED[2:])
    assert customers(merges(workspace)) == [account(3), account(5), account(1)]


@pytest.mark.parametrize(
    ("by", "found"), [("mailbox", [5]), ("key", [5]), ("account", [5]), ("likeness", [1]), ("target", [])]
)
def test_merges_are_found_by_what_tied_them(workspace: Workspace, by: str, found: list[int]) -> None:
    asked = merges(workspace, by)
    assert customers(asked) == [account(n) for n in found] and asked["total"] == len(found)


def test_a_rule_that_nobody_has_is_refused_with_the_nearest(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="'mailbx' ties no rows") as refused:
        merges(workspace, "mailbx")
    assert refused.value.remedy == "did you mean 'mailbox'?"


def test_a_limit_does_not_hide_how_many_there_are(workspace: Workspace) -> None:
    found = merges(workspace, limit=2)
    assert customers(found) == [account(1), account(3)] and found["total"] == 3


def test_a_list_may_be_longer_than_anybody_reads_and_is_whole(workspace: Workspace) -> None:
    several = range(100, 22_200)
    identities = [{"customer_id": f"crm.a:{n}", "identity_id": f"crm.a:{n - n % 2}"} for n in several]
    put_table(workspace, "customer_identities", "identities", identities, IDENTITIES)
    put_ties(workspace, *((n, n + 1, "key", "mailbox", 1.0) for n in several[::2]))
    found = merges(workspace, limit=2**63 - 1)
    assert found["total"] == len(found["merges"]) == 11_050
    assert all(len(m["members"]) == 2 and len(m["ties"]) == 1 for m in found["merges"])


def test_a_decision_names_who_made_it(workspace: Workspace) -> None:
    review.decide(workspace, case_of(workspace, 3), "same", by="kim", reason="One person.")
    (tie,) = merges(workspace, "decision")["merges"][0]["ties"]
    (decided,) = tie["decided"]
    assert decided["case"] == case_of(workspace, 3) and (decided["by"], decided["seconded_by"]) == ("kim", None)


def test_a_decision_about_a_row_that_a_link_ties_to_another_is_found(workspace: Workspace) -> None:
    put_ties(workspace, *TIED[:2], (5, 6, "decision", "decision", 1.0), TIED[3])
    review.queue_of(workspace).put([*DOUBTS, Doubted(account(6), account(7), "mailbox", 1.0, "unsure")], "S1", NOW)
    review.decide(workspace, case_of(workspace, 6), "same", by="lee", reason="One person.")
    (merge,) = [m for m in merges(workspace)["merges"] if m["customer"] == account(5)]
    assert [d["by"] for t in merge["ties"] for d in t["decided"]] == ["lee"]


def test_without_a_run_there_is_nothing_to_tell(workspace: Workspace) -> None:
    workspace.store.file("customer_identities", "_all", "ties").unlink()
    with pytest.raises(BadInput, match="no run has kept"):
        merges(workspace)


# --- how a customer is named -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crm.a#16", "crm.a#16@S1"])
def test_an_unmerge_takes_the_row_as_the_ui_shows_it(workspace: Workspace, name: str) -> None:
    by_key = unmerge(workspace, account(6), member=None, reason=None, by="kim")
    assert unmerge(workspace, name, member=None, reason=None, by="kim") == by_key
    one_out = unmerge(workspace, account(5), member=name, reason=None, by="kim")
    assert one_out["parts"] == [[account(5), account(7)], [account(6)]]


def test_a_row_of_an_older_snapshot_is_not_taken_for_the_one_that_stands_there_now(workspace: Workspace) -> None:
    with pytest.raises(BadInput, match="one of snapshot S0, and runs read S1 now"):
        unmerge(workspace, "crm.a#16@S0", member=None, reason="Two.", by="kim")
    assert dict(review.queue_of(workspace).decisions()) == {}


@pytest.mark.parametrize("name", ["crm.a#99", "crm.b#16", "erp.a#16"])
def test_a_row_that_is_not_there_is_nobody(workspace: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="no such customer"):
        unmerge(workspace, name, member=None, reason="Two.", by="kim")


@pytest.mark.parametrize("name", ["{case}", "crm.a:1", "crm.a#11", "crm.a:2", "crm.a#12@S1"])
def test_a_case_is_named_by_its_number_or_by_a_customer_who_has_no_other(workspace: Workspace, name: str) -> None:
    number = case_of(workspace, 1)
    assert case_named(workspace, name.format(case=number)) == number


def test_a_case_that_waits_is_meant_before_one_that_is_decided(workspace: Workspace) -> None:
    review.queue_of(workspace).put([*DOUBTS, Doubted(account(1), account(5), "mailbox", 1.0, "unsure")], "S1", NOW)
    two = {c["case"]: c["b"] for c in review.cases_of(workspace, everything=False) if c["a"] == account(1)}
    with pytest.raises(BadInput, match="2 cases of this customer"):
        case_named(workspace, account(1))
    first, second = two
    review.decide(workspace, first, "apart", by="kim", reason="Two.")
    assert case_named(workspace, account(1)) == second


def test_a_case_is_found_by_a_row_that_is_one_customer_with_the_one_it_names(workspace: Workspace) -> None:
    review.queue_of(workspace).put([*DOUBTS, Doubted(account(5), account(1), "mailbox", 1.0, "unsure")], "S1", NOW)
    (case,) = [c["case"] for c in review.cases_of(workspace, everything=False) if account(5) in (c["a"], c["b"])]
    assert case_named(workspace, account(7)) == case


@pytest.mark.parametrize("name", ["9" * 19, "9" * 5_000])
def test_a_number_that_no_case_can_have_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="no case of so large a number"):
        case_named(workspace, name)


@pytest.mark.parametrize("name", ["crm.a:\udcff", "\udcff", "crm.a:\x001", "\x00"])
def test_a_name_that_is_no_text_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="is no text"):
        case_named(workspace, name)
    with pytest.raises(BadInput, match="is no text"):
        unmerge(workspace, name, member=None, reason=None, by="kim")


@pytest.mark.parametrize("name", ["crm.a:404", "crm.a#404", "Cy", "5f0c2a52-7a0f-5e0f-8a39-8d3b7a1f2f6e,"])
def test_a_customer_without_a_case_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="no case of this customer"):
        case_named(workspace, name)
