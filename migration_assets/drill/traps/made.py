"""How a trap in what a stage has made is written down."""

from __future__ import annotations

from collections.abc import Mapping

from migration_assets.drill.changes import Alter, Remove
from migration_assets.drill.trap import Trap


def altered(id: str, asset: str, what: str, table: str, set: Mapping[str, str], where: str = "true") -> Trap:
    """One row for which `where` holds has other values."""
    return Trap(id, "transformed", what, (Alter(table, set, where),), asset)


def removed(id: str, asset: str, what: str, table: str, where: str = "true") -> Trap:
    """One row for which `where` holds is not there."""
    return Trap(id, "transformed", what, (Remove(table, where),), asset)
