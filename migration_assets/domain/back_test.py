"""Whether rules earn belief: do they make the invoices that were really issued, line by line, to the minor unit?

A forecast by rules that cannot reproduce the past proves nothing. What differs is a finding with its money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from migration_assets.domain.bill import Bill, Line

Reason = Literal["no_such_period", "other_date", "line_missing", "line_extra", "amount", "tax", "period"]


@dataclass(frozen=True)
class Verdict:
    """What became of one issued invoice: key is subscription and cycle or start. Reproduced when there is no reason.

    `difference_minor`: what the rules make of it less what was issued, tax included; `lines`: kinds that differ.
    """

    subscription_id: str
    issued: Bill
    reasons: tuple[Reason, ...]
    lines: tuple[str, ...]
    difference_minor: int

    @property
    def reproduced(self) -> bool:
        return not self.reasons


def back_test(issued: Iterable[Bill], made: Iterable[Bill]) -> list[Verdict]:
    """A verdict for every issued invoice of one contract, in the order they were issued."""
    by_start = {bill.covers.starts_at: bill for bill in made}
    return [_verdict(bill, by_start.get(bill.covers.starts_at)) for bill in sorted(issued, key=lambda b: b.issued_at)]


def _verdict(issued: Bill, made: Bill | None) -> Verdict:
    if made is None:
        return Verdict(issued.subscription_id, issued, ("no_such_period",), (), -issued.total_minor)
    reasons: list[Reason] = ["other_date"] if made.issued_at != issued.issued_at else []
    kinds: list[str] = []
    for old, new in _pairs(issued.lines, made.lines):
        if reason := _line_reason(old, new):
            reasons.append(reason)
            kinds.append((old or new).kind)  # type: ignore[union-attr]
    return Verdict(
        subscription_id=issued.subscription_id,
        issued=issued,
        reasons=tuple(dict.fromkeys(reasons)),
        lines=tuple(dict.fromkeys(kinds)),
        difference_minor=made.total_minor - issued.total_minor,
    )


def _pairs(issued: Sequence[Line], made: Sequence[Line]) -> list[tuple[Line | None, Line | None]]:
    """Lines of the same kind and item beside each other; of several, by amount."""
    old, new = sorted(issued, key=_place), sorted(made, key=_place)
    pairs: list[tuple[Line | None, Line | None]] = []
    for key in sorted({_key(line) for line in (*old, *new)}):
        ours, theirs = [x for x in old if _key(x) == key], [x for x in new if _key(x) == key]
        most = max(len(ours), len(theirs))
        pairs += zip([*ours, *[None] * (most - len(ours))], [*theirs, *[None] * (most - len(theirs))], strict=True)
    return pairs


def _key(line: Line) -> tuple[str, str]:
    return (line.kind, line.item_id)


def _place(line: Line) -> tuple[str, str, int]:
    return (line.kind, line.item_id, line.amount_minor)


def _line_reason(issued: Line | None, made: Line | None) -> Reason | None:
    if made is None:
        return "line_missing"
    if issued is None:
        return "line_extra"
    if made.amount_minor + made.tax_minor != issued.amount_minor + issued.tax_minor:
        return "amount"
    if made.tax_minor != issued.tax_minor:
        return "tax"
    return "period" if made.covers != issued.covers else None
