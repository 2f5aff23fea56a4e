"""Bills of both sides compared part by part, so that a cohort of any size takes the memory of one part.

Belongs here: how contracts and what hangs on them are parted. Not here: what is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from migration_assets.engine.parts import parted
from migration_assets.stages.shadow.comparison import Comparison, Sides, compared

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import Billing, TargetBilling
    from migration_assets.stages.shadow.target.rows import TargetRows

# Contracts of one part: smaller ones cost more for each contract, larger ones more memory than an engine is given.
MOST = 100_000


def compared_in_parts(
    engine: DuckDBEngine,
    billing: Billing,
    target: TargetBilling,
    sides: Sides,
    as_of: datetime,
    exponents: Callable[[str], int],
    proved: Mapping[str, bool],
    *,
    most: int = MOST,
) -> Comparison:
    """What `compared` says of the same sides. `most`: contracts of one part, about."""
    contracts = max(engine.count(sides.records["contracts"]), engine.count(sides.held.subscription))
    parts = -(-contracts // most)
    if parts <= 1:
        return compared(engine, billing, target, sides, as_of, exponents, proved)

    named = _named(engine, sides)

    def made(part: int) -> tuple[ir.Table, ...]:
        own = part_of(engine, sides, named, part, parts)
        found = compared(engine, billing, target, own, as_of, exponents, proved)
        return found.forecast, found.differences, found.totals, found.renewals

    told = [engine.aside(partial(made, part)) for part in range(parts)]
    return Comparison(*(engine.cached(engine.union(each)) for each in zip(*told, strict=True)))


def part_of(engine: DuckDBEngine, sides: Sides, named: ir.Table, part: int, parts: int) -> Sides:
    """Some contracts, each with all of its rows, old and new; what belongs to no contract is in every part.

    `named`: subscription_id of the target's rows (key), contract_id. Everything is kept, so that what is asked of one
    part reads the same for the next.
    """
    records = {
        record: engine.cached(parted(rows, "contract_id", parts)[part]) if "contract_id" in rows.columns else rows
        for record, rows in sides.records.items()
    }
    mine = engine.cached(parted(named, "contract_id", parts)[part].select("subscription_id"))
    held = {
        n: engine.cached(rows.semi_join(mine, "subscription_id"))
        for n, rows in _tables(sides.held).items()
        if "subscription_id" in rows.columns
    }
    return replace(sides, records=records, held=replace(sides.held, **held))


def _named(engine: DuckDBEngine, sides: Sides) -> ir.Table:
    """subscription_id of every row of the target that has one (key), and the contract that it came from."""
    own = "subscription_id"
    every = [rows.select(own) for rows in _tables(sides.held).values() if own in rows.columns]
    known = sides.origins.contracts
    ids = engine.union(every).distinct()
    told = ids.left_join(known, ids[own] == known["id"])
    return engine.cached(told.select(own, contract_id=told["source_id"].coalesce(told[own])))


def _tables(held: TargetRows) -> dict[str, ir.Table]:
    return {f.name: getattr(held, f.name) for f in fields(held)}
