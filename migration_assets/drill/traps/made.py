"""How a trap in what a stage has made is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migration_assets.drill.changes import Alter, Remove
from migration_assets.drill.trap import Trap


def altered(
    id: str, asset: str, what: str, table: str, set: Mapping[str, str], where: str = "true", alone: Sequence[str] = ()
) -> Trap:
    """One row for which `where` holds has other values; no other one is like it in the columns `alone`."""
    return Trap(id, "transformed", what, (Alter(table, set, where, alone=tuple(alone)),), asset)


def removed(id: str, asset: str, what: str, table: str, where: str = "true", alone: Sequence[str] = ()) -> Trap:
    """One row for which `where` holds is not there; no other one is like it in the columns `alone`."""
    return Trap(id, "transformed", what, (Remove(table, where, alone=tuple(alone)),), asset)
