"""Whether a plan is its folder's own: it bears the folder's name, and no plan beside it has the same uuid.

A copied folder is the usual cause of both: databases and state are called by the name, ids are made from the uuid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from migration_assets.domain.errors import Fault, PlanFaults
from migration_assets.plan.models import Plan
from migration_assets.plan.place import line_of
from migration_assets.plan.wording import shown

PLAN = "plan.yaml"
NEW_UUID = "make one with `python -c 'import uuid; print(uuid.uuid4())'`"

# The key as people write it at the left margin; the whole file is not read for it, and may be broken.
_UUID = re.compile(r"""^["']?uuid["']?[ ]*:[ ]*["']?([0-9A-Za-z:{}-]+)""", re.MULTILINE)


def require_own(plan: Plan) -> None:
    """PlanFaults when the plan bears another name than its folder, or the uuid of a plan in a folder beside it."""
    if faults := tuple(_faults(plan)):
        raise PlanFaults(faults)


def _faults(plan: Plan) -> Iterator[Fault]:
    if plan.name != plan.folder.name:
        problem = f"the folder is called {shown(plan.folder.name)}, the plan {shown(plan.name)}"
        remedy = "give the plan its folder's name; a copied plan needs a `uuid` of its own too: " + NEW_UUID
        yield Fault(PLAN, _line(plan, "name"), "name", problem, remedy)
    if others := _same_uuid(plan):
        problem = f"the plan {shown(others[0])} beside this one has the same, and so would have the same ids"
        remedy = f"give the copy a uuid of its own, and keep it in the plan that was loaded first: {NEW_UUID}"
        yield Fault(PLAN, _line(plan, "uuid"), "uuid", problem, remedy)


def _line(plan: Plan, key: str) -> int:
    return line_of(plan.lines.get(PLAN, {}), (key,))


def _same_uuid(plan: Plan) -> list[str]:
    """Names of the folders beside the plan's whose plan has its uuid, in order."""
    here = plan.folder.resolve()
    beside = (f for f in plan.folder.parent.iterdir() if f.resolve() != here and (f / PLAN).is_file())
    return sorted(f.name for f in beside if _uuid_of(f) == plan.file.uuid)


def _uuid_of(folder: Path) -> UUID | None:
    """The uuid of another plan, whatever else is wrong with it; None where it says none."""
    try:
        written = _UUID.search((folder / PLAN).read_text(encoding="utf-8-sig", errors="replace"))
    except OSError:
        return None  # nobody who may not read a plan can run it
    try:
        return UUID(written.group(1)) if written else None
    except ValueError:
        return None
