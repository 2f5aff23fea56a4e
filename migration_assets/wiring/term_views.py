"""What the UI shows of terms on both sides: how many records are the same, and which fields differ how often. Keys and
names of fields only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ibis import _

from migration_assets.stages.shadow.signed import UNSIGNED
from migration_assets.stages.shadow.terms.comparison import TABLES
from migration_assets.wiring.metadata import markdown_table

if TYPE_CHECKING:
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.stages.shadow.terms.comparison import TermComparison

# So many of the records that nobody explains are listed.
_LISTED = 40
RECORD: Mapping[str, str] = {"contracts": "contracts", "receivables": "issued invoices", "seats": "seats"}


def terms_shown(engine: DuckDBEngine, found: TermComparison) -> dict[str, Any]:
    """Metadata of what was compared."""
    counted = found.differences.group_by("record", "field", "status").aggregate(rows=_.count())
    unsigned = found.differences.filter(_.status == UNSIGNED)
    order = [unsigned["at_stake_minor"].desc(), "record", "key", "field"]
    return {
        "terms": "; ".join(_in_words(engine, found)),
        "terms by field": markdown_table(
            ("record", "field", "status", "records"),
            [
                (RECORD[r["record"]], r["field"].replace("_", " "), r["status"], r["rows"])
                for r in engine.arrow(counted.order_by(["record", "status", "field"])).to_pylist()
            ],
        ),
        "terms that nobody explains": markdown_table(
            ("record", "key", "field", "customer"),
            [
                (RECORD[r["record"]], r["key"], r["field"].replace("_", " "), r["customer_id"] or "")
                for r in engine.arrow(unsigned.order_by(order).limit(_LISTED)).to_pylist()
            ],
        ),
    }


def _in_words(engine: DuckDBEngine, found: TermComparison) -> list[str]:
    said = []
    for record, fields in found.compared.items():
        counted = found.terms[TABLES[record]].group_by("status").aggregate(rows=_.count())
        by = {r["status"]: r["rows"] for r in engine.arrow(counted).to_pylist()}
        said.append(
            f"{by.get('same', 0):,} of {sum(by.values()):,} {RECORD[record]} the same in {len(fields)} fields, "
            f"{by.get('unsigned', 0):,} differ and nobody explains why, {by.get('rejected', 0):,} by rejected rows, "
            f"{by.get('unread', 0):,} cannot be read"
        )
    return said or ["the plan reads nothing that both sides write down"]
