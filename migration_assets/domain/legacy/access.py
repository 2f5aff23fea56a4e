"""What the old system lets a customer do, instant by instant.

A contract gives access on its days, first and last included, trial included; not in a pause, from its first day up to
the day service is back; and while past due only up to the last day of grace (I9, I15). On such a day every item that
covers it grants what its product grants, times its quantity where the grant is for each unit. Grants of one contract
add up; where one allows and another forbids, the add-on speaks before the plan. Contracts add up too, and one without a
country serves everywhere. An override for the customer replaces all that, one for the country before one for
everywhere, and of two the one that came later; it keeps the policy past the limit of the answer it amends, also while
the contract is paused or its grace is over. One for everywhere that amends nothing in a country keeps what holds where
the customer has contracts: what is counted is counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction

from migration_assets.domain.access import ANYWHERE, Answer, Overage, Span, spans_of
from migration_assets.domain.calendar import local_day, midnight
from migration_assets.domain.legacy.prices import covers, items_on
from migration_assets.domain.legacy.terms import Contract, Item, Rules


@dataclass(frozen=True)
class Grant:
    """What owning a product grants of a feature; `limit` None is unlimited, 0 forbids. No grant, no row."""

    product: str
    feature: str
    limit: Fraction | None
    for_each_unit: bool
    overage: Overage


@dataclass(frozen=True)
class Override:
    """An override for one customer and feature; `country` None: everywhere."""

    override_id: str
    feature: str
    country: str | None
    limit: Fraction | None
    zone: str
    first_day: date
    last_day: date | None


@dataclass(frozen=True)
class Held:
    """A contract and until when it gives access while past due; `grace_last_day` None: it is not past due."""

    contract: Contract
    grace_last_day: date | None = None


@dataclass(frozen=True)
class _Granted:
    """What one item grants at an instant."""

    contract_id: str
    add_on: bool
    limit: Fraction | None
    overage: Overage


# What contracts grant at an instant in a region (None: in any), halted or not.
_Amended = Callable[[datetime, "str | None"], "Answer | None"]


def access(
    held: Sequence[Held],
    overrides: Sequence[Override],
    grants: Sequence[Grant],
    rules: Rules,
    since: datetime,
    until: datetime,
) -> tuple[Span, ...]:
    """Everything one customer may do from `since` to `until`, by feature, region and time."""
    cuts = {since, *_cuts(held, overrides)}
    later = [c for c in cuts if c >= since]
    found: list[Span] = []
    for feature, region in sorted(_subjects(held, overrides, grants)):

        def amended(instant: datetime, region: str | None, feature: str = feature) -> Answer | None:
            return _together(_granted(held, grants, rules, feature, region, instant, halted=True))

        def answer_at(
            instant: datetime, feature: str = feature, region: str = region, amended: _Amended = amended
        ) -> Answer | None:
            beneath = list(_granted(held, grants, rules, feature, region, instant))
            return _overridden(overrides, feature, region, instant, amended) or _together(beneath)

        found += spans_of(feature, region, later, answer_at, until)
    return tuple(found)


def _subjects(held: Sequence[Held], overrides: Sequence[Override], grants: Sequence[Grant]) -> set[tuple[str, str]]:
    """Features and regions there can be an answer for: where contracts serve, and where overrides say so."""
    regions = {h.contract.service_country or ANYWHERE for h in held} | {e.country or ANYWHERE for e in overrides}
    features = {g.feature for g in grants} | {e.feature for e in overrides}
    return {(feature, region) for feature in features for region in regions}


def _granted(
    held: Sequence[Held],
    grants: Sequence[Grant],
    rules: Rules,
    feature: str,
    region: str | None,
    instant: datetime,
    halted: bool = False,
) -> Iterator[_Granted]:
    """What is granted in a region; None: in any. `halted`: also by contracts that give no access for the time being."""
    for each in held:
        contract, day = each.contract, local_day(instant, each.contract.zone)
        reaches = region is None or (contract.service_country or ANYWHERE) in (region, ANYWHERE)
        if not reaches or not gives_access(each, day, halted):
            continue
        for item in items_on(contract, rules, day):
            if covers(item, day):
                yield from _of_item(contract, item, grants, feature)


def gives_access(held: Held, day: date, halted: bool = False) -> bool:
    """Whether a contract gives access on a local day; `halted`: or would, but for a pause or the end of its grace."""
    contract = held.contract
    runs = contract.first_day <= day and (contract.last_day is None or day <= contract.last_day)
    canceled = any(c.kind == "cancel" and c.first_day <= day for c in contract.changes)
    paused = (
        contract.paused_on is not None
        and contract.paused_on <= day
        and (contract.resumes_on is None or day < contract.resumes_on)
    )
    in_grace = held.grace_last_day is None or day <= held.grace_last_day
    return runs and not canceled and (halted or (not paused and in_grace))


def _of_item(contract: Contract, item: Item, grants: Sequence[Grant], feature: str) -> Iterator[_Granted]:
    for grant in grants:
        if (grant.product, grant.feature) == (item.product, feature):
            times = item.quantity if grant.for_each_unit else 1
            limit = None if grant.limit is None else grant.limit * times
            yield _Granted(contract.contract_id, item.kind != "base", limit, grant.overage)


def _together(granted: Iterable[_Granted]) -> Answer | None:
    """One answer for all grants: contract by contract the winning side, then everything that allows added up."""
    by_contract: dict[str, list[_Granted]] = {}
    for each in granted:
        by_contract.setdefault(each.contract_id, []).append(each)
    standing = [g for of_one in by_contract.values() for g in _winners(of_one)]
    allowing = [g for g in standing if g.limit != 0]
    if not standing:
        return None
    if not allowing:
        return Answer(allowed=False, limit=Fraction(0), overage=_policy(standing))
    limits = [g.limit for g in allowing]
    total = None if None in limits else sum((x for x in limits if x is not None), Fraction(0))
    return Answer(allowed=True, limit=total, overage=_policy(allowing))


def _winners(of_one_contract: list[_Granted]) -> list[_Granted]:
    """Where grants of one contract contradict each other, add-ons speak, and between equals the one that allows."""
    speaking = [g for g in of_one_contract if g.add_on] or of_one_contract
    allowed = any(g.limit != 0 for g in speaking)
    return [g for g in of_one_contract if (g.limit != 0) == allowed]


def _policy(granted: Sequence[_Granted]) -> Overage:
    """The plan's policy past the limit before an add-on's."""
    return next((g.overage for g in granted if not g.add_on), granted[0].overage)


def _overridden(
    overrides: Sequence[Override], feature: str, region: str, instant: datetime, amended: _Amended
) -> Answer | None:
    standing = [e for e in overrides if e.feature == feature and _reaches(e, region, instant)]
    if not standing:
        return None
    wins = max(standing, key=lambda e: (e.country is not None, midnight(e.first_day, e.zone), e.override_id))
    plain = amended(instant, region) or (amended(instant, None) if wins.country is None else None)
    return Answer(wins.limit != 0, wins.limit, plain.overage if plain else "block")


def _reaches(override: Override, region: str, instant: datetime) -> bool:
    day = local_day(instant, override.zone)
    there = override.country is None or override.country == region
    return there and override.first_day <= day and (override.last_day is None or day <= override.last_day)


def _cuts(held: Sequence[Held], overrides: Sequence[Override]) -> Iterator[datetime]:
    """Every instant at which an answer can change: the beginnings of first days and of days after last ones (Z1)."""
    for each in held:
        contract = each.contract
        firsts = [contract.first_day, contract.paused_on, contract.resumes_on]
        firsts += [c.first_day for c in contract.changes] + [i.first_day for i in contract.items]
        lasts = [contract.last_day, each.grace_last_day, *(i.last_day for i in contract.items)]
        yield from _begins(contract.zone, firsts, lasts)
    for override in overrides:
        yield from _begins(override.zone, [override.first_day], [override.last_day])


def _begins(zone: str, firsts: Iterable[date | None], lasts: Iterable[date | None]) -> Iterator[datetime]:
    days = [d for d in firsts if d is not None] + [d + timedelta(days=1) for d in lasts if d is not None]
    yield from (midnight(day, zone) for day in days)
