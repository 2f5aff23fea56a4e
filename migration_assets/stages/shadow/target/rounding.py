"""Whole minor units of the target's invoice lines, and their tax.

Belongs here: the rate that holds, rounding by line or by invoice, and tax in or on top of a price. Not here: which
lines there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis

from migration_assets.stages.shadow.target.scales import Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    import ibis.expr.types as ir

    from migration_assets.domain.target.terms import Rules
    from migration_assets.engine.duckdb import DuckDBEngine


def taxed(runs: ir.Table, rates: ir.Table, scale: Scale) -> ir.Table:
    """Runs with tax as `tax_total` of `tax_parts` of a price, by the rate of their country on the day they begin; total
    and parts are absent where there is no rate. `rates`: country, valid_from (key: both), percent."""
    asked = runs.filter(~runs.tax_exempt).select("country", "day").distinct()
    told = rates.select("valid_from", _country="country", percent=scale.whole_number(rates.percent, scale.tax))
    held = asked.join(told, [asked.country == told["_country"], asked.day >= told.valid_from])
    latest = held.group_by("country", "day").aggregate(percent=held.percent.argmax(held.valid_from))
    found = runs.left_join(latest, ["country", "day"])
    total, hundred = found.percent, scale.power(scale.tax + 2)
    parts = found.tax_inclusive.ifelse(hundred + total, hundred)
    return found.mutate(tax_total=found.tax_exempt.ifelse(0, total), tax_parts=found.tax_exempt.ifelse(1, parts)).drop(
        "percent"
    )


def rounded(engine: DuckDBEngine, rows: ir.Table, order: tuple[str, ...], scale: Scale, rules: Rules) -> ir.Table:
    """Rows with position, gross (price in whole minor units), amount_minor (before tax) and tax_minor.

    What is rounded for the invoice is how far the rounded running sum moves. `exact_before` (of `parts`) and `before`
    are what is on the invoice above these rows.
    """
    running = ibis.window(group_by="run_id", order_by=list(order), rows=(None, 0))

    def whole(total: ir.NumericValue, parts: ir.NumericValue) -> ir.NumericValue:
        return scale.counted(engine.whole(total, parts, rules.rounding))

    parts = scale.counted(rows.parts)
    if rules.round_at == "invoice":
        moved = rows.exact_before + scale.counted(rows.total.sum().over(running))
        rows = rows.mutate(exact_sum=moved, position=_place(running))
        rows = rows.mutate(after=whole(rows.exact_sum, parts))
        rows = rows.mutate(gross=rows.after - whole(rows.exact_sum - rows.total, parts))
    else:
        rows = rows.mutate(gross=whole(rows.total, parts))
        rows = rows.mutate(after=rows.before + scale.counted(rows.gross.sum().over(running)), position=_place(running))
    return _with_tax(rows, scale, rules, whole)


def _with_tax(
    rows: ir.Table, scale: Scale, rules: Rules, whole: Callable[[ir.NumericValue, ir.NumericValue], ir.NumericValue]
) -> ir.Table:
    total, parts = scale.counted(rows.tax_total), scale.counted(rows.tax_parts)
    if rules.tax_at == "invoice":
        tax = whole(rows.after * total, parts) - whole((rows.after - rows.gross) * total, parts)
    else:
        tax = whole(rows.gross * total, parts)
    rows = rows.mutate(tax=tax)
    net = rows.gross - rows.tax_inclusive.ifelse(rows.tax, scale.counted(0))
    return rows.mutate(amount_minor=net.cast("int64"), tax_minor=rows.tax.cast("int64"))


def _place(running: ibis.expr.builders.WindowBuilder) -> ir.IntegerValue:
    return ibis.row_number().over(running)
