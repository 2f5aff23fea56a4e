"""What the UI shows of what is due after credit: by currency, counts and money only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.stages.shadow.balances.listing import written
from migration_assets.stages.shadow.dues import SAME
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_HEADS = (
    "currency", "bills", "old system bills", "credit pays", "due", "target bills", "credit pays", "due",
    "bills that credit pays another part of",
)  # fmt: skip


def dues_shown(engine: DuckDBEngine, dues: ir.Table, exponents: Mapping[str, int]) -> dict[str, Any]:
    """Bills that credit pays a part of, by currency; nothing where there is no credit. `exponents`: of the plan."""
    sums = {f"{s}_{a}": dues[f"{s}_{a}"].sum() for s in ("legacy", "target") for a in ("minor", "credit_minor")}
    told = dues.group_by("currency").aggregate(bills=_.count(), apart=(_.status != SAME).sum(), **sums)
    rows = engine.arrow(told.order_by("currency")).to_pylist()
    return {"due after credit": markdown_table(_HEADS, [_shown(r, exponents) for r in rows])} if rows else {}


def _shown(row: Mapping[str, Any], exponents: Mapping[str, int]) -> tuple[str, ...]:
    def side(name: str) -> tuple[str, ...]:
        total, credit = int(row[f"{name}_minor"]), int(row[f"{name}_credit_minor"])
        return tuple(written(minor, row["currency"], exponents) for minor in (total, credit, total - credit))

    return (row["currency"], f"{row['bills']:,}", *side("legacy"), *side("target"), f"{int(row['apart']):,}")
