"""Rows of the target that others have changed since they were loaded: what a load writes of them all the same.

Looked at are only rows that a load is about to change. Whether somebody else did before is told by the hash that the
crosswalk keeps of each row as it was loaded; which columns, by `domain.drift`; whose word counts, by
`domain.ownership`. What stays is put into the staged rows, so that the guarded write passes over it. Rows of the
catalog have no record and are the plan's own.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg import sql

from migration_assets.connectors.row_digests import digest_of, server_digest
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.drift import changed_by_others
from migration_assets.domain.ownership import Fate, Word, fate_of, is_financial, is_newer
from migration_assets.stages.load.guarded import RECORD_TABLE, GuardedWrites, planned_with, same_key, stage_name
from migration_assets.stages.load.schema import CROSSWALK_KEY, HASH_FORM, canonical_field

if TYPE_CHECKING:
    from migration_assets.plan.models import TargetTable
    from migration_assets.stages.load.plan import TableRows

_AT_ONCE = 5_000
# Table, target id, column, and what both sides say, sealed: what a person's word is about.
About = tuple[str, str, str, str, str]


def plain_seal(text: str | None) -> str:
    """A digest of a value, which whoever guesses the value can try out: for what is nobody's personal data."""
    return "-" if text is None else hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Settlement:
    """How what others changed is settled. `words`: what persons have decided; `repair`: a person has ordered that the
    target be put right; `seal`: what a value is stored as, so that a word holds for these values and no others."""

    words: Mapping[About, Word] = field(default_factory=dict)
    repair: bool = False
    seal: Callable[[str | None], str] = plain_seal


@dataclass(frozen=True)
class Conflict:
    """One column of one row that others have changed and the load has left. `asked`: a person has to decide; else it
    is left by the plan's word or a person's. `expected` and `found` are sealed; `amount_minor`: by how much they
    differ, where it is money."""

    table: str
    key: str
    column: str
    asked: bool
    expected: str
    found: str
    currency: str | None = None
    amount_minor: int | None = None

    @property
    def about(self) -> About:
        return self.table, self.key, self.column, self.expected, self.found


@dataclass
class Conflicts:
    """Settles the conflicts of one load, table by table. `staged_record`: the staged rows of the record, where they
    name every row that may be changed; each is then looked up by its key. `found`: what was left; `overwritten`:
    columns that others had changed and that were written all the same, by table."""

    writes: GuardedWrites
    settlement: Settlement
    cohort: str
    staged_record: sql.Identifier | None = None
    found: list[Conflict] = field(default_factory=list)
    overwritten: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def settle(self, table: TableRows, declared: TargetTable, target: sql.Identifier, changes: sql.Identifier) -> None:
        """Take out of `changes` what stays as others have made it, and let the staged rows say so."""
        kept: dict[str, list[str]] = defaultdict(list)
        for key, loaded, theirs, ours in self._drifted(table, target, changes):
            columns = changed_by_others(theirs, ours, loaded, partial(digest_of, types=table.types))
            for column in sorted(columns):
                left = self._left(table, declared, key, column, theirs, ours)
                if left is None:
                    self.overwritten[table.table] += 1
                else:
                    self.found.append(left)
                    kept[column].append(key)
        if kept:
            self._keep(table, target, changes, kept)

    def _drifted(
        self, table: TableRows, target: sql.Identifier, changes: sql.Identifier
    ) -> Iterator[tuple[str, str, dict[str, str | None], dict[str, str | None]]]:
        """Rows about to be changed that are not as they were loaded: the key, the digest of what was loaded, the row as
        it is and as it is to be."""
        by, same_x = sql.Composed([]), sql.Composed([])
        if self.staged_record:
            by = sql.SQL("JOIN {} r ON r.target_id = c.{} AND r.entity = {} AND r.status = 'loaded'").format(
                self.staged_record, sql.Identifier(table.key), sql.Literal(table.entity)
            )
            same_x = sql.SQL("AND {}").format(same_key("x", "r", CROSSWALK_KEY))
        both = [sql.SQL("{}::text").format(sql.Identifier(side, c)) for side in ("t", "s") for c in table.columns]
        query = sql.SQL(
            "SELECT substr(x.row_hash, {after}), {both} FROM {changes} c JOIN {target} t ON {same_t} "
            "JOIN {stage} s ON {same_s} {by} JOIN {record} x ON x.target_id = c.{key} AND x.entity = {entity} {same_x} "
            "AND x.cohort = {cohort} AND x.status = 'loaded' WHERE NOT c.is_new AND x.row_hash LIKE {form} || '%' "
            "AND x.row_hash <> {form} || {digest} ORDER BY c.{key}"
        ).format(
            after=sql.Literal(len(HASH_FORM) + 1), both=sql.SQL(", ").join(both), changes=changes, target=target,
            same_t=same_key("t", "c", (table.key,)), stage=stage_name(table.table),
            same_s=same_key("s", "c", (table.key,)), record=RECORD_TABLE, key=sql.Identifier(table.key),
            entity=sql.Literal(table.entity), cohort=sql.Literal(self.cohort), form=sql.Literal(HASH_FORM),
            digest=server_digest("t", table.types), by=by, same_x=same_x,
        )  # fmt: skip
        count = len(table.columns)
        # The record has no index by target id: else it is read once, not for each.
        joins = "on" if self.staged_record else "off"
        # As they come, for there may be many; nothing else is asked meanwhile.
        with planned_with(self.writes.connection, enable_nestloop=joins), self.writes.connection.cursor() as cursor:
            for loaded, *texts in cursor.stream(query, size=_AT_ONCE):
                theirs = dict(zip(table.columns, texts[:count], strict=True))
                ours = dict(zip(table.columns, texts[count:], strict=True))
                yield str(texts[0]), loaded, theirs, ours

    def _left(
        self,
        table: TableRows,
        declared: TargetTable,
        key: str,
        column: str,
        theirs: Mapping[str, str | None],
        ours: Mapping[str, str | None],
    ) -> Conflict | None:
        """The conflict, if the column is to stay as others have made it."""
        entity, seal = ENTITIES[table.entity], self.settlement.seal
        canonical = canonical_field(entity, declared.columns[column])
        sealed, stake = (seal(ours[column]), seal(theirs[column])), _stake(declared, column, theirs, ours)
        left = Conflict(table.table, key, column, False, *sealed, *stake)
        fate: Fate = fate_of(
            declared.owned_by.get(column),
            financial=is_financial(entity, canonical),
            newer=is_newer(theirs.get(declared.changed_at), ours.get(declared.changed_at)),
            word=self.settlement.words.get(left.about),
            repair=self.settlement.repair,
        )
        return None if fate == "write" else Conflict(**{**vars(left), "asked": fate == "ask"})

    def _keep(
        self, table: TableRows, target: sql.Identifier, changes: sql.Identifier, kept: Mapping[str, list[str]]
    ) -> None:
        stage, key = stage_name(table.table), sql.Identifier(table.key)
        run = self.writes.connection.execute
        for column, keys in sorted(kept.items()):
            statement = sql.SQL(
                "UPDATE {stage} s SET {column} = t.{column} FROM {target} t "
                "WHERE t.{key} = s.{key} AND s.{key} = ANY({keys})"
            )
            listed = sql.SQL("{}::{}[]").format(sql.Literal(keys), sql.SQL(table.types[table.key]))
            run(statement.format(stage=stage, column=sql.Identifier(column), target=target, key=key, keys=listed))
        columns = [(sql.Identifier("s", c), sql.Identifier("t", c)) for c in table.columns if c != table.key]
        same = sql.SQL("(({}) IS NOT DISTINCT FROM ({}))").format(
            *(sql.SQL(", ").join(side) for side in zip(*columns, strict=True))
        )
        run(
            sql.SQL(
                "DELETE FROM {changes} c USING {stage} s, {target} t "
                "WHERE s.{key} = c.{key} AND t.{key} = c.{key} AND {same}"
            ).format(changes=changes, stage=stage, target=target, key=key, same=same)
        )


def _stake(
    table: TargetTable, column: str, theirs: Mapping[str, str | None], ours: Mapping[str, str | None]
) -> tuple[str | None, int | None]:
    """Currency and minor units by which both sides differ, where the column holds money."""
    entity = ENTITIES[table.entity]
    kinds: dict[str, Any] = {c: canonical_field(entity, name).type for c, name in table.columns.items()}
    if kinds[column] != "money":
        return None, None
    currency = next((theirs[c] for c, kind in kinds.items() if kind == "currency"), None)
    return currency, abs(int(ours[column] or 0) - int(theirs[column] or 0))
