"""Pieces of SQL text: quoted names, literals, predicates. Every value of a suite reaches SQL through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from migration_assets.domain.predicates import Predicate

_COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def name(identifier: str) -> str:
    """A column or table name, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str | int | bool) -> str:
    """A constant, quoted by its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("'", "''").replace("\x00", "") + "'"


def column(alias: str, identifier: str) -> str:
    """A column of an aliased relation."""
    return f"{alias}.{name(identifier)}"


def columns(alias: str, identifiers: Iterable[str]) -> str:
    """Several columns of one relation, comma separated."""
    return ", ".join(column(alias, i) for i in identifiers)


def values(constants: Sequence[str | int | bool]) -> str:
    """A one-column relation of constants, for an anti-join: a long IN list is ruinously slow."""
    return f"(select unnest([{', '.join(literal(c) for c in constants)}]) as value)"


def equal(left: str, left_type: str, right: str, right_type: str) -> str:
    """Two keys are the same; as text where their types differ (a file's text id against a database's integer)."""
    if left_type == right_type:
        return f"{left} = {right}"
    return f"cast({left} as varchar) = cast({right} as varchar)"


def blank(expression: str, of_type: str) -> str:
    """Missing, or text of nothing but white space."""
    missing = f"{expression} is null"
    return f"({missing} or trim({expression}) = '')" if of_type == "VARCHAR" else missing


def holds(alias: str, predicates: Iterable[Predicate]) -> str:
    """All predicates hold; a comparison with a missing value does not. No predicate: every row."""
    return " and ".join(f"({_one(alias, p)})" for p in predicates) or "true"


def every(conditions: Iterable[str]) -> str:
    """All conditions together; none means true."""
    return " and ".join(f"({c})" for c in conditions) or "true"


def some(conditions: Iterable[str]) -> str:
    """At least one of the conditions; none means false."""
    return " or ".join(f"({c})" for c in conditions) or "false"


def case_of(expression: str, results: Mapping[str, int], default: int) -> str:
    """A whole number chosen by a text."""
    whens = " ".join(f"when {literal(k)} then {v}" for k, v in results.items())
    return f"(case {expression} {whens} else {default} end)" if results else str(default)


def _one(alias: str, predicate: Predicate) -> str:
    field = column(alias, predicate.field)
    if predicate.op == "is_null":
        return f"{field} is null"
    if predicate.op == "not_null":
        return f"{field} is not null"
    if isinstance(predicate.value, tuple):
        negated = "not " if predicate.op == "not_in" else ""
        members = ", ".join(literal(v) for v in predicate.value)
        return f"{field} is not null and {field} {negated}in ({members})"
    if predicate.value is None:  # the model refuses this; the type checker cannot know
        raise ValueError(f"{predicate.op} takes one value")
    # A comparison with null is null, which a where clause drops; coalesce keeps it right under a negation.
    return f"coalesce({field} {_COMPARISONS[predicate.op]} {literal(predicate.value)}, false)"
