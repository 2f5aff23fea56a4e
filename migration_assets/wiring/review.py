"""The review queue as people see it: a list of cases, and both customers of one side by side.

Personal values go to whoever asks on the terminal and nowhere else; that somebody asked is in the audit log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from migration_assets.control import Case, ReviewQueue
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import BadInput
from migration_assets.engine.duckdb import DuckDBEngine
from migration_assets.stages.store import GLOBAL

if TYPE_CHECKING:
    from rich.console import Console

    from migration_assets.control import Answer
    from migration_assets.wiring.workspace import Workspace

# Why a machine does not decide, in words (stages.identities.decide.Reason).
WHY = {
    "unsure": "alike, but not enough to be sure",
    "told_apart": "alike, but for what tells people of one household, or companies of one group, apart",
    "two_payers": "both have been billed",
    "same_plan_twice": "both have an active subscription to one plan",
    "two_tax_ids": "their verified tax numbers differ",
    "both_loaded": "two customers of the new system already, with ids of their own",
    "contradicted": "what was decided contradicts other decisions or the source",
}


def cases_of(workspace: Workspace, *, everything: bool) -> list[dict[str, Any]]:
    """Cases as plain data, in the order in which they should be looked at."""
    return [_plain(c) for c in ReviewQueue(workspace.control, workspace.plan.name).cases(everything=everything)]


def _plain(case: Case) -> dict[str, Any]:
    return {
        "case": case.case_id,
        "a": case.a,
        "b": case.b,
        "evidence": case.rule,
        "probability": case.probability,
        "reason": case.reason,
        "open": case.open,
        "answer": case.answer,
        "decided_by": case.decided_by,
        "decided_at": case.decided_at.isoformat() if case.decided_at else None,
    }


def print_cases(out: Console, cases: list[dict[str, Any]]) -> None:
    """A table of cases, and how to go on from there."""
    if not cases:
        out.print("[green]Nothing waits for a person.[/]")
        return
    table = Table("case", "customers", "evidence", "probability", "why a person", "answer")
    for c in cases:
        answer = f"{c['answer']} ({c['decided_by']})" if c["answer"] else "" if c["open"] else "not found any more"
        table.add_row(
            str(c["case"]),
            escape(f"{c['a']}\n{c['b']}"),
            c["evidence"],
            f"{c['probability']:.4f}",
            WHY[c["reason"]],
            answer,
        )
    out.print(table)
    out.print("`cutover review show CASE` shows both, `cutover review decide CASE same|apart --reason ...` decides.")


def both_of(workspace: Workspace, case_id: int, actor: str) -> dict[str, Any]:
    """A case, and what the last golden copy says of both customers in standard form: `fields`, each with the values of
    `a` and `b`. BadInput when there is no such case, or no run has brought its rows into standard form."""
    case = ReviewQueue(workspace.control, workspace.plan.name).case(case_id)
    file = workspace.store.file("standardized_parties", GLOBAL, "customer")
    if not file.exists():
        raise BadInput("there are no customers in standard form to show", "Run `cutover run` first.")
    with DuckDBEngine() as engine:
        rows = engine.read(file)
        found = engine.arrow(rows.filter(rows["customer_id"].isin([case.a, case.b]))).to_pylist()
    of_key = {r["customer_id"]: r for r in found}
    workspace.control.audit(actor, "review_viewed", f"case {case_id}", {"found": len(found)}, now=datetime.now(UTC))
    fields = [
        {"field": f.name, "a": _shown(of_key.get(case.a), f.name), "b": _shown(of_key.get(case.b), f.name)}
        for f in ENTITIES["customer"].fields
    ]
    return _plain(case) | {"fields": [f for f in fields if f["a"] is not None or f["b"] is not None]}


def _shown(row: dict[str, Any] | None, field: str) -> str | None:
    return None if row is None or row[field] is None else str(row[field])


def print_both(out: Console, case: dict[str, Any]) -> None:
    """Both customers side by side; where they differ stands out."""
    table = Table("", escape(case["a"]), escape(case["b"]), title=f"Case {case['case']}: {WHY[case['reason']]}")
    for f in case["fields"]:
        style = "" if f["a"] == f["b"] else "yellow"
        table.add_row(f["field"], escape(f["a"] or ""), escape(f["b"] or ""), style=style)
    out.print(table)
    out.print(
        f"Evidence: {case['evidence']}, probability {case['probability']:.4f}. Answer: {case['answer'] or 'none yet'}."
    )


def decide(workspace: Workspace, case_id: int, answer: Answer, *, by: str, reason: str) -> dict[str, Any]:
    """Answer a case; the next run goes by it."""
    queue = ReviewQueue(workspace.control, workspace.plan.name)
    return _plain(queue.decide(case_id, answer, by=by, reason=reason, now=datetime.now(UTC)))
