"""Accounts of one customer put together in code: bills, credits and access as the engine would hand them over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from migration_assets.domain.bill import Bill, Line, LineKind
from migration_assets.domain.calendar import Period
from migration_assets.domain.legacy.credits import Credit
from migration_assets.domain.target.credits import CreditBalance
from migration_assets.plan.billing_models import AcceptedDifference
from migration_assets.stages.certificate.bills import BillPair, bill_pairs
from migration_assets.stages.certificate.content import Known, content_of
from migration_assets.stages.certificate.grants import Grants
from migration_assets.stages.certificate.sealed import FORMAT, file_name, sealed
from migration_assets.stages.shadow.credits import Credits

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
UNTIL = datetime(2027, 7, 30, 12, tzinfo=UTC)
CONTRACT, CUSTOMER = "S-1", "crm.a:1"
ROUNDING = AcceptedDifference(
    cause="round_at", at_most_minor=5, reason="One rounding for an invoice.", signed_by="Finance",
    signed_on=date(2026, 6, 1),
)  # fmt: skip


def line(amount: int, tax: int = 0, kind: LineKind = "recurring", item: str = "i", month: int = 7) -> Line:
    return Line(kind, item, month_of(month), amount, tax)


def month_of(month: int) -> Period:
    return Period(datetime(2026, month, 1, tzinfo=UTC), datetime(2026, month + 1, 1, tzinfo=UTC))


def bill(cycle: int, *lines: Line, currency: str = "EUR") -> Bill:
    covers = month_of(7 + cycle)
    return Bill(CONTRACT, cycle, covers.starts_at, covers, currency, lines)


def difference(cycle: int, cause: str, minor: int, status: str = "unsigned") -> dict[str, Any]:
    return {"contract_id": CONTRACT, "cycle": cycle, "cause": cause, "difference_minor": minor, "status": status}


def pairs(
    before: Sequence[Bill],
    after: Sequence[Bill],
    differences: Sequence[dict[str, Any]] = (),
    accepted: Sequence[AcceptedDifference] = (ROUNDING,),
) -> list[BillPair]:
    old, new = ({(b.subscription_id, b.cycle): b for b in side} for side in (before, after))
    return bill_pairs(old, new, differences, accepted, AS_OF)


def span(limit: str | None = "5", *, ends_at: datetime | None = UNTIL, feature: str = "seats") -> dict[str, Any]:
    return {
        "feature": feature, "region": "*", "starts_at": AS_OF, "ends_at": ends_at, "allowed": True,
        "limit_units": None if limit is None else Decimal(limit), "overage": "block",
    }  # fmt: skip


def apart(kind: str, status: str) -> dict[str, Any]:
    sides = {f"{s}_{n}": v for s in ("before", "after") for n, v in (("allowed", True), ("overage", "block"))}
    limits = {"before_limit_units": Decimal(5), "after_limit_units": Decimal(4)}
    return {
        "feature": "seats", "region": "*", "starts_at": AS_OF, "ends_at": UNTIL, "kind": kind, "status": status,
        "signed_by": "Sales" if status == "signed" else None, **sides, **limits,
    }  # fmt: skip


def known(
    bills: Sequence[BillPair] = (),
    credits: tuple[Sequence[Credit], Sequence[CreditBalance]] = ((), ()),
    access: Sequence[dict[str, Any]] = (),
    unreadable: Sequence[str] = (),
    unanswerable: str | None = None,
    **forecast: Any,
) -> Known:
    same = [span()]
    return Known(
        bills={CONTRACT: bills},
        forecast={CONTRACT: {"currency": "EUR", "proved": True, **forecast}},
        issued={},
        left_out={},
        zones={CONTRACT: "Europe/Berlin"},
        products={"i": "base"},
        units={"seats": "seat"},
        credits=Credits({CUSTOMER: list(credits[0])}, {CUSTOMER: list(credits[1])}, {CUSTOMER: list(unreadable)}),
        grants=Grants(
            UNTIL, {CUSTOMER: same}, {CUSTOMER: same}, {CUSTOMER: list(access)},
            {CUSTOMER: unanswerable} if unanswerable else {},
        ),
    )  # fmt: skip


def told(found: Known) -> dict[str, Any]:
    return content_of(found, CUSTOMER, [CONTRACT])


def certificate(found: Known, row: str = "crm.a#1", **more: Any) -> dict[str, Any]:
    """As `cutover certificate build` would seal it."""
    heading = {
        "format": FORMAT, "certificate": file_name(row),
        "plan": "coded", "plan_digest": "d" * 64, "snapshot": "S1", "as_of": "2026-06-30T12:00:00Z",
        "cohort": "pilot", "target": "as it would be loaded",
        "rules": {"signed_by": "F", "signed_on": "2026-06-01", "before": {"rounding": "half_up"}, "after": None},
        "customer": {"key": CUSTOMER, "row": row, "members": [{"key": CUSTOMER, "row": row}]},
    }  # fmt: skip
    return sealed({**heading, **told(found), "exponents": {"EUR": 2}, **more})
