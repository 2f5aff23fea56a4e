"""Whether rules earn belief: do they make the invoices that were really issued, line by line, to the minor unit?

A forecast by rules that cannot reproduce the past proves nothing. What differs is a finding with its money, and so is
what cannot be read: an invoice is never left out of the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from migration_assets.domain.bill import Bill, Line

# `invoice_unreadable`, `contract_unreadable`: a part of it is not what billing.yaml says. `tax_unknown`,
# `cannot_be_made`: the rules make no invoice of the contract. `header`: lines do not add up to what the header says.
Reason = Literal[
    "invoice_unreadable",
    "contract_unreadable",
    "tax_unknown",
    "cannot_be_made",
    "no_such_period",
    "billed_twice",
    "header",
    "other_date",
    "line_missing",
    "line_extra",
    "amount",
    "tax",
    "period",
]


@dataclass(frozen=True)
class Issued:
    """An invoice as it was issued: key is its id. `stated_minor`: what its header says, tax included, where that can be
    read; `bill` is None where some part of header or lines cannot."""

    invoice_id: str
    subscription_id: str
    currency: str
    first_day: date | None
    stated_minor: int | None
    bill: Bill | None

    @property
    def issued_minor(self) -> int:
        """What the payer was asked for: by the header, or else by the lines."""
        if self.stated_minor is not None:
            return self.stated_minor
        return 0 if self.bill is None else self.bill.total_minor


@dataclass(frozen=True)
class Verdict:
    """What became of one issued invoice: reproduced when there is no reason.

    `difference_minor`: what the rules make of it less what was issued, tax included; `lines`: kinds that differ.
    """

    issued: Issued
    reasons: tuple[Reason, ...]
    lines: tuple[str, ...]
    difference_minor: int

    @property
    def reproduced(self) -> bool:
        return not self.reasons


def back_test(issued: Iterable[Issued], made: Iterable[Bill], otherwise: Reason = "no_such_period") -> list[Verdict]:
    """A verdict for every issued invoice of one contract, in the order they were issued.

    `otherwise`: why there is nothing to compare with, where nothing was made for a period.
    """
    invoices = sorted(issued, key=lambda i: (i.first_day or date.min, i.invoice_id))
    by_start = {bill.covers.starts_at: bill for bill in made}
    often = Counter(i.bill.covers.starts_at for i in invoices if i.bill is not None)
    found: list[Verdict] = []
    for invoice in invoices:
        if invoice.bill is None:
            found.append(Verdict(invoice, ("invoice_unreadable",), (), -invoice.issued_minor))
            continue
        start = invoice.bill.covers.starts_at
        found.append(_verdict(invoice, invoice.bill, by_start.get(start), otherwise, twice=often[start] > 1))
    return found


def _verdict(issued: Issued, bill: Bill, made: Bill | None, otherwise: Reason, twice: bool) -> Verdict:
    if made is None:
        return Verdict(issued, (otherwise,), (), -issued.issued_minor)
    reasons: list[Reason] = ["billed_twice"] if twice else []
    reasons += ["header"] if issued.stated_minor != bill.total_minor else []
    reasons += ["other_date"] if made.issued_at != bill.issued_at else []
    kinds: list[str] = []
    for old, new in _pairs(bill.lines, made.lines):
        if reason := _line_reason(old, new):
            reasons.append(reason)
            kinds += [line.kind for line in (old, new) if line is not None][:1]
    differs = tuple(dict.fromkeys(reasons)), tuple(dict.fromkeys(kinds))
    return Verdict(issued, *differs, difference_minor=made.total_minor - issued.issued_minor)


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
