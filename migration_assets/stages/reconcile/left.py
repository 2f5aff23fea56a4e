"""Differences that stand in the target by right: others made them, and the plan or a person says that they stay.

Whether others made them is told by the crosswalk: a row that is recorded as this side would have it was loaded rightly,
so that whatever differs came later. A row that was loaded wrongly is never excused by who owns a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from migration_assets.connectors.row_digests import digest_of
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.ownership import Word, fate_of, is_financial, is_newer
from migration_assets.stages.load.schema import HASH_FORM, canonical_field, column_types

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import TargetTable
    from migration_assets.stages.reconcile.sides import Compared

Texts = dict[str, str | None]


@dataclass(frozen=True)
class Words:
    """What persons have decided of differences (table, target id, column, both values sealed), and the seal."""

    given: Mapping[tuple[str, str, str, str, str], Word] = field(default_factory=dict)
    seal: Callable[[str | None], str] = lambda text: text or ""

    def of_table(self, table: str) -> bool:
        """Whether anything is decided of it."""
        return any(about[0] == table for about in self.given)


def left_alone(engine: DuckDBEngine, table: TargetTable, side: Compared, words: Words) -> ir.Table | None:
    """Key and column of each field that differs by right; None where the plan and persons say nothing of the table."""
    name = side.expected.table
    if not words.of_table(name) and not {"target", "most_recent"} & set(table.owned_by.values()):
        return None
    found = list(_left(engine, table, side, words))
    return engine.table(
        pa.table({c: pa.array([f[i] for f in found], pa.string()) for i, c in enumerate(("_key", "_column"))})
    )


def _left(engine: DuckDBEngine, table: TargetTable, side: Compared, words: Words) -> Iterator[tuple[str, str]]:
    key, types = side.expected.key, column_types(table)
    expected = side.expected.rows.semi_join(side.off, [(key, "key")])
    ours, theirs = ({row[key]: row for row in _texts(engine, rows)} for rows in (expected, side.found))
    both = sorted(str(k) for k in ours.keys() & theirs.keys())
    loaded = side.loaded_as(both) if both else {}
    for k in both:
        if loaded.get(k) == HASH_FORM + digest_of(ours[k], types):
            yield from ((k, column) for column in _stay(table, side.expected.table, k, ours[k], theirs[k], words))


def _stay(table: TargetTable, name: str, key: str, ours: Texts, theirs: Texts, words: Words) -> Iterator[str]:
    """Columns of one row that differ by right."""
    entity = ENTITIES[table.entity]
    newer = is_newer(theirs.get(table.changed_at), ours.get(table.changed_at))
    for column, field_name in table.columns.items():
        if ours[column] == theirs[column]:
            continue
        word = words.given.get((name, key, column, words.seal(ours[column]), words.seal(theirs[column])))
        financial = is_financial(entity, canonical_field(entity, field_name))
        if fate_of(table.owned_by.get(column), financial=financial, newer=newer, word=word) == "keep":
            yield column


def _texts(engine: DuckDBEngine, rows: ir.Table) -> list[Texts]:
    texts: list[Texts] = engine.arrow(rows.select(**{c: rows[c].cast("string") for c in rows.columns})).to_pylist()
    return texts
