"""Twenty checks over one table: our runner beside Great Expectations on pandas, on the same rows.

usage: python -m benchmarks.quality_suite [--rows 1000000] [--rounds 3]

Each measurement is a process of its own, so that peak memory is its own; importing libraries and writing the file do
not count, reading it does. Both sides have to find the same number of rows at fault, or the comparison is void.
Ours also names the rows at fault, by surrogate. GX on pandas is measured three ways: as one suite that counts and names
no rows, which is its best; as one suite that names them (COMPLETE with an index column), which is the like; and rule by
rule, counting, which is what one asset check for each rule usually amounts to.
Prints one line for each side (medians) and the ratios.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.sides import Measured, Sides, medians

FAULTS_EVERY = 997

# (rule type, arguments): what both sides can say. Every rule but the last four finds some rows at fault.
RULES: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_not_be_null", {"column": "name"}),
    ("expect_column_values_to_not_be_null", {"column": "email"}),
    ("expect_column_values_to_be_unique", {"column": "invoice_number"}),
    ("expect_column_values_to_be_in_set", {"column": "status", "value_set": ["draft", "open", "paid"]}),
    ("expect_column_values_to_be_in_set", {"column": "currency", "value_set": ["EUR", "USD", "JPY"]}),
    ("expect_column_values_to_not_be_in_set", {"column": "country", "value_set": ["XX"]}),
    ("expect_column_values_to_match_regex", {"column": "email", "regex": r"^[^@\s]+@[^@\s]+\.[^@\s]+$"}),
    ("expect_column_values_to_match_regex", {"column": "phone", "regex": r"^\+[1-9][0-9]{4,14}$"}),
    ("expect_column_values_to_match_regex", {"column": "country", "regex": "^[A-WYZ][A-Z]$"}),
    ("expect_column_values_to_not_match_regex", {"column": "name", "regex": "^ "}),
    ("expect_column_values_to_be_between", {"column": "unit_price", "min_value": 0}),
    ("expect_column_values_to_be_between", {"column": "total_minor", "min_value": 0, "max_value": 10_000_000}),
    ("expect_column_value_lengths_to_be_between", {"column": "country", "min_value": 2, "max_value": 2}),
    ("expect_column_value_lengths_to_be_between", {"column": "name", "max_value": 40}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "ends", "column_B": "starts"}),
    ("expect_compound_columns_to_be_unique", {"column_list": ["invoice_number", "position"]}),
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_between", {"column": "position", "min_value": 1}),
    ("expect_table_row_count_to_be_between", {"min_value": 1}),
]


def make_rows(path: Path, rows: int) -> None:
    """Write the table: 15 columns, one row in every 997 wrong in every way."""
    import duckdb

    bad = f"i % {FAULTS_EVERY} = 0"
    duckdb.sql(
        f"""copy (select i as id, 'crm' as source_system, i as source_row,
        case when {bad} then null else 'Customer ' || i end as name,
        case when {bad} then 'nobody' else 'c' || i || '@example.org' end as email,
        case when {bad} then '12' else '+4917' || (10000000 + i % 80000000) end as phone,
        case when {bad} then 'XX' else 'DE' end as country,
        case when {bad} then 'lost' else 'open' end as status,
        case when {bad} then 'ZZZ' else 'EUR' end as currency,
        case when {bad} then 0 else i end as invoice_number, 1 as position,
        cast(case when {bad} then -1 else i % 5000 / 100 end as decimal(28, 8)) as unit_price,
        case when {bad} then -5 else i * 7 % 9000000 end as total_minor,
        timestamptz '2026-01-01 00:00:00+00' + to_seconds(i) as starts,
        timestamptz '2026-02-01 00:00:00+00' + to_seconds(case when {bad} then -i - 4000000 else i end) as ends
        from range(1, {rows + 1}) t(i)) to '{path}' (format parquet, compression zstd)"""
    )


def ours(path: Path) -> dict[str, int]:
    """Faults by check, by our runner."""
    from migration_assets.quality.rule import Rule
    from migration_assets.quality.run import run_suite
    from migration_assets.quality.suite import Suite

    rules = tuple(
        Rule(check=f"c{i}", table="t", why="It is measured here.", type=t, kwargs=k, severity="critical")
        for i, (t, k) in enumerate(RULES)
    )
    return {r.check: r.unexpected for r in run_suite(Suite(asset="a", rules=rules), {"t": path})}


def on_pandas(path: Path, *, one_by_one: bool = False, keys: bool = False) -> dict[str, int]:
    """Faults by check, by Great Expectations over a pandas frame; with `keys`, also the id of every row at fault."""
    import great_expectations as gx
    import pandas as pd

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    frame = pd.read_parquet(path)
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("t")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    rules = [_expectation(f"c{i}", kind, arguments) for i, (kind, arguments) in enumerate(RULES)]
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]} if keys else "SUMMARY"
    if one_by_one:
        results = [batch.validate(rule, result_format=wanted) for rule in rules]
    else:
        results = batch.validate(gx.ExpectationSuite("s", expectations=rules), result_format=wanted).results
    return {r.expectation_config.meta["check"]: int(r.result.get("unexpected_count", 0)) for r in results}


def _expectation(check: str, kind: str, arguments: dict[str, Any]) -> Any:
    import great_expectations.expectations as gxe

    extra = {"ignore_row_if": "either_value_is_missing"} if "pair" in kind else {}
    extra = {"ignore_row_if": "any_value_is_missing"} if "compound" in kind else extra
    name = "".join(part.capitalize() for part in kind.split("_"))
    return getattr(gxe, name)(**arguments, **extra, meta={"check": check})


def few_rows(folder: Path) -> Path:
    """Rows enough to import what a side needs."""
    make_rows(folder / "tiny.parquet", 10)
    return folder / "tiny.parquet"


WAYS: dict[str, Callable[[Path], dict[str, int]]] = {
    "ours": ours,
    "pandas": on_pandas,
    "pandas, naming rows": partial(on_pandas, keys=True),
    "pandas, rule by rule": partial(on_pandas, one_by_one=True),
}
SIDES = Sides(__file__, WAYS, few_rows)
QUIET = {"TQDM_DISABLE": "1", "GX_ANALYTICS_ENABLED": "false", "PYTHONWARNINGS": "ignore"}


def main() -> int:
    parser = SIDES.parser(__doc__, rounds=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    if asked.side:
        print(json.dumps(SIDES.measured(asked.side, asked.at)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        make_rows(path, asked.rows)
        rounds = SIDES.rounds(path, asked.rounds, QUIET)
    return report(asked.rows, rounds)


def report(rows: int, rounds: dict[str, list[Measured]]) -> int:
    """Print medians and ratios; 1 when the sides disagree about the faults."""
    found = {side: taken[0]["made"] for side, taken in rounds.items()}
    if any(f != found["ours"] for f in found.values()):
        print("the sides disagree about the faults:", *found.items(), sep="\n")
        return 1
    costs = {side: medians(taken) for side, taken in rounds.items()}
    print(f"{len(RULES)} checks over {rows:,} rows x 15 columns, medians of {len(rounds['ours'])}")
    for side, m in costs.items():
        ratio = f"{m['wall'] / costs['ours']['wall']:6.1f} x wall {m['cpu'] / costs['ours']['cpu']:6.1f} x CPU"
        print(f"  {side:22}{m['wall']:8.2f} s wall {m['cpu']:8.2f} s CPU {m['peak_mb']:6.0f} MB peak {ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
