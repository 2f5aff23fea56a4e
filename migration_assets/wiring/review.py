"""The review queue as plain data: its cases, all there is to know of one, and answers. How it is shown: `review_views`.

Personal values go to whoever asks and nowhere else; that somebody asked is in the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from migration_assets.control import UNMERGED, Case, ReviewQueue
from migration_assets.domain.canonical import ENTITIES
from migration_assets.domain.errors import BadInput
from migration_assets.domain.stakes import Amounts, FourEyes
from migration_assets.stages.feeds import Mapping as Feeds
from migration_assets.stages.identities.decide import objections
from migration_assets.stages.identities.evidence import told
from migration_assets.stages.identities.holdings import COUNTED, Holding, holdings_of
from migration_assets.stages.identities.queued import four_eyes_of
from migration_assets.stages.identities.stakes import as_if_parted
from migration_assets.stages.store import GLOBAL

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.control import Answer
    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.wiring.workspace import Workspace

# Why a machine does not decide, in words (stages.identities.decide.Reason), and why a person need not any more.
WHY = {
    "unsure": "alike, but not enough to be sure",
    "told_apart": "alike, but for what tells people of one household, or companies of one group, apart",
    "two_payers": "both have been billed",
    "same_plan_twice": "both have an active subscription to one plan",
    "two_tax_ids": "their verified tax numbers differ",
    "both_loaded": "two customers of the new system already, with ids of their own",
    "erased": "one was erased, and the other may be the same person: same leaves nothing personal of either",
    "contradicted": "what was decided contradicts other decisions or the source",
    UNMERGED: "they were merged, and somebody took them apart",
}


def queue_of(workspace: Workspace) -> ReviewQueue:
    """The plan's queue, with the second person it asks for."""
    return ReviewQueue(workspace.control, workspace.plan.name, four_eyes(workspace))


def four_eyes(workspace: Workspace) -> FourEyes:
    """When the plan asks for a second person."""
    return four_eyes_of(workspace.plan.file)


def cases_of(workspace: Workspace, *, everything: bool) -> list[dict[str, Any]]:
    """Cases as plain data, in the order in which they should be looked at."""
    eyes = four_eyes(workspace)
    return [plain(c, eyes) for c in queue_of(workspace).cases(everything=everything)]


def plain(case: Case, eyes: FourEyes) -> dict[str, Any]:
    """A case as `cutover review list --json` shows it; no personal value. `eyes`: when a second person is asked for."""
    return {
        "case": case.case_id,
        "a": case.a,
        "b": case.b,
        "stakes": amounts(case.stakes),
        "rank": f"{case.rank:f}",
        "evidence": case.rule,
        "probability": case.probability,
        "reason": case.reason,
        "open": case.open,
        "needs_two": case.takes_two(eyes),
        "answer": case.answer,
        "decided_by": case.decided_by,
        "seconded_by": case.seconded_by,
        "decided_at": case.decided_at.isoformat() if case.decided_at else None,
        "proposed": case.proposed,
        "proposed_by": case.proposed_by,
        "proposed_at": case.proposed_at.isoformat() if case.proposed_at else None,
    }


def amounts(by_currency: Amounts, name: str = "stake_minor") -> list[dict[str, Any]]:
    """One entry for each currency; there is no sum over them (I25)."""
    return [{"currency": currency, name: minor} for currency, minor in sorted(by_currency.items())]


def decide(workspace: Workspace, case_id: int, answer: Answer, *, by: str, reason: str) -> dict[str, Any]:
    """Answer a case; once it is in force, the next run goes by it."""
    decided = queue_of(workspace).decide(case_id, answer, by=by, reason=reason, now=datetime.now(UTC))
    return plain(decided, four_eyes(workspace))


# --- one case ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """What the last run left behind, as far as a review needs it."""

    workspace: Workspace
    engine: DuckDBEngine

    def table(self, asset: str, name: str) -> ir.Table | None:
        """Rows of a table of a global asset, None when no run has written it."""
        file = self.workspace.store.file(asset, GLOBAL, name)
        return self.engine.read(file) if file.exists() else None

    def rows(self, asset: str, name: str, column: str, values: Iterable[Any]) -> list[dict[str, Any]]:
        """Those of its rows that have one of these values there, in no order."""
        table = self.table(asset, name)
        if table is None:
            return []
        # A list within the query would take a second for each 7,000 values.
        kind = table.schema()[column].to_pyarrow()
        asked = self.engine.table(pa.table({column: pa.array(sorted(set(values)), kind)}))
        found: list[dict[str, Any]] = self.engine.arrow(table.semi_join(asked, column)).to_pylist()
        return found

    def customers(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Customers in standard form, by key. BadInput when no run has brought any into it."""
        if self.table("standardized_parties", "customer") is None:
            raise BadInput("there are no customers in standard form to show", "Run `cutover run` first.")
        return {r["customer_id"]: r for r in self.rows("standardized_parties", "customer", "customer_id", keys)}

    def group_of(self, key: str) -> list[str]:
        """All rows that the last run held for one customer with this one, the founder first."""
        mine = self.rows("customer_identities", "identities", "customer_id", [key])
        founders = [r["identity_id"] for r in mine]
        found = self.rows("customer_identities", "identities", "identity_id", founders) if founders else []
        keys = sorted(r["customer_id"] for r in found)
        return sorted(keys, key=lambda k: k not in founders) or [key]

    def feeds(self) -> Feeds:
        """The mapping over the golden copy that runs read now."""
        snapshot = self.workspace.store.current_snapshot()
        if snapshot is None:
            raise BadInput("there is no golden copy to look into", "Run `cutover run` first.")
        golden = self.workspace.golden_rows(self.engine, snapshot)
        return Feeds(self.engine, self.workspace.plan, golden, self.workspace.instant_of(snapshot))


def both_of(workspace: Workspace, case_id: int, actor: str) -> dict[str, Any]:
    """A case; what the last golden copy says of both customers in standard form (`fields`); what spoke for it
    (`weights`, `key`); what each holds, and what one customer would hold (`holdings`); and what stands `against` it.

    BadInput when there is no such case, or no run has brought its rows into standard form.
    """
    case = queue_of(workspace).case(case_id)
    with workspace.engine() as engine:
        stored = Stored(workspace, engine)
        of_key = stored.customers([case.a, case.b])
        detail = {"found": len(of_key)}
        workspace.control.audit(actor, "review_viewed", f"case {case_id}", detail, now=datetime.now(UTC))
        weights = stored.rows("customer_identities", "evidence", "a", [case.a])
        return plain(case, four_eyes(workspace)) | {
            "fields": side_by_side(of_key.get(case.a), of_key.get(case.b)),
            "weights": told([w for w in weights if w["b"] == case.b]),
            "key": _key(workspace, case.rule),
            **_merge_of(stored, case),
        }


def side_by_side(a: dict[str, Any] | None, b: dict[str, Any] | None) -> list[dict[str, str | None]]:
    """Every field that either customer has, with both values as text."""
    names = [f.name for f in ENTITIES["customer"].fields]
    fields = [{"field": name, "a": _shown(a, name), "b": _shown(b, name)} for name in names]
    return [f for f in fields if f["a"] is not None or f["b"] is not None]


def _shown(row: dict[str, Any] | None, field: str) -> str | None:
    return None if row is None or row[field] is None else str(row[field])


def _key(workspace: Workspace, rule: str) -> dict[str, Any] | None:
    """The key of the plan that both agree on, if it is one that ties them."""
    found = next((k for k in workspace.plan.file.identity.keys if k.name == rule), None)
    return None if found is None else {"name": found.name, "fields": list(found.fields), "reason": found.reason}


def _merge_of(stored: Stored, case: Case) -> dict[str, Any]:
    """What the groups of both hold now, what one customer would hold, and what stands against making them one. Where
    one was erased: what they would hold if they were parted, since that is what a person is asked."""
    now = [stored.group_of(case.a), stored.group_of(case.b)]
    sides = _as_if_parted(stored, case, now) if case.reason == "erased" else now
    everybody = list(dict.fromkeys([*sides[0], *sides[1]]))
    tables = {e: stored.table("standardized_parties", e) for e in (*COUNTED, "tax_registration")}
    held = holdings_of(stored.feeds(), {e: t for e, t in tables.items() if t is not None}, everybody)
    groups = zip(("a", "b", "merged"), (*sides, everybody), strict=True)
    one = set(sides[0]) == set(sides[1])
    against = () if one else objections(held.known_of(sides[0]), held.known_of(sides[1]))
    return {
        "holdings": {name: _holding(keys, held.of(keys)) for name, keys in groups},
        "against": [{"reason": reason, "words": WHY[reason]} for reason in against],
        "already_one": set(now[0]) == set(now[1]),
    }


def _as_if_parted(stored: Stored, case: Case, now: Sequence[Sequence[str]]) -> list[list[str]]:
    """Both sides as `apart` would leave them: one that was erased shares its fate, as one customer, with those that a
    person is asked about."""
    members = sorted({key for side in now for key in side})
    founders = [(key, side[0]) for side in now for key in side]
    ties = [(t["a"], t["b"]) for t in stored.rows("customer_identities", "ties", "a", members)]
    waits = stored.rows("customer_identities", "doubts", "b", members)
    asked = {(d["a"], d["b"]) for d in waits if d["reason"] == "erased"} | {(case.a, case.b)}
    founder = dict(as_if_parted(dict(founders).items(), ties, asked))
    return [
        sorted((k for k in members if founder[k] == founder[end]), key=lambda k: k != founder[k])
        for end in (case.a, case.b)
    ]


def _holding(keys: Sequence[str], held: Holding) -> dict[str, Any]:
    return {
        "members": list(keys),
        "subscriptions": [{"status": s, "plan": p, "count": n} for (s, p), n in held.subscriptions.items()],
        "recurring_year": amounts(held.recurring_year, "amount_minor"),
        "invoiced_year": amounts(held.invoiced_year, "amount_minor"),
        "open_invoices": [
            {"currency": c, "count": count, "amount_minor": minor} for c, (count, minor) in held.open_invoices.items()
        ],
        "credit": amounts(held.credit, "amount_minor"),
        **{f"{entity}_rows": count for entity, count in held.counts.items()},
    }
