"""What a rollback cannot simply undo once the new system has worked: a statement of what has to be made good (Z7).

Pure: it is given what the new system did since the load, and says what follows. Money is in minor units, by customer
and currency, never summed over currencies. A customer goes by the key of their source row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Kind = Literal["invoice", "credit_memo", "payment", "refund", "write_off"]
# States in which a document counts: an invoice that was issued, money that has moved.
_COUNTS: Mapping[Kind, frozenset[str] | None] = {
    "invoice": frozenset({"open", "partially_paid", "paid", "overdue", "written_off"}),
    "credit_memo": frozenset({"open", "applied"}),
    "payment": frozenset({"settled", "refunded"}),
    "refund": frozenset({"settled"}),
    "write_off": None,
}
# States in which it is not decided yet which system has it.
IN_FLIGHT: Mapping[Kind, frozenset[str]] = {
    "invoice": frozenset({"draft"}),
    "payment": frozenset({"pending"}),
    "refund": frozenset({"pending"}),
}


@dataclass(frozen=True)
class Document:
    """An invoice, credit memo, payment, refund or write-off that the new system made since the load."""

    customer: str
    kind: Kind
    status: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class Usage:
    """A metered event that the new system counted since the load; `contract` by the key of its source row."""

    customer: str
    contract: str
    feature: str
    units: Decimal
    occurred_at: datetime


@dataclass(frozen=True)
class Credit:
    """What one customer is owed in one currency when the old system bills again.

    `credit_minor`: issued by the new system, less what it credited or gave up itself; a credit memo over it makes its
    invoices void. `money_minor`: received less refunded; to be refunded, or carried to the old system as a credit
    balance. Either may be negative: then the customer owes it.
    """

    customer: str
    currency: str
    invoices: int
    invoiced_minor: int
    credited_minor: int
    received_minor: int
    refunded_minor: int

    @property
    def credit_minor(self) -> int:
        return self.invoiced_minor - self.credited_minor

    @property
    def money_minor(self) -> int:
        return self.received_minor - self.refunded_minor


@dataclass(frozen=True)
class UsageBack:
    """Units of a feature to be added to the old system's counter: events from `first_at` to `last_at`."""

    customer: str
    contract: str
    feature: str
    events: int
    units: Decimal
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Statement:
    """What has to be made good, and what stays as it happened, in sentences."""

    credits: tuple[Credit, ...]
    usage: tuple[UsageBack, ...]
    stays: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the new system has done nothing since the load."""
        return not (self.credits or self.usage or self.stays)


def statement(documents: Iterable[Document], usage: Iterable[Usage], others: Mapping[str, int]) -> Statement:
    """The statement. `others`: rows the new system made since in other tables, by table."""
    made = tuple(documents)
    return Statement(_credits(made), _usage_back(usage), tuple(_stays(made, others)))


def _credits(documents: tuple[Document, ...]) -> tuple[Credit, ...]:
    sums: dict[tuple[str, str], Counter[str]] = {}
    for d in documents:
        counting = _COUNTS[d.kind]
        if counting is None or d.status in counting:
            of_customer = sums.setdefault((d.customer, d.currency), Counter())
            of_customer[d.kind] += d.amount_minor
            of_customer["invoices"] += d.kind == "invoice"
    return tuple(
        Credit(
            customer,
            currency,
            s["invoices"],
            s["invoice"],
            s["credit_memo"] + s["write_off"],
            s["payment"],
            s["refund"],
        )
        for (customer, currency), s in sorted(sums.items())
    )


def _usage_back(usage: Iterable[Usage]) -> tuple[UsageBack, ...]:
    by_counter: dict[tuple[str, str, str], list[Usage]] = {}
    for u in usage:
        by_counter.setdefault((u.customer, u.contract, u.feature), []).append(u)
    return tuple(
        UsageBack(
            *place,
            events=len(events),
            units=sum((u.units for u in events), Decimal(0)),
            first_at=min(u.occurred_at for u in events),
            last_at=max(u.occurred_at for u in events),
        )
        for place, events in sorted(by_counter.items())
    )


def _stays(documents: tuple[Document, ...], others: Mapping[str, int]) -> list[str]:
    """What no credit makes undone."""
    counts = Counter(d.kind for d in documents if _is_fixed(d))
    flying = Counter(d.kind for d in documents if d.status in IN_FLIGHT.get(d.kind, frozenset()))
    said = [
        (counts["invoice"], "invoices were issued: their numbers are used up, and customers have them"),
        (counts["payment"], "payments were taken: the money has moved"),
        (counts["refund"], "refunds were paid: the money has moved"),
        (flying["invoice"], "invoices are drafts: delete them in the new system before the old one bills"),
        (flying["payment"], "payments are pending: wait for them, or cancel them, before the old system collects"),
        (flying["refund"], "refunds are pending: wait for them before money is returned"),
    ]
    rows = [f"{n} rows of {table} were made by the new system" for table, n in sorted(others.items()) if n]
    return [f"{n} {text}" for n, text in said if n] + rows


def _is_fixed(document: Document) -> bool:
    counting = _COUNTS[document.kind]
    return document.status == "void" or counting is None or document.status in counting
