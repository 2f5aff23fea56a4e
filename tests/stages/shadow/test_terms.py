"""What both sides write down of contracts, issued invoices and seats: each field that is the same, differs, or was lost
with a rejected row."""

from __future__ import annotations

import copy
import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))  # for random_ledgers

from random_ledgers import Rows, canonical_tables, record_tables, whose_tables

from migration_assets.domain.money import exponent_of
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.load import load_plan
from migration_assets.plan.models import Plan
from migration_assets.stages.shadow.terms.comparison import Writing, terms_compared
from migration_assets.stages.shadow.terms.listing import terms_csv
from migration_assets.stages.shadow.terms.papers import Going, Named, Papers

ACME = load_plan(Path(__file__).parents[3] / "plans" / "acme")
T = datetime(2026, 6, 30, 12, tzinfo=UTC)
TABLES = {
    "contracts": "erp.subscriptions",
    "items": "erp.subscription_items",
    "receivables": "erp.invoices",
    "seats": "erp.seat_assignments",
}
IDS = {"contracts": "contract_id", "items": "item_id", "receivables": "invoice_id", "seats": "seat_id"}
# Europe/Berlin: two hours before UTC in summer, one in winter.
CONTRACT = {
    "contract_id": "k", "customer": "7", "status": "active", "currency": "EUR", "zone": "Europe/Berlin", "months": 1,
    "anchor": date(2026, 1, 31), "first_day": date(2026, 1, 17), "last_day": date(2026, 7, 30), "legal_entity": "DE01",
    "payer": "9", "trial_last_day": date(2026, 1, 30),
}  # fmt: skip
SUBSCRIPTION = {
    "subscription_id": "erp.subscriptions:k", "customer_id": "ann", "payer_id": "ben", "status": "active",
    "legal_entity_id": "erp.legal_entities:DE01", "currency": "EUR",
    "starts_at": datetime(2026, 1, 16, 23, tzinfo=UTC), "ends_at": datetime(2026, 7, 30, 22, tzinfo=UTC),
    "trial_ends_at": datetime(2026, 1, 30, 23, tzinfo=UTC),
    # From the 31st on: June has none, so the period begins on its last day (I1).
    "current_period_starts_at": datetime(2026, 6, 29, 22, tzinfo=UTC),
    "current_period_ends_at": datetime(2026, 7, 30, 22, tzinfo=UTC),
}  # fmt: skip
ISSUED = {
    "invoice_id": "i", "number": "DE-1", "legal_entity": "DE01", "currency": "EUR", "total": Decimal("119.00"),
    "issued_on": date(2026, 2, 28), "due_on": date(2026, 3, 14), "payer": "9",
}  # fmt: skip
# A period over the night in which clocks go forward.
BILLED = {
    "invoice_id": "i", "contract_id": "k", "currency": "EUR", "first_day": date(2026, 2, 28),
    "last_day": date(2026, 3, 30), "issued_on": date(2026, 2, 28),
}  # fmt: skip
INVOICE = {
    "invoice_id": "erp.invoices:i", "customer_id": "ann", "payer_id": "ben", "number": "DE-1", "status": "paid",
    "legal_entity_id": "erp.legal_entities:DE01", "currency": "EUR", "total_minor": 11_900,
    "issued_on": date(2026, 2, 28), "due_on": date(2026, 3, 14),
    "period_starts_at": datetime(2026, 2, 27, 23, tzinfo=UTC), "period_ends_at": datetime(2026, 3, 30, 22, tzinfo=UTC),
}  # fmt: skip
SINCE = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
TAKEN = {"seat_id": "s", "item_id": "p", "contact": "C-1", "holder": " Kim@Example.com", "assigned_at": SINCE}
SEAT = {
    "seat_assignment_id": "erp.seat_assignments:s", "item_id": "erp.subscription_items:p",
    "contact_id": "crm.contacts:C-1", "holder": "kim@example.com", "assigned_at": SINCE,
}  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Both sides as plain rows, and who goes on."""

    records: dict[str, Rows]
    rows: dict[str, Rows]
    customers: tuple[tuple[str, bool], ...] = (("ann", False), ("ben", False))
    contacts: tuple[str, ...] = ("crm.contacts:C-1",)
    rejected: tuple[tuple[str, int], ...] = ()
    # Raw rows that billing.yaml leaves out.
    unread: Mapping[str, Rows] = field(default_factory=dict)
    plan: Plan = ACME


def world() -> World:
    records = {
        "contracts": [CONTRACT],
        "items": [{"item_id": "p", "contract_id": "k"}],
        "receivables": [ISSUED],
        "invoices": [BILLED],
        "seats": [TAKEN],
    }
    rows = {"subscription": [SUBSCRIPTION], "invoice": [INVOICE], "seat_assignment": [SEAT]}
    return World(copy.deepcopy(records), copy.deepcopy(rows))


@dataclass(frozen=True)
class Found:
    """`status` by name of the table; `differences` as record, key, field and status; the sheet as it is written."""

    status: dict[str, list[str]]
    differences: list[tuple[str, str, str, str]]
    rows: list[Row]
    sheet: str


def compared(world: World) -> Found:
    with DuckDBEngine() as engine:
        papers = _papers(engine, world)
        gone = pa.schema([("table", pa.string()), ("row", pa.int64())])
        rejected = pa.Table.from_pylist([{"table": t, "row": n} for t, n in world.rejected], gone)
        sides = Writing(papers, canonical_tables(engine, world.rows), {}, engine.table(rejected))
        billing = world.plan.billing
        assert billing is not None
        found = terms_compared(engine, world.plan, billing.legacy, sides, T, exponent_of)
        rows = sorted(engine.arrow(found.differences).to_pylist(), key=lambda r: (r["record"], r["key"], r["field"]))
        status = {n: sorted(r["status"] for r in engine.arrow(t).to_pylist()) for n, t in found.terms.items()}
        told = [(r["record"], r["key"], r["field"], r["status"]) for r in rows]
        return Found(status, told, rows, terms_csv(engine, found.differences, {}))


# What names a record, or one that it belongs to; renamed where several worlds are put together.
_IDS_HERE = frozenset({"contract_id", "invoice_id", "seat_id", "item_id", "subscription_id", "seat_assignment_id"})


def together(worlds: Sequence[World]) -> World:
    """Worlds beside each other: the names of the records of each end with its number."""
    numbered = [
        {kind: [_renamed(row, str(n)) for row in rows] for kind, rows in {**w.records, **w.rows}.items()}
        for n, w in enumerate(worlds)
    ]
    whole = {kind: [row for w in numbered for row in w.get(kind, [])] for kind in numbered[0]}
    first = worlds[0]
    return replace(first, records={k: whole[k] for k in first.records}, rows={k: whole[k] for k in first.rows})


def _renamed(row: Row, number: str) -> Row:
    return {c: f"{v}{number}" if c in _IDS_HERE else v for c, v in row.items()}


def _papers(engine: DuckDBEngine, world: World) -> Papers:
    records = record_tables(engine, world.records)
    keys = {r: _keys(engine, r, [*world.records[r], *world.unread.get(r, [])]) for r in TABLES if r in world.records}
    paid = {r: [{"7": "ann", "9": "ben"}.get(x.get("payer") or "") for x in world.records[r]] for r in _PAID}
    payers = {r: _listed(engine, [(n, c) for n, c in enumerate(who) if c]) for r, who in paid.items()}
    whose = whose_tables(engine, {r: ["ann"] * len(world.records[r]) for r in _PAID})
    customers = {
        "customer_id": pa.array([c for c, _ in world.customers], pa.string()),
        "erased": pa.array([e for _, e in world.customers], pa.bool_()),
    }
    contacts = pa.table({"contact_id": pa.array(world.contacts, pa.string())})
    contracts = sorted({str(r["contract_id"]) for r in world.records["contracts"]})
    yearly = pa.array([24_000] * len(contracts), pa.int64())
    worth = pa.table({"contract_id": contracts, "yearly_minor": yearly, "currency": ["EUR"] * len(contracts)})
    going = Going(engine.table(pa.table(customers)), engine.table(contacts))
    return Papers(records, whose, Named(keys, payers, "crm.contacts"), going, engine.table(worth))  # type: ignore[arg-type]


_PAID = ("contracts", "receivables")


def _keys(engine: DuckDBEngine, record: str, rows: Rows) -> Any:
    columns = {
        "row": pa.array(range(len(rows)), pa.int64()),
        "key": pa.array([f"{TABLES[record]}:{r[IDS[record]]}" for r in rows], pa.string()),
    }
    if record == "contracts":
        columns["begins"] = pa.array([r.get("begins") for r in rows], pa.timestamp("us"))
    return engine.table(pa.table(columns))


def _listed(engine: DuckDBEngine, payers: Sequence[tuple[int, str]]) -> Any:
    schema = pa.schema([("row", pa.int64()), ("customer", pa.string())])
    return engine.table(pa.Table.from_pylist([{"row": n, "customer": c} for n, c in payers], schema))


Slip = Callable[[World], object]


def new(entity: str, **values: Any) -> Slip:
    return lambda w: w.rows[entity][0].update(values)


def old(record: str, **values: Any) -> Slip:
    return lambda w: w.records[record][0].update(values)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc,arg-type]


def after(slip: Slip) -> World:
    told = world()
    slip(told)
    return told


def test_what_is_written_down_alike_on_both_sides_is_the_same() -> None:
    found = compared(world())
    assert found.status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}
    assert not found.differences and len(list(csv.reader(io.StringIO(found.sheet)))) == 1


# What is changed in the target, the record it shows in, and the fields.
SLIPS: dict[str, tuple[Slip, str, str]] = {
    "another customer": (new("subscription", customer_id="cat"), "contracts", "customer"),
    "the payer is forgotten": (new("subscription", payer_id=None), "contracts", "payer"),
    "another payer": (new("subscription", payer_id="cat"), "contracts", "payer"),
    "another company of ours": (
        new("subscription", legal_entity_id="erp.legal_entities:US01"), "contracts", "legal_entity",
    ),
    "another currency": (new("subscription", currency="USD"), "contracts", "currency"),
    "a contract that is over": (new("subscription", status="canceled"), "contracts", "status"),
    "a start in UTC": (new("subscription", starts_at=at(2026, 1, 17)), "contracts", "starts_at"),
    "an end a day later": (new("subscription", ends_at=at(2026, 7, 31, 22)), "contracts", "ends_at"),
    "an end by winter time": (new("subscription", ends_at=at(2026, 7, 30, 23)), "contracts", "ends_at"),
    "no end": (new("subscription", ends_at=None), "contracts", "ends_at"),
    "a longer trial": (new("subscription", trial_ends_at=at(2026, 2, 28, 23)), "contracts", "trial_ends_at"),
    "a gap after the running period": (
        new("subscription", current_period_ends_at=at(2026, 7, 31, 22)), "contracts", "period_ends_at",
    ),
    "a period from a clamped day on": (
        new("subscription", current_period_starts_at=at(2026, 6, 27, 22)), "contracts", "period_starts_at",
    ),
    "another number": (new("invoice", number="DE-1-1"), "receivables", "number"),
    "an invoice that is void": (new("invoice", status="void"), "receivables", "issued"),
    "an invoice of somebody else": (new("invoice", customer_id="cat"), "receivables", "customer"),
    "an invoice that its payer does not get": (new("invoice", payer_id=None), "receivables", "payer"),
    "an invoice of another company of ours": (
        new("invoice", legal_entity_id="erp.legal_entities:US01"), "receivables", "legal_entity",
    ),
    "an invoice in dollars": (new("invoice", currency="USD"), "receivables", "currency"),
    "a cent more": (new("invoice", total_minor=11_901), "receivables", "total"),
    "issued a day later": (new("invoice", issued_on=date(2026, 3, 1)), "receivables", "issued_on"),
    "due a day later": (new("invoice", due_on=date(2026, 3, 15)), "receivables", "due_on"),
    "a period that overlaps": (
        new("invoice", period_starts_at=at(2026, 2, 26, 23)), "receivables", "period_starts_at",
    ),
    "a last day that is lost": (new("invoice", period_ends_at=at(2026, 3, 29, 22)), "receivables", "period_ends_at"),
    "an end an hour late after clocks went forward": (
        new("invoice", period_ends_at=at(2026, 3, 30, 23)), "receivables", "period_ends_at",
    ),
    "a seat of another item": (new("seat_assignment", item_id="erp.subscription_items:q"), "seats", "item"),
    "another contact": (new("seat_assignment", contact_id="crm.contacts:C-2"), "seats", "contact"),
    "another holder": (new("seat_assignment", holder="lee@example.com"), "seats", "holder"),
    "no holder": (new("seat_assignment", holder=None), "seats", "holder"),
    "a seat taken later": (new("seat_assignment", assigned_at=at(2026, 3, 1, 9, 30)), "seats", "assigned_at"),
    "a seat released": (new("seat_assignment", released_at=at(2026, 3, 2)), "seats", "released_at"),
}  # fmt: skip


def test_a_field_that_differs_is_named_with_its_record_and_nothing_else_is() -> None:
    found = compared(together([after(change) for change, _, _ in SLIPS.values()]))
    key = {"contracts": "k", "receivables": "i", "seats": "s"}
    expected = [(r, f"{key[r]}{n}", field, "unsigned") for n, (_, r, field) in enumerate(SLIPS.values())]
    assert found.differences == sorted(expected)
    assert {r["customer_id"] for r in found.rows} == {"ann"} and {r["currency"] for r in found.rows} == {"EUR"}
    stakes = {(r["record"], r["at_stake_minor"]) for r in found.rows}
    assert stakes == {("contracts", 24_000), ("receivables", 11_900), ("seats", 24_000)}


def test_no_value_of_either_side_is_told() -> None:
    told = ("another holder", "another customer", "another contact", "another number")
    found = compared(together([after(SLIPS[slip][0]) for slip in told]))
    assert len(found.differences) == len(told)
    everything = found.sheet + str(found.rows)
    assert not any(value in everything.lower() for value in ("kim", "lee", "c-1", "c-2", "de-1", "cat"))


# What may be written otherwise, and means the same.
ALIKE: dict[str, Slip] = {
    "small letters of a currency": old("contracts", currency="eur"),
    "capitals and what nobody sees in a login": new("seat_assignment", holder="KIM@example.com\u200b"),
    "due on the day it bears": lambda w: (
        old("receivables", due_on=None)(w), new("invoice", due_on=date(2026, 2, 28))(w),
    ),
    "who pays is whose it is": lambda w: (old("contracts", payer="7")(w), new("subscription", payer_id=None)(w)),
    "ended for canceled": lambda w: (
        old("contracts", status="over")(w),
        new("subscription", status="ended", current_period_starts_at=None, current_period_ends_at=None)(w),
    ),
    "a draft that the target has alone": lambda w: w.rows["invoice"].append(
        {**INVOICE, "invoice_id": "erp.invoices:d", "status": "draft", "number": "D"}
    ),
    "a contract of another system": lambda w: w.rows["subscription"].append(
        {**SUBSCRIPTION, "subscription_id": "crm.deals:1"}
    ),
    "a contract that begins at a time of day": lambda w: (
        old("contracts", begins=datetime(2026, 1, 17, 14, 30))(w),  # noqa: DTZ001 -- a local time
        new("subscription", starts_at=at(2026, 1, 17, 13, 30))(w),
    ),
}  # fmt: skip


def test_what_means_the_same_is_the_same() -> None:
    found = compared(together([after(change) for change in ALIKE.values()]))
    assert found.differences == [] and len(found.status["contract_terms"]) == len(ALIKE)


# Contracts in which T lies in no ordinary period: the old system's terms, and its period as local days.
RUNS: dict[str, tuple[Row, tuple[date, date]]] = {
    "on trial": (
        {"status": "trial", "first_day": date(2026, 6, 20), "anchor": date(2026, 7, 4), "last_day": None},
        (date(2026, 6, 20), date(2026, 7, 4)),
    ),
    "paused: as it was printed": (
        {"status": "paused", "paused_on": date(2026, 6, 30), "last_day": None},
        (date(2026, 6, 30), date(2026, 7, 31)),
    ),
    "back from a pause: until its days are used up": (
        {"paused_on": date(2026, 6, 10), "resumes_on": date(2026, 6, 25), "last_day": None},
        (date(2026, 5, 31), date(2026, 7, 15)),
    ),
    "after a pause: counted from there": (
        {"paused_on": date(2026, 3, 10), "resumes_on": date(2026, 3, 20), "last_day": None},
        (date(2026, 6, 10), date(2026, 7, 10)),
    ),
}


def test_the_running_period_follows_from_the_old_rules() -> None:
    worlds = [_running(*run) for run in RUNS.values()]
    assert compared(together(worlds)).differences == []
    for told in worlds:
        told.rows["subscription"][0]["current_period_ends_at"] += timedelta(hours=1)
    assert [d[2] for d in compared(together(worlds)).differences] == ["period_ends_at"] * len(RUNS)


def _running(terms: Row, period: tuple[date, date]) -> World:
    told = after(old("contracts", **terms))
    days = {"current_period_starts_at": period[0], "current_period_ends_at": period[1]}
    days |= {"starts_at": terms.get("first_day", CONTRACT["first_day"])}
    zone = ZoneInfo("Europe/Berlin")
    new("subscription", **{n: datetime(d.year, d.month, d.day, tzinfo=zone) for n, d in days.items()})(told)
    status = {"trial": "trialing"}.get(terms.get("status", "active"), terms.get("status", "active"))
    new("subscription", status=status, ends_at=None)(told)
    return told


# Contracts of which the rules do not say in which period T is: what the target holds of it is nobody's mistake.
UNTOLD: dict[str, Row] = {
    "over": {"status": "over"},
    "not begun": {"first_day": date(2026, 7, 1), "anchor": date(2026, 7, 1)},
    "ends within the period": {"last_day": date(2026, 7, 4)},
    "a trial that should be over": {"status": "trial"},
    "a pause longer than the period": {"status": "paused", "paused_on": date(2026, 3, 10), "last_day": None},
}


def test_where_the_rules_say_no_period_none_is_compared() -> None:
    worlds = [after(old("contracts", **terms)) for terms in UNTOLD.values()]
    for side in (None, at(2020, 1, 1)):
        for told in worlds:
            new("subscription", current_period_starts_at=side, current_period_ends_at=side)(told)
        assert not [d for d in compared(together(worlds)).differences if d[2].startswith("period")]


def test_a_rejected_row_is_told_apart_and_a_lost_one_is_not() -> None:
    told = world()
    told.rows["subscription"].clear()
    assert compared(told).differences == [("contracts", "k", "not_in_target", "unsigned")]
    rejected = replace(told, rejected=(("erp.subscriptions", 0),))
    assert compared(rejected).differences == [("contracts", "k", "not_in_target", "rejected")]
    there = replace(world(), rejected=(("erp.subscriptions", 0),))
    assert compared(there).differences == [("contracts", "k", "only_in_target", "unsigned")]


def test_what_only_the_target_has_is_told_also_where_nobody_knows_where_it_came_from() -> None:
    stranger = "00000000-0000-4000-8000-000000000001"
    told = world()
    told.rows["invoice"].append({**INVOICE, "invoice_id": stranger, "number": "X"})
    told.rows["subscription"].append({**SUBSCRIPTION, "subscription_id": "erp.subscriptions:kx"})
    assert compared(told).differences == [
        ("contracts", "kx", "only_in_target", "unsigned"),
        ("receivables", stranger, "only_in_target", "unsigned"),
    ]


def test_what_billing_yaml_leaves_out_is_not_compared_unless_it_is_an_issued_invoice() -> None:
    told = world()
    told.rows["subscription"].append({**SUBSCRIPTION, "subscription_id": "erp.subscriptions:free"})
    told.rows["seat_assignment"].append({**SEAT, "seat_assignment_id": "erp.seat_assignments:t"})
    told.rows["invoice"].append({**INVOICE, "invoice_id": "erp.invoices:void", "number": "V"})
    left_out = {
        "contracts": [{"contract_id": "free"}],
        "seats": [{"seat_id": "t"}],
        "receivables": [{"invoice_id": "void"}],
    }
    found = compared(replace(told, unread=left_out))
    assert found.differences == [("receivables", "void", "only_in_target", "unsigned")]


def test_rows_of_one_key_that_were_rejected_are_one_contract_and_hide_none_that_goes_on() -> None:
    told = world()
    told.records["contracts"].append({**CONTRACT, "months": 12})
    both = replace(told, rejected=(("erp.subscriptions", 0), ("erp.subscriptions", 1)))
    told.rows["subscription"].clear()
    assert compared(both).differences == [("contracts", "k", "not_in_target", "rejected")]
    one = replace(told, rows=world().rows, rejected=(("erp.subscriptions", 1),))
    assert compared(one).status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}


def test_whoever_does_not_go_on_is_missing_for_that_reason() -> None:
    told = world()
    new("subscription", payer_id=None)(told)
    new("invoice", payer_id=None)(told)
    new("seat_assignment", contact_id=None)(told)
    gone = replace(told, customers=(("ann", False),), contacts=())
    assert compared(gone).differences == [
        ("contracts", "k", "payer", "rejected"),
        ("receivables", "i", "payer", "rejected"),
        ("seats", "s", "contact", "rejected"),
    ]
    # Somebody else in their place is nobody's explanation.
    new("seat_assignment", contact_id="crm.contacts:C-9")(told)
    assert ("seats", "s", "contact", "unsigned") in compared(gone).differences


def test_what_was_lost_is_only_told_of_a_field_that_is_compared() -> None:
    """The target keeps nobody who pays, and no contact of a seat: nothing of them can be missing there."""
    kept = {
        name: table.model_copy(update={"columns": {c: f for c, f in table.columns.items() if f not in _NOT_KEPT}})
        for name, table in ACME.target.tables.items()
    }
    plan = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": kept})})
    told = replace(world(), plan=plan, customers=(("ann", False),), contacts=())
    new("subscription", payer_id=None)(told)
    new("invoice", payer_id=None)(told)
    new("seat_assignment", contact_id=None)(told)
    found = compared(told)
    assert found.differences == []
    assert found.status == {"contract_terms": ["same"], "invoice_terms": ["same"], "seat_terms": ["same"]}


_NOT_KEPT = ("payer_id", "contact_id")


def test_of_an_erased_customer_the_target_has_no_login() -> None:
    told = replace(world(), customers=(("ann", True), ("ben", False)))
    assert compared(told).differences == [("seats", "s", "holder", "unsigned")]
    new("seat_assignment", holder=None)(told)
    assert compared(told).differences == [("seats", "s", "holder", "rejected")]


def test_a_record_that_cannot_be_read_is_told_and_nothing_is_guessed() -> None:
    told = world()
    old("contracts", unreadable="last_day tax_exempt ", last_day=None)(told)
    old("receivables", total=Decimal("119.001"))(told)
    old("seats", unreadable="assigned_at ", assigned_at=None)(told)
    assert compared(told).differences == [
        ("contracts", "k", "last_day", "unread"),
        ("receivables", "i", "total", "unread"),
        ("seats", "s", "assigned_at", "unread"),
    ]
    # What the terms are not told from does not matter to them.
    other = world()
    old("contracts", unreadable="tax_exempt ")(other)
    assert compared(other).differences == []
    unplaced = world()
    old("contracts", zone="Mars/Olympus")(unplaced)
    assert ("contracts", "k", "zone", "unread") in compared(unplaced).differences


def test_what_can_be_read_of_a_record_is_held_against_the_target_all_the_same() -> None:
    told = world()
    old("receivables", total=Decimal("119.001"), number="Z-9")(told)
    assert compared(told).differences == [("receivables", "i", "number", "unsigned")]


def test_an_invoice_of_no_contract_has_no_period_that_is_compared() -> None:
    told = world()
    told.records["invoices"].clear()
    new("invoice", period_starts_at=None, period_ends_at=None)(told)
    assert compared(told).differences == []


def _without(record: str, *fields: str, **told: Any) -> Plan:
    billing = ACME.billing
    assert billing is not None
    read = billing.legacy.reads[record]  # type: ignore[index]
    kept = {n: f for n, f in read.fields.items() if n not in fields}
    kept |= {n: read.fields[n].model_copy(update={"column": None, "value": v}) for n, v in told.items()}
    reads = {**billing.legacy.reads, record: read.model_copy(update={"fields": kept})}
    legacy = billing.legacy.model_copy(update={"reads": reads})
    return ACME.model_copy(update={"billing": billing.model_copy(update={"legacy": legacy})})


def test_only_what_a_raw_column_says_is_compared() -> None:
    """A fixed value, as of a file that has no days, says nothing of one contract."""
    told = replace(world(), plan=_without("contracts", "payer", "last_day", first_day="2026-01-01"))
    new("subscription", payer_id=None, ends_at=None, starts_at=at(2020, 1, 1))(told)
    assert compared(told).differences == []
    new("subscription", customer_id="cat")(told)
    assert [d[2] for d in compared(told).differences] == ["customer"]


def test_what_the_target_does_not_keep_is_not_compared() -> None:
    seats = ACME.target.tables["seat_assignments"]
    columns = {c: f for c, f in seats.columns.items() if f != "holder"}
    tables = {**ACME.target.tables, "seat_assignments": seats.model_copy(update={"columns": columns})}
    plan = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": tables})})
    told = replace(world(), plan=plan)
    new("seat_assignment", holder=None)(told)
    assert compared(told).differences == []
    none = {n: t for n, t in tables.items() if t.entity != "seat_assignment"}
    bare = ACME.model_copy(update={"target": ACME.target.model_copy(update={"tables": none})})
    told.rows["seat_assignment"].clear()
    assert compared(replace(told, plan=bare)).status["seat_terms"] == []
