"""Puts the legacy world together: people, contracts, invoices, then reference tables, defects and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.demo import billing, defects, parties, price_book, receivables, sales, subscriptions, usage
from migration_assets.demo import columns as col
from migration_assets.demo.amounts import CURRENCIES
from migration_assets.demo.contracts import draw as draw_contracts
from migration_assets.demo.people import draw as draw_people
from migration_assets.demo.periods import EPOCH, day_number, month_start
from migration_assets.demo.places import LEGAL_ENTITIES, TAX_RATES
from migration_assets.demo.world import DEFAULT_RATES, Legacy, Setup
from migration_assets.domain.errors import BadInput

DEFAULT_AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)


def generate(
    customers: int,
    seed: int = 1,
    as_of: datetime = DEFAULT_AS_OF,
    messy: bool | Mapping[str, float] = True,
) -> Legacy:
    """Make both legacy systems with about that many CRM accounts, as they stood at the instant `as_of`.

    `messy`: False plants nothing, True plants every kind at DEFAULT_RATES, a mapping plants only the kinds it names, at
    its own rates. The same arguments give the same rows everywhere. Raises BadInput for a kind that is not
    known, a rate outside 0..1, or fewer than 100 customers.
    """
    setup = Setup(customers, seed, as_of, _rates(messy))
    _check(setup)
    people = draw_people(setup)
    contracts, items = draw_contracts(setup, people)
    invoices, lines = billing.draw(setup, people, contracts, items)
    settled = receivables.draw(setup, people, contracts, invoices)
    live = np.zeros(people.count, dtype=bool)
    live[contracts.account[~contracts.ended]] = True
    tables = {
        **parties.tables(setup, people, live),
        **_reference(setup),
        **subscriptions.tables(setup, people, contracts, items, billing.billed_to_date(contracts, invoices)),
        "erp.invoices": billing.invoice_table(
            setup, people, invoices, receivables.status_column(settled), settled.due, settled.open_amount
        ),
        "erp.invoice_lines": billing.line_table(invoices, lines),
        "erp.revenue_schedule": billing.revenue_table(setup, contracts, invoices, lines),
        **receivables.tables(setup, people, invoices, settled),
        **sales.tables(setup, people, contracts, items),
    }
    tables |= usage.tables(setup, people, contracts, items, tables["crm.contacts"]["email"].combine_chunks())
    dirty, planted = defects.plant(setup, people, tables)
    return Legacy(dirty, _truth(setup, dirty, planted))


def _rates(messy: bool | Mapping[str, float]) -> Mapping[str, float]:
    if messy is True:
        return DEFAULT_RATES
    given = {} if messy is False else dict(messy)
    return {**dict.fromkeys(DEFAULT_RATES, 0.0), **given}


def _check(setup: Setup) -> None:
    unknown = sorted(set(setup.rates) - set(DEFAULT_RATES))
    if unknown:
        raise BadInput(f"unknown kinds of defect: {', '.join(unknown)}", f"Use some of: {', '.join(DEFAULT_RATES)}.")
    wrong = sorted(kind for kind, rate in setup.rates.items() if not 0 <= rate <= 1)
    if wrong:
        raise BadInput(f"rates of defects out of range: {', '.join(wrong)}", "Give each a number from 0 to 1.")
    if setup.customers < 100:
        raise BadInput("too few customers to show every kind of row", "Ask for at least 100.")
    if setup.as_of.tzinfo is None:
        raise BadInput("as_of has no time zone", "Give an instant, for example 2026-06-30T12:00:00Z.")


def _reference(setup: Setup) -> dict[str, pa.Table]:
    """Small tables without randomness."""
    entity_columns = ("le_code", "name", "country", "currency", "invoice_series")
    since = [day_number(EPOCH.fromisoformat(row[2])) for row in TAX_RATES]
    return {
        **price_book.tables(),
        "erp.legal_entities": pa.table(
            {name: pa.array([entity[i] for entity in LEGAL_ENTITIES]) for i, name in enumerate(entity_columns)}
        ),
        "erp.tax_rates": pa.table(
            {
                "country": pa.array([row[0] for row in TAX_RATES]),
                "tax_pct": col.decimals(np.array([row[1] * 10 for row in TAX_RATES], dtype=np.int64), 6, 3),
                "valid_from": col.dates(np.array(since, dtype=np.int64)),
            }
        ),
        "erp.exchange_rates": _exchange_rates(setup),
    }


# Dollars in one unit of the currency, in hundred-millionths.
_IN_DOLLARS = {"EUR": 108_350_000, "GBP": 127_120_000, "JPY": 668_400, "KWD": 325_450_000}


def _exchange_rates(setup: Setup) -> pa.Table:
    """Every other currency in dollars on the first of each of the last 24 months, moving a little each month."""
    month = (setup.as_of.year - 1970) * 12 + setup.as_of.month - 1
    months = np.repeat(np.arange(month - 23, month + 1, dtype=np.int64), len(_IN_DOLLARS))
    base = np.tile(np.arange(1, len(CURRENCIES), dtype=np.int64), 24)
    level = np.array([_IN_DOLLARS[c] for c in CURRENCIES[1:]], dtype=np.int64)[base - 1]
    rate = level + level * ((months * 37 + base * 11) % 41 - 20) // 1000
    return pa.table(
        {
            "rate_id": col.small_integers(np.arange(len(base)) + 1),
            "base_ccy": col.codes(CURRENCIES, base),
            "quote_ccy": col.constant("USD", len(base)),
            "rate": pa.array([Decimal(int(r)).scaleb(-8) for r in rate], pa.decimal128(18, 8)),
            "rate_date": col.dates(month_start(months)),
        }
    )


def _truth(setup: Setup, tables: dict[str, pa.Table], planted: defects.Planted) -> dict[str, Any]:
    """What only tests and the drill may see."""
    return {
        "seed": setup.seed,
        "customers": setup.customers,
        "as_of": setup.as_of.astimezone(UTC).isoformat(),
        "rates": dict(setup.rates),
        "rows": {name: table.num_rows for name, table in tables.items()},
        "defects": planted.keys,
        "originals": planted.originals,
        "money": {
            name: _sums(tables[table], column)
            for name, table, column in (
                ("invoiced", "erp.invoices", "total"),
                ("open", "erp.invoices", "open_amount"),
                ("received", "erp.payments", "amount"),
                ("applied", "erp.payment_applications", "amount"),
                ("credited", "erp.credit_memos", "amount"),
                ("credit_left", "erp.credit_balances", "balance"),
                ("recurring", "erp.subscription_items", "recurring_amount"),
            )
        },
    }


def _sums(table: pa.Table, column: str) -> dict[str, str]:
    """Exact sums by currency, as decimal text in major units."""
    plain = pa.table(
        {"currency": table["currency"].cast(pa.string()), "amount": table[column].cast(pa.decimal128(38, 4))}
    )
    total = plain.group_by("currency").aggregate([("amount", "sum")]).sort_by("currency")
    texts = pc.cast(total["amount_sum"], pa.string()).to_pylist()
    return dict(zip(total["currency"].to_pylist(), texts, strict=True))
