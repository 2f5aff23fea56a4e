"""How likely two records are the same party: Splink's model, trained without examples, on its own DuckDB.

The same rows give the same probabilities, whatever order they come in and however many threads there are. The trained
model comes back with them, so that a verdict can be explained later.
"""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.stages.identities.kits import Kit, Method

if TYPE_CHECKING:
    from splink import Linker

KEY = "unique_id"
# One row for each pair. Key: a, b (a < b). `weight`: log2 of how many times likelier the pair is than before it was
# looked at; a column `weight_<field>` for each field compared says where it comes from, and `level_<field>` how the
# values compare: `same`, `alike`, `differs`, `missing`.
PAIRS = {"a": pa.string(), "b": pa.string(), "probability": pa.float64(), "weight": pa.float64()}
# How many pairs chance agreement is estimated from; more is no better on any data set we have.
_SAMPLED_PAIRS = 5_000_000
# What Splink says of a chance that would be none, and of one that would be all.
_CERTAIN = ("below the minimum allowed value", 'column "inf" not found')
# How far what was learned is believed; how often true pairs agree on a field, as a rule; how rare a thing may be.
_TRUST, _AGREE, _RAREST = 0.9, 0.9, 1e-7
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
    from splink import Linker
    from splink.backends.duckdb import DuckDBAPI

    ordered = records.sort_by(KEY)
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {int(threads)}")
        model = tempered(_learned(DuckDBAPI(connection=connection), ordered, own, seed))
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {int(threads)}")
        api = DuckDBAPI(connection=connection)
        linker = Linker(api.register(ordered), model, log_level=logging.ERROR)
        found = linker.inference.predict(threshold_match_probability=floor)
        frame = found.as_duckdbpyrelation().to_arrow_table()
    return Scored(_pairs(frame, own, model), model)


def model_text(model: dict[str, Any]) -> str:
    """The model as JSON to keep: how often values agree, by field and level, and no value; the same model, the same
    text."""
    return json.dumps({k: v for k, v in model.items() if k != "linker_uid"}, indent=2, sort_keys=True) + "\n"


def tempered(model: dict[str, Any]) -> dict[str, Any]:
    """The model with what it learned held against what is usual, a little: so that nothing is certain, and a level of
    which it saw no example still counts for what such a level says.

    A level's chance among true pairs (m) is learned from pairs that agree on something, which may be all alike; the
    usual one has nine of ten agree, and the rest share out what is left. A level that random pairs never show (u) is
    taken to be as rare as one in ten million.
    """
    for comparison in model["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        usual = [_AGREE, *[(1 - _AGREE) / (len(levels) - 1)] * (len(levels) - 1)]
        learned = [level.get("m_probability") or 0.0 for level in levels]
        total = sum(learned)
        for level, default, m in zip(levels, usual, learned, strict=True):
            level["m_probability"] = default if not total else _TRUST * m / total + (1 - _TRUST) * default
            level["u_probability"] = max(level.get("u_probability") or 0.0, _RAREST)
    return model


def _learned(api: Any, records: pa.Table, kit: Kit, seed: int) -> dict[str, Any]:
    """The model, with what it could learn from the records."""
    from splink import Linker, SettingsCreator

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(field, method) for field, method in kit.fields.items()],
        blocking_rules_to_generate_predictions=[_block(rule) for rule in kit.blocks],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )
    rows = api.register(records)
    linker = Linker(rows, settings, log_level=logging.ERROR)
    if kit.sure:
        linker.training.estimate_probability_two_random_records_match([_block(r) for r in kit.sure], _SURE_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=_SAMPLED_PAIRS, seed=seed)
    model = linker.misc.save_model_to_json()
    expected = model["probability_two_random_records_match"]
    for rule in kit.lessons:
        # Each lesson has a linker of its own: one that breaks off leaves its linker without the fields of the rule.
        model = _taught(Linker(rows, model, log_level=logging.ERROR), rule) or model
    # A lesson is full of true pairs, and would have the model expect them everywhere.
    return {**model, "probability_two_random_records_match": expected}


def _taught(linker: Linker, rule: tuple[str, ...]) -> dict[str, Any] | None:
    """What the model knows after a lesson from pairs that agree on the rule. None where there are none, or where they
    are all alike or all different in some field: it would have to learn that something is certain."""
    from splink.internals.exceptions import EMTrainingException, SplinkException

    try:
        linker.training.estimate_parameters_using_expectation_maximisation(_block(rule))
    except EMTrainingException:
        return None
    except (ValueError, SplinkException) as error:
        if not any(sign in str(error) for sign in _CERTAIN):
            raise
        return None
    taught: dict[str, Any] = linker.misc.save_model_to_json()
    return taught


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
    weights = {f"weight_{f}": pa.float64() for f in kit.fields}
    return pa.schema({**PAIRS, **weights, **{f"level_{f}": pa.string() for f in kit.fields}}).empty_table()


def _pairs(frame: pa.Table, kit: Kit, model: dict[str, Any]) -> pa.Table:
    left, right = frame[f"{KEY}_l"].cast(pa.string()), frame[f"{KEY}_r"].cast(pa.string())
    swapped = pc.greater(left, right)
    columns = {
        "a": pc.if_else(swapped, right, left),
        "b": pc.if_else(swapped, left, right),
        "probability": frame["match_probability"],
        "weight": frame["match_weight"],
        **{f"weight_{field}": _weight(frame, field) for field in kit.fields},
        **{f"level_{field}": _level(frame, field, model) for field in kit.fields},
    }
    order = [("probability", "descending"), ("weight", "descending"), ("a", "ascending"), ("b", "ascending")]
    return pa.table(columns).sort_by(order)


def _weight(frame: pa.Table, field: str) -> pa.ChunkedArray:
    """What a field adds to the weight: how it compares, and how frequent the value is where that counts."""
    likeness, rarity = frame[f"mw_{field}"], f"mw_tf_adj_{field}"
    return pc.add(likeness, frame[rarity]) if rarity in frame.column_names else likeness


def _level(frame: pa.Table, field: str, model: dict[str, Any]) -> pa.ChunkedArray:
    """How the values compare, told by which level's weight the model gave: the first is equality, the last the rest."""
    (compared,) = (c for c in model["comparisons"] if c["output_column_name"] == field)
    levels = [x for x in compared["comparison_levels"] if not x.get("is_null_level")]
    first, last = (math.log2(levels[i]["m_probability"] / levels[i]["u_probability"]) for i in (0, -1))
    weight = frame[f"mw_{field}"]

    def is_near(value: float) -> pa.ChunkedArray:
        return pc.less(pc.abs(pc.subtract(weight, value)), 1e-9)

    rest = pc.if_else(is_near(last), "differs", pc.if_else(is_near(0.0), "missing", "alike"))
    return pc.if_else(is_near(first), "same", rest)
