"""The next bills of every cohort beside each other, with a sum: the page of an asset shows the last cohort only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.shown_money import named_amount
from migration_assets.stages.shadow.signed import SIGNED, UNSIGNED
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.words import STATUS

if TYPE_CHECKING:
    from pathlib import Path

    from migration_assets.control import Basis
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.call import StageCall
    from migration_assets.wiring.workspace import Workspace

_COUNTS = ("contracts", "bills", *(f"{s}_bills" for s in (SIGNED, REJECTED, UNSIGNED)))
_MONEY = ("old", "new", "difference", "unsigned")
# What was counted of a cohort, by currency; "" where a contract has none.
Counted = Mapping[str, Mapping[str, int]]


def bills_of_all(call: StageCall, stage: str) -> dict[str, Any]:
    """Metadata over all cohorts whose bills this stage compared on this basis, this one among them."""
    compared, missing = compared_cohorts(call.workspace, call.basis, stage)
    each = {c: _counted(call.engine, call.workspace.store.file(stage, c, "forecast")) for c in compared}
    return totals_shown(each, missing, call.plan.file.currency_exponents)


def compared_cohorts(workspace: Workspace, basis: Basis, stage: str) -> tuple[list[str], list[str]]:
    """Cohorts whose bills were compared on this basis, and the others."""
    planned = [c.name for c in workspace.control.cohorts(workspace.record())]
    found = workspace.control.status(basis, planned, (stage,), datetime.now(UTC))
    current = {s.cohort for s in found if s.state not in ("never", "stale")}
    present = {c for c in current if workspace.store.file(stage, c, "forecast").exists()}
    return [c for c in planned if c in present], [c for c in planned if c not in present]


def _counted(engine: DuckDBEngine, forecast: Path) -> Counted:
    each = (
        engine.read(forecast)
        .group_by(currency=_.currency.fill_null(""))
        .aggregate(
            contracts=_.count(),
            bills=_.legacy_bills.sum(),
            **{f"{s}_bills": _[f"{s}_bills"].sum() for s in (SIGNED, REJECTED, UNSIGNED)},
            old=_.legacy_minor.sum(),
            new=_.target_minor.sum(),
            difference=(_.target_minor - _.legacy_minor).sum(),
            unsigned=_.unsigned_minor.sum(),
        )
    )
    rows = engine.arrow(each.order_by("currency")).to_pylist()
    return {r["currency"]: {c: int(r[c] or 0) for c in (*_COUNTS, *_MONEY)} for r in rows}


def totals_shown(each: Mapping[str, Counted], missing: Sequence[str], exponents: Mapping[str, int]) -> dict[str, Any]:
    """A row for each cohort and their sum; money by currency, which is never added over currencies."""
    rows = [(cohort, *_sum(counted.values(), _COUNTS)) for cohort, counted in each.items()]
    whole = _sum([one for counted in each.values() for one in counted.values()], _COUNTS)
    currencies = sorted({currency for counted in each.values() for currency in counted if currency})
    money = [(c, _sum([counted[c] for counted in each.values() if c in counted], _MONEY)) for c in currencies]
    heads = ("cohort", "contracts", "bills", *(f"differ: {STATUS[s]}" for s in (SIGNED, REJECTED, UNSIGNED)))
    amounts = ("currency", "old system", "target", "difference", "at stake, nobody signed for it")
    return {
        "all cohorts so far": _in_words(len(rows), whole, missing),
        "next bills by cohort": markdown_table(heads, [*rows, (f"all {len(rows)}", *whole)]),
        "money of all cohorts": markdown_table(
            amounts, [(c, *(named_amount(minor, c, exponents) for minor in sums)) for c, sums in money]
        ),
    }


def _sum(counted: Any, names: Sequence[str]) -> tuple[int, ...]:
    rows = list(counted)
    return tuple(sum(r[name] for r in rows) for name in names)


def _in_words(cohorts: int, whole: Sequence[int], missing: Sequence[str]) -> str:
    contracts, bills, signed, rejected, unsigned = whole
    left = f"; not among them yet: {', '.join(missing)}" if missing else ""
    return (
        f"{bills:,} bills of {contracts:,} contracts in {cohorts} cohorts; bills that differ: {signed:,} as signed, "
        f"{rejected:,} for rejected rows, {unsigned:,} that nobody signed for{left}"
    )
