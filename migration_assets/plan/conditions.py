"""Predicates as people write them, for documents."""

from __future__ import annotations

from migration_assets.domain.predicates import Predicate


def conditions(where: tuple[Predicate, ...]) -> str:
    """Predicates as people write them."""
    return " and ".join(_condition(p) for p in where)


def _condition(predicate: Predicate) -> str:
    words = {"eq": "=", "ne": "is not", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "not_in": "not in"}
    if predicate.op in ("is_null", "not_null"):
        return f"{predicate.field} is {'missing' if predicate.op == 'is_null' else 'present'}"
    value = predicate.value
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{predicate.field} {words.get(predicate.op, predicate.op)} {shown}"
