"""Who is who: customer rows that the plan's links, its keys, or their likeness tie together are one customer.

A link is what a source itself declares and holds in any case. A key and likeness are evidence: `decide` says what a
machine may make of it, and what waits for a person. `never_merge` stops evidence only: what a link ties to an erased
row is that person still, under the name that must not come back (I22), and is kept apart from look-alikes too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.engine.predicates import holds
from migration_assets.stages.identities.components import components
from migration_assets.stages.identities.decide import ANSWER, Decision, Facts, Likely, decided

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Identity, IdentityKey, IdentityLink
    from migration_assets.stages.feeds import RawTables
    from migration_assets.stages.identities.facts import FactRows

# Two rows of one customer, by their standing, and the key or link that says so.
_PAIRS = pa.schema({"a": pa.int64(), "b": pa.int64(), "rule": pa.string()})
# Pairs that wait for a person, the likeliest first. Key: a, b (customer_id; a stands before b). `rule` is a key of the
# plan, `likeness`, or `decision`; `reason`: decide.Reason.
DOUBTS = pa.schema(
    {"a": pa.string(), "b": pa.string(), "rule": pa.string(), "probability": pa.float64(), "reason": pa.string()}
)

# What made one customer of two rows. Key: a, b, rule (customer_id). `kind`: `link`, `key`, `likeness` or `decision`;
# `rule`: its name. Links are all there; of evidence only what brought two together that were not one already.
TIES = pa.schema(
    {"a": pa.string(), "b": pa.string(), "kind": pa.string(), "rule": pa.string(), "probability": pa.float64()}
)

# Gives the facts of some customer rows (table with customer_id).
AskFacts = Callable[["ir.Table"], "FactRows"]
LIKENESS = "likeness"


@dataclass(frozen=True)
class Resolved:
    """`identities`, one row for each customer row: customer_id (key), identity_id (the founder's customer_id), rule
    (names of the keys and links, `likeness` or `decision`, that tied the row to another, sorted, separated by spaces;
    empty for a row that stands alone), members. `doubts` (DOUBTS): pairs that wait for a person. `ties` (TIES): what
    tied the rows of an identity together.

    The founder is the member whose system comes first in the plan's priority, then the lowest canonical key.
    """

    identities: ir.Table
    doubts: ir.Table
    ties: ir.Table


def resolve_identities(
    engine: DuckDBEngine,
    identity: Identity,
    customers: ir.Table,
    raw: RawTables,
    ask: AskFacts,
    alike: pa.Table | None = None,
    merge_at: float = 1.0,
    answers: Mapping[tuple[str, str], bool] | None = None,
) -> Resolved:
    """Tie customer rows together, or say why not. `alike`: pairs with their probability (likeness.PAIRS), of which a
    machine may merge those at or above `merge_at`; `ask` is asked for facts only of rows that evidence ties to others;
    `answers`: pairs of customer keys that a person has decided, and whether they are one.
    """
    ranked = engine.cached(_by_standing(identity, customers))
    keys = engine.arrow(ranked.select("_standing", "customer_id").order_by("_standing"))["customer_id"]
    keys = keys.cast(pa.string()).combine_chunks()
    linked = _collected(engine, [_pairs_by_link(ranked, link, raw(link.table)) for link in identity.links])
    sure = _collected(engine, [_pairs_by_key(ranked, key) for key in identity.keys])
    told = _answered(keys, answers or {})
    likely = [Likely(a, b, 1.0, rule) for a, b, rule in around_parted(_rows(sure), told)]
    likely += _by_likeness(keys, alike) if alike is not None else []
    links = [(a, b) for a, b, _ in _rows(linked)]
    # Who is one customer whatever the evidence says has one set of facts.
    given = [*links, *(pair for pair, same in told.items() if same)]
    facts = replace(_facts(engine, keys, given, likely, ask), apart=_kept_apart(engine, identity, ranked), answers=told)
    decision = decided(len(keys), links, likely, facts, merge_at)
    identities, ties = _identities(engine, keys, linked, decision), _ties(keys, linked, decision)
    return Resolved(identities, engine.table(_doubts(keys, decision)), engine.table(ties))


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


def _rows(pairs: pa.Table) -> list[tuple[int, int, str]]:
    return list(zip(*(pairs[c].to_pylist() for c in _PAIRS.names), strict=True))


def _by_likeness(keys: pa.StringArray, alike: pa.Table) -> list[Likely]:
    a, b = (pc.index_in(alike[c].cast(pa.string()), keys).to_pylist() for c in ("a", "b"))
    return [
        Likely(min(x, y), max(x, y), p, LIKENESS)
        for x, y, p in zip(a, b, alike["probability"].to_pylist(), strict=True)
    ]


def _kept_apart(engine: DuckDBEngine, identity: Identity, ranked: ir.Table) -> frozenset[int]:
    """Standings of the rows that `never_merge` names."""
    named = reduce(lambda a, p: a | holds(ranked, (p,)), identity.never_merge, ibis.literal(False))
    return frozenset(engine.arrow(ranked.filter(named).select("_standing"))["_standing"].to_pylist())


def _facts(
    engine: DuckDBEngine,
    keys: pa.StringArray,
    given: list[tuple[int, int]],
    likely: list[Likely],
    ask: AskFacts,
) -> Facts:
    """Facts of all rows that evidence might bring together, and of what links and answers (`given`) tie to them."""
    if not likely:
        return Facts()
    group = components(len(keys), given)
    named = {group[n] for pair in likely for n in (pair.a, pair.b)}
    asked = [n for n in range(len(keys)) if group[n] in named]
    found = ask(engine.table(pa.table({"customer_id": keys.take(pa.array(asked, pa.int64()))})))
    plans: dict[int, set[str]] = {}
    for n, plan in _told(engine, keys, found.plans, "plan_code"):
        plans.setdefault(n, set()).add(plan)
    tax_ids: dict[int, dict[str, set[str]]] = {}
    for n, country, number in _told(engine, keys, found.tax_ids, "country", "tax_number"):
        tax_ids.setdefault(n, {}).setdefault(country, set()).add(number)
    return Facts(
        billed=frozenset(n for (n,) in _told(engine, keys, found.billed)),
        plans={n: frozenset(held) for n, held in plans.items()},
        tax_ids={n: {c: frozenset(numbers) for c, numbers in ids.items()} for n, ids in tax_ids.items()},
    )


def _answered(keys: pa.StringArray, answers: Mapping[tuple[str, str], bool]) -> dict[tuple[int, int], bool]:
    """Answers by standing; those about rows that the source no longer has wait for them to come back."""
    pairs = list(answers)
    a, b = (pc.index_in(pa.array([p[i] for p in pairs], pa.string()), keys).to_pylist() for i in (0, 1))
    return {
        (min(x, y), max(x, y)): answers[pair]
        for x, y, pair in zip(a, b, pairs, strict=True)
        if x is not None and y is not None
    }


def _told(engine: DuckDBEngine, keys: pa.StringArray, rows: ir.Table, *columns: str) -> list[tuple]:
    """Rows of facts with the customer's standing in place of the key, in a fixed order."""
    table = engine.arrow(rows.order_by(["customer_id", *columns]))
    standing = pc.index_in(table["customer_id"].cast(pa.string()), keys)
    return list(zip(standing.to_pylist(), *(table[c].to_pylist() for c in columns), strict=True))


def _doubts(keys: pa.StringArray, decision: Decision) -> pa.Table:
    names = keys.to_pylist()
    rows = [
        {
            "a": names[d.pair.a],
            "b": names[d.pair.b],
            "rule": d.pair.rule,
            "probability": d.pair.probability,
            "reason": d.reason,
        }
        for d in decision.doubts
    ]
    return pa.Table.from_pylist(rows, schema=DOUBTS)


def _ties(keys: pa.StringArray, linked: pa.Table, decision: Decision) -> pa.Table:
    merged = decision.merged
    a = pa.chunked_array([linked["a"].combine_chunks(), pa.array([p.a for p in merged], pa.int64())])
    b = pa.chunked_array([linked["b"].combine_chunks(), pa.array([p.b for p in merged], pa.int64())])
    kinds = [p.rule if p.rule in (LIKENESS, ANSWER) else "key" for p in merged]
    rows = {
        "a": keys.take(pc.min_element_wise(a, b).combine_chunks()),
        "b": keys.take(pc.max_element_wise(a, b).combine_chunks()),
        "kind": pa.array([*(["link"] * linked.num_rows), *kinds], pa.string()),
        "rule": pa.array([*linked["rule"].to_pylist(), *(p.rule for p in merged)], pa.string()),
        "probability": pa.array([*([1.0] * linked.num_rows), *(p.probability for p in merged)], pa.float64()),
    }
    return pa.table(rows, schema=TIES).sort_by([(name, "ascending") for name in ("a", "b", "rule")])


def _collected(engine: DuckDBEngine, parts: list[ir.Table]) -> pa.Table:
    return engine.arrow(engine.union(parts)).cast(_PAIRS) if parts else _PAIRS.empty_table()


def _by_standing(identity: Identity, customers: ir.Table) -> ir.Table:
    rank = (
        ibis.cases(
            *((customers["source_system"] == system, i) for i, system in enumerate(identity.priority)),
            else_=len(identity.priority),
        )
        if identity.priority
        else ibis.literal(0)
    )
    order = ibis.window(order_by=[rank, customers["customer_id"]])
    return customers.mutate(_standing=ibis.row_number().over(order))


def _pairs_by_key(ranked: ir.Table, key: IdentityKey) -> ir.Table:
    """Each row with the first row (in standing) that has the same values; rows missing one are left out."""
    whole = ranked.filter([ranked[f].notnull() for f in key.fields])
    first = whole["_standing"].min().over(ibis.window(group_by=list(key.fields)))
    near = whole.select(a=first, b=whole["_standing"], rule=ibis.literal(key.name))
    return _typed(near.filter(near.a != near.b))


def _pairs_by_link(ranked: ir.Table, link: IdentityLink, raw: ir.Table) -> ir.Table:
    system, _, table = link.table.partition(".")
    to_system, _, to_table = link.to_table.partition(".")
    here = ranked.filter((ranked.source_system == system) & (ranked.source_table == table))
    there = ranked.filter((ranked.source_system == to_system) & (ranked.source_table == to_table))
    tie = raw.select(_row=raw["_row"], _to=raw[link.column].cast("string"))
    ours = here.select(b=here["_standing"], _row=here["source_row"]).inner_join(tie, "_row")
    theirs = there.select(a=there["_standing"], _to=there["source_id"])
    return _typed(ours.inner_join(theirs, "_to").select("a", "b", rule=ibis.literal(link.name)))


def _typed(pairs: ir.Table) -> ir.Table:
    return pairs.select(a=pairs.a.cast("int64"), b=pairs.b.cast("int64"), rule=pairs.rule.cast("string"))


def _identities(engine: DuckDBEngine, keys: pa.StringArray, linked: pa.Table, decision: Decision) -> ir.Table:
    tied = [*_rows(linked), *((p.a, p.b, p.rule) for p in decision.merged)]
    founders = components(len(keys), [(a, b) for a, b, _ in tied])
    rules: dict[int, set[str]] = {}
    for a, b, rule in tied:
        rules.setdefault(a, set()).add(rule)
        rules.setdefault(b, set()).add(rule)
    frame = engine.table(
        pa.table(
            {
                "customer_id": keys,
                "identity_id": keys.take(pa.array(founders, pa.int64())),
                "rule": pa.array([" ".join(sorted(rules.get(i, ()))) for i in range(len(keys))], pa.string()),
            }
        )
    )
    return frame.mutate(members=frame.count().over(ibis.window(group_by="identity_id")))
