"""Rules that name other rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import Context, Outcome, any_present, joined, present

if TYPE_CHECKING:
    import ibis.expr.types as ir


def reference(columns: Sequence[ir.Value], arguments: a.Reference, _: Context) -> Outcome:
    """Canonical key of the row the columns point at; missing when all are, an error when only some are.

    Parts are taken exactly as they stand, because that is how the row they point at got its own key.
    """
    import ibis

    whole = ibis.and_(*(present(c) for c in columns))
    key = ibis.literal(f"{arguments.table}:") + joined(columns, "/")
    error = (any_present(columns) & ~whole).ifelse("incomplete_key", ibis.null("string"))
    return Outcome(whole.ifelse(key, ibis.null("string")), error)
