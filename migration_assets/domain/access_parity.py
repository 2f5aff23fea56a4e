"""What changes for a customer between two accounts of what they may do, over time (Z1, I15).

Spans are cut where either side changes, so that nothing is sampled; neighbouring pieces that differ in the same way are
one difference. A loss is less than before, a gain more; a change of policy past the limit, or between forbidden and not
mentioned, is neither and is still a difference. What would happen past a limit is none where both allow all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from migration_assets.domain.access import Answer, Span

DifferenceKind = Literal["loss", "gain", "change"]
_WITHOUT_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class AccessDifference:
    """One difference: key is feature, region and start. `before`, `after`: the answers, None where there is none."""

    feature: str
    region: str
    starts_at: datetime
    ends_at: datetime | None
    kind: DifferenceKind
    before: Answer | None
    after: Answer | None


def access_differences(before: Iterable[Span], after: Iterable[Span]) -> tuple[AccessDifference, ...]:
    """Every difference between what one customer could do before and can do after, by feature, region and time."""
    old, new = _by_subject(before), _by_subject(after)
    found: list[AccessDifference] = []
    for feature, region in sorted(old.keys() | new.keys()):
        found += _compared(feature, region, old.get((feature, region), []), new.get((feature, region), []))
    return tuple(found)


def kind_of(before: Answer | None, after: Answer | None) -> DifferenceKind:
    """Whether a difference takes away, gives or neither."""
    was, now = _extent(before), _extent(after)
    if was == now:
        return "change"
    return "gain" if now > was else "loss"


def _extent(answer: Answer | None) -> tuple[int, Fraction]:
    """Sortable: nothing, then limits by size, then no limit."""
    if answer is None or not answer.allowed:
        return (0, Fraction(0))
    return (2, Fraction(0)) if answer.limit is None else (1, answer.limit)


def _by_subject(spans: Iterable[Span]) -> dict[tuple[str, str], list[Span]]:
    by_subject: dict[tuple[str, str], list[Span]] = {}
    for span in spans:
        by_subject.setdefault((span.feature, span.region), []).append(span)
    return by_subject


def _compared(feature: str, region: str, before: Sequence[Span], after: Sequence[Span]) -> list[AccessDifference]:
    cuts = sorted({c for s in (*before, *after) for c in (s.starts_at, s.ends_at or _WITHOUT_END)})
    found: list[AccessDifference] = []
    for start, end in pairwise(cuts):
        was, now = _at(before, start), _at(after, start)
        if _alike(was, now):
            continue
        last = found[-1] if found else None
        if last is not None and last.ends_at == start and (last.before, last.after) == (was, now):
            found[-1] = replace(last, ends_at=end)
        else:
            found.append(AccessDifference(feature, region, start, end, kind_of(was, now), was, now))
    return [replace(d, ends_at=None) if d.ends_at == _WITHOUT_END else d for d in found]


def _alike(was: Answer | None, now: Answer | None) -> bool:
    """Whether two answers come to the same: where all or nothing is allowed, nobody gets past a limit."""
    if was is None or now is None:
        return was is now
    limited = was.allowed and was.limit is not None
    return (was.allowed, was.limit) == (now.allowed, now.limit) and (not limited or was.overage == now.overage)


def _at(spans: Sequence[Span], instant: datetime) -> Answer | None:
    return next((s.answer for s in spans if s.starts_at <= instant < (s.ends_at or _WITHOUT_END)), None)
