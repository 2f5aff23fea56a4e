"""Who is who: customer rows that the plan's links, its keys, or their likeness tie together are one customer.

A link is what a source itself declares and holds in any case. A key and likeness are evidence: `decide` says what a
machine may make of it, and what waits for a person. `never_merge` stops evidence only: what a link ties to an erased
row is that person still, under the name that must not come back (I22), and is kept apart from look-alikes too.

All rows pass through here, and few of them are in question: Python sees only those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.stages.identities.components import Ints, connected
from migration_assets.stages.identities.decide import LIKENESS, Decision, Facts, Likely, decided
from migration_assets.stages.identities.standing import PAIRS, Standing, kept_apart, pairs_by_key, standing_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine
    from migration_assets.plan.models import Identity
    from migration_assets.stages.feeds import RawTables
    from migration_assets.stages.identities.facts import FactRows

# Pairs that wait for a person, the likeliest first. Key: a, b (customer_id; a stands before b). `rule` is a key of the
# plan, `likeness`, or `decision`; `reason`: decide.Reason.
DOUBTS = pa.schema(
    {"a": pa.string(), "b": pa.string(), "rule": pa.string(), "probability": pa.float64(), "reason": pa.string()}
)

# Gives the facts of some customer rows (table with customer_id).
AskFacts = Callable[["ir.Table"], "FactRows"]
# Gives pairs that look alike (likeness.PAIRS) among the rows.
AskLikeness = Callable[[Standing], pa.Table]


@dataclass(frozen=True)
class Resolved:
    """`identities`, one row for each customer row: customer_id (key), identity_id (the founder's customer_id), rule
    (names of the keys and links, `likeness` or `decision`, that tied the row to another, sorted, separated by spaces;
    empty for a row that stands alone), members. `doubts` (DOUBTS): pairs that wait for a person.

    The founder is the member whose system comes first in the plan's priority, then the lowest canonical key. Evidence
    and doubts name the founder of what links tie together, which speaks for all of it.
    """

    identities: ir.Table
    doubts: ir.Table


def resolve_identities(
    engine: DuckDBEngine,
    identity: Identity,
    customers: ir.Table,
    raw: RawTables,
    ask: AskFacts,
    alike: AskLikeness | None = None,
    merge_at: float = 1.0,
    answers: Mapping[tuple[str, str], bool] | None = None,
) -> Resolved:
    """Tie customer rows together, or say why not. `alike`: gives pairs with their probability, of which a machine may
    merge those at or above `merge_at`; `ask` is asked for facts only of rows that evidence ties to others; `answers`:
    pairs of customer keys that a person has decided, and whether they are one.
    """
    rows = standing_of(engine, identity, customers, raw)
    likely = _by_keys(rows, pairs_by_key(engine, rows, identity.keys))
    likely += _by_likeness(rows, alike(rows)) if alike is not None else []
    told = _answered(rows, answers or {})
    asked = _in_question(rows, likely, told)
    facts = _facts(engine, asked, ask) if likely else Facts()
    facts = replace(facts, apart=asked.numbers_of(kept_apart(engine, rows, identity)), answers=asked.answers(told))
    decision = decided(len(asked.standings), asked.links(), asked.likely(likely), facts, merge_at)
    merged = [(int(asked.standings[p.a]), int(asked.standings[p.b]), p.rule) for p in decision.merged]
    return Resolved(_identities(engine, rows, merged), engine.table(_doubts(asked, decision)))


# --- evidence ------------------------------------------------------------------------------------------------------


def _by_keys(rows: Standing, pairs: pa.Table) -> list[Likely]:
    count = pairs.num_rows
    return _spoken(rows, pairs["a"], pairs["b"], pairs["rule"].to_pylist(), [1.0] * count, [False] * count)


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


def _answered(rows: Standing, answers: Mapping[tuple[str, str], bool]) -> dict[tuple[int, int], bool]:
    """Answers by standing; those about rows that the source no longer has wait for them to come back."""
    pairs = list(answers)
    a, b = (rows.numbers(pa.array([p[i] for p in pairs], pa.string())).to_pylist() for i in (0, 1))
    return {
        (min(x, y), max(x, y)): answers[pair]
        for x, y, pair in zip(a, b, pairs, strict=True)
        if x is not None and y is not None
    }


# --- who is in question --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _InQuestion:
    """Rows that evidence or an answer is about, with all that links tie to them, numbered anew in their standing."""

    rows: Standing
    standings: Ints

    def number(self, standing: int) -> int:
        return int(np.searchsorted(self.standings, standing))

    def numbers_of(self, standings: Ints) -> frozenset[int]:
        mine = standings[np.isin(standings, self.standings)]
        return frozenset(np.searchsorted(self.standings, mine).tolist())

    def links(self) -> list[tuple[int, int]]:
        group = self.rows.group[self.standings]
        ties = zip(group.tolist(), range(len(self.standings)), strict=True)
        return [(self.number(low), member) for low, member in ties if self.standings[member] != low]

    def likely(self, pairs: list[Likely]) -> list[Likely]:
        return [replace(p, a=self.number(p.a), b=self.number(p.b)) for p in pairs]

    def answers(self, told: dict[tuple[int, int], bool]) -> dict[tuple[int, int], bool]:
        return {(self.number(a), self.number(b)): same for (a, b), same in told.items()}

    def keys(self) -> pa.StringArray:
        return self.rows.keys.take(pa.array(self.standings))


def _in_question(rows: Standing, likely: list[Likely], told: dict[tuple[int, int], bool]) -> _InQuestion:
    named = [n for p in likely for n in (p.a, p.b)] + [n for pair in told for n in pair]
    groups = np.unique(rows.group[np.array(named, dtype=np.int64)])
    return _InQuestion(rows, np.flatnonzero(np.isin(rows.group, groups)))


def _facts(engine: DuckDBEngine, asked: _InQuestion, ask: AskFacts) -> Facts:
    keys = asked.keys()
    found = ask(engine.table(pa.table({"customer_id": keys})))
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
        loaded={n: found.loaded[key] for n, key in enumerate(keys.to_pylist()) if key in found.loaded},
    )


def _told(engine: DuckDBEngine, keys: pa.StringArray, rows: ir.Table, *columns: str) -> list[tuple]:
    """Rows of facts with the customer's number in place of the key, in a fixed order."""
    table = engine.arrow(rows.order_by(["customer_id", *columns]))
    number = pc.index_in(table["customer_id"].cast(pa.string()), keys)
    return list(zip(number.to_pylist(), *(table[c].to_pylist() for c in columns), strict=True))


# --- what comes of it ----------------------------------------------------------------------------------------------


def _doubts(asked: _InQuestion, decision: Decision) -> pa.Table:
    names = asked.keys().to_pylist()
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


def _identities(engine: DuckDBEngine, rows: Standing, merged: list[tuple[int, int, str]]) -> ir.Table:
    a, b, rule = (list(column) for column in zip(*merged, strict=True)) if merged else ([], [], [])
    tied = pa.concat_tables([rows.links, pa.table({"a": a, "b": b, "rule": rule}, schema=PAIRS)])
    founder = connected(len(rows), tied["a"].to_numpy(), tied["b"].to_numpy())
    frame = pa.table(
        {
            "_standing": pa.array(np.arange(len(rows))),
            "customer_id": rows.keys,
            "identity_id": rows.keys.take(pa.array(founder)),
        }
    )
    identities = engine.table(frame).left_join(_rules(engine, tied), "_standing").drop("_standing_right")
    told = identities["rule"].fill_null("")
    members = identities.count().over(ibis.window(group_by="identity_id"))
    return identities.select("customer_id", "identity_id", rule=told, members=members)


def _rules(engine: DuckDBEngine, tied: pa.Table) -> ir.Table:
    """_standing (key) and the names of what ties the row to others."""
    ends = engine.table(tied)
    each = ends.select(_standing="a", rule="rule").union(ends.select(_standing="b", rule="rule")).distinct()
    return each.group_by("_standing").aggregate(rule=each["rule"].group_concat(" ", order_by=each["rule"]))
