"""`cutover document`: its pages, and what only the load knows of them: the target as PostgreSQL will hold it."""

from __future__ import annotations

from collections.abc import Iterator

from migration_assets.plan.dictionary import data_dictionary
from migration_assets.plan.document import field_comparison, mapping_document
from migration_assets.plan.markdown import cell, table
from migration_assets.plan.models import Plan
from migration_assets.stages.load.ddl import EVERYONE, Desired, Table
from migration_assets.stages.load.schema import desired_schema
from migration_assets.wiring.source_columns import KnownColumns


def documents(plan: Plan, known: KnownColumns) -> dict[str, str]:
    """Every page of the plan by the end of its file name. Old types are the source's own words, where known."""
    return {
        "mapping": mapping_document(plan, target_tables(desired_schema(plan))),
        "fields": field_comparison(plan, known.declared),
        "dictionary": data_dictionary(plan, known.declared),
    }


def target_tables(desired: Desired) -> str:
    """Tables with columns, PostgreSQL types, keys and constraints, and who may do what."""
    return "\n".join(_target_parts(desired))


def _target_parts(desired: Desired) -> Iterator[str]:
    named = [*sorted(desired.roles.items()), ("everyone", EVERYONE)]
    roles = ((part, name, ", ".join(_rights(desired, part))) for part, name in named)
    yield f"### Roles\n\n{table(('part', 'role', 'may'), roles)}"
    for made in desired.tables:
        yield f"### {cell(made.qualified)}\n\n{cell(made.comment)}\n"
        columns = ((c.name, c.type, "not null" if c.required else "", c.comment) for c in made.columns)
        yield table(("column", "type", "null", "holds"), columns)
        yield table(("constraint, index or policy", "definition"), _guards(made))


def _guards(made: Table) -> Iterator[tuple[str, str]]:
    yield from ((c.name, c.definition) for c in made.constraints)
    yield from ((i.name, f"INDEX {i.definition}") for i in made.indexes)
    yield from ((p.name, f"POLICY {p.definition}") for p in made.policies)


def _rights(desired: Desired, part: str) -> Iterator[str]:
    """What a role may do, tables with the same privileges together."""
    if part == "owner":
        yield "own every table"
        return
    tables: dict[tuple[str, ...], list[str]] = {}
    for made in desired.tables:
        for role, privileges in made.grants:
            if role == part:
                tables.setdefault(privileges, []).append(made.qualified)
    yield from (f"{' '.join(privileges)} on {', '.join(names)}" for privileges, names in tables.items())
