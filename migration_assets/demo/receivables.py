"""What became of the invoices: payments, applications, refunds, disputes, credits, write-offs, dunning; all clean.

open = total - applied payments - applied credit memos - write-offs + settled refunds + lost disputes, for each invoice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo.amounts import CURRENCIES, STEP, rounded
from migration_assets.demo.billing import Invoices, invoice_ids
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.contracts import PAST_DUE, Contracts, currencies, zones
from migration_assets.demo.people import People
from migration_assets.demo.places import ZONES
from migration_assets.demo.world import Setup

FIRST_PAYMENT_ID = 40_000_001
DRF, OPN, PRT, PAI, OVD, VOI, WOF = range(7)
STATUS_CODES = ("DRF", "OPN", "PRT", "PAI", "OVD", "VOI", "WOF")
METHODS = ("CC", "DD", "WT", "CK", "OT")
# What else happened to a paid invoice.
NOTHING, CREDITED, REFUNDED, REFUND_PENDING, REFUND_FAILED, DISPUTED, DISPUTE_WON, CHARGED_BACK = range(8)
_STORY_SHARE = (0.972, 0.010, 0.010, 0.002, 0.001, 0.002, 0.0015, 0.0015)
_REASONS = ("Service outage", "Wrong quantity", "Goodwill", "Cancelled late")
_DAY_US = col.MICROSECONDS_PER_DAY
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Settlement:
    """State of each invoice at the snapshot, amounts in ten-thousandths. `credit`: of the memo that names it."""

    status: Ints
    story: Ints
    due: Ints
    paid: Ints
    credit: Ints
    open_amount: Ints
    late: Bools


def draw(setup: Setup, people: People, contracts: Contracts, inv: Invoices) -> Settlement:
    """Decide what was paid of every invoice, and what is still open."""
    rng = setup.stream("settlement")
    n = inv.count
    today = setup.today[inv.zone]
    due = inv.issued + np.where(people.company[inv.account], 30, 14)
    hangs = (inv.contract >= 0) & inv.latest & (contracts.status[inv.contract] == PAST_DUE)
    due = np.where(hangs, np.minimum(due, today - 1), due)
    late = due < today
    status = _statuses(rng, inv, due, today, hangs)
    story = np.searchsorted(np.cumsum(_STORY_SHARE)[:-1], rng.random(n), side="right")
    step = STEP[inv.currency]
    part = rounded(inv.total * rng.integers(10, 60, n), 100, step)
    divisible = (part > 0) & (part < inv.total)
    story = np.where((status == PAI) & divisible & (inv.contract >= 0), story, NOTHING)
    status = np.where((status == PRT) & ~divisible, PAI, status)
    credit = np.where((story >= CREDITED) & (story <= REFUND_FAILED), part, 0)
    paid = np.select(
        [(status == PAI) & (story == CREDITED), status == PAI, status == PRT], [inv.total - credit, inv.total, part], 0
    )
    status = np.where(story == CHARGED_BACK, np.where(late, OVD, OPN), status)
    still_open = np.select([status == PRT, (status == OPN) | (status == OVD)], [inv.total - paid, inv.total], 0)
    return Settlement(status, story, due, paid, credit, still_open, late)


def _statuses(rng: np.random.Generator, inv: Invoices, due: Ints, today: Ints, hangs: Bools) -> Ints:
    u = rng.random(inv.count)
    late = due < today
    fresh = np.select([u < 0.5, u < 0.97], [PAI, OPN], PRT)
    old = np.select([u < 0.965, (u < 0.98) & (due < today - 60), u < 0.99], [PAI, WOF, OVD], PRT)
    status = np.select([inv.void, inv.draft, hangs, inv.total == 0, late], [VOI, DRF, OVD, PAI, old], fresh)
    return status.astype(np.int64)


def status_column(settled: Settlement) -> Column:
    """erp.invoices.status."""
    return col.codes(STATUS_CODES, settled.status)


def default_method(account: Ints) -> Ints:
    """Index into METHODS of how an account pays: cards and direct debits for most."""
    return np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3], dtype=np.int64)[(account * 7919 + 3) % 10]


def tables(setup: Setup, people: People, inv: Invoices, settled: Settlement) -> dict[str, pa.Table]:
    """All tables about money received, given back or given up."""
    paid = np.flatnonzero(settled.paid > 0)
    group = _groups(setup, inv, settled, paid)
    return {
        **_payments(setup, people, inv, settled, paid, group),
        "erp.refunds": _refunds(setup, inv, settled, paid, group),
        "erp.disputes": _disputes(setup, inv, settled, paid, group),
        "erp.write_offs": _write_offs(setup, inv, settled),
        "erp.credit_memos": _credit_memos(setup, people, inv, settled),
        "erp.credit_balances": _credit_balances(setup, people),
        "erp.payment_methods": _payment_methods(setup, people),
        "erp.dunning": _dunning(setup, inv, settled),
    }


def _groups(setup: Setup, inv: Invoices, settled: Settlement, paid: Ints) -> Ints:
    """Number of the payment of each paid invoice: one in twenty was paid together with the one before it."""
    rng = setup.stream("payment groups")
    plain = (settled.status[paid] == PAI) & (settled.story[paid] == NOTHING) & (inv.contract[paid] >= 0)
    same = np.zeros(len(paid), dtype=bool)
    same[1:] = inv.contract[paid][1:] == inv.contract[paid][:-1]
    with_previous = same & plain & np.roll(plain, 1) & (rng.random(len(paid)) < 0.05)
    return np.cumsum(~with_previous) - 1


def _payments(
    setup: Setup, people: People, inv: Invoices, settled: Settlement, paid: Ints, group: Ints
) -> dict[str, pa.Table]:
    rng = setup.stream("payments")
    count = int(group[-1]) + 1 if len(group) else 0
    last = np.searchsorted(group, np.arange(count), side="right") - 1
    amount = col.sums(settled.paid[paid], group, count)
    received = _received(setup, rng, inv, paid[last])
    story = settled.story[paid[last]]
    status = np.select([story == REFUNDED, story == CHARGED_BACK], [3, 4], 1)
    failed = np.repeat(np.arange(inv.count), _attempts(setup, inv, settled))
    pending = np.flatnonzero(
        (settled.status == OPN) & (settled.story == NOTHING) & (inv.total > 0) & (rng.random(inv.count) < 0.05)
    )
    invoice = np.concatenate((paid[last], failed, pending))
    later = _received(setup, rng, inv, np.concatenate((failed, pending)))
    owed = inv.total[np.concatenate((failed, pending))]
    all_status = np.concatenate((status, np.full(len(failed), 2), np.full(len(pending), 0)))
    payer = np.where(inv.payer[invoice] >= 0, inv.payer[invoice], inv.account[invoice])
    n = len(invoice)
    payments = pa.table(
        {
            "payment_id": col.integers(payment_ids(np.arange(n))),
            "customer_no": col.small_integers(people.customer_no[payer]),
            "status": col.codes(("PND", "SET", "FLD", "RFD", "CBK"), all_status),
            "method": col.codes(METHODS, default_method(payer)),
            "currency": currencies(inv.currency[invoice]),
            "amount": col.decimals(np.concatenate((amount, owed)), 14, 3),
            "received_at": col.instants(np.concatenate((received, later))),
            "bank_ref": col.joined(col.constant("BR", n), col.digits(rng.integers(0, 10**10, n), 10)),
        }
    )
    applications = pa.table(
        {
            "application_id": col.integers(np.arange(len(paid)) + 1),
            "payment_id": col.integers(payment_ids(group)),
            "invoice_id": col.integers(invoice_ids(paid)),
            "currency": currencies(inv.currency[paid]),
            "amount": col.decimals(settled.paid[paid], 14, 3),
            "applied_at": col.instants(received[group] if count else received),
        }
    )
    return {"erp.payments": payments, "erp.payment_applications": applications}


def payment_ids(index: Ints) -> Ints:
    """payments.payment_id of a payment index."""
    return index + FIRST_PAYMENT_ID


def _received(setup: Setup, rng: np.random.Generator, inv: Invoices, invoice: Ints) -> Ints:
    """Within three weeks of the invoice, and before the snapshot."""
    n = len(invoice)
    day = (inv.issued[invoice] + rng.integers(0, 21, n)) * _DAY_US + rng.integers(0, _DAY_US, n)
    return np.minimum(day, setup.as_of_us - rng.integers(1, 6, n) * _HOUR_US)


def _attempts(setup: Setup, inv: Invoices, settled: Settlement) -> Ints:
    """Failed attempts by invoice: one to four for overdue ones, none after a chargeback."""
    drawn = setup.stream("attempts").integers(1, 5, inv.count)
    return np.where((settled.status == OVD) & (settled.story == NOTHING), drawn, 0)


def _of_story(settled: Settlement, paid: Ints, group: Ints, *stories: int) -> tuple[Ints, Ints]:
    """Invoices with one of these stories, and their payments."""
    hit = np.isin(settled.story[paid], stories)
    return paid[hit], group[hit]


def _since(setup: Setup, rng: np.random.Generator, inv: Invoices, invoice: Ints) -> Ints:
    """An instant after the payment and before the snapshot."""
    day = (inv.issued[invoice] + rng.integers(22, 50, len(invoice))) * _DAY_US + rng.integers(0, _DAY_US, len(invoice))
    return np.minimum(day, setup.as_of_us - _HOUR_US // 2)


def _refunds(setup: Setup, inv: Invoices, settled: Settlement, paid: Ints, group: Ints) -> pa.Table:
    rng = setup.stream("refunds")
    invoice, payment = _of_story(settled, paid, group, REFUNDED, REFUND_PENDING, REFUND_FAILED)
    n = len(invoice)
    return pa.table(
        {
            "refund_id": col.small_integers(np.arange(n) + 1),
            "payment_id": col.integers(payment_ids(payment)),
            "status": col.codes(("SET", "PND", "FLD"), settled.story[invoice] - REFUNDED),
            "currency": currencies(inv.currency[invoice]),
            "amount": col.decimals(settled.credit[invoice], 14, 3),
            "refunded_at": col.instants(_since(setup, rng, inv, invoice)),
            "reason": col.codes(_REASONS, rng.integers(0, len(_REASONS), n)),
        }
    )


def _disputes(setup: Setup, inv: Invoices, settled: Settlement, paid: Ints, group: Ints) -> pa.Table:
    rng = setup.stream("disputes")
    invoice, payment = _of_story(settled, paid, group, DISPUTED, DISPUTE_WON, CHARGED_BACK)
    n = len(invoice)
    opened = _since(setup, rng, inv, invoice)
    closed = np.minimum(opened + rng.integers(1, 20, n) * _DAY_US, setup.as_of_us - _HOUR_US // 4)
    return pa.table(
        {
            "dispute_id": col.small_integers(np.arange(n) + 1),
            "payment_id": col.integers(payment_ids(payment)),
            "status": col.codes(("OPN", "WON", "LST"), settled.story[invoice] - DISPUTED),
            "currency": currencies(inv.currency[invoice]),
            "amount": col.decimals(settled.paid[invoice], 14, 3),
            "opened_at": col.instants(opened),
            "closed_at": col.instants(closed, settled.story[invoice] == DISPUTED),
        }
    )


def _write_offs(setup: Setup, inv: Invoices, settled: Settlement) -> pa.Table:
    rng = setup.stream("write offs")
    invoice = np.flatnonzero(settled.status == WOF)
    n = len(invoice)
    return pa.table(
        {
            "write_off_id": col.small_integers(np.arange(n) + 1),
            "invoice_id": col.integers(invoice_ids(invoice)),
            "currency": currencies(inv.currency[invoice]),
            "amount": col.decimals(inv.total[invoice], 14, 3),
            "written_off_at": col.instants((settled.due[invoice] + rng.integers(30, 60, n)) * _DAY_US),
            "reason": col.codes(("Insolvent", "Too small to chase", "Unknown address"), rng.integers(0, 3, n)),
        }
    )


def _credit_memos(setup: Setup, people: People, inv: Invoices, settled: Settlement) -> pa.Table:
    """Memos on an invoice, then goodwill without one."""
    rng = setup.stream("credit memos")
    invoice = np.flatnonzero(settled.credit > 0)
    goodwill = np.flatnonzero((people.subscriptions > 0) & (rng.random(people.count) < 0.01))
    gift = rng.integers(5, 50, len(goodwill)) * 100 * STEP[people.currency[goodwill]]
    none = np.full(len(goodwill), -1, dtype=np.int64)
    on = np.concatenate((invoice, none))
    account = np.concatenate((inv.account[invoice], goodwill))
    amount = np.concatenate((settled.credit[invoice], gift))
    applied = np.isin(settled.story[invoice], (CREDITED, REFUNDED))
    spoiled = rng.random(len(goodwill)) < 0.15
    status = np.concatenate((np.where(applied, 1, 0), np.where(spoiled, 2, 0)))
    n = len(on)
    since = np.concatenate((inv.issued[invoice] + 1, setup.utc_today - rng.integers(1, 200, len(goodwill))))
    return pa.table(
        {
            "memo_id": col.small_integers(np.arange(n) + 1),
            "memo_no": col.joined(col.constant("CM-", n), col.digits(np.arange(n) + 1, 7)),
            "customer_no": col.small_integers(people.customer_no[account]),
            "invoice_id": col.integers(invoice_ids(on), on < 0),
            "status": col.codes(("OPN", "APL", "VOI"), status),
            "currency": col.codes(CURRENCIES, np.concatenate((inv.currency[invoice], people.currency[goodwill]))),
            "amount": col.decimals(amount, 14, 3),
            "applied_amount": col.decimals(np.where(status == 1, amount, 0), 14, 3),
            "issue_date": col.dates(np.minimum(since, setup.utc_today)),
            "reason": col.codes(_REASONS, rng.integers(0, len(_REASONS), n)),
        }
    )


def _credit_balances(setup: Setup, people: People) -> pa.Table:
    """3 % of the customers with contracts have credit, some in two pots; one pot in thirty is owed to us."""
    rng = setup.stream("credit balances")
    has = (people.subscriptions > 0) & (rng.random(people.count) < 0.03)
    account, pot = col.expand(np.where(has, 1 + (rng.random(people.count) < 0.2), 0))
    n = len(account)
    balance = rng.integers(1, 400, n) * 25 * STEP[people.currency[account]] * np.where(rng.random(n) < 0.033, -1, 1)
    today = setup.today[people.zone[account]]
    return pa.table(
        {
            "credit_id": col.small_integers(np.arange(n) + 1),
            "customer_no": col.small_integers(people.customer_no[account]),
            "currency": currencies(people.currency[account]),
            "balance": col.decimals(balance, 14, 3),
            "burn_order": col.small_integers(pot + 1),
            "contract_tz": col.codes(ZONES, people.zone[account]),
            "expires_on": col.dates(today + rng.integers(30, 400, n), (pot == 0) & (rng.random(n) < 0.6)),
        }
    )


def _payment_methods(setup: Setup, people: People) -> pa.Table:
    """A default for everybody who has contracts or pays for others, a second one for one in seven."""
    rng = setup.stream("payment methods")
    pays = people.subscriptions > 0
    pays[people.payer[people.payer >= 0]] = True
    account, position = col.expand(np.where(pays, 1 + (rng.random(people.count) < 0.15), 0))
    n = len(account)
    kind = (default_method(account) + position) % len(METHODS)
    tokens = col.joined(col.constant("tok_", n), col.digits(rng.integers(0, 10**14, n), 14))
    return pa.table(
        {
            "method_id": col.small_integers(np.arange(n) + 1),
            "customer_no": col.small_integers(people.customer_no[account]),
            "kind": col.codes(METHODS, kind),
            "token": col.blanked(tokens, kind > 1),
            "verified": col.flags(np.ones(n, dtype=bool)),
            "is_default": col.flags(position == 0),
            "expires_on": col.dates(setup.utc_today + rng.integers(30, 1500, n), kind != 0),
        }
    )


def _dunning(setup: Setup, inv: Invoices, settled: Settlement) -> pa.Table:
    """A row for every overdue invoice, and for a few that were collected in the end."""
    rng = setup.stream("dunning")
    collected = (settled.status == PAI) & settled.late & (inv.total > 0) & (rng.random(inv.count) < 0.01)
    invoice = np.flatnonzero((settled.status == OVD) | collected)
    n = len(invoice)
    done = collected[invoice]
    status = np.where(done, 3, np.searchsorted([60, 85], rng.integers(0, 100, n), side="right"))
    attempts = np.where(done, rng.integers(1, 4, n), _attempts(setup, inv, settled)[invoice])
    today = setup.today[inv.zone[invoice]]
    return pa.table(
        {
            "dunning_id": col.small_integers(np.arange(n) + 1),
            "invoice_id": col.integers(invoice_ids(invoice)),
            "attempts": col.small_integers(attempts),
            "next_retry": col.instants(setup.as_of_us + rng.integers(12, 24 * 7, n) * _HOUR_US, status >= 2),
            "grace_until": col.dates(today + rng.integers(1, 21, n), status >= 2),
            "contract_tz": zones(inv.zone[invoice]),
            "status": col.codes(("RTY", "WAI", "EXH", "SET"), status),
        }
    )
