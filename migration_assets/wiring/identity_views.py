"""What the UI shows of who is who: how many rows a customer has, what was merged and why, what speaks for a pair.

Rows are named by their surrogate (`crm.accounts#12`), never by key or value; who is behind one is for `cutover review`,
which takes surrogates, with the snapshot they are of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from migration_assets.stages.identities.evidence import PRIOR, in_words
from migration_assets.wiring.charts import bars, picture
from migration_assets.wiring.metadata import markdown_table
from migration_assets.wiring.row_names import surrogate
from migration_assets.wiring.words import WHY

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from migration_assets.engine.duckdb import DuckDBEngine

# So many merges are listed, those a person would look at first: the least sure ones.
_LISTED = 40


def identities_shown(
    engine: DuckDBEngine, tables: Mapping[str, ir.Table], *, plan: str, snapshot: str
) -> dict[str, Any]:
    """Metadata of `customer_identities`. `tables`: identities, doubts, ties, evidence, stakes, crowds, keys, and
    the standardized customer; they are of this plan and snapshot."""
    return {
        **_sizes(engine, tables["identities"]),
        **_waiting(engine, tables["doubts"]),
        **_crowds(engine, tables["crowds"]),
        **_keys(engine, tables["keys"]),
        **_merges(engine, tables["ties"], tables["customer"], f"@{snapshot} --plan plans/{plan} --dry-run"),
        **_weights(engine, tables),
    }


def _sizes(engine: DuckDBEngine, identities: ir.Table) -> dict[str, Any]:
    sizes = identities.group_by("members").aggregate(rows=identities.count()).order_by("members")
    by_size = [(r["members"], r["rows"] // r["members"]) for r in engine.arrow(sizes).to_pylist()]
    customers = sum(n for _, n in by_size)
    drawn = bars([(f"{size} row{'s' * (size > 1)}", n, f"{n:,}") for size, n in by_size], scale="log")
    return {
        "customers": customers,
        "rows merged into another": sum(size * n for size, n in by_size) - customers,
        "rows of one customer": picture(drawn, "customers by how many rows they have"),
        "identities by size": markdown_table(("rows of one customer", "customers"), by_size),
    }


def _waiting(engine: DuckDBEngine, doubts: ir.Table) -> dict[str, Any]:
    counted = doubts.group_by(["reason", "rule"]).aggregate(pairs=doubts.count()).order_by(["reason", "rule"])
    listed = [(WHY[r["reason"]], r["rule"], r["pairs"]) for r in engine.arrow(counted).to_pylist()]
    return {
        "pairs that wait for a person": sum(n for *_, n in listed),
        "pairs that wait, in words": "; ".join(f"{n:,} by {rule}: {why}" for why, rule, n in listed) or "none",
        "why they wait": markdown_table(("reason", "evidence", "pairs"), listed),
    }


def _crowds(engine: DuckDBEngine, crowds: ir.Table) -> dict[str, Any]:
    """Keys that do not count where too many share a value: how many values and rows, and how many share one at most."""
    values = crowds.group_by(["rule", "crowd"]).aggregate(rows=crowds.count()).group_by("rule")
    counted = values.aggregate(values=lambda t: t.count(), rows=lambda t: t.rows.sum(), most=lambda t: t.rows.max())
    listed = [tuple(r.values()) for r in engine.arrow(counted.order_by("rule")).to_pylist()]
    return {
        "rows with a value that too many share": sum(rows for _, _, rows, _ in listed),
        "keys that do not count for them": markdown_table(("key", "values", "rows", "rows of the largest"), listed),
    }


def _keys(engine: DuckDBEngine, keys: ir.Table) -> dict[str, Any]:
    """How often each key ties together who is told apart by all else."""
    columns = ("rule", "groups", "told_apart", "allowed", "customers", "customers_apart")
    listed = [tuple(r[c] for c in columns) for r in engine.arrow(keys.order_by("rule")).to_pylist()]
    heads = ("key", "groups with the same values", "told apart by all else", "allowed", "customers tied to another",
             "told apart from it")  # fmt: skip
    return {"whether keys identify": markdown_table(heads, listed)}


def _merges(engine: DuckDBEngine, ties: ir.Table, customers: ir.Table, of: str) -> dict[str, Any]:
    counted = ties.group_by(["kind", "rule"]).aggregate(pairs=ties.count()).order_by(["kind", "rule"])
    by_rule = [(r["kind"], r["rule"], r["pairs"]) for r in engine.arrow(counted).to_pylist()]
    by_evidence = ties.filter(ties["kind"] != "link")
    made = by_evidence.order_by(["probability", "a", "b"]).limit(_LISTED)
    named = _named(engine.arrow(made).to_pylist(), engine, customers)
    all_of = "`cutover review merges --limit N` lists the customers of all"
    listed = [
        (a, b, r["kind"], r["rule"], f"{r['probability']:.4f}", f"`cutover review unmerge {a}{of}`")
        for a, b, r in named
    ]
    heads = ("row", "and row", "kind", "rule", "probability", "what would come apart (decide with --reason WHY)")
    return {
        "what tied rows together": markdown_table(("kind", "rule", "pairs"), by_rule),
        "merges, the least sure first": markdown_table(heads, listed),
        "merges that are listed": f"{len(listed):,} of {engine.count(by_evidence):,}; {all_of}",
    }


def _weights(engine: DuckDBEngine, tables: Mapping[str, ir.Table]) -> dict[str, Any]:
    """What each field says of one pair that waits: the likeliest."""
    doubts, evidence = tables["doubts"], tables["evidence"]
    asked = doubts.filter(doubts["rule"] == "likeness").order_by([doubts["probability"].desc(), "a", "b"]).limit(1)
    pair = engine.arrow(asked).to_pylist()
    if not pair:
        return {}
    ((a, b, _),) = _named(pair, engine, tables["customer"])
    ends = {pair[0]["a"], pair[0]["b"]}
    mine = evidence.filter(evidence["a"].isin(ends) & evidence["b"].isin(ends))
    rows = sorted(engine.arrow(mine).to_pylist(), key=lambda r: (r["field"] == PRIOR, -r["weight"]))
    drawn = bars([(f"{r['field']} {r['level']}".strip(), r["weight"], f"{r['weight']:+.1f}") for r in rows])
    said = [(r["field"], r["level"], in_words(r["field"], r["level"], r["weight"])) for r in rows]
    return {
        "the likeliest pair that waits": picture(drawn, "match weight of each field, in powers of two"),
        "what speaks for it": markdown_table((f"{a} and {b}", "compared", "in words"), said),
    }


def _named(
    pairs: list[dict[str, Any]], engine: DuckDBEngine, customers: ir.Table
) -> list[tuple[str, str, dict[str, Any]]]:
    """Pairs with the surrogates of both rows."""
    keys = sorted({r[end] for r in pairs for end in ("a", "b")})
    mine = customers.filter(customers["customer_id"].isin(keys)) if keys else customers.limit(0)
    rows = engine.arrow(mine.select("customer_id", "source_system", "source_table", "source_row")).to_pylist()
    place = {r["customer_id"]: surrogate(r) for r in rows}
    return [(place[r["a"]], place[r["b"]], r) for r in pairs]
