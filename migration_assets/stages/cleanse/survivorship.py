"""One row for each identity: whose value each field gets, by the rules of the plan (`identity.survivorship`).

A field without a rule gets the first present value in the plan's order of systems. What no row has stays empty. Fields
that belong together come from one row (`domain.canonical.TOGETHER`). An erased row takes the personal values of the
whole identity along, whatever the rule: nothing another system still holds may bring them back (I22).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.canonical import DISPOSITIONS
from migration_assets.stages.cleanse.contests import Contest, contests_of
from migration_assets.stages.cleanse.decisions import Chosen
from migration_assets.stages.cleanse.members import Members, Row, members_of
from migration_assets.stages.cleanse.provenance import account, conflicts_of, keys_of, sources_of
from migration_assets.stages.cleanse.ranking import giver_of, order_after, order_of, ranked, takes_part
from migration_assets.stages.identities.resolve import ERASED

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import Identity

_CUSTOMER = ENTITIES["customer"]
_PROVENANCE = ("source_system", "source_table", "source_id", "source_row")
NOBODY = Chosen()


@dataclass(frozen=True)
class Survived:
    """`rows`: canonical customers, one for each identity with at least one valid row; key: customer_id (the identity).
    `sources` (provenance.SOURCES) and `conflicts` (provenance.CONFLICTS): where values came from, what is undecided."""

    rows: ir.Table
    sources: ir.Table
    conflicts: ir.Table


def erased_identities(rows: ir.Table, identities: ir.Table) -> ir.Table:
    """Table with one column `identity_id`: the identities with an erased member, or with one that shares the fate of an
    erased row (`fate`), each once.

    `rows` are all standardized rows: a member that is rejected later was erased all the same.
    """
    known = rows.inner_join(identities.select("customer_id", "identity_id", "fate"), "customer_id")
    return known.filter((known["status"] == "erased") | (known["fate"] == ERASED)).select("identity_id").distinct()


def survivors(
    engine: DuckDBEngine,
    rows: ir.Table,
    identities: ir.Table,
    identity: Identity,
    erased: ir.Table,
    chosen: Chosen = NOBODY,
) -> Survived:
    """Bring valid customer rows together; `rows` are read several times. `erased`: the identities with an erased
    member, from `erased_identities`; `chosen`: what persons decided about these rows."""
    contests = contests_of(identity.survivorship)
    known = _marked(ranked(rows, identities, identity.priority), erased)
    placed = engine.cached(_placed(known, contests, chosen))
    decided = (_decided(engine, members, contests, chosen) for members in members_of(engine, rows, placed))
    several = engine.cached(engine.union(decided))
    alone = rows.inner_join(_of_one(placed), "customer_id")
    columns = ["identity_id", *(c for c in rows.columns if c != "customer_id"), "_erased"]
    single = engine.union([alone.select(*columns), several.select(*columns)])
    return Survived(
        rows=_without_erased_values(single).rename(customer_id="identity_id").select(*rows.columns),
        sources=sources_of(several, contests),
        conflicts=conflicts_of(engine, several, contests, chosen),
    )


def merged(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...]) -> ir.Table:
    """Claims (DISPOSITIONS) for every customer row that went into another one, with the key it went into."""
    known = ranked(rows, identities, priority)
    others = known.filter(known["_rank"] > 0)
    return others.select(
        "source_system",
        "source_table",
        "source_row",
        "source_id",
        disposition=ibis.literal("merged"),
        rule=others["_rule"],
        reason=ibis.literal("same customer as another row"),
        into_key=others["identity_id"],
    ).cast(DISPOSITIONS)


def _placed(rows: ir.Table, contests: Sequence[Contest], chosen: Chosen) -> ir.Table:
    """Which identity each row is of and how many rows that has, its rank there, and its place in every order that a
    rule puts rows into."""
    ruled = [c for c in contests if not (c.is_plain or c.follows)]
    made = {c.order: order_of(rows, c, chosen.of(c.fields[0])) for c in ruled}
    return rows.select("customer_id", "identity_id", "_rank", "_members", "_erased", **made)


def _of_one(placed: ir.Table) -> ir.Table:
    """The rows that are a customer by themselves: nothing contests their values, whatever the rules."""
    return placed.filter(placed["_members"] == 1).select("customer_id", "identity_id", "_erased")


def _decided(engine: DuckDBEngine, members: Members, contests: Sequence[Contest], chosen: Chosen) -> ir.Table:
    """One row for each identity of several rows: its values, and what `account` tells of them."""
    led = _beside_leads(members, contests)
    taken = {name: led.first(itemgetter(name), _everybody) for name in (*_PROVENANCE, "_erased")}
    for contest in contests:
        taken |= _values(engine, led, contest) | account(led, contest, chosen)
    changed = led.highest(itemgetter("source_updated_at"))
    return led.one({**taken, **keys_of(led), "source_updated_at": changed})


def _beside_leads(members: Members, contests: Sequence[Contest]) -> Members:
    """Rows that know whether they have what survived of a field that leads others (`_with_<field>`), and their place
    among those that follow it (`_after_<field>`): the row that gave it goes first."""
    leads = [c for c in contests if c.fields[0] in {x.lead for x in contests}]
    names = [c.fields[0] for c in leads]
    made = {f"_giver_{c.fields[0]}": giver_of(members, c) for c in leads}
    for contest in leads:
        (name,) = contest.fields
        made[f"_lead_{name}"] = _value(members, contest, name)

    def each(row: Row) -> dict[str, ir.Value]:
        having = {f"_with_{n}": row[n].identical_to(row[f"_lead_{n}"]) for n in names}
        return having | {f"_after_{n}": order_after(row, row[f"_giver_{n}"]) for n in names}

    return members.beside(made, each)


def _values(engine: DuckDBEngine, members: Members, contest: Contest) -> dict[str, ir.Value]:
    if contest.rule.strategy == "weighted_average":
        return {contest.fields[0]: _average(engine, members, contest)}
    # All fields of a contest come from one row, also where that has a gap.
    return {name: _value(members, contest, name) for name in contest.fields}


def _value(members: Members, contest: Contest, name: str) -> ir.Value:
    order = None if contest.is_plain else itemgetter(contest.order)
    return members.first(itemgetter(name), lambda r: takes_part(r, contest), order)


def _average(engine: DuckDBEngine, members: Members, contest: Contest) -> ir.IntegerValue:
    (name,), weights = contest.fields, contest.rule.weights

    def weight(row: Row) -> ir.IntegerValue:
        return ibis.cases(*((row["source_system"] == s, w) for s, w in weights.items()), else_=1).cast("int64")

    def part(row: Row) -> ir.BooleanValue:
        return takes_part(row, contest)

    total = members.total(lambda r: r[name].cast("decimal(38, 0)") * weight(r), part)
    return engine.whole(total, members.total(weight, part), "half_even")


def _everybody(row: Row) -> ir.BooleanValue:
    return row["_rank"].notnull()


def _marked(rows: ir.Table, erased: ir.Table) -> ir.Table:
    """Rows with `_erased`: whether any row of their identity was erased."""
    gone = erased.select(_gone="identity_id")
    joined = rows.left_join(gone, rows["identity_id"] == gone["_gone"])
    return joined.mutate(_erased=joined["_gone"].notnull()).drop("_gone")


def _without_erased_values(one: ir.Table) -> ir.Table:
    erased = one["_erased"]
    kept = {
        f.name: erased.ifelse(ibis.null(one[f.name].type()), one[f.name])
        for f in _CUSTOMER.fields
        if f.sensitivity == "personal" and f.name != "name"
    }
    name = erased.ifelse(ibis.literal("(erased)"), one["name"])
    status = erased.ifelse(ibis.literal("erased"), one["status"])
    return one.mutate(**kept, name=name, status=status)
