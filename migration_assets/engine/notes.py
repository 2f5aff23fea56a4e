"""What is worth a note about a mapped row: cleaned, defaulted, rounded, set aside or rejected, and why.

A value can also stay and be remarked on: `suggested` says in `new_value` what it may have been meant to be, `remarked`
what else people should know. Neither changes anything.

Row grain of notes: one event on one field of one source row. Old and new values may be personal data: notes stay in
the store and never become metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
_EVENT = "struct<field: string, rule: string, action: string, reason: string, old_value: string, new_value: string>"

_Case = tuple[Any, Any]
# Reason of the rejection of an entry of a text that its pattern does not fit.
UNREADABLE = "entry_unreadable"


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

    events = _events(spec, entity, steps, made)
    # Most rows have nothing to tell: finding that out first is far cheaper than building empty lists for them.
    told = made.filter(ibis.or_(*(condition for cases in events for condition, _ in cases)))
    each = [ibis.cases(*cases, else_=ibis.null(_EVENT)) for cases in _events(spec, entity, steps, told)]
    listed = ibis.array(each).filter(lambda event: event.notnull())
    noted = told.select("_source_id", "_row", _event=listed.unnest())
    fixed: dict[str, ir.Value] = {
        "entity": ibis.literal(spec.entity),
        "feed": ibis.literal(spec.feed),
        "source_system": ibis.literal(spec.system),
        "source_table": ibis.literal(spec.table),
        "source_id": noted["_source_id"],
        "source_row": noted["_row"],
    }
    parts = {n: noted["_event"][n] for n in NOTE_COLUMNS if n not in fixed}
    return noted.select(**fixed, **parts).cast(NOTE_COLUMNS)


def _events(spec: FeedSpec, entity: Entity, steps: Sequence[Step], rows: ir.Table) -> list[list[_Case]]:
    """What can be worth a note: per field its cases, of which the first that holds counts."""
    import ibis

    found = [_cases(s, rows) for s in steps]
    found += [_remark(s, rows) for s in steps if s.name("remark") in rows.columns]
    found += [[(ibis.literal(True), _missing(f))] for f in unmapped(entity, steps)]
    if spec.entries:
        # Of an entry that could not be read nothing else is worth saying: all its fields are missing for that reason.
        found = [[(condition & rows["_unread"].isnull(), event) for condition, event in cases] for cases in found]
    return [*found, _row_cases(entity, rows)]


def _cases(step: Step, rows: ir.Table) -> list[_Case]:
    import ibis

    value, error, wrong = rows[step.name("value")], rows[step.name("error")], bad(step, rows)
    old, new = _old(step, rows), rendered(value)
    no_text = ibis.null("string")
    cases = [(wrong, _struct(step, "rejected" if step.rejects else "set_aside", error, old, no_text))]
    if step.target.required:
        cases.append((value.isnull(), _struct(step, "rejected", "required_missing", old, no_text)))
    if step.rule.name == "default" or step.rule.fallback is not None:
        cases.append((rows[step.name("default")], _struct(step, "defaulted", "blank", old, new)))
    if step.rounds:
        # The exact number in the unit of the value, so that what rounding made of a column can be added up.
        exact, how = rows[step.name("exact")], rows[step.name("rounding")]
        cases.append((exact.notnull(), _struct(step, "rounded", how, exact, new)))
    if step.notes_changes:
        asked = holds(rows, step.arguments.when) & present(rows[step.given.columns[0]])
        before = rendered(rows[step.given.columns[0]])
        cases.append((asked & ~before.identical_to(new), _struct(step, "cleaned", "changed", before, new)))
    return cases


def _remark(step: Step, rows: ir.Table) -> list[_Case]:
    reason, suggested = rows[step.name("remark")], rows[step.name("suggested")]
    action = suggested.isnull().ifelse("remarked", "suggested")
    return [(reason.notnull(), _struct(step, action, reason, _old(step, rows), suggested))]


def _old(step: Step, rows: ir.Table) -> ir.StringValue:
    """The raw input as people see it; several columns joined as the rule's code is, else by ` | `."""
    import ibis

    if not step.given.columns:
        return ibis.null("string")
    if len(step.given.columns) == 1:
        return rendered(rows[step.given.columns[0]])
    return joined(step.columns(rows), "=" if step.rule.code else " | ")


def _struct(step: Step, action: Any, reason: Any, old: ir.StringValue, new: ir.StringValue) -> ir.Value:
    return _as_event(step.target.name, step.rule.name, action, reason, old, new)


def _as_event(name: str, rule: str, action: Any, reason: Any, old: Any, new: Any) -> ir.Value:
    import ibis

    parts = (name, rule, action, reason, old, new)
    names = ("field", "rule", "action", "reason", "old_value", "new_value")
    return ibis.struct(dict(zip(names, parts, strict=True)), type=_EVENT)


def _missing(target: Field) -> ir.Value:
    import ibis

    return _as_event(target.name, "", "rejected", "required_missing", ibis.null("string"), ibis.null("string"))


def _row_cases(entity: Entity, rows: ir.Table) -> list[_Case]:
    """What is wrong with the row as a whole; it stands at the key, which comes before all other fields."""
    import ibis

    key, no_text = entity.key.name, ibis.null("string")
    return [
        (~rows["_keyed"], _as_event(key, "key", "rejected", "key_missing", rows["_source_id"], no_text)),
        (rows["_unread"].notnull(), _as_event(key, "key", "rejected", UNREADABLE, rows["_unread"], no_text)),
    ]
