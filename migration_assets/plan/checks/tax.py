"""tax.csv: one rate for a country and day, of countries there are, each a percentage, and somebody who reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from migration_assets.domain.errors import Fault
from migration_assets.plan.checks.standards import is_country
from migration_assets.plan.checks.view import PlanView
from migration_assets.plan.wording import shown

TAX = "tax.csv"
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,10})?")


def tax_faults(view: PlanView) -> Iterator[Fault]:
    """Everything about tax.csv, that it is missing or in vain included."""
    yield from _row_faults(view)
    billing = view.plan.billing
    if billing is not None and billing.target is not None and not view.plan.tax:
        remedy = "write country, valid_from and percent as the tax engine has them"
        yield Fault(TAX, 0, "", "nothing says what tax the new platform charges", remedy)
    if view.plan.tax and (billing is None or billing.target is None):
        remedy = "say in billing.yaml how the new platform bills (`target`), or remove the file"
        yield Fault(TAX, 0, "", "is never read: nothing says how the new platform bills", remedy)


def _row_faults(view: PlanView) -> Iterator[Fault]:
    seen: dict[tuple[str, date], int] = {}
    for row in view.plan.tax:
        if not is_country(row.country):
            remedy = "write an ISO 3166-1 code of two letters"
            yield Fault(TAX, row.row, "country", f"{shown(row.country)} is not a country", remedy)
        if not _PERCENT.fullmatch(row.percent) or Decimal(row.percent) > 100:
            remedy = "write digits from 0 to 100, as 19 or 7.7"
            yield Fault(TAX, row.row, "percent", f"{shown(row.percent)} is no percentage", remedy)
        first = seen.setdefault((row.country, row.valid_from), row.row)
        if first != row.row:
            yield Fault(TAX, row.row, "country", f"this country and day stand in line {first} already", "keep one")
