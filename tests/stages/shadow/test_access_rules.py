"""Which differences of access stop a cohort: what was lost, and what was read wrongly; a gift is told and does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import Suite, load_suite

EXPECTATIONS = Path(__file__).parents[3] / "expectations"
DIFFERENCE: dict[str, Any] = {
    "customer_id": "crm.accounts:1", "region": "*", "kind": "gain", "status": "unsigned", "excused": False,
    "before_allowed": None, "after_allowed": True, "yearly_minor": 1200, "currency": "EUR",
}  # fmt: skip
LISTED = {"access_gained": False}


def failed(suite: str, folder: Path, **said: object) -> dict[str, bool]:
    """Checks that fail on one difference, and whether they stop the cohort."""
    rules = tuple(r for r in load_suite(EXPECTATIONS / f"{suite}.yaml").rules if r.table == "access_differences")
    tables = {"access_differences": folder / "differences.parquet", "access": folder / "access.parquet"}
    rows = pa.Table.from_pylist([DIFFERENCE | said])
    place = rows.column_names.index("before_allowed")
    rows = rows.set_column(place, "before_allowed", rows["before_allowed"].cast(pa.bool_()))
    pq.write_table(rows, tables["access_differences"])
    pq.write_table(pa.table({"legacy_spans": pa.array([3], pa.int64())}), tables["access"])
    results = run_suite(Suite(asset=suite, rules=rules), tables)
    assert all(r.rows_checked == 3 for r in results)
    return {r.check: r.blocks for r in results if not r.passed}


@pytest.mark.parametrize("suite", ["shadow_billing", "verified_billing"])
def test_more_of_what_the_old_system_limits_was_read_wrongly(suite: str, tmp_path: Path) -> None:
    """A higher limit, and something where it says nothing; signed for it is neither."""
    for before in (True, False):
        assert failed(suite, tmp_path, before_allowed=before) == LISTED | {"limits_mean_the_same": True}
    assert failed(suite, tmp_path, before_allowed=True, status="signed") == {}


@pytest.mark.parametrize("suite", ["shadow_billing", "verified_billing"])
def test_what_was_never_said_is_a_gift_unless_it_is_for_another_country(suite: str, tmp_path: Path) -> None:
    assert failed(suite, tmp_path) == LISTED
    assert failed(suite, tmp_path, region="FR") == LISTED | {"same_in_every_country": True}
    assert failed(suite, tmp_path, region="FR", status="signed") == {}


@pytest.mark.parametrize("suite", ["shadow_billing", "verified_billing"])
def test_a_loss_and_another_policy_stop(suite: str, tmp_path: Path) -> None:
    lost = failed(suite, tmp_path, kind="loss", before_allowed=True, after_allowed=None)
    assert lost == {"access_kept_or_signed": True}
    assert failed(suite, tmp_path, kind="change", before_allowed=True) == {"same_policy_past_the_limit": True}
