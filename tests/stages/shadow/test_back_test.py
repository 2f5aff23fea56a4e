"""The old system's rules make the invoices it issued, from its raw tables, and a wrong rule is found and named."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration_assets.demo.generator import generate
from migration_assets.domain.back_test import Issued, Verdict
from migration_assets.domain.legacy.terms import Rules
from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.billing_models import LegacyBilling, Read
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.load import load_plan
from migration_assets.quality.results import CheckResult
from migration_assets.quality.run import run_suite
from migration_assets.quality.suite import Suite, load_suite
from migration_assets.stages.shadow.back_tested.compare import Found, back_tested
from migration_assets.stages.shadow.back_tested.issued import last_issued
from migration_assets.stages.shadow.back_tested.report import not_reproduced_csv, suggestion_table, verdict_table
from migration_assets.stages.shadow.back_tested.told import Told, contracts_of
from migration_assets.stages.shadow.legacy.reading import read_records

if TYPE_CHECKING:
    import ibis.expr.types as ir

ACME = Path(__file__).parents[3] / "plans" / "acme"
EXPECTATIONS = Path(__file__).parents[3] / "expectations" / "shadow_billing.yaml"


@dataclass(frozen=True)
class World:
    """What the raw tables of one world say: contracts, their last invoices, and the rules of Acme's plan."""

    told: Told
    issued: dict[str, list[Issued]]
    rules: Rules

    def tested(self, rules: Rules | None = None) -> Found:
        return back_tested(self.told, self.issued, rules or self.rules)


def acme() -> LegacyBilling:
    billing = load_plan(ACME).billing
    assert billing is not None
    return billing.legacy


def world_of(tables: Mapping[str, pa.Table], legacy: LegacyBilling | None = None) -> World:
    legacy = legacy or acme()
    with DuckDBEngine() as engine:
        records = records_of(engine, tables, legacy)
        told = contracts_of(engine, records, exponent_of)
        issued = last_issued(engine, records, told.zones, exponent_of)
    return World(told, issued, Rules(**legacy.rules.model_dump()))


@pytest.fixture(scope="module")
def tables() -> Mapping[str, pa.Table]:
    return generate(300, messy=False).tables


@pytest.fixture(scope="module")
def clean(tables: Mapping[str, pa.Table]) -> World:
    return world_of(tables)


def reproduced(found: Found) -> Counter[bool]:
    return Counter(v.reproduced for v in found.verdicts)


def changed(tables: Mapping[str, pa.Table], table: str, column: str, **values: object) -> dict[str, pa.Table]:
    """The tables with other values in a column, by the row's key in the first column; the column becomes text where the
    values are."""
    frame = tables[table]
    keys = [str(k) for k in frame.column(0).to_pylist()]
    old = frame[column].to_pylist()
    if any(isinstance(v, str) for v in values.values()):
        old = [None if v is None else str(v) for v in old]
    new = [values.get(f"_{k}", v) for k, v in zip(keys, old, strict=True)]
    place = frame.column_names.index(column)
    return {**tables, table: frame.set_column(place, column, pa.array(new))}


def verdict_of(world: World, contract_id: str) -> list[Verdict]:
    return [v for v in world.tested().verdicts if v.issued.subscription_id == contract_id]


def of_three(clean: World) -> str:
    """A contract with three invoices."""
    return next(own for own, issued in clean.issued.items() if len(issued) == 3)


def test_every_invoice_that_was_issued_can_be_made_again(clean: World) -> None:
    found = clean.tested()
    assert reproduced(found)[False] == 0
    assert reproduced(found)[True] > 500
    assert (found.suggestions, found.unreadable) == ((), {})
    # Every kind of line was among them.
    kinds = {line.kind for of_one in clean.issued.values() for i in of_one if i.bill for line in i.bill.lines}
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
    clean: World, wrong: dict[str, str], named: str
) -> None:
    found = clean.tested(replace(clean.rules, **wrong))  # type: ignore[arg-type]
    failed = reproduced(found)[False]
    assert failed > 10
    assert (found.suggestions[0].rule, found.suggestions[0].more) == (named, failed)
    assert found.suggestions[0].contracts == len({v.issued.subscription_id for v in found.verdicts if v.reasons})


def judged(found: Found, folder: Path) -> CheckResult:
    """What `no_rule_fits_better` says of a back-test."""
    rule = next(r for r in load_suite(EXPECTATIONS).rules if r.check == "no_rule_fits_better")
    tables = {"back_test": folder / "back_test.parquet", "better_rules": folder / "better_rules.parquet"}
    pq.write_table(verdict_table(found), tables["back_test"])
    pq.write_table(suggestion_table(found), tables["better_rules"])
    (result,) = run_suite(Suite(asset="shadow_billing", rules=(rule,)), tables)
    return result


def by_days(clean: World, failing: int) -> Found:
    """Back-tested by days: so many contracts whose invoices only 30/360 makes again, and all others."""
    wrong = replace(clean.rules, proration="actual_days")
    failed = list(dict.fromkeys(v.issued.subscription_id for v in clean.tested(wrong).verdicts if v.reasons))
    left_out = set(failed[failing:])
    return replace(clean, issued={o: i for o, i in clean.issued.items() if o not in left_out}).tested(wrong)


@pytest.mark.parametrize(("failing", "passes"), [(0, True), (1, True), (2, True), (3, False)])
def test_a_rule_that_three_contracts_speak_for_stops_the_cohort_and_what_may_be_chance_does_not(
    clean: World, tmp_path: Path, failing: int, passes: bool
) -> None:
    found = by_days(clean, failing)
    assert [(s.rule, s.contracts) for s in found.suggestions] == [("proration: 30e_360", failing)][: min(failing, 1)]
    result = judged(found, tmp_path)
    assert (result.passed, result.blocks, result.rows_checked) == (passes, not passes, len(found.verdicts))


def test_what_a_rule_spoils_is_taken_off_and_one_that_spoils_more_is_not_named(clean: World) -> None:
    wrong = replace(clean.rules, rounding="half_even")
    named = {s.rule for s in clean.tested(wrong).suggestions}
    up = clean.tested(replace(clean.rules, rounding="up"))
    mended = {v.issued.invoice_id for v in up.verdicts if not v.reasons}
    failed = {v.issued.invoice_id for v in clean.tested(wrong).verdicts if v.reasons}
    assert mended & failed, "rounding up makes some of them again"
    assert "rounding: half_up" in named and "rounding: up" not in named


def test_an_invoice_that_was_tampered_with_is_a_finding_with_its_money(
    clean: World, tables: Mapping[str, pa.Table]
) -> None:
    own = of_three(clean)
    last = clean.issued[own][-1].invoice_id
    amounts = dict(zip(tables["erp.invoice_lines"]["invoice_id"].to_pylist(),
                       tables["erp.invoice_lines"]["line_id"].to_pylist(), strict=True))  # fmt: skip
    line = amounts[int(last)]
    old = dict(zip(*(tables["erp.invoice_lines"][c].to_pylist() for c in ("line_id", "amount")), strict=True))[line]
    found = verdict_of(world_of(changed(tables, "erp.invoice_lines", "amount", **{f"_{line}": old + 7})), own)
    assert [v.reproduced for v in found] == [True, True, False]
    # The header still says what it said, which is what the rules make: no money is lost, and it does not add up.
    assert set(found[2].reasons) == {"header", "amount"}
    assert found[2].difference_minor == 0


def test_invoices_that_are_not_made_again_are_listed_with_their_money_and_its_unit(
    clean: World, tables: Mapping[str, pa.Table]
) -> None:
    own = of_three(clean)
    last = clean.issued[own][-1]
    assert not_reproduced_csv(clean.tested(), {}).count("\n") == 1, "nothing but the names of the columns"
    subtotals = dict(zip(*(tables["erp.invoices"][c].to_pylist() for c in ("invoice_id", "subtotal")), strict=True))
    more = {f"_{last.invoice_id}": subtotals[int(last.invoice_id)] + 7}
    found = world_of(changed(tables, "erp.invoices", "subtotal", **more)).tested()
    (told,) = csv.DictReader(io.StringIO(not_reproduced_csv(found, {})))
    digits = 10 ** exponent_of(last.currency)
    assert (told["invoice_id"], told["contract_id"], told["reasons"]) == (last.invoice_id, own, "header")
    assert told["currency"] == last.currency and told["difference"] == f"-7 {last.currency}"
    assert int(told["difference_minor"]) == -7 * digits
    assert int(told["issued_minor"]) + int(told["difference_minor"]) == int(told["made_again_minor"])


def test_the_largest_differences_come_first_and_a_currency_that_is_none_has_no_unit() -> None:
    def verdict(invoice: str, currency: str, difference: int, *reasons: Any) -> Verdict:
        return Verdict(Issued(invoice, "c", currency, None, 100, None), reasons, (), difference)

    found = Found(
        (
            verdict("1", "EUR", -5, "amount"),
            verdict("2", "EURO", -100, "invoice_unreadable"),
            verdict("3", "EUR", 0),
            verdict("4", "JPY", 30, "amount", "tax"),
        ),
        (),
        {},
    )
    told = list(csv.DictReader(io.StringIO(not_reproduced_csv(found, {}))))
    assert [(r["rank"], r["invoice_id"], r["difference"]) for r in told] == [
        ("1", "2", ""), ("2", "4", "30 JPY"), ("3", "1", "-0.05 EUR"),
    ]  # fmt: skip
    assert told[1]["reasons"] == "amount tax"


@pytest.mark.parametrize(
    ("table", "column", "value", "reason", "why"),
    [
        ("erp.subscriptions", "contract_tz", "Berlin", "contract_unreadable", "zone"),
        ("erp.subscriptions", "currency", "EURO", "contract_unreadable", "currency"),
        ("erp.subscriptions", "bill_interval", "W", "contract_unreadable", "months"),
        ("erp.subscriptions", "anchor_date", date(9999, 1, 1), "cannot_be_made", None),
    ],
)
def test_what_cannot_be_read_of_a_contract_is_a_finding_and_stops_no_other(
    clean: World, tables: Mapping[str, pa.Table], table: str, column: str, value: object, reason: str, why: str | None
) -> None:
    own = of_three(clean)
    world = world_of(changed(tables, table, column, **{f"_{own}": value}))
    found = world.tested()
    broken = verdict_of(world, own)
    assert len(broken) == 3 and len(found.verdicts) == len(clean.tested().verdicts)
    assert {v.reasons for v in broken} <= {(reason,), ("invoice_unreadable",), ("no_such_period",)}
    assert all(v.difference_minor == -v.issued.issued_minor != 0 for v in broken)
    assert reproduced(found)[False] == 3
    if why is not None:
        assert any(why in told for told in found.unreadable)


def test_an_invoice_with_a_line_that_cannot_be_read_keeps_its_money(
    clean: World, tables: Mapping[str, pa.Table]
) -> None:
    own = of_three(clean)
    last = clean.issued[own][-1]
    ids = tables["erp.invoice_lines"]
    line = next(n for n, i in zip(ids["line_id"].to_pylist(), ids["invoice_id"].to_pylist(), strict=True)
                if str(i) == last.invoice_id)  # fmt: skip
    found = verdict_of(world_of(changed(tables, "erp.invoice_lines", "amount", **{f"_{line}": "n/a"})), own)
    assert found[2].reasons == ("invoice_unreadable",)
    assert found[2].difference_minor == -last.issued_minor != 0


def test_a_tax_rate_that_cannot_be_read_is_missing_for_those_who_need_it(
    tables: Mapping[str, pa.Table],
) -> None:
    rates = tables["erp.tax_rates"]
    known = zip(rates["country"].to_pylist(), rates["tax_pct"].to_pylist(), strict=True)
    percent = pa.array(["?" if country == "DE" else str(p) for country, p in known])
    place = rates.column_names.index("tax_pct")
    found = world_of({**tables, "erp.tax_rates": rates.set_column(place, "tax_pct", percent)}).tested()
    assert {v.reasons for v in found.verdicts} == {(), ("tax_unknown",)}


def test_two_invoices_for_one_period_are_a_finding(clean: World, tables: Mapping[str, pa.Table]) -> None:
    own = of_three(clean)
    again = next(i for i in range(len(tables["erp.invoices"])) if str(tables["erp.invoices"]["invoice_id"][i]) ==
                 clean.issued[own][-1].invoice_id)  # fmt: skip
    twice = pa.concat_tables([tables["erp.invoices"], tables["erp.invoices"].slice(again, 1)])
    new_id = [*tables["erp.invoices"]["invoice_id"].to_pylist(), 99_999_999]
    invoices = twice.set_column(0, "invoice_id", pa.array(new_id, twice["invoice_id"].type))
    found = verdict_of(world_of({**tables, "erp.invoices": invoices}), own)
    assert [set(v.reasons) & {"billed_twice"} for v in found] == [set(), {"billed_twice"}, {"billed_twice"}]


def test_planted_defects_are_found() -> None:
    messy = world_of(generate(300, messy=True).tables).tested()
    counted = reproduced(messy)
    assert messy.suggestions == ()
    assert 0 < counted[False] < 20 < counted[True]
    assert all(
        v.difference_minor or "header" in v.reasons or "amount" in v.reasons for v in messy.verdicts if v.reasons
    )


def test_every_raw_table_that_bills_and_access_follow_from_can_be_read(tables: Mapping[str, pa.Table]) -> None:
    with DuckDBEngine() as engine:
        for name, rows in records_of(engine, tables, acme()).items():
            assert engine.count(rows) > 0, name
            assert engine.count(rows.filter(rows["unreadable"] != "")) == 0, name


def records_of(
    engine: DuckDBEngine, tables: Mapping[str, pa.Table], legacy: LegacyBilling
) -> dict[RecordName, ir.Table]:
    def raw(name: str) -> ir.Table:
        rows = tables[name]
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


def test_nothing_is_rounded_and_no_day_is_guessed() -> None:
    fields = {"country": {"value": "DE"}, "first_day": "d", "percent": "n"}
    instants = pa.array([datetime(2026, 1, 31, 23, 30, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    # A float has lost what was written, and which day an instant is on is a matter of a zone.
    (row,) = rows_of(fields, d=instants, n=[0.1])
    assert (row["first_day"], row["percent"]) == (None, None)
    assert str(row["unreadable"]).split() == ["first_day", "percent"]


def test_an_instant_says_where_it_is_told_from() -> None:
    legacy = acme()
    fields = {"seat_id": "id", "item_id": "id", "assigned_at": "since", "released_at": "until"}
    only = legacy.model_copy(update={"reads": {"seats": Read.model_validate({"table": "t", "fields": fields})}})
    since = ["2026-03-29T01:30:00+01:00", "2026-03-29 00:30:00.5Z", "2026-03-29T01:30:00", "2026-02-30T00:00:00Z"]
    until = pa.array([datetime(2026, 3, 29, 0, 30, tzinfo=UTC), None, None, None], pa.timestamp("us", "UTC"))
    with DuckDBEngine() as engine:
        frame = pa.table({"_row": [0, 1, 2, 3], "id": ["a", "b", "c", "d"], "since": since, "until": until})
        rows = read_records(engine, only, lambda _: engine.table(frame))["seats"]
        found = engine.arrow(rows.order_by("row")).to_pylist()
    half_past = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert [r["assigned_at"] for r in found] == [half_past, half_past.replace(microsecond=500_000), None, None]
    assert found[0]["released_at"] == half_past
    assert [str(r["unreadable"]).split() for r in found] == [[], [], ["assigned_at"], ["assigned_at"]]


def test_the_last_day_of_the_calendar_means_no_end() -> None:
    legacy = acme()
    spec = legacy.reads["items"].model_copy(update={"table": "t"})
    only = legacy.model_copy(update={"reads": {"items": spec}})
    columns = {"sub_item_id": ["1", "2"], "sub_id": ["1", "1"], "item_no": ["A", "A"], "item_kind": ["B", "B"],
               "quantity": pa.array([Decimal("2.0"), Decimal("1.5")]), "price_model": ["FLT", "FLT"],
               "unit_price": ["1.5", "ten"], "start_date": pa.array([None, None], pa.date32()),
               "end_date": [date(9999, 12, 31), date(2026, 1, 31)]}  # fmt: skip
    with DuckDBEngine() as engine:
        frame = pa.table({"_row": [0, 1], **columns})
        rows = read_records(engine, only, lambda _: engine.table(frame))["items"]
        first, second = engine.arrow(rows.order_by("row")).to_pylist()
    assert (first["last_day"], first["quantity"], first["unreadable"]) == (None, 2, "")
    assert (second["last_day"], second["unreadable"].split()) == (date(2026, 1, 31), ["quantity", "unit_price"])
