"""Counting what a failed rule found: how many rows, which (as surrogates), how much money. Never a value of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.money import written
from migration_assets.quality import sql
from migration_assets.quality.rule import Rule
from migration_assets.quality.rule_type import Scope

SAMPLE_SIZE = 10
_ORDINAL = "_ordinal"
_PROVENANCE = ("source_system", "source_table", "source_row")
# Columns that hold names out of the plan or the program, never data: as text they may be shown.
STRUCTURAL = frozenset(
    {
        *("table", "column", "to_table", "to_column", "source_table", "source_system", "target_table"),
        *("entity", "feed", "field", "rule", "check", "measure", "currency", "cohort", "wave"),
        *("kind", "action", "asset", "control", "disposition"),
    }
)
_UUID = "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"

Execute = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Faults:
    """Rows at fault: how many, at most ten surrogates, money at stake by currency, and what explains them further."""

    count: int
    sample_keys: tuple[str, ...] = ()
    amount_minor: Mapping[str, int] = field(default_factory=dict)
    explained: str = ""


def count_faults(execute: Execute, rule: Rule, scope: Scope) -> Faults | None:
    """All rows at fault of one rule; None when the rule is about the table as a whole."""
    built = rule.built
    query = built.defects(scope)
    if query is None:
        return None
    found = tuple(str(row[0]) for row in execute(f"describe {query}"))
    key = _key(rule, scope, found)
    # Only what is told is computed and kept: most columns of a wide table are never read.
    execute(
        f"create or replace temp table faults as select {key or 'null'} as key, {_money(rule, found)} from ({query})"
    )
    count = int(execute("select count(*) from faults")[0][0])
    keys = _sample(execute) if key else ()
    amounts = _amounts(execute) if rule.money else {}
    execute("drop table faults")
    return Faults(count, keys, amounts, _explained(execute, rule, scope))


def numbered(view: str, types: Mapping[str, str]) -> str:
    """The rule's own table as SQL; rows without a surrogate of their own get their place in the file."""
    if "_row" in types or all(c in types for c in _PROVENANCE):
        return view
    return f"(select *, row_number() over () as {_ORDINAL} from {view})"


def _key(rule: Rule, scope: Scope, found: tuple[str, ...]) -> str | None:
    """SQL for the surrogate of a row at fault, or None when nothing tells it apart without showing data."""
    table = sql.literal(f"{rule.table}#")
    if rule.key and all(k in found for k in rule.key):
        return f"{table} || " + " || '.' || ".join(_safe(k, scope, found) for k in rule.key)
    if all(c in found for c in _PROVENANCE):
        return "coalesce(source_system || '.' || source_table || '#' || source_row, 'derived#?')"
    own = next((c for c in ("_row", _ORDINAL) if c in found), None)
    return None if own is None else f"{table} || {sql.name(own)}"


def _safe(key: str, scope: Scope, found: tuple[str, ...]) -> str:
    """A key column as text, when it is a number, a target id or a structural name; else the row's place."""
    value = f"cast({sql.name(key)} as varchar)"
    kind = scope.types[scope.table].get(key, "")
    if key in STRUCTURAL or kind in ("BIGINT", "INTEGER", "UUID"):
        return f"coalesce({value}, '?')"
    place = f"cast({_ORDINAL} as varchar)" if _ORDINAL in found else "'?'"
    return f"case when regexp_matches({value}, {sql.literal(_UUID)}) then {value} else {place} end"


def _sample(execute: Execute) -> tuple[str, ...]:
    # By length first, so that row 9 comes before row 10.
    rows = execute(f"select key from (select distinct key from faults) order by length(key), key limit {SAMPLE_SIZE}")
    return tuple(str(row[0]) for row in rows)


def _money(rule: Rule, found: tuple[str, ...]) -> str:
    """Amount and currency of a row at fault, as columns of those names."""
    money = rule.money
    if money is None or money.amount not in found or money.currency not in found:
        return "null as amount, null as currency"
    return f"{sql.name(money.amount)} as amount, {sql.name(money.currency)} as currency"


def _amounts(execute: Execute) -> dict[str, int]:
    rows = execute(
        "select currency, sum(amount) from faults where amount is not null and currency is not null "
        "group by all order by 1"
    )
    return {str(code): int(total) for code, total in rows if len(str(code)) == 3 and str(code).isalpha()}


def _explained(execute: Execute, rule: Rule, scope: Scope) -> str:
    query, sums = rule.built.breakdown(scope), rule.built.figures(scope)
    parts = [_part(str(label), values, int(n)) for label, values, n in execute(query) if n] if query else []
    shares = rule.built.shares(scope)
    parts += [_share(str(by), str(name), int(n), int(of)) for by, name, n, of in execute(shares)] if shares else []
    return "; ".join([*parts, *_figures(execute(sums) if sums else ())])


def _share(column: str, name: str, part: int, whole: int) -> str:
    shown = name if column in STRUCTURAL else "(not shown)"
    return f"{shown}: {part:,} of {whole:,}{f' ({100 * part / whole:.0f} %)' if whole else ''}"


def _figures(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Sums by currency: totals of many rows, exact, and no value of one."""
    for code, named in groupby(rows, key=lambda row: str(row[0])):
        said = ", ".join(f"{name} {written(Decimal(amount or 0))}" for _, name, amount in named)
        yield f"{code if len(code) == 3 and code.isalpha() else '???'} {said}"


def _part(label: str, values: int | None, count: int) -> str:
    if values is None:
        return f"{label}: {count}"
    entity, _, name = label.partition(".")
    known = entity in ENTITIES and name in {f.name for f in ENTITIES[entity].fields}
    # A label that is no field of ours is data.
    return f"{label if known else '(not shown)'}: {count} with {values} different value{'s' * (values != 1)}"
