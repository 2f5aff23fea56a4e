"""Builds the suite of source tables from plain data: what a plan declares is what its checks say.

Suites that people write are in `expectations/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migration_assets.domain.findings import Severity
from migration_assets.quality.rule import Rule
from migration_assets.quality.suite import Suite


@dataclass(frozen=True)
class EntriesDeclaration:
    """Whose text the rows of a table are the entries of: `table` and its column `text`, cut at `separator`.

    `keys`: columns that both have. `fits`: the column that says whether an entry could be read, if any is.
    """

    table: str
    text: str
    separator: str
    keys: tuple[str, ...]
    entry: str
    position: str
    newest_first: bool = False
    fits: str | None = None


@dataclass(frozen=True)
class SourceDeclaration:
    """What a plan says of one source table.

    `table` is `system.table`; `key` the columns that identify a row; `references` column -> (table, its key column).
    """

    table: str
    key: tuple[str, ...]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    may_be_empty: bool = False
    entries: EntriesDeclaration | None = None


def generated_suite(asset: str, declarations: Sequence[SourceDeclaration]) -> Suite:
    """Checks over whole source tables: rows there, keys present and unique (critical), references exist (warning).

    Where a table is made of the entries of a text: nothing of the text is lost (critical), every entry could be read
    (warning: those that could not are rejected one by one).

    An orphan is a warning here because it is not lost: it goes to the cohort `unassigned` and is disposed of there.
    """
    rules = tuple(rule for declared in declarations for rule in _rules(declared))
    return Suite(
        asset=asset, rules=_distinct(rules), may_be_empty=tuple(d.table for d in declarations if d.may_be_empty)
    )


def _rules(declared: SourceDeclaration) -> tuple[Rule, ...]:
    keys = ", ".join(declared.key)
    return (
        _rule(declared, "rows_exist", "rows_exist", {}, "critical", "An empty export looks like a clean one."),
        _rule(
            declared,
            "key_present",
            "present",
            {"columns": list(declared.key)},
            "critical",
            f"Without {keys} a row cannot be told apart, loaded once or found again.",
        ),
        _rule(
            declared,
            "key_unique",
            "unique_together",
            {"columns": list(declared.key)},
            "critical",
            f"Two rows with the same {keys} would overwrite each other in the target.",
        ),
        *(_reference(declared, column, table, key) for column, (table, key) in declared.references.items()),
        *_entries(declared),
    )


def _entries(declared: SourceDeclaration) -> Iterator[Rule]:
    made = declared.entries
    if made is None:
        return
    told = {"text": made.text, "keys": list(made.keys), "entry_table": declared.table, "entry": made.entry,
            "position": made.position, "separator": made.separator, "newest_first": made.newest_first}  # fmt: skip
    why = f"What is lost when {made.text} is cut would be missed by nobody: what is counted later are the pieces."
    yield _rule(declared, "entries_whole", "entries_whole", told, "critical", why, table=made.table)
    if made.fits is not None:
        read = {"column": made.fits, "value_set": [True]}
        why = "An entry that the pattern does not fit is rejected; the pattern may have to learn one more form."
        yield _rule(declared, "entries_fit", "expect_column_values_to_be_in_set", read, "warning", why)


def _reference(declared: SourceDeclaration, column: str, table: str, key: str) -> Rule:
    return _rule(
        declared,
        f"{column}_exists",
        "references_exist",
        {"column": column, "to_table": table, "to_column": key},
        "warning",
        f"A row whose {column} is not in {table} has no owner and goes to the cohort unassigned.",
    )


def _rule(
    declared: SourceDeclaration,
    name: str,
    of_type: str,
    kwargs: Mapping[str, Any],
    severity: Severity,
    why: str,
    table: str = "",
) -> Rule:
    check = _check_name(f"{declared.table}_{name}")
    return Rule(
        check=check, table=table or declared.table, why=why, type=of_type, kwargs=dict(kwargs), severity=severity
    )


def _check_name(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"t_{plain}"


def _distinct(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Names made from two different columns may meet (`a b`, `a-b`); later ones get a number."""
    seen: dict[str, int] = {}
    out = []
    for rule in rules:
        seen[rule.check] = seen.get(rule.check, 0) + 1
        suffix = f"_{seen[rule.check]}" if seen[rule.check] > 1 else ""
        out.append(rule.model_copy(update={"check": rule.check + suffix}))
    return tuple(out)
