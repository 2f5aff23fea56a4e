"""Arithmetic of a control total: what the source held, what was left behind and why, and what the target holds.

Pure: exact decimals in, exact decimals out. Nothing here knows where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Kind = Literal["count", "sum", "day_sum", "midnight_sum", "number_sum", "text_sum", "code_count", "linked_count"]


@dataclass(frozen=True)
class SourceTotal:
    """One measure in one currency on the raw source, whole and by what became of its rows.

    `excluded` includes rows merged into others: they are left out of the target on purpose too. `rows` were looked at;
    `unreadable` of those that should be in the target held text that is no exact number or date. A rejected row with
    such a text is accounted for by its rejection.
    """

    total: Decimal
    rejected: Decimal
    excluded: Decimal
    rows: int
    unreadable: int


@dataclass(frozen=True)
class TargetTotal:
    total: Decimal
    rows: int


@dataclass(frozen=True)
class Tie:
    """One control in one currency, tied out. Amounts are minor units (sum), rows (count, code_count, linked_count),
    days (day_sum, midnight_sum), pieces (number_sum) or digests (text_sum)."""

    measure: str
    kind: Kind
    currency: str
    source: Decimal
    rejected: Decimal
    excluded: Decimal
    waived: Decimal
    target: Decimal
    source_rows: int
    target_rows: int
    unreadable: int

    @property
    def difference(self) -> Decimal:
        return self.source - self.rejected - self.excluded - self.waived - self.target

    @property
    def ok(self) -> bool:
        """Whether it ties. What the source holds and nobody can read may be anything: where the mapping sets such a
        value aside, nothing stands against nothing, and that is no proof."""
        return self.difference == 0 and not self.unreadable

    @property
    def saw_rows(self) -> bool:
        return bool(self.source_rows or self.target_rows)


def tie_out(
    measure: str, kind: Kind, source: Mapping[str, SourceTotal], target: Mapping[str, TargetTotal]
) -> tuple[Tie, ...]:
    """Ties by currency; a currency that only one side has stands against zero. Never a sum across currencies.

    A control that saw no row on either side gives one tie without a currency, so that its silence can be seen.
    """
    nothing, none = SourceTotal(Decimal(0), Decimal(0), Decimal(0), 0, 0), TargetTotal(Decimal(0), 0)
    currencies = sorted({*source, *target}) or [""]
    pairs = {c: (source.get(c, nothing), target.get(c, none)) for c in currencies}
    return tuple(
        Tie(measure, kind, c, s.total, s.rejected, s.excluded, Decimal(0), t.total, s.rows, t.rows, s.unreadable)
        for c, (s, t) in pairs.items()
    )
