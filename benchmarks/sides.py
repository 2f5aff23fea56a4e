"""Ways to do the same work beside each other, each measurement in a process of its own, so that peak memory is its own.

The script of a benchmark is called again as `script --side NAME --at PLACE` and prints what it measured as JSON. What
the ways do, and what is made of the figures, is the benchmark's business.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Of each measurement; `made` is what the way gave back.
COSTS = ("wall", "cpu", "peak_mb")
Measured = dict[str, Any]


@dataclass(frozen=True)
class Sides:
    """`ways`, by name: what each does with the rows at a place. `few_rows` puts some into a folder and says where they
    are: a way imports what it needs on those, before it is measured."""

    script: str
    ways: Mapping[str, Callable[[Path], Any]]
    few_rows: Callable[[Path], Path]

    def parser(self, words: str | None, *, rounds: int) -> argparse.ArgumentParser:
        """The options every script of this kind has."""
        parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--rounds", type=int, default=rounds)
        parser.add_argument("--side", choices=tuple(self.ways))
        parser.add_argument("--at", type=Path)
        return parser

    def measured(self, side: str, place: Path) -> Measured:
        """Wall seconds, CPU seconds, peak memory in MB and what was made, of one side in this process."""
        with tempfile.TemporaryDirectory() as folder:
            self.ways[side](self.few_rows(Path(folder)))
        cpu, wall = time.process_time(), time.perf_counter()
        made = self.ways[side](place)
        return {
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "made": made,
        }

    def rounds(self, place: Path, rounds: int, env: Mapping[str, str] | None = None) -> dict[str, list[Measured]]:
        """Every side as often as asked, each time in a process of its own."""
        # In turn, so that a busy machine is busy for every side.
        taken = [{side: self._in_a_process(side, place, env or {}) for side in self.ways} for _ in range(rounds)]
        return {side: [one[side] for one in taken] for side in self.ways}

    def _in_a_process(self, side: str, place: Path, env: Mapping[str, str]) -> Measured:
        done = subprocess.run(
            [sys.executable, self.script, "--side", side, "--at", str(place)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        result: Measured = json.loads(done.stdout.splitlines()[-1])
        return result


def medians(taken: Sequence[Measured], keys: Sequence[str] = COSTS) -> dict[str, float]:
    """The median of each figure over the rounds of one side."""
    return {key: statistics.median(r[key] for r in taken) for key in keys}
