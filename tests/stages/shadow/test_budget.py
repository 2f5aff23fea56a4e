"""What nobody signed for, of one cohort and of several together, against what a plan bears."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.access_models import Budget
from migration_assets.stages.shadow.budget import Share, as_rows, bears, kept_share, share_of, together
from migration_assets.stages.shadow.churn import CHURN

EUR, JPY = Share({"EUR": 2}, {"EUR": 300}), Share({"JPY": 1, "EUR": 1}, {"JPY": 9, "EUR": 50})


def test_cohorts_add_up_by_currency() -> None:
    whole = together([EUR, JPY, Share()])
    assert whole == Share({"EUR": 3, "JPY": 1}, {"EUR": 350, "JPY": 9})
    assert whole.number == 4
    assert together([]) == Share()


@pytest.mark.parametrize(
    ("customers", "yearly", "borne"),
    [(4, None, True), (3, None, False), (4, {"EUR": 350, "JPY": 9}, True), (4, {"EUR": 349, "JPY": 9}, False)],
)
def test_each_fits_and_both_together_may_not(customers: int, yearly: dict[str, int] | None, borne: bool) -> None:
    told = {"at_most_customers": customers, "at_most_yearly_minor": yearly, "reason": "looked into by hand"}
    budget = Budget.model_validate({**told, "signed_by": "RevOps", "signed_on": "2026-06-01"})
    assert bears(budget, together([EUR, JPY])) is borne
    assert bears(budget, EUR)


def test_a_share_is_kept_and_counts_for_its_own_basis_only(tmp_path: Path) -> None:
    file = tmp_path / "share.parquet"
    pq.write_table(as_rows(JPY, "s1"), file)
    assert kept_share(file, "s1") == JPY
    assert kept_share(file, "s2") == Share()
    pq.write_table(as_rows(Share(), "s1"), file)
    assert kept_share(file, "s1") == Share()


def test_those_who_were_signed_for_take_nothing_of_it() -> None:
    rows = [
        {"customer_id": "crm.a:1", "status": "unsigned", "yearly_minor": 300, "currency": "EUR"},
        {"customer_id": "crm.a:2", "status": "signed", "yearly_minor": 70, "currency": "EUR"},
        {"customer_id": "crm.a:3", "status": "unsigned", "yearly_minor": 0, "currency": None},
    ]
    with DuckDBEngine() as engine:
        found = share_of(engine, engine.table(pa.Table.from_pylist(rows, CHURN)))
    assert found == Share({"EUR": 1, "": 1}, {"EUR": 300, "": 0})
