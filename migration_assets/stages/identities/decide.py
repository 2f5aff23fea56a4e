"""Which likely pairs are merged by machine, which wait for a person, and why. A pure rule over member numbers.

Members are numbered by their standing (the founder of an identity is its lowest number). What a source itself declares
(links) is the same customer whatever else holds; everything else is likeness, and likeness alone must not bring
together what costs somebody money or access when it is wrong (I20, I22).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from migration_assets.stages.identities.telling import told_apart

# Why a person has to look. `unsure`: below the plan's `merge_at`. The others would be merged if it went by likeness:
# `told_apart` differ in just what tells members of a household or a group apart, `two_payers` have both been billed,
# `same_plan_twice` both have an active subscription to one plan, `two_tax_ids` have different verified numbers of one
# country, `both_loaded` are two customers of the target already, whose ids are given. `erased`: one of them was erased,
# and the other may be the same person. `contradicted`: persons have said of others, or the source has, what cannot be
# true together with what a person said of these.
Reason = Literal[
    "unsure", "told_apart", "two_payers", "same_plan_twice", "two_tax_ids", "both_loaded", "erased", "contradicted"
]  # fmt: skip

# The rules of a pair that a person has decided, of one that only looks alike, and of one that is one customer in the
# target.
ANSWER, LIKENESS, IN_TARGET = "decision", "likeness", "target"


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
    target of a member that is there already. `reopened`: pairs whose answer was taken back. `erased`: those of `apart`
    that were erased. `in_target`: pairs that are one customer there. `held`: members of whom an earlier run knew that
    they may be somebody who was erased, and that nobody has answered for. `births`: birth dates of a member.
    """

    billed: frozenset[int] = frozenset()
    plans: Mapping[int, frozenset[str]] = field(default_factory=dict)
    tax_ids: Mapping[int, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    apart: frozenset[int] = frozenset()
    answers: Mapping[tuple[int, int], bool] = field(default_factory=dict)
    loaded: Mapping[int, str] = field(default_factory=dict)
    reopened: frozenset[tuple[int, int]] = frozenset()
    erased: frozenset[int] = frozenset()
    in_target: frozenset[tuple[int, int]] = frozenset()
    held: frozenset[int] = frozenset()
    births: Mapping[int, frozenset[str]] = field(default_factory=dict)


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
    """A pair for a person to decide. `living`: of reason `erased`, the one of the two that was not erased itself."""

    pair: Likely
    reason: Reason
    living: int | None = None

    @property
    def ends(self) -> tuple[int, int]:
        """Both members, the one that was erased first, else in their standing."""
        a, b = self.pair.a, self.pair.b
        return (b, a) if a == self.living else (a, b)


@dataclass(frozen=True)
class Decision:
    """`merged`: pairs to be tied, in the order in which they were decided; `doubts`, the likeliest first. `held`:
    members that must not be loaded before a person has answered; `held_for`: the erased over whom, and a member that is
    held for looking like them."""

    merged: tuple[Likely, ...]
    doubts: tuple[Doubt, ...]
    held: frozenset[int] = frozenset()
    held_for: tuple[tuple[int, int], ...] = ()


def decided(
    size: int, linked: Iterable[tuple[int, int]], likely: Iterable[Likely], facts: Facts, merge_at: float
) -> Decision:
    """Decide every likely pair, the likeliest first, minding what has been merged before it.

    `linked`: pairs of the `size` members that a source declares to be one. A pair of which either end is apart, or
    whose ends are one already, is left out; so is one that a person has parted. What a person has tied is merged
    whatever a machine would have to mind. The outcome does not depend on the order in which the pairs are given.

    Who is one customer of the target with one that was erased shares its fate, and a person is asked. Who only looks
    like one is never merged with it: a person is asked, and until then it is held, unless the target has it already or
    something tells the two apart.
    """
    groups = _Groups(size, facts)
    for a, b in linked:
        groups.join(a, b)
    docket = _Docket(groups, facts, merge_at)
    docket.take_answers()
    docket.share_fates()
    for pair in sorted(likely, key=lambda p: (-p.probability, p.a, p.b, p.rule)):
        docket.judge(pair)
    return docket.decision(size)


class _Docket:
    """What has been decided so far, and what waits."""

    def __init__(self, groups: _Groups, facts: Facts, merge_at: float) -> None:
        self._groups, self._facts, self._merge_at = groups, facts, merge_at
        self._merged: list[Likely] = []
        self._doubts: dict[tuple[int, int], Doubt] = {}
        self._held = set(facts.held)
        self._held_for: set[tuple[int, int]] = set()

    def take_answers(self) -> None:
        """Part what persons have parted, then tie what they have tied."""
        groups, answers = self._groups, sorted(self._facts.answers.items())
        for (a, b), same in answers:
            if not same and not groups.part(a, b):
                self._doubts[a, b] = Doubt(Likely(a, b, 1.0, ANSWER), "contradicted")
        for (a, b), same in answers:
            if same and not groups.same(a, b):
                if groups.are_parted(a, b):
                    self._doubts[a, b] = Doubt(Likely(a, b, 1.0, ANSWER), "contradicted")
                else:
                    self._merge(Likely(a, b, 1.0, ANSWER))

    def share_fates(self) -> None:
        """Tie to the erased whoever is one customer of the target with them, from one to the next."""
        first = self._facts.erased
        left = sorted(self._facts.in_target, key=lambda pair: (first.isdisjoint(pair), pair))
        while left != (left := [pair for pair in left if not self._shares_fate(*pair)]):
            pass

    def _shares_fate(self, a: int, b: int) -> bool:
        groups = self._groups
        if groups.same(a, b) or groups.are_parted(a, b) or not (groups.is_erased(a) or groups.is_erased(b)):
            return False
        pair, living = Likely(a, b, 1.0, IN_TARGET), groups.living(a, b)
        self._merge(pair)
        if living is not None:
            self._doubts[a, b] = Doubt(pair, "erased", living)
        return True

    def judge(self, pair: Likely) -> None:
        """Merge a likely pair, or let it wait, or leave it."""
        groups, a, b = self._groups, pair.a, pair.b
        if groups.same(a, b) or groups.are_parted(a, b):
            return
        if groups.is_apart(a) or groups.is_apart(b):
            self._mind_erased(pair)
            return
        reason = groups.unsure(pair, self._merge_at) or groups.against(a, b) or groups.given_ids(pair)
        if reason is None:
            self._merge(pair)
        else:
            # The surest evidence for a pair is what a person is shown.
            self._doubts.setdefault((a, b), Doubt(pair, reason))

    def _mind_erased(self, pair: Likely) -> None:
        living = self._groups.living(pair.a, pair.b)
        if living is None or self._groups.is_apart(living):
            return
        doubt = self._doubts.setdefault((pair.a, pair.b), Doubt(pair, "erased", living))
        sure = pair.probability >= self._merge_at and not self._groups.told_apart(pair)
        if sure and "two_tax_ids" not in self._groups.all_against(pair.a, pair.b):
            self._held.add(living)
            self._held_for.add(doubt.ends)

    def _merge(self, pair: Likely) -> None:
        self._groups.join(pair.a, pair.b)
        self._merged.append(pair)

    def decision(self, size: int) -> Decision:
        """What comes of it. What a later, surer way has brought together needs nobody's eyes any more; a contradiction
        does, and so does an erasure."""
        waiting = (
            d
            for d in self._doubts.values()
            if d.reason in ("contradicted", "erased") or not self._groups.same(d.pair.a, d.pair.b)
        )
        held = self._groups.whole({m for m in self._held if self._groups.may_be_held(m)}, size)
        for_whom = sorted((gone, m) for gone, m in self._held_for if m in held)
        return Decision(tuple(self._merged), tuple(waiting), held, tuple(for_whom))


class _Groups:
    """Members that are one customer so far, and what is known of them together."""

    def __init__(self, size: int, facts: Facts) -> None:
        self._parent = list(range(size))
        self._billed, self._apart, self._erased = set(facts.billed), set(facts.apart), set(facts.erased)
        self._parted: dict[int, set[tuple[int, int]]] = {}
        self._plans = {n: set(plans) for n, plans in facts.plans.items()}
        self._tax_ids = {n: {c: set(numbers) for c, numbers in ids.items()} for n, ids in facts.tax_ids.items()}
        self._births = {n: set(dates) for n, dates in facts.births.items()}
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

    def is_erased(self, member: int) -> bool:
        return self._root(member) in self._erased

    def living(self, a: int, b: int) -> int | None:
        """Of two members the one that was not erased, where the other was."""
        gone = self.is_erased(a), self.is_erased(b)
        return None if gone[0] == gone[1] else (b if gone[0] else a)

    def may_be_held(self, member: int) -> bool:
        """Not who was erased, nor who is in the target: what is there already would be taken away."""
        return not self.is_erased(member) and self._root(member) not in self._loaded

    def whole(self, members: Iterable[int], size: int) -> frozenset[int]:
        """All members of the groups of these."""
        roots = {self._root(m) for m in members}
        return frozenset(m for m in range(size) if self._root(m) in roots) if roots else frozenset()

    def unsure(self, pair: Likely, merge_at: float) -> Reason | None:
        """Why likeness is not enough for a pair, if it is not. Who is one customer of the target already stays one for
        as long as they look alike at all."""
        one, other = self._ids_of(pair)
        if pair.rule == LIKENESS and one & other and (pair.a, pair.b) not in self._reopened:
            return None
        if pair.probability < merge_at:
            return "unsure"
        return "told_apart" if self.told_apart(pair) else None

    def told_apart(self, pair: Likely) -> bool:
        """Whether the two of a pair differ in what tells members of a household apart. A key says nothing of it, so
        that all birth dates known of both groups are held against each other: who has none must not bring together a
        father and a son."""
        if pair.told_apart or pair.rule == LIKENESS:
            return pair.told_apart
        one, other = (self._births.get(self._root(end), set()) for end in (pair.a, pair.b))
        return bool(one and other) and all(told_apart(x, y, "date") for x in one for y in other)

    def given_ids(self, pair: Likely) -> Reason | None:
        """Who is two customers in the target stays two until a person says otherwise. Asked last: what speaks against a
        pair besides says more, and the same before a load as after it."""
        one, other = self._ids_of(pair)
        return "both_loaded" if pair.rule == LIKENESS and one and other and not one & other else None

    def _ids_of(self, pair: Likely) -> tuple[set[str], set[str]]:
        one, other = (self._loaded.get(self._root(end), set()) for end in (pair.a, pair.b))
        return one, other

    def against(self, a: int, b: int) -> Reason | None:
        """What speaks against tying the groups of two members, if anything."""
        return next(iter(self.all_against(a, b)), None)

    def all_against(self, a: int, b: int) -> tuple[Reason, ...]:
        return objections(self._known(self._root(a)), self._known(self._root(b)))

    def _known(self, root: int) -> Known:
        ids = {c: frozenset(numbers) for c, numbers in self._tax_ids.get(root, {}).items()}
        return Known(root in self._billed, frozenset(self._plans.get(root, ())), ids)

    def join(self, a: int, b: int) -> None:
        low, high = sorted((self._root(a), self._root(b)))
        if low == high:
            return
        self._parent[high] = low
        for known in (self._billed, self._apart, self._erased):
            if high in known:
                known.add(low)
        if high in self._parted:
            self._parted.setdefault(low, set()).update(self._parted[high])
        if high in self._loaded:
            self._loaded.setdefault(low, set()).update(self._loaded[high])
        if high in self._plans:
            self._plans.setdefault(low, set()).update(self._plans[high])
        if high in self._births:
            self._births.setdefault(low, set()).update(self._births[high])
        for country, numbers in self._tax_ids.get(high, {}).items():
            self._tax_ids.setdefault(low, {}).setdefault(country, set()).update(numbers)

    def _root(self, member: int) -> int:
        parent = self._parent
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member
