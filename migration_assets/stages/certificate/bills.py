"""The next bills of some contracts on both sides, line beside line, and what each difference is due to.

The bills are made by what the stage that compares them makes them with, from the same rows; causes and signatures are
those it found. Both have to agree to the minor unit: a difference that was found and is not there, or the reverse, is
an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migration_assets.domain.bill import Bill, Line
from migration_assets.domain.bill_parity import LinePair, line_pairs
from migration_assets.domain.calendar import Period
from migration_assets.domain.errors import StageRefused
from migration_assets.domain.target import terms as new
from migration_assets.stages.certificate.causes import BillClass, class_of, signature_of, worst
from migration_assets.stages.shadow.forecast import new_bills, old_bills
from migration_assets.stages.shadow.parity import by_bill
from migration_assets.stages.shadow.runs import Bills, expanded
from migration_assets.stages.shadow.signed import SIGNED
from migration_assets.stages.shadow.target.holding import held_rows

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import AcceptedDifference, Billing, TargetBilling
    from migration_assets.plan.models import Plan
    from migration_assets.stages.certificate.cohort_rows import CohortRows

Exponents = Callable[[str], int]
Key = tuple[str, int]
Row = Mapping[str, Any]
_KEY = ("subscription_id", "cycle")


@dataclass(frozen=True)
class Due:
    """What one difference is due to. `signed`: what covers it, where somebody signed."""

    cause: str
    kind: BillClass
    difference_minor: int
    signed: AcceptedDifference | None


@dataclass(frozen=True)
class BillPair:
    """One bill of a contract on both sides; key: contract_id, cycle. A side that does not bill the cycle is None."""

    contract_id: str
    cycle: int
    before: Bill | None
    after: Bill | None
    due_to: tuple[Due, ...]

    @property
    def kind(self) -> str:
        return worst(d.kind for d in self.due_to)

    @property
    def lines(self) -> tuple[LinePair, ...]:
        return line_pairs(self.before, self.after)

    @property
    def difference_minor(self) -> int:
        """Target less old system."""
        return (self.after.total_minor if self.after else 0) - (self.before.total_minor if self.before else 0)


def both_sides(
    engine: DuckDBEngine,
    plan: Plan,
    billing: Billing,
    target: TargetBilling,
    rows: CohortRows,
    as_of: datetime,
    exponents: Exponents,
) -> tuple[Bills, Bills]:
    """The bills of the old system and of the target, by the old system's keys."""
    held = held_rows(engine, plan, rows.made.get)
    rules = new.Rules(**target.rules.model_dump())
    before = old_bills(engine, billing.legacy, rows.records, as_of, exponents)
    return before, new_bills(engine, held, rules, as_of, exponents, rows.origins)


def bill_pairs(
    before: Mapping[Key, Bill],
    after: Mapping[Key, Bill],
    differences: Iterable[Row],
    accepted: Sequence[AcceptedDifference],
    as_of: datetime,
) -> list[BillPair]:
    """Every bill of both sides by contract and cycle. `differences`: rows as the stage keeps them.

    StageRefused when bills and differences do not belong together.
    """
    due: defaultdict[Key, list[Due]] = defaultdict(list)
    for row in differences:
        due[row["contract_id"], row["cycle"]].append(_due(row, accepted, as_of))
    pairs = [
        BillPair(*key, before.get(key), after.get(key), tuple(sorted(due[key], key=lambda d: d.cause)))
        for key in sorted(before.keys() | after.keys() | due.keys())
    ]
    for pair in pairs:
        _refuse_another(pair)
    return pairs


def _due(row: Row, accepted: Sequence[AcceptedDifference], as_of: datetime) -> Due:
    signed = None
    if row["status"] == SIGNED:
        minor = row["difference_minor"]
        signed = signature_of(accepted, row["contract_id"], row["cause"], minor, as_of.date())
        if signed is None:
            raise _another(row["contract_id"])
    return Due(row["cause"], class_of(row["cause"], row["status"]), row["difference_minor"], signed)


def _refuse_another(pair: BillPair) -> None:
    """Whether what was found fits the bill, money and lines."""
    found = sum(d.difference_minor for d in pair.due_to)
    if found != pair.difference_minor or (not pair.due_to and not _same(pair.before, pair.after)):
        raise _another(pair.contract_id)


def _same(before: Bill | None, after: Bill | None) -> bool:
    told = [b and (b.covers, b.currency) for b in (before, after)]
    return told[0] == told[1] and all(pair.same for pair in line_pairs(before, after))


def _another(contract_id: str) -> StageRefused:
    return StageRefused(
        f"contract {contract_id}: its bills are not those that were compared, so nothing is told of them",
        "Something has changed since: run `cutover run` for the cohort again.",
    )


def as_bills(engine: DuckDBEngine, bills: Bills) -> dict[Key, Bill]:
    """Runs spread into bills, one without lines too."""
    lines: defaultdict[Key, list[Line]] = defaultdict(list)
    spread = expanded(bills.schedules, bills.runs, bills.lines).order_by([*_KEY, "position"])
    for r in engine.arrow(spread).to_pylist():
        covers = Period(r["starts_at"], r["ends_at"])
        line = Line(r["kind"], r["item_id"] or "", covers, r["amount_minor"], r["tax_minor"])
        lines[r["subscription_id"], r["cycle"]].append(line)
    heads = by_bill(bills).select(*_KEY, "currency", "starts_at", "ends_at")
    return {
        (r["subscription_id"], r["cycle"]): Bill(
            r["subscription_id"],
            r["cycle"],
            r["starts_at"],
            Period(r["starts_at"], r["ends_at"]),
            r["currency"],
            tuple(lines[r["subscription_id"], r["cycle"]]),
        )
        for r in engine.arrow(heads).to_pylist()
    }
