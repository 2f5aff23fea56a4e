"""Which loads are taken back, told from the ledger alone."""

from __future__ import annotations

import pytest

from migration_assets.domain.errors import BadInput
from migration_assets.stages.rollback.loads import Load, choose

LOADS = [Load(*load, "snap") for load in ((1, "unassigned"), (2, "pilot"), (3, "base"), (4, "pilot"), (6, "late"))]


def test_all_loads_of_the_cohorts_are_taken_back_and_no_other() -> None:
    chosen = choose(LOADS, ["pilot"])
    assert (chosen.ids, chosen.last.load_id) == ([2, 4], 4)
    assert chosen.standing == {"unassigned": 1, "base": 3, "late": 6}


def test_what_belongs_to_nobody_is_no_cohort_that_has_rows() -> None:
    assert choose(LOADS, ["late", "pilot"]).others == ["base"]


def test_one_cohort_that_is_not_there_stops_all() -> None:
    with pytest.raises(BadInput, match="no load of wave_9") as refused:
        choose(LOADS, ["pilot", "wave_9"])
    assert "base, late, pilot, unassigned" in refused.value.remedy
