"""Taking apart what was merged: which rows go which way, and the answers that make the next run do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING, Any

from migration_assets.control import UNMERGED, Doubted, Effect
from migration_assets.domain.errors import BadInput
from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.queued import ranked
from migration_assets.stages.identities.stakes import Groups, by_pair, staked
from migration_assets.wiring.review import Stored, queue_of
from migration_assets.wiring.row_names import customer_named, members_named

if TYPE_CHECKING:
    from migration_assets.wiring.workspace import Workspace

Pair = tuple[str, str]
# Evidence of two rows that nothing ties directly.
OVER_OTHERS = "over_others"
# What parting a pair may bring about, that which is the furthest from its being parted first.
_FROM_THE_LEAST: tuple[Effect, ...] = ("reopened", "proposed")


@dataclass(frozen=True)
class Parting:
    """How a customer comes apart. `parts`: rows that go together, the founder's first; `pairs`: rows of different
    parts, each of which has to be parted, because whatever ties two of them would bring all together again."""

    parts: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]


def parting(members: Sequence[str], links: Sequence[Pair], member: str | None = None) -> Parting:
    """Take a customer of these rows (the founder first) apart, or one `member` out of it.

    What `links` tie stays together: it is the source that says so. BadInput when nothing is left to part.
    """
    place = {key: i for i, key in enumerate(members)}
    roots = components(len(members), [(place[a], place[b]) for a, b in links])
    tied: dict[int, list[str]] = {}
    for key in members:
        tied.setdefault(roots[place[key]], []).append(key)
    if len(tied) < 2:
        raise BadInput(
            "the source itself ties all rows of this customer, and a review cannot part them",
            "Have the source or the plan's identity.links corrected.",
        )
    parts = list(tied.values())
    if member is not None:
        out = tied[roots[place[member]]]
        parts = [[key for key in members if key not in out], out]
    across = [(x, y) for one, other in combinations(parts, 2) for x in one for y in other]
    return Parting(tuple(tuple(p) for p in parts), tuple(sorted((min(p), max(p)) for p in across)))


def unmerge(workspace: Workspace, customer: str, *, member: str | None, reason: str | None, by: str) -> dict[str, Any]:
    """Part the rows of a customer from the next run on; without a reason it only says what it would do.

    `customer`: any of its rows, by key or place in the golden copy, or its id in the target (`row_names`); `member`
    alike. BadInput when the last run knows no such customer, when it is no merged one, and when only links of the
    source tie it.
    """
    with workspace.engine() as engine:
        stored = Stored(workspace, engine)
        members = _members(stored, customer)
        out = None if member is None else customer_named(stored, member)
        if member is not None and out not in members:
            raise BadInput("the member is no row of this customer", "--dry-run without --member shows its rows.")
        found = (t for t in stored.rows("customer_identities", "ties", "a", members) if t["b"] in members)
        ties = sorted(found, key=lambda t: (t["a"], t["b"], t["rule"]))
        if not ties:
            raise BadInput("the last run has not kept what tied these rows", "Run `cutover run` once more, then again.")
        links = [(t["a"], t["b"]) for t in ties if t["kind"] == "link"]
        way = parting(members, links, out)
        doubted = _doubted(stored, workspace, way, ties)
    effect = "planned"
    if reason is not None:
        done = queue_of(workspace).part(doubted, by=by, reason=reason, now=datetime.now(UTC), snapshot=_copy(workspace))
        effect = _effect_of(done)
    return {
        "customer": members[0],
        "parts": [list(p) for p in way.parts],
        "pairs": [{"a": d.a, "b": d.b, "evidence": d.rule} for d in doubted],
        "stays_together": [{k: t[k] for k in ("a", "b", "rule")} for t in ties if t["kind"] == "link"],
        "effect": effect,
    }


def _effect_of(done: Sequence[Effect]) -> Effect:
    """What holds of all pairs alike: a customer comes apart only when each of them is parted."""
    return next((e for e in _FROM_THE_LEAST if e in done), "decided")


def _members(stored: Stored, customer: str) -> list[str]:
    """Rows of the customer, the founder first."""
    members = members_named(stored, customer)
    if len(members) < 2:
        raise BadInput("nothing was merged into this customer", "`cutover review merges` shows what was.")
    return members


def _doubted(stored: Stored, workspace: Workspace, way: Parting, ties: Sequence[Mapping[str, Any]]) -> list[Doubted]:
    """The pairs as the queue keeps them, with what ties them and what is at stake."""
    direct = {(min(t["a"], t["b"]), max(t["a"], t["b"])): t for t in ties}
    least = min(t["probability"] for t in ties)
    founders = [(key, part[0]) for part in way.parts for key in part]
    groups = Groups.of(founders, workspace.plan.file.identity.priority)
    stakes = by_pair(staked(stored.feeds(), way.pairs, groups))
    rows = [
        {"a": pair[0], "b": pair[1], "reason": UNMERGED}
        | {k: direct.get(pair, {"rule": OVER_OTHERS, "probability": least})[k] for k in ("rule", "probability")}
        for pair in way.pairs
    ]
    return ranked(stored.feeds(), rows, stakes)


def _copy(workspace: Workspace) -> str:
    return workspace.store.current_snapshot() or ""
