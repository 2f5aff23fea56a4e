"""How likely two records are the same party: Splink's model, trained without examples, on its own DuckDB.

The same rows give the same probabilities, whatever order they come in and however many threads there are. The trained
model comes back with them, so that a verdict can be explained later.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.stages.identities.kits import Kit, Method

if TYPE_CHECKING:
    from splink import Linker

KEY = "unique_id"
# One row for each pair. Key: a, b (a < b). `weight`: log2 of how many times likelier the pair is than before it was
# looked at; a column `weight_<field>` for each field compared says where it comes from.
PAIRS = {"a": pa.string(), "b": pa.string(), "probability": pa.float64(), "weight": pa.float64()}
# How many pairs chance agreement is estimated from; more is no better on any data set we have.
_SAMPLED_PAIRS = 5_000_000
# Pairs that agree on a `sure` rule are so many of all true ones, more or less: the model is not sensitive to it.
_SURE_RECALL = 0.7


@dataclass(frozen=True)
class Scored:
    """`pairs` (PAIRS and the weights by field), likeliest first, and the model that made them as plain JSON."""

    pairs: pa.Table
    model: dict[str, Any]


def scored(records: pa.Table, kit: Kit, *, floor: float, seed: int, threads: int = 2) -> Scored:
    """Pairs of records whose probability is at least `floor`. `records`: column `unique_id` (text, unique) and fields
    of the kit as text, dates in ISO form.

    With too few records to learn from, or nothing to compare, there are no pairs and no model.
    """
    present = frozenset(n for n in records.column_names if records[n].null_count < records.num_rows)
    own = kit.within(present)
    if records.num_rows < 2 or not own.fields or not own.blocks:
        return Scored(_no_pairs(own), {})
    import duckdb
    from splink.backends.duckdb import DuckDBAPI

    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {int(threads)}")
        linker = _trained(DuckDBAPI(connection=connection), records.sort_by(KEY), own, seed)
        if linker is None:
            return Scored(_no_pairs(own), {})
        found = linker.inference.predict(threshold_match_probability=floor)
        frame = found.as_duckdbpyrelation().to_arrow_table()
        model = linker.misc.save_model_to_json()
    return Scored(_pairs(frame, own), model)


def _trained(api: Any, records: pa.Table, kit: Kit, seed: int) -> Linker | None:
    """A model that has learned from the records, or None where they teach nothing."""
    from splink import Linker, SettingsCreator

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(field, method) for field, method in kit.fields.items()],
        blocking_rules_to_generate_predictions=[_block(rule) for rule in kit.blocks],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )
    linker = Linker(api.register(records), settings, log_level=logging.ERROR)
    if kit.sure:
        linker.training.estimate_probability_two_random_records_match([_block(r) for r in kit.sure], _SURE_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=_SAMPLED_PAIRS, seed=seed)
    learned = [_learn(linker, rule) for rule in kit.lessons]
    return linker if any(learned) else None


def _learn(linker: Linker, rule: tuple[str, ...]) -> bool:
    """Whether pairs that agree on the rule taught the model something; where there are none, they cannot."""
    from splink.internals.exceptions import EMTrainingException

    try:
        linker.training.estimate_parameters_using_expectation_maximisation(_block(rule))
    except EMTrainingException:
        return False
    return True


def _block(rule: tuple[str, ...]) -> Any:
    from splink import block_on

    return block_on(*map(_expression, rule))


def _expression(part: str) -> str:
    field, _, length = part.partition("[:")
    return f"substr({field}, 1, {int(length.removesuffix(']'))})" if length else field


def _comparison(field: str, method: Method) -> Any:
    import splink.comparison_library as cl

    made: dict[Method, Any] = {
        "name": lambda: cl.NameComparison(field).configure(term_frequency_adjustments=True),
        "text": lambda: cl.JaroWinklerAtThresholds(field, [0.92, 0.8]).configure(term_frequency_adjustments=True),
        "date": lambda: cl.DateOfBirthComparison(field, input_is_string=True),
        "email": lambda: cl.EmailComparison(field),
        "number": lambda: cl.LevenshteinAtThresholds(field, [1, 2]),
        "code": lambda: cl.ExactMatch(field),
    }
    return made[method]()


def _no_pairs(kit: Kit) -> pa.Table:
    return pa.schema({**PAIRS, **{f"weight_{f}": pa.float64() for f in kit.fields}}).empty_table()


def _pairs(frame: pa.Table, kit: Kit) -> pa.Table:
    left, right = frame[f"{KEY}_l"].cast(pa.string()), frame[f"{KEY}_r"].cast(pa.string())
    swapped = pc.greater(left, right)
    columns = {
        "a": pc.if_else(swapped, right, left),
        "b": pc.if_else(swapped, left, right),
        "probability": frame["match_probability"],
        "weight": frame["match_weight"],
        **{f"weight_{field}": _weight(frame, field) for field in kit.fields},
    }
    order = [("probability", "descending"), ("weight", "descending"), ("a", "ascending"), ("b", "ascending")]
    return pa.table(columns).sort_by(order)


def _weight(frame: pa.Table, field: str) -> pa.ChunkedArray:
    """What a field adds to the weight: how it compares, and how frequent the value is where that counts."""
    likeness, rarity = frame[f"mw_{field}"], f"mw_tf_adj_{field}"
    return pc.add(likeness, frame[rarity]) if rarity in frame.column_names else likeness
