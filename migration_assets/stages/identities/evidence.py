"""Why two records were held for one customer, or not: what each field added, kept without any value of the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

# One row for each pair and field that was compared by likeness. Key: a, b, field (canonical customer keys, a < b).
# `weight`: log2 of how many times likelier the field makes it that both are one; `level`: `same`, `alike`, `differs`,
# or `missing` on one side. The field `prior` is what there was before anything was compared.
EVIDENCE = pa.schema(
    {"a": pa.string(), "b": pa.string(), "field": pa.string(), "level": pa.string(), "weight": pa.float64()}
)
PRIOR = "prior"
_WEIGHT, _LEVEL = "weight_", "level_"
# Below this factor, either way, a field says next to nothing.
_NOTHING = 1.5


def evidence_of(scored: Iterable[pa.Table], pairs: Iterable[tuple[str, str]]) -> pa.Table:
    """EVIDENCE of these pairs, out of what the models found (`likeness.scored`, its pairs with weights by field)."""
    wanted = sorted({(min(p), max(p)) for p in pairs})
    keys = pa.table({n: pa.array([p[i] for p in wanted], pa.string()) for i, n in enumerate(("a", "b"))})
    parts = [part for table in scored for part in _by_field(table.join(keys, ["a", "b"], join_type="inner"))]
    order = [(name, "ascending") for name in ("a", "b", "field")]
    return pa.concat_tables([EVIDENCE.empty_table(), *parts]).sort_by(order)


def _by_field(found: pa.Table) -> Iterator[pa.Table]:
    """A table for each field that was compared, without the pairs that miss it, and one for what there was before."""
    prior = found["weight"]
    for field in (c.removeprefix(_WEIGHT) for c in found.column_names if c.startswith(_WEIGHT)):
        prior = pc.subtract(prior, found[_WEIGHT + field])
        made = _told_of(found, field, found[_LEVEL + field], found[_WEIGHT + field])
        yield made.filter(pc.not_equal(made["level"], "missing"))
    yield _told_of(found, PRIOR, pa.array([""] * found.num_rows, pa.string()), prior)


def _told_of(found: pa.Table, field: str, level: pa.ChunkedArray | pa.Array, weight: pa.ChunkedArray) -> pa.Table:
    names = pa.array([field] * found.num_rows, pa.string())
    return pa.table([found["a"], found["b"], names, level, weight], schema=EVIDENCE)


def in_words(field: str, level: str, weight: float) -> str:
    """One row of the evidence as a person would say it, such as `same birth date: speaks 21,000 to 1 for one
    customer`."""
    if field == PRIOR:
        return f"before looking: 1 pair in {_rounded(2**-weight)} is one customer"
    name = field.replace("_", " ")
    what = {"same": f"same {name}", "alike": f"{name} alike", "differs": f"{name} differs"}.get(level, name)
    times = 2 ** abs(weight)
    if times < _NOTHING:
        return f"{what}: says next to nothing"
    return f"{what}: speaks {_rounded(times)} to 1 {'for one customer' if weight > 0 else 'against'}"


def told(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Evidence of one pair, the weightiest first and the prior last, each with its sentence as `words`."""
    ordered = sorted(rows, key=lambda r: (r["field"] == PRIOR, -abs(float(str(r["weight"]))), str(r["field"])))
    return [
        {k: r[k] for k in ("field", "level", "weight")}
        | {"words": in_words(str(r["field"]), str(r["level"]), float(str(r["weight"])))}
        for r in ordered
    ]


def _rounded(times: float) -> str:
    """Two digits that count, thousands apart."""
    return f"{float(f'{times:.2g}'):,.0f}" if times >= 10 else f"{times:.1f}".removesuffix(".0")
