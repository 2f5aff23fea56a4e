"""What is used of the contracts: usage balances, their events, and who holds which seat; all clean."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo import price_book as book
from migration_assets.demo.amounts import ONE
from migration_assets.demo.columns import Column, Ints
from migration_assets.demo.contracts import Contracts, Items, item_ids, sub_ids, zones
from migration_assets.demo.people import People, contact_ids
from migration_assets.demo.world import Setup

STORAGE, API, MINUTES = range(3)
FEATURES = ("STORAGE", "API", "MINUTES")
_UNITS = ("GB", "call", "minute", "GiB")
_GIBIBYTES = 3
_DAY_US = col.MICROSECONDS_PER_DAY
_HOUR_US = 3_600_000_000


def tables(setup: Setup, people: People, c: Contracts, items: Items, contact_emails: Column) -> dict[str, pa.Table]:
    """usage_balances, usage_events and seat_assignments of the ERP."""
    contract, feature = _balances(setup, c)
    balance, table = _events(setup, c, contract, feature)
    return {
        "erp.usage_balances": _balance_table(setup, c, contract, feature, balance),
        "erp.usage_events": table,
        "erp.seat_assignments": _seats(setup, people, c, items, contact_emails),
    }


def _balances(setup: Setup, c: Contracts) -> tuple[Ints, Ints]:
    """Which running contracts have a counter of which feature."""
    rng = setup.stream("counters")
    base = book.PLAN_ITEM[c.plan]
    metered = ~c.ended & ((base == book.PRO) | (base == book.ENT))
    has = (
        ~c.ended & (rng.random(c.count) < 0.5),
        metered & (rng.random(c.count) < 0.6),
        metered & (rng.random(c.count) < 0.3),
    )
    contract = np.concatenate([np.flatnonzero(h) for h in has])
    feature = np.repeat(np.arange(3, dtype=np.int64), [int(h.sum()) for h in has])
    order = np.argsort(contract, kind="stable")
    return contract[order], feature[order]


def _events(setup: Setup, c: Contracts, contract: Ints, feature: Ints) -> tuple[Ints, pa.Table]:
    """One to four events per counter of calls or minutes; returns their sum by counter, in ten-thousandths."""
    rng = setup.stream("events")
    opens = (c.period_from[contract] + 1) * _DAY_US
    window = setup.as_of_us - _HOUR_US - opens
    counted = (feature != STORAGE) & (window > 0)
    counter, _ = col.expand(np.where(counted, rng.integers(1, 5, len(contract)), 0))
    n = len(counter)
    calls = feature[counter] == API
    units = np.where(calls, rng.integers(1, 4_000, n), rng.integers(1, 60, n)) * ONE
    occurred = opens[counter] + rng.integers(0, 1 << 50, n) % window[counter] // 1_000_000 * 1_000_000
    late = rng.integers(0, _HOUR_US, n) // 1_000_000 * 1_000_000
    key = col.joined(
        col.constant("evt-", n), col.digits(np.arange(n), 10), "-", col.digits(rng.integers(0, 10**8, n), 8)
    )
    table = pa.table(
        {
            "event_id": col.integers(np.arange(n) + 1),
            "sub_id": col.integers(sub_ids(contract[counter])),
            "feature_code": col.codes(FEATURES, feature[counter]),
            "occurred_at": col.instants(occurred),
            "recorded_at": col.instants(occurred + late),
            "units": col.decimals(units, 18, 4),
            "unit": col.codes(_UNITS, feature[counter]),
            "idempotency_key": key,
        }
    )
    return col.sums(units, counter, len(contract)), table


def _balance_table(setup: Setup, c: Contracts, contract: Ints, feature: Ints, events: Ints) -> pa.Table:
    rng = setup.stream("gauges")
    n = len(contract)
    binary = (feature == STORAGE) & ((book.PLAN_ITEM[c.plan[contract]] == book.CLS) | (rng.random(n) < 0.1))
    gauge = rng.integers(1, 80, n) * ONE // 2
    return pa.table(
        {
            "balance_id": col.integers(np.arange(n) + 1),
            "sub_id": col.integers(sub_ids(contract)),
            "feature_code": col.codes(FEATURES, feature),
            "contract_tz": zones(c.zone[contract]),
            "period_from": col.dates(c.period_from[contract]),
            "period_to": col.dates(c.period_end[contract] - 1),
            "used": col.decimals(np.where(feature == STORAGE, gauge, events), 18, 4),
            "unit": col.codes(_UNITS, np.where(binary, _GIBIBYTES, feature)),
        }
    )


def _seats(setup: Setup, people: People, c: Contracts, items: Items, contact_emails: Column) -> pa.Table:
    """Up to three holders for each item with seats: the owner's contacts first, then logins the CRM does not know."""
    rng = setup.stream("seats")
    seated = book.PER_SEAT[items.item] & ~c.ended[items.contract]
    row, position = col.expand(np.where(seated, np.minimum(items.quantity, rng.integers(0, 4, len(items.item))), 0))
    n = len(row)
    contract = items.contract[row]
    account = c.account[contract]
    known = position < people.contacts[account]
    contact = people.first_contact[account] + np.where(known, position, 0)
    login = col.joined(col.constant("seat", n), col.text_of(np.arange(n) + 1), "@login.example.org")
    since = np.maximum(c.start[contract], items.start[row])
    open_days = np.maximum(c.today[contract] - since - 1, 1)
    assigned = np.minimum(
        (since + 1 + rng.integers(0, 1 << 30, n) % open_days) * _DAY_US, setup.as_of_us - 2 * _HOUR_US
    )
    return pa.table(
        {
            "seat_id": col.integers(np.arange(n) + 1),
            "sub_item_id": col.integers(item_ids(row)),
            "contact_id": col.blanked(contact_ids(contact), ~known),
            "holder": col.chosen(known, contact_emails.take(pa.array(contact)), login),
            "assigned_at": col.instants(assigned),
            "released_at": col.instants(
                np.minimum(assigned + 30 * _DAY_US, setup.as_of_us - _HOUR_US), rng.random(n) < 0.95
            ),
        }
    )
