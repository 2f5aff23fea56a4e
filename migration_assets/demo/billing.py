"""Invoices of the legacy ERP, made by its own rules: see the head of schema_erp.sql, which says them in words.

Here belong invoice headers, lines and the revenue schedule. What was paid, credited or given up is in `receivables`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo import price_book as book
from migration_assets.demo.amounts import STEP, rounded
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.contracts import (
    PERCENT,
    TRIAL,
    Contracts,
    Items,
    currencies,
    item_ids,
    sub_ids,
    zones,
)
from migration_assets.demo.people import People
from migration_assets.demo.periods import EPOCH, day_number, days_360, month_of, month_start, plus_months, year_of
from migration_assets.demo.places import LEGAL_ENTITIES, PLACES, TAX_RATES
from migration_assets.demo.subscriptions import LE_CODES
from migration_assets.demo.world import Setup

FIRST_INVOICE_ID = 20_000_001
FIRST_LINE_ID = 30_000_001
LINE_KINDS = ("REC", "PRO", "USG", "DSC", "CRD", "ONE")
REC, PRO, USG, DSC, CRD, ONE = range(6)
VOID_SHARE = 0.007
_DAY_US = col.MICROSECONDS_PER_DAY


@dataclass(frozen=True)
class Invoices:
    """Headers, sorted by contract and period; one-off invoices last. `contract` and `period` are -1 for those.

    Amounts are ten-thousandths; zero until the lines are known.
    """

    contract: Ints
    period: Ints
    account: Ints
    payer: Ints
    legal_entity: Ints
    currency: Ints
    zone: Ints
    place: Ints
    issued: Ints
    start: Ints
    end: Ints
    void: Bools
    draft: Bools
    latest: Bools
    tax_inclusive: Bools
    tax_exempt: Bools
    subtotal: Ints
    tax: Ints

    @property
    def count(self) -> int:
        return len(self.contract)

    @cached_property
    def total(self) -> Ints:
        return self.subtotal + self.tax

    @cached_property
    def tax_rate(self) -> Ints:
        """Thousandths of a percent, by country of supply on the day of issue."""
        rate = np.zeros(self.count, dtype=np.int64)
        codes = [p.code for p in PLACES]
        for country, value, since in TAX_RATES:
            from_day = day_number(EPOCH.fromisoformat(since))
            rate[(self.place == codes.index(country)) & (self.issued >= from_day)] = value
        return np.where(self.tax_exempt, 0, rate)


@dataclass(frozen=True)
class Lines:
    """Lines, sorted by invoice. `item_row`: row in Items, -1 where there is none. Money in ten-thousandths,
    `amount` before tax (only while they are being made with the tax that prices contain).

    `quantity` is in ten-thousandths too. `start`, `end` (exclusive): local days, -1 without a period.
    """

    invoice: Ints
    kind: Ints
    item_row: Ints
    item: Ints
    quantity: Ints
    unit_price: Ints
    amount: Ints
    start: Ints
    end: Ints
    tax: Ints


def draw(setup: Setup, people: People, contracts: Contracts, items: Items) -> tuple[Invoices, Lines]:
    """Make every invoice with its lines; totals are plain sums of the lines."""
    rng = setup.stream("invoices")
    invoices = _append(_recurring(rng, contracts), _one_offs(setup, rng, people))
    lines = _taxed(invoices, _lines(rng, contracts, items, invoices))
    subtotal = col.sums(lines.amount, lines.invoice, invoices.count)
    return replace(invoices, subtotal=subtotal, tax=col.sums(lines.tax, lines.invoice, invoices.count)), lines


def billed_to_date(contracts: Contracts, invoices: Invoices) -> Ints:
    """Totals by contract, void ones left out."""
    own = invoices.contract >= 0
    total = np.where(invoices.void, 0, invoices.total)[own]
    return col.sums(total, invoices.contract[own], contracts.count)


def _recurring(rng: np.random.Generator, c: Contracts) -> Invoices:
    """The last periods, if there were so many: four to six months, three to five quarters, two to four years.

    Some have a void forerunner with the same lines.
    """
    n = c.count
    span = np.array([[4, 7], [3, 6], [2, 5]], dtype=np.int64)[c.interval]
    wanted = span[:, 0] + rng.integers(0, 1 << 30, n) % (span[:, 1] - span[:, 0])
    kept = np.where(c.status == TRIAL, 0, np.minimum(c.last + 1, wanted))
    contract, position = col.expand(kept)
    spoiled = rng.random(len(contract)) < VOID_SHARE
    origin, copy = col.expand(1 + spoiled.astype(np.int64))
    contract, position, void = contract[origin], position[origin], spoiled[origin] & (copy == 0)
    period = c.last[contract] - kept[contract] + 1 + position
    anchor, months = c.anchor[contract], c.months[contract]
    start = plus_months(anchor, period * months)
    count = len(contract)
    return Invoices(
        contract=contract,
        period=period,
        account=c.account[contract],
        payer=c.payer[contract],
        legal_entity=c.legal_entity[contract],
        currency=c.currency[contract],
        zone=c.zone[contract],
        place=c.service_place[contract],
        issued=start,
        start=start,
        end=plus_months(anchor, (period + 1) * months),
        void=void,
        draft=np.zeros(count, dtype=bool),
        latest=(period == c.last[contract]) & ~void,
        tax_inclusive=c.tax_inclusive[contract],
        tax_exempt=c.tax_exempt[contract],
        subtotal=np.zeros(count, dtype=np.int64),
        tax=np.zeros(count, dtype=np.int64),
    )


def _one_offs(setup: Setup, rng: np.random.Generator, people: People) -> Invoices:
    """Set-up fees: 2 % of the customers with contracts got an invoice, a few a draft that is not sent yet."""
    u = rng.random(people.count)
    account = np.flatnonzero((people.subscriptions > 0) & (u < 0.023))
    n = len(account)
    draft = u[account] < 0.003
    none = np.full(n, -1, dtype=np.int64)
    zero, no = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    today = setup.today[people.zone[account]]
    return Invoices(
        contract=none,
        period=none,
        account=account,
        payer=people.payer[account],
        legal_entity=people.legal_entity[account],
        currency=people.currency[account],
        zone=people.zone[account],
        place=people.place[account],
        issued=today - np.where(draft, 0, rng.integers(1, 120, n)),
        start=none,
        end=none,
        void=no,
        draft=draft,
        latest=no,
        tax_inclusive=no,
        tax_exempt=no,
        subtotal=zero,
        tax=zero,
    )


def _append(first: Invoices, second: Invoices) -> Invoices:
    names = Invoices.__dataclass_fields__
    return Invoices(**{k: np.concatenate((getattr(first, k), getattr(second, k))) for k in names})


def _lines(rng: np.random.Generator, c: Contracts, items: Items, invoices: Invoices) -> Lines:
    """All lines in the order of their invoices, prices as contracted, tax still to come."""
    own = int((invoices.contract >= 0).sum())
    first = np.searchsorted(items.contract, np.arange(c.count + 1))
    per_invoice = (first[1:] - first[:-1])[invoices.contract[:own]]
    invoice, position = col.expand(per_invoice)
    row = first[invoices.contract[invoice]] + position
    recurring = _recurring_lines(items, invoices, invoice, row)
    parts = (
        recurring,
        _proration_lines(c, items, invoices, invoice, row),
        _usage_lines(rng, c, items, invoices, invoice, row),
        _discount_lines(c, invoices, recurring),
        _one_off_lines(invoices),
    )
    merged = {k: np.concatenate([getattr(p, k) for p in parts]) for k in Lines.__dataclass_fields__}
    order = np.argsort(merged["invoice"], kind="stable")
    return Lines(**{k: v[order] for k, v in merged.items()})


def _recurring_lines(items: Items, invoices: Invoices, invoice: Ints, row: Ints) -> Lines:
    begins = invoices.start[invoice]
    covers = (items.start[row] <= begins) & ((items.end[row] < 0) | (items.end[row] > begins))
    keep = (items.kind[row] != book.USAGE) & covers
    invoice, row = invoice[keep], row[keep]
    quantity, price = items.quantity[row], items.unit_price[row]
    gross = rounded(quantity * price, 1, STEP[invoices.currency[invoice]])
    return _made(
        REC, invoice, row, items.item[row], quantity, price, gross, invoices.start[invoice], invoices.end[invoice]
    )


def _proration_lines(c: Contracts, items: Items, invoices: Invoices, invoice: Ints, row: Ints) -> Lines:
    begins, since = invoices.start[invoice], items.start[row]
    maybe = np.flatnonzero((since >= 0) & (since < begins) & (invoices.period[invoice] >= 1))
    invoice, row = invoice[maybe], row[maybe]
    previous = _previous_start(c, invoices, invoice)
    keep = items.start[row] > previous
    invoice, row = invoice[keep], row[keep]
    quantity, price = items.quantity[row], items.unit_price[row]
    days = days_360(items.start[row], invoices.start[invoice])
    basis = 30 * c.months[invoices.contract[invoice]]
    gross = rounded(quantity * price * days, basis, STEP[invoices.currency[invoice]])
    return _made(PRO, invoice, row, items.item[row], quantity, price, gross, items.start[row], invoices.start[invoice])


def _previous_start(c: Contracts, invoices: Invoices, invoice: Ints) -> Ints:
    contract = invoices.contract[invoice]
    return plus_months(c.anchor[contract], (invoices.period[invoice] - 1) * c.months[contract])


def _usage_lines(
    rng: np.random.Generator, c: Contracts, items: Items, invoices: Invoices, invoice: Ints, row: Ints
) -> Lines:
    """Two in five periods ran past what is included."""
    metered = np.flatnonzero((items.kind[row] == book.USAGE) & (invoices.period[invoice] >= 1))
    metered = metered[rng.random(len(metered)) < 0.4]
    invoice, row = invoice[metered], row[metered]
    calls = items.item[row] == book.API
    units = np.where(calls, rng.integers(1, 20_000, len(row)), rng.integers(1, 500, len(row)))
    price = items.unit_price[row]
    gross = rounded(units * price, 1, STEP[invoices.currency[invoice]])
    previous = _previous_start(c, invoices, invoice)
    return _made(USG, invoice, row, items.item[row], units, price, gross, previous, invoices.start[invoice])


def _discount_lines(c: Contracts, invoices: Invoices, recurring: Lines) -> Lines:
    base = col.sums(recurring.amount, recurring.invoice, invoices.count)
    own = np.flatnonzero(invoices.contract >= 0)
    contract, period = invoices.contract[own], invoices.period[own]
    begun = (c.discount[contract] >= 0) & (period >= c.discount_from[contract])
    cycles = c.discount_cycles[contract]
    own = own[begun & ((cycles < 0) | (period < c.discount_from[contract] + cycles))]
    contract = invoices.contract[own]
    value, step = c.discount_value[contract], STEP[invoices.currency[own]]
    is_percent = c.discount[contract] == PERCENT
    share = rounded(base[own] * np.where(is_percent, value, 0), 1_000_000, step)
    gross = -np.where(is_percent, share, np.minimum(value, base[own]))
    none = np.full(len(own), -1, dtype=np.int64)
    one = np.ones(len(own), dtype=np.int64)
    return _made(DSC, own, none, none, one, gross, gross, invoices.start[own], invoices.end[own])


def _one_off_lines(invoices: Invoices) -> Lines:
    own = np.flatnonzero(invoices.contract < 0)
    none = np.full(len(own), -1, dtype=np.int64)
    item = np.full(len(own), book.SETUP, dtype=np.int64)
    price = book.list_price(item, np.zeros(len(own), dtype=np.int64), invoices.currency[own])
    return _made(ONE, own, none, item, np.ones(len(own), dtype=np.int64), price, price, none, none)


def _made(
    kind: int, invoice: Ints, row: Ints, item: Ints, quantity: Ints, price: Ints, gross: Ints, start: Ints, end: Ints
) -> Lines:
    n = len(invoice)
    kinds, zero = np.full(n, kind, dtype=np.int64), np.zeros(n, dtype=np.int64)
    return Lines(invoice, kinds, row, item, quantity * 10_000, price, gross, start, end, zero)


def _taxed(invoices: Invoices, lines: Lines) -> Lines:
    """Tax of each line, rounded half up; inside the line where prices contain it, and then taken out of the amount."""
    rate, step = invoices.tax_rate[lines.invoice], STEP[invoices.currency[lines.invoice]]
    inside = invoices.tax_inclusive[lines.invoice]
    tax = rounded(lines.amount * rate, np.where(inside, 100_000 + rate, 100_000), step)
    return replace(lines, tax=tax, amount=np.where(inside, lines.amount - tax, lines.amount))


def invoice_ids(index: Ints) -> Ints:
    """invoices.invoice_id of an invoice index."""
    return index + FIRST_INVOICE_ID


def line_ids(index: Ints) -> Ints:
    """invoice_lines.line_id of a line index."""
    return index + FIRST_LINE_ID


def invoice_table(
    setup: Setup, people: People, inv: Invoices, status: Column, due: Ints, open_amount: Ints
) -> pa.Table:
    """erp.invoices; status, due date and open amount come from `receivables`."""
    rng = setup.stream("invoice rows")
    n = inv.count
    changed = np.minimum(setup.as_of_us - 3_600_000_000, inv.issued * _DAY_US + rng.integers(0, 30, n) * _DAY_US)
    return pa.table(
        {
            "invoice_id": col.integers(invoice_ids(np.arange(n))),
            "invoice_no": _numbers(inv),
            "customer_no": col.small_integers(people.customer_no[inv.account]),
            "payer_customer_no": col.small_integers(people.customer_no[inv.payer], inv.payer < 0),
            "sub_id": col.integers(sub_ids(inv.contract), inv.contract < 0),
            "le_code": col.codes(LE_CODES, inv.legal_entity),
            "status": status,
            "currency": currencies(inv.currency),
            "subtotal": col.decimals(inv.subtotal, 14, 3),
            "tax": col.decimals(inv.tax, 14, 3),
            "total": col.decimals(inv.total, 14, 3),
            "open_amount": col.decimals(open_amount, 14, 3),
            "issue_date": col.dates(inv.issued),
            "due_date": col.dates(due, inv.draft),
            "contract_tz": zones(inv.zone),
            "period_from": col.dates(inv.start, inv.start < 0),
            "period_to": col.dates(inv.end - 1, inv.start < 0),
            "tax_inclusive": col.flags(inv.tax_inclusive),
            "updated_at": col.instants(changed),
        }
    )


def _numbers(inv: Invoices) -> Column:
    """Per legal entity and year, in the order of issue, without a gap; drafts have none yet."""
    year = year_of(inv.issued)
    # Drafts are put behind everything, so that they take no number.
    key = (inv.draft.astype(np.int64) << 40) | (inv.legal_entity << 32) | inv.issued
    order = np.argsort(key, kind="stable")
    group = (inv.draft.astype(np.int64) * 100 + inv.legal_entity)[order] * 10_000 + year[order]
    begins = np.flatnonzero(np.concatenate((np.ones(1, dtype=bool), group[1:] != group[:-1])))
    running = np.arange(inv.count) - np.repeat(begins, np.diff(np.append(begins, inv.count)))
    number = np.empty(inv.count, dtype=np.int64)
    number[order] = running + 1
    dash = col.constant("-", inv.count)
    series = col.pick([entity[4] for entity in LEGAL_ENTITIES], inv.legal_entity)
    issued = col.joined(series, col.digits(year, 4), dash, col.digits(number, 7))
    return col.chosen(
        inv.draft, col.joined(col.constant("DRAFT-", inv.count), col.text_of(invoice_ids(np.arange(inv.count)))), issued
    )


def line_table(inv: Invoices, lines: Lines) -> pa.Table:
    """erp.invoice_lines."""
    n = len(lines.invoice)
    first = np.searchsorted(lines.invoice, np.arange(inv.count))
    without_item = lines.item < 0
    texts = [item[1] for item in book.ITEMS] + ["Discount"]
    return pa.table(
        {
            "line_id": col.integers(line_ids(np.arange(n))),
            "invoice_id": col.integers(invoice_ids(lines.invoice)),
            "line_no": col.small_integers(np.arange(n) - first[lines.invoice] + 1),
            "sub_item_id": col.integers(item_ids(lines.item_row), lines.item_row < 0),
            "kind": col.codes(LINE_KINDS, lines.kind),
            "item_no": col.codes(book.ITEM_CODES, lines.item, without_item),
            "description": col.codes(texts, np.where(without_item, len(texts) - 1, lines.item)),
            "quantity": col.decimals(lines.quantity, 14, 4),
            "unit_price": col.decimals(lines.unit_price, 14, 4),
            "currency": currencies(inv.currency[lines.invoice]),
            "amount": col.decimals(lines.amount, 14, 3),
            "tax_pct": col.decimals(inv.tax_rate[lines.invoice] * 10, 6, 3),
            "tax_amount": col.decimals(lines.tax, 14, 3),
            "contract_tz": zones(inv.zone[lines.invoice]),
            "period_from": col.dates(lines.start, lines.start < 0),
            "period_to": col.dates(lines.end - 1, lines.start < 0),
        }
    )


def revenue_table(setup: Setup, c: Contracts, inv: Invoices, lines: Lines) -> pa.Table:
    """erp.revenue_schedule: the lines of each contract's latest invoice, month by month; the rest goes to the last."""
    row = np.flatnonzero(inv.latest[lines.invoice])
    invoice = lines.invoice[row]
    spread = (lines.kind[row] == REC) | (lines.kind[row] == DSC)
    months = np.where(spread, c.months[inv.contract[invoice]], 1)
    part, position = col.expand(months)
    step = STEP[inv.currency[invoice]]
    amount = lines.amount[row]
    share = np.sign(amount) * (np.abs(amount) // (months * step)) * step
    final = position == months[part] - 1
    month = month_of(inv.start[invoice])[part] + position
    return pa.table(
        {
            "schedule_id": col.integers(np.arange(len(part)) + 1),
            "line_id": col.integers(line_ids(row)[part]),
            "month": col.dates(month_start(month)),
            "currency": currencies(inv.currency[invoice][part]),
            "amount": col.decimals(np.where(final, (amount - share * (months - 1))[part], share[part]), 14, 3),
            "recognized": col.flags(month_start(month) <= setup.utc_today),
        }
    )
