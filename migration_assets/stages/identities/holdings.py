"""What customers hold, as far as a person has to know before two of them are merged: read for those asked about only.

Counts and sums over a group of rows; a merge adds two of them up and changes no sum (I20).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migration_assets.domain.stakes import Amounts
from migration_assets.stages.identities.amounts import ByCustomer, invoiced_year, recurring_year
from migration_assets.stages.identities.decide import Known
from migration_assets.stages.identities.facts import facts_of, known_of, listed
from migration_assets.stages.identities.stakes import added
from migration_assets.stages.identities.theirs import rows_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.feeds import Mapping as Feeds

# Of a customer's own rows these are counted.
COUNTED = ("contact", "address", "consent")
# Invoices somebody still has to pay.
_OPEN = ("open", "partially_paid", "overdue")


@dataclass(frozen=True)
class Holding:
    """What some customer rows hold together.

    `subscriptions`: (status, plan) -> how many. `open_invoices`: currency -> (how many, sum of their totals in minor
    units, before payments on account). `credit`: credit balances. `counts`: entity of COUNTED -> rows.
    """

    subscriptions: Mapping[tuple[str, str], int]
    recurring_year: Amounts
    invoiced_year: Amounts
    open_invoices: Mapping[str, tuple[int, int]]
    credit: Amounts
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Holdings:
    """What was read for all who were asked about; ask for a group of their rows."""

    subscriptions: Collection[tuple[str, str, str]]
    recurring: ByCustomer
    invoiced: ByCustomer
    invoices: Collection[tuple[str, str, int]]
    credits: Collection[tuple[str, str, int]]
    parties: Mapping[str, Counter[str]]
    known: Mapping[str, Known]

    def of(self, keys: Collection[str]) -> Holding:
        """What these rows hold together."""
        bills: dict[str, tuple[int, int]] = {}
        for _, currency, minor in (row for row in self.invoices if row[0] in keys):
            count, total = bills.get(currency, (0, 0))
            bills[currency] = (count + 1, total + minor)
        credit: Counter[str] = Counter()
        for _, currency, minor in (row for row in self.credits if row[0] in keys):
            credit[currency] += minor
        return Holding(
            subscriptions=dict(sorted(Counter((s, p) for key, s, p in self.subscriptions if key in keys).items())),
            recurring_year=added(keys, self.recurring),
            invoiced_year=added(keys, self.invoiced),
            open_invoices=dict(sorted(bills.items())),
            credit=dict(sorted(credit.items())),
            counts={entity: sum(rows[key] for key in keys) for entity, rows in self.parties.items()},
        )

    def known_of(self, keys: Collection[str]) -> Known:
        """What a merge of these rows with others would have to mind (decide.objections)."""
        each = [self.known.get(key, Known()) for key in keys]
        tax_ids: dict[str, frozenset[str]] = {}
        for country, numbers in (item for k in each for item in k.tax_ids.items()):
            tax_ids[country] = tax_ids.get(country, frozenset()) | numbers
        plans = frozenset(plan for k in each for plan in k.plans)
        return Known(any(k.billed for k in each), plans, tax_ids)


def holdings_of(feeds: Feeds, parties: Mapping[str, ir.Table], keys: Collection[str]) -> Holdings:
    """Read what these customer rows hold. `parties`: rows in standard form of contact, address, consent and
    tax_registration, as far as the plan feeds them."""
    asked = feeds.engine.table(pa.table({"customer_id": pa.array(sorted(keys), pa.string())}))
    invoices = rows_of(feeds, "invoice", asked)
    is_open = None if invoices is None else invoices.filter(invoices["status"].isin(_OPEN))
    theirs = {e: rows.semi_join(asked, "customer_id") for e, rows in parties.items() if e in COUNTED}
    return Holdings(
        subscriptions=_rows(feeds.engine, rows_of(feeds, "subscription", asked), "owned_by", "status", "plan_code"),
        recurring=recurring_year(feeds, asked),
        invoiced=invoiced_year(feeds, asked),
        invoices=_rows(feeds.engine, is_open, "owned_by", "currency", "total_minor"),
        credits=_rows(feeds.engine, rows_of(feeds, "credit_balance", asked), "owned_by", "currency", "balance_minor"),
        parties={e: Counter(key for (key,) in _rows(feeds.engine, rows, "customer_id")) for e, rows in theirs.items()},
        known=known_of(feeds.engine, facts_of(feeds, parties.get("tax_registration"), asked)),
    )


def _rows(engine: DuckDBEngine, rows: ir.Table | None, *columns: str) -> list[Any]:
    return [] if rows is None else listed(engine, rows, *columns)
