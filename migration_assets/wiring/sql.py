"""SQL by hand against a database the plan names: read-only unless asked otherwise, and always in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from migration_assets.domain.errors import BadInput
from migration_assets.wiring.workspace import Workspace

if TYPE_CHECKING:
    import psycopg


_REMEDIES = {
    "25006": "Allow changes with --write.",
    "42501": "Allow changes with --write; programs and files of the server stay out of reach without it.",
    "42601": "Correct the query; without --write it has to be one statement.",
}
# The server is content; it is Python that has no such value.
_NO_SUCH_VALUE = "A value cannot be shown as it is (an infinite date, for one): cast its column to text in the query."


def run_sql(workspace: Workspace, name: str, query: str, *, write: bool, actor: str) -> dict[str, Any]:
    """Columns and rows of one query, or the number of rows it changed. BadInput for an unknown name or a bad query."""
    import psycopg

    url = _url(workspace, name).replace("postgresql+psycopg://", "postgresql://")
    # The statement may quote personal data, so the log keeps its digest, not its text.
    digest = sha256(query.encode()).hexdigest()
    detail = {"database": name, "write": write, "query_sha256": digest}
    workspace.control.audit(actor, "sql", name, detail, now=datetime.now(UTC))
    with psycopg.connect(url) as connection:
        connection.read_only = not write
        try:
            if not write:
                _give_up_rights(connection)
            # Only one statement can be prepared: none can end the read-only transaction and begin another.
            cursor = connection.execute(query.encode(), prepare=not write)
            rows = [list(r) for r in cursor.fetchall()] if cursor.description else []
        except psycopg.Error as e:
            remedy = _REMEDIES.get(e.sqlstate or "", "Correct the query." if e.sqlstate else _NO_SUCH_VALUE)
            raise BadInput(f"{name} refused the query: {e.diag.message_primary or type(e).__name__}", remedy) from e
        columns = [c.name for c in cursor.description or ()]
        changed = max(cursor.rowcount, 0) if not columns else 0
    return {"columns": columns, "rows": rows, "rows_changed": changed}


def _give_up_rights(connection: psycopg.Connection[Any]) -> None:
    """Read as somebody who may only read: a read-only transaction of a superuser could still run programs."""
    reader = "pg_read_all_data"
    row = connection.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", [reader]).fetchone()
    if row is not None and row[0]:
        connection.execute(f"SET LOCAL ROLE {reader}")


def _url(workspace: Workspace, name: str) -> str:
    plan, environment = workspace.plan.file, workspace.environment
    known = {
        "target": workspace.target_url,
        "control": environment.control_url,
        **{s.database: environment.database(s.database) for s in plan.sources.values() if s.database},
    }
    if name not in known:
        raise BadInput("the plan names no such database", f"Databases of this plan: {', '.join(sorted(known))}.")
    return known[name]
