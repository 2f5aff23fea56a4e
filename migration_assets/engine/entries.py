"""The entries that a table keeps in one text column, as rows: cut at a separator, and read by a pattern.

Nothing is left out but white space around entries, blank entries, and the separators: an entry that the pattern does
not fit is a row like the others and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migration_assets.domain.patterns import with_one_group
from migration_assets.engine.rules.outcome import present_or_null, stripped

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Columns of such a row beside those it takes along and the pattern's own: its place, its text, whether it was read.
POSITION, ENTRY, FITS = "position", "entry", "fits"


@dataclass(frozen=True)
class Cut:
    """How a text is cut and its entries are read.

    `keep`: columns that each entry takes along. `pattern` (RE2 and Java alike, without named groups) has to fit a whole
    entry; `groups` are the columns it gives, each with the number of its group. None: entries are not read.
    """

    text: str
    separator: str
    keep: Sequence[str] = ()
    newest_first: bool = False
    pattern: str | None = None
    groups: Mapping[str, int] = field(default_factory=dict)


def entries_of(rows: ir.Table, cut: Cut) -> ir.Table:
    """One row for each entry of each row: `keep`, `position` from 1, `entry`, and with a pattern `fits` and its groups.

    A group is missing where it took no part or what it found is blank, and wherever the pattern does not fit.
    """
    import ibis

    whole = rows.select(*cut.keep, _all=_cut_up(rows[cut.text], cut.separator))
    each = whole.mutate(_n=ibis.range(0, whole["_all"].length()).unnest())
    number = each["_all"].length() - each["_n"] if cut.newest_first else each["_n"] + 1
    placed = each.mutate(**{POSITION: number.cast("int64"), ENTRY: each["_all"][each["_n"]]}).drop("_all", "_n")
    return placed if cut.pattern is None else _read(placed, cut.pattern, cut.groups)


def _cut_up(text: ir.StringValue, separator: str) -> ir.ArrayValue:
    return text.split(separator).map(stripped).filter(lambda entry: entry != "")


def _read(rows: ir.Table, pattern: str, groups: Mapping[str, int]) -> ir.Table:
    import ibis

    judged = rows.mutate(**{FITS: rows[ENTRY].re_search(_whole(pattern))})
    found = {
        name: present_or_null(judged[ENTRY].re_extract(_whole(with_one_group(pattern, number)), 1))
        for name, number in groups.items()
    }
    return judged.mutate(**{name: judged[FITS].ifelse(text, ibis.null("string")) for name, text in found.items()})


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"
