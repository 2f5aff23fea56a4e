"""How tests run one rule: the pure cleaner alone, or the whole mapping over a handful of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from migration_assets.domain.canonical.model import Field
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.engine.mapping import FeedSpec, FieldRule, MappedFeed, map_feed
from migration_assets.engine.rules import get
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context

AS_OF = datetime(2024, 3, 31, 12, tzinfo=UTC)
# A field of some entity for each type a rule can give: entity, field.
PLACES = {
    "text": ("customer", "industry"),
    "email": ("customer", "email"),
    "phone": ("customer", "phone"),
    "country": ("customer", "country"),
    "currency": ("customer", "currency"),
    "date": ("customer", "birth_date"),
    "instant": ("customer", "created_at"),
    "money": ("customer", "credit_limit_minor"),
    "reference": ("customer", "parent_id"),
    "boolean": ("contact", "is_primary"),
    "integer": ("credit_balance", "burn_order"),
    "decimal": ("discount", "percent"),
    "code": ("scheduled_change", "new_plan_code"),
}
_FILLED = {
    "customer": {"kind": "person", "name": "x", "status": "active"},
    "contact": {"customer_id": "s.t:1", "name": "x"},
    "credit_balance": {"customer_id": "s.t:1", "currency": "EUR", "balance_minor": 0},
    "discount": {"subscription_id": "s.t:1", "kind": "percent"},
    "scheduled_change": {"subscription_id": "s.t:1", "kind": "ramp", "effective_at": "2024-01-01T00:00:00Z"},
}


def cleaner(
    rule: str,
    arguments: Mapping[str, Any] | None = None,
    codes: Mapping[str, Mapping[str, str]] | None = None,
    exponents: Mapping[str, int] | None = None,
) -> Cleaner:
    """The pure function of a rule."""
    found = get(rule)
    context = Context(Field("f", "text", ""), AS_OF, codes or {}, exponents or {})
    made: Cleaner = found.load(found.cleaner or "")(found.parse(arguments or {}), context)
    return made


def clean(rule: str, *texts: str | None, **arguments: Any) -> Cleaned:
    """One input through the pure function of a rule."""
    return cleaner(rule, arguments).clean(texts)


def mapped(engine: DuckDBEngine, source: pa.Table, rules: Sequence[FieldRule], **feed: Any) -> MappedFeed:
    """A feed of `crm.accounts` with the given rules; fields the entity requires are filled with constants."""
    entity = feed.pop("entity", "customer")
    given = {r.field for r in rules}
    rest = [FieldRule(f, "constant", (), {"value": v}) for f, v in _FILLED[entity].items() if f not in given]
    spec = FeedSpec("feed", entity, "crm", "accounts", feed.pop("key", ("id",)), (*rules, *rest), **feed)
    return map_feed(engine, spec, engine.table(source), AS_OF)


def frame(**columns: Any) -> pa.Table:
    """A source table: `_row`, `id` (the row number) and the given columns."""
    size = len(next(iter(columns.values())))
    numbers = pa.array(range(1, size + 1), pa.int64())
    made = {n: v if isinstance(v, pa.Array) else pa.array(v, pa.string()) for n, v in columns.items()}
    return pa.table({"_row": numbers, "id": numbers, **made})


def outcomes(
    engine: DuckDBEngine, rule: str, field_type: str, source: pa.Table, columns: Sequence[str], **arguments: Any
) -> list[tuple[Any, str | None]]:
    """(value, error) of each row, in order, by way of the whole mapping."""
    entity, name = PLACES[field_type]
    feed = {"codes": arguments.pop("codes", {}), "exponents": arguments.pop("exponents", {})}
    result = mapped(engine, source, [FieldRule(name, rule, tuple(columns), arguments)], entity=entity, **feed)
    values = {r["source_row"]: r[name] for r in engine.arrow(result.rows).to_pylist()}
    errors = {
        n["source_row"]: n["reason"] for n in engine.arrow(result.notes).to_pylist() if n["action"] == "set_aside"
    }
    return [(values[i], errors.get(i)) for i in range(1, source.num_rows + 1)]
