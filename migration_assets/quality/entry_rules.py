"""Our type of rule for texts whose entries became rows of another table: that nothing of the text was lost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool

from migration_assets.quality import sql
from migration_assets.quality.rule_type import Column, Columns, RuleType, Scope, Table, merged

# What counts as white space around an entry; an engine's own `\s` leaves some of it out.
_SPACE = r"[\t\n\v\f\r\x1c-\x1f\x85\p{Z}]+"


class EntriesWhole(RuleType):
    """The entries in `entry_table`, put together in the order of `position`, are the text in `text`: but for white
    space and what stands between them (`separator`) nothing is missing, added, changed or moved.

    `newest_first`: positions count from the end of the text. `keys`: columns that both tables have, by which the
    entries of a text are found. Nothing is cut here: it is added up again, so that a mistake in cutting shows.
    """

    text: Column
    keys: Columns
    entry_table: Table
    entry: Column
    position: Column
    separator: Annotated[str, Field(min_length=1)]
    newest_first: StrictBool = False

    def columns(self) -> tuple[str, ...]:
        return (*self.keys, self.text)

    def others(self) -> dict[str, tuple[str, ...]]:
        return merged({self.entry_table: (*self.keys, self.entry, self.position)})

    def defects(self, scope: Scope) -> str | None:
        order = f"{sql.column('e', self.position)} {'desc' if self.newest_first else 'asc'}"
        same = sql.every(f"{sql.column('x', k)} is not distinct from {sql.column('b', k)}" for k in self.keys)
        text = f"replace({sql.column('b', self.text)}, {sql.literal(self.separator)}, '')"
        return (
            f"select b.* from {scope.main} b left join ("
            f"select {sql.columns('e', self.keys)}, string_agg({sql.column('e', self.entry)}, '' order by {order}) as "
            f"whole from {scope.relation(self.entry_table)} e group by all"
            f") x on {same} where {_bare(text)} is distinct from {_bare('x.whole')}"
        )

    def says(self) -> str:
        return f"hold in `{self.text}` what the rows of `{self.entry_table}` do not add up to"


def _bare(text: str) -> str:
    """Without white space; nothing at all is an empty text."""
    return f"regexp_replace(coalesce({text}, ''), {sql.literal(_SPACE)}, '', 'g')"


ENTRY_TYPES: dict[str, type[RuleType]] = {"entries_whole": EntriesWhole}
