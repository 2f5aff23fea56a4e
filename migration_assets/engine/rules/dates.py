"""Rules that read dates and instants. Time zones are resolved in Python with zoneinfo: engines disagree on casts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from migration_assets.domain.calendar import (
    CalendarError,
    InclusiveEnd,
    LocalSpan,
    add_months,
    day_after,
    half_open,
    is_zone,
    local_spans,
    local_to_utc,
)
from migration_assets.engine.rules import arguments as a
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Context, Outcome, Shortcut, Texts

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

# What `engine.schema` calls an instant; this module may be imported where ibis is not.
INSTANT = "timestamp('UTC', 6)"

_YMD = (
    r"(?P<y>[0-9]{4})(?P<s>[-/. ])(?P<m>[0-9]{1,2})(?P=s)(?P<d>[0-9]{1,2})"
    r"|(?P<y2>[0-9]{4})(?P<m2>[0-9]{2})(?P<d2>[0-9]{2})"
)
_ISO = r"|(?P<y2>[0-9]{4})-(?P<m2>[0-9]{2})-(?P<d2>[0-9]{2})"
_DMY = r"(?P<d>[0-9]{1,2})(?P<s>[-/. ])(?P<m>[0-9]{1,2})(?P=s)(?P<y>[0-9]{4})" + _ISO
_MDY = r"(?P<m>[0-9]{1,2})(?P<s>[-/. ])(?P<d>[0-9]{1,2})(?P=s)(?P<y>[0-9]{4})" + _ISO
# A year that stands first with four digits cannot be taken for anything else, so ISO dates pass in every order.
_ORDERS = {"ymd": re.compile(_YMD), "dmy": re.compile(_DMY), "mdy": re.compile(_MDY)}
_CLOCK = re.compile(
    r"(?P<day>.+?)(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    r" ?(?P<zone>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_LONGEST = 64


def date_expression(columns: Sequence[ir.Value], _: a.Date, __: Context) -> Outcome | None:
    """Dates and timestamps are fitted as they are."""
    dtype = columns[0].type()
    return Outcome(columns[0]) if dtype.is_date() or dtype.is_timestamp() else None


def date(arguments: a.Date, context: Context) -> Cleaner:
    """Text to a date; a time of day is let pass only when it is midnight."""
    read = _moment_reader(arguments.formats, _order(arguments, context))

    def clean(texts: Texts) -> Cleaned:
        moment = read((texts[0] or "").strip())
        if isinstance(moment, str):
            return Cleaned(error=moment)
        midnight = moment.time() == datetime.min.time() and moment.tzinfo is None
        return Cleaned(moment.date()) if midnight else Cleaned(error="has_a_time_of_day")

    return Cleaner(clean, gives="date")


def timestamp_expression(columns: Sequence[ir.Value], arguments: a.Timestamp, _: Context) -> Outcome | None:
    """Instants with a zone pass, unless their end has to be moved."""
    column, dtype = columns[0], columns[0].type()
    passes = dtype.is_timestamp() and dtype.timezone is not None and arguments.end == "exclusive"
    return Outcome(column) if passes else None


def timestamp(arguments: a.Timestamp, context: Context) -> Cleaner:
    """Text, date or local time (and the zone column it is local to) to an instant in UTC, its end half-open."""
    read = _moment_reader(arguments.formats, _order(arguments, context), loose=arguments.end != "exclusive")

    def clean(texts: Texts) -> Cleaned:
        moment = read((texts[0] or "").strip())
        if isinstance(moment, str):
            return Cleaned(error=moment)
        zone = arguments.zone if len(texts) == 1 else (texts[1] or "").strip()
        if not is_zone(zone):
            return Cleaned(error="unknown_time_zone")
        try:
            return Cleaned(instant(moment, arguments.model_copy(update={"zone": zone})))
        except CalendarError as error:
            return Cleaned(error=error.reason)

    shortcut = _plain_local_times(arguments) if arguments.end != "inclusive_day" and not arguments.formats else None
    return Cleaner(clean, gives="instant", shortcut=shortcut)


def instant(moment: datetime, arguments: a.Timestamp) -> datetime:
    """The UTC instant a value stands for; CalendarError when clocks never or twice show it."""
    end: InclusiveEnd = arguments.end
    if end == "inclusive_day":
        return day_after(moment, arguments.zone)
    try:
        if moment.tzinfo is not None:
            return half_open(moment.astimezone(UTC), end)
    except OverflowError:
        raise CalendarError("out_of_range", "the instant is outside years 1 to 9999") from None
    # Resolved before the last second is added: 01:59:59 exists on the night the clock jumps, 02:00:00 does not.
    return half_open(local_to_utc(moment, arguments.zone, arguments.overlap), end)


def months_before_as_of(_: a.Arguments, context: Context) -> Cleaner:
    """`as_of` minus a number of whole months."""

    def clean(texts: Texts) -> Cleaned:
        found = re.fullmatch(r"\+?([0-9]{1,6})(\.0*)?", (texts[0] or "").strip())
        if found is None:
            return Cleaned(error="not_a_number_of_months")
        try:
            return Cleaned(add_months(context.as_of.astimezone(UTC), -int(found[1])))
        except CalendarError as error:
            return Cleaned(error=error.reason)

    return Cleaner(clean, gives="instant")


def as_of(_: Sequence[ir.Value], __: a.Arguments, context: Context) -> Outcome:
    """The plan's own instant."""
    import ibis

    return Outcome(ibis.literal(context.as_of.astimezone(UTC), type=INSTANT))


# --- many local times at once --------------------------------------------------------------------------------------

# Placeholders such as the year 9999 would make the table of offsets endless; they are few and are asked one by one.
_FIRST, _LAST = 1970, 2069
_MOST_YEARS = 30
_WALL_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?\z"


def _plain_local_times(arguments: a.Timestamp) -> Callable[[Engine, ir.Table, Sequence[ir.Value]], Shortcut | None]:
    """Local times that clocks show exactly once: the zone's offsets over the range of the data, as one expression."""

    def look(engine: Engine, rows: ir.Table, columns: Sequence[ir.Value]) -> Shortcut | None:
        wall = _wall_times(columns[0]) if len(columns) == 1 else None
        if wall is None:
            return None
        years = _usual_years(engine, rows, wall)
        spans = _spans_of(arguments.zone, years)
        return (lambda given: _by_spans(given[0], spans, arguments.end)) if years else None

    return look


def _usual_years(engine: Engine, rows: ir.Table, wall: ir.Value) -> list[int]:
    """The years most values are of. Stray ones are asked one by one, as each year makes the expression longer."""
    inside = rows.select(year=wall.year()).filter(lambda t: t.year.between(_FIRST, _LAST))
    counted = engine.arrow(inside.group_by("year").agg(n=lambda t: t.count())).to_pylist()
    return sorted(r["year"] for r in sorted(counted, key=lambda r: (-r["n"], r["year"]))[:_MOST_YEARS])


def _spans_of(zone: str, years: Sequence[int]) -> list[LocalSpan]:
    """Offsets within the years, and none before, between and after them (nor for a missing time, which sorts last)."""
    spans = [LocalSpan(_new_year(1), None)]
    for year in years:
        first, after = _new_year(year), _new_year(year + 1)
        found = local_spans(zone, first, after)
        begun = [s for s in found if s.starts_at <= first][-1]
        spans += [LocalSpan(first, begun.offset), *(s for s in found if first < s.starts_at < after)]
        spans += [LocalSpan(after, None)] if year + 1 not in years else []
    # A change of offset that ends exactly at new year would give two spans with one start; the later one counts.
    return list({s.starts_at: s for s in spans}.values())


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1)  # noqa: DTZ001 - local times have no zone


def _wall_times(column: ir.Value) -> ir.Value | None:
    """Naive local times of the column, null where it holds anything else; None where it cannot hold any."""
    import ibis

    dtype = column.type()
    if dtype.is_timestamp():
        return column if dtype.timezone is None else None
    if not dtype.is_string():
        return None
    return column.re_search(_WALL_TIME).ifelse(column, ibis.null("string")).try_cast("timestamp(6)")


def _by_spans(column: Any, spans: Sequence[LocalSpan], end: InclusiveEnd) -> tuple[ir.BooleanValue, ir.Value]:
    wall: Any = _wall_times(column)
    seconds = _offset_seconds(wall, spans)
    covered = seconds.notnull()
    # The engine's session runs in UTC, so this cast puts the label on and moves nothing.
    return covered, _moved((wall - seconds.as_interval("s")).cast(INSTANT), end)


def _offset_seconds(wall: ir.Value, spans: Sequence[LocalSpan]) -> ir.Value:
    """A search tree over the spans: as many comparisons per row as it is deep."""
    import ibis

    if len(spans) == 1:
        offset = spans[0].offset
        return ibis.null("int64") if offset is None else ibis.literal(int(offset.total_seconds()), type="int64")
    middle = len(spans) // 2
    return (wall < spans[middle].starts_at).ifelse(
        _offset_seconds(wall, spans[:middle]), _offset_seconds(wall, spans[middle:])
    )


def _moved(moment: ir.Value, end: InclusiveEnd) -> ir.Value:
    import ibis

    if end == "inclusive_second":
        return moment.truncate("s") + ibis.interval(seconds=1)
    if end == "inclusive_millisecond":
        return moment.truncate("ms") + ibis.interval(milliseconds=1)
    return moment


# --- reading text --------------------------------------------------------------------------------------------------

_Moment = datetime | str


def _order(arguments: a.Date | a.Timestamp, context: Context) -> str:
    """The order that is declared or proven; empty when the column proves none."""
    return str(context.learned or "") if arguments.order == "infer" else arguments.order or "ymd"


def _moment_reader(formats: Sequence[str], order: str, *, loose: bool = False) -> Callable[[str], _Moment]:
    """Text to a naive or aware datetime, or the reason why not. `loose`: digits past a microsecond may go."""
    if formats:
        return lambda text: _by_formats(text, formats)
    if not order:
        return lambda text: _by_either(text, loose)
    return lambda text: _by_order(text, _ORDERS[order], loose)


def _by_either(text: str, loose: bool) -> _Moment:
    """A value that only one order can read, or that both read alike."""
    read = [_by_order(text, _ORDERS[o], loose) for o in ("dmy", "mdy")]
    found = {m for m in read if isinstance(m, datetime)}
    if len(found) > 1:
        return "ambiguous_order"
    return found.pop() if found else read[0]


def _by_formats(text: str, formats: Sequence[str]) -> _Moment:
    if not text.isascii() and any(c.isdigit() and not c.isascii() for c in text):
        return "not_a_date"
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - without %z the zone is the rule's own argument
        except ValueError:
            continue
    return "not_a_date"


def _by_order(text: str, order: re.Pattern[str], loose: bool) -> _Moment:
    found = _CLOCK.fullmatch(text) if len(text) <= _LONGEST else None
    day = order.fullmatch(found["day"]) if found else None
    if found is None or day is None:
        return "not_a_date"
    part = (found["part"] or "").ljust(9, "0")
    if part[6:] != "000" and not loose:
        return "finer_than_a_microsecond"
    year, month, number = (int(day[n] or day[n + "2"]) for n in "ymd")
    clock = (int(found["hour"] or 0), int(found["minute"] or 0), int(found["second"] or 0), int(part[:6]))
    try:
        return datetime(year, month, number, *clock, tzinfo=_offset(found["zone"]))
    except ValueError:
        return "no_such_date"


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text.upper() in ("Z", "UTC", "GMT"):
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    if minutes > 59:
        raise ValueError("minutes of an offset")
    return timezone((-1 if text[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes))
