"""The benchmarks run, at a size that says nothing about speed; what they measure is never a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["benchmarks.dagster_overhead", "1", "2"], "1 cohorts, 6 assets, 12 checks each"),
        (["benchmarks.cleaning", "--customers", "150"], "13 columns over"),
        (["benchmarks.quality_suite", "--rows", "3000", "--rounds", "1"], "20 checks over 3,000 rows"),
        (["benchmarks.billing", "40"], "the readable rules"),
        (["benchmarks.reconcile", "--rows", "2000", "--rounds", "1"], "500 of 500 found, 0 false"),
        (["benchmarks.extract", "300"], "every type and value is the server's"),
        (["benchmarks.delta", "300"], "10 changed of 300"),
    ],
)
def test_a_benchmark_runs(command: list[str], said: str) -> None:
    assert said in _said("-m", *command)


def test_who_is_who_says_which_data_are_not_there_and_where_they_are_looked_for(tmp_path: Path) -> None:
    said = _said("-m", "benchmarks.identity", CUTOVER_DATA=str(tmp_path), FEBRL_DIR=str(tmp_path / "febrl"))
    assert [line.partition(":")[0] for line in said.splitlines()] == [f"dataset{n}" for n in "1234"] + ["fake_1000"]
    assert f"no dataset4a.csv and dataset4b.csv in {tmp_path / 'febrl'}; set FEBRL_DIR" in said


def test_the_set_of_two_files_is_one_in_which_each_pair_has_a_side_in_either(tmp_path: Path) -> None:
    names = "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth"
    for side, kind in (("a", "org"), ("b", "dup-0")):
        lines = [
            f"{names}, soc_sec_id",
            *(f"rec-{n}-{kind}, jo, doe, 1, high st, , x, 1, nsw, 19900101, 7" for n in "12"),
        ]
        (tmp_path / f"dataset4{side}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    shown = "found = febrl('dataset4', tax_id=False); print(found.truth, found.records['birth_date'].to_pylist())"
    said = _said("-c", f"from benchmarks.identity import febrl; {shown}", FEBRL_DIR=str(tmp_path))
    truth = {"rec-1-org": "1", "rec-2-org": "2", "rec-1-dup-0": "1", "rec-2-dup-0": "2"}
    assert said == f"{truth} {['1990-01-01'] * 4}\n"


def _said(*command: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
