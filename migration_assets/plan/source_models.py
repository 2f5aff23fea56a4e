"""Models of what plan.yaml says of sources: where they are, their tables, and which rows are left out on purpose."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from migration_assets.domain.patterns import LONGEST, unnamed
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.frozen import Column, Model, Name, OwnDatabase, Why


class Split(Model):
    """Makes the table of the entries that another table keeps in one text column: one row for each entry.

    `read_from` names that table, of the same system, as the plan calls it, and the key is its key and `position`.
    `separator` is what stands between two entries, as it is written; white space around an entry is no part of it, and
    a blank one makes no row. The row has the other table's key, `position` (from 1) and `entry`, its text.
    `newest_first`: the last entry is number 1, so that a new one in front does not renumber the others. `pattern`: a
    regular expression for a whole entry, whose named groups (`(?P<number>...)`) are columns, all of text; it is matched
    in linear time, so it cannot look around or refer back. What it does not fit makes a row nevertheless, with `fits`
    false: it is rejected with the reason `entry_unreadable`. `carry`: columns of the other table that each row takes
    along, such as one of `references`.
    """

    column: Column
    separator: Annotated[str, Field(min_length=1, max_length=20)]
    pattern: Annotated[str, Field(min_length=3, max_length=LONGEST)] | None = None
    newest_first: StrictBool = False
    carry: tuple[Column, ...] = ()

    @field_validator("separator")
    @classmethod
    def _can_be_stored(cls, separator: str) -> str:
        if "\x00" in separator:
            raise ValueError("no text that can be stored holds NUL")
        return separator

    @field_validator("pattern")
    @classmethod
    def _has_names(cls, pattern: str | None) -> str | None:
        names = () if pattern is None else tuple(unnamed(pattern)[1])
        if pattern is not None and not names:
            raise ValueError("has no named group: write what is wanted as (?P<name>...), or leave the pattern out")
        if any(name.startswith("_") for name in names):
            # Such names are those of a feed's own columns (`_value`, `_source_id`).
            raise ValueError("the name of a group begins with a letter")
        return pattern

    @property
    def groups(self) -> dict[str, int]:
        """The pattern's named groups and their numbers, in the order in which they stand."""
        return {} if self.pattern is None else unnamed(self.pattern)[1]


class SourceTable(Model):
    """One table of a source, as the plan wants it read.

    `read_from`: table name in the database (`schema.table`), or file name or pattern below the system's path. With
    `split`: a table of this system, whose text column becomes the rows of this one.
    `key`: columns that identify a row. `home`: the entity that accounts for the row (its disposition), or None when
    every row is excluded by a rule. `references`: column -> `system.table` whose (single-column) key it holds;
    customers that one row leads to, over its references and those of the mapping, are a family and move together.
    `owner`: how a row finds its customer: `self` (the row is a customer), `none` (reference data, no customer) or the
    name of a column in `references` that leads there, over other tables if need be.
    `left_behind`: column -> why its values may stay where they are. Of a table that is fed every column is used (by a
    mapping row, a feed, an exclusion, an identity link, or as `key`, `references` or `updated_at`), secret, or named
    here; controls.csv and billing.yaml use none, since they prove and do not move.
    Columns of files stay text, exactly as written; rules of the mapping give them types.
    """

    read_from: str
    split: Split | None = None
    key: Annotated[tuple[Column, ...], Field(min_length=1)]
    home: str | None = None
    owner: str = "none"
    references: dict[str, str] = Field(default_factory=dict)
    updated_at: str | None = None
    secret: tuple[Column, ...] = ()
    personal: tuple[Column, ...] = ()
    left_behind: dict[Column, Why] = Field(default_factory=dict)
    may_be_empty: StrictBool = False
    description: str = ""


class SourceSystem(Model):
    """One legacy system. `database` names one on the plan's own server; `url` is any SQLAlchemy URL; `path` a folder
    or file. `${NAME}` is an environment variable. `kind` says which connector reads it.

    `options` are the connector's own. Of csv: encoding, encoding_certain, delimiter, quote, escape, max_cell_bytes,
    max_bytes, and `missing`, spellings such as NULL that mean no value where a cell has one of them without quotes.
    """

    kind: Literal["sql", "csv", "excel", "jsonl"]
    database: OwnDatabase | None = None
    url: str | None = None
    path: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    tables: Annotated[dict[Name, SourceTable], Field(min_length=1)]
    description: str = ""

    @model_validator(mode="after")
    def _place_fits_kind(self) -> SourceSystem:
        if self.kind == "sql":
            if self.path is not None or (self.database is None) == (self.url is None):
                raise ValueError("a source of kind sql is named by exactly one of database and url, and by no path")
        elif self.path is None or self.database is not None or self.url is not None:
            raise ValueError(f"a source of kind {self.kind} is named by path alone")
        return self


class Stale(Model):
    """Rows whose `column` lies before the instant T less so many whole months; one without a value is not stale.

    A day is compared with the day of that instant, a time without offset is taken for UTC, text is read as an ISO date
    or time, and what is none is not stale either.
    """

    column: Column
    months: Annotated[StrictInt, Field(ge=1, le=1200)]


class Redundant(Model):
    """Rows that say the same as another row of their table: equal in all columns of `by`, where missing equals missing.
    One of them stays: the one whose key is lowest, or (`latest`) the one changed last.

    `by` left out means every column but the key, `updated_at` and what is secret. Rows of two customers are no copies
    of each other, and nothing is a copy of a row that another rule leaves out.
    """

    by: tuple[Column, ...] = ()
    keep: Literal["first", "latest"] = "first"


class Exclusion(Model):
    """A written rule that leaves rows out on purpose; each is counted in the reconciliation.

    It takes the rows for which everything holds that it says: `where`, `stale`, `redundant`. One that says none of them
    leaves out every row of the table; a mapping can still read its columns over a reference.
    """

    rule: Name
    table: str
    where: tuple[Predicate, ...] = ()
    stale: Stale | None = None
    redundant: Redundant | None = None
    reason: Annotated[str, Field(min_length=8)]

    @property
    def takes_every_row(self) -> bool:
        return not self.where and self.stale is None and self.redundant is None
