"""The back-test of a cohort: the old system's rules against the last invoices it issued for every contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

# Contracts on which rules told otherwise are tried: of those that failed, and of those that did not.
_TRIED_FAILED, _TRIED_PASSED = 500, 200


@dataclass(frozen=True)
class Suggestion:
    """A rule which, told so, would reproduce that many more of the invoices it was tried on."""

    rule: str
    more: int


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
    on others."""
    known = [own for own in each if own in told.contracts]
    exact = {own: sum(v.reproduced for v in each[own]) for own in known}
    failed = [own for own in known if exact[own] < len(each[own])][:_TRIED_FAILED]
    passed = [own for own in known if exact[own] == len(each[own])][:_TRIED_PASSED]

    def more(tried: Sequence[str], other: Rules) -> int:
        return sum(sum(v.reproduced for v in _verdicts(told, o, issued[o], other)) - exact[o] for o in tried)

    found: list[Suggestion] = []
    for name, other in _otherwise(rules):
        gained = more(failed, other)
        if gained > 0:
            found.append(Suggestion(name, gained + more(passed, other)))
    return tuple(sorted((s for s in found if s.more > 0), key=lambda s: (-s.more, s.rule)))


def _otherwise(rules: Rules) -> Iterator[tuple[str, Rules]]:
    """Every way to tell one rule otherwise, by what billing.yaml would say."""
    for rule, kind in get_type_hints(Rules).items():
        for value in get_args(kind):
            if value != getattr(rules, rule):
                yield f"{rule}: {value}", replace(rules, **{rule: value})
