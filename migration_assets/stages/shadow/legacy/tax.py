"""Tax rates of the old system by country and day. Not here: tax of a line."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.stages.shadow.legacy.contracts import Records, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

_FOR_EVER = date(9999, 12, 31)
_COLUMNS = pa.schema(
    [
        ("country", pa.string()),
        ("valid_from", pa.date32()),
        ("valid_until", pa.date32()),
        ("percent", pa.int64()),
    ]
)


def tax_rates(engine: DuckDBEngine, records: Records) -> tuple[ir.Table, int]:
    """Rates with their half-open days: country, valid_from, valid_until, percent (whole, of 10**-places), and places.

    A country with a rate that cannot be read, or with two that begin on one day, has none: nobody knows which holds.
    """
    found: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
    unsure = set()
    for row in engine.arrow(record(engine, records, "tax_rates").distinct()).to_pylist():
        country, day = row["country"], row["first_day"]
        if row["unreadable"] or found[country].setdefault(day, row["percent"]) != row["percent"]:
            unsure.add(country)
    sure = {country: rates for country, rates in found.items() if country not in unsure}
    places = max((_places(percent) for rates in sure.values() for percent in rates.values()), default=0)
    rows = [row for country, rates in sure.items() for row in _spans(country, rates, places)]
    return engine.table(pa.Table.from_pylist(rows, _COLUMNS)), places


def _places(percent: Decimal) -> int:
    return max(-int(percent.normalize().as_tuple().exponent), 0)


def _spans(country: str, rates: dict[date, Decimal], places: int) -> list[dict[str, object]]:
    days = [*sorted(rates), _FOR_EVER]
    return [
        {"country": country, "valid_from": day, "valid_until": until, "percent": int(rates[day].scaleb(places))}
        for day, until in pairwise(days)
    ]


def taxed(rows: ir.Table, rates: ir.Table, day: ir.Value) -> ir.Table:
    """Rows with the percentage of their country on a day: 0 where exempt, null where nobody knows it."""
    dated = rows.mutate(_day=day)
    met = dated.left_join(
        rates,
        [
            dated["country"] == rates["country"],
            rates["valid_from"] <= dated["_day"],
            dated["_day"] < rates["valid_until"],
        ],
    )
    percent = met["tax_exempt"].ifelse(0, met["percent"])
    return met.mutate(percent=percent.cast("int64")).select(*rows.columns, "percent")
