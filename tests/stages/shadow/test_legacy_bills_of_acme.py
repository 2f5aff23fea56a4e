"""The demo company's next bills, made at once from its raw tables, are those that the readable rules make of them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from spread_runs import bills_of

from migration_assets.demo.generator import generate
from migration_assets.domain.legacy.invoices import invoices
from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.back_tested.told import contracts_of
from migration_assets.stages.shadow.legacy.bills import legacy_bills
from migration_assets.stages.shadow.legacy.reading import read_records

ACME = Path(__file__).parents[3] / "plans" / "acme"
AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)


# Scheduled changes need the price list, which no record holds yet.
_READ: tuple[RecordName, ...] = ("contracts", "items", "discounts", "tax_rates")


@pytest.mark.parametrize("messy", [False, True])
def test_the_next_bills_of_every_contract_that_is_not_over_are_the_readable_ones(messy: bool) -> None:
    billing = load_plan(ACME).billing
    assert billing is not None
    rules, world = Rules(**billing.legacy.rules.model_dump()), generate(200, messy=messy)
    with DuckDBEngine() as engine:

        def raw(name: str):  # type: ignore[no-untyped-def]
            rows = world.tables[name]
            return engine.table(rows.append_column("_row", pa.array(range(len(rows)), pa.int64())))

        records = read_records(engine, billing.legacy, raw, only=_READ)
        made = legacy_bills(engine, records, rules, AS_OF, exponent_of)
        found, unbillable = bills_of(engine, made), engine.arrow(made.unbillable).to_pylist()
        contracts = list(contracts_of(engine, records, exponent_of).contracts.values())
        over = records["contracts"].filter(records["contracts"]["status"] == "over")
        gone = set(engine.arrow(over.select("contract_id"))["contract_id"].to_pylist())
    assert unbillable == []
    wanted = {}
    for contract in contracts:
        nexts = list(islice((b for b in invoices(contract, rules) if b.issued_at >= AS_OF), 12))
        if nexts and contract.contract_id not in gone:
            wanted[contract.contract_id] = nexts
    assert len(wanted) > 150
    assert found == wanted
