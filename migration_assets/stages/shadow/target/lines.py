"""Invoice lines of the target for all runs at once.

Belongs here: which lines a run has, in which order. Not here: which cycles are alike, and rounding. Recurring lines are
made once for as long as they and their tax stay the same: other lines come after them on the invoice, so that they
round the same whether or not there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.target.extras import reductions
from migration_assets.stages.shadow.target.rounding import rounded
from migration_assets.stages.shadow.target.runs import run_id
from migration_assets.stages.shadow.target.scales import Scale, narrow_or_wide

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.bill import LineKind
    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target.facts import Facts

_TAX = ("tax_total", "tax_parts", "tax_inclusive")
_COVERS = ("starts_at", "ends_at")
_MADE = ("amount_minor", "tax_minor")
_LINE = ("n", "from_cycle", "kind", "item_id", "position", *_COVERS, *_MADE)
_PARTS = ("length", "unit_parts", "percent_parts")
_BESIDE = ("run_id", "kind", "rank", "id", "item_id", *_COVERS, "total", *_PARTS)


def invoice_lines(
    engine: DuckDBEngine,
    facts: Facts,
    run: ir.Table,
    charged: ir.Table,
    ids: ir.Table,
    scale: Scale,
    rules: Rules,
) -> ir.Table:
    """Lines of every run, as `Bills` has them, kept in the engine. `ids`: n (key), subscription_id."""
    charges = engine.cached(_recurring(engine, charged, facts.states, scale, rules))
    each = run.select("n", "from_cycle", run_id="charged_id").join(charges, "run_id")
    moment = ibis.null("timestamp('UTC', 6)")
    first = each.mutate(kind=ibis.literal("recurring"), starts_at=moment, ends_at=moment)
    bases = engine.cached(_bases(facts, run, charged, charges, scale))
    beside = narrow_or_wide(scale, lambda numbers: engine.cached(_beside(engine, facts, bases, numbers, rules)))

    def others(some: ir.Table) -> ir.Table:
        return narrow_or_wide(scale, lambda numbers: engine.cached(_others(engine, some, bases, numbers, rules)))

    # Lines of several kinds are brought to the product of their denominators, which may need longer numbers.
    made = [others(beside.filter(~beside.mixed)), others(beside.filter(beside.mixed))]
    lines = ibis.union(first.select(*_LINE), *(m.select(*_LINE) for m in made))
    return engine.cached(ids.select("n", "subscription_id").join(lines, "n").drop("n"))


def _recurring(engine: DuckDBEngine, runs: ir.Table, states: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """Lines of the items that are there when a run begins, with their exact price (`total` of the run's `minor`).

    `runs`: run_id (key), n, from_ordinal, minor, and tax. `states`: items with price and quantity from `since` until
    `until`, there from `starts` until `ends`. Columns: run_id, item_id (key: both), position, total, gross, amounts.
    """
    there = runs.join(states, "n")
    at = there.from_ordinal
    there = there.filter(
        there.kind != "usage", there.since <= at, at < there["until"], there.starts <= at, at < there.ends
    )
    nothing = scale.counted(0)
    priced = there.select("run_id", "item_id", *_TAX, total=there.price * there.quantity, parts="minor")
    priced = priced.mutate(exact_before=nothing, before=nothing)
    made = rounded(engine, priced, ("item_id",), scale, rules)
    return made.select("run_id", "item_id", "position", "total", "gross", *_MADE)


def _bases(facts: Facts, run: ir.Table, charged: ir.Table, charges: ir.Table, scale: Scale) -> ir.Table:
    """Runs that may have more than recurring lines, with what those come to and with their tax.

    Columns: run_id (key), n, from_ordinal, from_cycle, minor, exact_base (recurring charges, of `minor` parts), base
    (rounded), positions (how many), and tax.
    """
    past = ibis.union(facts.prorated.select("n", "ordinal"), facts.metered.select("n", "ordinal"))
    past = past.select(run_id=run_id(past.n, past.ordinal))
    columns = run.select("run_id", "n", "from_ordinal", "from_cycle", "charged_id")
    having = ibis.union(
        columns.semi_join(past, "run_id"), columns.semi_join(facts.discounts, "n").anti_join(past, "run_id")
    )
    beside = charges.semi_join(having, charges.run_id == having.charged_id)
    sums = beside.group_by(charged_id="run_id").aggregate(
        exact_base=scale.counted(beside.total.sum()), base=scale.counted(beside.gross.sum()), positions=beside.count()
    )
    tax = charged.select("minor", *_TAX, charged_id="run_id")
    found = having.join(tax, "charged_id").left_join(sums, "charged_id")
    nothing = {c: found[c].fill_null(scale.counted(0)) for c in ("exact_base", "base")}
    return found.mutate(**nothing, positions=found.positions.fill_null(0)).drop("charged_id", "charged_id_right")


def _others(engine: DuckDBEngine, lines: ir.Table, bases: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """Lines of `_beside`, which come after the recurring ones, brought to one denominator for each invoice."""
    rows = lines.join(bases, "run_id")
    one, minor = scale.counted(1), scale.counted(rows.minor)
    most = [scale.counted(rows[f"most_{p}"]) for p in _PARTS]
    own = [scale.counted(rows[p]) for p in _PARTS]
    wider = [(o == one).ifelse(m, one) for o, m in zip(own, most, strict=True)]
    together, total = most[0] * most[1] * most[2], scale.counted(rows.total)
    by_invoice = rules.round_at == "invoice"
    rows = rows.mutate(
        total=total * wider[0] * wider[1] * wider[2] if by_invoice else total,
        parts=minor * (together if by_invoice else own[0] * own[1] * own[2]),
        exact_before=scale.counted(rows.exact_base) * together if by_invoice else scale.counted(0),
        before=scale.counted(rows.base),
    )
    made = rounded(engine, rows, ("rank", "id"), scale, rules)
    return made.mutate(position=made.position + made.positions).select(*_LINE)


def _beside(engine: DuckDBEngine, facts: Facts, bases: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """Lines that are not recurring: run_id, rank and id (in which order), kind, item_id, what they cover, `total`, and
    what divides it beside `minor`: length, unit_parts, percent_parts, 1 where nothing does. most_length and so on: of
    their invoice; `mixed`: whether it has lines of several kinds."""
    runs = bases.select("run_id", "n", ordinal="from_ordinal")
    added, used = facts.prorated.join(runs, ["n", "ordinal"]), facts.metered.join(runs, ["n", "ordinal"])
    price, units = scale.counted(used.price), scale.counted(used.units)
    added = added.mutate(total=scale.counted(added.price) * scale.counted(added.part))
    used = used.mutate(total=price * units, unit_parts=scale.power(scale.units))
    off = reductions(engine, bases, facts.discounts, scale, rules)
    rows = ibis.union(
        _form(added, "proration", 1, "item_id", scale),
        _form(used, "usage", 2, "item_id", scale),
        _form(off, "discount", 3, "discount_id", scale),
    )
    run = ibis.window(group_by="run_id")
    most = {f"most_{p}": rows[p].max().over(run) for p in _PARTS}
    return rows.mutate(**most, mixed=rows["rank"].min().over(run) < rows["rank"].max().over(run))


def _form(rows: ir.Table, kind: LineKind, rank: int, key: str, scale: Scale) -> ir.Table:
    """The columns of `_beside`: a line of no item has an empty one, one without instants covers its cycle."""
    moment = ibis.null("timestamp('UTC', 6)")
    absent = {"item_id": ibis.literal(""), "starts_at": moment, "ends_at": moment}
    own = {c: rows[c] if c in rows.columns else value for c, value in absent.items()}
    parts = {p: scale.counted(rows[p] if p in rows.columns else 1) for p in _PARTS}
    told = {"kind": ibis.literal(kind), "rank": ibis.literal(rank), "id": rows[key]}
    return rows.select("run_id", "total", **told, **own, **parts).select(*_BESIDE)
