"""The benchmarks run, at a size that says nothing about speed; what they measure is never a test."""

from __future__ import annotations

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
    ],
)
def test_a_benchmark_runs(command: list[str], said: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
