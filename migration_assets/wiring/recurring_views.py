"""Recurring revenue of a year on both sides, cohort by cohort, for the page of the stages that compare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.shown_money import named_amount, shown_amount
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
    """A row for each cohort and currency, and a picture of the currency that most cohorts have: currencies
    are never added, nor drawn on one axis. Nothing where no cohort has recurring revenue."""
    rows = [(c, currency, old, new) for c, sides in each.items() for currency, (old, new) in sides.items()]
    if not rows:
        return {}
    table = markdown_table(
        ("cohort", "old system, a year", "target, a year", "difference"),
        [(c, *(named_amount(m, currency, exponents) for m in (old, new, new - old))) for c, currency, old, new in rows],
    )
    currency = _most_seen([r[1] for r in rows])
    drawn = [(c, old, _beside(old, new, currency, exponents)) for c, of, old, new in rows if of == currency]
    words = f"recurring revenue of a year in {currency} by cohort, and after the move where it differs"
    return {"recurring revenue by cohort": table, words: picture(bars(drawn), words)}


def _beside(old: int, new: int, currency: str, exponents: Mapping[str, int]) -> str:
    """The UI shows no long drawing in its place, so that what is the same stands once."""
    sides = [shown_amount(minor, currency, exponents) for minor in dict.fromkeys((old, new))]
    return " → ".join(sides)


def _most_seen(currencies: Sequence[str]) -> str:
    return min(set(currencies), key=lambda c: (-currencies.count(c), c))
