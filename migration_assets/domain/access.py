"""What a customer may do, in words that both rule sets answer in: spans of time with one answer each.

Belongs here: the records that are compared, and putting touching spans with the same answer together. Not here: any
rule about who is granted what; those are in `legacy` and `target`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import Literal

Overage = Literal["block", "bill", "grace", "none"]
ANYWHERE = "*"


@dataclass(frozen=True)
class Answer:
    """Allowed without limit (`limit` None), up to a limit in the feature's canonical unit, or not at all (limit 0 and
    not allowed). No answer at all is a fourth thing, and is None wherever an answer is looked for (I14)."""

    allowed: bool
    limit: Fraction | None
    overage: Overage


@dataclass(frozen=True)
class Span:
    """One answer for a feature in a region from `starts_at` up to, not including, `ends_at` (None: without end)."""

    feature: str
    region: str
    starts_at: datetime
    ends_at: datetime | None
    answer: Answer


def spans_of(
    feature: str,
    region: str,
    cuts: Iterable[datetime],
    answer_at: Callable[[datetime], Answer | None],
    until: datetime,
) -> tuple[Span, ...]:
    """Spans of one feature and region up to `until`, from the instants at which anything can change.

    Between two cuts nothing changes, so one question at the first of them answers for all of it (Z1).
    """
    instants = sorted({c for c in cuts if c < until} | {until})
    spans: list[Span] = []
    for start, end in pairwise(instants):
        answer = answer_at(start)
        if answer is None:
            continue
        if spans and spans[-1].ends_at == start and spans[-1].answer == answer:
            spans[-1] = replace(spans[-1], ends_at=end)
        else:
            spans.append(Span(feature, region, start, end, answer))
    return tuple(spans)
