"""Who is who: customer rows that the plan's links, its keys, or their likeness tie together are one customer.

A link is what a source itself declares and holds in any case. A key and likeness are evidence: `decide` says what a
machine may make of it, and what waits for a person. `never_merge` stops evidence only: what a link ties to an erased
row is that person still, under the name that must not come back (I22), and is kept apart from look-alikes too. So is
what the target holds for one customer with it (`past`): it shares the fate of the erased row until a person parts them.

All rows pass through here, and few of them are in question: Python sees only those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.control import Kin
from migration_assets.stages.identities.components import Ints, connected
from migration_assets.stages.identities.decide import ANSWER, IN_TARGET, LIKENESS, Decision, Facts, Likely, decided
from migration_assets.stages.identities.facts import known_of
from migration_assets.stages.identities.in_question import InQuestion
from migration_assets.stages.identities.kinship import Answers, Kinship
from migration_assets.stages.identities.past import (
    NOTHING,
    Past,
    StandIns,
    Together,
    answered,
    by_group,
    kept,
    kin_of,
    kin_of_named,
    once_one,
    sharing_a_fate,
    stand_ins,
)
from migration_assets.stages.identities.standing import (
    PAIRS,
    Standing,
    born,
    erased_and_apart,
    pairs_by_key,
    pairs_with,
    standing_of,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.identity_models import Identity, IdentityKey
    from migration_assets.stages.feeds import RawTables
    from migration_assets.stages.identities.facts import FactRows

# Pairs that wait for a person, the likeliest first. Key: a, b (customer_id; a stands before b). `rule` is a key of the
# plan, `likeness`, `decision`, `target` (one customer there) or `remembered` (of a row that left the source); `reason`:
# decide.Reason. Of reason `erased` a is who was erased, and perhaps no row of the source any more.
DOUBTS = pa.schema(
    {"a": pa.string(), "b": pa.string(), "rule": pa.string(), "probability": pa.float64(), "reason": pa.string()}
)

# What made one customer of two rows. Key: a, b, rule (customer_id). `kind`: `link`, `key`, `likeness`, `decision` or
# `target`; `rule`: its name. Links are all there; of evidence only what brought two together that were not one already.
TIES = pa.schema(
    {"a": pa.string(), "b": pa.string(), "kind": pa.string(), "rule": pa.string(), "probability": pa.float64()}
)

# The rule of a doubt that outlives the row it is about.
REMEMBERED = "remembered"
# What an identity's fate may be: nothing personal of it is loaded, or nothing at all until a person has answered.
ERASED, HELD = "erased", "held"

# Gives the facts of some customer rows (table with customer_id).
AskFacts = Callable[["ir.Table"], "FactRows"]
# Gives pairs that look alike (likeness.PAIRS) among the rows.
AskLikeness = Callable[[Standing], pa.Table]


@dataclass(frozen=True)
class Resolved:
    """`identities`, one row for each customer row: customer_id (key), identity_id (the founder's customer_id), rule
    (names of the keys and links, `likeness` or `decision`, that tied the row to another, sorted, separated by spaces;
    empty for a row that stands alone), members, fate (of the identity: `erased`, `held` or empty). `doubts` (DOUBTS):
    pairs that wait for a person. `ties` (TIES): what tied the rows of an identity together. `kin`: what is to be
    remembered, for when the first of two rows has left the source; `kept`: what was remembered before and holds on.
    `crowds` (crowds.CROWDS): rows for which a key does not count, because too many share their values. `rows`: all of
    them in their standing.

    The founder is the member whose system comes first in the plan's priority, then the lowest canonical key. Evidence
    and doubts name the founder of what links tie together, which speaks for all of it.
    """

    identities: ir.Table
    doubts: ir.Table
    ties: ir.Table
    kin: tuple[Kin, ...]
    kept: tuple[Kin, ...]
    crowds: ir.Table
    rows: Standing


def resolve_identities(
    engine: DuckDBEngine,
    identity: Identity,
    customers: ir.Table,
    raw: RawTables,
    ask: AskFacts,
    alike: AskLikeness | None = None,
    merge_at: float = 1.0,
    answers: Mapping[tuple[str, str], bool] | None = None,
    reopened: Collection[tuple[str, str]] = (),
    past: Past = NOTHING,
) -> Resolved:
    """Tie customer rows together, or say why not. `alike`: gives pairs with their probability, of which a machine may
    merge those at or above `merge_at`; `ask` is asked for facts only of rows that evidence ties to others; `answers`:
    pairs of customer keys that a person has decided, and whether they are one; `reopened`: pairs whose answer was taken
    back.
    """
    rows = standing_of(engine, identity, customers, raw)
    answers = answers or {}
    before = _read(rows, answers, reopened, past.kin)
    apart = _apart(engine, rows, identity, before, past)
    likely = _by_keys(engine, rows, identity.keys, apart, before.told)
    likely += _by_likeness(rows, alike(rows)) if alike is not None else []
    asked = InQuestion.of(rows, _named(likely, before.told, apart))
    facts = _facts(engine, asked, ask) if likely or len(apart.left.held) else Facts()
    facts = replace(_minding(facts, asked, apart, before), births=_births(engine, asked))
    decision = decided(len(asked.standings), asked.links(), asked.likely(likely), facts, merge_at)
    merged = [replace(p, a=int(asked.standings[p.a]), b=int(asked.standings[p.b])) for p in decision.merged]
    founder = _founders(rows, merged)
    held = asked.standings[sorted(decision.held)]
    kin, known = _kin(asked, decision, merged, apart, before)
    return Resolved(
        identities=_identities(engine, rows, merged, founder, apart.erased, held),
        doubts=engine.table(_doubts(asked, decision, apart.left)),
        ties=engine.table(_ties(rows, merged)),
        kin=kin,
        kept=known,
        crowds=rows.crowds.listed(engine, rows.rows, identity.keys),
        rows=rows,
    )


@dataclass(frozen=True)
class _Before:
    """What was known before this run. `answers`, by key; `told`: what they say, by standing; `reopened`: pairs of
    speakers whose answer was taken back; `kin`: what runs remembered, and `kinship`: read against these rows."""

    answers: Answers
    told: Mapping[tuple[int, int], bool]
    reopened: Mapping[tuple[int, int], bool]
    kin: Collection[Kin]
    kinship: Kinship


def _read(rows: Standing, answers: Answers, reopened: Collection[tuple[str, str]], kin: Collection[Kin]) -> _Before:
    kinship = Kinship.read(rows, kin, answers, (key for pair in reopened for key in pair))
    back = by_group(rows, answered(rows, dict.fromkeys(reopened, True), kinship))
    return _Before(answers, answered(rows, answers, kinship), back, kin, kinship)


@dataclass(frozen=True)
class _Apart:
    """Rows that are like nobody, by standing. `standings`: all; `erased`: those that are, or stand for one that was;
    `marked`: these, but for those of whom a person is asked; `in_target`: pairs of speakers over which the erased reach
    further (past.sharing_a_fate); `left`: who stands for rows that left the source."""

    standings: Ints
    erased: Ints
    marked: Ints
    in_target: tuple[tuple[int, int], ...]
    left: StandIns


def _apart(engine: DuckDBEngine, rows: Standing, identity: Identity, before: _Before, past: Past) -> _Apart:
    erased_now, named = erased_and_apart(engine, rows, identity)
    left = stand_ins(rows, before.answers, before.kinship)
    erased = np.union1d(erased_now, _ints(left.erased))
    marked = np.union1d(erased_now, _ints(left.certain))
    shared = sharing_a_fate(rows, erased, before.told, past.sharing, once_one(rows, before.kinship))
    return _Apart(np.union1d(named, erased), erased, marked, shared, left)


def _ints(numbers: Iterable[int]) -> Ints:
    return np.array(sorted(numbers), dtype=np.int64)


# --- evidence ------------------------------------------------------------------------------------------------------


def _by_keys(
    engine: DuckDBEngine,
    rows: Standing,
    keys: Sequence[IdentityKey],
    apart: _Apart,
    told: Mapping[tuple[int, int], bool],
) -> list[Likely]:
    """Who shares a key: each with the first that has its values, and with everybody who does where erasure is in
    question, since whoever is not erased must not lose the others over it."""
    reached = {*rows.group[apart.erased].tolist(), *(end for pair in apart.in_target for end in pair)}
    out = np.union1d(apart.standings, _ints(reached))
    others = _spoken_by_key(rows, pairs_by_key(engine, rows, keys, without=out))
    near = _spoken_by_key(rows, pairs_with(engine, rows, keys, sorted(reached)))
    around = around_parted(((p.a, p.b, p.rule) for p in others), by_group(rows, told))
    return [Likely(a, b, 1.0, rule) for a, b, rule in around] + near


def _spoken_by_key(rows: Standing, pairs: pa.Table) -> list[Likely]:
    count = pairs.num_rows
    return _spoken(rows, pairs["a"], pairs["b"], pairs["rule"].to_pylist(), [1.0] * count, [False] * count)


def around_parted(
    pairs: Iterable[tuple[int, int, str]], answers: Mapping[tuple[int, int], bool]
) -> list[tuple[int, int, str]]:
    """Pairs by keys, and more of them where a person has parted rows that have the same values.

    A key ties each row to the first that has its values. When one of them is taken out, and be it the first, the others
    still belong together: so each row that was parted from one of them, and the first that was not, is tied to all.
    """
    given, parted = list(pairs), {pair for pair, same in answers.items() if not same}
    if not parted:
        return given
    ends = {end for pair in parted for end in pair}
    stars: dict[tuple[str, int], list[int]] = {}
    for first, other, rule in given:
        stars.setdefault((rule, first), [first]).append(other)
    more: set[tuple[int, int, str]] = set()
    for (rule, _), star in stars.items():
        named = [m for m in star if m in ends]
        out = {end for pair in combinations(sorted(named), 2) if pair in parted for end in pair}
        centres = [*out, *[m for m in star if m not in out][:1]] if out else []
        more |= {(min(c, m), max(c, m), rule) for c in centres for m in star if c != m}
    return [*given, *sorted(more - set(given))]


def _by_likeness(rows: Standing, alike: pa.Table) -> list[Likely]:
    told = (alike[name].to_pylist() for name in ("probability", "told_apart"))
    return _spoken(rows, rows.numbers(alike["a"]), rows.numbers(alike["b"]), [LIKENESS] * alike.num_rows, *told)


def _spoken(
    rows: Standing, a: pa.Array, b: pa.Array, rules: list[str], probabilities: list[float], apart: list[bool]
) -> list[Likely]:
    """Pairs of those who speak for what links tie together; of each pair and rule the surest evidence."""
    one, other = rows.group[a.to_numpy()], rows.group[b.to_numpy()]
    low, high = np.minimum(one, other).tolist(), np.maximum(one, other).tolist()
    pairs = (Likely(*given) for given in zip(low, high, probabilities, rules, apart, strict=True))
    best: dict[tuple[int, int, str], Likely] = {}
    for pair in sorted((p for p in pairs if p.a != p.b), key=lambda p: (p.probability, not p.told_apart)):
        best[pair.a, pair.b, pair.rule] = pair
    return list(best.values())


# --- who is in question --------------------------------------------------------------------------------------------


def _named(likely: list[Likely], told: Mapping[tuple[int, int], bool], apart: _Apart) -> Iterator[int]:
    """Rows that evidence, an answer or a fate is about."""
    yield from (n for p in likely for n in (p.a, p.b))
    yield from (n for pair in (*told, *apart.in_target) for n in pair)
    yield from apart.left.held


def _facts(engine: DuckDBEngine, asked: InQuestion, ask: AskFacts) -> Facts:
    keys = asked.keys()
    found = ask(engine.table(pa.table({"customer_id": keys})))
    said = known_of(engine, found)
    known = {n: said[key] for n, key in enumerate(keys.to_pylist()) if key in said}
    return Facts(
        billed=frozenset(n for n, k in known.items() if k.billed),
        plans={n: k.plans for n, k in known.items() if k.plans},
        tax_ids={n: k.tax_ids for n, k in known.items() if k.tax_ids},
        loaded={n: found.loaded[key] for n, key in enumerate(keys.to_pylist()) if key in found.loaded},
    )


def _births(engine: DuckDBEngine, asked: InQuestion) -> dict[int, frozenset[str]]:
    """Birth dates of the rows in question, by number."""
    found = born(engine, asked.rows, asked.standings)
    numbers = np.searchsorted(asked.standings, found["_standing"].to_numpy()).tolist()
    return {n: frozenset({date}) for n, date in zip(numbers, found["birth_date"].to_pylist(), strict=True)}


def _minding(facts: Facts, asked: InQuestion, apart: _Apart, before: _Before) -> Facts:
    """The facts, and what persons and the past have said."""
    return replace(
        facts,
        apart=asked.numbers_of(apart.standings),
        erased=asked.numbers_of(apart.erased),
        held=asked.numbers_of(_ints(apart.left.held)),
        in_target=frozenset((asked.number(a), asked.number(b)) for a, b in apart.in_target),
        answers=asked.answers(before.told),
        reopened=frozenset(asked.answers(before.reopened)),
    )


# --- what comes of it ----------------------------------------------------------------------------------------------


def _doubts(asked: InQuestion, decision: Decision, left: StandIns) -> pa.Table:
    names = asked.keys().to_pylist()
    rows = [
        {
            "a": names[d.ends[0]],
            "b": names[d.ends[1]],
            "rule": d.pair.rule,
            "probability": d.pair.probability,
            "reason": d.reason,
        }
        for d in decision.doubts
    ]
    told = {"rule": REMEMBERED, "probability": 1.0, "reason": "erased"}
    rows += [{"a": a, "b": asked.rows.keys[b].as_py(), **told} for a, b in left.asked]
    return pa.Table.from_pylist(rows, schema=DOUBTS)


def _ties(rows: Standing, merged: list[Likely]) -> pa.Table:
    kinds = [p.rule if p.rule in (LIKENESS, ANSWER, IN_TARGET) else "key" for p in merged]
    links, tied = rows.links.num_rows, _tied(rows, merged)
    told = {
        "a": rows.keys.take(pc.min_element_wise(tied["a"], tied["b"]).combine_chunks()),
        "b": rows.keys.take(pc.max_element_wise(tied["a"], tied["b"]).combine_chunks()),
        "kind": pa.array([*(["link"] * links), *kinds], pa.string()),
        "rule": tied["rule"],
        "probability": pa.array([*([1.0] * links), *(p.probability for p in merged)], pa.float64()),
    }
    return pa.table(told, schema=TIES).sort_by([(name, "ascending") for name in ("a", "b", "rule")])


def _tied(rows: Standing, merged: list[Likely]) -> pa.Table:
    """All that ties rows to each other (PAIRS): links first, then what was merged."""
    columns = {"a": [p.a for p in merged], "b": [p.b for p in merged], "rule": [p.rule for p in merged]}
    return pa.concat_tables([rows.links, pa.table(columns, schema=PAIRS)])


def _founders(rows: Standing, merged: list[Likely]) -> Ints:
    """For each standing that of its founder."""
    tied = _tied(rows, merged)
    return connected(len(rows), tied["a"].to_numpy(), tied["b"].to_numpy())


def _identities(
    engine: DuckDBEngine, rows: Standing, merged: list[Likely], founder: Ints, erased: Ints, held: Ints
) -> ir.Table:
    fate = np.full(len(rows), "", dtype=object)
    for standings, name in ((held, HELD), (erased, ERASED)):
        fate[np.isin(founder, founder[standings])] = name
    frame = pa.table(
        {
            "_standing": pa.array(np.arange(len(rows))),
            "customer_id": rows.keys,
            "identity_id": rows.keys.take(pa.array(founder)),
            "fate": pa.array(fate, pa.string()),
        }
    )
    identities = engine.table(frame).left_join(_rules(engine, _tied(rows, merged)), "_standing").drop("_standing_right")
    told = identities["rule"].fill_null("")
    members = identities.count().over(ibis.window(group_by="identity_id"))
    return identities.select("customer_id", "identity_id", "fate", rule=told, members=members)


def _kin(
    asked: InQuestion, decision: Decision, merged: list[Likely], apart: _Apart, before: _Before
) -> tuple[tuple[Kin, ...], tuple[Kin, ...]]:
    """What is to be remembered, and what was and holds on."""
    rows, kinship, marked = asked.rows, before.kinship, apart.marked.tolist()
    named = {kinship.number[key] for pair in before.answers for key in pair if key in kinship.number}
    named |= {end for pair in before.told for end in pair} | apart.left.all
    held = [asked.standing(pair) for pair in decision.held_for]
    unsure = _unsure(asked, decision, merged, apart)
    sure = _founders(rows, [p for p in merged if p not in unsure])
    found = kin_of(Together(rows, _founders(rows, merged), sure, named, marked, held), kinship)
    found |= {*apart.left.kin, *kin_of_named(rows, before.answers, kinship)}
    known = kept(before.kin, kinship.number, named=named, erased=set(marked))
    return tuple(sorted(found - known)), tuple(sorted(known))


def _unsure(asked: InQuestion, decision: Decision, merged: list[Likely], apart: _Apart) -> frozenset[Likely]:
    """What was merged because the target has it as one customer, and a person is asked about: the pair itself, or
    whether one of the two shares the fate of a row that has left."""
    waits = {asked.standing((d.pair.a, d.pair.b)) for d in decision.doubts}
    speakers = {int(asked.rows.group[n]) for n in apart.left.erased - apart.left.certain}
    shared = (p for p in merged if p.rule == IN_TARGET)
    return frozenset(p for p in shared if (p.a, p.b) in waits or {p.a, p.b} & speakers)


def _rules(engine: DuckDBEngine, tied: pa.Table) -> ir.Table:
    """_standing (key) and the names of what ties the row to others."""
    ends = engine.table(tied)
    each = ends.select(_standing="a", rule="rule").union(ends.select(_standing="b", rule="rule")).distinct()
    return each.group_by("_standing").aggregate(rule=each["rule"].group_concat(" ", order_by=each["rule"]))
