"""Who would notice a move: each customer once, with all that hits them, and whether a budget bears it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.access_models import Budget
from migration_assets.stages.shadow.budget import Share, bears
from migration_assets.stages.shadow.churn import excused, guarded

ANN, BEN, CAT = "crm.accounts:A-1", "crm.accounts:A-2", "crm.accounts:A-3"
# Contract 1 and 2 are Ann's, 3 is Ben's, 4 is Cat's.
CONTRACTS = {"contract_id": list("1234"), "customer": [ANN, ANN, BEN, CAT]}
WORTH = {"customer_id": [ANN, BEN], "yearly_minor": [1_000, 70], "currency": ["EUR", "JPY"]}
Row = dict[str, Any]
_BILLS = pa.schema(
    [
        *((n, pa.string()) for n in ("contract_id", "cause", "status", "line_kinds")),
        *((n, pa.int64()) for n in ("cycle", "difference_minor")),
    ]
)
_ACCESS = pa.schema([*((n, pa.string()) for n in ("customer_id", "kind", "status")), ("after_allowed", pa.bool_())])


def bill(contract: str, minor: int, status: str = "unsigned", cycle: int = 0, kinds: str = "recurring") -> Row:
    told = {"contract_id": contract, "cause": "unexplained", "status": status, "cycle": cycle}
    return {**told, "difference_minor": minor, "line_kinds": kinds}


def access(customer: str, kind: str = "loss", status: str = "unsigned", after: bool | None = False) -> Row:
    return {"customer_id": customer, "kind": kind, "status": status, "after_allowed": after}


def budget(customers: int = 1, **yearly: int) -> Budget:
    told = {"at_most_customers": customers, "at_most_yearly_minor": yearly or None, "reason": "looked into by hand"}
    return Budget.model_validate({**told, "signed_by": "RevOps", "signed_on": "2026-06-01"})


def notice(
    bills: Sequence[Row] = (), rights: Sequence[Row] = (), allowed: Budget | None = None
) -> tuple[dict[str, Row], bool]:
    def borne(share: Share) -> tuple[bool, str]:
        return allowed is not None and bears(allowed, share), ""

    with DuckDBEngine() as engine:
        told = [engine.table(pa.Table.from_pylist(list(r), s)) for r, s in ((bills, _BILLS), (rights, _ACCESS))]
        found = guarded(engine, *told, engine.table(pa.table(CONTRACTS)), engine.table(pa.table(WORTH)), borne)
        marked = engine.arrow(excused(told[0], found)).to_pylist()
        assert {r["excused"] for r in marked} <= {found.within_budget, False}
        assert not [r for r in marked if r["excused"] and r["status"] != "unsigned"]
        return {r["customer_id"]: r for r in engine.arrow(found.churn).to_pylist()}, found.within_budget


def test_all_that_hits_a_customer_comes_together_in_one_row() -> None:
    bills = [bill("1", 30), bill("1", -10, cycle=1), bill("2", 5), bill("3", 0, kinds="")]
    found, _ = notice(bills, [access(ANN), access(ANN, status="signed"), access(CAT, "gain")])
    assert set(found) == {ANN, BEN}
    ann = found[ANN]
    assert (ann["access_lost"], ann["bills_more"], ann["more_minor"], ann["bills_less"], ann["less_minor"]) == (
        2,
        2,
        35,
        1,
        10,
    )
    assert (ann["status"], ann["yearly_minor"], ann["currency"]) == ("unsigned", 1_000, "EUR")
    assert (found[BEN]["bills_moved"], found[BEN]["bills_more"], found[BEN]["yearly_minor"]) == (1, 0, 70)


def test_what_one_cause_adds_and_another_takes_is_neither_more_nor_less() -> None:
    assert notice([bill("1", 3), {**bill("1", -3, "signed"), "cause": "round_at"}]) == ({}, False)


def test_a_customer_is_called_by_the_worst() -> None:
    for statuses, worst in ((("signed", "rejected"), "rejected"), (("rejected", "unsigned"), "unsigned")):
        found, _ = notice([bill("1", 3, s, cycle=n) for n, s in enumerate(statuses)])
        assert found[ANN]["status"] == worst


def test_another_policy_past_a_limit_is_noticed_and_a_ban_for_what_nobody_had_is_not() -> None:
    found, _ = notice(
        rights=[access(ANN, "change", after=True), access(BEN, "change"), access(CAT, "change", after=None)]
    )
    assert set(found) == {ANN}


@pytest.mark.parametrize(
    ("allowed", "within"),
    [
        (None, False),
        (budget(1), False),
        (budget(2), True),
        (budget(2, EUR=1_000, JPY=70), True),
        (budget(2, EUR=999, JPY=70), False),
        # A currency that is not named has no budget.
        (budget(2, EUR=1_000), False),
    ],
)
def test_a_budget_bears_so_many_customers_and_so_much_of_what_they_are_billed(
    allowed: Budget | None, within: bool
) -> None:
    assert notice([bill("1", 3), bill("3", 3), bill("4", 3, "signed")], allowed=allowed)[1] is within


def test_nobody_who_notices_anything_is_within_any_budget() -> None:
    assert notice(allowed=budget(1)) == ({}, True)
