"""The back-test of a cohort: the old system's rules against the last invoices it issued for every contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from migration_assets.domain.back_test import Verdict, back_test
from migration_assets.domain.bill import Bill
from migration_assets.domain.legacy.invoices import invoices
from migration_assets.domain.legacy.tax import TaxUnknown
from migration_assets.domain.legacy.terms import Contract, Rules

if TYPE_CHECKING:
    from datetime import datetime


# One rule of the old system told otherwise: what a back-test names when the plan has it wrong.
OTHERWISE: Sequence[tuple[str, Mapping[str, str]]] = (
    ("proration: 30e_360", {"proration": "30e_360"}),
    ("proration: actual_days", {"proration": "actual_days"}),
    ("rounded_at: line", {"rounded_at": "line"}),
    ("rounded_at: invoice", {"rounded_at": "invoice"}),
    ("taxed_at: line", {"taxed_at": "line"}),
    ("taxed_at: invoice", {"taxed_at": "invoice"}),
    *((f"rounding: {mode}", {"rounding": mode}) for mode in ("half_up", "half_down", "half_even", "up", "down")),
)


@dataclass(frozen=True)
class Suggestion:
    """A rule which, told so, would reproduce that many more of the invoices that were not; the best comes first."""

    rule: str
    more: int


@dataclass(frozen=True)
class Found:
    """What a back-test found: a verdict for each issued invoice, and rules that would have fitted better."""

    verdicts: tuple[Verdict, ...]
    suggestions: tuple[Suggestion, ...]


def back_tested(contracts: Iterable[Contract], issued: Mapping[str, Sequence[Bill]], rules: Rules) -> Found:
    """Every contract's last invoices made again, and what would make more of them."""
    found: list[Verdict] = []
    failed: list[tuple[Contract, Sequence[Bill]]] = []
    for contract, of_one in verdicts(contracts, issued, rules):
        found += of_one
        if contract is not None and not all(v.reproduced for v in of_one):
            failed.append((contract, [v.issued for v in of_one]))
    return Found(tuple(found), suggestions(failed, rules))


def verdicts(
    contracts: Iterable[Contract], issued: Mapping[str, Sequence[Bill]], rules: Rules
) -> Iterator[tuple[Contract | None, list[Verdict]]]:
    """For each contract with issued invoices, what became of them; without the contract where it cannot be read."""
    left = dict(issued)
    for contract in contracts:
        bills = left.pop(contract.contract_id, None)
        if bills:
            yield contract, back_test(bills, _made(contract, rules, bills[-1].covers.starts_at))
    for bills in left.values():
        yield None, back_test(bills, [])


def _made(contract: Contract, rules: Rules, last: datetime) -> list[Bill]:
    try:
        return list(takewhile(lambda bill: bill.covers.starts_at <= last, invoices(contract, rules)))
    except TaxUnknown:
        return []


def suggestions(
    failed: Sequence[tuple[Contract, Sequence[Bill]]], rules: Rules, most: int = 500
) -> tuple[Suggestion, ...]:
    """Which single rule told otherwise would reproduce more, tried on the first `most` contracts that failed."""
    tried = failed[:most]
    found = []
    for name, change in OTHERWISE:
        other = replace(rules, **change)  # type: ignore[arg-type]
        if other != rules:
            more = sum(_reproduced(c, bills, other) - _reproduced(c, bills, rules) for c, bills in tried)
            found.append(Suggestion(name, more))
    return tuple(sorted((s for s in found if s.more > 0), key=lambda s: (-s.more, s.rule)))


def _reproduced(contract: Contract, bills: Sequence[Bill], rules: Rules) -> int:
    return sum(v.reproduced for v in back_test(bills, _made(contract, rules, bills[-1].covers.starts_at)))
