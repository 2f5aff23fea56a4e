"""Says why the target would not take a load: constraint, table and the row's surrogate key, never its values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from migration_assets.connectors.postgres_target import Complaint, complaint
from migration_assets.domain.errors import TargetRefused

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.load.plan import LoadPlan, TableRows

_AGAIN = "Check the server and the network, then `cutover run --resume`."
_REMEDIES = {
    # Without a state: the connection was lost.
    "": _AGAIN,
    "53100": "The disk of the target's server is full: make room there, then `cutover run --resume`.",
    "57014": "One statement took longer than is allowed (2 hours), or somebody stopped it: `cutover run --resume`.",
    "57P01": _AGAIN,
    "57P02": _AGAIN,
    "57P03": _AGAIN,
    "22021": "A text holds a character that PostgreSQL cannot store (NUL, for one): clean the field with rule `text`.",
    "23502": "The row lacks a value the target demands: map the field, give it a default, or reject the row.",
    "23503": "The row points at a row that is not in the target: load its parent first, or reject the row.",
    "23505": "Two rows share what has to be unique: merge or reject one of them, or drop `unique` from target.yaml. "
    "If the other row is of another cohort, load that one first.",
    "23514": "The value breaks a rule of the target: correct the mapping, or the rule in target.yaml.",
    "23P01": "Two periods overlap: end one before the other begins, or drop `no_overlap` from target.yaml. "
    "If the other row is of another cohort (its customer was parted from this one), load that one first.",
    "42P01": "Run `cutover run` again, so that target_schema makes the table that is missing.",
    "42501": "Run `cutover run` again so that target_schema grants the roles, or ask the owner of the target.",
}
_SHOWN_ROWS = 3
STAGE_PREFIX = "stage_"


def refusal(error: psycopg.Error, engine: DuckDBEngine, load: LoadPlan, folder: Path) -> TargetRefused:
    """The error as one of ours. `folder` holds the CSV files the rows travelled in, `<table>.csv`."""
    said = complaint(error)
    name = said.table.rpartition(".")[2].removeprefix(STAGE_PREFIX)
    table = next((t for t in load.tables if t.table == name), None)
    rows = _surrogates(engine, table, said, folder) if table is not None else ()
    place = ", ".join(p for p in (name, said.constraint or said.column) if p)
    named = f" (source row {', '.join(rows)})" if rows else ""
    return TargetRefused(
        f"the target refused the load: {said.message}{f' [{place}]' if place else ''}{named}; nothing was written",
        _REMEDIES.get(said.sqlstate, f"Look up SQLSTATE {said.sqlstate or 'unknown'} in the target's own log."),
    )


def _surrogates(engine: DuckDBEngine, table: TableRows, said: Complaint, folder: Path) -> tuple[str, ...]:
    """Surrogate keys of the rows complained of, at most three, by whatever the complaint gives away."""
    key = said.first_value or (_key_at(folder / f"{table.table}.csv", said.line) if said.line else "")
    if key:
        return _where(engine, table, table.key, key)
    if said.detail_key is None:
        return ()
    # Of several columns the first narrows it down enough: `(customer_id, feature_code)=(<uuid>, seats)`.
    column, value = (part.partition(", ")[0].strip('"') for part in said.detail_key)
    return _where(engine, table, column, value) if column in table.columns else ()


def _where(engine: DuckDBEngine, table: TableRows, column: str, value: str) -> tuple[str, ...]:
    told = table.rows.filter(table.rows[column].cast("string") == value).select(_key=table.key).limit(_SHOWN_ROWS)
    keys = engine.arrow(told)["_key"].to_pylist()
    found = table.surrogates.filter(table.surrogates.key.isin(keys)) if keys else table.surrogates.limit(0)
    rows = engine.arrow(found.select("surrogate").order_by("surrogate"))
    return tuple(rows["surrogate"].to_pylist())


_KEY = re.compile(rb'^"?([0-9a-zA-Z_.:|/*-]{1,200})"?(,|$)')


def _key_at(path: Path, line: int) -> str:
    """The key at the start of the record that ends on this line: the last line up to it that begins like one.

    A line within a quoted cell can look like the start of a record; a wrong key then finds no row, and none is named.
    """
    if not path.exists():
        return ""
    key = b""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if match := _KEY.match(text):
                key = match[1]
            if number >= line:
                break
    return key.decode()
