"""Opportunities and product news of the CRM, orders of the ERP; all clean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from migration_assets.demo import columns as col
from migration_assets.demo import price_book as book
from migration_assets.demo.amounts import COARSE_STEP, rounded
from migration_assets.demo.columns import Bools, Column, Ints
from migration_assets.demo.contracts import Contracts, Items, currencies
from migration_assets.demo.people import ERASED, NORMAL, USERS, People, account_ids, user_ids
from migration_assets.demo.world import Setup

OPEN, PROPOSAL, NEGOTIATION, WON, LOST = range(5)
_STAGES = ("Open", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
_SOLD = np.array([book.BAS, book.PRO, book.ENT, book.SEAT, book.STO, book.SUP, book.SSO], dtype=np.int64)
_DAY_US = col.MICROSECONDS_PER_DAY


@dataclass(frozen=True)
class Offers:
    """Lines of opportunities, sorted by opportunity. Money in ten-thousandths, `discount` in whole percent."""

    opportunity: Ints
    position: Ints
    item: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    amount: Ints


def tables(setup: Setup, people: People, c: Contracts, items: Items) -> dict[str, pa.Table]:
    """opportunities, opportunity_lines and product_updates of the CRM; orders and order_lines of the ERP."""
    rng = setup.stream("opportunities")
    buyers = (people.role == NORMAL) | ((people.role != ERASED) & (rng.random(people.count) < 0.2))
    account = np.flatnonzero(buyers & (rng.random(people.count) < 0.3))
    stage = rng.integers(0, 5, len(account))
    offers = _offers(rng, people, account)
    won = (stage == WON) & people.in_erp[account]
    return {
        "crm.opportunities": _opportunities(setup, people, account, stage, offers),
        "crm.opportunity_lines": _opportunity_lines(people, account, offers),
        "crm.product_updates": _product_updates(setup, c, items),
        **_orders(setup, people, account, won, offers),
    }


def _offers(rng: np.random.Generator, people: People, account: Ints) -> Offers:
    opportunity, position = col.expand(rng.integers(1, 4, len(account)))
    n = len(opportunity)
    currency = people.currency[account[opportunity]]
    item = _SOLD[rng.integers(0, len(_SOLD), n)]
    quantity = rng.integers(1, 30, n)
    price = book.list_price(item, np.zeros(n, dtype=np.int64), currency)
    discount = rng.integers(0, 4, n) * 5
    amount = rounded(quantity * price * (100 - discount), 100, COARSE_STEP[currency])
    return Offers(opportunity, position, item, quantity, price, discount, amount)


def opportunity_ids(index: Ints) -> Column:
    """O-0000001 for index 0."""
    return col.joined(col.constant("O-", len(index)), col.digits(index + 1, 7))


def _opportunities(setup: Setup, people: People, account: Ints, stage: Ints, offers: Offers) -> pa.Table:
    rng = setup.stream("opportunity rows")
    n = len(account)
    ahead = stage <= NEGOTIATION
    distance = rng.integers(1, 180, n)
    amount = col.sums(offers.amount, offers.opportunity, n)
    return pa.table(
        {
            "opp_id": opportunity_ids(np.arange(n)),
            "account_id": account_ids(account),
            "owner_user": user_ids(rng.integers(0, USERS, n)),
            "name": col.joined(
                col.pick(("New business", "Renewal", "More seats"), account % 3), " ", col.text_of(account)
            ),
            "stage": col.codes(_STAGES, stage),
            "currency": currencies(people.currency[account]),
            "amount": col.decimals(amount, 14, 2),
            "close_date": col.dates(setup.utc_today + np.where(ahead, distance, -distance)),
            "updated_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _opportunity_lines(people: People, account: Ints, offers: Offers) -> pa.Table:
    n = len(offers.item)
    return pa.table(
        {
            "opp_line_id": col.integers(np.arange(n) + 1),
            "opp_id": opportunity_ids(offers.opportunity),
            "line_no": col.small_integers(offers.position + 1),
            "item_no": col.codes(book.ITEM_CODES, offers.item),
            "quantity": col.small_integers(offers.quantity),
            "currency": currencies(people.currency[account[offers.opportunity]]),
            "unit_price": col.decimals(offers.price, 14, 4),
            "discount_pct": col.decimals(offers.discount * 10_000, 7, 4, offers.discount == 0),
        }
    )


def _product_updates(setup: Setup, c: Contracts, items: Items) -> pa.Table:
    rng = setup.stream("product updates")
    row = np.flatnonzero(rng.random(len(items.item)) < 0.1)
    n = len(row)
    return pa.table(
        {
            "update_id": col.integers(np.arange(n) + 1),
            "account_id": account_ids(c.account[items.contract[row]]),
            "item_no": col.codes(book.ITEM_CODES, items.item[row]),
            "change": col.codes(("ADD", "CHG", "DEL"), rng.integers(0, 3, n)),
            "quantity": col.small_integers(items.quantity[row]),
            "changed_at": col.instants(setup.as_of_us - rng.integers(1, 300, n) * _DAY_US),
        }
    )


def _orders(setup: Setup, people: People, account: Ints, won: Bools, offers: Offers) -> dict[str, pa.Table]:
    """Every won opportunity became an order; one customer in twenty ordered a set-up without one."""
    rng = setup.stream("orders")
    from_opp = np.flatnonzero(won)
    direct = np.flatnonzero(people.in_erp & (rng.random(people.count) < 0.05))
    buyer = np.concatenate((account[from_opp], direct))
    n, sold = len(buyer), len(from_opp)
    place_of = np.full(len(account), -1, dtype=np.int64)
    place_of[from_opp] = np.arange(sold)
    line = np.flatnonzero(won[offers.opportunity])
    order = np.concatenate((place_of[offers.opportunity[line]], sold + np.arange(len(direct))))
    currency = people.currency[buyer]
    fee_item = np.full(len(direct), book.SETUP, dtype=np.int64)
    fee = book.list_price(fee_item, np.zeros(len(direct), dtype=np.int64), currency[sold:])
    # Prices are whole hundredths and discounts whole percent, so four decimals hold the discounted price.
    price = np.concatenate((offers.price[line] // 100 * (100 - offers.discount[line]), fee))
    amount = np.concatenate((offers.amount[line], fee))
    lines = pa.table(
        {
            "order_line_id": col.small_integers(np.arange(len(order)) + 1),
            "order_id": col.small_integers(order + 1),
            "line_no": col.small_integers(
                np.concatenate((offers.position[line], np.zeros(len(direct), dtype=np.int64))) + 1
            ),
            "item_no": col.codes(book.ITEM_CODES, np.concatenate((offers.item[line], fee_item))),
            "quantity": col.small_integers(
                np.concatenate((offers.quantity[line], np.ones(len(direct), dtype=np.int64)))
            ),
            "currency": currencies(currency[order]),
            "unit_price": col.decimals(price, 14, 4),
            "amount": col.decimals(amount, 14, 2),
        }
    )
    orders = pa.table(
        {
            "order_id": col.small_integers(np.arange(n) + 1),
            "order_no": col.joined(col.constant("SO-", n), col.digits(np.arange(n) + 1, 7)),
            "customer_no": col.small_integers(people.customer_no[buyer]),
            "opp_id": col.blanked(opportunity_ids(np.concatenate((from_opp, direct * 0))), np.arange(n) >= sold),
            "status": col.codes(("DRF", "CNF", "FUL", "CXL"), rng.integers(0, 4, n)),
            "currency": currencies(currency),
            "total": col.decimals(col.sums(amount, order, n), 14, 2),
            "order_date": col.dates(setup.utc_today - rng.integers(1, 400, n)),
        }
    )
    return {"erp.orders": orders, "erp.order_lines": lines}
