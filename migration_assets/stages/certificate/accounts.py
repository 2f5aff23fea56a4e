"""The accounts of a cohort's customers, made once for all of them and told for a few at a time.

Belongs here: the order in which things are made. What they are is in the modules beside this one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migration_assets.domain.calendar import is_zone
from migration_assets.stages.certificate.bills import as_bills, bill_pairs, both_sides
from migration_assets.stages.certificate.cohort_rows import left_out_parts
from migration_assets.stages.certificate.content import Known, content_of
from migration_assets.stages.certificate.credits import credits_of
from migration_assets.stages.certificate.grants import access_of, grants_of
from migration_assets.stages.shadow.parity import of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing
    from migration_assets.plan.models import Plan
    from migration_assets.stages.certificate.bills import BillPair
    from migration_assets.stages.certificate.cohort_rows import CohortRows
    from migration_assets.stages.certificate.credits import Credits
    from migration_assets.stages.certificate.grants import Access
    from migration_assets.stages.shadow.runs import Bills

Rows = dict[str, list[dict[str, Any]]]
# Bills of so many customers are told at a time: each is some hundred small objects.
_AT_ONCE = 500


@dataclass(frozen=True)
class Accounts:
    """What is known of a cohort's customers. `bills`: both sides; None where the plan does not say how the target
    bills."""

    engine: DuckDBEngine
    plan: Plan
    billing: Billing
    rows: CohortRows
    as_of: datetime
    bills: tuple[Bills, Bills] | None
    access: Access
    credits: Credits
    left_out: Rows

    def customers(self) -> list[str | None]:
        """Everybody who has a contract, or is granted anything on either side; None for contracts of nobody."""
        owned = self.rows.contracts.select("customer_id")
        granted = [t.select("customer_id") for t in (self.access.before, self.access.after)]
        found = self.engine.arrow(self.engine.union([owned, *granted]).distinct())
        return sorted(found["customer_id"].to_pylist(), key=lambda c: (c is None, c or ""))

    def told(self, customers: Sequence[str | None]) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Each of these customers with their account (content.content_of), in this order."""
        for first in range(0, len(customers), _AT_ONCE):
            some = customers[first : first + _AT_ONCE]
            with self.engine.passing():
                contracts = self._contracts(some)
                known = self._known(some, [c for own in contracts.values() for c in own])
            for customer in some:
                yield customer, content_of(known, customer, contracts.get(customer, ()))

    def _contracts(self, customers: Sequence[str | None]) -> dict[str | None, list[str]]:
        asked = self.engine.table(pa.table({"customer_id": pa.array(customers, pa.string())}))
        every = self.rows.contracts
        mine = every.join(asked.rename(asked="customer_id"), every["customer_id"].identical_to(asked["customer_id"]))
        found: defaultdict[str | None, list[str]] = defaultdict(list)
        for row in self.engine.arrow(mine.select("customer_id", "contract_id")).to_pylist():
            found[row["customer_id"]].append(row["contract_id"])
        return dict(found)

    def _known(self, customers: Sequence[str | None], contracts: Sequence[str]) -> Known:
        named = self.engine.table(pa.table({"contract_id": pa.array(sorted(set(contracts)), pa.string())}))
        whose = self.engine.table(pa.table({"customer_id": pa.array([c for c in customers if c], pa.string())}))
        found = self.rows.found
        return Known(
            bills=self._pairs(named),
            forecast={c: rows[0] for c, rows in self._by_contract(found.forecast, named, "contract_id").items()},
            issued=self._by_contract(found.back_test, named, "period_from", "invoice_id"),
            left_out=self.left_out,
            zones=self._zones(named),
            products=self._products(named),
            units={f.code: f.unit for f in self.plan.catalog.features},
            credits=self.credits,
            grants=grants_of(self.engine, self.access, whose),
            other_units={f.code: f.units for f in self.plan.catalog.features},
        )

    def _pairs(self, named: ir.Table) -> dict[str, list[BillPair]]:
        if self.bills is None:
            return {}
        few = named.rename(subscription_id="contract_id")
        before, after = (as_bills(self.engine, of(side, few)) for side in self.bills)
        different = self.rows.found.differences.semi_join(named, "contract_id")
        rows = self.engine.arrow(different).to_pylist()
        pairs: defaultdict[str, list[BillPair]] = defaultdict(list)
        for pair in bill_pairs(before, after, rows, self.billing.accepted, self.as_of):
            pairs[pair.contract_id].append(pair)
        return dict(pairs)

    def _by_contract(self, table: ir.Table, named: ir.Table, *order: str) -> Rows:
        found: Rows = {}
        for row in self.engine.arrow(table.semi_join(named, "contract_id").order_by(list(order))).to_pylist():
            found.setdefault(row["contract_id"], []).append(row)
        return found

    def _zones(self, named: ir.Table) -> dict[str, str]:
        """Whose clocks a contract goes by, as the old system says; none where that is no zone."""
        contracts = self.rows.records["contracts"].semi_join(named, "contract_id").select("contract_id", "zone")
        told = self.engine.arrow(contracts).to_pylist()
        return {r["contract_id"]: r["zone"] for r in told if is_zone(r["zone"] or "")}

    def _products(self, named: ir.Table) -> dict[str, str]:
        """What the target sells with an item, by the old system's id of it; where it has no such row, the old name."""
        items = self.rows.records["items"].semi_join(named, "contract_id").select("item_id", "product")
        known = {r["item_id"]: r["product"] for r in self.engine.arrow(items).to_pylist() if r["product"]}
        made = self.rows.made.get("subscription_item")
        if made is not None:
            known_as = self.rows.origins.items.select(made_id="id", told_id="source_id")
            told = made.left_join(known_as, made["item_id"] == known_as["made_id"])
            sold = told.select("product_code", item_id=told["told_id"].coalesce(told["item_id"]))
            wanted = sold.filter(sold["item_id"].isin(sorted(known)) | sold["item_id"].contains(":"))
            known |= {r["item_id"]: r["product_code"] for r in self.engine.arrow(wanted).to_pylist()}
        return known


def accounts(
    engine: DuckDBEngine,
    plan: Plan,
    billing: Billing,
    rows: CohortRows,
    as_of: datetime,
    exponents: Callable[[str], int],
) -> Accounts:
    """Bills, access and credits of everybody whose rows these are."""
    target = billing.target
    bills = None if target is None else both_sides(engine, plan, billing, target, rows, as_of, exponents)
    return Accounts(
        engine,
        plan,
        billing,
        rows,
        as_of,
        bills,
        access_of(engine, billing, rows, as_of),
        credits_of(engine, billing, rows, exponents),
        left_out_parts(engine, billing, rows),
    )


def rules_of(billing: Billing) -> Mapping[str, Any]:
    """The rules of both sides and who signed them, as plain data."""
    return {
        "signed_by": billing.signed_by,
        "signed_on": billing.signed_on.isoformat(),
        "before": billing.legacy.rules.model_dump(),
        "after": None if billing.target is None else billing.target.rules.model_dump(),
    }
