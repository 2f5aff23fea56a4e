"""Where what customers may do changes between two accounts, of whole cohorts: the fast twin of `domain.access_parity`.

Spans that both sides have alike are left out at once; what remains is cut where either side changes, so that nothing is
sampled, and neighbouring pieces that differ in the same way are one difference (Z1, I15).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.spans import ANSWER, SPAN, SUBJECT, Access, joined

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_INSTANT = "timestamp('UTC', 6)"
_NEVER = ibis.literal(datetime(9999, 12, 31, tzinfo=UTC)).cast(_INSTANT)
_BEFORE, _AFTER = (tuple(f"{side}_{c}" for c in ANSWER) for side in ("before", "after"))


def access_differences(engine: DuckDBEngine, before: Access, after: ir.Table) -> ir.Table:
    """Every difference between what customers could do before and can do after, kept in the engine.

    customer_id, feature, region, starts_at (key: these four), ends_at (null: without end), both answers
    (before_allowed, before_limit_units, before_overage, after_allowed, after_limit_units, after_overage; `_allowed` is
    null where nothing is said), and kind: `loss`, `gain`, or `change` where neither is more. `after`: spans whose
    customers have the same ids. Who is unanswerable before is compared with nothing.
    """
    with engine.passing() as lasting:
        answerable = after.anti_join(before.unanswerable, "customer_id")
        sides = [t.select(*SPAN).mutate(ends_at=t["ends_at"].coalesce(_NEVER)) for t in (before.spans, answerable)]
        old, new = _unlike(engine, *sides)
        pieces = engine.cached(_pieces(engine, [old, new]))
        both = _beside(_beside(pieces, old, "before"), new, "after")
        found = joined(engine.cached(both.filter(_apart(both))), SUBJECT, (*_BEFORE, *_AFTER))
        ends = (found["ends_at"] == _NEVER).ifelse(ibis.null(_INSTANT), found["ends_at"])
        made = engine.cached(found.mutate(ends_at=ends, kind=_kind(found)))
        lasting.append(made)
    return made


def _unlike(engine: DuckDBEngine, old: ir.Table, new: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Spans of each side that the other does not have in all alike, from one look at both."""
    key = (*SUBJECT, "starts_at")
    both = old.outer_join(new, key, lname="old_{name}", rname="new_{name}")
    same = ibis.and_(*(both[f"old_{c}"].identical_to(both[f"new_{c}"]) for c in SPAN))
    apart = engine.cached(both.filter(~same))
    sides = (apart.filter(apart[f"{side}_customer_id"].notnull()) for side in ("old", "new"))
    first, second = (
        t.select(**{c: t[f"{side}_{c}"] for c in SPAN}) for t, side in zip(sides, ("old", "new"), strict=True)
    )
    return first, second


def _pieces(engine: DuckDBEngine, sides: list[ir.Table]) -> ir.Table:
    """Times between two instants at which either side changes: the subject, starts_at, ends_at."""
    edges = engine.union([t.select(*SUBJECT, starts_at=edge) for t in sides for edge in ("starts_at", "ends_at")])
    edges = edges.distinct()
    next_one = edges["starts_at"].lead().over(ibis.window(group_by=list(SUBJECT), order_by="starts_at"))
    cut = edges.mutate(ends_at=next_one)
    return cut.filter(cut["ends_at"].notnull())


def _beside(pieces: ir.Table, spans: ir.Table, side: str) -> ir.Table:
    """Pieces with the answer of the span they lie in, if there is one."""
    own = {f"_{c}": spans[c] for c in (*SUBJECT, "starts_at", "ends_at")}
    told = spans.select(**own, **{f"{side}_{c}": spans[c] for c in ANSWER})
    lies = [pieces[c] == told[f"_{c}"] for c in SUBJECT]
    lies += [told["_starts_at"] <= pieces["starts_at"], pieces["starts_at"] < told["_ends_at"]]
    return pieces.left_join(told, lies).drop(*own)


def _apart(both: ir.Table) -> ir.BooleanValue:
    """Whether the answers differ; where all or nothing is allowed on both sides, nobody gets past a limit."""
    allowed, limit, overage = (both[b].identical_to(both[a]) for b, a in zip(_BEFORE, _AFTER, strict=True))
    limited = (both["before_allowed"] & both["before_limit_units"].notnull()).fill_null(False)
    return ~(allowed & limit & (overage | ~limited))


def _kind(found: ir.Table) -> ir.StringValue:
    """Which answer is more: no limit than any, a higher limit than a lower one, any than nothing."""
    was, now = found["before_allowed"].fill_null(False), found["after_allowed"].fill_null(False)
    old, new = found["before_limit_units"], found["after_limit_units"]
    both = was & now
    less = (was & ~now) | (both & new.notnull() & (old.isnull() | (old > new)))
    more = (now & ~was) | (both & old.notnull() & (new.isnull() | (new > old)))
    return ibis.cases((less.fill_null(False), "loss"), (more.fill_null(False), "gain"), else_="change")
