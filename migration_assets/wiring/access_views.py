"""What the UI shows of what customers may do on both sides: what is the same, what differs, whose. Keys and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.money import to_major
from migration_assets.stages.shadow.access_listing import in_words
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.access_comparison import AccessComparison

# So many of the losses that nobody signed for are listed, those of the largest customers first.
_LISTED = 40


def access_shown(engine: DuckDBEngine, found: AccessComparison, exponents: Mapping[str, int]) -> dict[str, Any]:
    """Metadata of what was compared. `exponents`: named overrides of the plan."""
    changed = _by_feature(engine, found)
    return {
        "access": _in_words(engine, found),
        "access by feature": markdown_table(
            ("status", "feature", "difference", "customers", "spans", "signed by"),
            [(r["status"], r["feature"], r["kind"], r["customers"], r["spans"], r["signed_by"] or "") for r in changed],
        ),
        "customers whose access differs, by feature": picture(
            bars(
                [
                    (f"{r['feature']}: {r['kind']}, {r['status']}", r["customers"], f"{r['customers']:,}")
                    for r in changed
                ]
            ),
            "customers whose access differs, by feature and kind of difference",
        ),
        "losses that nobody signed for": markdown_table(
            ("customer", "feature", "region", "from", "until", "before", "after", "billed in a year"),
            [
                (
                    r["customer_id"],
                    r["feature"],
                    r["region"],
                    r["starts_at"].date(),
                    r["ends_at"].date() if r["ends_at"] else "",
                    in_words(r, "before"),
                    in_words(r, "after"),
                    f"{to_major(r['yearly_minor'], r['currency'], exponents):,f} {r['currency']}"
                    if r["currency"]
                    else "",
                )
                for r in _losses(engine, found)
            ],
        ),
        "customers whose access cannot be told": markdown_table(("why", "customers"), _unanswerable(engine, found)),
    }


def _in_words(engine: DuckDBEngine, found: AccessComparison) -> str:
    rows = found.customers
    apart = sum(
        (rows[c] for c in rows.columns if c.startswith(("signed_", "unsigned_", "rejected_"))), rows["legacy_spans"] * 0
    )
    told = rows.aggregate(
        customers=_.count(),
        same=((apart == 0) & rows["unanswerable"].isnull()).sum(),
        lose=(_.unsigned_loss > 0).sum(),
        gain=(_.unsigned_gain > 0).sum(),
        change=(_.unsigned_change > 0).sum(),
        signed=(_.signed_loss + _.signed_gain + _.signed_change > 0).sum(),
        rejected=(_.rejected_loss > 0).sum(),
        lost=_.unanswerable.count(),
    )
    r = {k: v or 0 for k, v in engine.arrow(told).to_pylist()[0].items()}
    return (
        f"{r['same']:,} of {r['customers']:,} customers the same at every instant of the next 13 months; "
        f"nobody signed for: {r['lose']:,} lose, {r['gain']:,} gain, {r['change']:,} change; "
        f"{r['signed']:,} differ as signed, {r['rejected']:,} lose by rejected rows; of {r['lost']:,} it cannot be told"
    )


def _by_feature(engine: DuckDBEngine, found: AccessComparison) -> list[dict[str, Any]]:
    each = found.differences.group_by("status", "feature", "kind").aggregate(
        customers=_.customer_id.nunique(), spans=_.count(), signed_by=_.signed_by.max()
    )
    return list(
        engine.arrow(each.order_by([each["status"].desc(), each["customers"].desc(), "feature", "kind"])).to_pylist()
    )


def _losses(engine: DuckDBEngine, found: AccessComparison) -> list[dict[str, Any]]:
    lost = found.differences.filter((_.status == "unsigned") & (_.kind == "loss"))
    order = [lost["yearly_minor"].fill_null(0).desc(), "customer_id", "feature", "region", "starts_at"]
    return list(engine.arrow(lost.order_by(order).limit(_LISTED)).to_pylist())


def _unanswerable(engine: DuckDBEngine, found: AccessComparison) -> list[tuple[str, int]]:
    told = found.customers.filter(_.unanswerable.notnull()).group_by(why=_.unanswerable).aggregate(customers=_.count())
    return [(r["why"], r["customers"]) for r in engine.arrow(told.order_by("why")).to_pylist()]
