"""What is known of one column once it has been measured: what quality and relations judge by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from migration_assets.stages.profile.shapes import family_of

if TYPE_CHECKING:
    from migration_assets.stages.profile.cells import Column


@dataclass(frozen=True)
class ColumnFacts:
    """What was measured of one column; `row` has the fields of the schema COLUMNS."""

    column: Column
    content: str
    row: Mapping[str, Any]
    forms: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    runs: tuple[tuple[str, int, int], ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    newest: datetime | None = None
    may_vary_in_case: bool = False

    @property
    def family(self) -> str:
        """What kind of thing a value of the column is."""
        return family_of(self.content)
