"""Which likely pairs are merged by machine, which wait for a person, and why. A pure rule over member numbers.

Members are numbered by their standing (the founder of an identity is its lowest number). What a source itself declares
(links) is the same customer whatever else holds; everything else is likeness, and likeness alone must not bring
together what costs somebody money or access when it is wrong (I20, I22).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

# Why a person has to look. `unsure`: below the plan's `merge_at`. The others would be merged if it went by likeness:
# `told_apart` differ in just what tells members of a household or a group apart, `two_payers` have both been billed,
# `same_plan_twice` both have an active subscription to one plan, `two_tax_ids` have different verified numbers of one
# country, `both_loaded` are two customers of the target already, whose ids are given. `contradicted`: persons have said
# of others, or the source has, what cannot be true together with what a person said of these.
Reason = Literal[
    "unsure", "told_apart", "two_payers", "same_plan_twice", "two_tax_ids", "both_loaded", "contradicted"
]  # fmt: skip

# The rules of a pair that a person has decided, and of one that only looks alike.
ANSWER, LIKENESS = "decision", "likeness"


@dataclass(frozen=True)
class Likely:
    """Two members, `a` before `b`, that look like one customer: how probable it is, the rule that says so (a key or
    `likeness`), and whether they differ in what tells those apart who share all the rest."""

    a: int
    b: int
    probability: float
    rule: str
    told_apart: bool = False


@dataclass(frozen=True)
class Facts:
    """What a merge has to mind, by member.

    `billed`: members that have been sent an invoice or have paid. `plans`: plans a member has an active subscription
    to. `tax_ids`: country -> verified numbers. `apart`: members that are like nobody (erased, or named by the plan).
    `answers`: pairs (a before b) that a person has decided, and whether they are one customer. `loaded`: the id in the
    target of a member that is there already. `reopened`: pairs whose answer was taken back.
    """

    billed: frozenset[int] = frozenset()
    plans: Mapping[int, frozenset[str]] = field(default_factory=dict)
    tax_ids: Mapping[int, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    apart: frozenset[int] = frozenset()
    answers: Mapping[tuple[int, int], bool] = field(default_factory=dict)
    loaded: Mapping[int, str] = field(default_factory=dict)
    reopened: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Known:
    """What is known of one customer, all its rows together."""

    billed: bool = False
    plans: frozenset[str] = frozenset()
    tax_ids: Mapping[str, frozenset[str]] = field(default_factory=dict)


def objections(one: Known, other: Known) -> tuple[Reason, ...]:
    """All that speaks against making one customer of two, whatever the evidence."""
    found: list[Reason] = []
    if one.billed and other.billed:
        found.append("two_payers")
    if one.plans & other.plans:
        found.append("same_plan_twice")
    if any(one.tax_ids[c].isdisjoint(other.tax_ids[c]) for c in one.tax_ids.keys() & other.tax_ids.keys()):
        found.append("two_tax_ids")
    return tuple(found)


@dataclass(frozen=True)
class Doubt:
    """A pair for a person to decide."""

    pair: Likely
    reason: Reason


@dataclass(frozen=True)
class Decision:
    """`merged`: pairs to be tied, in the order in which they were decided; `doubts`, the likeliest first."""

    merged: tuple[Likely, ...]
    doubts: tuple[Doubt, ...]


def decided(
    size: int, linked: Iterable[tuple[int, int]], likely: Iterable[Likely], facts: Facts, merge_at: float
) -> Decision:
    """Decide every likely pair, the likeliest first, minding what has been merged before it.

    `linked`: pairs of the `size` members that a source declares to be one. A pair of which either end is apart, or
    whose ends are one already, is left out; so is one that a person has parted. What a person has tied is merged
    whatever a machine would have to mind. The outcome does not depend on the order in which the pairs are given.
    """
    groups = _Groups(size, facts)
    for a, b in linked:
        groups.join(a, b)
    merged: list[Likely] = []
    doubts: dict[tuple[int, int], Doubt] = {}
    for (a, b), same in sorted(facts.answers.items()):
        if not same and not groups.part(a, b):
            doubts[a, b] = Doubt(Likely(a, b, 1.0, ANSWER), "contradicted")
    for (a, b), same in sorted(facts.answers.items()):
        if same and not groups.same(a, b):
            if groups.are_parted(a, b):
                doubts[a, b] = Doubt(Likely(a, b, 1.0, ANSWER), "contradicted")
            else:
                groups.join(a, b)
                merged.append(Likely(a, b, 1.0, ANSWER))
    for pair in sorted(likely, key=lambda p: (-p.probability, p.a, p.b, p.rule)):
        if groups.is_apart(pair.a) or groups.is_apart(pair.b) or groups.same(pair.a, pair.b):
            continue
        if groups.are_parted(pair.a, pair.b):
            continue
        reason = groups.unsure(pair, merge_at) or groups.against(pair.a, pair.b)
        if reason is None:
            groups.join(pair.a, pair.b)
            merged.append(pair)
        else:
            # The surest evidence for a pair is what a person is shown.
            doubts.setdefault((pair.a, pair.b), Doubt(pair, reason))
    # What a later, surer way has brought together needs nobody's eyes any more; a contradiction does.
    waiting = (d for d in doubts.values() if d.reason == "contradicted" or not groups.same(d.pair.a, d.pair.b))
    return Decision(tuple(merged), tuple(waiting))


class _Groups:
    """Members that are one customer so far, and what is known of them together."""

    def __init__(self, size: int, facts: Facts) -> None:
        self._parent = list(range(size))
        self._billed, self._apart = set(facts.billed), set(facts.apart)
        self._parted: dict[int, set[tuple[int, int]]] = {}
        self._plans = {n: set(plans) for n, plans in facts.plans.items()}
        self._tax_ids = {n: {c: set(numbers) for c, numbers in ids.items()} for n, ids in facts.tax_ids.items()}
        self._reopened = facts.reopened
        self._loaded = {n: {target_id} for n, target_id in facts.loaded.items()}

    def part(self, a: int, b: int) -> bool:
        """Let nothing bring the groups of two members together; False when they are one already."""
        if self.same(a, b):
            return False
        for member in (a, b):
            self._parted.setdefault(self._root(member), set()).add((a, b))
        return True

    def are_parted(self, a: int, b: int) -> bool:
        """Whether a person has said of members of these groups that they are not one."""
        ends = {self._root(a), self._root(b)}
        return any({self._root(x), self._root(y)} == ends for x, y in self._parted.get(self._root(a), ()))

    def same(self, a: int, b: int) -> bool:
        return self._root(a) == self._root(b)

    def is_apart(self, member: int) -> bool:
        return self._root(member) in self._apart

    def unsure(self, pair: Likely, merge_at: float) -> Reason | None:
        """Why likeness is not enough for a pair, if it is not. Who is one customer of the target already stays one for
        as long as they look alike at all; who is two there stays two until a person says otherwise."""
        if pair.rule == LIKENESS:
            one, other = (self._loaded.get(self._root(end), set()) for end in (pair.a, pair.b))
            if one & other and (pair.a, pair.b) not in self._reopened:
                return None
            if one and other and not one & other and pair.probability >= merge_at:
                return "both_loaded"
        if pair.probability < merge_at:
            return "unsure"
        return "told_apart" if pair.told_apart else None

    def against(self, a: int, b: int) -> Reason | None:
        """What speaks against tying the groups of two members, if anything."""
        return next(iter(objections(self._known(self._root(a)), self._known(self._root(b)))), None)

    def _known(self, root: int) -> Known:
        ids = {c: frozenset(numbers) for c, numbers in self._tax_ids.get(root, {}).items()}
        return Known(root in self._billed, frozenset(self._plans.get(root, ())), ids)

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self._root(a), self._root(b)))
        if low == high:
            return
        self._parent[high] = low
        for known in (self._billed, self._apart):
            if high in known:
                known.add(low)
        if high in self._parted:
            self._parted.setdefault(low, set()).update(self._parted[high])
        if high in self._loaded:
            self._loaded.setdefault(low, set()).update(self._loaded[high])
        if high in self._plans:
            self._plans.setdefault(low, set()).update(self._plans[high])
        for country, numbers in self._tax_ids.get(high, {}).items():
            self._tax_ids.setdefault(low, {}).setdefault(country, set()).update(numbers)

    def _root(self, member: int) -> int:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member
