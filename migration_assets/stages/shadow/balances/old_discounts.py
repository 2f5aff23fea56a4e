"""Discounts that hold at T by the old system's rules, of whole cohorts: what recurring revenue is less by.

Belongs here: which discounts. Not here: what they come to, which is the same sum on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.legacy.contracts import contracts_to_bill, readable, record
from migration_assets.stages.shadow.legacy.cycles import segments
from migration_assets.stages.shadow.legacy.discounts import granted

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.legacy.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.legacy.contracts import Records


def standing_discounts(
    engine: DuckDBEngine, records: Records, rules: Rules, as_of: datetime, exponents: Callable[[str], int]
) -> ir.Table:
    """Discounts that have begun by T and have a period left from T on: contract_id, percent (absent of an amount),
    amount_minor (of one period); one row for each discount. Those of contracts that cannot be billed are none."""
    discounts = readable(record(engine, records, "discounts"))
    own = {**records, "contracts": engine.cached(records["contracts"].semi_join(discounts, "contract_id"))}
    contracts, _unknown = contracts_to_bill(engine, own, as_of, exponents)
    parts = segments(engine, contracts, rules, 1)
    grants, _scale = granted(engine, own, parts)
    # The part of the contract in which its next period is; of one that has none any more its last.
    next_first = [(parts["from_cycle"] < parts["until_cycle"]).desc(), parts["part"].desc()]
    place = ibis.row_number().over(ibis.window(group_by="contract_id", order_by=next_first))
    # Periods that pass in a pause or after the end are billed by nobody, and use nothing up.
    parts = parts.mutate(next=ibis.least(parts["from_cycle"], parts["hi"]), _place=place)
    now = parts.filter(parts["_place"] == 0).select("contract_id", "part", "next")
    held = grants.join(now, ["contract_id", "part"])
    held = held.filter(held["next"] < held["until_grant"])
    # The first local day that does not begin before T is that of T itself only where T is its first instant.
    days = contracts.select("contract_id", "zone", "starts_on")
    told = held.join(
        discounts.select("discount_id", "contract_id", "first_day", "percent"), ["discount_id", "contract_id"]
    )
    told = told.join(days, "contract_id")
    told = told.filter((told["first_day"] < told["starts_on"]) & (told["amount"] == told["amount"].floor()))
    return engine.cached(told.select("contract_id", "percent", amount_minor=told["amount"].cast("int64")))
