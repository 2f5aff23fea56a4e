"""What the UI shows of bills to come: how many are the same, what differs and why, in money. Keys and counts only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.money import to_major
from migration_assets.stages.shadow.reasons import MEANS
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.comparison import Comparison

# So many of the largest differences that nobody signed for are listed.
_LISTED = 40


def bills_shown(engine: DuckDBEngine, found: Comparison, exponents: Mapping[str, int]) -> dict[str, Any]:
    """Metadata of what was compared. `exponents`: named overrides of the plan."""

    def money(minor: int, currency: str) -> str:
        return f"{to_major(minor, currency, exponents):,f} {currency}"

    causes = _causes(engine, found)
    return {
        "next bills": _in_words(engine, found),
        "money of the next bills": markdown_table(
            ("contracts", "bills", "old system", "target", "difference"),
            [
                (r["contracts"], r["bills"], *(money(r[c], r["currency"]) for c in ("old", "new", "difference")))
                for r in _totals(engine, found)
            ],
        ),
        "why bills differ": markdown_table(
            ("status", "cause", "lines", "bills", "contracts", "difference", "largest", "signed by"),
            [
                (
                    r["status"],
                    r["cause"],
                    r["line_kinds"] or "dates",
                    r["bills"],
                    r["contracts"],
                    money(r["difference"], r["currency"]),
                    money(r["largest"], r["currency"]),
                    r["signed_by"] or "",
                )
                for r in causes
            ],
        ),
        "bills that differ, by cause": picture(_drawn(causes), "bills that differ, by cause, on a logarithmic scale"),
        "largest that nobody signed for": markdown_table(
            ("contract", "bill of", "cause", "lines", "billed by", "difference"),
            [
                (
                    r["contract_id"],
                    r["starts_at"].date(),
                    r["cause"],
                    r["line_kinds"],
                    r["billed_by"],
                    money(r["difference_minor"], r["currency"]),
                )
                for r in _largest(engine, found)
            ],
        ),
        "contracts that cannot be billed": markdown_table(
            ("side", "why", "that is", "contracts"), _unbillable(engine, found)
        ),
    }


def _in_words(engine: DuckDBEngine, found: Comparison) -> str:
    forecast = found.forecast
    whole = forecast.aggregate(
        contracts=_.count(),
        bills=_.legacy_bills.sum(),
        **{f"{s}_{n}": _[f"{s}_{n}"].sum() for s in ("signed", "unsigned", "rejected") for n in ("bills",)},
        same=(
            (_.signed_bills == 0)
            & (_.unsigned_bills == 0)
            & (_.rejected_bills == 0)
            & _.legacy_reason.isnull()
            & _.target_reason.isnull()
        ).sum(),
        unproved=(~_.proved.fill_null(True)).sum(),
    )
    r = {k: v or 0 for k, v in engine.arrow(whole).to_pylist()[0].items()}
    return (
        f"{r['same']:,} of {r['contracts']:,} contracts the same to the minor unit, {r['bills']:,} bills; "
        f"bills that differ: {r['signed_bills']:,} as signed, {r['rejected_bills']:,} for rejected rows, "
        f"{r['unsigned_bills']:,} that nobody signed for; "
        f"{r['unproved']:,} contracts whose issued invoices the old rules do not make"
    )


def _totals(engine: DuckDBEngine, found: Comparison) -> list[dict[str, Any]]:
    each = (
        found.forecast.filter(_.currency.notnull())
        .group_by("currency")
        .aggregate(
            contracts=_.count(),
            bills=_.legacy_bills.sum(),
            old=_.legacy_minor.sum(),
            new=_.target_minor.sum(),
            difference=(_.target_minor - _.legacy_minor).sum(),
        )
    )
    return list(engine.arrow(each.order_by("currency")).to_pylist())


def _causes(engine: DuckDBEngine, found: Comparison) -> list[dict[str, Any]]:
    each = found.differences.group_by("status", "cause", "line_kinds", "currency").aggregate(
        bills=_.count(),
        contracts=_.contract_id.nunique(),
        difference=_.difference_minor.sum(),
        largest=_.at_stake_minor.max(),
        signed_by=_.signed_by.max(),
    )
    order = [each["status"].desc(), each["bills"].desc(), "cause", "line_kinds", "currency"]
    return list(engine.arrow(each.order_by(order)).to_pylist())


def _drawn(causes: list[dict[str, Any]]) -> str:
    bills: Counter[str] = Counter()
    for r in causes:
        bills[f"{r['cause']}, {r['status']}"] += r["bills"]
    return bars([(name, n, f"{n:,}") for name, n in bills.most_common()], scale="log")


def _largest(engine: DuckDBEngine, found: Comparison) -> list[dict[str, Any]]:
    unsigned = found.differences.filter(_.status == "unsigned")
    order = [unsigned["at_stake_minor"].desc(), "contract_id", "cycle", "cause"]
    return list(engine.arrow(unsigned.order_by(order).limit(_LISTED)).to_pylist())


def _unbillable(engine: DuckDBEngine, found: Comparison) -> list[tuple[str, str, str, int]]:
    rows: list[tuple[str, str, str, int]] = []
    for side, column in (("old system", "legacy_reason"), ("target", "target_reason")):
        told = found.forecast.filter(_[column].notnull()).group_by(why=_[column]).aggregate(contracts=_.count())
        rows += [
            (side, r["why"], MEANS[r["why"]], r["contracts"]) for r in engine.arrow(told.order_by("why")).to_pylist()
        ]
    return rows
