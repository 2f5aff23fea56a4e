"""What a golden copy tells of the source's columns: for checking a plan against, and for documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migration_assets.connectors.golden_parquet import ROW
from migration_assets.plan.entries import read_from

if TYPE_CHECKING:
    from migration_assets.plan.models import Plan
    from migration_assets.stages.golden_copy.manifest import Manifest


def raw_columns(manifest: Manifest, plan: Plan) -> dict[str, dict[str, str]]:
    """Column -> type in the golden copy, by `system.table`.

    Only tables that the plan still reads from where the copy has them from: of others the copy knows nothing. Secret
    columns were never read, and `_row` is the copy's own.
    """
    return {
        name: {column: kind for column, kind in manifest.tables[name].columns.items() if column != ROW}
        for name in plan.source_tables
        if name not in unread_tables(manifest, plan)
    }


def declared_types(manifest: Manifest, plan: Plan) -> dict[str, dict[str, str]]:
    """Column -> type as the source itself calls it, where it has a word for it: for people, not for checks."""
    return {
        name: {column: manifest.tables[name].declared.get(column) or kind for column, kind in columns.items()}
        for name, columns in raw_columns(manifest, plan).items()
    }


def unread_tables(manifest: Manifest, plan: Plan) -> tuple[str, ...]:
    """Tables of the plan that the copy does not hold, or holds from elsewhere or cut otherwise than it says now."""
    return tuple(
        name
        for name in plan.source_tables
        if name not in manifest.tables or manifest.tables[name].read_from != read_from(plan, name)
    )
