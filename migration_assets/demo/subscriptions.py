"""Contract tables of the ERP: subscriptions, items, discounts, scheduled changes, commitments, overrides; all clean.

Usage and seats are in `usage`, invoices in `billing`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo import price_book as book
from migration_assets.demo.amounts import CURRENCIES, ONE, STEP, rounded
from migration_assets.demo.columns import Ints
from migration_assets.demo.contracts import (
    ACTIVE,
    CANCELED,
    PAST_DUE,
    PAUSED,
    PERCENT,
    STATUS_CODES,
    Contracts,
    Items,
    currencies,
    item_ids,
    sub_ids,
    zones,
)
from migration_assets.demo.people import People
from migration_assets.demo.periods import plus_months
from migration_assets.demo.places import LEGAL_ENTITIES, PLACES
from migration_assets.demo.world import Setup

LE_CODES = tuple(entity[0] for entity in LEGAL_ENTITIES)


_DAY_US = col.MICROSECONDS_PER_DAY


def tables(setup: Setup, people: People, contracts: Contracts, items: Items, billed: Ints) -> dict[str, pa.Table]:
    """All contract tables. `billed`: total billed so far by contract, ten-thousandths."""
    return {
        "erp.subscriptions": _subscriptions(setup, people, contracts, billed),
        "erp.subscription_items": _items(contracts, items),
        "erp.scheduled_changes": _scheduled_changes(setup, contracts, items),
        "erp.discounts": _discounts(contracts),
        "erp.commitments": _commitments(setup, people, contracts),
        "erp.entitlement_overrides": _overrides(setup, people, contracts),
    }


def _subscriptions(setup: Setup, people: People, c: Contracts, billed: Ints) -> pa.Table:
    rng = setup.stream("subscription rows")
    n = c.count
    paused = c.status == PAUSED
    first, end = c.period_from, c.period_end
    known_end = c.ended | c.cancel_at_end
    span = np.where(c.ended, end, c.today) - first
    told_on = np.minimum(first + rng.integers(0, 1 << 30, n) % np.maximum(span, 1), c.today - 1)
    canceled = (c.status == CANCELED) | c.cancel_at_end
    paused_on = first + rng.integers(0, 1 << 30, n) % (c.today - first + 1).clip(1)
    return pa.table(
        {
            "sub_id": col.integers(sub_ids(np.arange(n))),
            "customer_no": col.small_integers(people.customer_no[c.account]),
            "payer_customer_no": col.small_integers(people.customer_no[c.payer], c.payer < 0),
            "le_code": col.codes(LE_CODES, c.legal_entity),
            "plan_code": col.codes(book.PLAN_CODES, c.plan),
            "status": col.codes(STATUS_CODES, c.status),
            "currency": currencies(c.currency),
            "bill_interval": col.codes(book.INTERVALS, c.interval),
            "contract_tz": zones(c.zone),
            "start_ts": col.local_times(c.start * _DAY_US),
            "end_date": col.dates(end - 1, ~known_end),
            "anchor_date": col.dates(c.anchor),
            "trial_end_ts": col.local_times(c.anchor * _DAY_US - 1_000_000, c.trial_days == 0),
            "period_from": col.dates(first),
            "period_to": col.dates(end - 1),
            "paused_on": col.dates(paused_on, ~paused),
            "resume_on": col.dates(c.today + rng.integers(5, 60, n), ~paused | (rng.random(n) < 0.2)),
            "cancel_at_end": col.flags(c.cancel_at_end),
            "canceled_ts": col.local_times(
                told_on * _DAY_US + rng.integers(8 * 60, 18 * 60, n) * 60_000_000, ~canceled
            ),
            "grace_until": col.dates(c.today + rng.integers(1, 21, n), c.status != PAST_DUE),
            "service_country": col.codes([p.code for p in PLACES], c.service_place),
            "tax_inclusive": col.flags(c.tax_inclusive),
            "tax_exempt": col.flags(c.tax_exempt),
            "billed_to_date": col.decimals(billed, 14, 3),
            "purchase_order": col.blanked(
                col.joined(col.constant("PO-", n), col.digits(rng.integers(0, 10**6, n), 6)), rng.random(n) < 0.8
            ),
            "updated_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _items(c: Contracts, items: Items) -> pa.Table:
    contract = items.contract
    currency = c.currency[contract]
    recurring = rounded(items.quantity * items.unit_price, 1, STEP[currency])
    return pa.table(
        {
            "sub_item_id": col.integers(item_ids(np.arange(len(contract)))),
            "sub_id": col.integers(sub_ids(contract)),
            "item_no": col.codes(book.ITEM_CODES, items.item),
            "item_kind": col.codes(("B", "A", "U"), items.kind),
            "quantity": col.small_integers(items.quantity),
            "currency": currencies(currency),
            "list_price": col.decimals(items.list_price, 14, 4),
            "unit_price": col.decimals(items.unit_price, 14, 4),
            "price_model": col.codes(("FLT", "SEA"), book.PER_SEAT[items.item].astype(np.int64)),
            "recurring_amount": col.decimals(np.where(items.kind == book.USAGE, 0, recurring), 14, 3),
            "contract_tz": zones(c.zone[contract]),
            "start_date": col.dates(items.start, items.start < 0),
            "end_date": col.dates(items.end - 1, items.end < 0),
        }
    )


def _scheduled_changes(setup: Setup, c: Contracts, items: Items) -> pa.Table:
    rng = setup.stream("scheduled changes")
    contract = np.flatnonzero((c.status == ACTIVE) & ~c.cancel_at_end & (rng.random(c.count) < 0.05))
    n = len(contract)
    kind = rng.integers(0, 5, n)
    base_row = np.searchsorted(items.contract, contract)
    quantity, price = items.quantity[base_row], items.unit_price[base_row]
    seats = book.PER_SEAT[items.item[base_row]]
    plan = np.select(
        [kind == 0, kind == 1], [book.LOWER_PLAN[c.plan[contract]], book.HIGHER_PLAN[c.plan[contract]]], -1
    )
    # Where there is no such plan, or no seats to ramp, the change is an uplift.
    kind = np.where((kind <= 1) & (plan < 0) | (kind == 2) & ~seats, 3, kind)
    effective = plus_months(c.anchor[contract], (c.last[contract] + 1 + rng.integers(0, 2, n)) * c.months[contract])
    return pa.table(
        {
            "change_id": col.small_integers(np.arange(n) + 1),
            "sub_id": col.integers(sub_ids(contract)),
            "change_type": col.codes(("DNG", "UPG", "RMP", "UPL", "CXL"), kind),
            "effective_date": col.dates(effective),
            "contract_tz": zones(c.zone[contract]),
            "new_plan_code": col.codes(book.PLAN_CODES, plan, kind > 1),
            "new_quantity": col.small_integers(quantity + rng.integers(1, 20, n), kind != 2),
            "new_unit_price": col.decimals(price // 100 * 95, 14, 4, (kind != 2) | (rng.random(n) < 0.5)),
            "uplift_pct": col.decimals(rng.integers(1, 11, n) * ONE, 7, 4, kind != 3),
        }
    )


def _discounts(c: Contracts) -> pa.Table:
    contract = np.flatnonzero(c.discount >= 0)
    kind, value = c.discount[contract], c.discount_value[contract]
    first, cycles = c.discount_from[contract], c.discount_cycles[contract]
    anchor, months = c.anchor[contract], c.months[contract]
    left = np.maximum(0, cycles - (c.last[contract] - first + 1))
    percent, forever = kind == PERCENT, cycles < 0
    return pa.table(
        {
            "discount_id": col.small_integers(np.arange(len(contract)) + 1),
            "sub_id": col.integers(sub_ids(contract)),
            "disc_type": col.codes(("PCT", "AMT"), kind),
            "pct": col.decimals(np.where(percent, value, 0), 7, 4, ~percent),
            "currency": col.codes(CURRENCIES, c.currency[contract], percent),
            "amount": col.decimals(np.where(percent, 0, value), 14, 3, percent),
            "coupon_code": col.codes(("WELCOME", "LOYAL", "PARTNER"), contract % 3),
            "cycles_total": col.small_integers(cycles, forever),
            "cycles_left": col.small_integers(left, forever),
            "contract_tz": zones(c.zone[contract]),
            "from_date": col.dates(plus_months(anchor, first * months)),
            "to_date": col.dates(plus_months(anchor, (first + cycles) * months) - 1, forever),
        }
    )


def _commitments(setup: Setup, people: People, c: Contracts) -> pa.Table:
    """On a third of the Enterprise contracts that run."""
    rng = setup.stream("commitments")
    eligible = (book.PLAN_ITEM[c.plan] == book.ENT) & (c.status == ACTIVE)
    contract = np.flatnonzero(eligible & (rng.random(c.count) < 0.33))
    n = len(contract)
    currency = c.currency[contract]
    amount = rng.integers(10, 500, n) * 10_000 * np.maximum(STEP[currency], 100)
    remaining = rounded(amount * rng.integers(0, 101, n), 100, np.maximum(STEP[currency], 100))
    return pa.table(
        {
            "commit_id": col.small_integers(np.arange(n) + 1),
            "customer_no": col.small_integers(people.customer_no[c.account[contract]]),
            "sub_id": col.integers(sub_ids(contract), rng.random(n) < 0.3),
            "kind": col.codes(("MIN", "PRE"), rng.integers(0, 2, n)),
            "currency": currencies(currency),
            "amount": col.decimals(amount, 14, 2),
            "remaining": col.decimals(remaining, 14, 2),
            "burn_order": col.small_integers(rng.integers(1, 4, n)),
            "contract_tz": zones(c.zone[contract]),
            "from_date": col.dates(c.start[contract]),
            "to_date": col.dates(c.today[contract] + rng.integers(30, 700, n), rng.random(n) < 0.2),
        }
    )


# (feature, limit in ten-thousandths, unit) an override may say; -1 is unlimited, 0 takes away.
_OVERRIDES = (
    ("SEATS", 50 * ONE, "seat"),
    ("SEATS", -ONE, "seat"),
    ("STORAGE", 500 * ONE, "GB"),
    ("STORAGE", 256 * ONE, "GiB"),
    ("STORAGE", -ONE, "GB"),
    ("API", 250_000 * ONE, "call"),
    ("API", 0, "call"),
    ("PROJECTS", -ONE, "project"),
    ("SSO", -ONE, None),
    ("SUPPORT", -ONE, None),
    ("ANALYTICS", 0, None),
)


def _overrides(setup: Setup, people: People, c: Contracts) -> pa.Table:
    """One for 4 % of the contracts, never two for one customer."""
    rng = setup.stream("overrides")
    contract = np.flatnonzero(~c.ended & (rng.random(c.count) < 0.04))
    account, first = np.unique(c.account[contract], return_index=True)
    contract = contract[first]
    n = len(contract)
    what = rng.integers(0, len(_OVERRIDES), n)
    since = c.start[contract] + rng.integers(0, 1 << 30, n) % np.maximum(c.today[contract] - c.start[contract], 1)
    values = np.array([o[1] for o in _OVERRIDES], dtype=np.int64)
    return pa.table(
        {
            "override_id": col.small_integers(np.arange(n) + 1),
            "customer_no": col.small_integers(people.customer_no[account]),
            "feature_code": col.codes([o[0] for o in _OVERRIDES], what),
            "region": col.codes([p.code for p in PLACES], c.service_place[contract], rng.random(n) < 0.85),
            "limit_value": col.decimals(values[what], 18, 4),
            "limit_unit": col.codes([o[2] for o in _OVERRIDES], what),
            "contract_tz": zones(c.zone[contract]),
            "from_date": col.dates(since),
            "to_date": col.dates(c.today[contract] + rng.integers(1, 400, n), rng.random(n) < 0.5),
            "approved_by": col.joined(
                col.constant("staff", n), col.text_of(rng.integers(1, 41, n)), "@acme.example.com"
            ),
        }
    )
