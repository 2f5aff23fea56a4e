"""One customer's account as plain data, ready for JSON: bills, access, credits, causes, signatures, and what it all
comes to. Amounts are whole minor units beside their currency; instants are ISO 8601 in UTC. Keys and no names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from migration_assets.domain.bill_parity import REJECTED
from migration_assets.domain.calendar import zone_of
from migration_assets.domain.money import written
from migration_assets.stages.certificate.causes import worst
from migration_assets.stages.certificate.credits import Credits, Drawn, drawn
from migration_assets.stages.shadow.signed import SIGNED, UNSIGNED

if TYPE_CHECKING:
    from migration_assets.domain.bill import Bill, Line
    from migration_assets.domain.bill_parity import LinePair
    from migration_assets.domain.calendar import Period
    from migration_assets.stages.certificate.bills import BillPair, Due
    from migration_assets.stages.certificate.grants import Grants

Row = Mapping[str, Any]
Plain = dict[str, Any]
# What an account comes to, from the one that needs no look to the one that needs it most. `rejected`: rows were left
# out, and their money is missing from the bills. `unproved`: the old rules do not tell what would be billed, or do not
# make what was issued. `open`: something differs, or cannot be billed, and nobody has signed for it.
Outcome = Literal["equal", "signed", "rejected", "unproved", "open"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_OF_BILL: dict[str, Outcome] = {
    "equal": "equal", "rounding": "signed", "signed": "signed", "rejected": "rejected", "unsigned": "open",
    "unexplained": "open",
}  # fmt: skip
_OF_ACCESS: dict[str, Outcome] = {SIGNED: "signed", REJECTED: "rejected", UNSIGNED: "open"}


@dataclass(frozen=True)
class Known:
    """All that is known of the customers at hand: by contract `bills`, `forecast`, `issued` (invoices made again),
    `left_out` and `zones`; by item `products`; by feature `units` (None: a switch), and `other_units` with their
    factors, as exact text."""

    bills: Mapping[str, Sequence[BillPair]]
    forecast: Mapping[str, Row]
    issued: Mapping[str, Sequence[Row]]
    left_out: Mapping[str, Sequence[Row]]
    zones: Mapping[str, str]
    products: Mapping[str, str]
    units: Mapping[str, str | None]
    credits: Credits
    grants: Grants
    other_units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def content_of(known: Known, customer: str | None, contracts: Iterable[str]) -> Plain:
    """Bills, credits and access of one customer (a canonical key; None: nobody's) with these contracts."""
    own = sorted(contracts)
    pairs = [p for c in own for p in known.bills.get(c, ())]
    taken = drawn(known.credits, customer or "", *_sides(pairs))
    told = [_contract(known, c, taken) for c in own]
    access = _access(known, customer)
    return {
        "outcome": _outcome(told, access, known.credits.unreadable.get(customer or "", [])),
        "money": _money(told),
        "contracts": told,
        "credits": _credits(known.credits, customer or ""),
        "access": access,
    }


def _sides(pairs: Iterable[BillPair]) -> tuple[list[Bill], list[Bill]]:
    listed = list(pairs)
    return [p.before for p in listed if p.before], [p.after for p in listed if p.after]


# --- contracts and bills -------------------------------------------------------------------------------------------


def _contract(known: Known, contract: str, taken: Drawn) -> Plain:
    forecast = known.forecast.get(contract, {})
    zone = known.zones.get(contract, "UTC")
    bills = [_bill(p, known.products, taken, zone) for p in known.bills.get(contract, ())]
    return {
        "contract": contract,
        "currency": forecast.get("currency"),
        "zone": zone,
        "class": worst(b["class"] for b in bills),
        "old_rules_make_its_invoices": forecast.get("proved"),
        "cannot_be_told_before": forecast.get("legacy_reason"),
        "cannot_be_billed_after": forecast.get("target_reason"),
        "rows_left_out": [dict(r) for r in known.left_out.get(contract, ())],
        "issued": [_issued(r) for r in known.issued.get(contract, ())],
        "bills": bills,
    }


def _issued(row: Row) -> Plain:
    return {
        "invoice": row["invoice_id"],
        "from": None if row["period_from"] is None else row["period_from"].isoformat(),
        "currency": row["currency"],
        "issued_minor": row["issued_minor"],
        "made_again_minor": row["issued_minor"] + row["difference_minor"],
        "made_again": row["reproduced"],
        "reasons": row["reasons"].split(),
        "lines": row["lines"].split(),
    }


def _bill(pair: BillPair, products: Mapping[str, str], taken: Drawn, zone: str) -> Plain:
    key = (pair.contract_id, pair.cycle)
    # Less credit on a bill is more to pay.
    credit = -taken.apart.get(key, 0)
    shown = pair.after or pair.before
    return {
        "cycle": pair.cycle,
        "currency": shown.currency if shown else None,
        "class": worst([pair.kind, "unexplained" if credit else "equal"]),
        "before": _side(pair.before, taken.before.get(key, 0), zone),
        "after": _side(pair.after, taken.after.get(key, 0), zone),
        "difference_minor": pair.difference_minor,
        "credit_difference_minor": credit,
        "due_to": [_due(d) for d in pair.due_to],
        "lines": [_line_pair(p, products, zone) for p in pair.lines],
    }


def _side(bill: Bill | None, credit: int, zone: str) -> Plain | None:
    if bill is None:
        return None
    total = bill.total_minor
    return _covers(bill.covers, zone) | {
        "net_minor": bill.subtotal_minor,
        "tax_minor": bill.tax_minor,
        "total_minor": total,
        "credit_minor": credit,
        "to_pay_minor": total - credit,
    }


def _due(due: Due) -> Plain:
    signed = due.signed
    return {
        "cause": due.cause,
        "class": due.kind,
        "difference_minor": due.difference_minor,
        "signed": signed
        and {
            "by": signed.signed_by,
            "on": signed.signed_on.isoformat(),
            "reason": signed.reason,
            "at_most_minor": signed.at_most_minor,
            "expires_on": signed.expires_on and signed.expires_on.isoformat(),
        },
    }


def _covers(period: Period, zone: str) -> Plain:
    """The instants, and what the contract's own clocks show then: a day where it begins."""
    instants = {"starts_at": period.starts_at, "ends_at": period.ends_at}
    local = {n: _local(m, zone) for n, m in zip(("from", "until"), instants.values(), strict=True)}
    return {n: _instant(m) for n, m in instants.items()} | local


def _local(moment: datetime, zone: str) -> str:
    local = moment.astimezone(zone_of(zone))
    return f"{local:%Y-%m-%d}" if not (local.hour or local.minute or local.second) else f"{local:%Y-%m-%d %H:%M:%S}"


def _line_pair(pair: LinePair, products: Mapping[str, str], zone: str) -> Plain:
    return {
        "kind": pair.kind,
        "item": pair.item_id or None,
        "product": products.get(pair.item_id),
        "same": pair.same,
        "before": _line(pair.before, zone),
        "after": _line(pair.after, zone),
    }


def _line(line: Line | None, zone: str) -> Plain | None:
    if line is None:
        return None
    return _covers(line.covers, zone) | {"amount_minor": line.amount_minor, "tax_minor": line.tax_minor}


# --- credits and access --------------------------------------------------------------------------------------------


def _credits(credits: Credits, customer: str) -> list[Plain]:
    """Credits of both sides by id: what is left of each, in its currency. What has been read wrong has no amount."""
    before = {c.credit_id: c for c in credits.before.get(customer, ())}
    after = {c.credit_balance_id: c for c in credits.after.get(customer, ())}
    lost = set(credits.unreadable.get(customer, ()))
    return [
        {
            "credit": own,
            "currency": known.currency if (known := before.get(own) or after.get(own)) else None,
            "before_minor": before[own].balance_minor if own in before else None,
            "after_minor": after[own].balance_minor if own in after else None,
            "unreadable_before": own in lost,
        }
        for own in sorted(before.keys() | after.keys() | lost)
    ]


def _access(known: Known, customer: str | None) -> Plain:
    grants, own = known.grants, customer or ""
    sides = [grants.before.get(own, []), grants.after.get(own, []), grants.apart.get(own, [])]
    subjects = sorted({(r["feature"], r["region"]) for rows in sides for r in rows})
    return {
        "until": _instant(grants.until),
        "cannot_be_told_before": grants.unanswerable.get(own),
        "features": [
            {
                "feature": feature,
                "region": region,
                "unit": known.units.get(feature),
                "units": dict(known.other_units.get(feature, {})),
                "before": [_span(r) for r in sides[0] if (r["feature"], r["region"]) == (feature, region)],
                "after": [_span(r) for r in sides[1] if (r["feature"], r["region"]) == (feature, region)],
                "differences": [_apart(r) for r in sides[2] if (r["feature"], r["region"]) == (feature, region)],
            }
            for feature, region in subjects
        ],
    }


def _span(row: Row, side: str = "") -> Plain:
    return {"starts_at": _instant(row["starts_at"]), "ends_at": _instant(row["ends_at"]), **_answer(row, side)}


def _answer(row: Row, side: str) -> Plain:
    """`allowed` None: nothing is said. `limit` None: without limit, where it is allowed."""
    limit: Decimal | None = row[f"{side}limit_units"]
    return {
        "allowed": row[f"{side}allowed"],
        "limit": None if limit is None else written(limit).replace(",", ""),
        "overage": row[f"{side}overage"],
    }


def _apart(row: Row) -> Plain:
    return {
        "kind": row["kind"],
        "status": row["status"],
        "signed_by": row["signed_by"],
        "starts_at": _instant(row["starts_at"]),
        "ends_at": _instant(row["ends_at"]),
        "before": _answer(row, "before_"),
        "after": _answer(row, "after_"),
    }


# --- what it comes to ----------------------------------------------------------------------------------------------


def _outcome(contracts: Iterable[Plain], access: Plain, unreadable_credits: Sequence[str]) -> str:
    found: list[Outcome] = ["equal"]
    for c in contracts:
        found.append(_OF_BILL[c["class"]])
        if c["cannot_be_billed_after"]:
            found.append("open")
        if c["cannot_be_told_before"] or c["old_rules_make_its_invoices"] is False:
            found.append("unproved")
    found += [_OF_ACCESS[d["status"]] for f in access["features"] for d in f["differences"]]
    if access["cannot_be_told_before"] or unreadable_credits:
        found.append("unproved")
    return max(found, key=OUTCOMES.index)


def _money(contracts: Iterable[Plain]) -> list[Plain]:
    """Bills and what they come to, by currency, which are never added (I25)."""
    totals: dict[str, Plain] = {}
    for b in (b for c in contracts for b in c["bills"]):
        one = totals.setdefault(b["currency"], {"bills": 0, "before_minor": 0, "after_minor": 0, "difference_minor": 0})
        one["bills"] += 1
        one["before_minor"] += b["before"]["total_minor"] if b["before"] else 0
        one["after_minor"] += b["after"]["total_minor"] if b["after"] else 0
        one["difference_minor"] += b["difference_minor"]
    return [{"currency": currency, **totals[currency]} for currency in sorted(totals)]


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
