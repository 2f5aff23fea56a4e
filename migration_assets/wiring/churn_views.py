"""What the UI shows of who would notice a move: how many, what they are worth, whether the budget bears it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.shown_money import named_amount
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.churn import Guarded

# So many customers are listed, the largest of those whom nobody signed for first.
_LISTED = 40


def churn_shown(engine: DuckDBEngine, found: Guarded, exponents: Mapping[str, int]) -> dict[str, Any]:
    """Metadata of what was found. `exponents`: named overrides of the plan."""

    def money(minor: int, currency: str | None) -> str:
        return named_amount(minor, currency, exponents) if currency else ""

    each = found.churn.group_by("status", "currency").aggregate(
        customers=_.count(),
        lose=(_.access_lost > 0).sum(),
        more=(_.bills_more > 0).sum(),
        yearly=_.yearly_minor.sum(),
    )
    sums = engine.arrow(each.order_by([each["status"].desc(), "currency"])).to_pylist()
    hit = sum(r["customers"] for r in sums if r["status"] == "unsigned")
    borne = "; the plan's budget bears them" if hit and found.within_budget else ""
    told = f"; {found.told}" if found.told else ""
    unsigned = found.churn.filter(_.status == "unsigned")
    largest = engine.arrow(unsigned.order_by([_.yearly_minor.desc(), "customer_id"]).limit(_LISTED)).to_pylist()
    return {
        "customers who would notice": f"{sum(r['customers'] for r in sums):,}, {hit:,} of them unsigned{borne}{told}",
        "who would notice, by what was signed": markdown_table(
            ("status", "customers", "lose access", "pay more", "billed in a year"),
            [(r["status"], r["customers"], r["lose"], r["more"], money(r["yearly"], r["currency"])) for r in sums],
        ),
        "largest who would notice unsigned": markdown_table(
            ("customer", "access lost", "bills more", "by", "bills less", "by", "billed in a year"),
            [
                (
                    r["customer_id"],
                    r["access_lost"],
                    r["bills_more"],
                    money(r["more_minor"], r["currency"]),
                    r["bills_less"],
                    money(r["less_minor"], r["currency"]),
                    money(r["yearly_minor"], r["currency"]),
                )
                for r in largest
            ],
        ),
    }
