"""The table of faults says what `make faults` runs: every row's tests are there, as many as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| (?P<kind>[^|]+) \| (?P<tests>\d+) \| (?P<each>\w+) \| (?P<cases>[\w,]+) \| (?P<where>`.*`) \|$")


def test_the_table_is_what_make_faults_collects() -> None:
    collected = collected_tests()
    rows = [m for line in (ROOT / "docs/faults.md").read_text("utf-8").splitlines() if (m := _ROW.match(line))]
    assert len(rows) > 20
    for row in rows:
        named = [n if n.startswith("tests/") else f"tests/faults/{n}" for n in re.findall(r"`([^`]+)`", row["where"])]
        counts = [collected[name] for name in named]
        assert counts == [int(row["tests"])] * len(named), f"{row['kind']}: {counts}"
        cases = row["cases"].replace(",", "")
        assert row["each"] == cases == "all" or int(cases) == int(row["tests"]) * int(row["each"]), row["kind"]


def collected_tests() -> Counter[str]:
    """`file::function` -> how many of it `make faults` runs."""
    makefile = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    (paths,) = re.findall(r"^FAULTS := (.*)$", makefile, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *paths.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    names = (line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line)
    return Counter(names)
