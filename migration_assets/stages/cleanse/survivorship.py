"""One row for each identity: for every field the first present value in the plan's order of systems.

Within one system the row changed last wins, then the lowest key. What no member has stays empty. An erased member
takes the personal values of the whole identity along: nothing another system still holds may bring them back (I22).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES
from migration_assets.stages.canonical import DISPOSITIONS

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CUSTOMER = ENTITIES["customer"]
_PROVENANCE = ("source_system", "source_table", "source_id", "source_row")


def erased_identities(rows: ir.Table, identities: ir.Table) -> ir.Table:
    """Table with one column `identity_id`: the identities with an erased member, each once.

    `rows` are all standardized rows: a member that is rejected later was erased all the same.
    """
    joined = rows.inner_join(identities.select("customer_id", "identity_id"), "customer_id")
    return joined.filter(joined["status"] == "erased").select("identity_id").distinct()


def survivors(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...], erased: ir.Table) -> ir.Table:
    """Canonical customers, one row for each identity with at least one valid row; key: customer_id (the identity).

    `erased`: the identities with an erased member, from `erased_identities`.
    """
    ranked = _ranked(rows, identities, priority)
    names = [f.name for f in _CUSTOMER.fields[1:]]
    best = {n: ranked[n].argmin(ranked["_rank"], where=ranked[n].notnull()) for n in names}
    founder = {n: ranked[n].argmin(ranked["_rank"]) for n in _PROVENANCE}
    one = ranked.group_by("identity_id").aggregate(
        **best,
        **founder,
        source_updated_at=ranked["source_updated_at"].max(),
    )
    known = erased.select(_gone="identity_id")
    marked = one.left_join(known, one["identity_id"] == known["_gone"])
    return (
        _without_erased_values(marked.mutate(_erased=marked["_gone"].notnull()))
        .rename(customer_id="identity_id")
        .select(*rows.columns)
    )


def merged(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...]) -> ir.Table:
    """Claims (DISPOSITIONS) for every customer row that went into another one, with the key it went into."""
    ranked = _ranked(rows, identities, priority)
    first = ranked["_rank"].min().over(ibis.window(group_by="identity_id"))
    others = ranked.mutate(_first=first).filter(ibis._["_rank"] != ibis._["_first"])
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


def _ranked(rows: ir.Table, identities: ir.Table, priority: tuple[str, ...]) -> ir.Table:
    known = identities.select("customer_id", "identity_id", _rule="rule")
    joined = rows.inner_join(known, "customer_id")
    system = (
        ibis.cases(*((joined["source_system"] == s, i) for i, s in enumerate(priority)), else_=len(priority))
        if priority
        else ibis.literal(0)
    )
    # The founder gives the identity its key, so it stands first whatever changed last elsewhere.
    founder = (joined["customer_id"] == joined["identity_id"]).ifelse(0, 1)
    order = ibis.window(order_by=[founder, system, ibis.desc(joined["source_updated_at"]), joined["customer_id"]])
    return joined.mutate(_rank=ibis.row_number().over(order))


def _without_erased_values(one: ir.Table) -> ir.Table:
    erased = one["_erased"]
    kept = {
        f.name: erased.ifelse(ibis.null(one[f.name].type()), one[f.name])
        for f in _CUSTOMER.fields
        if f.sensitivity == "personal" and f.name != "name"
    }
    name = erased.ifelse(ibis.literal("(erased)"), one["name"])
    status = erased.ifelse(ibis.literal("erased"), one["status"])
    return one.mutate(**kept, name=name, status=status).drop("_erased", "_gone")
