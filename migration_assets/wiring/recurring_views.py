"""Recurring revenue of a year on both sides, cohort by cohort, for the page of the stages that compare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migration_assets.domain.shown_money import in_major, named_amount
from migration_assets.wiring.bill_totals import compared_cohorts
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from pathlib import Path

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.call import StageCall

# Old system and target before discounts, then both after them, in minor units; and so by currency.
Amounts = tuple[int, int, int, int]
Sides = Mapping[str, Amounts]
HEADS = (
    "currency", "old system, a year, before discounts", "target, a year, before discounts", "difference",
    "old system, after discounts", "target, after discounts", "difference after discounts",
)  # fmt: skip


def recurring_of_all(call: StageCall, stage: str) -> dict[str, Any]:
    """Metadata over all cohorts whose balances this stage compared on this basis."""
    cohorts, _missing = compared_cohorts(call.workspace, call.basis, stage)
    files = {c: call.workspace.store.file(stage, c, "recurring") for c in cohorts}
    each = {c: _sides(call.engine, file) for c, file in files.items() if file.exists()}
    return recurring_shown(each, call.plan.file.currency_exponents)


def _sides(engine: DuckDBEngine, recurring: Path) -> Sides:
    rows = engine.arrow(engine.read(recurring).order_by("currency")).to_pylist()
    return {
        r["currency"]: (
            r["legacy_minor"],
            r["target_minor"],
            r["legacy_minor"] - r["legacy_off_minor"],
            r["target_minor"] - r["target_off_minor"],
        )
        for r in rows
    }


def recurring_shown(each: Mapping[str, Sides], exponents: Mapping[str, int]) -> dict[str, Any]:
    """Sums of all cohorts by currency, before and after discounts that hold at T, and a picture of those before, cohort
    by cohort, of the currency that most of them have: currencies are never added, nor drawn on one axis. Nothing where
    no cohort has recurring revenue."""
    rows = [(c, currency, amounts) for c, sides in each.items() for currency, amounts in sides.items()]
    if not rows:
        return {}
    table = markdown_table(HEADS, [_summed(rows, currency, exponents) for currency in sorted({r[1] for r in rows})])
    currency = _most_seen([r[1] for r in rows])
    own = [(cohort, amounts) for cohort, of, amounts in rows if of == currency]
    drawn = [(f"{c}: {_beside(a[0], a[1], currency, exponents)}", a[0], "") for c, a in own]
    words = f"recurring revenue of a year by cohort before discounts, in whole {currency}"
    return {"recurring revenue of all cohorts": table, words: picture(bars(drawn), words)}


def _summed(rows: Sequence[tuple[str, str, Amounts]], currency: str, exponents: Mapping[str, int]) -> tuple[str, ...]:
    own = [amounts for _cohort, of, amounts in rows if of == currency]
    old, new, old_after, new_after = (sum(amounts[n] for amounts in own) for n in range(4))
    told = (old, new, new - old, old_after, new_after, new_after - old_after)
    return (currency, *(named_amount(minor, currency, exponents) for minor in told))


def _beside(old: int, new: int, currency: str, exponents: Mapping[str, int]) -> str:
    """Before, and after where it differs: the UI shows no long drawing in its place, so that no text stands apart."""
    sides = [in_major(minor, currency, exponents) for minor in dict.fromkeys((old, new))]
    return " → ".join(f"{side:,.0f}" for side in sides if side is not None)


def _most_seen(currencies: Sequence[str]) -> str:
    return min(set(currencies), key=lambda c: (-currencies.count(c), c))
