"""The old system's rules make the invoices it issued, from its raw tables, and a wrong rule is found and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from migration_assets.demo.generator import generate
from migration_assets.demo.world import Legacy
from migration_assets.domain.back_test import Verdict
from migration_assets.domain.bill import Bill
from migration_assets.domain.legacy.terms import Contract, Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_models import LegacyBilling, Read, RecordName
from migration_assets.plan.load import load_plan
from migration_assets.stages.shadow.back_test import suggestions, verdicts
from migration_assets.stages.shadow.issued import last_issued
from migration_assets.stages.shadow.reading import read_records
from migration_assets.stages.shadow.told import contracts_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

ACME = Path(__file__).parents[3] / "plans" / "acme"


@dataclass(frozen=True)
class Told:
    """What the raw tables of one world say: contracts, their last invoices, and the rules of Acme's plan."""

    contracts: list[Contract]
    issued: dict[str, list[Bill]]
    rules: Rules

    def verdicts(self, rules: Rules | None = None) -> list[tuple[Contract | None, list[Verdict]]]:
        return list(verdicts(self.contracts, self.issued, rules or self.rules))


def acme() -> LegacyBilling:
    billing = load_plan(ACME).billing
    assert billing is not None
    return billing.legacy


def told(world: Legacy) -> Told:
    legacy = acme()
    with DuckDBEngine() as engine:
        records = records_of(engine, world, legacy)
        contracts = list(contracts_of(engine, records, exponent_of))
        issued = last_issued(engine, records, {c.contract_id: c.zone for c in contracts}, exponent_of)
    return Told(contracts, issued, Rules(**legacy.rules.model_dump()))


@pytest.fixture(scope="module")
def clean() -> Iterator[Told]:
    yield told(generate(300, messy=False))


def reproduced(found: list[tuple[Contract | None, list[Verdict]]]) -> Counter[bool]:
    return Counter(v.reproduced for _, all_of_one in found for v in all_of_one)


def test_every_invoice_that_was_issued_can_be_made_again(clean: Told) -> None:
    counted = reproduced(clean.verdicts())
    assert counted[False] == 0
    assert counted[True] > 500
    # Every kind of line was among them.
    kinds = {line.kind for bills in clean.issued.values() for bill in bills for line in bill.lines}
    assert kinds == {"recurring", "proration", "usage", "discount"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"proration": "actual_days"}, "proration: 30e_360"),
        ({"rounding": "down"}, "rounding: half_up"),
        ({"taxed_at": "invoice"}, "taxed_at: line"),
    ],
)
def test_a_rule_mistake_in_the_plan_makes_the_share_fall_and_is_named(
    clean: Told, wrong: dict[str, str], named: str
) -> None:
    rules = replace(clean.rules, **wrong)  # type: ignore[arg-type]
    found = clean.verdicts(rules)
    counted = reproduced(found)
    assert counted[False] > 10
    failed = [(c, [v.issued for v in vs]) for c, vs in found if c and not all(v.reproduced for v in vs)]
    best = suggestions(failed, rules)[0]
    assert (best.rule, best.more) == (named, counted[False])


def test_an_invoice_that_was_tampered_with_is_a_finding_with_its_money(clean: Told) -> None:
    contract_id, bills = next((c, b) for c, b in clean.issued.items() if len(b) == 3)
    line = bills[2].lines[0]
    dearer = replace(bills[2], lines=(replace(line, amount_minor=line.amount_minor + 7), *bills[2].lines[1:]))
    one = replace(clean, issued={contract_id: [*bills[:2], dearer]})
    (((_, found),)) = one.verdicts()
    assert [v.reproduced for v in found] == [True, True, False]
    assert (found[2].reasons, found[2].lines, found[2].difference_minor) == (("amount",), ("recurring",), -7)


def test_planted_defects_are_found_and_nothing_else_is() -> None:
    messy = told(generate(300, messy=True))
    counted = reproduced(messy.verdicts())
    assert 0 < counted[False] < 20 < counted[True]


def test_every_raw_table_that_bills_and_access_follow_from_can_be_read() -> None:
    world = generate(300, messy=False)
    with DuckDBEngine() as engine:
        records = records_of(engine, world, acme())
        for name, rows in records.items():
            assert engine.count(rows) > 0, name
            assert engine.count(rows.filter(rows["unreadable"] != "")) == 0, name


def records_of(engine: DuckDBEngine, world: Legacy, legacy: LegacyBilling) -> dict[RecordName, ir.Table]:
    def raw(name: str) -> ir.Table:
        rows = world.tables[name]
        return engine.table(rows.append_column("_row", pa.array(range(len(rows)), pa.int64())))

    return read_records(engine, legacy, raw)


def rows_of(read: dict[str, object], **columns: list[object]) -> list[dict[str, object]]:
    legacy = acme()
    spec = Read.model_validate({"table": "t", "fields": read})
    only = legacy.model_copy(update={"reads": {"tax_rates": spec}})
    with DuckDBEngine() as engine:
        frame = pa.table({"_row": list(range(len(next(iter(columns.values()))))), **columns})
        return engine.arrow(read_records(engine, only, lambda _: engine.table(frame))["tax_rates"]).to_pylist()


def test_text_columns_of_files_are_read_where_they_are_exact_and_reported_where_not() -> None:
    fields = {"country": "land", "first_day": "since", "percent": {"column": "rate", "codes": {"S": "19", "R": "7.5"}}}
    found = rows_of(
        fields,
        land=[" DE ", "", "FR"],
        since=["2026-01-31", "2026-02-30", "2026-03-01T10:00:00"],
        rate=["S", "R", "X"],
    )
    assert [(r["country"], r["first_day"], r["percent"]) for r in found] == [
        ("DE", date(2026, 1, 31), Decimal("19")),
        (None, None, Decimal("7.5")),
        ("FR", date(2026, 3, 1), None),
    ]
    # The second country is needed and missing, its day is none; the third rate is a code nobody explained.
    assert [str(r["unreadable"]).split() for r in found] == [[], ["country", "first_day"], ["percent"]]


def test_an_exclusive_day_is_brought_to_the_last_that_counts() -> None:
    fields = {"country": {"value": "DE"}, "first_day": {"column": "d", "exclusive": True}, "percent": {"value": "19"}}
    (row,) = rows_of(fields, d=[date(2026, 3, 1)])
    assert row["first_day"] == date(2026, 2, 28)
