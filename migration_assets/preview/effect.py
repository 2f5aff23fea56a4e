"""What one cohort gets otherwise by one plan than by another: rows, access and bills of the target, by set.

Belongs here: what is compared, and what is summed. Not here: how rows are made, and how sums are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _

from migration_assets.domain.calendar import add_months
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.money import exponent_of
from migration_assets.domain.target import terms as new
from migration_assets.preview.side import Side
from migration_assets.stages.shadow.access_comparison import MONTHS, reaching
from migration_assets.stages.shadow.access_differences import access_differences
from migration_assets.stages.shadow.parity import bill_differences, differing, of
from migration_assets.stages.shadow.runs import totals
from migration_assets.stages.shadow.spans import Access
from migration_assets.stages.shadow.target.access import target_access
from migration_assets.stages.shadow.target.bills import target_bills
from migration_assets.stages.shadow.target.holding import canonical, held_rows
from migration_assets.stages.shadow.target.rows import MONTHS as INTERVALS
from migration_assets.stages.store import GLOBAL
from migration_assets.wiring.stage_names import TRANSFORMED

if TYPE_CHECKING:
    from datetime import datetime

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.runs import Bills

Row = dict[str, Any]
Rows = dict[str, "ir.Table"]


@dataclass(frozen=True)
class Effect:
    """`rows`: entity of the cohort, before, after (how many), changed (of the same key, told otherwise). `access`:
    feature, kind (loss, gain, change), customers, yearly (what those are billed before, by currency). `bills`:
    currency, contracts and bills that differ, more, less (minor units by which bills rise and fall), before, after
    (what all bills of the next twelve periods come to). `unbillable`: reason, before, after (how many contracts)."""

    rows: tuple[Row, ...]
    access: tuple[Row, ...]
    bills: tuple[Row, ...]
    unbillable: tuple[Row, ...]


@dataclass(frozen=True)
class _Held:
    """Canonical rows by entity that a side would load, and the bills that follow."""

    rows: Rows
    bills: Bills | None


def effect(engine: DuckDBEngine, before: Side, after: Side, cohort: str, as_of: datetime) -> Effect:
    """What `after` does to a cohort that `before` does not. Both sides have made it."""
    old, now = (_held(engine, side, cohort, as_of) for side in (before, after))
    worth = _worth(engine, old)
    return Effect(
        tuple(rows_apart(engine, *(_files(engine, side, TRANSFORMED, cohort) for side in (before, after)))),
        tuple(_access(engine, old.rows, now.rows, worth, as_of)),
        tuple(_bills(engine, old.bills, now.bills)),
        tuple(_unbillable(engine, old.bills, now.bills)),
    )


def _held(engine: DuckDBEngine, side: Side, cohort: str, as_of: datetime) -> _Held:
    plan = side.workspace.plan
    rows = {**_files(engine, side, ("reference_data",), GLOBAL), **_files(engine, side, TRANSFORMED, cohort)}
    if plan.billing is None or plan.billing.target is None:
        return _Held(rows, None)
    rules = new.Rules(**plan.billing.target.rules.model_dump())
    exponents = partial(exponent_of, overrides=plan.file.currency_exponents)
    return _Held(rows, target_bills(engine, held_rows(engine, plan, rows.get), rules, as_of, exponents))


def _files(engine: DuckDBEngine, side: Side, assets: Sequence[str], partition: str) -> Rows:
    folders = [side.workspace.store.folder(asset, partition) for asset in assets]
    return {
        f.stem: engine.read(f) for folder in folders for f in sorted(folder.glob("*.parquet")) if f.stem in ENTITIES
    }


# --- rows ----------------------------------------------------------------------------------------------------------


def of_nobody(engine: DuckDBEngine, before: Side, after: Side) -> tuple[Row, ...]:
    """`rows` of what belongs to no customer: catalog, geo rules, users."""
    return tuple(rows_apart(engine, *(_files(engine, side, ("reference_data",), GLOBAL) for side in (before, after))))


def rows_apart(engine: DuckDBEngine, old: Rows, now: Rows) -> list[Row]:
    """Every entity of either side: entity (key), before, after, changed."""
    found = []
    for entity in sorted(old.keys() | now.keys()):
        columns = [f.name for f in ENTITIES[entity].fields]
        was, here = (canonical(engine, entity, rows.get(entity)).select(*columns) for rows in (old, now))
        apart = was.difference(here, distinct=False).semi_join(here, ENTITIES[entity].key.name)
        counts = {"before": engine.count(was), "after": engine.count(here), "changed": engine.count(apart)}
        found.append({"entity": entity, **counts})
    return found


# --- access --------------------------------------------------------------------------------------------------------


def _access(engine: DuckDBEngine, old: Rows, now: Rows, worth: ir.Table, as_of: datetime) -> list[Row]:
    until = add_months(as_of, MONTHS)
    was, here = (engine.cached(_spans(engine, rows, as_of, until)) for rows in (old, now))
    nobody = was.select("customer_id", reason=ibis.null("string")).limit(0)
    before = Access(reaching(engine, was, here), engine.cached(nobody))
    apart = access_differences(engine, before, reaching(engine, here, was))
    each = apart.select("feature", "kind", "customer_id").distinct().left_join(worth, "customer_id")
    told = engine.cached(each.select("feature", "kind", "customer_id", "currency", "yearly_minor"))
    counted = told.group_by("feature", "kind").aggregate(customers=_.customer_id.nunique())
    sums = told.filter(_.currency.notnull()).group_by("feature", "kind", "currency").aggregate(m=_.yearly_minor.sum())
    yearly: dict[tuple[str, str], dict[str, int]] = {}
    for r in engine.arrow(sums.order_by(["feature", "kind", "currency"])).to_pylist():
        yearly.setdefault((r["feature"], r["kind"]), {})[r["currency"]] = int(r["m"])
    rows = engine.arrow(counted.order_by(["feature", "kind"])).to_pylist()
    return [{**r, "yearly": yearly.get((r["feature"], r["kind"]), {})} for r in rows]


def _spans(engine: DuckDBEngine, rows: Rows, since: datetime, until: datetime) -> ir.Table:
    granted, subscription = (canonical(engine, e, rows.get(e)) for e in ("entitlement", "subscription"))
    return target_access(engine, granted, subscription, since, until)


# --- bills ---------------------------------------------------------------------------------------------------------


def _worth(engine: DuckDBEngine, held: _Held) -> ir.Table:
    """customer_id, currency (key: both), yearly_minor: what the bills of a year come to."""
    subscription = canonical(engine, "subscription", held.rows.get("subscription"))
    own = subscription.select("subscription_id", "customer_id", "interval")
    if held.bills is None:
        none = own.select("customer_id", currency=ibis.null("string"), yearly_minor=ibis.null("int64"))
        return engine.cached(none.limit(0))
    each = totals(held.bills).join(own, "subscription_id")
    a_year = each["interval"].cases(*((name, 12 // months) for name, months in INTERVALS.items()), else_=0)
    told = each.mutate(year=(each["minor"] * a_year // ibis.greatest(each["bills"], 1)).cast("int64"))
    return engine.cached(told.group_by("customer_id", "currency").aggregate(yearly_minor=_.year.sum().cast("int64")))


def _bills(engine: DuckDBEngine, old: Bills | None, now: Bills | None) -> list[Row]:
    if old is None or now is None:
        return []
    few = differing(engine, old, now)
    apart = bill_differences(engine, of(old, few), of(now, few), [])
    more, less = ibis.greatest(_.difference_minor, 0), ibis.least(_.difference_minor, 0)
    changed = apart.group_by("currency").aggregate(
        contracts=_.subscription_id.nunique(), bills=_.count(), more=more.sum(), less=-less.sum()
    )
    sums = [totals(b).group_by("currency").aggregate(minor=_.minor.sum()) for b in (old, now)]
    before, after = ({r["currency"]: int(r["minor"]) for r in engine.arrow(s).to_pylist()} for s in sums)
    told = {r.pop("currency"): {c: int(n) for c, n in r.items()} for r in engine.arrow(changed).to_pylist()}
    none = dict.fromkeys(("contracts", "bills", "more", "less"), 0)
    return [
        {"currency": c, **told.get(c, none), "before": before.get(c, 0), "after": after.get(c, 0)}
        for c in sorted({*told, *before, *after})
    ]


def _unbillable(engine: DuckDBEngine, old: Bills | None, now: Bills | None) -> list[Row]:
    if old is None or now is None:
        return []
    counts = [b.unbillable.group_by("reason").aggregate(n=_.subscription_id.nunique()) for b in (old, now)]
    before, after = ({r["reason"]: int(r["n"]) for r in engine.arrow(c).to_pylist()} for c in counts)
    reasons = sorted(before.keys() | after.keys())
    told = [{"reason": r, "before": before.get(r, 0), "after": after.get(r, 0)} for r in reasons]
    return [t for t in told if t["before"] != t["after"]]
