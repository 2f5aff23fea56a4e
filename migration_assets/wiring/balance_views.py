"""What the UI shows of balances on both sides: what is the same, what differs, how old receivables are. Keys, numbers
of invoices and money only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.open_balance import AGE_BANDS
from migration_assets.stages.shadow.balances.ledger import MEASURES
from migration_assets.stages.shadow.balances.listing import written
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.balances.comparison import BalanceComparison

# So many of the largest differences that nobody explains are listed.
_LISTED = 40
_WORDS = {
    "not_due": "not due",
    "1_30": "1-30 days",
    "31_60": "31-60 days",
    "61_90": "61-90 days",
    "over_90": "over 90 days",
    "": "",
}


def balances_shown(engine: DuckDBEngine, found: BalanceComparison, exponents: Mapping[str, int]) -> dict[str, Any]:
    """Metadata of what was compared. `exponents`: named overrides of the plan."""

    def money(minor: int, currency: str) -> str:
        return written(minor, currency, exponents)

    tied = _tied(engine, found)
    return {
        "balances": _in_words(engine, found),
        "tie-out by legal entity": markdown_table(
            ("legal entity", "measure", "age", "old system", "target", "rejected rows", "difference", "status"),
            [
                (
                    r["legal_entity"],
                    r["measure"].replace("_", " "),
                    _WORDS[r["age"]],
                    *(money(r[f"{c}_minor"], r["currency"]) for c in ("legacy", "target", "rejected", "difference")),
                    r["status"],
                )
                for r in tied
            ],
        ),
        "open invoices by age": picture(_drawn(tied), "open invoices of the old system and the target by age"),
        "balances that nobody explains": markdown_table(
            ("customer", "measure", "age", "invoice", "old system", "target", "difference"),
            [
                (
                    r["customer_id"],
                    r["measure"].replace("_", " "),
                    _WORDS[r["age"]],
                    r["item"],
                    *(money(r[f"{c}_minor"], r["currency"]) for c in ("legacy", "target", "difference")),
                )
                for r in _largest(engine, found)
            ],
        ),
        "records of balances that cannot be read": markdown_table(("record", "why", "rows"), _unread(engine, found)),
    }


def _in_words(engine: DuckDBEngine, found: BalanceComparison) -> str:
    rows = found.balances
    told = rows.aggregate(
        balances=_.count(),
        same=(_.status == "same").sum(),
        unsigned=(_.status == "unsigned").sum(),
        rejected=(_.status == "rejected").sum(),
        customers=_.customer_id.nunique(),
        items=_.legacy_items.sum(where=_.measure == "receivables"),
        unlike=(~_.as_recorded.fill_null(True)).sum(),
        recorded=_.as_recorded.count(),
    )
    r = {k: v or 0 for k, v in engine.arrow(told).to_pylist()[0].items()}
    credits = engine.count(found.credits.filter(_.status != "same"))
    said = f"; {r['unlike']:,} of {r['recorded']:,} receivables are not what the old system itself says"
    return (
        f"{r['same']:,} of {r['balances']:,} balances of {r['customers']:,} customers the same to the minor unit, "
        f"{r['items']:,} open invoices among them; {r['unsigned']:,} differ and nobody explains why, "
        f"{r['rejected']:,} by rejected rows; {credits:,} credits differ in amount, expiry or turn"
        f"{said if r['recorded'] else ''}"
    )


def _tied(engine: DuckDBEngine, found: BalanceComparison) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(engine.arrow(found.tie_out).to_pylist())
    ages = ("", *AGE_BANDS)
    return sorted(
        rows,
        key=lambda r: (r["legal_entity"], r["currency"], MEASURES.index(r["measure"]), ages.index(r["age"])),
    )


def _drawn(tied: list[dict[str, Any]]) -> str:
    """Open invoices, since amounts of several currencies have no length in common."""
    items: Counter[tuple[str, str]] = Counter()
    for r in (r for r in tied if r["measure"] == "receivables"):
        for side in ("legacy", "target"):
            items[r["age"], side] += r[f"{side}_items"]
    sides = (("legacy", "old"), ("target", "target"))
    drawn = [(f"{_WORDS[a]}, {word}", items[a, side]) for a in AGE_BANDS for side, word in sides]
    return bars([(label, n, f"{n:,}") for label, n in drawn])


def _largest(engine: DuckDBEngine, found: BalanceComparison) -> list[dict[str, Any]]:
    unsigned = found.differences.filter(_.status == "unsigned")
    order = [unsigned["at_stake_minor"].desc(), "customer_id", "currency", "measure", "legal_entity", "age", "item"]
    return list(engine.arrow(unsigned.order_by(order).limit(_LISTED)).to_pylist())


def _unread(engine: DuckDBEngine, found: BalanceComparison) -> list[tuple[str, str, int]]:
    told = found.unread.group_by("record", "why").aggregate(rows=_.count())
    return [(r["record"], r["why"], r["rows"]) for r in engine.arrow(told.order_by(["record", "why"])).to_pylist()]
