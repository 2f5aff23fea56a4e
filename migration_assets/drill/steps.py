"""Takes steps of a case, a stage at a time, until something is found."""

from __future__ import annotations

from collections.abc import Sequence

from migration_assets.domain.errors import CutoverError, Misconfigured
from migration_assets.drill.clean import EMPTY, FULL, Case
from migration_assets.drill.heard import Heard
from migration_assets.plan.ownership import UNASSIGNED

# asset and whose turn: everything (`_all`), the cohort, or what belongs to no customer
Step = tuple[str, str]
# Stages that ask the target something or write to it, and stages that make the control database say something else.
_AT_TARGET = frozenset({"customer_identities", "reference_data", "loaded_target", "reconciliation"})
_AT_CONTROL = frozenset({"customer_identities", "cohort_plan"})


def recheck(case: Case, asset: str, partition: str, touched: set[str], heard: Heard) -> str | None:
    """Ask the checks of a stage that read what was changed, on its files as they are in this case."""
    before = case.clean.judged[asset, partition]
    tables = {name: case.moved(files) for name, files in before.tables.items()}
    return heard.first(case.bench.check(asset, partition, tables, before.may_be_empty, touched), partition)


def through(case: Case, steps: Sequence[Step], heard: Heard, *, fresh: bool = True) -> str | None:
    """Take the steps until something is found. `fresh`: the target is made anew, empty unless all that is left is to
    look at it or the cohort stands in it already."""
    at_target, at_control = fresh, True
    template = FULL if all(a == "reconciliation" or p == UNASSIGNED for a, p in steps) else EMPTY
    for asset, partition in steps:
        if at_target and asset in _AT_TARGET:
            case.target(template)
            at_target = False
        if at_control and asset in _AT_CONTROL:
            case.control()
            at_control = False
        try:
            judged = case.bench.run(asset, partition)
        except Misconfigured:
            raise
        except CutoverError as refused:
            return f"{asset}/refuses: {type(refused).__name__}"
        if found := heard.first(judged, partition):
            return found
    return None
