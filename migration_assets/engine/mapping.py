"""One feed of the mapping: rows of a source table to rows of a canonical entity, and a note for all that happened.

Belongs here: the order of things (source id, rules, fitting, rejection, notes). Not here: what a rule does
(`engine.rules`), exact types (`engine.fitting`), calling Python on distinct values (`engine.distinct`), what is worth
a note (`engine.notes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migration_assets.domain.canonical import ENTITIES, Entity
from migration_assets.domain.canonical.model import PROVENANCE
from migration_assets.domain.errors import BadInput
from migration_assets.engine.distinct import answers_of
from migration_assets.engine.entries import ENTRY, FITS
from migration_assets.engine.feed import FeedSpec, FieldRule
from migration_assets.engine.fitting import fit
from migration_assets.engine.notes import NOTE_COLUMNS, Step, bad, notes_of, unmapped
from migration_assets.engine.predicates import holds
from migration_assets.engine.rules import registry
from migration_assets.engine.rules.outcome import (
    NO_VALUE,
    Cleaner,
    Context,
    Outcome,
    joined,
    null_like,
    present,
    rendered,
)
from migration_assets.engine.schema import stored_type

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.api import Engine

__all__ = ["NOTE_COLUMNS", "FeedSpec", "FieldRule", "MappedFeed", "map_feed", "source_id"]

_UPDATED_AT = next(f for f in PROVENANCE if f.name == "source_updated_at")


@dataclass(frozen=True)
class MappedFeed:
    """`rows`: entity fields in order, then PROVENANCE. `notes`: one event on one field of one source row."""

    rows: ir.Table
    notes: ir.Table


def map_feed(
    engine: Engine,
    spec: FeedSpec,
    source: ir.Table,
    as_of: datetime,
    whole: Callable[[], ir.Table] | None = None,
) -> MappedFeed:
    """Canonical rows of a feed and the notes of what was cleaned, defaulted, set aside or rejected on the way.

    `source` has `_row` and the raw columns; `whole` gives the table it is a slice of, for rules that learn from a
    column (default: `source` is no slice). Every source row that passes `where` (times unpivoted columns, without
    codes whose target is `-`) is either in `rows` or has a note `rejected`. BadInput when the feed itself is wrong.
    """
    if as_of.tzinfo is None:
        raise ValueError("as_of needs a time zone")
    entity = ENTITIES[spec.entity]
    base = _base(spec, source)
    steps = []
    for step in _steps(spec, entity, base):
        learned = _learned(engine, spec, step, whole or (lambda: source))
        steps.append(_answered(engine, step, replace(_context(spec, step, base, as_of), learned=learned), base))
    valued = _valued(spec, steps, base, as_of)
    judged = _judged(spec, entity, steps, valued)
    made = judged.filter(~judged["_dropped"])
    return MappedFeed(_rows(spec, entity, steps, made), notes_of(spec, entity, steps, made))


def source_id(table: ir.Table, key: Sequence[str]) -> ir.StringValue:
    """Source id of each row: the key columns as plain text joined by `/`; a missing part is empty."""
    return joined([table[k] for k in key], "/")


# --- the rows a feed is about --------------------------------------------------------------------------------------


def _base(spec: FeedSpec, source: ir.Table) -> ir.Table:
    """Source rows that pass `where`, one per unpivoted column, with `_source_id`, whether the key is whole, and the
    text of an entry that could not be read."""
    import ibis

    _known(spec, source, (*spec.key, *spec.unpivot, *([spec.updated_at] if spec.updated_at else [])))
    _known(spec, source, (ENTRY, FITS) if spec.entries else ())
    rows = source.filter(holds(source, spec.where)) if spec.where else source
    rows = rows.mutate(_source_id=source_id(rows, spec.key), _keyed=ibis.and_(*(present(rows[k]) for k in spec.key)))
    unread = rows[FITS].fill_null(False).ifelse(None, rows[ENTRY]) if spec.entries else ibis.null("string")
    rows = rows.mutate(_unread=unread)
    if not spec.unpivot:
        return rows
    cells = ibis.array([ibis.struct({"name": ibis.literal(c), "value": rendered(rows[c])}) for c in spec.unpivot])
    rows = rows.mutate(_cell=cells.unnest())
    rows = rows.mutate(_name=rows["_cell"]["name"], _value=rows["_cell"]["value"]).drop("_cell")
    return rows.mutate(_source_id=rows["_source_id"] + "/" + rows["_name"])


def _known(spec: FeedSpec, table: ir.Table, columns: Iterable[str]) -> None:
    for column in columns:
        if column not in table.columns:
            raise BadInput(
                f"feed {spec.feed}: {spec.source} has no column {column!r}", f"use one of: {', '.join(table.columns)}"
            )


# --- fields and their answers --------------------------------------------------------------------------------------


def _steps(spec: FeedSpec, entity: Entity, base: ir.Table) -> list[Step]:
    steps = []
    for number, given in enumerate(spec.fields):
        _known(spec, base, given.columns)
        rule = registry.get(given.rule)
        problems = rule.problems(len(given.columns), given.arguments)
        if given.field == entity.key.name and entity.origin != "catalog":
            problems.append("is the entity's key, which is made from the table's key")
        if problems:
            raise BadInput(f"feed {spec.feed}, field {given.field}, rule {rule.name}: {'; '.join(problems)}", rule.doc)
        steps.append(Step(number, entity.field(given.field), given, rule, rule.parse(given.arguments)))
    return steps + _provenance_step(spec, len(steps))


def _provenance_step(spec: FeedSpec, number: int) -> list[Step]:
    if spec.updated_at is None:
        return []
    rule = registry.get("timestamp")
    given = FieldRule(_UPDATED_AT.name, rule.name, (spec.updated_at,))
    return [Step(number, _UPDATED_AT, given, rule, rule.parse({}))]


def _context(spec: FeedSpec, step: Step, base: ir.Table, as_of: datetime) -> Context:
    typed = bool(step.given.columns) and not base[step.given.columns[0]].type().is_string()
    return Context(step.target, as_of, spec.codes, spec.exponents, base, typed)


def _learned(engine: Engine, spec: FeedSpec, step: Step, whole: Callable[[], ir.Table]) -> Any:
    """What the rule finds out by looking at its columns in all rows of the table, whatever the feed's `where` says."""
    if step.rule.learns is None:
        return None
    rows = _base(replace(spec, where=()), whole())
    return step.rule.load(step.rule.learns)(engine, rows, step.columns(rows), step.arguments)


def _answered(engine: Engine, step: Step, context: Context, base: ir.Table) -> Step:
    """The step with its answers in the engine, when its rule is a cleaner for these columns."""
    if _expressed(step, base, context) is not None:
        return step
    if step.rule.cleaner is None:
        raise BadInput(f"rule {step.rule.name} cannot read these columns", step.rule.doc)
    cleaner: Cleaner = step.rule.load(step.rule.cleaner)(step.arguments, context)
    answers = answers_of(
        engine,
        base,
        step.columns(base),
        cleaner,
        holds(base, step.arguments.when),
        prefix=step.name("map") + "_",
        takes_missing=step.rule.takes_missing,
    )
    return replace(step, cleaner=cleaner, answers=answers)


def _expressed(step: Step, table: ir.Table, context: Context) -> Outcome | None:
    if step.rule.expression is None:
        return None
    outcome: Outcome | None = step.rule.load(step.rule.expression)(step.columns(table), step.arguments, context)
    return outcome


def _valued(spec: FeedSpec, steps: Sequence[Step], base: ir.Table, as_of: datetime) -> ir.Table:
    """The base with `_value_n`, `_error_n` and `_default_n` of each step, in the fields' types; `_exact_n` and
    `_rounding_n` of those that may round."""
    rows = base
    for step in steps:
        if step.answers is not None:
            rows = step.answers.joined_to(rows, step.columns(rows))
    made: dict[str, ir.Value] = {}
    for step in steps:
        made |= _columns_of(step, rows, _context(spec, step, rows, as_of))
    return rows.mutate(**made)


def _columns_of(step: Step, rows: ir.Table, context: Context) -> dict[str, ir.Value]:
    import ibis

    asked = holds(rows, step.arguments.when)
    outcome = _asked(step, rows, context, asked)
    fitted = fit(outcome, step.target)
    defaulted = ibis.literal(False) if fitted.defaulted is None else asked & fitted.defaulted
    nothing = ibis.null("string")
    remarked = {} if step.answers is None else step.answers.remark(rows)
    made = {
        step.name("value"): asked.ifelse(fitted.value, null_like(fitted.value)),
        step.name("error"): nothing if fitted.error is None else asked.ifelse(fitted.error, nothing),
        step.name("default"): defaulted,
        **{step.name(n): asked.ifelse(v, nothing) for n, v in remarked.items()},
    }
    if not step.rounds:
        return made
    told = {"exact": fitted.exact, "rounding": fitted.rounding}
    return made | {
        step.name(part): nothing if text is None else asked.ifelse(text, nothing) for part, text in told.items()
    }


def _asked(step: Step, rows: ir.Table, context: Context, asked: ir.BooleanValue) -> Outcome:
    if step.answers is not None:
        outcome: Outcome | None = step.answers.outcome(rows, step.columns(rows), asked)
    else:
        outcome = _expressed(step, rows, context)
    if outcome is None:
        raise BadInput(f"rule {step.rule.name} cannot read these columns", step.rule.doc)
    if step.rule.fallback is not None:
        outcome = step.rule.load(step.rule.fallback)(outcome, step.columns(rows), step.arguments, context)
    return outcome


# --- verdicts ------------------------------------------------------------------------------------------------------


def _judged(spec: FeedSpec, entity: Entity, steps: Sequence[Step], valued: ir.Table) -> ir.Table:
    """The rows with `_dropped` and `_rejected`."""
    import ibis

    rejected = [~valued["_keyed"], valued["_unread"].notnull(), *(_rejection(s, valued) for s in steps if s.rejects)]
    return valued.mutate(
        _dropped=ibis.or_(ibis.literal(False), *_drops(spec, steps, valued)),
        _rejected=ibis.or_(ibis.literal(bool(unmapped(entity, steps))), *rejected),
    )


def _drops(spec: FeedSpec, steps: Sequence[Step], rows: ir.Table) -> list[ir.BooleanValue]:
    """In a feed that unpivots, a required field with target `-` means: there is no such row."""
    if not spec.unpivot:
        return []
    return [(rows[s.name("error")] == NO_VALUE).fill_null(False) for s in steps if s.target.required and s.rule.code]


def _rejection(step: Step, rows: ir.Table) -> ir.BooleanValue:
    wrong = bad(step, rows)
    return wrong | rows[step.name("value")].isnull() if step.target.required else wrong


# --- what comes out ------------------------------------------------------------------------------------------------


def _rows(spec: FeedSpec, entity: Entity, steps: Sequence[Step], made: ir.Table) -> ir.Table:
    import ibis

    kept = made.filter(~made["_rejected"])
    values = {s.target.name: kept[s.name("value")] for s in steps}
    provenance = {
        entity.key.name: ibis.literal(f"{spec.source}:") + kept["_source_id"],
        "source_system": ibis.literal(spec.system),
        "source_table": ibis.literal(spec.table),
        "source_id": kept["_source_id"],
        "source_row": kept["_row"],
    }
    # The key of a catalog entity is a code, which is mapped.
    known = provenance | values
    return kept.select(
        **{
            f.name: known[f.name].cast(stored_type(f)) if f.name in known else ibis.null(stored_type(f))
            for f in (*entity.fields, *PROVENANCE)
        }
    )
