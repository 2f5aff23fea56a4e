"""What the old system lets customers do, of whole cohorts: the fast twin of `domain.legacy.access`.

It shares no code with the readable rules and is tested against them row for row. Of most customers and features nothing
has to be weighed, and one pass over all grants answers; only the others are cut where anything of them starts or ends.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.calendar import is_zone
from migration_assets.engine.calendar import midnights
from migration_assets.stages.shadow.legacy.answers import answered
from migration_assets.stages.shadow.legacy.contracts import Records, record
from migration_assets.stages.shadow.legacy.days import Window, day_after, placed
from migration_assets.stages.shadow.legacy.plain import plain
from migration_assets.stages.shadow.legacy.service import NO_PRODUCT, stretches
from migration_assets.stages.shadow.legacy.unknown import about_features, read, unanswerable, unread
from migration_assets.stages.shadow.spans import ANYWHERE, LIMIT, SPAN, SUBJECT, Access

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# Overrides that are older are told apart by their day alone: what clocks showed then is not known everywhere.
_OLDEST = date(1901, 1, 1)


def legacy_access(engine: DuckDBEngine, records: Records, since: datetime, until: datetime) -> Access:
    """All that customers may do from `since` up to, not including, `until`, which are aware.

    `records` as `read_records` gives them, with features and limits in the target's words and units, and customers
    under the ids by which they are compared: what two of them may do who are one in the target adds up. Rows of a
    feature without a name (null) are left out, as it is not compared. A customer is unanswerable for one reason:
    `unreadable`, `unknown_zone`, `inverted_days`, `negative` (quantity or limit), `unknown_plan` (that a change leads
    to), `unreadable_grant` (of a product they have).
    """
    window = Window(since.astimezone(UTC), until.astimezone(UTC))
    with engine.passing() as lasting:
        zones = _zones(engine, records)
        instants = window.instants(engine, zones)
        lost = engine.cached(unanswerable(engine, records, zones, window))
        contracts = _of_known(_named(read(engine, records, "contracts")), lost)
        granting, unread_products = _granting(engine, records)
        products = {*_values(engine, granting, "product"), *_values(engine, unread_products, "product")}
        spells = stretches(engine, records, contracts, products, window, instants)
        lost = engine.cached(_reasons(engine.union([lost, *_later(spells, unread_products)])))
        overrides = _of_known(_named(about_features(read(engine, records, "overrides"))), lost)
        granted = _granted(_of_known(spells, lost), granting)
        excepted = contracts.semi_join(overrides, "customer_id")
        halted = stretches(engine, records, excepted, products, window, instants, halted=True)
        amended = _granted(_of_known(halted, lost), granting)
        elsewhere = _elsewhere(engine, [contracts, overrides])
        ranked = _ranked(engine, overrides, window, instants)
        each, weighed = _spans(engine, granted, ranked, amended, elsewhere)
        lasting += [each, weighed, lost]
    return Access(engine.union([each.filter(each["settled"]).drop("settled"), weighed]), lost)


def _spans(
    engine: DuckDBEngine, granted: ir.Table, overrides: ir.Table, amended: ir.Table, elsewhere: ir.Table
) -> list[ir.Table]:
    """Plain answers, with settled, and those that had to be put together; both kept in the engine.

    `granted`: all that items grant; `overrides`: with their rank; `amended`: what items of customers with overrides
    grant while nothing is halted; `elsewhere`: regions that what holds anywhere reaches.
    """
    told = plain(granted)
    by_override = overrides.select("customer_id", "feature", overridden=ibis.literal(True)).distinct()
    spread = elsewhere.select("customer_id", spread=ibis.literal(True)).distinct()
    told = told.left_join(by_override, ["customer_id", "feature"]).drop("customer_id_right", "feature_right")
    told = told.left_join(spread, "customer_id").drop("customer_id_right")
    alone = told["settled"] & told["overridden"].isnull() & told["spread"].isnull()
    each = engine.cached(told.mutate(settled=alone).select(*SPAN, "settled"))
    disputed = engine.cached(each.filter(~each["settled"]).select(*SUBJECT))
    weighed = engine.cached(_placed(granted.semi_join(disputed, SUBJECT)))
    reaching = _reached(engine, overrides, elsewhere)
    told = _reached(engine, weighed, elsewhere)
    answers = answered(engine, told, reaching, _beside(_placed(amended), reaching))
    return [each, engine.cached(answers)]


def _placed(granted: ir.Table) -> ir.Table:
    """Grants in the order in which contracts and items have them."""
    order = ibis.window(order_by=["contract_id", "item_id", "overage"])
    return granted.mutate(place=ibis.row_number().over(order))


def _beside(granted: ir.Table, overrides: ir.Table) -> ir.Table:
    """What is granted of a feature, beside each subject that an override is about; `here`: whether it reaches it."""
    subjects = overrides.select(*SUBJECT).distinct()
    met = granted.rename(granted_in="region").join(subjects, ["customer_id", "feature"])
    here = (met["granted_in"] == met["region"]) | (met["granted_in"] == ANYWHERE)
    return met.select(*granted.columns, here=here)


def _reached(engine: DuckDBEngine, rows: ir.Table, elsewhere: ir.Table) -> ir.Table:
    """Rows in each region that they reach: what holds anywhere holds wherever else something is said of a customer."""
    spread = rows.filter(rows["region"] == ANYWHERE).drop("region").join(elsewhere, "customer_id")
    return engine.union([rows, spread.select(*rows.columns)])


def _elsewhere(engine: DuckDBEngine, rows: list[ir.Table]) -> ir.Table:
    """Regions of customers of whom something is said for anywhere, too: customer_id, region; kept in the engine."""
    regions = engine.union([t.select("customer_id", "region") for t in rows])
    anywhere = regions.filter(regions["region"] == ANYWHERE)
    named = regions.filter(regions["region"] != ANYWHERE)
    return engine.cached(named.semi_join(anywhere, "customer_id").distinct())


def _granting(engine: DuckDBEngine, records: Records) -> tuple[ir.Table, ir.Table]:
    """What products grant of features that are compared; and the products of grants that cannot be read (null: nobody
    can say of which): product. Both kept in the engine."""
    every = about_features(record(engine, records, "grants"))
    lost = unread(every, "grants") | (every["limit"] < 0).fill_null(False)
    known = every.filter(~lost).mutate(for_each_unit=every["for_each_unit"].fill_null(False))
    known = known.select("product", "feature", "limit", "overage", "for_each_unit")
    return engine.cached(known), engine.cached(every.filter(lost).select("product").distinct())


def _granted(spells: ir.Table, granting: ir.Table) -> ir.Table:
    met = spells.join(granting, "product")
    return met.select(
        *SUBJECT,
        "contract_id",
        "item_id",
        "add_on",
        "overage",
        "starts_at",
        "ends_at",
        limit=met["for_each_unit"].ifelse((met["limit"] * met["quantity"]).cast(LIMIT), met["limit"].cast(LIMIT)),
    )


def _named(rows: ir.Table) -> ir.Table:
    """Rows under the names that spans have for whose they are and where they hold."""
    return rows.mutate(customer_id=rows["customer"], region=rows["country"].coalesce(ibis.literal(ANYWHERE)))


def _ranked(engine: DuckDBEngine, overrides: ir.Table, window: Window, instants: ir.Table) -> ir.Table:
    """Overrides of the window, each with its rank: one for a country before any for everywhere, then by when they begin
    and by id. Kept in the engine: the subject's columns, rank, everywhere, limit, starts_at, ends_at."""
    dated = overrides.mutate(
        from_day=window.begins(overrides["first_day"]),
        until_day=window.ends(day_after(overrides["last_day"])),
        told_in=overrides["zone"],
        begun_on=ibis.greatest(overrides["first_day"], ibis.literal(_OLDEST)),
    )
    met = engine.cached(placed(dated, instants))
    began = midnights(engine, met.select(zone="told_in", day="begun_on"))
    met = met.join(began, [met["told_in"] == began["zone"], met["begun_on"] == began["day"]])
    order = [met["region"] != ANYWHERE, met["instant"], met["first_day"], met["override_id"]]
    rank = ibis.row_number().over(ibis.window(order_by=order))
    everywhere = met["region"] == ANYWHERE
    limit = met["limit"].cast(LIMIT)
    return engine.cached(met.select(*SUBJECT, "starts_at", "ends_at", rank=rank, everywhere=everywhere, limit=limit))


def _later(spells: ir.Table, unread_products: ir.Table) -> list[ir.Table]:
    """Customers whose contracts lead to what is not known, and a row for grants of nobody can say which product."""
    unknown = spells.filter(spells["product"] == NO_PRODUCT).select("customer_id")
    unread_grants = spells.semi_join(unread_products, "product").select("customer_id")
    of_any = unread_products.filter(unread_products["product"].isnull()).select(customer_id="product")
    reasons = ((unknown, "unknown_plan"), (unread_grants, "unreadable_grant"), (of_any, "unreadable_grant"))
    return [rows.mutate(reason=ibis.literal(reason)) for rows, reason in reasons]


def _reasons(found: ir.Table) -> ir.Table:
    return found.group_by("customer_id").aggregate(reason=found["reason"].min())


def _of_known(rows: ir.Table, lost: ir.Table) -> ir.Table:
    return rows.anti_join(lost, "customer_id")


def _zones(engine: DuckDBEngine, records: Records) -> list[str]:
    """Zones that days are told in and that are known."""
    told = [record(engine, records, kind).select("zone") for kind in ("contracts", "overrides")]
    return [zone for zone in _values(engine, engine.union(told), "zone") if is_zone(zone)]


def _values(engine: DuckDBEngine, rows: ir.Table, column: str) -> list[Any]:
    found = engine.arrow(rows.filter(rows[column].notnull()).select(column).distinct())
    return sorted(found.column(0).to_pylist())
