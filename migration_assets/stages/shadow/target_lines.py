"""Invoice lines of the target for all runs at once.

Belongs here: which lines a run has, in which order. Not here: which cycles are alike, and rounding. Recurring lines are
made once for as long as they and their tax stay the same: other lines come after them on the invoice, so that they
round the same whether or not there are any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.target_extras import reductions
from migration_assets.stages.shadow.target_rounding import rounded
from migration_assets.stages.shadow.target_scales import Scale, counted, power

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.domain.bill import LineKind
    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.target_facts import Facts

_RUN = ("n", "from_ordinal")
_TAX = ("tax_total", "tax_parts", "tax_inclusive")
_COVERS = ("starts_at", "ends_at")
_MADE = ("amount_minor", "tax_minor")
_LINE = ("n", "from_cycle", "kind", "item_id", "position", *_COVERS, *_MADE)
_PARTS = ("length", "unit_parts", "percent_parts")
_BESIDE = (*_RUN, "kind", "rank", "id", "item_id", *_COVERS, "total", *_PARTS)


def invoice_lines(
    engine: DuckDBEngine, facts: Facts, run: ir.Table, charged: ir.Table, scale: Scale, rules: Rules
) -> ir.Table:
    """Lines of every run: n, from_cycle, kind, item_id, position, starts_at, ends_at, amount_minor, tax_minor."""
    charges = engine.cached(_recurring(engine, charged, facts.states, rules))
    each = run.select("n", "from_cycle", from_ordinal="charged_from").join(charges, ["n", "from_ordinal"])
    moment = ibis.null("timestamp('UTC', 6)")
    first = each.mutate(kind=ibis.literal("recurring"), starts_at=moment, ends_at=moment)
    bases = engine.cached(_bases(facts, run, charged, charges))
    made = _others(engine, bases, engine.cached(_beside(facts, bases, scale, rules)), rules)
    return ibis.union(
        first.select(*_LINE), made.join(bases.select("n", "from_ordinal", "from_cycle"), _RUN).select(*_LINE)
    )


def _bases(facts: Facts, run: ir.Table, charged: ir.Table, charges: ir.Table) -> ir.Table:
    """Runs of subscriptions that have more than recurring lines, with what those come to and with their tax."""
    more = ibis.union(*(t.select("n") for t in (facts.prorated, facts.metered, facts.discounts)), distinct=True)
    beside = charges.semi_join(more, "n")
    sums = beside.group_by(*_RUN).aggregate(
        exact_base=counted(beside.total.sum()), base=counted(beside.gross.sum()), positions=beside.count()
    )
    having = run.semi_join(more, "n").select("n", "from_ordinal", "from_cycle", "charged_from")
    tax = charged.rename(charged_from="from_ordinal")
    found = having.join(tax, ["n", "charged_from"]).left_join(
        sums.rename(charged_from="from_ordinal"), ["n", "charged_from"]
    )
    return found.mutate(
        exact_base=found.exact_base.fill_null(counted(0)),
        base=found.base.fill_null(counted(0)),
        positions=found.positions.fill_null(0),
    ).drop("n_right", "charged_from_right", "charged_from")


def _beside(facts: Facts, bases: ir.Table, scale: Scale, rules: Rules) -> ir.Table:
    """Lines that are not recurring, in the form of `_others`."""
    used, off = facts.metered, reductions(bases, facts.discounts, scale, rules)
    return ibis.union(
        _form(facts.prorated, "proration", 1, "item_id"),
        _form(used.mutate(unit_parts=power(scale.units)), "usage", 2, "item_id"),
        _form(off, "discount", 3, "discount_id"),
    )


def _form(rows: ir.Table, kind: LineKind, rank: int, key: str) -> ir.Table:
    """The columns of `_others`: a line of no item has an empty one, one without instants covers its cycle."""
    moment = ibis.null("timestamp('UTC', 6)")
    absent = {"item_id": ibis.literal(""), "starts_at": moment, "ends_at": moment, **dict.fromkeys(_PARTS, counted(1))}
    own = {c: rows[c] if c in rows.columns else value for c, value in absent.items()}
    return rows.select(
        "n", "total", from_ordinal="ordinal", kind=ibis.literal(kind), rank=ibis.literal(rank), id=rows[key], **own
    ).select(*_BESIDE)


def _recurring(engine: DuckDBEngine, runs: ir.Table, states: ir.Table, rules: Rules) -> ir.Table:
    """Lines of the items that are there when a run begins, with their exact price (`total` of the run's `minor`).

    `runs`: n, from_ordinal (key: both), minor, and tax. `states`: items with price and quantity from `since` until
    `until`, there from `starts` until `ends`. Columns: n, from_ordinal, item_id (key: all), position, total, amounts.
    """
    there = runs.join(states, "n")
    at = there.from_ordinal
    there = there.filter(
        there.kind != "usage", there.since <= at, at < there["until"], there.starts <= at, at < there.ends
    )
    priced = there.select(
        "n", "from_ordinal", "item_id", *_TAX, total=there.price * there.quantity, parts=there.minor
    ).mutate(exact_before=counted(0), before=counted(0))
    return rounded(engine, priced, ("item_id",), rules).select(
        "n", "from_ordinal", "item_id", "position", "total", "gross", *_MADE
    )


def _others(engine: DuckDBEngine, runs: ir.Table, lines: ir.Table, rules: Rules) -> ir.Table:
    """Lines that come after the recurring ones, brought to one denominator for each invoice.

    `runs`: n, from_ordinal (key: both), minor, exact_base, base (exact and rounded recurring charges), positions (their
    number), and tax. `lines`: n, from_ordinal, kind, rank (order of kinds), id, item_id, starts_at, ends_at, total, and
    what divides it beside `minor`: length, unit_parts, percent_parts, 1 where nothing does.
    """
    invoice = ibis.window(group_by=["n", "from_ordinal"])
    most = {f"most_{p}": lines[p].max().over(invoice) for p in _PARTS}
    rows = lines.mutate(**most).join(runs, ["n", "from_ordinal"])
    widen = [(rows[p] == counted(1)).ifelse(rows[f"most_{p}"], counted(1)) for p in _PARTS]
    together = rows.most_length * rows.most_unit_parts * rows.most_percent_parts
    by_invoice = rules.round_at == "invoice"
    own = rows.length * rows.unit_parts * rows.percent_parts
    rows = rows.mutate(
        total=rows.total * widen[0] * widen[1] * widen[2] if by_invoice else rows.total,
        parts=rows.minor * (together if by_invoice else own),
        exact_before=rows.exact_base * together if by_invoice else counted(0),
        before=rows.base,
    )
    made = rounded(engine, rows, ("rank", "id"), rules)
    return made.select(
        "n",
        "from_ordinal",
        "kind",
        "item_id",
        "starts_at",
        "ends_at",
        *_MADE,
        position=made.position + made.positions,
    )
