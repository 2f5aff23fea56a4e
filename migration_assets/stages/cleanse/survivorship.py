"""One row for each identity: whose value each field gets, by the rules of the plan (`identity.survivorship`).

A field without a rule gets the first present value in the plan's order of systems. What no row has stays empty. Fields
that belong together come from one row (`domain.canonical.TOGETHER`). An erased row takes the personal values of the
whole identity along, whatever the rule: nothing another system still holds may bring them back (I22).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.canonical import DISPOSITIONS
from migration_assets.stages.cleanse.contests import Contest, contests_of
from migration_assets.stages.cleanse.decisions import Chosen
from migration_assets.stages.cleanse.provenance import accounts, conflicts_of, sources_of
from migration_assets.stages.cleanse.ranking import order_in, order_of, ranked, takes_part

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Identity

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
    """Table with one column `identity_id`: the identities with an erased member, each once.

    `rows` are all standardized rows: a member that is rejected later was erased all the same.
    """
    joined = rows.inner_join(identities.select("customer_id", "identity_id"), "customer_id")
    return joined.filter(joined["status"] == "erased").select("identity_id").distinct()


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
    members = engine.cached(_placed(ranked(rows, identities, identity.priority), contests, chosen))
    beside = _beside_leads(engine, rows, members, contests)
    single = engine.cached(_marked(_single(engine, beside, contests), erased))
    told = engine.cached(_marked(accounts(engine, beside, contests, chosen), erased))
    return Survived(
        rows=_without_erased_values(single).rename(customer_id="identity_id").select(*rows.columns),
        sources=sources_of(engine, told, members, contests),
        conflicts=conflicts_of(engine, told, single, contests, chosen),
    )


def merged(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...]) -> ir.Table:
    """Claims (DISPOSITIONS) for every customer row that went into another one, with the key it went into."""
    known = ranked(rows, identities, priority)
    first = known["_rank"].min().over(ibis.window(group_by="identity_id"))
    others = known.mutate(_first=first).filter(ibis._["_rank"] != ibis._["_first"])
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
    """Which identity each row is of, its rank, and its place in every order that a rule puts rows into."""
    ruled = [c for c in contests if not (c.is_plain or c.follows)]
    made = {c.order: order_of(rows, c, chosen.of(c.fields[0])) for c in ruled}
    return rows.select("customer_id", "identity_id", "source_system", "_rank", **made)


def _beside_leads(engine: DuckDBEngine, rows: ir.Table, members: ir.Table, contests: Sequence[Contest]) -> ir.Table:
    """Every row beside what its identity got for the fields that lead others (`_lead_<field>`, and the rank of the row
    that gave it, `_giver_<field>`), and `_members`, how many rows the identity has."""
    whole = rows.inner_join(members.drop("source_system"), "customer_id")
    found: dict[str, Any] = {"_members": whole.count()}
    for contest in (c for c in contests if c.fields[0] in {x.lead for x in contests}):
        (name,) = contest.fields
        there, order = whole[name].notnull(), order_in(whole, contest)
        found[f"_lead_{name}"] = whole[name].argmin(order, where=there)
        found[f"_giver_{name}"] = whole["_rank"].argmin(order, where=there)
    led = whole.group_by("identity_id").aggregate(**found)
    known = engine.cached(members.drop("source_system").inner_join(led, "identity_id"))
    return rows.inner_join(known, "customer_id")


def _single(engine: DuckDBEngine, beside: ir.Table, contests: Sequence[Contest]) -> ir.Table:
    """The values of each identity."""
    taken: dict[str, Any] = {n: beside[n].argmin(beside["_rank"]) for n in _PROVENANCE}
    for contest in contests:
        taken |= _values(engine, beside, contest)
    return beside.group_by("identity_id").aggregate(**taken, source_updated_at=beside["source_updated_at"].max())


def _values(engine: DuckDBEngine, rows: ir.Table, contest: Contest) -> dict[str, Any]:
    part, order, (name, *others) = takes_part(rows, contest), order_in(rows, contest), contest.fields
    if contest.rule.strategy == "weighted_average":
        return {name: _average(engine, rows, contest, part)}
    if not others:
        return {name: rows[name].argmin(order, where=part)}
    # Values of one row also where it has a gap: asked one by one, each field would look on for a present value.
    whole = ibis.struct({n: rows[n] for n in contest.fields}).argmin(order, where=part)
    return {n: whole[n] for n in contest.fields}


def _average(engine: DuckDBEngine, rows: ir.Table, contest: Contest, part: ir.BooleanValue) -> ir.IntegerValue:
    (name,), weights = contest.fields, contest.rule.weights
    weight = ibis.cases(*((rows["source_system"] == s, w) for s, w in weights.items()), else_=1).cast("int64")
    total = (rows[name].cast("decimal(38, 0)") * weight).sum(where=part)
    return engine.half_even(total, weight.sum(where=part))


def _marked(one: ir.Table, erased: ir.Table) -> ir.Table:
    gone = erased.select(_gone="identity_id")
    joined = one.left_join(gone, one["identity_id"] == gone["_gone"])
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
