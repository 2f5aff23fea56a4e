"""Old field against new, one line each: where the value comes from, by which rule, and what is lost on the way.

All of it follows from the plan; nothing here reads data. How it looks on paper is `document`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.predicates import Predicate
from migration_assets.plan.lookups import place_of
from migration_assets.plan.mapped import NAME, VALUE, mapped_field, parsed_arguments
from migration_assets.plan.models import Feed, MappingRow, Plan
from migration_assets.plan.used_columns import choices, table_left_out, uses
from migration_assets.plan.wording import listing

NOTHING = "nothing"
# Rules that take any text as it comes, and so never set a value aside.
_PLAIN = frozenset({"copy", "trim", "text", "repair", "case", "join", "split", "coalesce", "reference"})
Columns = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class FieldComparison:
    """One mapped field. Grain: feed and field. Types are empty where the source has not been read."""

    entity: str
    feed: str
    table: str
    old: tuple[str, ...]
    old_types: tuple[str, ...]
    new: str
    new_type: str
    rule: str
    loss: str


@dataclass(frozen=True)
class LeftBehind:
    """A raw column whose values do not move, and why they do not. `type` is empty where the source has not been read,
    `why` where nobody has said it."""

    table: str
    column: str
    type: str
    why: str


def compared_fields(plan: Plan, columns: Columns | None = None) -> tuple[FieldComparison, ...]:
    """Every mapping row as a comparison of old and new."""
    return tuple(_compared(plan, row, columns or {}) for row in plan.mapping)


def unmapped_fields(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(entity, field) of fed entities that stay empty: no feed maps them, and no rule tells them."""
    mapped = {(r.entity, r.field) for r in plan.mapping} | {(r.entity, r.field) for r in plan.enrichment}
    fed = sorted({f.entity for f in plan.feeds} & set(ENTITIES))
    fields = ((e, f) for e in fed for f in ENTITIES[e].fields if f.type != "key")
    return tuple((e, f.name) for e, f in fields if (e, f.name) not in mapped)


def left_behind(plan: Plan, columns: Columns | None = None) -> tuple[LeftBehind, ...]:
    """Raw columns that do not move, by table: those the plan declares, and of tables that have been read all others
    that no feed, key or mapping uses; secret ones are among them."""
    used, read = uses(plan), columns or {}
    found = []
    for table in sorted({*read, *plan.source_tables}):
        declared = plan.source_tables.get(table)
        known = {**dict.fromkeys(declared.left_behind if declared else (), ""), **read.get(table, {})}
        unused = {c: kind for c, kind in known.items() if c not in used.get(table, {})}
        found += [LeftBehind(table, c, kind, _why_behind(plan, table, c)) for c, kind in unused.items()]
    return tuple(found)


def _why_behind(plan: Plan, table: str, column: str) -> str:
    declared = plan.source_tables.get(table)
    if declared is not None and column in declared.left_behind:
        return declared.left_behind[column]
    if declared is not None and column in declared.secret:
        return "secret: it is never read"
    if rule := table_left_out(plan, table):
        return f"the exclusion {rule} leaves out every row"
    deciding = choices(plan).get(table, {})
    return f"{deciding[column]} goes by it" if column in deciding else ""


def _compared(plan: Plan, row: MappingRow, columns: Columns) -> FieldComparison:
    table = f"{row.system}.{row.table}"
    feed = next((f for f in plan.feeds if f.feed == row.feed), None)
    field = mapped_field(row)
    return FieldComparison(
        entity=row.entity,
        feed=row.feed,
        table=table,
        old=row.columns,
        old_types=tuple(old_type(plan, row, c, feed, columns or {}) for c in row.columns),
        new=row.field,
        new_type=field.type if field else "",
        rule=row.rule,
        loss="; ".join(_losses(plan, row)) or NOTHING,
    )


def old_type(plan: Plan, row: MappingRow, column: str, feed: Feed | None, columns: Columns) -> str:
    """The type of a raw column as far as it is known; pseudo-columns of a feed have theirs from what they stand for."""
    table, name = place_of(plan, f"{row.system}.{row.table}", column)
    types = columns.get(table, {})
    if column == NAME:
        return "column name"
    if column == VALUE and feed is not None:
        return "/".join(sorted({types[c] for c in feed.unpivot if c in types}))
    return types.get(name, "")


def _losses(plan: Plan, row: MappingRow) -> Iterator[str]:
    yield from LOSSES[row.rule](plan, row) if row.rule in LOSSES else ()
    conditions: tuple[Predicate, ...] = getattr(parsed_arguments(row), "when", ())
    if conditions and row.columns:
        yield f"the value where not {listing(p.field for p in conditions)} as stated"
    if effective_on_error(row) == "set_aside" and row.columns and not _cannot_fail(row):
        yield "values that cannot be mended, which are set aside and listed"


def _cannot_fail(row: MappingRow) -> bool:
    field = mapped_field(row)
    return row.rule in _PLAIN and field is not None and field.type in ("text", "reference")


def effective_on_error(row: MappingRow) -> str:
    """`reject` or `set_aside`, as written or as it follows from the field."""
    field = mapped_field(row)
    return row.on_error or ("reject" if field is not None and field.takes_row_along else "set_aside")


def _code_loss(plan: Plan, row: MappingRow) -> Iterator[str]:
    sources: dict[str, list[str]] = {}
    for code in plan.codes.get(str(row.arguments.get("list")), ()):
        sources.setdefault(code.target, []).append(code.code)
    dropped = sources.pop("-", [])
    for target, codes in sorted(sources.items()):
        if len(codes) > 1:
            yield f"the difference between {listing(codes)} (all become {target})"
    if dropped:
        yield f"{len(dropped)} code(s) that mean no value"


def _money_loss(_: Plan, row: MappingRow) -> Iterator[str]:
    rounding = row.arguments.get("rounding", "refuse")
    if rounding != "refuse":
        yield f"fractions of a minor unit, rounded {rounding}"
    if "default" in row.arguments:
        yield "that the amount was blank (each is noted)"


def _name_loss(_: Plan, row: MappingRow) -> Iterator[str]:
    yield "capitals and white space as typed"
    if row.arguments.get("part", "full") != "full":
        yield "the other parts of the name"


def _always(*what: str) -> Callable[[Plan, MappingRow], Iterator[str]]:
    return lambda _plan, _row: iter(what)


LOSSES: dict[str, Callable[[Plan, MappingRow], Iterator[str]]] = {
    "copy": _always(),
    "constant": _always(),
    "trim": _always("white space at both ends"),
    "case": _always("capitals as typed"),
    "text": _always("white space and invisible characters as typed"),
    "repair": _always("broken characters, white space and invisible characters as stored"),
    "exact_line_amount": _always(),
    "date": _always("the time of day, if there is one"),
    "timestamp": _always("the offset it was stated in; the instant stays"),
    "integer": _always(),
    "decimal": _always(),
    "money": _money_loss,
    "line_amount": _money_loss,
    "boolean": _always("the spelling of true and false"),
    "lookup": _code_loss,
    "coalesce": _always("later columns, where an earlier one has a value"),
    "join": _always("where one part ends and the next begins"),
    "split": _always("the other parts of the text"),
    "extract": _always("the rest of the text"),
    "default": _always("that the value was blank (each is noted)"),
    "phone": _always("the number as typed", "an extension (each is noted)"),
    "email": _always("capitals as typed"),
    "country": _always("the country as typed"),
    "state": _always("the state as typed"),
    "address_part": _always("the other parts of the address"),
    "address_text": _always("where one part ends and the next begins"),
    "street": _always("the kind of street as typed"),
    "postal_code": _always("capitals and spacing as typed"),
    "currency": _always("capitals as typed"),
    "language": _always("the language as typed"),
    "time_zone": _always(),
    "person_name": _name_loss,
    "company_name": _always("the legal form as typed"),
    "website": _always("everything of the address but the host"),
    "tax_id": _always("separators as typed"),
    "reference": _always(),
    "quantity": _always("the unit it was stated in; the quantity stays"),
    "months_before_as_of": _always(),
    "as_of": _always(),
}
