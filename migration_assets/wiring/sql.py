"""SQL by hand against a database the plan names: read-only unless asked otherwise, and always in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from migration_assets.domain.errors import BadInput
from migration_assets.wiring.workspace import Workspace


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
            cursor = connection.execute(query)
        except psycopg.Error as e:
            remedy = "Correct the query, or allow changes with --write."
            raise BadInput(f"{name} refused the query: {e.diag.message_primary or type(e).__name__}", remedy) from e
        columns = [c.name for c in cursor.description or ()]
        rows = [list(r) for r in cursor.fetchall()] if columns else []
        changed = cursor.rowcount if not columns else 0
    return {"columns": columns, "rows": rows, "rows_changed": changed}


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
