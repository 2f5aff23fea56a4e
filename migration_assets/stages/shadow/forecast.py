"""The next bills of a cohort on both sides, told by the old system's keys, so that they can be compared.

The old side is given raw tables, the new side canonical rows; what joins them is where a row of the target came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.domain.legacy import terms as old
from migration_assets.domain.target import terms as new
from migration_assets.stages.shadow.legacy.bills import legacy_bills
from migration_assets.stages.shadow.legacy.features import translated
from migration_assets.stages.shadow.legacy.metered import metered
from migration_assets.stages.shadow.runs import Bills
from migration_assets.stages.shadow.target.bills import target_bills

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyBilling
    from migration_assets.plan.billing_records import RecordName
    from migration_assets.stages.shadow.target.rows import TargetRows

Exponents = Callable[[str], int]


def old_bills(
    engine: DuckDBEngine,
    legacy: LegacyBilling,
    records: Mapping[RecordName, ir.Table],
    as_of: datetime,
    exponents: Exponents,
) -> Bills:
    """What the old system would bill from T on, by its own keys."""
    told = translated(engine, records, legacy.features)
    usage = metered(engine, told, legacy.features)
    rules = old.Rules(**legacy.rules.model_dump())
    return legacy_bills(engine, told, rules, as_of, exponents, metered=usage)


@dataclass(frozen=True)
class Origins:
    """Which contract and item of the old system a row of the target came from: id, source_id; key of both: id."""

    contracts: ir.Table
    items: ir.Table


def origins(engine: DuckDBEngine, rows: Mapping[str, ir.Table], legacy: LegacyBilling) -> Origins:
    """`rows`: canonical rows by entity, with their provenance."""
    return Origins(
        _origin(engine, rows.get("subscription"), "subscription_id", legacy.reads["contracts"].table),
        _origin(engine, rows.get("subscription_item"), "item_id", legacy.reads["items"].table),
    )


def _origin(engine: DuckDBEngine, rows: ir.Table | None, key: str, table: str) -> ir.Table:
    if rows is None:
        return engine.table(pa.table({"id": pa.array([], pa.string()), "source_id": pa.array([], pa.string())}))
    system, _, name = table.partition(".")
    mine = rows.filter((rows["source_system"] == system) & (rows["source_table"] == name))
    return mine.select(id=mine[key], source_id=mine["source_id"])


def new_bills(
    engine: DuckDBEngine, held: TargetRows, rules: new.Rules, as_of: datetime, exponents: Exponents, known: Origins
) -> Bills:
    """What the target would bill from T on, by the old system's keys; a row that came from nowhere keeps its id."""
    bills = target_bills(engine, held, rules, as_of, exponents)
    lines = _told(bills.lines, known.contracts, "subscription_id")
    return Bills(
        schedules=bills.schedules,
        runs=engine.cached(_told(bills.runs, known.contracts, "subscription_id")),
        lines=engine.cached(_told(lines, known.items, "item_id")),
        unbillable=engine.cached(_told(bills.unbillable, known.contracts, "subscription_id")),
    )


def _told(rows: ir.Table, known: ir.Table, column: str) -> ir.Table:
    named = rows.left_join(known, rows[column] == known["id"])
    return named.mutate(**{column: named["source_id"].coalesce(named[column])}).select(*rows.columns)
