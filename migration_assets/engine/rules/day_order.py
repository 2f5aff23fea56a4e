"""Which of day and month comes first in a column of dates: what the whole column proves, never what is likely.

Belongs here: looking at a column once, in the engine. Reading single values is the matter of `dates`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import stripped

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

_PAIR = "|".join(f"[0-9]{{1,2}}{s}[0-9]{{1,2}}{s}[0-9]{{4}}" for s in ("-", "/", "[.]", " "))
# A time of day may follow. Whether it exists is no matter here: the date before it says what it says.
_DAY_OR_MONTH_FIRST = rf"^({_PAIR})([T ][0-9]{{2}}:[0-9:.,]*[^\n]{{0,8}})?\z"
_PARTS = r"^([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})"


def learn_order(
    engine: Engine, rows: ir.Table, columns: Sequence[ir.Value], arguments: a.Date | a.Timestamp
) -> Literal["dmy", "mdy"] | None:
    """The order that is proven: some value is a date only in it, and none only in the other.

    None without proof and with proof of both, and when the arguments do not ask for it.
    """
    if arguments.order != "infer" or not columns[0].type().is_string():
        return None
    text = stripped(columns[0])
    told = rows.select(_text=text).filter(text.re_search(_DAY_OR_MONTH_FIRST)).distinct()
    first, second, year = (told["_text"].re_extract(_PARTS, n) for n in (1, 2, 3))
    year = year.nullif("0000")
    by_day = _day(year, second, first)
    by_month = _day(year, first, second)
    proofs = told.aggregate(
        dmy=(by_day.notnull() & by_month.isnull()).any(), mdy=(by_month.notnull() & by_day.isnull()).any()
    )
    [proven] = engine.arrow(proofs).to_pylist()
    if bool(proven["dmy"]) == bool(proven["mdy"]):
        return None
    return "dmy" if proven["dmy"] else "mdy"


def _day(year: ir.StringValue, month: ir.StringValue, day: ir.StringValue) -> ir.Value:
    """The date, null when the calendar has none."""
    return (year + "-" + month.lpad(2, "0") + "-" + day.lpad(2, "0")).try_cast("date")
