"""Recurring revenue of a year on both sides, cohort by cohort, for the page of the stages that compare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.shown_money import in_major, named_amount
from migration_assets.wiring.bill_totals import compared_cohorts
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from pathlib import Path

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.call import StageCall

# Old system and target, in minor units, by currency.
Sides = Mapping[str, tuple[int, int]]
_MEASURE = "recurring_revenue"


def recurring_of_all(call: StageCall, stage: str) -> dict[str, Any]:
    """Metadata over all cohorts whose balances this stage compared on this basis."""
    cohorts, _missing = compared_cohorts(call.workspace, call.basis, stage)
    files = {c: call.workspace.store.file(stage, c, "balances") for c in cohorts}
    each = {c: _sides(call.engine, file) for c, file in files.items() if file.exists()}
    return recurring_shown(each, call.plan.file.currency_exponents)


def _sides(engine: DuckDBEngine, balances: Path) -> Sides:
    own = engine.read(balances).filter(_.measure == _MEASURE)
    each = own.group_by("currency").aggregate(old=_.legacy_minor.sum(), new=_.target_minor.sum())
    return {r["currency"]: (int(r["old"]), int(r["new"])) for r in engine.arrow(each.order_by("currency")).to_pylist()}


def recurring_shown(each: Mapping[str, Sides], exponents: Mapping[str, int]) -> dict[str, Any]:
    """Sums of all cohorts by currency, and a picture, cohort by cohort, of the currency that most of them have:
    currencies are never added, nor drawn on one axis. Nothing where no cohort has recurring revenue."""
    rows = [(c, currency, old, new) for c, sides in each.items() for currency, (old, new) in sides.items()]
    if not rows:
        return {}
    heads = ("currency", "old system, a year", "target, a year", "difference")
    table = markdown_table(heads, [_summed(rows, currency, exponents) for currency in sorted({r[1] for r in rows})])
    currency = _most_seen([r[1] for r in rows])
    drawn = [(f"{c}: {_beside(old, new, currency, exponents)}", old, "") for c, of, old, new in rows if of == currency]
    words = f"recurring revenue of a year by cohort, in whole {currency}"
    return {"recurring revenue of all cohorts": table, words: picture(bars(drawn), words)}


def _summed(rows: Sequence[tuple[str, str, int, int]], currency: str, exponents: Mapping[str, int]) -> tuple[str, ...]:
    own = [r for r in rows if r[1] == currency]
    old, new = sum(r[2] for r in own), sum(r[3] for r in own)
    return (currency, *(named_amount(minor, currency, exponents) for minor in (old, new, new - old)))


def _beside(old: int, new: int, currency: str, exponents: Mapping[str, int]) -> str:
    """Before, and after where it differs: the UI shows no long drawing in its place, so that no text stands apart."""
    sides = [in_major(minor, currency, exponents) for minor in dict.fromkeys((old, new))]
    return " → ".join(f"{side:,.0f}" for side in sides if side is not None)


def _most_seen(currencies: Sequence[str]) -> str:
    return min(set(currencies), key=lambda c: (-currencies.count(c), c))
