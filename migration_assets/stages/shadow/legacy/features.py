"""Features of the old system under the target's names, and limits and usage in the target's units.

So that both sides can be compared, and for nothing else: what a product grants is never asked of the target's catalog.
A feature that billing.yaml does not name, or a unit of it that it does not, cannot be read, and is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.billing_models import LegacyFeature
    from migration_assets.plan.billing_records import RecordName

_COUNTED: Mapping[RecordName, str] = {"grants": "limit", "overrides": "limit", "usage": "used"}
_EXACT = "decimal(38, 10)"


def translated(
    engine: DuckDBEngine, records: Mapping[RecordName, ir.Table], features: Mapping[str, LegacyFeature]
) -> dict[RecordName, ir.Table]:
    """The same records; in grants, overrides and usage `feature` is the target's code and the number in its units.

    The number is exact to ten places; `unreadable` names `feature` or `unit` where nothing says what it is, or `unit`
    where the number would need more places. `unit` is left out.
    """
    names = _names(engine, features)
    factors = _factors(engine, features)
    made = {
        record: engine.cached(_translated(records[record], c, names, factors))
        for record, c in _COUNTED.items()
        if record in records
    }
    return {**records, **made}


def _translated(rows: ir.Table, counted: str, names: ir.Table, factors: ir.Table) -> ir.Table:
    named = rows.left_join(names, rows["feature"] == names["code"])
    told = named.left_join(factors, [named["feature"] == factors["of"], named["unit"] == factors["known_unit"]])
    number = told[counted]
    # Zero and none are so in any unit; of a switch there is none.
    plain = number.isnull() | (number == 0) | (told["unit"].isnull() & ~told["measured"].fill_null(True))
    product = number * told["factor"]
    exact = (product.cast(_EXACT) == product).fill_null(False)
    worth = plain.ifelse(number, exact.ifelse(product.cast(_EXACT), ibis.null(_EXACT)))
    unknown = told["target"].isnull().ifelse("feature ", "")
    odd = (~plain & ~exact & told["target"].notnull()).ifelse("unit ", "")
    return told.select(
        *[c for c in rows.columns if c not in ("feature", "unit", counted, "unreadable")],
        feature=told["target"],
        **{counted: worth},
        unreadable=told["unreadable"] + unknown + odd,
    )


def _names(engine: DuckDBEngine, features: Mapping[str, LegacyFeature]) -> ir.Table:
    """Old code -> the target's, and whether it is measured in units."""
    columns = {
        "code": pa.array(list(features), pa.string()),
        "target": pa.array([f.feature for f in features.values()], pa.string()),
        "measured": pa.array([bool(f.units) for f in features.values()], pa.bool_()),
    }
    return engine.table(pa.table(columns))


def _factors(engine: DuckDBEngine, features: Mapping[str, LegacyFeature]) -> ir.Table:
    """Old code and unit -> how many of the feature's own units it is."""
    known = [(code, unit, Decimal(worth)) for code, f in features.items() for unit, worth in f.units.items()]
    # No more places than are needed, so that large limits still fit a decimal of 38 digits when they are multiplied.
    places = max((-int(k[2].normalize().as_tuple().exponent) for k in known), default=0)
    columns = {
        "of": pa.array([k[0] for k in known], pa.string()),
        "known_unit": pa.array([k[1] for k in known], pa.string()),
        "factor": pa.array([k[2] for k in known], pa.decimal128(28, max(places, 0))),
    }
    return engine.table(pa.table(columns))
