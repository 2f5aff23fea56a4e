"""What the UI says of terms: in words, by field, and what nobody explains."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.shadow.terms.comparison import (
    DIFFERENCES,
    TERMS,
    TermComparison,
    no_terms_compared,
)
from migration_assets.wiring.term_views import terms_shown


def table(engine: DuckDBEngine, schema: pa.Schema, *rows: dict[str, Any]) -> Any:
    return engine.table(pa.Table.from_pylist([{c: r.get(c) for c in schema.names} for r in rows], schema))


def text(shown: dict[str, Any], name: str) -> str:
    return str(getattr(shown[name], "value", shown[name]))


def test_what_differs_is_told_by_field_and_by_record() -> None:
    unsigned = {"record": "contracts", "customer_id": "crm.accounts:A-1", "status": "unsigned", "at_stake_minor": 5}
    lost = {"record": "seats", "key": "9", "field": "contact", "status": "rejected", "at_stake_minor": 0}
    with DuckDBEngine() as engine:
        found = TermComparison(
            terms={
                "contract_terms": table(
                    engine, TERMS, {"key": "1", "status": "unsigned"}, {"key": "2", "status": "same"}
                ),
                "seat_terms": table(engine, TERMS, {"key": "9", "status": "rejected"}),
            },
            differences=table(
                engine,
                DIFFERENCES,
                {**unsigned, "key": "1", "field": "ends_at"},
                {**unsigned, "key": "1", "field": "payer"},
                lost,
            ),
            compared={"contracts": ("ends_at", "payer"), "seats": ("contact",)},
        )
        shown = terms_shown(engine, found)
    assert text(shown, "terms") == (
        "1 of 2 contracts the same in 2 fields, 1 differ and nobody explains why, 0 by rejected rows, 0 cannot be "
        "read; 0 of 1 seats the same in 1 fields, 0 differ and nobody explains why, 1 by rejected rows, 0 cannot be "
        "read"
    )
    by_field = text(shown, "terms by field")
    assert "| contracts | ends at | unsigned | 1 |" in by_field and "| seats | contact | rejected | 1 |" in by_field
    listed = text(shown, "terms that nobody explains")
    assert "| contracts | 1 | payer | crm.accounts:A-1 |" in listed and "seats" not in listed


def test_a_plan_that_reads_nothing_is_told_so() -> None:
    with DuckDBEngine() as engine:
        shown = terms_shown(engine, no_terms_compared(engine))
    assert text(shown, "terms") == "the plan reads nothing that both sides write down"
