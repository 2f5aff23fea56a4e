"""What was sold: every contract and item as parallel arrays. `draw` decides, `subscriptions` writes tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from migration_assets.demo import columns as col
from migration_assets.demo import price_book as book
from migration_assets.demo.amounts import CURRENCIES, ONE, STEP, rounded
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.people import ERASED, People, exempt, weighted
from migration_assets.demo.periods import last_day, periods_elapsed, plus_months
from migration_assets.demo.places import PLACES, ZONES
from migration_assets.demo.world import Setup

TRIAL, ACTIVE, PAST_DUE, PAUSED, CANCELED, EXPIRED = range(6)


STATUS_CODES = ("TRL", "ACT", "PDU", "PAU", "CXL", "EXP")


_STATUS_WEIGHT = (4, 72, 5, 3, 9, 7)


FIRST_SUB_ID = 5_000_001


FIRST_ITEM_ID = 7_000_001


PERCENT, AMOUNT = 0, 1


# Share of contracts that have each add-on or metered item, by base item BAS, PRO, ENT, CLS.
_ADD_ON_SHARE = {
    book.SEAT: (0.25, 0.0, 0.0, 0.25),
    book.STO: (0.45, 0.50, 0.60, 0.45),
    book.SUP: (0.30, 0.35, 0.0, 0.25),
    book.SSO: (0.0, 0.25, 0.0, 0.0),
    book.API: (0.0, 0.40, 0.60, 0.0),
    book.MIN: (0.0, 0.25, 0.40, 0.0),
}


_TAX_INCLUSIVE_PLACES = [i for i, p in enumerate(PLACES) if p.code in ("DE", "GB", "FR", "JP")]


@dataclass(frozen=True)
class Contracts:
    """Every contract as parallel arrays. Days are local days since 1970-01-01.

    `account`, `payer`: account indexes, payer -1 when the owner pays. `last`: index of the running period, or of the
    last one of an ended contract. `trial_days`: 0 when there was none. `discount`: PERCENT, AMOUNT or -1;
    `discount_from` is a period index, `discount_cycles` -1 for ever, `discount_value` ten-thousandths.
    """

    account: Ints
    payer: Ints
    legal_entity: Ints
    plan: Ints
    currency: Ints
    zone: Ints
    service_place: Ints
    status: Ints
    anchor: Ints
    trial_days: Ints
    last: Ints
    today: Ints
    cancel_at_end: Bools
    tax_inclusive: Bools
    tax_exempt: Bools
    discount: Ints
    discount_value: Ints
    discount_from: Ints
    discount_cycles: Ints

    @property
    def count(self) -> int:
        return len(self.account)

    @cached_property
    def interval(self) -> Ints:
        """Index into INTERVALS."""
        return book.PLAN_INTERVAL[self.plan]

    @cached_property
    def months(self) -> Ints:
        return book.INTERVAL_MONTHS[self.interval]

    @cached_property
    def start(self) -> Ints:
        return self.anchor - self.trial_days

    @cached_property
    def ended(self) -> Bools:
        return (self.status == CANCELED) | (self.status == EXPIRED)

    @cached_property
    def period_from(self) -> Ints:
        """First day of the running (or last) period; of a trial, its start."""
        return np.where(self.status == TRIAL, self.start, self.boundary(self.last))

    @cached_property
    def period_end(self) -> Ints:
        """Day after the running (or last) period."""
        return np.where(self.status == TRIAL, self.anchor, self.boundary(self.last + 1))

    def boundary(self, index: Ints) -> Ints:
        """First day of the period of that index, one per contract."""
        return plus_months(self.anchor, index * self.months)


@dataclass(frozen=True)
class Items:
    """Items, sorted by contract. `start`, `end` (exclusive): local days, -1 for 'with the contract'."""

    contract: Ints
    item: Ints
    quantity: Ints
    list_price: Ints
    unit_price: Ints
    start: Ints
    end: Ints

    @cached_property
    def kind(self) -> Ints:
        return book.ITEM_KINDS[self.item]


def draw(setup: Setup, people: People) -> tuple[Contracts, Items]:
    """Decide every contract and what is on it."""
    contracts = _draw_contracts(setup, people)
    return contracts, _draw_items(setup, contracts)


def _draw_contracts(setup: Setup, people: People) -> Contracts:
    rng = setup.stream("contracts")
    account, _ = col.expand(people.subscriptions)
    n = len(account)
    erased = people.role[account] == ERASED
    place, zone = people.place[account], people.zone[account]
    plan = weighted(rng, book.PLAN_WEIGHT, n)
    today = setup.today[zone]
    status = np.where(erased, CANCELED, weighted(rng, _STATUS_WEIGHT, n))
    age = setup.utc_today - people.created[account]
    back = np.maximum(1 + rng.integers(0, 1 << 30, n) % np.minimum(age - 32, 1460), np.where(erased, 400, 0))
    anchor = today - back
    month_end = last_day(anchor)
    anchor = np.where((rng.random(n) < 0.1) & (month_end < today), month_end, anchor)
    trial_days = np.where(rng.random(n) < 0.3, np.where(rng.random(n) < 0.7, 14, 30), 0)
    on_trial = status == TRIAL
    anchor = np.where(on_trial, today + rng.integers(1, 15, n), anchor)
    trial_days = np.where(on_trial, 14, trial_days)
    months = book.INTERVAL_MONTHS[book.PLAN_INTERVAL[plan]]
    current = np.where(on_trial, 0, periods_elapsed(anchor, months, today))
    # A contract cannot have ended before its first period did, nor be past due on the day of its invoice.
    running_since = plus_months(anchor, current * months)
    young = (status >= CANCELED) & (current == 0) | (status == PAST_DUE) & (running_since == today)
    status = np.where(young, ACTIVE, status)
    ended = status >= CANCELED
    last = np.where(ended, current - 1 - rng.integers(0, 1 << 30, n) % np.clip(current, 1, 3), current)
    kind = np.where((rng.random(n) < 0.1) & (status != TRIAL), rng.integers(0, 2, n), -1)
    first_cycle = np.maximum(0, last - rng.integers(0, 7, n))
    amounts = rng.integers(1, 11, n) * 100 * STEP[people.currency[account]]
    return Contracts(
        account=account,
        payer=people.payer[account],
        legal_entity=people.legal_entity[account],
        plan=plan,
        currency=people.currency[account],
        zone=zone,
        service_place=np.where(rng.random(n) < 0.03, rng.integers(0, len(PLACES), n), place),
        status=status,
        anchor=anchor,
        trial_days=trial_days,
        last=last,
        today=today,
        cancel_at_end=(status == ACTIVE) & (rng.random(n) < 0.03),
        tax_inclusive=~people.company[account] & np.isin(place, _TAX_INCLUSIVE_PLACES) & (rng.random(n) < 0.3),
        tax_exempt=exempt(people)[account],
        discount=kind,
        discount_value=np.where(kind == PERCENT, rng.integers(1, 6, n) * 5 * ONE, amounts),
        discount_from=first_cycle,
        discount_cycles=np.where(rng.random(n) < 0.3, -1, rng.integers(1, 13, n)),
    )


def _draw_items(setup: Setup, contracts: Contracts) -> Items:
    rng = setup.stream("items")
    base = book.PLAN_ITEM[contracts.plan]
    owners = [np.arange(contracts.count, dtype=np.int64)]
    kinds = [base]
    for add_on, share in _ADD_ON_SHARE.items():
        has = np.flatnonzero(rng.random(contracts.count) < np.array(share)[base])
        owners.append(has)
        kinds.append(np.full(len(has), add_on, dtype=np.int64))
    contract = np.concatenate(owners)
    order = np.argsort(contract, kind="stable")
    contract, item = contract[order], np.concatenate(kinds)[order]
    start, end = _item_dates(rng, contracts, contract, item)
    listed = book.list_price(item, contracts.interval[contract], contracts.currency[contract])
    return Items(contract, item, _quantities(rng, item), listed, _contract_prices(rng, item, listed), start, end)


def _quantities(rng: np.random.Generator, item: Ints) -> Ints:
    n = len(item)
    few = np.minimum(rng.integers(1, 50, n), rng.integers(1, 50, n))
    return np.select(
        [item == book.PRO, item == book.ENT, item == book.SEAT, item == book.STO],
        [few, few * 10, 1 + few % 10, 1 + few % 5],
        1,
    ).astype(np.int64)


def _contract_prices(rng: np.random.Generator, item: Ints, listed: Ints) -> Ints:
    """List price for most; cheaper for those who came early (Classic always), dearer for a few. Four decimals."""
    n = len(item)
    u = rng.random(n)
    share = np.select([u < 0.6, u < 0.9], [10_000, rng.integers(8_000, 10_000, n)], rng.integers(10_001, 11_000, n))
    share = np.where(item == book.CLS, rng.integers(7_000, 9_000, n), share)
    return rounded(listed * share, 10_000, np.ones(n, dtype=np.int64))


def _item_dates(rng: np.random.Generator, contracts: Contracts, contract: Ints, item: Ints) -> tuple[Ints, Ints]:
    """Add-ons may come or go at the start of a period, or come inside the previous or the running one."""
    n = len(item)
    u, r = rng.random(n), rng.integers(0, 1 << 30, n)
    anchor, months, last = contracts.anchor[contract], contracts.months[contract], contracts.last[contract]
    add_on = (book.ITEM_KINDS[item] == book.ADD_ON) & (last >= 1)
    some = plus_months(anchor, (1 + r % np.maximum(last, 1)) * months)
    previous, running = plus_months(anchor, (last - 1) * months), plus_months(anchor, last * months)
    inside_previous = previous + 1 + r % np.maximum(running - previous - 1, 1)
    room = np.minimum(contracts.today[contract], contracts.period_end[contract] - 1) - running
    inside_running = running + 1 + r % np.maximum(room, 1)
    start = np.full(n, -1, dtype=np.int64)
    end = np.full(n, -1, dtype=np.int64)
    for low, high, values, target in (
        (0.0, 0.04, some, end),
        (0.04, 0.24, some, start),
        (0.24, 0.34, inside_previous, start),
    ):
        hit = add_on & (u >= low) & (u < high)
        target[hit] = values[hit]
    hit = add_on & (u >= 0.34) & (u < 0.37) & (room >= 1)
    start[hit] = inside_running[hit]
    return start, end


def sub_ids(contract: Ints) -> Ints:
    """subscriptions.sub_id of a contract index."""
    return contract + FIRST_SUB_ID


def item_ids(item_row: Ints) -> Ints:
    """subscription_items.sub_item_id of an item index."""
    return item_row + FIRST_ITEM_ID


def zones(index: Ints) -> Column:
    """contract_tz column."""
    return col.codes(ZONES, index)


def currencies(index: Ints) -> Column:
    """currency column."""
    return col.codes(CURRENCIES, index)
