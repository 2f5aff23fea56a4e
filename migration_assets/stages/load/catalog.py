"""Reads what a target database holds now, and makes what is missing: the only place that runs DDL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from migration_assets.connectors.postgres_target import complaint, has_table
from migration_assets.domain.errors import TargetRefused
from migration_assets.stages.load.ddl import Catalog, CurrentColumn, CurrentTable, Desired, plan_schema
from migration_assets.stages.load.schema import CROSSWALK, RECORD_SCHEMA

if TYPE_CHECKING:
    from migration_assets.connectors.postgres_target import Connection, PostgresTarget


@dataclass(frozen=True)
class SchemaResult:
    """What was done to the target: no statement means it was as the plan says already."""

    statements: tuple[str, ...]

    @property
    def unchanged(self) -> bool:
        return not self.statements


def has_record(target: PostgresTarget) -> bool:
    """Whether the target has the record of what was loaded into it."""
    with target.transaction(read_only=True) as connection:
        return has_table(connection, RECORD_SCHEMA, CROSSWALK)


def apply_schema(target: PostgresTarget, desired: Desired) -> SchemaResult:
    """Bring the target to what is desired, in one transaction; TargetRefused leaves it as it was."""
    with target.transaction() as connection:
        statements = plan_schema(read_catalog(connection, desired), desired)
        for statement in statements:
            _run(connection, statement)
    return SchemaResult(statements)


def _run(connection: Connection, statement: str) -> None:
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except psycopg.Error as error:
        # Roles are the server's: the same plan may have made this one for another database meanwhile.
        if statement.startswith("CREATE ROLE") and error.sqlstate in ("42710", "23505"):
            return
        said, first_line = complaint(error), statement.partition("\n")[0]
        raise TargetRefused(
            f"the target refused `{first_line}`: {said.message}",
            "Give the user of the target's URL what is missing, or correct target.yaml; nothing was changed.",
        ) from None


def read_catalog(connection: Connection, desired: Desired) -> Catalog:
    """What is there now, of the roles and schemas that are desired."""
    roles, schemas, extensions = list(desired.roles.values()), list(desired.schemas), list(desired.extensions)
    return Catalog(
        roles=_column(connection, "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", roles),
        memberships=_column(
            connection,
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND pg_has_role(CURRENT_USER, oid, 'MEMBER')",
            roles,
        ),
        extensions=_column(connection, "SELECT extname FROM pg_extension WHERE extname = ANY(%s)", extensions),
        schemas=_column(connection, "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", schemas),
        tables=_tables(connection, schemas),
        grants=frozenset(connection.execute(_GRANTS, {"schemas": schemas, "roles": roles}).fetchall()),
    )


def _column(connection: Connection, query: str, argument: list[str]) -> frozenset[str]:
    return frozenset(row[0] for row in connection.execute(query.encode(), [argument]))


_TABLES = """
SELECT n.nspname || '.' || c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), c.relrowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p')
"""
_COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       a.atthasdef OR a.attidentity <> '', coalesce(col_description(c.oid, a.attnum), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_CONSTRAINTS = """
SELECT n.nspname || '.' || c.relname, k.conname, coalesce(obj_description(k.oid, 'pg_constraint'), '')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s)
"""
_INDEXES = """
SELECT n.nspname || '.' || c.relname, i.relname, coalesce(obj_description(i.oid, 'pg_class'), '')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s)
"""
_POLICIES = """
SELECT n.nspname || '.' || c.relname, p.polname, coalesce(obj_description(p.oid, 'pg_policy'), '')
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s)
"""
_GRANTS = """
WITH objects AS (
  SELECT nspname AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl
  FROM pg_namespace WHERE nspname = ANY(%(schemas)s)
  UNION ALL
  SELECT n.nspname || '.' || c.relname, coalesce(c.relacl, acldefault('r', c.relowner))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p')
)
SELECT coalesce(r.rolname::text, 'PUBLIC'), o.name::text, a.privilege_type::text
FROM objects o, aclexplode(o.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
WHERE r.rolname = ANY(%(roles)s) OR a.grantee = 0
"""


def _tables(connection: Connection, schemas: list[str]) -> dict[str, CurrentTable]:
    known = {name: (comment, secured) for name, comment, secured in _rows(connection, _TABLES, schemas)}
    columns: dict[str, dict[str, CurrentColumn]] = {name: {} for name in known}
    for table, name, kind, required, has_default, comment in _rows(connection, _COLUMNS, schemas):
        columns[table][name] = CurrentColumn(kind, required, has_default, comment)
    constraints = _definitions(_rows(connection, _CONSTRAINTS, schemas))
    indexes = _definitions(_rows(connection, _INDEXES, schemas))
    policies = _definitions(_rows(connection, _POLICIES, schemas))
    return {
        name: CurrentTable(
            columns[name],
            constraints.get(name, {}),
            indexes.get(name, {}),
            comment,
            policies.get(name, {}),
            secured,
        )
        for name, (comment, secured) in known.items()
    }


def _rows(connection: Connection, query: str, schemas: list[str]) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), [schemas]).fetchall()


def _definitions(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, name, definition in rows:
        found.setdefault(table, {})[name] = definition
    return found
