"""What the old system has counted in periods that it has not billed yet, and how much of it is included (I11, I13).

Included is what the contract's own items grant on the first day of the period, added up, or what an override says that
holds for the customer that day. Where nothing grants a feature that is metered, all of it is billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.engine.calendar import midnights
from migration_assets.stages.shadow.legacy.contracts import Records, readable, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyFeature

_COUNTER = ("contract_id", "item_id", "period_first_day")
_EXACT = "decimal(38, 10)"


def metered(engine: DuckDBEngine, records: Records, features: Mapping[str, LegacyFeature]) -> ir.Table:
    """Usage by the item that bills it: contract_id, item_id, period_first_day (key: all three), used, included (null:
    without limit), overage. `records`: translated, so that features and units are those of the target."""
    counted = engine.cached(_counters(engine, records, features))
    granted = engine.cached(_granted(engine, records, counted))
    overridden = engine.cached(_overridden(engine, records, counted))
    told = counted.left_join(granted, _COUNTER).left_join(overridden, _COUNTER)
    by_override = told["override_id"].notnull()
    # Without any grant nothing is included, and nothing else is said about what is past it.
    nothing = told["policy"].isnull()
    included = nothing.ifelse(ibis.literal(0).cast(_EXACT), told["granted"])
    return engine.cached(
        told.select(
            *_COUNTER,
            "used",
            included=by_override.ifelse(told["override_limit"], included),
            overage=told["policy"].fill_null(by_override.ifelse("block", "bill")),
        )
    )


def _counters(engine: DuckDBEngine, records: Records, features: Mapping[str, LegacyFeature]) -> ir.Table:
    """Usage with the item that bills it, whose contract it is, and where it serves."""
    meters = [(product, f.feature) for f in features.values() for product in f.metered_by]
    columns = [pa.array([m[i] for m in meters], pa.string()) for i in (0, 1)]
    known = engine.table(pa.table(columns, names=["product", "feature"]))
    items, usage = (readable(record(engine, records, name)) for name in ("items", "usage"))
    billing = items.filter(items["kind"] == "usage").join(known, "product").select("contract_id", "item_id", "feature")
    contracts = records["contracts"].select("contract_id", "customer", "country", "zone")
    counted = usage.group_by("contract_id", "feature", "first_day").aggregate(used=usage["used"].sum())
    told = counted.join(billing, ["contract_id", "feature"]).join(contracts, "contract_id")
    return told.select(
        "contract_id", "item_id", "feature", "customer", "country", "zone", period_first_day="first_day",
        used=told["used"].cast(_EXACT),
    )  # fmt: skip


def _granted(engine: DuckDBEngine, records: Records, counted: ir.Table) -> ir.Table:
    """What the contract's items grant of a counter's feature on its first day: its key, granted, policy.

    Where they contradict each other the add-on speaks, and between equals the one that allows.
    """
    grants, items = (readable(record(engine, records, name)) for name in ("grants", "items"))
    owned = items.select("contract_id", "product", "kind", "quantity", came="first_day", left="last_day", own="item_id")
    limits = grants.select("product", "feature", "limit", "for_each_unit", "overage")
    held = counted.join(owned, "contract_id").join(limits, ["product", "feature"])
    day = held["period_first_day"]
    held = held.filter((held["came"] <= day).fill_null(True) & (day <= held["left"]).fill_null(True))
    times = held["for_each_unit"].fill_null(False).ifelse(held["quantity"], 1)
    held = held.mutate(limit=(held["limit"] * times).cast(_EXACT), allows=(held["limit"] != 0).fill_null(True))
    beside = ibis.window(group_by=_COUNTER)
    rank = (held["kind"] != "base").cast("int64") * 2 + held["allows"].cast("int64")
    winner = held.mutate(speaks=held["allows"].argmax(rank).over(beside))
    standing = winner.filter(winner["allows"] == winner["speaks"])
    order = (standing["kind"] != "base").ifelse("1", "0") + standing["own"]
    summed = standing.group_by(_COUNTER).aggregate(
        total=standing["limit"].sum(),
        without_limit=standing["limit"].isnull().any(),
        policy=standing["overage"].argmin(order),
    )
    limit = summed["without_limit"].ifelse(ibis.null(_EXACT), summed["total"].cast(_EXACT))
    return summed.select(*_COUNTER, "policy", granted=limit)


def _overridden(engine: DuckDBEngine, records: Records, counted: ir.Table) -> ir.Table:
    """The override that speaks for a counter's feature where the contract serves, as its period begins: its key,
    override_id, override_limit. One for the country before one for everywhere, the later before the earlier."""
    overrides = readable(record(engine, records, "overrides"))
    mine = overrides.select(
        "customer", "feature", "override_id", place="country", override_limit="limit", there="zone",
        since="first_day", until="last_day",
    )  # fmt: skip
    met = counted.join(mine, ["customer", "feature"])
    met = met.filter(met["place"].isnull() | (met["place"] == met["country"]))
    after = (met["until"] + ibis.interval(days=1)).cast("date")
    met = engine.cached(met.mutate(after=after))
    days = [met.select(zone="zone", day="period_first_day"), met.select(zone="there", day="since")]
    days.append(met.filter(met["after"].notnull()).select(zone="there", day="after"))
    instants = midnights(engine, engine.union(days))
    begins = instants.select(zone="zone", period_first_day="day", begins_at="instant")
    starts = instants.select(there="zone", since="day", starts_at="instant")
    ends = instants.select(there="zone", after="day", ends_at="instant")
    met = met.join(begins, ["zone", "period_first_day"]).join(starts, ["there", "since"])
    met = met.left_join(ends, ["there", "after"])
    held = met.filter((met["starts_at"] <= met["begins_at"]) & (met["begins_at"] < met["ends_at"]).fill_null(True))
    order = [held["place"].notnull().desc(), held["starts_at"].desc(), held["override_id"].desc()]
    first = held.mutate(place_in_line=ibis.row_number().over(ibis.window(group_by=_COUNTER, order_by=order)))
    return first.filter(first["place_in_line"] == 0).select(*_COUNTER, "override_id", "override_limit")
