"""Finance's control totals, compiled from controls.csv: raw source on one side, the target on the other.

On purpose this shares nothing with the mapping and the stages that it checks: it reads raw golden-copy rows and lets
PostgreSQL add up the target. Text is read only where it is an exact number or an ISO date; blank is missing; anything
else adds nothing and is counted as unreadable, which is a finding even where the target holds nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import ibis
import psycopg
from psycopg import sql

from migration_assets.domain.erasure import ERASED_CODE, ERASED_RULE
from migration_assets.domain.errors import BadInput
from migration_assets.domain.money import MoneyError
from migration_assets.stages.reconcile.membership import member_rows
from migration_assets.stages.reconcile.money import SourceTotal, TargetTotal, Tie, tie_out

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.connectors.postgres_target import Connection
    from migration_assets.domain.predicates import Predicate
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Control, TargetSchema

# (`system.table`, column) -> the table whose rows it names, and that table's only key column.
Parents = Mapping[tuple[str, str], tuple[str, str]]
# Minor digits of a currency: domain.money with the plan's overrides.
Exponents = Callable[[str], int]

_NUMBER = r"^[+-]?[0-9]{1,27}(\.[0-9]{1,10})?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"
_NO_CURRENCY = ""
# Two names, so that a code without a meaning never makes up for a value without one.
_CODE_NOT_NAMED, _VALUE_NOT_NAMED = "(code not named)", "(value not named)"
_FATE = ("source_system", "source_table", "source_row", "disposition")


def run_controls(
    engine: DuckDBEngine,
    connection: Connection,
    controls: Iterable[Control],
    schema: TargetSchema,
    cohort: str,
    raw: Mapping[str, ir.Table],
    dispositions: ir.Table,
    exponents: Exponents,
    replaced: Collection[str] = (),
    parents: Parents = MappingProxyType({}),
) -> tuple[Tie, ...]:
    """Tie out every control for one cohort. `raw`: `system.table` -> the cohort's raw rows with `_row`;
    `dispositions`: source_system, source_table, source_row, disposition, rule; `connection`: the target, now;
    `replaced`: tables that are left out as a whole, of which every row counts; `parents`: what raw columns refer to."""
    erased = (dispositions["disposition"] == "loaded") & (dispositions["rule"] == ERASED_RULE)
    fates = engine.cached(dispositions.group_by(*_FATE).aggregate(erased=erased.fill_null(False).any()))
    ties: list[Tie] = []
    places = _places(exponents)
    nobodys = fates.limit(0)
    for control in controls:
        theirs = nobodys if control.source in replaced else fates
        rows = _linked(control, raw, fates, parents) if control.kind == "linked_count" else raw[control.source]
        source = source_totals(engine, control, rows, theirs, places)
        target = target_totals(connection, control, schema, cohort, places)
        tied = tie_out(control.measure, control.kind, source, target)
        ties += map(_by_code, tied) if control.kind == "code_count" else tied
    return tuple(ties)


def _linked(control: Control, raw: Mapping[str, ir.Table], fates: ir.Table, parents: Parents) -> ir.Table:
    """Raw rows that lead to a row which is loaded, or merged into one: to nothing else can a row of the target lead."""
    known = parents.get((control.source, control.source_column))
    if known is None:
        raise BadInput(
            f"controls.csv:{control.row} [source_column] {control.source_column} leads to no table with one key column",
            f"Name a column that `references` of {control.source} has.",
        )
    table, key = known
    system, _, name = table.partition(".")
    there = fates.filter((fates.source_system == system) & (fates.source_table == name))
    going = there.filter(there.disposition.isin(["loaded", "merged"])).select("source_row")
    keys = raw[table].semi_join(going, raw[table]["_row"] == going.source_row)
    told = keys.select(_key=keys[key].cast("string").strip()).distinct()
    rows = raw[control.source]
    return rows.semi_join(told, rows[control.source_column].cast("string").strip() == told["_key"])


def _by_code(tie: Tie) -> Tie:
    """Rows with one code are a measure of their own, `measure.meaning`, and know no currency."""
    named = f"{tie.measure}.{tie.currency}" if tie.currency else tie.measure
    return replace(tie, measure=named, currency=_NO_CURRENCY)


def _places(exponents: Exponents) -> Exponents:
    """The same, and none for a code that is no currency: its amounts count as they stand, so that they still have to be
    rejected, and to the last digit, or show as a difference."""

    def places(currency: str) -> int:
        try:
            return exponents(currency)
        except MoneyError:
            return 0

    return places


# --- the source, raw ---------------------------------------------------------------------------------------------


def source_totals(
    engine: DuckDBEngine, control: Control, raw: ir.Table, fates: ir.Table, exponents: Exponents
) -> dict[str, SourceTotal]:
    """Totals of the raw rows by currency, split by what became of them."""
    system, _, table = control.source.partition(".")
    own = fates.filter((fates.source_system == system) & (fates.source_table == table))
    rows = raw.filter(_holds(raw, control.source_where)) if control.source_where else raw
    led = rows.left_join(own.select("source_row", "disposition", "erased"), rows["_row"] == own.source_row)
    value, unreadable = _measured(control, led)
    split = led.select(currency=_told_apart(control, led), value=value, unreadable=unreadable, fate=led.disposition)
    if control.source_rounding:
        split = _rounded(engine, split, control.source_rounding, exponents)
    left = split.fate.isin(["excluded", "merged"]).fill_null(False)
    rejected = (split.fate == "rejected").fill_null(False)
    totals = split.group_by("currency").aggregate(
        total=split.value.sum(),
        rejected=split.value.sum(where=rejected),
        excluded=split.value.sum(where=left),
        rows=split.count(),
        unreadable=split.unreadable.sum(where=~left & ~rejected),
    )
    found = engine.arrow(totals).to_pylist()
    scale = _scale(control.kind, "minor" if control.source_rounding else control.source_unit, exponents)
    return {row["currency"]: _source_total(row, scale(row["currency"])) for row in found}


def _rounded(engine: DuckDBEngine, split: ir.Table, how: str, exponents: Exponents) -> ir.Table:
    """The same with each value in whole minor units of its currency. Written out here, because engines round as they
    like and the mapping's own rounding is what a control is to find fault with."""
    codes = sorted(engine.arrow(split.select("currency").distinct())["currency"].to_pylist())
    if not codes:
        return split
    exact = ibis.cases(*((split.currency == c, split.value * 10 ** exponents(c)) for c in codes))
    whole = exact.abs().floor().cast("decimal(38, 0)")
    rest = exact.abs() - whole
    half = ibis.literal(Decimal("0.5"), type="decimal(2, 1)")
    up = (rest > half) | ((rest == half) & ((whole % 2 == 1) if how == "half_even" else ibis.literal(True)))
    minor = (whole + up.ifelse(1, 0)) * (exact < 0).ifelse(-1, 1)
    return split.mutate(value=minor)


def _source_total(row: Mapping[str, Any], scale: Decimal) -> SourceTotal:
    parts = {name: Decimal(row[name] or 0) * scale for name in ("total", "rejected", "excluded")}
    return SourceTotal(**parts, rows=int(row["rows"]), unreadable=int(row["unreadable"] or 0))


def _measured(control: Control, rows: ir.Table) -> tuple[ir.Value, ir.Value]:
    """The value each row adds, and whether it holds one that cannot be read (0 or 1)."""
    if control.kind in ("count", "code_count", "linked_count"):
        return ibis.literal(1).cast("decimal(38, 10)"), ibis.literal(0)
    column = _column(rows, control.source_column, control)
    if control.kind in ("sum", "number_sum"):
        exact = _exact(column) if column.type().is_string() else column.cast("decimal(38, 10)")
        return exact, _lost(column, exact)
    if control.kind == "text_sum":
        return _digest(column.cast("string")), ibis.literal(0)
    day = _day(column) if column.type().is_string() else column.cast("date")
    # What lasts through a day is over when the next one begins.
    days = day.epoch_days() + (1 if control.source_unit == "last_day" else 0)
    return days.cast("decimal(38, 10)"), _lost(column, days)


def _exact(column: ir.Value) -> ir.Value:
    text = column.strip()
    return text.re_search(_NUMBER).ifelse(text, ibis.null("string")).try_cast("decimal(38, 10)")


def _day(column: ir.Value) -> ir.Value:
    text = column.strip()
    return text.re_search(_DAY).ifelse(text.substr(0, 10), ibis.null("string")).try_cast("date")


def _digest(text: ir.Value) -> ir.Value:
    """The first eight hex digits of a text's MD5 as a number, which any database can make; an empty text counts as
    missing, as a file cannot tell them apart."""
    present = (text != "").ifelse(text, ibis.null("string"))
    return (ibis.literal("0x") + present.hexdigest("md5").substr(0, 8)).cast("int64").cast("decimal(38, 10)")


def _lost(column: ir.Value, value: ir.Value) -> ir.Value:
    present = column.notnull()
    if column.type().is_string():
        present = present & (column.strip() != "")
    return (present & value.isnull()).cast("int64")


def _told_apart(control: Control, rows: ir.Table) -> ir.Value:
    """What there is a total of each for: the currency, or what the row's code means, unless its values were erased with
    another row's and finance says what that counts as. Codes that finance has not named
    count together: a stray cell may hold anything, and a measure's name is shown."""
    if control.kind != "code_count":
        return _currency(control.source_currency, rows)
    code = _column(rows, control.source_column, control).cast("string").strip().fill_null("")
    if ERASED_CODE in control.codes:
        code = rows["erased"].fill_null(False).ifelse(ibis.literal(ERASED_CODE), code)
    meanings = [(code == raw, ibis.literal(meaning)) for raw, meaning in control.codes.items()]
    return ibis.cases(*meanings, (code == "", code), else_=_CODE_NOT_NAMED)


def _currency(given: str, rows: ir.Table) -> ir.Value:
    if given.startswith("="):
        return ibis.literal(given[1:])
    return rows[given].cast("string").strip().upper().fill_null("") if given else ibis.literal(_NO_CURRENCY)


def _column(rows: ir.Table, name: str, control: Control) -> ir.Value:
    if name not in rows.columns:
        raise BadInput(
            f"controls.csv:{control.row} [source_column] {control.source} has no column {name}", "Name one it has."
        )
    return rows[name]


def _holds(rows: ir.Table, predicates: Iterable[Predicate]) -> ir.Value:
    return reduce(lambda a, b: a & b, (_condition(rows[p.field], p) for p in predicates))


def _condition(column: ir.Value, predicate: Predicate) -> ir.Value:
    """A predicate on a raw column; a comparison with a missing value does not hold."""
    if predicate.op in ("is_null", "not_null"):
        return column.isnull() if predicate.op == "is_null" else column.notnull()
    many = predicate.value if isinstance(predicate.value, tuple) else (predicate.value,)
    values = [ibis.literal(v).cast(column.type()) for v in many]
    one = values[0]
    found = {
        "eq": lambda: column == one,
        "ne": lambda: column != one,
        "lt": lambda: column < one,
        "le": lambda: column <= one,
        "gt": lambda: column > one,
        "ge": lambda: column >= one,
        "in": lambda: column.isin(values),
        "not_in": lambda: column.notin(values),
    }[predicate.op]()
    return found.fill_null(False)


def _scale(kind: str, unit: str, exponents: Exponents) -> Callable[[str], Decimal]:
    """What a total is multiplied by to become minor units: one, unless it is money in major units."""
    if kind != "sum" or unit != "major":
        return lambda _: Decimal(1)
    return lambda currency: Decimal(10) ** exponents(currency)


# --- the target --------------------------------------------------------------------------------------------------

_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def target_totals(
    connection: Connection, control: Control, schema: TargetSchema, cohort: str, exponents: Exponents
) -> dict[str, TargetTotal]:
    """Totals of the cohort's target rows by currency, added up by PostgreSQL."""
    try:
        found = connection.execute(_target_query(control, schema, cohort)).fetchall()
    except psycopg.Error as error:
        raise BadInput(
            f"controls.csv:{control.row} [target] the target cannot work out {control.measure}"
            f" (SQLSTATE {error.sqlstate})",
            "Name columns and values that fit the table in target.yaml.",
        ) from None
    scale = _scale(control.kind, control.target_unit, exponents)
    return {c: TargetTotal(Decimal(total or 0) * scale(c), int(n)) for c, total, n in found if n}


def _target_query(control: Control, schema: TargetSchema, cohort: str) -> sql.Composed:
    table = control.target.rpartition(".")[2]
    if table not in schema.tables:
        raise BadInput(f"controls.csv:{control.row} [target] target.yaml has no table {table}", "Name one it has.")
    value = {
        "count": sql.SQL("count(*)"),
        "code_count": sql.SQL("count(*)"),
        "linked_count": sql.SQL("count(*)"),
        "sum": sql.SQL("sum({}::numeric)").format(_target_column(control)),
        "number_sum": sql.SQL("sum({}::numeric)").format(_target_column(control)),
        "day_sum": sql.SQL("sum({})").format(_target_days(control)),
        "midnight_sum": sql.SQL("sum({})").format(_target_midnights(control)),
        "text_sum": sql.SQL("sum({})").format(_target_digest(control)),
    }[control.kind]
    conditions = [_target_condition(p) for p in control.target_where]
    if control.kind == "linked_count":
        conditions.append(sql.SQL("{} IS NOT NULL").format(_target_column(control)))
    return sql.SQL("SELECT {currency}, {value}, count(*) FROM ({rows}) m {where} GROUP BY 1").format(
        currency=_target_told_apart(control),
        value=value,
        rows=member_rows(schema, table, cohort, list(schema.tables[table].columns)),
        where=sql.SQL("WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL(""),
    )


def _target_column(control: Control) -> sql.Identifier:
    return sql.Identifier("m", control.target_column)


def _target_days(control: Control) -> sql.Composed:
    """Days since 1970-01-01; an instant counts for its day in UTC, which is the session's time zone."""
    return sql.SQL("({}::date - date '1970-01-01')::numeric").format(_target_column(control))


def _target_midnights(control: Control) -> sql.Composed:
    """Days since 1970-01-01 of instants that are midnight somewhere: in every zone from UTC-11 to UTC+12 the day is
    that of the nearest midnight in UTC, the later one of two."""
    noon = "(({} + interval '12 hours')::date - date '1970-01-01')::numeric"
    return sql.SQL(noon).format(_target_column(control))


def _target_digest(control: Control) -> sql.Composed:
    """As `_digest` makes it."""
    return sql.SQL("('x' || left(md5(nullif({}, '')), 8))::bit(32)::bigint::numeric").format(_target_column(control))


def _target_told_apart(control: Control) -> sql.Composable:
    if control.kind == "code_count":
        held = sql.SQL("coalesce({}::text, '')").format(_target_column(control))
        known = sql.SQL(", ").join(sql.Literal(v) for v in ("", *sorted(set(control.codes.values()))))
        return sql.SQL("CASE WHEN {h} IN ({k}) THEN {h} ELSE {o} END").format(
            h=held, k=known, o=sql.Literal(_VALUE_NOT_NAMED)
        )
    given = control.target_currency
    if given.startswith("="):
        return sql.Literal(given[1:])
    return sql.SQL("coalesce({}, '')").format(sql.Identifier("m", given)) if given else sql.Literal(_NO_CURRENCY)


def _target_condition(predicate: Predicate) -> sql.Composed:
    column = sql.Identifier("m", predicate.field)
    if predicate.op in ("is_null", "not_null"):
        return sql.SQL("{} IS NULL" if predicate.op == "is_null" else "{} IS NOT NULL").format(column)
    if predicate.op in ("in", "not_in"):
        values = predicate.value if isinstance(predicate.value, tuple) else (predicate.value,)
        listed = sql.SQL(", ").join(sql.Literal(v) for v in values)
        return sql.SQL("{} IN ({})" if predicate.op == "in" else "{} NOT IN ({})").format(column, listed)
    return sql.SQL("{} " + _COMPARISONS[predicate.op] + " {}").format(column, sql.Literal(predicate.value))
