"""One way from mapped rows to a stage's canonical rows, for every stage: keys, redirects, references, dispositions.

Row grain of `rows[entity]` is the entity's own; `dispositions` holds one claim for each source row that something
became of. A source row without a claim, or with two, is left for the reconciliation to find: it is never patched here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ibis

from migration_assets.domain.canonical import ENTITIES, Entity
from migration_assets.engine.mapping import MappedFeed
from migration_assets.stages.feeds import Mapping as Feeds
from migration_assets.stages.references import FATES, NOTES, empty, settle
from migration_assets.stages.validity import broken_rule

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Plan

# What became of one source row. Key: source_system, source_table, source_row.
DISPOSITIONS = ibis.schema(
    {
        "source_system": "string",
        "source_table": "string",
        "source_row": "int64",
        "source_id": "string",
        "disposition": "string",
        "rule": "string",
        "reason": "string",
        "into_key": "string",
    }
)


@dataclass(frozen=True)
class Upstream:
    """What a stage knows of the stages before it.

    `parents`: entity -> table with one column `key`. `fates` (FATES): keys that did not go on. `redirects`: table
    `customer_id -> identity_id` of every customer row, merged or not.
    """

    parents: Mapping[str, ir.Table]
    fates: ir.Table
    redirects: ir.Table | None = None


@dataclass
class StageRows:
    """What a stage makes: canonical rows by entity, notes (NOTES), dispositions (DISPOSITIONS) and fates (FATES)."""

    rows: dict[str, ir.Table] = field(default_factory=dict)
    notes: list[ir.Table] = field(default_factory=list)
    dispositions: list[ir.Table] = field(default_factory=list)
    fates: list[ir.Table] = field(default_factory=list)


def stage_rows(
    feeds: Feeds,
    entities: Iterable[str],
    upstream: Upstream,
    source: Callable[[str], MappedFeed],
    amend: Callable[[str, ir.Table], ir.Table] = lambda _, rows: rows,
) -> StageRows:
    """Canonical rows of the entities, parents first.

    `source` gives mapped rows of an entity. `amend` may change an entity's rows after redirects and before references
    are settled (survivorship does).
    """
    engine, made = feeds.engine, StageRows()
    parents, fates = dict(upstream.parents), upstream.fates
    for name in entities:
        entity, mapped = ENTITIES[name], source(name)
        valid, invalid = without_invalid(engine, name, mapped.rows)
        rows, twins = without_twins(engine, entity, valid)
        settled = settle(engine, entity, amend(name, redirected(entity, rows, upstream.redirects)), parents, fates)
        claims = [
            *_excluded(feeds, entity),
            rejections(entity, mapped.notes),
            *invalid,
            *twins,
            _from_lost(settled.lost),
        ]
        made.rows[name] = settled.rows
        made.notes += [mapped.notes, settled.notes]
        own = engine.cached(engine.union(claims))
        loaded = settled.rows.select(**_claim(settled.rows, "loaded", "", ""))
        made.dispositions += of_home_tables(feeds.plan, name, [own, loaded])
        parents[name] = settled.rows.select(key=settled.rows[entity.key.name])
        made.fates.append(_fates(entity, own))
        fates = engine.cached(engine.union([fates, made.fates[-1]]))
    return made


def redirected(entity: Entity, rows: ir.Table, redirects: ir.Table | None) -> ir.Table:
    """The rows with every reference to a customer led to the identity that customer belongs to."""
    if redirects is None:
        return rows
    for f in entity.references:
        if f.references == "customer":
            way = redirects.select(_from=redirects.customer_id, _to=redirects.identity_id)
            joined = rows.left_join(way, rows[f.name] == way["_from"])
            rows = joined.mutate(**{f.name: ibis.coalesce(joined["_to"], joined[f.name])}).drop("_from", "_to")
    return rows


def without_twins(engine: DuckDBEngine, entity: Entity, rows: ir.Table) -> tuple[ir.Table, list[ir.Table]]:
    """Rows whose key is theirs alone, and claims that reject the others: nobody can tell which of them is meant."""
    key = entity.key.name
    seen = rows.group_by(key).aggregate(_n=rows.count()).filter(ibis._["_n"] > 1)
    if engine.count(seen) == 0:
        return rows, []
    twins = rows.semi_join(seen, key)
    reason = "more than one row has this key"
    claims = twins.select(**_claim(twins, "rejected", "duplicate_key", reason)).cast(DISPOSITIONS)
    return engine.cached(rows.anti_join(seen, key)), [claims]


def without_invalid(engine: DuckDBEngine, entity: str, rows: ir.Table) -> tuple[ir.Table, list[ir.Table]]:
    """Rows that satisfy every rule for a single row, and claims that reject the others."""
    rule = broken_rule(entity, rows)
    if rule is None:
        return rows, []
    judged = engine.cached(rows.mutate(_rule=rule[0], _reason=rule[1]))
    bad = judged.filter(judged["_rule"].notnull())
    claim = {**_claim(bad, "rejected", "", ""), "rule": bad["_rule"], "reason": bad["_reason"]}
    return judged.filter(judged["_rule"].isnull()).drop("_rule", "_reason"), [bad.select(**claim).cast(DISPOSITIONS)]


def rejections(entity: Entity, notes: ir.Table) -> ir.Table:
    """One claim for each row that a mapping rule rejected, by the first of its faults in the entity's field order."""
    bad = notes.filter((notes["action"] == "rejected") & (notes["entity"] == entity.name))
    why = bad["field"] + ibis.literal(": ") + bad["reason"]
    order = ibis.cases(*((bad["field"] == f.name, i) for i, f in enumerate(entity.fields)), else_=len(entity.fields))
    each = bad.mutate(_why=why, _order=order).group_by(["source_system", "source_table", "source_row", "source_id"])
    return (
        each.aggregate(_reason=ibis._["_why"].argmin(ibis._["_order"]), _rule=ibis._["reason"].argmin(ibis._["_order"]))
        .select(
            "source_system",
            "source_table",
            "source_row",
            "source_id",
            disposition=ibis.literal("rejected"),
            rule=ibis._["_rule"],
            reason=ibis._["_reason"],
            into_key=ibis.null("string"),
        )
        .cast(DISPOSITIONS)
    )


def _claim(rows: ir.Table, disposition: str, rule: str, reason: str) -> dict[str, object]:
    return {
        "source_system": rows["source_system"],
        "source_table": rows["source_table"],
        "source_row": rows["source_row"],
        "source_id": rows["source_id"],
        "disposition": ibis.literal(disposition),
        "rule": ibis.literal(rule),
        "reason": ibis.literal(reason),
        "into_key": ibis.null("string"),
    }


def _from_lost(lost: ir.Table) -> ir.Table:
    return lost.select(
        "source_system",
        "source_table",
        "source_row",
        "source_id",
        "disposition",
        "rule",
        "reason",
        into_key=ibis.null("string"),
    ).cast(DISPOSITIONS)


def _excluded(feeds: Feeds, entity: Entity) -> list[ir.Table]:
    tables = [t for t, declared in feeds.plan.source_tables.items() if declared.home == entity.name]
    return [excluded_claims(left_out) for t in tables if (left_out := feeds.excluded(t)) is not None]


def excluded_claims(left_out: ir.Table) -> ir.Table:
    """Claims for rows that a written rule of the plan leaves out."""
    return (
        left_out.mutate(disposition=ibis.literal("excluded"), into_key=ibis.null("string"))
        .select(*DISPOSITIONS.names)
        .cast(DISPOSITIONS)
    )


def of_home_tables(plan: Plan, entity: str, claims: list[ir.Table]) -> list[ir.Table]:
    """Only claims on tables that this entity accounts for: a row is claimed once, not once per entity it feeds."""
    homes = [t.partition(".") for t, declared in plan.source_tables.items() if declared.home == entity]
    if not homes:
        return []
    names = [f"{system}.{table}" for system, _, table in homes]
    return [c.filter((c["source_system"] + "." + c["source_table"]).isin(names)).cast(DISPOSITIONS) for c in claims]


def _fates(entity: Entity, claims: ir.Table) -> ir.Table:
    key = claims["source_system"] + "." + claims["source_table"] + ":" + claims["source_id"]
    return (
        claims.select(entity=ibis.literal(entity.name), key=key, disposition=claims["disposition"], rule=claims["rule"])
        .distinct()
        .cast(FATES)
    )


def write_stage(engine: DuckDBEngine, made: StageRows, file: Callable[[str], object]) -> dict[str, int]:
    """Write a stage's rows, notes, dispositions and fates, each in key order; returns rows by table."""
    written = {}
    for name, rows in made.rows.items():
        written[name] = engine.write(rows, file(name), order_by=[ENTITIES[name].key.name])  # type: ignore[arg-type]
    for name, parts, schema, order in (
        ("notes", made.notes, NOTES, ["entity", "source_table", "source_row", "field"]),
        ("dispositions", made.dispositions, DISPOSITIONS, ["source_system", "source_table", "source_row"]),
        ("fates", made.fates, FATES, ["entity", "key"]),
    ):
        rows = engine.union([p.cast(schema) for p in parts]) if parts else empty(engine, schema)
        written[name] = engine.write(rows, file(name), order_by=order)  # type: ignore[arg-type]
    return written
