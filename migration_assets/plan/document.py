"""The mapping specification and the field comparison as markdown, made from the plan the code runs on.

What is compared and what is lost is `comparison`; here it is only written down. A document shows rules and codes,
never a row of data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from migration_assets.engine.rules import rules_reference
from migration_assets.plan.billing_document import billing_section
from migration_assets.plan.comparison import (
    Columns,
    compared_fields,
    effective_on_error,
    left_behind,
    unmapped_fields,
)
from migration_assets.plan.conditions import conditions
from migration_assets.plan.markdown import cell, table
from migration_assets.plan.models import MappingRow, Plan
from migration_assets.plan.source_models import Exclusion, SourceTable

_MATRIX = (
    "field",
    "from",
    "rule",
    "arguments",
    "when it cannot be mended",
    "direction",
    "system of record",
    "owner",
    "status",
    "sensitivity",
    "reason",
)


def mapping_document(plan: Plan, target_tables: str = "") -> str:
    """The mapping specification (the matrix of field to field, and all it rests on).

    `target_tables` is markdown on the target's tables as the load makes them, which only the load knows.
    """
    return "\n".join(_mapping_parts(plan, target_tables))


def field_comparison(plan: Plan, columns: Columns | None = None) -> str:
    """Old fields against new: name, type, rule, loss; then what stays empty and what stays behind.

    `columns` is column -> type for each `system.table`; of tables it leaves out, old types and columns left behind are
    not known.
    """
    return "\n".join(_comparison_parts(plan, columns))


def _mapping_parts(plan: Plan, target_tables: str) -> Iterator[str]:
    yield f"# Mapping specification: {cell(plan.file.title)}\n"
    yield f"{cell(plan.file.description)}\n"
    yield f"Plan `{plan.name}`, digest `{plan.digest}`. As of: {plan.file.as_of or 'the time of the snapshot'}.\n"
    if plan.file.rehearsal:
        yield "**This is a rehearsal: rows marked ASSUMED have not been confirmed.**\n"
    yield f"## Source tables\n\n{_sources(plan)}"
    yield f"## Left out on purpose\n\n{_exclusions(plan)}"
    yield f"## Feeds\n\n{_feeds(plan)}"
    yield "## Fields\n"
    for entity in sorted({r.entity for r in plan.mapping}):
        yield from _entity_parts(plan, entity)
    yield f"## Values added\n\n{_enrichment(plan)}"
    yield "## Code lists\n"
    for name, codes in sorted(plan.codes.items()):
        rows = ((c.code, c.target, c.reason) for c in codes)
        yield f"### {cell(name)}\n\n{table(('code', 'becomes', 'reason'), rows)}"
    yield f"## Bills\n\n{billing_section(plan)}"
    yield f"## Target tables\n\n{_target(plan)}"
    yield target_tables
    yield f"## Rules\n\n{rules_reference()}"


def _sources(plan: Plan) -> str:
    rows = (
        (name, _origin(t), ", ".join(t.key), t.home or "", t.owner, ", ".join(t.secret), t.description)
        for name, t in plan.source_tables.items()
    )
    return table(("table", "read from", "key", "accounted for by", "customer by", "never read", "description"), rows)


def _origin(declared: SourceTable) -> str:
    if declared.split is None:
        return declared.read_from
    read = f", each read by {declared.split.pattern}" if declared.split.pattern else ""
    return f"the entries of {declared.split.column} of {declared.read_from}{read}"


def _exclusions(plan: Plan) -> str:
    rows = ((e.rule, e.table, left_out_when(e), e.reason) for e in plan.file.exclusions)
    return table(("rule", "table", "rows", "reason"), rows)


def _enrichment(plan: Plan) -> str:
    """Values no source has: who says so, how sure it is, and why it may be kept."""
    names = ("rule", "field", "reads", "enricher", "source", "confidence", "lawful basis", "reason")
    rows = (
        (
            e.rule,
            f"{e.entity}.{e.field}",
            ", ".join(f"{e.reads_of or e.entity}.{name}" for name in e.reads),
            e.enricher,
            e.source,
            str(e.confidence),
            e.lawful_basis.replace("_", " ") + (f" to {e.purpose}".replace("_", " ") if e.purpose else ""),
            e.reason,
        )
        for e in plan.enrichment
    )
    return table(names, rows)


def _feeds(plan: Plan) -> str:
    rows = (
        (f.feed, f.entity, f"{f.system}.{f.table}", conditions(f.where) or "every row", ", ".join(f.unpivot), f.reason)
        for f in plan.feeds
    )
    return table(("feed", "makes", "from", "rows", "columns turned to rows", "reason"), rows)


def _entity_parts(plan: Plan, entity: str) -> Iterator[str]:
    yield f"### {cell(entity)}\n"
    for feed in sorted({r.feed for r in plan.mapping if r.entity == entity}):
        rows = [r for r in plan.rows_of(feed) if r.entity == entity]
        yield f"Feed `{feed}`, from `{rows[0].system}.{rows[0].table}`:\n"
        yield table(_MATRIX, map(_matrix_row, rows))


def _matrix_row(row: MappingRow) -> tuple[str, ...]:
    return (
        row.field,
        ", ".join(row.columns),
        row.rule,
        json.dumps(row.arguments, ensure_ascii=False, sort_keys=True) if row.arguments else "",
        effective_on_error(row).replace("_", " "),
        row.direction.replace("_", " "),
        row.system_of_record,
        row.owner,
        row.status,
        row.sensitivity,
        row.reason,
    )


def _target(plan: Plan) -> str:
    rows = ((name, t.entity, ", ".join(t.columns), t.comment) for name, t in plan.target.tables.items())
    return table(("table", "holds", "columns", "description"), rows)


def _comparison_parts(plan: Plan, columns: Columns | None) -> Iterator[str]:
    yield f"# Fields, old and new: {cell(plan.file.title)}\n"
    rows = (
        (
            f"{c.entity}.{c.new}",
            c.new_type,
            c.table,
            ", ".join(c.old),
            ", ".join(t for t in c.old_types if t),
            c.rule,
            c.loss,
        )
        for c in compared_fields(plan, columns)
    )
    yield table(("new field", "type", "old table", "old field", "type", "rule", "lost"), rows)
    yield "## Left behind\n\nColumns of the old tables that do not move, and why they may stay.\n"
    unknown = [name for name in plan.source_tables if name not in (columns or {})]
    stay = [(x.table, x.column, x.type, x.why) for x in left_behind(plan, columns)]
    if columns or stay:
        yield table(("table", "column", "type", "left behind"), stay)
    if unknown:
        yield f"Not known before the source is read: {', '.join(map(cell, unknown))}.\n"
    yield "## Left empty\n\nFields that no feed fills and no rule tells, and why the target's column may be empty.\n"
    tables = plan.target.tables.values()
    why = {(t.entity, t.columns.get(column)): reason for t in tables for column, reason in t.left_empty.items()}
    yield table(("entity", "field", "left empty"), ((e, f, why.get((e, f), "")) for e, f in unmapped_fields(plan)))


def left_out_when(rule: Exclusion) -> str:
    """Which rows an exclusion takes, as people write it."""
    parts = [conditions(rule.where)] if rule.where else []
    if rule.stale is not None:
        parts.append(f"{rule.stale.column} is more than {rule.stale.months} months before T")
    if rule.redundant is not None:
        same = f"in {', '.join(rule.redundant.by)}" if rule.redundant.by else "but for its key and time stamp"
        kept = "the lowest key" if rule.redundant.keep == "first" else "the latest change"
        parts.append(f"a copy of another row {same}, which has {kept}")
    return " and ".join(parts) or "every row"
