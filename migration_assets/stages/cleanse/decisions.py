"""What persons decided about values of one customer, held against who is one customer today.

A decision names rows, not values: it holds as long as both rows are one customer and the chosen row has a value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import SurvivorDecision


@dataclass(frozen=True)
class Stale:
    """A decision that does not hold. `customer_id`: the identity, or the key that the decision names when there is no
    such row; `reason`: customer_gone, row_gone, parted, no_value, contradicted; `line`: in decisions/survivors.csv."""

    customer_id: str
    field: str
    reason: str
    line: int


@dataclass(frozen=True)
class Chosen:
    """`rows`: by field, keys of the rows whose value persons chose. `stale`: decisions that do not hold."""

    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    stale: tuple[Stale, ...] = ()

    def of(self, name: str) -> list[str]:
        """Keys for one field, in order."""
        return sorted(self.rows.get(name, ()))


def chosen_of(
    decisions: Iterable[SurvivorDecision],
    identity_of: Mapping[str, str],
    valued: Collection[tuple[str, str]],
) -> Chosen:
    """Decisions that hold. `identity_of`: row -> identity, for the rows that decisions name and that exist; `valued`:
    (row, field) where a valid row has a value."""
    held: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    stale = []
    for d in decisions:
        identity = identity_of.get(d.customer)
        if reason := _fault(d, identity, identity_of, valued):
            stale.append(Stale(identity or d.customer, d.field, reason, d.row))
        else:
            held[(str(identity), d.field)][d.value_from] = d.row
    rows: dict[str, set[str]] = defaultdict(set)
    for (identity, name), choices in held.items():
        if len(choices) == 1:
            rows[name].update(choices)
        else:
            stale += [Stale(identity, name, "contradicted", line) for line in choices.values()]
    return Chosen({name: frozenset(keys) for name, keys in rows.items()}, tuple(stale))


def _fault(
    d: SurvivorDecision, identity: str | None, identity_of: Mapping[str, str], valued: Collection[tuple[str, str]]
) -> str | None:
    if identity is None:
        return "customer_gone"
    if d.value_from not in identity_of:
        return "row_gone"
    if identity_of[d.value_from] != identity:
        return "parted"
    return None if (d.value_from, d.field) in valued else "no_value"


def decided(
    engine: DuckDBEngine,
    decisions: Collection[SurvivorDecision],
    rows: ir.Table,
    identities: ir.Table,
    *,
    also_lost: bool,
) -> Chosen:
    """Decisions about the customers that these valid rows are, and with `also_lost` those about rows that are nowhere
    (one cohort has to tell of them). `identities` are those of everybody."""
    if not decisions:
        return Chosen()
    named = sorted({key for d in decisions for key in (d.customer, d.value_from)})
    known = engine.arrow(identities.filter(identities["customer_id"].isin(named)).select("customer_id", "identity_id"))
    identity_of = dict(zip(known["customer_id"].to_pylist(), known["identity_id"].to_pylist(), strict=True))
    here = _identities_here(engine, rows, identities, sorted(set(identity_of.values())))
    mine = [
        d for d in decisions if identity_of.get(d.customer) in here or (also_lost and d.customer not in identity_of)
    ]
    return chosen_of(mine, identity_of, _valued(engine, rows, {d.field for d in mine}, named))


def _identities_here(engine: DuckDBEngine, rows: ir.Table, identities: ir.Table, named: list[str]) -> frozenset[str]:
    asked = identities.filter(identities["identity_id"].isin(named)).select("customer_id", "identity_id")
    found = rows.select("customer_id").inner_join(asked, "customer_id").select("identity_id").distinct()
    return frozenset(engine.arrow(found)["identity_id"].to_pylist())


def _valued(engine: DuckDBEngine, rows: ir.Table, fields: set[str], named: list[str]) -> frozenset[tuple[str, str]]:
    asked = rows.filter(rows["customer_id"].isin(named))
    there = {name: rows[name].notnull() for name in sorted(fields)}
    found = engine.arrow(asked.select("customer_id", **there)).to_pylist()
    return frozenset((r["customer_id"], name) for r in found for name in there if r[name])
