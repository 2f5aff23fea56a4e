"""From identities and source tables to `members`: every customer row with its family and cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

from migration_assets.engine.predicates import holds
from migration_assets.stages.cohorts.assign import assign_families
from migration_assets.stages.identities.components import connected

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import CohortRule, Plan
    from migration_assets.stages.owners import Owners


def members(engine: DuckDBEngine, plan: Plan, customers: ir.Table, identities: ir.Table, owners: Owners) -> ir.Table:
    """Table `members`, one row for each customer row.

    Columns: customer_id (key), identity_id, family_id (lowest identity of the family), cohort (null when no rule of
    cohorts.yaml takes the family).
    """
    numbered = engine.cached(
        identities.mutate(_n=ibis.row_number().over(ibis.window(order_by="customer_id")).cast("int64"))
    )
    pairs = [_identity_pairs(numbered), *_named_together(plan, numbered, owners)]
    pairs += [_reference_pairs(numbered, customers, field) for field in ("parent_id", "payer_id")]
    ends = engine.arrow(engine.union(pairs))
    keys = engine.arrow(numbered.order_by("_n"))
    family = connected(keys.num_rows, ends["a"].to_numpy(), ends["b"].to_numpy()).tolist()
    founders = sorted(set(family))
    position = {founder: i for i, founder in enumerate(founders)}
    of_member = [position[f] for f in family]
    ids = keys["customer_id"].take(pa.array(founders, pa.int64())).to_pylist()
    cohorts = assign_families(
        plan.cohorts.cohorts, ids, _taken(engine, plan.cohorts.cohorts, numbered, customers, of_member)
    )
    return engine.table(
        pa.table(
            {
                "customer_id": keys["customer_id"],
                "identity_id": keys["identity_id"],
                "family_id": pa.array([ids[i] for i in of_member], pa.string()),
                "cohort": pa.array([cohorts[i] for i in of_member], pa.string()),
            }
        )
    )


def _identity_pairs(numbered: ir.Table) -> ir.Table:
    founder = numbered.select(a=numbered["_n"], _founder=numbered["customer_id"])
    return numbered.inner_join(founder, numbered["identity_id"] == founder["_founder"]).select("a", b="_n")


def _reference_pairs(numbered: ir.Table, customers: ir.Table, field: str) -> ir.Table:
    return _pairs(numbered, customers.select(_from="customer_id", _to=field))


def _named_together(plan: Plan, numbered: ir.Table, owners: Owners) -> list[ir.Table]:
    """Customers that one source row leads to: its references are settled inside a cohort, so they move together."""
    found = (owners.named_together(table) for table in plan.source_tables)
    return [pairs for named in found if named is not None for pairs in _all_tied(numbered, named)]


def _all_tied(numbered: ir.Table, named: ir.Table) -> list[ir.Table]:
    """Pairs of numbers for rows of customers: the lowest of each row, and every other one."""
    columns = named.columns
    for column in columns:
        known = numbered.select(**{f"_{column}": "customer_id", f"_n_{column}": "_n"})
        named = named.left_join(known, named[column] == known[f"_{column}"]).drop(f"_{column}")
    numbers = [f"_n_{column}" for column in columns]
    # LEAST ignores what is missing: who leads nowhere still leaves the others tied.
    led = named.mutate(a=ibis.least(*(named[n] for n in numbers)))
    return [led.filter(led[n].notnull() & (led[n] != led["a"])).select("a", b=n).distinct() for n in numbers]


def _pairs(numbered: ir.Table, ties: ir.Table) -> ir.Table:
    known = ties.filter(ties["_to"].notnull() & (ties["_from"] != ties["_to"])).distinct()
    one = numbered.select(a=numbered["_n"], _from=numbered["customer_id"])
    other = numbered.select(b=numbered["_n"], _to=numbered["customer_id"])
    return known.inner_join(one, "_from").inner_join(other, "_to").select("a", "b")


def _taken(
    engine: DuckDBEngine, rules: tuple[CohortRule, ...], numbered: ir.Table, customers: ir.Table, family: list[int]
) -> dict[str, list[int]]:
    rows = customers.inner_join(numbered.select("customer_id", "_n"), "customer_id")
    taken = {}
    for rule in (r for r in rules if not r.buckets):
        mine = rows.filter(rows["source_id"].isin(rule.customers) if rule.customers else holds(rows, rule.where))
        numbers = engine.arrow(mine.select("_n").order_by("_n"))["_n"].to_pylist()
        taken[rule.name] = [family[n] for n in numbers]
    return taken
