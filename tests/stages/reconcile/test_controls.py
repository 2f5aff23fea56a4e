"""Finance's totals catch mistakes of the mapping with which every stage agrees."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from target_world import Legacy, World, legacy, order, tiny_plan

import migration_assets
from migration_assets.connectors.postgres_target import PostgresTarget
from migration_assets.domain.calendar import midnight
from migration_assets.domain.errors import BadInput
from migration_assets.domain.money import exponent_of
from migration_assets.domain.predicates import Predicate
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.plan.models import Control
from migration_assets.stages.load.apply import load_cohort
from migration_assets.stages.reconcile.controls import run_controls, source_totals, target_totals
from migration_assets.stages.reconcile.money import Tie

SIDES = {"source": "erp.contracts", "target": "subscriptions", "owner": "finance"}
COUNT = Control(measure="contracts", kind="count", **SIDES)
BILLED = Control(
    measure="billed", kind="sum", source_column="billed", source_unit="major", source_currency="currency",
    target_column="billed_to_date_minor", target_unit="minor", target_currency="currency", **SIDES,
)  # fmt: skip
STARTED = Control(measure="started", kind="day_sum", source_column="started", target_column="starts_at", **SIDES)
CONTROLS = (COUNT, BILLED, STARTED)
FATES = {
    "source_system": pa.string(),
    "source_table": pa.string(),
    "source_row": pa.int64(),
    "disposition": pa.string(),
    "erased": pa.bool_(),
}


def ties(engine: DuckDBEngine, target: PostgresTarget, raw: Legacy, *controls: Control) -> dict[str, Tie]:
    with target.transaction(role="tiny_reader", read_only=True) as connection:
        schema, chosen = tiny_plan().target, controls or CONTROLS
        found = run_controls(engine, connection, chosen, schema, "pilot", raw.tables, raw.dispositions, exponent_of)
    assert len(found) == len({(t.measure, t.currency) for t in found})
    return {t.measure: t for t in found}


def reload(engine: DuckDBEngine, target: PostgresTarget, changed: World) -> None:
    load_cohort(engine, target, tiny_plan(), order(), changed.canonical(engine))


def test_totals_tie_to_the_minor_unit(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy) -> None:
    found = ties(engine, loaded[0], raw)
    assert all(t.ok for t in found.values()) and set(found) == {"contracts", "billed", "started"}
    assert (found["billed"].source, found["billed"].target, found["billed"].currency) == (21000, 21000, "EUR")
    assert (found["contracts"].source, found["contracts"].source_rows) == (6, 6)


@pytest.mark.parametrize(("rounding", "total"), [("half_up", 100), ("half_even", 101)])
def test_a_control_may_round_each_amount_as_finance_agreed(engine: DuckDBEngine, rounding: str, total: int) -> None:
    amounts = ["0.335", "0.335", "0.3349", "-0.005", " ", None]
    raw = engine.table(pa.table({"_row": range(6), "billed": amounts, "currency": ["EUR"] * 6}))
    fates = engine.table(pa.table({c: pa.array([], t) for c, t in FATES.items()}))
    exact, rounded = (
        source_totals(engine, BILLED.model_copy(update={"source_rounding": how}), raw, fates, exponent_of)["EUR"]
        for how in ("", rounding)
    )
    assert (exact.total, exact.rows) == (Decimal("99.99"), 6)
    # 33.5 twice, 33.49 and -0.5, each to a whole number of cents before they are added.
    assert (rounded.total, rounded.rows, rounded.unreadable) == (total, 6, 0)


def test_numbers_that_are_no_money_are_added_up_as_they_stand(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    """No currency makes a hundred of one: 210 in the source is not 21,000 in the target."""
    pieces = Control(
        measure="pieces", kind="number_sum", source_column="billed", target_column="billed_to_date_minor", **SIDES
    )
    tie = ties(engine, loaded[0], raw, pieces)["pieces"]
    assert (tie.source, tie.target, tie.currency, tie.ok) == (210, 21000, "", False)


def test_texts_are_held_letter_for_letter_against_those_of_the_target(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    """Both databases make the same number of a text, and another one of any other text."""
    control = Control(measure="names", kind="text_sum", source_column="name", target_column="name",
                      source="erp.contracts", target="customers", owner="finance")  # fmt: skip
    with loaded[0].transaction(role="tiny_reader", read_only=True) as connection:
        theirs = "SELECT name FROM billing.customers JOIN cutover.crosswalk ON target_id = customer_id "
        held = [r[0] for r in connection.execute(theirs + "WHERE cohort = 'pilot'").fetchall()]
        found = target_totals(connection, control, tiny_plan().target, "pilot", exponent_of)
    fates = engine.table(pa.table({c: pa.array([], t) for c, t in FATES.items()}))

    def total(texts: list[str | None]) -> Decimal:
        raw = engine.table(pa.table({"_row": range(len(texts)), "name": pa.array(texts, pa.string())}))
        return source_totals(engine, control, raw, fates, exponent_of)[""].total

    assert len(held) > 1 and total([*held, None, ""]) == found[""].total > 0
    assert total([held[0] + " ", *held[1:]]) != found[""].total
    assert total([held[0].swapcase(), *held[1:]]) != found[""].total


ZONES = ("Pacific/Pago_Pago", "America/Los_Angeles", "UTC", "Asia/Kolkata", "Asia/Tokyo", "Pacific/Fiji")
BEGIN = Control(measure="begin", kind="midnight_sum", source_column="day", target_column="starts_at", **SIDES)
LAST = BEGIN.model_copy(update={"source_unit": "last_day"})


@pytest.mark.parametrize(("control", "later"), [(BEGIN, 0), (LAST, 1)], ids=["first day", "last day"])
def test_midnights_of_every_zone_are_the_days_that_the_source_wrote(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], control: Control, later: int
) -> None:
    """From UTC-11 to UTC+12, in summer and winter; a day more or less in all of them shows, whatever their zones."""
    target, pilot = loaded
    records = pilot.records["subscription"]
    days = [date(2025, month, 1) + timedelta(days=n) for n, month in enumerate((1, 2, 3, 7, 10, 12))]
    assert len(records) == len(days) == len(ZONES)
    fates = engine.table(pa.table({c: pa.array([], t) for c, t in FATES.items()}))
    raw = engine.table(pa.table({"_row": range(len(days)), "day": days}))
    for shift in (0, 1, -1):
        for record, day, zone in zip(records, days, ZONES, strict=True):
            record["starts_at"] = midnight(day + timedelta(days=later + shift), zone)
        reload(engine, target, pilot)
        with target.transaction(role="tiny_reader", read_only=True) as connection:
            held = target_totals(connection, control, tiny_plan().target, "pilot", exponent_of)[""]
        told = source_totals(engine, control, raw, fates, exponent_of)[""]
        assert held.total - told.total == shift * len(days) and held.rows == told.rows == len(days)


LED = Control(
    measure="led", kind="linked_count", source_column="account", target_column="customer_id", **SIDES
)  # fmt: skip
PARENTS = {("erp.contracts", "account"): ("crm.accounts", "id")}


def test_rows_that_lead_to_a_row_that_goes_on_have_to_lead_somewhere_in_the_target(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    """What leads nowhere, or to a row that was left out, is not counted; what leads to a merged one is."""

    def tie(told: Legacy) -> Tie:
        with loaded[0].transaction(role="tiny_reader", read_only=True) as connection:
            schema, given = tiny_plan().target, (told.tables, told.dispositions)
            (found,) = run_controls(
                engine, connection, (LED,), schema, "pilot", *given, exponent_of, (), PARENTS
            )  # fmt: skip
        return found

    assert (tie(raw).source, tie(raw).target, tie(raw).ok) == (6, 6, True)
    accounts = raw.dispositions.source_table == "accounts"
    first = raw.dispositions.source_row == 1
    for fate, expected in (("merged", 6), ("excluded", 5), ("rejected", 5)):
        word = (accounts & first).ifelse(ibis.literal(fate), raw.dispositions.disposition)
        assert tie(Legacy(raw.tables, engine.cached(raw.dispositions.mutate(disposition=word)))).source == expected
    contracts = raw.tables["erp.contracts"]
    astray = contracts.mutate(account=(contracts.id == 2).ifelse(404, contracts.account))
    assert tie(Legacy({**raw.tables, "erp.contracts": engine.cached(astray)}, raw.dispositions)).difference == -1


def test_a_column_that_leads_to_no_table_cannot_be_counted_so(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    with pytest.raises(BadInput, match="leads to no table"):
        ties(engine, loaded[0], raw, LED)


STATES = Control(
    measure="states", kind="code_count", source_column="state", target_column="status",
    codes={"A": "active", "P": "paused", "H": "paused"}, **SIDES,
)  # fmt: skip


def test_rows_are_counted_by_what_finance_says_their_codes_mean(engine: DuckDBEngine) -> None:
    """Two codes may mean one thing; those that nobody named count together, whatever they hold; what is blank is
    blank on both sides."""
    states = ["A", " A ", "P", "H", "Z", "jane@example.com", "", None]
    raw = engine.table(pa.table({"_row": range(8), "state": states}))
    fates = engine.table(pa.table({c: pa.array([], t) for c, t in FATES.items()}))
    found = source_totals(engine, STATES, raw, fates, exponent_of)
    assert {code: int(t.total) for code, t in found.items()} == {"active": 2, "paused": 2, "(code not named)": 2, "": 2}


def test_a_row_that_was_erased_with_another_counts_as_finance_says_and_no_other_does(engine: DuckDBEngine) -> None:
    """What the row itself says is not what the target has then; where finance says nothing of it, its code counts."""
    raw = engine.table(pa.table({"_row": range(3), "state": ["A", "A", "P"]}))
    told = {
        "source_system": ["erp"] * 3, "source_table": ["contracts"] * 3, "source_row": range(3),
        "disposition": ["loaded", "loaded", "merged"], "erased": [True, False, False],
    }  # fmt: skip
    fates = engine.table(pa.table({c: pa.array(told[c], t) for c, t in FATES.items()}))

    def counted(codes: dict[str, str]) -> dict[str, int]:
        found = source_totals(engine, STATES.model_copy(update={"codes": codes}), raw, fates, exponent_of)
        return {code: int(t.total - t.excluded) for code, t in found.items()}

    assert counted({**STATES.codes, "(erased)": "gone"}) == {"active": 1, "gone": 1, "paused": 0}
    assert counted(STATES.codes) == {"active": 2, "paused": 0}


def test_a_code_that_leads_elsewhere_is_off_on_both_its_ends(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    """The list of the plan says what finance does not: rows are missing under one code, and too many under another."""
    with loaded[0].transaction(role="tiny_reader", read_only=True) as connection:
        held = {
            c: t.rows for c, t in target_totals(connection, STATES, tiny_plan().target, "pilot", exponent_of).items()
        }
    assert set(held) == {"active"}
    table = raw.tables["erp.contracts"]
    for state, expected in (("A", {"states.active": 0}), ("P", {"states.active": -6, "states.paused": 6})):
        told = Legacy({"erp.contracts": table.mutate(state=ibis.literal(state))}, raw.dispositions)
        assert {m: t.difference for m, t in ties(engine, loaded[0], told, STATES).items()} == expected


def test_of_a_table_that_is_left_out_as_a_whole_every_row_counts(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    """What replaces it has to hold the same; a table of which rules leave out some rows is none of these."""
    left_out = engine.cached(raw.dispositions.mutate(disposition=ibis.literal("excluded")))
    with loaded[0].transaction(role="tiny_reader", read_only=True) as connection:
        told = [
            run_controls(
                engine, connection, (COUNT,), tiny_plan().target, "pilot", raw.tables, left_out, exponent_of, r
            )
            for r in ((), ("erp.contracts",))
        ]
    ((some,), (whole,)) = told
    assert (some.source, some.excluded, some.target, some.ok) == (6, 6, 6, False)
    assert (whole.source, whole.excluded, whole.target, whole.ok) == (6, 0, 6, True)


def test_rejected_rows_are_explained_not_missing(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]) -> None:
    found = ties(engine, loaded[0], legacy(engine, rejected=frozenset({98, 99})))
    assert (found["billed"].rejected, found["billed"].difference) == (1554, 0)
    assert (found["contracts"].rejected, found["contracts"].difference) == (2, 0)


def test_list_price_for_contracted_price_is_caught(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    target, pilot = loaded
    for record in pilot.records["subscription"]:
        record["billed_to_date_minor"] = 99999
    reload(engine, target, pilot)
    found = ties(engine, target, raw)
    assert found["billed"].difference == 21000 - 6 * 99999 and found["contracts"].ok


def test_two_date_columns_swapped_are_caught(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    from target_world import utc

    target, pilot = loaded
    for record in pilot.records["subscription"]:
        record["starts_at"] = utc(2024, 12, 1)
    reload(engine, target, pilot)
    found = ties(engine, target, raw)
    assert not found["started"].ok and found["billed"].ok


def test_a_dropped_filter_is_caught(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy) -> None:
    """Finance counts contracts sold; the mapping lost its filter and brought the sample ones along."""
    sold = Predicate(field="kind", op="eq", value="sold")
    contracts = raw.tables["erp.contracts"]
    sample = contracts.mutate(kind=(contracts["_row"] > 4).ifelse("sample", "sold"))
    changed = Legacy({**raw.tables, "erp.contracts": sample}, raw.dispositions)
    found = ties(engine, loaded[0], changed, *(c.model_copy(update={"source_where": (sold,)}) for c in CONTROLS))
    assert [t.difference for t in found.values()][:2] == [-2, -11000] and not found["started"].ok


def test_currencies_are_never_added_up(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy) -> None:
    target, pilot = loaded
    pilot.one("subscription", 5)["currency"] = "JPY"
    reload(engine, target, pilot)
    with target.transaction() as connection:
        found = run_controls(
            engine, connection, [BILLED], tiny_plan().target, "pilot", raw.tables, raw.dispositions, exponent_of
        )
    assert {t.currency: t.difference for t in found} == {"EUR": 5000, "JPY": -5000}


@pytest.mark.parametrize("rounding", ["", "half_up"])
@pytest.mark.parametrize(("rejected", "ties_out"), [(True, True), (False, False)])
def test_a_code_that_is_no_currency_is_accounted_for_by_its_rejection_or_not_at_all(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], rounding: str, rejected: bool, ties_out: bool
) -> None:
    raw = legacy(engine, rejected=frozenset({99}) if rejected else frozenset())
    contracts = raw.tables["erp.contracts"]
    row = 99 if rejected else 6
    odd = contracts.mutate(currency=(contracts["_row"] == row).ifelse("XXQ", contracts.currency))
    control = BILLED.model_copy(update={"source_rounding": rounding})
    with loaded[0].transaction(role="tiny_reader", read_only=True) as connection:
        tables = {**raw.tables, "erp.contracts": odd}
        found = run_controls(
            engine, connection, [control], tiny_plan().target, "pilot", tables, raw.dispositions, exponent_of
        )
    (unknown,) = (t for t in found if t.currency == "XXQ")
    assert unknown.source > 0 and unknown.ok == ties_out


def test_text_that_is_no_number_is_counted_and_shows_as_a_difference(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    contracts = raw.tables["erp.contracts"]
    odd = contracts.mutate(
        billed=(contracts["_row"] == 6).ifelse("1.234,56", (contracts["_row"] == 5).ifelse(" ", contracts.billed))
    )
    found = ties(engine, loaded[0], Legacy({**raw.tables, "erp.contracts": odd}, raw.dispositions), BILLED)["billed"]
    assert (found.unreadable, found.source, found.difference) == (1, 10000, -11000)


def test_text_that_is_no_number_is_a_finding_though_the_mapping_set_it_aside(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy
) -> None:
    target, pilot = loaded
    pilot.one("subscription", 6)["billed_to_date_minor"] = None
    reload(engine, target, pilot)
    contracts = raw.tables["erp.contracts"]
    odd = contracts.mutate(billed=(contracts["_row"] == 6).ifelse("1.234,56", contracts.billed))
    found = ties(engine, target, Legacy({**raw.tables, "erp.contracts": odd}, raw.dispositions), BILLED)["billed"]
    assert (found.difference, found.unreadable, found.ok) == (0, 1, False)


def test_text_that_is_no_number_in_a_rejected_row_is_accounted_for_by_its_rejection(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World]
) -> None:
    raw = legacy(engine, rejected=frozenset({99}))
    contracts = raw.tables["erp.contracts"]
    odd = contracts.mutate(billed=(contracts["_row"] == 99).ifelse("1.234,56", contracts.billed))
    found = ties(engine, loaded[0], Legacy({**raw.tables, "erp.contracts": odd}, raw.dispositions), BILLED)["billed"]
    assert (found.difference, found.unreadable, found.ok) == (0, 0, True)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: c.kind)
def test_a_control_whose_filters_match_nothing_gives_a_tie_that_says_so(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy, control: Control
) -> None:
    nothing = {
        "source_where": (Predicate(field="kind", op="eq", value="leased"),),
        "target_where": (Predicate(field="status", op="eq", value="leased"),),
    }
    found = ties(engine, loaded[0], raw, control.model_copy(update=nothing))[control.measure]
    assert (found.source_rows, found.target_rows, found.source, found.target) == (0, 0, 0, 0)
    assert found.ok and not found.saw_rows


def test_filters_work_on_both_sides(engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy) -> None:
    some = COUNT.model_copy(
        update={
            "source_where": (Predicate(field="id", op="in", value=(1, 3, 5, 7)),),
            "target_where": (
                Predicate(field="ends_at", op="not_null"),
                Predicate(field="currency", op="in", value=("EUR",)),
            ),
        }
    )  # fmt: skip
    found = ties(engine, loaded[0], raw, some)["contracts"]
    assert (found.source, found.target) == (3, 3)


@pytest.mark.parametrize("wrong", [{"source_column": "nope"}, {"target_column": "nope"}, {"target": "nope"}])
def test_a_control_that_cannot_be_worked_out_names_its_row(
    engine: DuckDBEngine, loaded: tuple[PostgresTarget, World], raw: Legacy, wrong: dict[str, str]
) -> None:
    with pytest.raises(BadInput, match=r"controls\.csv:7"):
        ties(engine, loaded[0], raw, BILLED.model_copy(update={**wrong, "row": 7}))


ALLOWED = (
    "migration_assets.domain",
    "migration_assets.plan.models",
    "migration_assets.plan.ownership",
    "migration_assets.stages.reconcile.m",
    "migration_assets.engine.duckdb",
    "migration_assets.connectors.postgres_target",
)


@pytest.mark.parametrize("module", ["controls", "money", "membership"])
def test_controls_share_nothing_with_what_they_check(module: str) -> None:
    path = Path(migration_assets.__file__).parent / "stages" / "reconcile" / f"{module}.py"
    names = [n.module or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    assert [n for n in names if n.startswith("migration_assets") and not n.startswith(ALLOWED)] == []


def test_importing_the_controls_imports_no_mapping_and_no_other_stage() -> None:
    code = (
        "import sys, migration_assets.stages.reconcile.controls\n"
        "print([m for m in sys.modules if m.startswith('migration_assets.') and "
        "('mapping' in m or '.rules' in m or ('.stages.' in m and '.stages.reconcile' not in m))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
