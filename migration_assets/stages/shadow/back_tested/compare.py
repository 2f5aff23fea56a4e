"""The back-test of a cohort: the old system's rules against the last invoices it issued for every contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import get_args, get_type_hints

from migration_assets.domain.back_test import Issued, Reason, Verdict, back_test
from migration_assets.domain.bill import Bill
from migration_assets.domain.calendar import CalendarError, midnight
from migration_assets.domain.legacy.invoices import invoices
from migration_assets.domain.legacy.tax import TaxUnknown
from migration_assets.domain.legacy.terms import Contract, Rules
from migration_assets.domain.money import MoneyError
from migration_assets.stages.shadow.back_tested.told import Told

# Contracts that failed on which rules told otherwise are tried.
_TRIED_FAILED = 500


@dataclass(frozen=True)
class Suggestion:
    """A rule which, told so, would reproduce that many more of the invoices it was tried on, less those it spoils.

    `contracts`: of how many contracts it reproduces more, less those of which it reproduces fewer.
    """

    rule: str
    more: int
    contracts: int


@dataclass(frozen=True)
class Found:
    """What a back-test found: a verdict for each issued invoice, and rules that would have fitted better, best first.

    `unreadable`: how many contracts cannot be billed again, by what is wrong with them.
    """

    verdicts: tuple[Verdict, ...]
    suggestions: tuple[Suggestion, ...]
    unreadable: Mapping[str, int]


def back_tested(told: Told, issued: Mapping[str, Sequence[Issued]], rules: Rules) -> Found:
    """Every contract's last invoices made again, and what would make more of them."""
    each = {own: _verdicts(told, own, of_one, rules) for own, of_one in sorted(issued.items())}
    wrong = list(told.unreadable.values())
    return Found(
        verdicts=tuple(v for found in each.values() for v in found),
        suggestions=suggestions(told, issued, each, rules),
        unreadable={why: wrong.count(why) for why in sorted(set(wrong))},
    )


def _verdicts(told: Told, own: str, issued: Sequence[Issued], rules: Rules) -> list[Verdict]:
    contract = told.contracts.get(own)
    if contract is None:
        return back_test(issued, [], "contract_unreadable")
    return back_test(issued, *_made(contract, issued, rules))


def _made(contract: Contract, issued: Sequence[Issued], rules: Rules) -> tuple[list[Bill], Reason]:
    """The contract's bills for the periods that were issued, and why there are no more where there should be."""
    days = [i.first_day for i in issued if i.bill is not None and i.first_day is not None]
    made: list[Bill] = []
    try:
        for bill in _between(contract, days, rules):
            made.append(bill)
    except TaxUnknown:
        return made, "tax_unknown"
    except (CalendarError, MoneyError):
        return made, "cannot_be_made"
    return made, "no_such_period"


def _between(contract: Contract, days: Sequence[date], rules: Rules) -> Iterator[Bill]:
    """Bills of the periods that begin from the first to the last of these days."""
    if not days:
        return
    last = midnight(max(days), contract.zone)
    for bill in invoices(contract, rules, since=min(days)):
        if bill.covers.starts_at > last:
            return
        yield bill


def suggestions(
    told: Told, issued: Mapping[str, Sequence[Issued]], each: Mapping[str, Sequence[Verdict]], rules: Rules
) -> tuple[Suggestion, ...]:
    """Which single rule told otherwise would reproduce more: what it gains on contracts that failed, less what it loses
    on all others."""
    known = [own for own in each if own in told.contracts]
    exact = {own: sum(v.reproduced for v in each[own]) for own in known}
    failed = [own for own in known if exact[own] < len(each[own])][:_TRIED_FAILED]
    passed = [own for own in known if exact[own] == len(each[own])]

    def changes(tried: Sequence[str], other: Rules) -> Iterator[int]:
        return (sum(v.reproduced for v in _verdicts(told, o, issued[o], other)) - exact[o] for o in tried)

    tried = ((name, list(changes(failed, other)), changes(passed, other)) for name, other in _otherwise(rules))
    found = (_suggested(name, gained, lost) for name, gained, lost in tried)
    return tuple(sorted((s for s in found if s is not None), key=lambda s: (-s.more, s.rule)))


def _suggested(rule: str, gained: Iterable[int], lost: Iterable[int]) -> Suggestion | None:
    """The suggestion, or None as soon as the rule has lost what it had gained: one that does not hold in general shows
    it on the first contracts, and only one that does is tried on all."""
    net = Suggestion(rule, 0, 0)
    for change in gained:
        net = _and(net, change)
    for change in lost:
        if net.more <= 0:
            return None
        net = _and(net, change)
    return net if net.more > 0 else None


def _and(so_far: Suggestion, change: int) -> Suggestion:
    sign = (change > 0) - (change < 0)
    return Suggestion(so_far.rule, so_far.more + change, so_far.contracts + sign)


def _otherwise(rules: Rules) -> Iterator[tuple[str, Rules]]:
    """Every way to tell one rule otherwise, by what billing.yaml would say."""
    for rule, kind in get_type_hints(Rules).items():
        for value in get_args(kind):
            if value != getattr(rules, rule):
                yield f"{rule}: {value}", replace(rules, **{rule: value})
