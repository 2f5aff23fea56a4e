"""What is worth a note about a mapped row: cleaned, defaulted, rounded, set aside or rejected, and why.

A value can also stay and be remarked on: `suggested` says in `new_value` what it may have been meant to be, `remarked`
what else people should know. Neither changes anything.

Row grain of notes: one event on one field of one source row. Old and new values may be personal data: notes stay in
the store and never become metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from migration_assets.domain.canonical import Entity, Field
from migration_assets.engine.distinct import Answers
from migration_assets.engine.feed import FeedSpec, FieldRule
from migration_assets.engine.predicates import holds
from migration_assets.engine.rules import registry
from migration_assets.engine.rules.arguments import Arguments
from migration_assets.engine.rules.outcome import NO_VALUE, Cleaner, joined, present, rendered

if TYPE_CHECKING:
    import ibis.expr.types as ir

NOTE_COLUMNS = {
    "entity": "string",
    "feed": "string",
    "source_system": "string",
    "source_table": "string",
    "source_id": "string",
    "source_row": "int64",
    "field": "string",
    "rule": "string",
    "action": "string",
    "reason": "string",
    "old_value": "string",
    "new_value": "string",
}

# Reason of the rejection of an entry of a text that its pattern does not fit.
UNREADABLE = "entry_unreadable"


class Event(NamedTuple):
    """What a note says; `field`, `rule` and mostly `action` are the same for all rows."""

    field: str
    rule: str
    action: Any
    reason: Any
    old_value: Any
    new_value: Any


_Case = tuple[Any, Event]


@dataclass(frozen=True)
class Step:
    """One field on its way: its rule with parsed arguments, and where its answers come from."""

    number: int
    target: Field
    given: FieldRule
    rule: registry.Rule
    arguments: Arguments
    cleaner: Cleaner | None = None
    answers: Answers | None = None

    @property
    def rejects(self) -> bool:
        return self.target.takes_row_along or self.given.on_error == "reject"

    @property
    def notes_changes(self) -> bool:
        return self.rule.cleans and (self.cleaner is None or self.cleaner.noted)

    @property
    def rounds(self) -> bool:
        return self.cleaner is not None and self.cleaner.rounded is not None

    def columns(self, table: ir.Table) -> list[ir.Value]:
        return [table[c] for c in self.given.columns]

    def name(self, part: str) -> str:
        return f"_{part}_{self.number}"


def unmapped(entity: Entity, steps: Sequence[Step]) -> list[Field]:
    """Required fields nobody gives a value: no row can be made."""
    given = {s.given.field for s in steps}
    fields = entity.fields if entity.origin == "catalog" else entity.fields[1:]
    return [f for f in fields if f.required and f.name not in given]


def bad(step: Step, rows: ir.Table) -> ir.BooleanValue:
    """Rows whose present value could not be mended."""
    error = rows[step.name("error")]
    return (error.notnull() & (error != NO_VALUE)).fill_null(False)


def notes_of(spec: FeedSpec, entity: Entity, steps: Sequence[Step], made: ir.Table) -> ir.Table:
    """The notes of a feed whose rows have `_value_n`, `_error_n` and `_default_n` of each step."""
    import ibis

    # A row carries the numbers of its events first: what they say is put together once for each note, not for each row.
    each = [_number(cases) for cases in _numbered(_events(spec, entity, steps, made))]
    listed = ibis.array(each).filter(lambda number: number.notnull())
    noted = made.mutate(_event=listed.unnest())
    events = [numbered for cases in _numbered(_events(spec, entity, steps, noted)) for numbered in cases]
    fixed: dict[str, ir.Value] = {
        "entity": ibis.literal(spec.entity),
        "feed": ibis.literal(spec.feed),
        "source_system": ibis.literal(spec.system),
        "source_table": ibis.literal(spec.table),
        "source_id": noted["_source_id"],
        "source_row": noted["_row"],
    }
    said = {n: _said(noted["_event"], [(i, getattr(e, n)) for i, (_, e) in events]) for n in Event._fields}
    return noted.select(**fixed, **said).cast(NOTE_COLUMNS)


def _numbered(fields: Sequence[Sequence[_Case]]) -> list[list[tuple[int, _Case]]]:
    """The cases of each field, every one with a number of its own."""
    numbers = count()
    return [[(next(numbers), case) for case in cases] for cases in fields]


def _number(cases: Sequence[tuple[int, _Case]]) -> ir.IntegerValue:
    """The number of the first case that holds; null when none does."""
    import ibis

    return ibis.cases(*((condition, ibis.literal(i, "int16")) for i, (condition, _) in cases), else_=ibis.null("int16"))


def _said(number: ir.IntegerValue, values: Sequence[tuple[int, Any]]) -> ir.StringValue:
    """The value that goes with an event's number; None is null."""
    import ibis

    known = [(number == i, value) for i, value in values if value is not None]
    return ibis.cases(*known, else_=ibis.null("string")) if known else ibis.null("string")


def _events(spec: FeedSpec, entity: Entity, steps: Sequence[Step], rows: ir.Table) -> list[list[_Case]]:
    """What can be worth a note: per field its cases, of which the first that holds counts."""
    import ibis

    found = [_cases(s, rows) for s in steps]
    found += [_remark(s, rows) for s in steps if s.name("remark") in rows.columns]
    found += [
        [(ibis.literal(True), Event(f.name, "", "rejected", "required_missing", None, None))]
        for f in unmapped(entity, steps)
    ]
    if spec.entries:
        # Of an entry that could not be read nothing else is worth saying: all its fields are missing for that reason.
        found = [[(condition & rows["_unread"].isnull(), event) for condition, event in cases] for cases in found]
    return [*found, _row_cases(entity, rows)]


def _cases(step: Step, rows: ir.Table) -> list[_Case]:
    value, error, wrong = rows[step.name("value")], rows[step.name("error")], bad(step, rows)
    old, new = _old(step, rows), rendered(value)
    cases = [(wrong, _event(step, "rejected" if step.rejects else "set_aside", error, old, None))]
    if step.target.required:
        cases.append((value.isnull(), _event(step, "rejected", "required_missing", old, None)))
    if step.rule.name == "default" or step.rule.fallback is not None:
        cases.append((rows[step.name("default")], _event(step, "defaulted", "blank", old, new)))
    if step.rounds:
        # The exact number in the unit of the value, so that what rounding made of a column can be added up.
        exact, how = rows[step.name("exact")], rows[step.name("rounding")]
        cases.append((exact.notnull(), _event(step, "rounded", how, exact, new)))
    if step.notes_changes:
        asked = holds(rows, step.arguments.when) & present(rows[step.given.columns[0]])
        before = rendered(rows[step.given.columns[0]])
        cases.append((asked & ~before.identical_to(new), _event(step, "cleaned", "changed", before, new)))
    return cases


def _remark(step: Step, rows: ir.Table) -> list[_Case]:
    reason, suggested = rows[step.name("remark")], rows[step.name("suggested")]
    action = suggested.isnull().ifelse("remarked", "suggested")
    return [(reason.notnull(), _event(step, action, reason, _old(step, rows), suggested))]


def _old(step: Step, rows: ir.Table) -> ir.StringValue | None:
    """The raw input as people see it; several columns joined as the rule's code is, else by ` | `."""
    if not step.given.columns:
        return None
    if len(step.given.columns) == 1:
        return rendered(rows[step.given.columns[0]])
    return joined(step.columns(rows), "=" if step.rule.code else " | ")


def _event(step: Step, action: Any, reason: Any, old: Any, new: Any) -> Event:
    return Event(step.target.name, step.rule.name, action, reason, old, new)


def _row_cases(entity: Entity, rows: ir.Table) -> list[_Case]:
    """What is wrong with the row as a whole; it stands at the key, which comes before all other fields."""
    key = entity.key.name
    return [
        (~rows["_keyed"], Event(key, "key", "rejected", "key_missing", rows["_source_id"], None)),
        (rows["_unread"].notnull(), Event(key, "key", "rejected", UNREADABLE, rows["_unread"], None)),
    ]
