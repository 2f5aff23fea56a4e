"""Where two series of bills are not the same, of whole cohorts at once.

Runs of both sides are cut where either begins or ends, so that each piece is one bill and how often it comes; only
contracts with a piece that differs are looked at cycle by cycle. Lines that come to nothing do not count. Money is
always compared as money; that two pieces have the same lines is told by their number, their sums and a digest of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING

import ibis
from ibis import _

from migration_assets.domain.bill import LINE_KINDS
from migration_assets.domain.bill_parity import REJECTED, UNEXPLAINED
from migration_assets.stages.shadow.runs import Bills, expanded

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_SAME = ("n", "amount_minor", "tax_minor", "digest")
_PART = ("item_id", "starts_at", "ends_at", "amount_minor", "tax_minor")


def differing(engine: DuckDBEngine, legacy: Bills, target: Bills) -> ir.Table:
    """subscription_id of those whose bills are not all the same, or that only one side bills; key, kept."""
    old, new = (_printed(engine, side) for side in (legacy, target))
    cuts = engine.union([t.select("subscription_id", at=c) for t in (old, new) for c in ("from_cycle", "until_cycle")])
    plain = engine.cached(_whole_runs(old, new))
    cut = engine.cached(cuts.anti_join(plain, "subscription_id").distinct())
    pieces = cut.mutate(until=cut["at"].lead().over(ibis.window(group_by="subscription_id", order_by="at")))
    pieces = pieces.filter(pieces["until"].notnull()).select("subscription_id", at="at", until_at="until")
    met = _beside(_beside(pieces, old, "old_"), new, "new_")
    apart = met.filter(_unlike(met)).select("subscription_id")
    found = engine.union([plain.filter(_unlike(plain)).select("subscription_id"), apart])
    shifted = _shifted(
        engine,
        legacy,
        target,
        engine.union([_spans(plain, "from_cycle", "until_cycle"), _spans(met, "at", "until_at")]),
    )
    return engine.cached(engine.union([found, shifted]).distinct())


def _printed(engine: DuckDBEngine, bills: Bills) -> ir.Table:
    """Runs with what their lines come to: number, sums, and a digest that does not depend on the order of lines."""
    lines = bills.lines.filter(_charging(bills.lines))
    told = lines.mutate(digest=ibis.struct({c: lines[c] for c in ("kind", *_PART)}).hash())
    each = told.group_by("subscription_id", "from_cycle").aggregate(
        n=_.count(),
        amount_minor=_.amount_minor.sum(),
        tax_minor=_.tax_minor.sum(),
        digest=_.digest.cast("decimal(38, 0)").sum(),
    )
    runs = bills.runs.left_join(each, ["subscription_id", "from_cycle"])
    return engine.cached(
        runs.select(
            "subscription_id",
            "currency",
            "schedule_id",
            "from_cycle",
            "until_cycle",
            **{c: runs[c].fill_null(0) for c in _SAME},
        )
    )


def _whole_runs(old: ir.Table, new: ir.Table) -> ir.Table:
    """Subscriptions that both sides bill in one run of the same cycles, with both: most of them."""
    key = ("subscription_id", "from_cycle", "until_cycle")
    alone = [t.group_by("subscription_id").having(_.count() == 1).aggregate() for t in (old, new)]
    first = old.semi_join(alone[0], "subscription_id")
    second = new.semi_join(alone[1], "subscription_id")
    told = [c for c in old.columns if c not in key]
    return first.rename(**{f"old_{c}": c for c in told}).join(second.rename(**{f"new_{c}": c for c in told}), key)


def _beside(pieces: ir.Table, runs: ir.Table, prefix: str) -> ir.Table:
    """Pieces with the run they lie in, if there is one."""
    told = [c for c in runs.columns if c not in ("subscription_id", "from_cycle", "until_cycle")]
    mine = runs.select("from_cycle", "until_cycle", own="subscription_id", **{prefix + c: runs[c] for c in told})
    lies = [
        pieces["subscription_id"] == mine["own"],
        mine["from_cycle"] <= pieces["at"],
        pieces["at"] < mine["until_cycle"],
    ]
    return pieces.left_join(mine, lies).drop("own", "from_cycle", "until_cycle")


def _unlike(met: ir.Table) -> ir.BooleanValue:
    same = ibis.and_(*(met[f"old_{c}"] == met[f"new_{c}"] for c in ("currency", *_SAME)))
    neither = met["old_currency"].isnull() & met["new_currency"].isnull()
    return ~(same.fill_null(False) | neither)


def _spans(pieces: ir.Table, first: str, until: str) -> ir.Table:
    return pieces.select(
        "subscription_id", "old_schedule_id", "new_schedule_id", first=pieces[first], until=pieces[until]
    )


def _shifted(engine: DuckDBEngine, legacy: Bills, target: Bills, pieces: ir.Table) -> ir.Table:
    """Subscriptions with a cycle that does not begin and end at the same instants on both sides.

    Many share a schedule, so that cycles are compared once for each pair of schedules.
    """
    pieces = engine.cached(pieces.filter(pieces["old_schedule_id"].notnull() & pieces["new_schedule_id"].notnull()))
    pairs = pieces.select("old_schedule_id", "new_schedule_id").distinct()
    old = legacy.schedules.select("cycle", old_schedule_id="schedule_id", old_starts="starts_at", old_ends="ends_at")
    new = target.schedules.select("cycle", new_schedule_id="schedule_id", new_starts="starts_at", new_ends="ends_at")
    both = pairs.join(old, "old_schedule_id").join(new, ["new_schedule_id", "cycle"])
    moved = both.filter((both["old_starts"] != both["new_starts"]) | (both["old_ends"] != both["new_ends"]))
    moved = engine.cached(moved.select("old_schedule_id", "new_schedule_id", "cycle"))
    met = pieces.join(moved, ["old_schedule_id", "new_schedule_id"])
    return met.filter((met["first"] <= met["cycle"]) & (met["cycle"] < met["until"])).select("subscription_id")


def of(bills: Bills, subscriptions: ir.Table) -> Bills:
    """The bills of some subscriptions."""
    own = "subscription_id"
    return Bills(
        bills.schedules, bills.runs.semi_join(subscriptions, own), bills.lines.semi_join(subscriptions, own),
        bills.unbillable.semi_join(subscriptions, own),
    )  # fmt: skip


def by_bill(bills: Bills) -> ir.Table:
    """One row for each bill, one without lines too; for few subscriptions. subscription_id, cycle (key: both),
    currency, starts_at, ends_at, total_minor, and for each kind of line the digest of its lines, absent where there is
    none."""
    lines = expanded(bills.schedules, bills.runs, bills.lines.filter(_charging(bills.lines)))
    digest = ibis.struct({c: lines[c] for c in _PART}).hash().cast("decimal(38, 0)")
    told = lines.mutate(digest=digest, total=lines["amount_minor"] + lines["tax_minor"])
    each = told.group_by("subscription_id", "cycle").aggregate(
        total_minor=_.total.sum(), **{kind: _.digest.sum(where=_.kind == kind) for kind in LINE_KINDS}
    )
    cycles = bills.runs.join(bills.schedules, "schedule_id")
    cycles = cycles.filter((cycles["from_cycle"] <= cycles["cycle"]) & (cycles["cycle"] < cycles["until_cycle"]))
    every = cycles.select("subscription_id", "cycle", "currency", "starts_at", "ends_at")
    found = every.left_join(each, ["subscription_id", "cycle"])
    return found.select(*every.columns, *LINE_KINDS, total_minor=found["total_minor"].fill_null(0).cast("int64"))


def bill_differences(
    engine: DuckDBEngine,
    legacy: Bills,
    target: Bills,
    steps: Sequence[tuple[str, Bills]],
    without_rejected: Bills | None = None,
) -> ir.Table:
    """Every bill that differs, by cause: subscription_id, cycle, cause (key: all three), currency, starts_at (of the
    cycle), difference_minor (target less legacy), line_kinds (text; none and no money where only dates or currency
    differ), billed_by (both, legacy, target).

    `steps`: the target's bills with one more rule exchanged each time, named by the rule, in order. What they add up to
    is the whole difference; what is left after the last one is unexplained. `without_rejected`: the old
    system's bills without rows that were rejected, where any was; what they lack is due to that.
    """
    left = [] if without_rejected is None else [(REJECTED, without_rejected)]
    names = [*(name for name, _ in steps), UNEXPLAINED, *(name for name, _ in left)]
    every = (target, *(b for _, b in steps), *(b for _, b in left), legacy)
    series = [engine.cached(by_bill(bills)) for bills in every]
    parts = [_between(name, after, before) for name, (after, before) in zip(names, pairwise(series), strict=True)]
    found = engine.union(parts)
    sides = engine.cached(_sides(series[-1], series[0]))
    return engine.cached(found.join(sides, ["subscription_id", "cycle"]))


def _charging(lines: ir.Table) -> ir.BooleanValue:
    return (lines["amount_minor"] != 0) | (lines["tax_minor"] != 0)


def _sides(old: ir.Table, new: ir.Table) -> ir.Table:
    key = ("subscription_id", "cycle")
    each = old.select(*key, side=ibis.literal(1)).union(new.select(*key, side=ibis.literal(2)))
    told = each.group_by(key).aggregate(sides=_.side.sum())
    return told.select(*key, billed_by=told["sides"].cases((1, "legacy"), (2, "target"), else_="both"))


def _between(cause: str, after: ir.Table, before: ir.Table) -> ir.Table:
    """What one exchange changes."""
    key = ("subscription_id", "cycle")
    both = after.outer_join(before, key, lname="new_{name}", rname="old_{name}")
    changed = {k: ~both[f"new_{k}"].identical_to(both[f"old_{k}"]) for k in LINE_KINDS}
    moved = ibis.or_(*(~both[f"new_{c}"].identical_to(both[f"old_{c}"]) for c in ("currency", "starts_at", "ends_at")))
    apart = both.filter(ibis.or_(moved, *changed.values()))
    kinds = [changed[k].ifelse(ibis.literal(f"{k} "), ibis.literal("")) for k in LINE_KINDS]
    return apart.select(
        **{c: ibis.coalesce(apart[f"new_{c}"], apart[f"old_{c}"]) for c in (*key, "currency", "starts_at")},
        cause=ibis.literal(cause),
        difference_minor=apart["new_total_minor"].fill_null(0) - apart["old_total_minor"].fill_null(0),
        line_kinds=reduce(lambda a, b: a + b, kinds).strip(),
    )
