"""What differs between two series of bills, and why, to the minor unit (Z2).

The cause of a difference is worked out and never guessed: the new platform's bills are made again with one rule after
the other as the old system has it, and what an exchange changes is the money of that cause. The steps add up to the
whole difference exactly; what is left after the last one is unexplained. Where rows of the old system were rejected,
its bills are made without them too, so that what they come to is told apart. A line that comes to nothing, such as one
for what is included, may stand on one side alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from migration_assets.domain.bill import Bill, Line, LineKind

# What is left when every declared rule has been exchanged.
UNEXPLAINED = "unexplained"
# What rows come to that the move has rejected or left out.
REJECTED = "rejected"
# Subscription and number of the billing cycle.
CycleKey = tuple[str, int]


@dataclass(frozen=True, order=True)
class BillDifference:
    """One bill that is not the same: key is subscription, cycle and cause. `difference_minor`: target less legacy.

    `line_kinds`: kinds of the lines that make the difference; none, and no money, where only date or period differs.
    """

    subscription_id: str
    cycle: int
    currency: str
    cause: str
    difference_minor: int
    line_kinds: tuple[LineKind, ...]


def bill_differences(
    legacy: Iterable[Bill],
    target: Iterable[Bill],
    steps: Sequence[tuple[str, Iterable[Bill]]],
    without_rejected: Iterable[Bill] | None = None,
) -> tuple[BillDifference, ...]:
    """Every bill that differs, by cause.

    `steps`: the target's bills with one more rule exchanged each time, named by the rule; in order. `without_rejected`:
    the old system's bills as they would be without what was rejected, where anything was.
    """
    names = [name for name, _ in steps] + [UNEXPLAINED]
    series = [_by_key(target), *(_by_key(bills) for _, bills in steps)]
    if without_rejected is not None:
        names.append(REJECTED)
        series.append(_by_key(without_rejected))
    series.append(_by_key(legacy))
    found: list[BillDifference] = []
    for key in sorted({key for each in series for key in each}):
        for name, (after, before) in zip(names, pairwise(each.get(key) for each in series), strict=True):
            found += _difference(key, name, before, after)
    return tuple(found)


def _by_key(bills: Iterable[Bill]) -> Mapping[CycleKey, Bill]:
    return {(b.subscription_id, b.cycle): b for b in bills}


def _difference(key: CycleKey, cause: str, before: Bill | None, after: Bill | None) -> list[BillDifference]:
    old, new = _lines(before), _lines(after)
    kinds = sorted({kind for kind, _, _ in {*old, *new} if _of_kind(old, kind) != _of_kind(new, kind)})
    if not kinds and _when(before) == _when(after):
        return []
    money = (after.total_minor if after else 0) - (before.total_minor if before else 0)
    shown = after or before
    return [BillDifference(*key, shown.currency if shown else "", cause, money, tuple(kinds))]


def _lines(bill: Bill | None) -> dict[tuple[LineKind, str, int], Line]:
    """Lines that come to anything, by kind, item and place among those of the same kind and item."""
    seen: dict[tuple[LineKind, str], int] = {}
    lines: dict[tuple[LineKind, str, int], Line] = {}
    for line in (x for x in bill.lines if x.amount_minor or x.tax_minor) if bill else ():
        place = seen[line.kind, line.item_id] = seen.get((line.kind, line.item_id), -1) + 1
        lines[line.kind, line.item_id, place] = line
    return lines


def _of_kind(lines: Mapping[tuple[LineKind, str, int], Line], kind: LineKind) -> dict[object, Line]:
    return {key: line for key, line in lines.items() if key[0] == kind}


def _when(bill: Bill | None) -> object:
    return bill and (bill.issued_at, bill.covers, bill.currency)
