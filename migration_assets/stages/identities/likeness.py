"""How likely two records are the same party: Splink's model, trained without examples, on its own DuckDB.

The same rows give the same probabilities, whatever order they come in and however many threads there are. The trained
model comes back with them, so that a verdict can be explained later.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from migration_assets.stages.identities.kits import Kit, Method

if TYPE_CHECKING:
    from splink import Linker

KEY = "unique_id"
# One row for each pair. Key: a, b (a < b). `weight`: log2 of how many times likelier the pair is than before it was
# looked at; a column `weight_<field>` for each field compared says where it comes from, and `level_<field>` how the
# values compare: `same`, `alike`, `differs`, `missing`. `told_apart`: a field that tells the members of a household or
# a group apart (Kit.telling) is present in both and not alike at all.
PAIRS = {
    "a": pa.string(), "b": pa.string(), "probability": pa.float64(), "weight": pa.float64(), "told_apart": pa.bool_()
}  # fmt: skip
# How many pairs chance agreement is estimated from; more is no better on any data set we have.
_SAMPLED_PAIRS = 400_000
# What more records than this agree on says little, and comparing all of them would take a time that grows with the
# square of the records: such a value leads nobody to anybody. Others of the record's values still do.
LARGEST_BLOCK = 100
# What Splink says of a chance that would be none, and of one that would be all.
_CERTAIN = ("below the minimum allowed value", 'column "inf" not found')
# How far what was learned is believed, how often true pairs agree on a field as a rule, and how rare a thing may be.
# Lessons are full of records made on one day: they know little of people who have moved since.
_TRUST, _AGREE = {True: 0.9, False: 0.5}, {True: 0.9, False: 0.75}
_RAREST, _LESS = 1e-7, 0.999
# Pairs that agree on a `sure` rule are so many of all true ones, more or less: the model is not sensitive to it.
_SURE_RECALL = 0.7
# With the engine beside it, a million customers stay below 2 GB.
_MEMORY = "500MB"

Rule = tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """`pairs` (PAIRS and the weights by field), likeliest first, and the model that made them as plain JSON.
    `crowded`: field or block rule -> records whose value there is shared by too many to compare (LARGEST_BLOCK)."""

    pairs: pa.Table
    model: dict[str, Any]
    crowded: dict[str, int] = field(default_factory=dict)


def scored(
    records: pa.Table, kit: Kit, *, floor: float, seed: int, threads: int = 2, spill_to: Path | None = None
) -> Scored:
    """Pairs of records whose probability is at least `floor`. `records`: column `unique_id` (text, unique) and fields
    of the kit as text, dates in ISO form.

    With too few records to learn from, or nothing to compare, there are no pairs and no model.
    """
    records, made_up = _without_crowds(records, kit)
    present = frozenset(n for n in records.column_names if records[n].null_count < records.num_rows)
    own = kit.within(present)
    if records.num_rows < 2 or not own.fields or not own.blocks:
        return Scored(_no_pairs(own), {})
    with _connected(threads, spill_to) as connection:
        blocked = _Blocked(connection, records, own)
        model = tempered(_learned(blocked, own, seed), own.lasting)
    with _connected(threads, spill_to) as connection:
        blocked = _Blocked(connection, records, own)
        frame = _predicted(blocked, model, floor)
    return Scored(_told_apart(_pairs(frame, own, model), records, own), model, {**made_up, **blocked.crowded})


def _without_crowds(records: pa.Table, kit: Kit) -> tuple[pa.Table, dict[str, int]]:
    """The records without what too many of them share in fields that should be one party's own, and by field how many
    records that are."""
    counts: dict[str, int] = {}
    for name in (n for n in kit.own if n in records.column_names):
        counted = pc.value_counts(records[name].drop_null())
        many = counted.filter(pc.greater(counted.field("counts"), LARGEST_BLOCK))
        if len(many):
            theirs = pc.is_in(records[name], many.field("values"))
            counts[name] = pc.sum(many.field("counts")).as_py()
            place = records.schema.get_field_index(name)
            records = records.set_column(place, name, pc.if_else(theirs, None, records[name]))
    return records, counts


@contextmanager
def _connected(threads: int, spill_to: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own: Splink keeps what it made in there, and a model must not find another's leavings."""
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {int(threads)}")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        if spill_to is not None:
            connection.execute(f"SET temp_directory = '{str(spill_to).replace(chr(39), chr(39) * 2)}'")
        yield connection


class _Blocked:
    """Records in a DuckDB, with a column for each rule of the kit by which pairs are found: null where the record has
    not all of its parts, where nobody else has the same, and where too many have."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, records: pa.Table, kit: Kit) -> None:
        from splink.backends.duckdb import DuckDBAPI

        self.rules = tuple(dict.fromkeys((*kit.blocks, *kit.lessons, *kit.sure)))
        connection.register("_given", records.sort_by(KEY))
        parts = ", ".join(f"{_hash(rule)} AS _h{i}" for i, rule in enumerate(self.rules))
        connection.execute(f"CREATE TABLE _hashed AS SELECT *, {parts} FROM _given")
        kept = ", ".join(f"{_kept(i)} AS {self.column(rule)}" for i, rule in enumerate(self.rules))
        hashes = ", ".join(f"_h{i}" for i in range(len(self.rules)))
        connection.execute(f"CREATE TABLE records AS SELECT * EXCLUDE ({hashes}), {kept} FROM _hashed ORDER BY {KEY}")
        self.crowded = {" ".join(rule): n for i, rule in enumerate(self.rules) if (n := _crowd(connection, i))}
        connection.execute("DROP TABLE _hashed")
        connection.unregister("_given")
        self.pairs = records.num_rows * (records.num_rows - 1) // 2
        self._api = DuckDBAPI(connection=connection)
        self.rows = self._api.register("records")

    def column(self, rule: Rule) -> str:
        return f"_block{self.rules.index(rule)}"

    def on(self, rule: Rule) -> Any:
        """Pairs that agree on the rule."""
        from splink import block_on

        return block_on(self.column(rule))

    def lesson(self, rule: Rule) -> Any:
        """The same for a lesson, which has to say what the pairs agree on: that cannot be learned from them."""
        from splink import block_on

        return block_on(*map(_expression, rule), self.column(rule))


def _hash(rule: Rule) -> str:
    parts = [_expression(part) for part in rule]
    whole = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    return f"CASE WHEN {whole} THEN hash({', '.join(parts)}) END"


def _kept(i: int) -> str:
    usable = f"SELECT _h{i} FROM _hashed GROUP BY _h{i} HAVING count(_h{i}) BETWEEN 2 AND {LARGEST_BLOCK}"
    return f"CASE WHEN _h{i} IN ({usable}) THEN _h{i} END"


def _crowd(connection: duckdb.DuckDBPyConnection, i: int) -> int:
    crowd = f"SELECT count(_h{i}) AS n FROM _hashed GROUP BY _h{i} HAVING n > {LARGEST_BLOCK}"
    row = connection.execute(f"SELECT coalesce(sum(n), 0)::BIGINT FROM ({crowd})").fetchone()
    return int(row[0]) if row else 0


def _predicted(blocked: _Blocked, model: dict[str, Any], floor: float) -> pa.Table:
    from splink import Linker

    linker = Linker(blocked.rows, model, log_level=logging.ERROR)
    found = linker.inference.predict(threshold_match_probability=floor)
    return found.as_duckdbpyrelation().to_arrow_table()


def model_text(model: dict[str, Any]) -> str:
    """The model as JSON to keep: how often values agree, by field and level, and no value; the same model, the same
    text."""
    return json.dumps({k: v for k, v in model.items() if k != "linker_uid"}, indent=2, sort_keys=True) + "\n"


def tempered(model: dict[str, Any], lasting: frozenset[str]) -> dict[str, Any]:
    """The model with what it learned held against what is usual, a little: so that nothing is certain, and a level of
    which it saw no example still counts for what such a level says.

    A level's chance among true pairs (m) is learned from pairs that agree on something, which may be all alike; the
    usual one has nine of ten agree on what is lasting and three of four on what may change, and the rest share out what
    is left. A level that random pairs never show (u) is taken to be as rare as one in ten million. And less alike never
    says more: a level counts at most what the one above it does.
    """
    for comparison in model["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        lasts = comparison["output_column_name"] in lasting
        trust, agree = _TRUST[lasts], _AGREE[lasts]
        usual = [agree, *[(1 - agree) / (len(levels) - 1)] * (len(levels) - 1)]
        learned = [level.get("m_probability") or 0.0 for level in levels]
        total = sum(learned)
        most = math.inf
        for level, default, m in zip(levels, usual, learned, strict=True):
            chance = default if not total else trust * m / total + (1 - trust) * default
            level["u_probability"] = max(level.get("u_probability") or 0.0, _RAREST)
            level["m_probability"] = min(chance, most * _LESS * level["u_probability"])
            most = level["m_probability"] / level["u_probability"]
    return model


def _learned(blocked: _Blocked, kit: Kit, seed: int) -> dict[str, Any]:
    """The model, with what it could learn from the records."""
    from splink import Linker, SettingsCreator

    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(field, method) for field, method in kit.fields.items()],
        blocking_rules_to_generate_predictions=[blocked.on(rule) for rule in kit.blocks],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )
    linker = Linker(blocked.rows, settings, log_level=logging.ERROR)
    if kit.sure:
        sure = [blocked.on(rule) for rule in kit.sure]
        linker.training.estimate_probability_two_random_records_match(sure, _SURE_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=_SAMPLED_PAIRS, seed=seed)
    model = linker.misc.save_model_to_json()
    # Among few records none may agree on what is sure. Then one pair is expected: of none at all there is no logarithm.
    expected = max(model["probability_two_random_records_match"], 1 / blocked.pairs)
    model = {**model, "probability_two_random_records_match": expected}
    for rule in kit.lessons:
        # Each lesson has a linker of its own: one that breaks off leaves its linker without the fields of the rule.
        model = _taught(Linker(blocked.rows, model, log_level=logging.ERROR), blocked.lesson(rule)) or model
    # A lesson is full of true pairs, and would have the model expect them everywhere.
    return {**model, "probability_two_random_records_match": expected}


def _taught(linker: Linker, lesson: Any) -> dict[str, Any] | None:
    """What the model knows after a lesson from pairs that agree on something. None where there are none, or where they
    are all alike or all different in some field: it would have to learn that something is certain."""
    from splink.internals.exceptions import EMTrainingException, SplinkException

    try:
        linker.training.estimate_parameters_using_expectation_maximisation(lesson)
    except EMTrainingException:
        return None
    except (ValueError, SplinkException) as error:
        if not any(sign in str(error) for sign in _CERTAIN):
            raise
        return None
    taught: dict[str, Any] = linker.misc.save_model_to_json()
    return taught


def _expression(part: str) -> str:
    name, _, length = part.partition("[:")
    return f"substr({name}, 1, {int(length.removesuffix(']'))})" if length else name


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
    return pa.table(
        {
            "a": pc.if_else(swapped, right, left),
            "b": pc.if_else(swapped, left, right),
            "probability": frame["match_probability"],
            "weight": frame["match_weight"],
            **{f"weight_{field}": _weight(frame, field) for field in kit.fields},
            **{f"level_{field}": _level(frame, field, model) for field in kit.fields},
        }
    )


def _told_apart(pairs: pa.Table, records: pa.Table, kit: Kit) -> pa.Table:
    """The pairs in order, with the column `told_apart`."""
    order = [("probability", "descending"), ("weight", "descending"), ("a", "ascending"), ("b", "ascending")]
    pairs = pairs.sort_by(order)
    read = list(dict.fromkeys((*kit.telling, *(kit.swapped or ()), *kit.proof)))
    one, other = (
        records.select(read).take(pc.index_in(pairs[end], records[KEY].combine_chunks())).to_pylist()
        for end in ("a", "b")
    )
    seen = {name: _seen(records[name]) for name, how in kit.telling.items() if how == "words"}
    apart = [kit.tells_apart(a, b, seen) for a, b in zip(one, other, strict=True)]
    return pairs.add_column(len(PAIRS) - 1, "told_apart", pa.array(apart, pa.bool_()))


def _seen(texts: pa.ChunkedArray) -> dict[str, int]:
    """How often each word without digits stands in a column."""
    words = pc.list_flatten(pc.utf8_split_whitespace(texts.combine_chunks()))
    counted = pc.value_counts(words.filter(pc.invert(pc.match_substring_regex(words, "[0-9]"))))
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


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
