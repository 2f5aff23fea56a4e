"""What a merge by machine has to mind of each customer row: who was billed, who subscribes to what, whose number is
verified. Read from the golden copy, for the rows that are asked about only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.stakes import RUNNING
from migration_assets.stages.identities.decide import Known
from migration_assets.stages.identities.theirs import rows_of
from migration_assets.stages.owners import Owners

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.feeds import Mapping as Feeds

# Tables accounted for by these entities show that somebody was billed.
_BILLED = ("invoice", "payment")


@dataclass(frozen=True)
class FactRows:
    """Facts as rows. `billed`: customer_id. `plans`: customer_id, plan_code. `tax_ids`: customer_id, country,
    tax_number. Each row once; only customers that were asked about. `loaded`: customer_id -> id in the target of those
    that are there already."""

    billed: ir.Table
    plans: ir.Table
    tax_ids: ir.Table
    loaded: Mapping[str, str] = field(default_factory=dict)


def facts_of(
    feeds: Feeds,
    registrations: ir.Table | None,
    asked: ir.Table,
    ids_of: Callable[[Iterable[str]], Mapping[str, str]] = lambda _: {},
) -> FactRows:
    """Facts of the customer rows in `asked` (customer_id). `registrations`: tax registrations in standard form;
    `ids_of`: gives the target's ids of canonical keys."""
    engine = feeds.engine
    asked = engine.cached(asked.select("customer_id").distinct())
    return FactRows(
        billed=engine.cached(_billed(feeds, asked)),
        plans=engine.cached(_plans(feeds, asked)),
        tax_ids=engine.cached(verified(engine, registrations, asked)),
        loaded=ids_of(engine.arrow(asked)["customer_id"].to_pylist()),
    )


def known_of(engine: DuckDBEngine, facts: FactRows) -> dict[str, Known]:
    """What the facts say of each customer row; rows of which they say nothing are left out."""
    billed = {key for (key,) in listed(engine, facts.billed, "customer_id")}
    plans: dict[str, set[str]] = {}
    for key, plan in listed(engine, facts.plans, "customer_id", "plan_code"):
        plans.setdefault(key, set()).add(plan)
    tax_ids: dict[str, dict[str, frozenset[str]]] = {}
    for key, country, number in listed(engine, facts.tax_ids, "customer_id", "country", "tax_number"):
        held = tax_ids.setdefault(key, {})
        held[country] = held.get(country, frozenset()) | {number}
    return {
        key: Known(key in billed, frozenset(plans.get(key, ())), tax_ids.get(key, {}))
        for key in {*billed, *plans, *tax_ids}
    }


def listed(engine: DuckDBEngine, rows: ir.Table, *columns: str) -> list[Any]:
    """These columns of the rows, a tuple for each row, in order."""
    table = engine.arrow(rows.select(*columns).order_by(list(columns)))
    return list(zip(*(table[c].to_pylist() for c in columns), strict=True))


def _billed(feeds: Feeds, asked: ir.Table) -> ir.Table:
    """Whoever an invoice or a payment leads to: as its debtor, as the payer, as the customer of the contract."""
    owners, parts = Owners(feeds.engine, feeds.plan, feeds.raw), []
    for table in (t for t, d in feeds.plan.source_tables.items() if d.home in _BILLED):
        named = owners.named_together(table)
        ways = named if named is not None else owners.of_rows(table).select("_customer")
        parts += [ways.select(customer_id=column) for column in ways.columns]
    return _none(feeds.engine) if not parts else feeds.engine.union(parts).semi_join(asked, "customer_id").distinct()


def _plans(feeds: Feeds, asked: ir.Table) -> ir.Table:
    """Plans of subscriptions that give access. Only the rows of those asked about are mapped."""
    rows = rows_of(feeds, "subscription", asked)
    if rows is None:
        return _none(feeds.engine, "plan_code")
    active = rows.filter(rows["status"].isin(RUNNING) & rows["plan_code"].notnull())
    return active.select(customer_id="owned_by", plan_code="plan_code").distinct()


def verified(engine: DuckDBEngine, registrations: ir.Table | None, asked: ir.Table) -> ir.Table:
    """Verified tax numbers of the customer rows in `asked`: customer_id, country, tax_number, each once."""
    if registrations is None:
        return _none(engine, "country", "tax_number")
    sure = registrations.filter(registrations["verified"].fill_null(False))
    return sure.select("customer_id", "country", "tax_number").semi_join(asked, "customer_id").distinct()


def _none(engine: DuckDBEngine, *columns: str) -> ir.Table:
    return engine.table(ibis.schema(dict.fromkeys(("customer_id", *columns), "string")).to_pyarrow().empty_table())
