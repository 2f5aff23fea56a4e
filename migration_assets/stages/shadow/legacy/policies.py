"""Limits and policies past them, as the old system tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import ibis

from migration_assets.domain.access import Overage

if TYPE_CHECKING:
    import ibis.expr.types as ir

POLICIES: tuple[str, ...] = get_args(Overage)


def allows(limit: ir.NumericValue) -> ir.BooleanValue:
    """Whether a limit, or the lack of one, allows anything."""
    return limit.isnull() | (limit != 0)


def code_of(policy: ir.StringValue) -> ir.IntegerValue:
    """A policy as a small number."""
    return policy.cases(*((ibis.literal(p), ibis.literal(n, "int8")) for n, p in enumerate(POLICIES)))


def word_of(code: ir.IntegerValue) -> ir.StringValue:
    """The policy of a number."""
    return code.cases(*((ibis.literal(n), ibis.literal(p)) for n, p in enumerate(POLICIES)))
