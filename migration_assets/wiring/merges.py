"""Which customers are several source rows: what tied them together, and who decided it where a person did.

Plain data for `cutover review merges`; how it is shown: `review_views`. Keys only, no values of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from migration_assets.domain.errors import BadInput, Misconfigured
from migration_assets.plan.wording import listing, nearest, shown
from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.decide import ANSWER, IN_TARGET, LIKENESS
from migration_assets.stages.identities.loaded import ids_in_target
from migration_assets.wiring.review import Stored, queue_of
from migration_assets.wiring.row_names import surrogates

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.control import Case
    from migration_assets.plan.identity_models import Identity
    from migration_assets.wiring.workspace import Workspace

# What may have tied two rows, whatever the plan calls it (resolve.TIES).
KINDS = ("link", "key", LIKENESS, ANSWER, IN_TARGET)


class Merges(NamedTuple):
    """Identity keys of the customers asked for, in the order in which people should look, and how many there are."""

    founders: list[str]
    total: int


def merges_of(workspace: Workspace, *, by: str | None, limit: int | None) -> dict[str, Any]:
    """Customers that the last run made of several rows, the least sure first: `merges`, at most `limit`, of `total`.

    `by`: only those that a rule of this name, or of this kind, helped to tie. BadInput for a name that the plan does
    not know, and when no run has kept what tied rows together.
    """
    with workspace.engine() as engine:
        stored = Stored(workspace, engine)
        identities, ties = (
            stored.table("customer_identities", "identities"),
            stored.table("customer_identities", "ties"),
        )
        if identities is None or ties is None:
            raise BadInput("no run has kept what it merged", "Run `cutover run` first.")
        _refuse_unknown(by, ties, workspace.plan.file.identity, stored)
        found = _asked(stored, identities, ties, by, limit)
        members = members_of(stored, found.founders)
        keys = [key for rows in members.values() for key in rows]
        tied = stored.rows("customer_identities", "ties", "a", keys)
        places = surrogates(stored, keys)
    ids = _ids(workspace, keys)
    of_row = {key: founder for founder, rows in members.items() for key in rows}
    of_customer: dict[str, list[dict[str, Any]]] = {founder: [] for founder in members}
    for tie in sorted(tied, key=lambda t: (t["a"], t["b"], t["rule"])):
        of_customer[of_row[tie["a"]]].append(tie)
    cases: dict[str, list[Case]] = {founder: [] for founder in members}
    for case in queue_of(workspace).cases(everything=True):
        if case.answer == "same" and case.a in of_row and of_row[case.a] == of_row.get(case.b):
            cases[of_row[case.a]].append(case)
    return {
        "total": found.total,
        "merges": [
            {
                "customer": founder,
                "target_id": next((ids[key] for key in rows if key in ids), None),
                "members": [{"key": key, "row": places.get(key)} for key in rows],
                "ties": _told(rows, of_customer[founder], cases[founder]),
            }
            for founder, rows in members.items()
        ],
    }


def ties_of(stored: Stored, members: Sequence[str]) -> list[dict[str, Any]]:
    """What tied the rows of one customer together, and who decided it where a person did."""
    tied = stored.rows("customer_identities", "ties", "a", members)
    cases = queue_of(stored.workspace).cases(everything=True)
    theirs = [c for c in cases if c.answer == "same" and {c.a, c.b} <= set(members)]
    return _told(members, sorted(tied, key=lambda t: (t["a"], t["b"], t["rule"])), theirs)


def _refuse_unknown(by: str | None, ties: ir.Table, identity: Identity, stored: Stored) -> None:
    if by is None:
        return
    used = stored.engine.arrow(ties.select("rule").distinct())["rule"].to_pylist()
    known = {*KINDS, *used, *(k.name for k in identity.keys), *(link.name for link in identity.links)}
    if by not in known:
        raise BadInput(f"{shown(by)} ties no rows", nearest(by, known, f"there are {listing(known)}"))


def _asked(stored: Stored, identities: ir.Table, ties: ir.Table, by: str | None, limit: int | None) -> Merges:
    """By the chance of the least sure tie, then by key; customers that nothing but the source's links tie come last."""
    mine = ties.inner_join(identities.select("customer_id", "identity_id"), [("a", "customer_id")])
    unsure = (mine["kind"] == "link").ifelse(1.0, mine["probability"])
    asked = ((mine["kind"] == by) | (mine["rule"] == by)).any() if by else mine.count() > 0
    by_source = (mine["kind"] == "link").all()
    merged = mine.group_by("identity_id").aggregate(least=unsure.min(), by_source=by_source, asked=asked)
    merged = merged.filter(merged["asked"])
    ordered = merged.order_by(["by_source", "least", "identity_id"])
    rows = stored.engine.arrow(ordered if limit is None else ordered.limit(limit))
    return Merges(rows["identity_id"].to_pylist(), stored.engine.count(merged))


def members_of(stored: Stored, founders: Sequence[str]) -> dict[str, list[str]]:
    """Founder -> all rows of that customer, the founder first."""
    rows = stored.rows("customer_identities", "identities", "identity_id", founders)
    members: dict[str, list[str]] = {founder: [founder] for founder in founders}
    for key, founder in sorted((r["customer_id"], r["identity_id"]) for r in rows):
        if key != founder:
            members[founder].append(key)
    return members


def _ids(workspace: Workspace, keys: Iterable[str]) -> dict[str, str]:
    """Ids in the target; none where there is no target yet, or no more."""
    try:
        return ids_in_target(workspace.target, keys)
    except Misconfigured:
        return {}


def _told(members: Sequence[str], ties: Sequence[Mapping[str, Any]], cases: Iterable[Case]) -> list[dict[str, Any]]:
    """The ties of one customer as plain data. A decision names those of its `cases` (answered `same`) that it rests on:
    an answer may have been about other rows than those tied, which links of the source make one with them."""
    place = {key: i for i, key in enumerate(members)}
    links = [(place[t["a"]], place[t["b"]]) for t in ties if t["kind"] == "link"]
    group = dict(zip(members, components(len(members), links), strict=True))
    decided: dict[frozenset[int], list[dict[str, Any]]] = {}
    for case in cases:
        decided.setdefault(frozenset((group[case.a], group[case.b])), []).append(_by(case))
    told = []
    for t in ties:
        tie = {name: t[name] for name in ("a", "b", "kind", "rule", "probability")}
        by = decided.get(frozenset((group[t["a"]], group[t["b"]])), []) if t["kind"] == ANSWER else []
        told.append({**tie, "decided": by})
    return told


def _by(case: Case) -> dict[str, Any]:
    at = case.decided_at.isoformat() if case.decided_at else None
    return {"case": case.case_id, "by": case.decided_by, "seconded_by": case.seconded_by, "at": at}
